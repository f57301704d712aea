"""OpenTelemetry, by its conventions for messaging; needs the extra `opentelemetry`.

The trace travels in the message's headers, as W3C `traceparent` and whatever else the configured propagator writes.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Awaitable, Callable, Dict, Iterator, Mapping, Optional

from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind

from .message import Message
from .outcomes import HandlerOutcome

SYSTEM = "redis_mq"


@contextmanager
def sending(queue: str, headers: Optional[Mapping[str, str]] = None) -> Iterator[Dict[str, str]]:
    """A span around a push, and the headers with which to push.

    with sending("orders") as headers:
        client.push("orders", payload, headers=headers)
    """
    attributes = _attributes("send", queue)
    with _tracer().start_as_current_span(f"send {queue}", kind=SpanKind.PRODUCER, attributes=attributes):
        carrier = dict(headers or {})
        propagate.inject(carrier)
        yield carrier


async def tracing(message: Message, call_next: Callable[[Message], Awaitable[Any]]) -> Any:
    """A worker's middleware: a span around the handler, in the trace of the push."""
    attributes = {
        **_attributes("process", message.queue),
        "messaging.message.id": message.id,
        "messaging.message.body.size": len(message.payload),
        "messaging.redis_mq.retry_count": message.retry_count,
    }
    with _tracer().start_as_current_span(
        f"process {message.queue}",
        context=propagate.extract(message.headers),
        kind=SpanKind.CONSUMER,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            return await call_next(message)
        except HandlerOutcome as outcome:
            span.set_attribute("messaging.redis_mq.outcome", type(outcome).__name__.lower())
            raise
        except BaseException as error:
            span.set_attribute("error.type", type(error).__qualname__)
            span.record_exception(error)
            span.set_status(trace.StatusCode.ERROR, str(error))
            raise


def _tracer() -> trace.Tracer:
    return trace.get_tracer("redis_mq")


def _attributes(operation: str, queue: str) -> Dict[str, Any]:
    return {
        "messaging.system": SYSTEM,
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": queue,
    }
