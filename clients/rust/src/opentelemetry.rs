//! Spans for pushes and for handlers, by OpenTelemetry's conventions for messaging.
//!
//! The trace context travels in the headers, as `traceparent` if the program has set the W3C propagator
//! (`global::set_text_map_propagator`). Tracer and propagator are the global ones.
//!
//! ```no_run
//! # async fn charge(_: &[u8]) -> Result<(), std::io::Error> { Ok(()) }
//! # async fn run(client: redis_mq::Client<redis::aio::ConnectionManager>) -> redis_mq::Result<()> {
//! use redis_mq::{Worker, opentelemetry};
//!
//! opentelemetry::send("orders", |headers| client.publish("orders", "hello").headers(headers)).await?;
//!
//! let redis = redis::Client::open("redis://127.0.0.1:6379")?;
//! let worker = Worker::new(redis, "orders", |message, _cancelled| async move {
//!     charge(&message.payload).await?;
//!     Ok(())
//! });
//! worker.middleware(opentelemetry::process).run().await?;
//! # Ok(()) }
//! ```

use crate::error::Result;
use crate::message::{Headers, Message};
use crate::worker::{CancellationToken, HandlerError, Next};
use opentelemetry::propagation::{Extractor, Injector};
use opentelemetry::trace::{FutureExt, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, global};
use std::fmt::Display;

/// Pushes within a span. The function is called with the headers that carry the span's context.
///
/// # Errors
/// Those of the push.
pub async fn send<P, T>(queue: &str, push: impl FnOnce(Vec<(String, String)>) -> P) -> Result<T>
where
    P: IntoFuture<Output = Result<T>>,
{
    let context = span("send", queue, SpanKind::Producer, Vec::new(), &Context::current());
    let mut carrier = Pairs::default();
    global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut carrier));
    let result = push(carrier.0).into_future().with_context(context.clone()).await;
    end(&context, result.as_ref().err());
    result
}

/// Middleware that runs the handler within a span, below that of the push.
///
/// # Errors
/// Those of the handler. Only `Failed` and `Dead` are errors of the span.
pub async fn process(
    message: Message,
    cancelled: CancellationToken,
    next: Next,
) -> Result<(), HandlerError> {
    let parent = global::get_text_map_propagator(|propagator| {
        propagator.extract(&Pairs::from(&message.headers))
    });
    let size = i64::try_from(message.payload.len()).unwrap_or(i64::MAX);
    let attributes = vec![
        KeyValue::new("messaging.message.id", message.id.clone()),
        KeyValue::new("messaging.message.body.size", size),
    ];
    let context = span("process", &message.queue, SpanKind::Consumer, attributes, &parent);
    let result = next.run(message, cancelled).with_context(context.clone()).await;
    let error = match &result {
        Err(HandlerError::Failed(error)) => Some(error.to_string()),
        Err(HandlerError::Dead { reason }) => Some(reason.clone().unwrap_or_default()),
        Ok(()) | Err(HandlerError::Retry { .. } | HandlerError::Release) => None,
    };
    end(&context, error.as_ref());
    result
}

fn span(
    operation: &'static str,
    queue: &str,
    kind: SpanKind,
    mut attributes: Vec<KeyValue>,
    parent: &Context,
) -> Context {
    attributes.extend([
        KeyValue::new("messaging.system", "redis_mq"),
        KeyValue::new("messaging.operation.name", operation),
        KeyValue::new("messaging.operation.type", operation),
        KeyValue::new("messaging.destination.name", queue.to_owned()),
    ]);
    let tracer = global::tracer("redis-mq");
    let builder = tracer.span_builder(format!("{operation} {queue}"));
    let builder = builder.with_kind(kind).with_attributes(attributes);
    parent.with_span(tracer.build_with_context(builder, parent))
}

fn end(context: &Context, error: Option<&impl Display>) {
    let span = context.span();
    if let Some(error) = error {
        span.set_status(Status::error(error.to_string()));
    }
    span.end();
}

/// Headers, as a propagator reads and writes them.
#[derive(Default)]
struct Pairs(Vec<(String, String)>);

impl From<&Headers> for Pairs {
    fn from(headers: &Headers) -> Self {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Self(headers.iter().map(|(name, value)| (text(name), text(value))).collect())
    }
}

impl Injector for Pairs {
    fn set(&mut self, name: &str, value: String) {
        self.0.push((name.to_owned(), value));
    }
}

impl Extractor for Pairs {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }
}
