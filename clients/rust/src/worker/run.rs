//! One run of a worker: pulls messages, starts handlers, says what became of them, and ends in order.
//!
//! One task owns all of this. Pulls, handlers, and what is said to the server are futures that it waits for.

use super::handler::{HandlerError, Next};
use super::in_work::{Held, InWork};
use super::link::Link;
use super::saying::{Said, Saying};
use super::{Options, Source};
use crate::backoff::Backoff;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::message::{Acked, Delivery, Message};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// A connection without a reply for so long counts as lost; a pull may also wait.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How long a pull waits, at most, where the run ends when the queues are empty.
const GLANCE: Duration = Duration::from_millis(100);
/// How long handlers have that were cancelled.
const CLEANUP: Duration = Duration::from_secs(1);
/// How long the end waits for a server that may be away.
const LAST_WORDS: Duration = Duration::from_secs(5);

type Pulling = Pin<Box<dyn Future<Output = Result<Acked<Vec<Message>>>> + Send>>;

/// How far a run is. Each phase of its end takes so long at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Working,
    /// No more is pulled, handlers have the grace time.
    Stopping,
    /// Handlers are cancelled, and may clean up.
    Cancelling,
    /// What is left is given back.
    Closing,
    Over,
}

pub struct Run<S: Source> {
    options: Arc<Options>,
    handler: Next,
    /// Ends when nothing is ready, in flight or delayed for less than this.
    until_empty: Option<Duration>,
    waiting: Link<S>,
    puller: Client<Link<S>>,
    pulling: Option<Pulling>,
    /// What is acknowledged with the pull that is on its way.
    acking: Vec<Delivery>,
    /// What is acknowledged with the next one.
    done: Vec<Delivery>,
    handlers: JoinSet<Result<(), HandlerError>>,
    in_work: InWork,
    saying: Saying<S>,
    phase: Phase,
    failure: Option<Error>,
    backoff: Backoff,
    timers: Timers,
}

/// When something is to be done.
#[derive(Debug)]
struct Timers {
    pull: Instant,
    beat: Instant,
    acknowledge: Option<Instant>,
    unblock: Option<Instant>,
    phase_ends: Option<Instant>,
}

impl Timers {
    fn next(&self) -> Instant {
        let others = [self.acknowledge, self.unblock, self.phase_ends];
        others.into_iter().flatten().fold(self.beat, Instant::min)
    }
}

impl<S: Source> Run<S> {
    pub fn new(
        source: &Arc<S>,
        handler: Next,
        options: Options,
        until_empty: Option<Duration>,
    ) -> Self {
        let queue = options.queues.first().map_or("", String::as_str);
        let waiting = Link::new(Arc::clone(source), queue, options.block + ANSWER_WITHIN);
        let shared = Link::new(Arc::clone(source), queue, ANSWER_WITHIN);
        let now = Instant::now();
        Self {
            handler,
            until_empty,
            puller: Client::new(waiting.clone()),
            waiting,
            pulling: None,
            acking: Vec::new(),
            done: Vec::new(),
            handlers: JoinSet::new(),
            in_work: InWork::default(),
            saying: Saying::new(Client::new(shared)),
            phase: Phase::Working,
            failure: None,
            backoff: Backoff::default(),
            timers: Timers {
                pull: now,
                beat: now + options.heartbeat(),
                acknowledge: None,
                unblock: None,
                phase_ends: None,
            },
            options: Arc::new(options),
        }
    }

    pub async fn until(mut self, shutdown: impl Future<Output = ()> + Send) -> Result<()> {
        let mut shutdown = pin!(shutdown);
        while !self.is_over() {
            self.use_held();
            self.pull_if_there_is_room().await;
            tokio::select! {
                () = &mut shutdown, if self.phase == Phase::Working => self.stop(),
                reply = next(&mut self.pulling) => self.pulled(reply),
                Some(ended) = self.handlers.join_next_with_id() => self.ended(ended),
                Some(said) = self.saying.next() => self.heard(said),
                () = sleep_until(self.timers.pull), if self.wants_to_pull() => {}
                () = sleep_until(self.timers.next()) => self.on_time(),
            }
        }
        self.failure.map_or(Ok(()), Err)
    }

    // Pulling

    /// How many handlers are free.
    fn free(&self) -> usize {
        let busy = self.in_work.begun() + self.saying.returns();
        self.options.concurrency.saturating_sub(busy)
    }

    /// How many messages are pulled.
    fn room(&self) -> usize {
        (self.free() + self.options.prefetch).saturating_sub(self.in_work.held())
    }

    fn wants_to_pull(&self) -> bool {
        self.phase == Phase::Working && self.pulling.is_none() && self.room() > 0
    }

    async fn pull_if_there_is_room(&mut self) {
        if !self.wants_to_pull() || Instant::now() < self.timers.pull {
            return;
        }
        // Handlers that end together are acknowledged together.
        if self.in_work.begun() > 0 {
            tokio::task::yield_now().await;
        }
        while let Some(ended) = self.handlers.try_join_next_with_id() {
            self.ended(ended);
        }
        self.use_held();
        let (client, room) = (self.puller.clone(), self.room());
        let options = Arc::clone(&self.options);
        let block = self.until_empty.map_or(options.block, |_| options.block.min(GLANCE));
        if options.queues.len() == 1 {
            self.acking = std::mem::take(&mut self.done);
            self.timers.acknowledge = None;
        } else {
            self.acknowledge(); // MQ.MPULL acknowledges nothing
        }
        let acking = self.acking.clone();
        self.pulling = Some(Box::pin(async move {
            let pull = client
                .pull_many(options.queues.clone(), room)
                .visibility(options.visibility)
                .block(block)
                .consumer(&options.consumer);
            let pull = match options.return_after() {
                Some(grace) => pull.on_disconnect().grace(grace),
                None => pull,
            };
            if options.queues.len() == 1 {
                return pull.ack(&acking).await;
            }
            Ok(Acked { acked: Vec::new(), pulled: pull.await? })
        }));
    }

    fn pulled(&mut self, reply: Result<Acked<Vec<Message>>>) {
        self.pulling = None;
        let acking = std::mem::take(&mut self.acking);
        match reply {
            Ok(reply) => {
                self.backoff.reset();
                self.saying.acknowledged(&acking, &reply.acked);
                self.arrived(reply.pulled);
            }
            Err(error) => {
                self.put_back(acking);
                self.pull_failed(error);
            }
        }
    }

    fn pull_failed(&mut self, error: Error) {
        if self.waiting.id().is_none() {
            self.timers.beat = Instant::now(); // the connection has ended, its messages are about to come back
        }
        match &error {
            // The record was set aside, the message behind it is next.
            Error::Corrupt(_) => tracing::error!(%error, "a record was set aside"),
            Error::Redis(redis) if redis.code() == Some("UNBLOCKED") => {}
            _ if error.is_temporary() => {
                tracing::warn!(%error, "will pull again");
                self.timers.pull = Instant::now() + self.backoff.next();
            }
            _ => self.fail(error),
        }
    }

    fn arrived(&mut self, messages: Vec<Message>) {
        let is_idle = messages.is_empty()
            && self.in_work.is_empty()
            && self.saying.returns() == 0
            && self.done.is_empty();
        if let (true, Phase::Working, Some(soon)) = (is_idle, self.phase, self.until_empty) {
            self.saying.ask_whether_empty(&self.options.queues, soon);
        }
        self.in_work.hold(messages, self.options.visibility);
    }

    // Handlers

    /// Begins what is held, as far as there are free handlers. At the end it goes back, but not while a pull waits,
    /// which would take it again.
    fn use_held(&mut self) {
        if self.phase == Phase::Working {
            while self.free() > 0
                && let Some(held) = self.in_work.next_held()
            {
                self.begin(held);
            }
        } else if self.pulling.is_none() {
            self.saying.release(self.in_work.take_held());
        }
    }

    fn begin(&mut self, Held { message, work }: Held) {
        let span = tracing::info_span!(
            "message",
            queue = message.queue,
            id = message.id,
            retry_count = message.retry_count
        );
        let handling = handled(self.handler.clone(), message, work.cancelled.clone());
        let task = self.handlers.spawn(handling.instrument(span));
        self.in_work.insert(task.id(), work);
    }

    fn ended(&mut self, ended: Result<(Id, Result<(), HandlerError>), JoinError>) {
        let (task, result) = match ended {
            Ok(ended) => ended,
            Err(error) => (error.id(), Err(HandlerError::from("the handler panicked"))),
        };
        let Some(work) = self.in_work.remove(task).filter(|work| !work.is_lost) else { return };
        match result {
            Ok(()) => {
                self.done.push(work.delivery);
                self.acknowledge_soon(self.options.ack_delay);
            }
            Err(HandlerError::Failed(_) | HandlerError::Release)
                if work.cancelled.is_cancelled() =>
            {
                self.saying.release(vec![work.delivery]);
            }
            Err(error) => self.saying.give_back(work, error),
        }
    }

    // Saying

    fn acknowledge_soon(&mut self, delay: Duration) {
        let delay = if self.phase == Phase::Working { delay } else { Duration::ZERO };
        self.timers.acknowledge.get_or_insert(Instant::now() + delay);
    }

    fn acknowledge(&mut self) {
        self.timers.acknowledge = None;
        self.saying.acknowledge(std::mem::take(&mut self.done));
    }

    fn put_back(&mut self, acking: Vec<Delivery>) {
        if !acking.is_empty() {
            self.done.extend(acking);
            self.acknowledge_soon(self.options.ack_delay);
        }
    }

    fn heard(&mut self, said: Said) {
        match said {
            Said::Extended(extension) => {
                self.in_work.extended(&extension, self.options.visibility);
            }
            Said::Empty(true) => self.stop(),
            Said::Refused(error) => self.fail(error),
            Said::Empty(false) | Said::Done => {}
        }
    }

    fn fail(&mut self, error: Error) {
        tracing::error!(%error, "the worker ends");
        self.failure.get_or_insert(error);
        self.stop();
    }

    // Time

    fn on_time(&mut self) {
        let now = Instant::now();
        let is_due = |moment: Option<Instant>| moment.is_some_and(|moment| moment <= now);
        if self.timers.beat <= now {
            self.timers.beat = now + self.options.heartbeat();
            let extendable = self.in_work.extendable(self.options.max_processing);
            self.saying.extend(extendable, self.options.visibility);
        }
        if is_due(self.timers.acknowledge) {
            self.acknowledge();
        }
        if is_due(self.timers.unblock) {
            self.unblock();
        }
        if is_due(self.timers.phase_ends) {
            self.end_phase();
        }
    }

    // The end

    fn stop(&mut self) {
        if self.phase == Phase::Working {
            tracing::info!("stops");
            self.enter(Phase::Stopping, self.options.grace);
            self.acknowledge();
            self.backoff.reset();
            self.unblock();
        }
    }

    /// Ends the waiting pull. It may have been on its way when it was to be ended, so this is repeated.
    fn unblock(&mut self) {
        self.timers.unblock = None;
        if self.pulling.is_none() {
            return;
        }
        match self.waiting.id() {
            Some(id) => {
                self.saying.unblock(id);
                self.timers.unblock = Some(Instant::now() + self.backoff.next());
            }
            None => self.drop_pull(), // it could not be sent yet
        }
    }

    fn drop_pull(&mut self) {
        self.pulling = None;
        let acking = std::mem::take(&mut self.acking);
        self.put_back(acking);
    }

    fn enter(&mut self, phase: Phase, length: Duration) {
        self.phase = phase;
        self.timers.phase_ends = Some(Instant::now() + length);
    }

    fn end_phase(&mut self) {
        match self.phase {
            Phase::Working => {}
            Phase::Stopping => {
                self.drop_pull();
                self.in_work.cancel_all();
                self.enter(Phase::Cancelling, CLEANUP + CLEANUP / 10);
            }
            Phase::Cancelling => {
                self.handlers.abort_all();
                let left = self.in_work.take_begun();
                self.saying.release(left);
                self.enter(Phase::Closing, LAST_WORDS);
            }
            Phase::Closing | Phase::Over => {
                tracing::error!("the server did not take the end of the run, the rest comes back");
                self.phase = Phase::Over;
            }
        }
    }

    fn is_over(&self) -> bool {
        let is_idle = self.pulling.is_none()
            && self.in_work.is_empty()
            && self.done.is_empty()
            && self.saying.is_empty();
        self.phase == Phase::Over || (self.phase != Phase::Working && is_idle)
    }
}

/// The handler's result; once it is cancelled it has a moment for that.
async fn handled(
    handler: Next,
    message: Message,
    cancelled: CancellationToken,
) -> Result<(), HandlerError> {
    let late = async {
        cancelled.cancelled().await;
        sleep(CLEANUP).await;
    };
    tokio::select! {
        result = handler.run(message, cancelled.clone()) => result,
        () = late => Err("cancelled".into()),
    }
}

async fn next(pulling: &mut Option<Pulling>) -> Result<Acked<Vec<Message>>> {
    match pulling {
        Some(pulling) => pulling.await,
        None => std::future::pending().await,
    }
}
