//! What works on messages, and what it can say of them.

use crate::message::Message;
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Why a handler did not do its message. Any error becomes [`Failed`](Self::Failed) by `?`.
#[derive(Debug)]
pub enum HandlerError {
    /// The message comes again after the queue's backoff, with the error's text as `last_error`, and is dead after
    /// `max_retries` of them.
    Failed(Box<dyn Error + Send + Sync>),
    /// The message comes again after a time, or the queue's backoff. Counts as a retry.
    Retry {
        /// `None`: the queue's backoff.
        after: Option<Duration>,
        /// Becomes its `last_error`.
        reason: Option<String>,
    },
    /// Others get the message at once, and that is not counted: this worker can't process it now.
    Release,
    /// No retry will help: the message goes to the dead-letter queue.
    Dead {
        /// Becomes its `last_error`.
        reason: Option<String>,
    },
}

impl HandlerError {
    /// The message comes again after this time.
    pub fn retry(after: Duration, reason: impl Into<String>) -> Self {
        Self::Retry { after: Some(after), reason: Some(reason.into()) }
    }

    /// The message goes to the dead-letter queue.
    pub fn dead(reason: impl Into<String>) -> Self {
        Self::Dead { reason: Some(reason.into()) }
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// What a handler returns, in a box.
pub type Handling = Pin<Box<dyn Future<Output = Result<(), HandlerError>> + Send>>;

/// A handler, or what of the middleware comes after one.
#[derive(Clone)]
pub struct Next(Arc<dyn Fn(Message, CancellationToken) -> Handling + Send + Sync>);

impl Next {
    pub(crate) fn new<F, R>(handle: F) -> Self
    where
        F: Fn(Message, CancellationToken) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        Self(Arc::new(move |message, cancelled| Box::pin(handle(message, cancelled))))
    }

    /// Goes on with a message.
    pub fn run(&self, message: Message, cancelled: CancellationToken) -> Handling {
        (self.0)(message, cancelled)
    }
}

impl std::fmt::Debug for Next {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Next")
    }
}
