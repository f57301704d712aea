//! Takes messages and gives them to a handler, until it is told to stop.

#[cfg(feature = "cluster")]
mod cluster;
mod direct;
mod handler;
mod in_work;
mod link;
mod run;
mod saying;
#[cfg(feature = "sentinel")]
mod sentinel;
mod signals;
mod source;
mod together;

#[cfg(feature = "cluster")]
pub use cluster::SlotConnection;
pub use direct::DirectConnection;
pub use handler::{HandlerError, Handling, Next};
pub use source::Source;
pub use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::message::Message;
use crate::queues::Queues;
use run::Run;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use together::together;
use tokio::task::JoinSet;
use tracing::Instrument;

/// The longest time that counts; the server accepts no longer ones.
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What a run needs to know.
#[derive(Clone, Debug)]
struct Options {
    queues: Vec<String>,
    concurrency: usize,
    prefetch: usize,
    visibility: Duration,
    disconnect_grace: Option<Duration>,
    max_processing: Option<Duration>,
    grace: Duration,
    block: Duration,
    ack_delay: Duration,
    consumer: String,
}

impl Options {
    /// How long after the end of the connection that pulled them messages come back. `None`: when their visibility ends.
    fn return_after(&self) -> Option<Duration> {
        self.disconnect_grace.filter(|grace| !grace.is_zero() && *grace < self.visibility)
    }

    /// How often messages in work are extended. A message comes back unless that happens after the connection has
    /// ended, and the worker can't know when the server sees the end: so it happens in the grace time, always.
    fn heartbeat(&self) -> Duration {
        self.return_after().unwrap_or(self.visibility) / 3
    }
}

/// Processes the messages of one or several queues: each at least once, several at a time.
///
/// A handler that returns `Ok` is done, and its message acknowledged. With an error the message is given back:
/// [`HandlerError`] says how. While it runs, the message's visibility is extended.
///
/// The handler's second argument is cancelled when its message is no longer this worker's, and when a shutdown has
/// waited long enough. A second later the handler is dropped.
///
/// It opens two connections, and opens them again when they are lost, for ever.
///
/// ```no_run
/// # async fn charge(_: &[u8]) -> Result<(), std::io::Error> { Ok(()) }
/// # async fn run() -> redis_mq::Result<()> {
/// use redis_mq::Worker;
///
/// let redis = redis::Client::open("redis://127.0.0.1:6379")?;
/// let worker = Worker::new(redis, "orders", |message, _cancelled| async move {
///     charge(&message.payload).await?;
///     Ok(())
/// });
/// worker.concurrency(16).run().await?; // until SIGTERM or Ctrl-C
/// # Ok(()) }
/// ```
pub struct Worker<S> {
    source: Arc<S>,
    handler: Next,
    options: Options,
}

impl<S: Source> Worker<S> {
    /// A worker for these queues, which are served in this order.
    pub fn new<F, R>(source: S, queues: impl Into<Queues>, handler: F) -> Self
    where
        F: Fn(Message, CancellationToken) -> R + Send + Sync + 'static,
        R: Future<Output = std::result::Result<(), HandlerError>> + Send + 'static,
    {
        let host = gethostname::gethostname();
        Self {
            source: Arc::new(source),
            handler: Next::new(handler),
            options: Options {
                queues: queues.into().0,
                concurrency: 10,
                prefetch: 0,
                visibility: Duration::from_secs(30),
                disconnect_grace: Some(Duration::from_secs(5)),
                max_processing: None,
                grace: Duration::from_secs(25),
                block: Duration::from_secs(5),
                ack_delay: Duration::from_millis(50),
                consumer: format!("{}:{}", host.to_string_lossy(), std::process::id()),
            },
        }
    }

    /// How many messages are in work at once, 1 to 10,000. Default: 10.
    #[must_use]
    pub fn concurrency(mut self, number: usize) -> Self {
        self.options.concurrency = number;
        self
    }

    /// How many messages are held in advance, beside those in work: for handlers of a few milliseconds or less, where
    /// the round trip counts. Others can't have them meanwhile, so leave it at 0 where handlers are slow. With
    /// [`concurrency`](Self::concurrency) 10,000 at most. Default: 0.
    #[must_use]
    pub fn prefetch(mut self, number: usize) -> Self {
        self.options.prefetch = number;
        self
    }

    /// For how long a delivery is hidden from others. It is extended while its handler runs. Default: 30 s.
    #[must_use]
    pub fn visibility(mut self, visibility: Duration) -> Self {
        self.options.visibility = visibility;
        self
    }

    /// How long after the loss of this worker its messages come back: one that was killed, or whose host is gone. A
    /// worker that lives keeps them. `None`, or what is not shorter than the visibility: when that ends. Default: 5 s.
    #[must_use]
    pub fn disconnect_grace(mut self, grace: impl Into<Option<Duration>>) -> Self {
        self.options.disconnect_grace = grace.into();
        self
    }

    /// After this time a message is no longer extended, and its handler is cancelled when its visibility has ended.
    /// Default: none.
    #[must_use]
    pub fn max_processing(mut self, limit: Duration) -> Self {
        self.options.max_processing = Some(limit.min(YEAR));
        self
    }

    /// How long a shutdown waits for handlers. Default: 25 s.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.options.grace = grace.min(YEAR);
        self
    }

    /// The longest wait of one pull. Default: 5 s.
    #[must_use]
    pub fn block(mut self, longest: Duration) -> Self {
        self.options.block = longest;
        self
    }

    /// The longest time for which an acknowledgment waits for the next pull. Default: 50 ms.
    #[must_use]
    pub fn ack_delay(mut self, longest: Duration) -> Self {
        self.options.ack_delay = longest.min(YEAR);
        self
    }

    /// Who holds the messages, as `peek` shows it. Default: host name and process id.
    #[must_use]
    pub fn consumer(mut self, name: impl Into<String>) -> Self {
        self.options.consumer = name.into();
        self
    }

    /// Puts a function around the handler, and around the middleware so far. What it returns counts as the handler's.
    ///
    /// ```no_run
    /// # fn example(worker: redis_mq::Worker<redis::Client>) {
    /// worker.middleware(|message, cancelled, next| async move {
    ///     let start = std::time::Instant::now();
    ///     let id = message.id.clone();
    ///     let result = next.run(message, cancelled).await;
    ///     println!("{id}: {:?}", start.elapsed());
    ///     result
    /// });
    /// # }
    /// ```
    #[must_use]
    pub fn middleware<F, R>(mut self, around: F) -> Self
    where
        F: Fn(Message, CancellationToken, Next) -> R + Send + Sync + 'static,
        R: Future<Output = std::result::Result<(), HandlerError>> + Send + 'static,
    {
        let next = self.handler;
        self.handler =
            Next::new(move |message, cancelled| around(message, cancelled, next.clone()));
        self
    }

    /// Works until SIGTERM or SIGINT (Ctrl-C). Then it pulls no more, waits for the handlers, cancels those that take
    /// longer than [`grace`](Self::grace), and gives their messages back. A second signal ends the process at once.
    ///
    /// # Errors
    /// What does not pass by itself, after the same end: a wrong password, a server without the module.
    pub async fn run(&self) -> Result<()> {
        self.run_until(signals::first()).await
    }

    /// The same until a future is ready, `token.cancelled()` for example. Leaves signals alone.
    ///
    /// If this is dropped, handlers are too, and their messages come back after the
    /// [`disconnect_grace`](Self::disconnect_grace).
    ///
    /// # Errors
    /// Those of [`run`](Self::run).
    pub async fn run_until(&self, shutdown: impl Future<Output = ()> + Send) -> Result<()> {
        self.start(None, shutdown).await
    }

    /// The same until no queue has a message that is ready, in flight or delayed for less than `soon`. Leaves signals
    /// alone.
    ///
    /// # Errors
    /// Those of [`run`](Self::run).
    pub async fn run_until_empty(&self, soon: Duration) -> Result<()> {
        self.start(Some(soon), std::future::pending()).await
    }

    async fn start(
        &self,
        until_empty: Option<Duration>,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<()> {
        let Options { queues, concurrency, prefetch, visibility, block, .. } = &self.options;
        let lengths = Duration::from_millis(1)..=YEAR;
        if queues.is_empty() || !(1..=10_000).contains(concurrency) {
            return Err(Error::invalid("a worker needs a queue, and a concurrency of 1 to 10,000"));
        }
        if *prefetch > 10_000 - concurrency {
            return Err(Error::invalid("concurrency and prefetch are 10,000 together at most"));
        }
        if !lengths.contains(visibility) || !lengths.contains(block) {
            return Err(Error::invalid("visibility and block are 1 millisecond to 365 days"));
        }
        let run = Run::new(&self.source, self.handler.clone(), self.options.clone(), until_empty);
        // In a task of its own, which handlers and replies wake without leaving their thread: that of `main` is none
        // of the runtime's. It ends with this future.
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(together(run.until(stop.clone().cancelled_owned())).in_current_span());
        let ended = tokio::select! {
            ended = running.join_next() => ended,
            () = shutdown => {
                stop.cancel();
                running.join_next().await
            }
        };
        match ended {
            Some(Ok(result)) => result,
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            None => Ok(()),
        }
    }
}

impl<S> fmt::Debug for Worker<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("options", &self.options).finish_non_exhaustive()
    }
}
