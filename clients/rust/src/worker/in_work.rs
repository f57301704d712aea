//! The messages of a worker: those in work, and those held until a handler is free.

use super::saying::Extension;
use crate::message::{Delivery, Message};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use tokio::task::Id;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What is kept of a message while it is this worker's.
#[derive(Clone, Debug)]
pub struct Work {
    pub delivery: Delivery,
    pub retry_count: u32,
    /// It is a dead letter, and can't die again.
    pub has_died: bool,
    pub cancelled: CancellationToken,
    pub visible_until: Instant,
    /// Since when its handler has it.
    since: Instant,
    /// It is no longer this worker's: nothing more is said for it.
    pub is_lost: bool,
}

impl Work {
    pub fn new(message: &Message, visibility: Duration) -> Self {
        let now = Instant::now();
        Self {
            delivery: Delivery {
                queue: message.queue.clone(),
                id: message.id.clone(),
                receipt: message.receipt.clone().unwrap_or_default(),
            },
            retry_count: message.retry_count,
            has_died: message.death.is_some(),
            cancelled: CancellationToken::new(),
            visible_until: now + visibility,
            since: now,
            is_lost: false,
        }
    }

    /// It is no longer this worker's.
    pub fn lose(&mut self, why: &str) {
        let Delivery { queue, id, .. } = &self.delivery;
        tracing::warn!(queue, id, retry_count = self.retry_count, "cancelled: {why}");
        self.is_lost = true;
        self.cancelled.cancel();
    }
}

/// A message whose handler has not begun.
#[derive(Debug)]
pub struct Held {
    pub message: Message,
    pub work: Work,
}

impl Held {
    pub fn new(message: Message, visibility: Duration) -> Self {
        Self { work: Work::new(&message, visibility), message }
    }
}

/// The messages in work, by the task of their handler, and those held, in the order of their arrival.
#[derive(Debug, Default)]
pub struct InWork {
    begun: HashMap<Id, Work>,
    held: VecDeque<Held>,
}

impl InWork {
    pub fn is_empty(&self) -> bool {
        self.begun.is_empty() && self.held.is_empty()
    }

    /// How many handlers are at work.
    pub fn begun(&self) -> usize {
        self.begun.len()
    }

    pub fn held(&self) -> usize {
        self.held.len()
    }

    pub fn hold(&mut self, messages: Vec<Message>, visibility: Duration) {
        self.held.extend(messages.into_iter().map(|message| Held::new(message, visibility)));
    }

    /// The next one to begin. Those that others may have by now are dropped.
    pub fn next_held(&mut self) -> Option<Held> {
        let now = Instant::now();
        std::iter::from_fn(|| self.held.pop_front()).find(|held| now < held.work.visible_until)
    }

    /// Takes all out that have not begun.
    pub fn take_held(&mut self) -> Vec<Delivery> {
        self.held.drain(..).map(|held| held.work.delivery).collect()
    }

    pub fn insert(&mut self, task: Id, work: Work) {
        self.begun.insert(task, Work { since: Instant::now(), ..work });
    }

    pub fn remove(&mut self, task: Id) -> Option<Work> {
        self.begun.remove(&task)
    }

    pub fn cancel_all(&self) {
        self.begun.values().for_each(|work| work.cancelled.cancel());
    }

    /// Takes all out that have begun; returns those that are still this worker's.
    pub fn take_begun(&mut self) -> Vec<Delivery> {
        self.begun
            .drain()
            .filter(|(_, work)| !work.is_lost)
            .map(|(_, work)| work.delivery)
            .collect()
    }

    /// What is extended. Handlers that have had their time are lost when their visibility has ended.
    pub fn extendable(&mut self, max_processing: Option<Duration>) -> Vec<Delivery> {
        let now = Instant::now();
        let mut extendable: Vec<_> =
            self.held.iter().map(|held| held.work.delivery.clone()).collect();
        for work in self.begun.values_mut().filter(|work| !work.is_lost) {
            if max_processing.is_none_or(|limit| now < work.since + limit) {
                extendable.push(work.delivery.clone());
            } else if now >= work.visible_until {
                work.lose("it took longer than max_processing");
            }
        }
        extendable
    }

    /// Takes note of what was extended, and loses what was refused.
    pub fn extended(&mut self, extension: &Extension, visibility: Duration) {
        let visible_until = extension.sent + visibility;
        let refusal = |work: &mut Work| match extension.results.get(&work.delivery)? {
            Ok(()) => {
                work.visible_until = visible_until;
                None
            }
            Err(why) => Some(*why),
        };
        self.held.retain_mut(|held| refusal(&mut held.work).is_none());
        for work in self.begun.values_mut().filter(|work| !work.is_lost) {
            if let Some(why) = refusal(work) {
                work.lose(why);
            }
        }
    }
}
