//! The trace of a push goes on in the handler.

use opentelemetry::global;
use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use redis_mq::testing::Fake;
use redis_mq::{Client, Worker, opentelemetry as tracing};
use std::time::Duration;

#[tokio::test]
async fn the_span_of_the_handler_is_below_that_of_the_push() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    global::set_tracer_provider(provider);
    global::set_text_map_propagator(TraceContextPropagator::new());

    let fake = Fake::new();
    let client = Client::new(fake.clone());
    tracing::send("orders", |headers| client.push("orders", "hello").headers(headers))
        .await
        .unwrap();
    let worker = Worker::new(fake, "orders", |_, _| async { Err("no stock".into()) });
    worker.middleware(tracing::process).run_until_empty(Duration::ZERO).await.unwrap();

    let spans = exporter.get_finished_spans().unwrap();
    let [send, process] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!((send.name.as_ref(), &send.span_kind), ("send orders", &SpanKind::Producer));
    assert_eq!(
        (process.name.as_ref(), &process.span_kind),
        ("process orders", &SpanKind::Consumer)
    );
    assert_eq!(process.parent_span_id, send.span_context.span_id());
    assert_eq!(process.span_context.trace_id(), send.span_context.trace_id());
    assert_eq!(process.status, Status::error("no stock"));
}
