//! What a run says to the server beside its pulls, each thing until it is answered.

use super::handler::HandlerError;
use super::in_work::Work;
use super::link::Link;
use super::source::Source;
use crate::backoff::Backoff;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::message::{Delivery, Extended, Outcome, State};
use std::collections::HashMap;
use std::time::{Duration, SystemTime};
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep};

const LONGEST_REASON: usize = 1024;

/// What came of it.
#[derive(Debug)]
pub enum Said {
    Extended(Extension),
    /// Whether the queues are empty.
    Empty(bool),
    /// The server refuses, and that does not pass by itself.
    Refused(Error),
    Done,
}

/// Messages that were extended at a time, or why they are not this worker's any more.
#[derive(Debug)]
pub struct Extension {
    pub sent: Instant,
    pub results: HashMap<Delivery, Result<(), &'static str>>,
}

pub struct Saying<S: Source> {
    client: Client<Link<S>>,
    tasks: JoinSet<Said>,
    extending: Option<Id>,
    returning: Vec<Id>,
}

impl<S: Source> Saying<S> {
    pub fn new(client: Client<Link<S>>) -> Self {
        Self { client, tasks: JoinSet::new(), extending: None, returning: Vec::new() }
    }

    /// The next thing that is said; `None` if there is nothing to say.
    pub async fn next(&mut self) -> Option<Said> {
        let (task, said) = match self.tasks.join_next_with_id().await? {
            Ok((task, said)) => (task, said),
            Err(error) => (error.id(), Said::Done),
        };
        self.returning.retain(|returning| *returning != task);
        self.extending.take_if(|extending| *extending == task);
        Some(said)
    }

    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// How many messages are being given back by their handlers.
    pub fn returns(&self) -> usize {
        self.returning.len()
    }

    pub fn acknowledge(&mut self, deliveries: Vec<Delivery>) {
        for batch in by_queue(deliveries) {
            let client = self.client.clone();
            self.tasks.spawn(async move {
                match insist(|| client.ack_many(&batch).into_future()).await {
                    Ok(outcomes) => log_late(&batch, &outcomes),
                    Err(error) => return Said::Refused(error),
                }
                Said::Done
            });
        }
    }

    /// Outcomes that came with a pull.
    pub fn acknowledged(&self, deliveries: &[Delivery], outcomes: &[Outcome]) {
        log_late(deliveries, outcomes);
    }

    /// Others get these at once, in their original order, and no retry is counted.
    pub fn release(&mut self, deliveries: Vec<Delivery>) {
        for batch in by_queue(deliveries) {
            let client = self.client.clone();
            self.tasks.spawn(async move {
                match insist(|| client.nack_many(&batch).no_count().front().into_future()).await {
                    Ok(_) => Said::Done,
                    Err(error) => Said::Refused(error),
                }
            });
        }
    }

    pub fn give_back(&mut self, work: Work, why: HandlerError) {
        let client = self.client.clone();
        let task = self.tasks.spawn(async move {
            log_return(&work, &why);
            match insist(|| nack(&client, &work, &why)).await {
                Ok(()) | Err(Error::MessageNotFound(_) | Error::InvalidReceipt(_)) => {}
                Err(error) => log_refusal(&work, &error),
            }
            Said::Done
        });
        self.returning.push(task.id());
    }

    /// Extends messages, unless that is being said already.
    pub fn extend(&mut self, deliveries: Vec<Delivery>, visibility: Duration) {
        if self.extending.is_some() || deliveries.is_empty() {
            return;
        }
        let client = self.client.clone();
        let task = self.tasks.spawn(async move {
            let mut results = HashMap::with_capacity(deliveries.len());
            let sent = Instant::now();
            for batch in by_queue(deliveries) {
                let extend = || client.extend_many(&batch).visibility(visibility).into_future();
                match insist(extend).await {
                    Ok(answers) => {
                        results.extend(batch.into_iter().zip(answers.into_iter().map(held_or_why)))
                    }
                    Err(error) => return Said::Refused(error),
                }
            }
            Said::Extended(Extension { sent, results })
        });
        self.extending = Some(task.id());
    }

    pub fn unblock(&mut self, id: i64) {
        let mut connection = self.client.connection().clone();
        self.tasks.spawn(async move {
            let reply =
                redis::cmd("CLIENT").arg("UNBLOCK").arg(id).exec_async(&mut connection).await;
            if let Err(error) = reply {
                tracing::warn!(%error, "the waiting pull can't be ended yet");
            }
            Said::Done
        });
    }

    /// Asks whether no queue has a message that is ready, in flight or delayed for less than `soon`.
    pub fn ask_whether_empty(&mut self, queues: &[String], soon: Duration) {
        let (client, queues) = (self.client.clone(), queues.to_vec());
        self.tasks.spawn(async move {
            for queue in queues {
                match is_empty(&client, &queue, soon).await {
                    Ok(true) => {}
                    Ok(false) => return Said::Empty(false),
                    Err(error) if error.is_temporary() => return Said::Empty(false),
                    Err(error) => return Said::Refused(error),
                }
            }
            Said::Empty(true)
        });
    }
}

async fn is_empty<S: Source>(
    client: &Client<Link<S>>,
    queue: &str,
    soon: Duration,
) -> Result<bool> {
    let info = client.info(queue).await?;
    if info.ready + info.inflight > 0 {
        return Ok(false);
    }
    let delayed = client.peek(queue).state(State::Delayed).count(1).await?;
    let end = SystemTime::now().checked_add(soon);
    let is_soon = |moment| end.is_none_or(|end| moment < end);
    Ok(!delayed.first().and_then(|message| message.due_at).is_some_and(is_soon))
}

async fn nack<S: Source>(client: &Client<Link<S>>, work: &Work, why: &HandlerError) -> Result<()> {
    let nack = client.nack(&work.delivery);
    match why {
        HandlerError::Failed(error) => nack.reason(&reason(&error.to_string())).await,
        HandlerError::Release => nack.no_count().await,
        HandlerError::Retry { after, reason: text } => {
            let nack = match after {
                Some(after) => nack.delay(*after),
                None => nack,
            };
            nack.reason(&reason(text.as_deref().unwrap_or("retry"))).await
        }
        HandlerError::Dead { reason: text } => {
            let nack = if work.has_died { nack } else { nack.dead() };
            nack.reason(&reason(text.as_deref().unwrap_or("dead"))).await
        }
    }
}

/// As much as the server keeps.
fn reason(text: &str) -> String {
    text.chars().take(LONGEST_REASON).collect()
}

fn held_or_why(answer: Extended) -> Result<(), &'static str> {
    match answer {
        Extended::Until(_) => Ok(()),
        Extended::NotFound => Err("its message is gone"),
        Extended::InvalidReceipt => Err("another consumer has its message"),
    }
}

/// Repeats what fails for a time. Returns what does not pass by itself.
async fn insist<T, A: Future<Output = Result<T>>>(attempt: impl Fn() -> A) -> Result<T> {
    let mut backoff = Backoff::default();
    loop {
        match attempt().await {
            Err(error) if error.is_temporary() => {
                tracing::warn!(%error, "will be said again");
                sleep(backoff.next()).await;
            }
            answer => return answer,
        }
    }
}

fn by_queue(deliveries: Vec<Delivery>) -> Vec<Vec<Delivery>> {
    let mut batches: Vec<Vec<Delivery>> = Vec::new();
    for delivery in deliveries {
        match batches.iter_mut().find(|batch| batch[0].queue == delivery.queue) {
            Some(batch) => batch.push(delivery),
            None => batches.push(vec![delivery]),
        }
    }
    batches
}

/// Refused acknowledgments were too late, or repeated.
fn log_late(deliveries: &[Delivery], outcomes: &[Outcome]) {
    for (Delivery { queue, id, .. }, outcome) in deliveries.iter().zip(outcomes) {
        if *outcome != Outcome::Done {
            tracing::info!(queue, id, ?outcome, "acknowledged too late, or twice");
        }
    }
}

/// The message comes back when its visibility ends.
fn log_refusal(work: &Work, error: &Error) {
    let Delivery { queue, id, .. } = &work.delivery;
    tracing::error!(queue, id, retry_count = work.retry_count, %error, "can't be given back");
}

fn log_return(work: &Work, why: &HandlerError) {
    let Delivery { queue, id, .. } = &work.delivery;
    let retry_count = work.retry_count;
    match why {
        HandlerError::Failed(error) => tracing::warn!(queue, id, retry_count, %error, "failed"),
        HandlerError::Dead { reason } => tracing::error!(queue, id, retry_count, reason, "dead"),
        HandlerError::Retry { reason, .. } => {
            tracing::info!(queue, id, retry_count, reason, "to be retried");
        }
        HandlerError::Release => tracing::info!(queue, id, retry_count, "released"),
    }
}
