//! What the clients of a load did and were told, each with the moments before and after the call.
//! Knows no rule; what must hold is in `checks`.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

/// Which message: unique in a load, rising for each producer.
pub type Tag = u64;

/// When something happened: unix time in microseconds. The server did it in between.
#[derive(Clone, Copy, Debug)]
pub struct During {
    pub began_us: u64,
    pub ended_us: u64,
}

impl During {
    /// Surely over before that began.
    pub fn is_before(&self, other: &During) -> bool {
        self.ended_us < other.began_us
    }

    pub fn ended_ms(&self) -> i64 {
        i64::try_from(self.ended_us / 1000).expect("a timestamp")
    }
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Done,
    /// An error, or 0 or -1 in a list: nothing was done.
    Refused(String),
    /// The connection broke, or the reply took too long.
    Nothing,
}

/// Who must not forget a thing any more once its client was told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Whoever is the master after a fault.
    Surely,
    /// A fault may undo it.
    Perhaps,
}

#[derive(Clone, Debug)]
pub struct Push {
    pub tag: Tag,
    /// As the reply said.
    pub id: Option<String>,
    pub group: Option<String>,
    pub when: During,
    pub told: Told,
    pub kept: Kept,
}

#[derive(Clone, Debug)]
pub struct Delivery {
    pub tag: Tag,
    pub id: String,
    pub receipt: String,
    pub retry_count: i64,
    pub until_ms: i64,
    /// Why and after how many retries it had died, if it came from the dead-letter queue.
    pub death: Option<(String, i64)>,
    pub when: During,
    pub kept: Kept,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Acknowledge,
    Nack,
    NackUncounted,
    Reject,
    Extend,
    /// Its connection, which pulled it with ONDISCONNECT, was closed.
    HangUp,
}

/// Something that was done with a delivery.
#[derive(Clone, Debug)]
pub struct Settlement {
    pub tag: Tag,
    pub receipt: String,
    pub how: How,
    pub when: During,
    pub told: Told,
    pub kept: Kept,
}

/// The message of a tick, each time that it was delivered.
#[derive(Clone, Debug)]
pub struct Tick {
    pub schedule: String,
    /// Unix ms.
    pub at_ms: i64,
    /// For how many others it stands.
    pub missed: i64,
    pub id: String,
    pub when: During,
    pub kept: Kept,
}

#[derive(Clone, Debug, Default)]
pub struct Entries {
    pub pushes: Vec<Push>,
    pub deliveries: Vec<Delivery>,
    pub settlements: Vec<Settlement>,
    pub ticks: Vec<Tick>,
    /// How many ticks of a schedule have no message.
    pub skipped: BTreeMap<String, i64>,
    /// Faults, and pulls that were never answered: in these times more may have happened than the
    /// journal knows.
    pub disturbances: Vec<During>,
}

/// Written by all clients of a load.
#[derive(Default)]
pub struct Journal(Mutex<Entries>);

impl Journal {
    pub fn write(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().expect("the journal")
    }
}

impl Entries {
    /// A crash lost all that came after this moment.
    pub fn undo_since(&mut self, moment_us: u64) {
        let is_lost = |when: &During| when.ended_us > moment_us;
        self.pushes.iter_mut().filter(|x| is_lost(&x.when)).for_each(|x| x.kept = Kept::Perhaps);
        self.deliveries
            .iter_mut()
            .filter(|x| is_lost(&x.when))
            .for_each(|x| x.kept = Kept::Perhaps);
        self.settlements
            .iter_mut()
            .filter(|x| is_lost(&x.when))
            .for_each(|x| x.kept = Kept::Perhaps);
        self.ticks.iter_mut().filter(|x| is_lost(&x.when)).for_each(|x| x.kept = Kept::Perhaps);
    }

    /// Nothing happened in between that the journal doesn't know.
    pub fn is_calm(&self, from: &During, to: &During) -> bool {
        !self.disturbances.iter().any(|disturbance| {
            disturbance.began_us <= to.ended_us && disturbance.ended_us >= from.began_us
        })
    }
}
