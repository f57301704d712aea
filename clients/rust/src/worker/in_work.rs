//! The messages in work.

use crate::message::{Delivery, Message};
use std::collections::HashMap;
use std::time::Duration;
use tokio::task::Id;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What is kept of a message while its handler has it.
#[derive(Clone, Debug)]
pub struct Work {
    pub delivery: Delivery,
    pub retry_count: u32,
    /// It is a dead letter, and can't die again.
    pub has_died: bool,
    pub cancelled: CancellationToken,
    pub visible_until: Instant,
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

/// The messages in work, by the task of their handler.
#[derive(Debug, Default)]
pub struct InWork(HashMap<Id, Work>);

impl InWork {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn insert(&mut self, task: Id, work: Work) {
        self.0.insert(task, work);
    }

    pub fn remove(&mut self, task: Id) -> Option<Work> {
        self.0.remove(&task)
    }

    pub fn get_mut(&mut self, task: Id) -> Option<&mut Work> {
        self.0.get_mut(&task)
    }

    pub fn cancel_all(&self) {
        self.0.values().for_each(|work| work.cancelled.cancel());
    }

    /// Takes all out; returns those that are still this worker's.
    pub fn take_held(&mut self) -> Vec<Delivery> {
        self.0.drain().filter(|(_, work)| !work.is_lost).map(|(_, work)| work.delivery).collect()
    }

    /// What is extended. Handlers that have had their time are lost when their visibility has ended.
    pub fn extendable(&mut self, max_processing: Option<Duration>) -> Vec<(Id, Delivery)> {
        let now = Instant::now();
        let mut held = Vec::new();
        for (task, work) in self.0.iter_mut().filter(|(_, work)| !work.is_lost) {
            if max_processing.is_none_or(|limit| now < work.since + limit) {
                held.push((*task, work.delivery.clone()));
            } else if now >= work.visible_until {
                work.lose("it took longer than max_processing");
            }
        }
        held
    }
}
