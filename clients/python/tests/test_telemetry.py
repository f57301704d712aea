import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from redis_mq import Dead, Worker
from redis_mq.telemetry import sending, tracing
from redis_mq.testing import FakeRedisMQ

EXPORTER = InMemorySpanExporter()
PROVIDER = TracerProvider()
PROVIDER.add_span_processor(SimpleSpanProcessor(EXPORTER))
trace.set_tracer_provider(PROVIDER)


@pytest.fixture
def fake():
    EXPORTER.clear()
    return FakeRedisMQ()


def trace_of(fake, handler):
    with sending("orders", {"type": "order"}) as headers:
        fake.client().push("orders", "hello", headers=headers)
    Worker(fake.source(), "orders", handler, middleware=[tracing]).run(until_empty=0)
    return EXPORTER.get_finished_spans()


def test_the_handler_is_in_the_trace_of_the_push(fake):
    seen = []

    def handler(message):
        seen.append((message.headers["type"], trace.get_current_span().get_span_context().span_id))

    sent, processed = trace_of(fake, handler)
    assert (sent.name, processed.name) == ("send orders", "process orders")
    assert (sent.kind, processed.kind) == (trace.SpanKind.PRODUCER, trace.SpanKind.CONSUMER)
    assert processed.parent.span_id == sent.context.span_id and processed.context.trace_id == sent.context.trace_id
    assert seen == [("order", processed.context.span_id)], "in its thread too"
    assert processed.attributes["messaging.destination.name"] == "orders"
    assert processed.attributes["messaging.message.body.size"] == 5
    assert processed.status.is_unset or processed.status.is_ok


def test_a_failure_is_an_error_and_an_outcome_is_not(fake):
    def fails(message):
        raise RuntimeError("no stock")

    def dies(message):
        raise Dead("no address")

    *_, processed = trace_of(fake, fails)
    assert processed.status.status_code is trace.StatusCode.ERROR
    assert processed.attributes["error.type"] == "RuntimeError"
    *_, processed = trace_of(fake, dies)
    assert processed.status.is_unset and processed.attributes["messaging.redis_mq.outcome"] == "dead"
