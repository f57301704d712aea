//! MQ.CHECK of a large queue, while others have their turn: the timer copies what is stored of the queue
//! a little at a time, then another thread looks at the copy.
//!
//! That thread has nothing but the copy: it calls nothing of the server's but its allocator. One check is
//! under way at a time.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::thread::{Builder, JoinHandle};

use crate::execute::open;
use crate::index::Entry;
use crate::queue::finding::Finding;
use crate::queue::part::{Kind, Part};
use crate::queue::store::Store;
use crate::reply::CommandError;
use crate::server::blocked::BlockedClient;
use crate::server::context::Context;
use crate::server::key::{Access, KeyCursor};
use crate::state;
use crate::store::keyspace::Contents;
use crate::store::mirror::{self, Mirror};
use crate::store::server_keyspace::ServerKeyspace;
use crate::store::{check, record};

/// What was found, and how often.
pub type Findings = Vec<(Finding, u64)>;

/// A queue with so many entries is looked at in one go.
const SMALL: u64 = 1_000;

/// How often a copy is begun anew because somebody else changed the keys; then it is done in one go.
const ATTEMPTS: u32 = 3;

/// How many calls of the server's make one step; each visits a few entries.
const CALLS: usize = 100;

/// How often the timer looks whether the other thread is ready, in milliseconds.
const POLL_MS: u64 = 5;

/// The checks that are asked for, and the one that is under way.
#[derive(Default)]
pub struct State {
    requests: RefCell<VecDeque<Request>>,
    stage: RefCell<Stage>,
    /// Found, and not yet replied.
    answers: RefCell<BTreeMap<u64, Result<Findings, CommandError>>>,
    last_number: Cell<u64>,
}

/// A client that waits for a check.
struct Request {
    number: u64,
    client: BlockedClient,
    entry: Rc<Entry>,
}

/// What is done for the first of the requests.
#[derive(Default)]
enum Stage {
    #[default]
    Idle,
    /// Its queue is copied.
    Reading(Reading),
    /// Another thread looks at the copy, for the request of that number.
    Looking(u64, JoinHandle<Findings>),
}

/// Where the copying stands.
struct Reading {
    attempt: u32,
    /// The part that is read, by its place among all.
    part: usize,
    cursor: Option<KeyCursor>,
}

impl Reading {
    fn begin(entry: &Entry, attempt: u32) -> Self {
        discard(mirror::follow(entry.db, entry.queue()));
        Self { attempt, part: 0, cursor: None }
    }
}

/// A large copy takes a while to be freed.
fn discard(copy: Option<Mirror>) {
    if let Some(copy) = copy {
        // Without another thread it is freed at once.
        let _ = Builder::new().spawn(move || drop(copy));
    }
}

/// True if a queue is too large to be looked at in one go. Its parts were required.
pub fn is_large(store: &mut impl Store) -> bool {
    let entries = Part::ALL.iter().fold(0u64, |sum, part| sum.saturating_add(store.len(*part)));
    entries > SMALL
}

/// Lets the client that sent the running command wait until its queue was checked. False if it may not.
pub fn begin(client: Option<BlockedClient>, entry: &Rc<Entry>) -> bool {
    let Some(client) = client else { return false };
    state::with(|state| {
        let number = state.checking.last_number.get().saturating_add(1);
        state.checking.last_number.set(number);
        let request = Request { number, client, entry: entry.clone() };
        state.checking.requests.borrow_mut().push_back(request);
    });
    true
}

/// What was found for a client; it is told once.
pub fn answer(number: u64) -> Option<Result<Findings, CommandError>> {
    state::with(|state| state.checking.answers.borrow_mut().remove(&number))
}

/// A client is gone.
pub fn gone(client: &BlockedClient) {
    state::with(|state| {
        let mut requests = state.checking.requests.borrow_mut();
        let is_first = requests.front().is_some_and(|first| first.client == *client);
        requests.retain(|request| request.client != *client);
        if is_first && matches!(*state.checking.stage.borrow(), Stage::Reading(_)) {
            state.checking.stage.take();
            discard(mirror::take());
        }
    });
}

/// Keys of a queue, or of all (None), were replaced by somebody else: a copy may lack that.
pub fn doubt(state: &state::State, entry: Option<&Rc<Entry>>) {
    let first = state.checking.first();
    let is_other = entry.is_some_and(|entry| {
        first.is_none_or(|(_, first)| first.db != entry.db || first.queue() != entry.queue())
    });
    if let (Stage::Reading(reading), false) = (&mut *state.checking.stage.borrow_mut(), is_other) {
        // No part has this place: what was read is found to be incomplete.
        reading.cursor = None;
        reading.part = usize::MAX;
    }
}

/// When the timer has to go on, in milliseconds; None if no check is under way.
pub fn next_ms(state: &State) -> Option<u64> {
    match &*state.stage.borrow() {
        Stage::Looking(..) => Some(POLL_MS),
        Stage::Reading(_) => Some(0),
        Stage::Idle => (!state.requests.borrow().is_empty()).then_some(0),
    }
}

/// Does a little. False if there is nothing to do now.
pub fn step(context: Context<'_>, state: &state::State) -> bool {
    let checking = &state.checking;
    match checking.stage.take() {
        Stage::Looking(number, thread) if thread.is_finished() => {
            let findings = thread.join().map_err(|_| CommandError::CheckFailed);
            checking.finish(number, findings);
        }
        Stage::Looking(number, thread) => {
            *checking.stage.borrow_mut() = Stage::Looking(number, thread);
            return false;
        }
        Stage::Reading(reading) => match checking.first() {
            Some((number, entry)) => checking.read(context, state, number, &entry, reading),
            None => discard(mirror::take()),
        },
        Stage::Idle => {
            let Some((_, entry)) = checking.first() else { return false };
            *checking.stage.borrow_mut() = Stage::Reading(Reading::begin(&entry, 1));
        }
    }
    true
}

impl State {
    /// True if another thread looks at a copy.
    pub fn has_thread(&self) -> bool {
        matches!(*self.stage.borrow(), Stage::Looking(..))
    }

    fn first(&self) -> Option<(u64, Rc<Entry>)> {
        self.requests.borrow().front().map(|first| (first.number, first.entry.clone()))
    }

    /// Goes on with the copy for the first request.
    fn read(
        &self,
        context: Context<'_>,
        state: &state::State,
        number: u64,
        entry: &Rc<Entry>,
        mut reading: Reading,
    ) {
        let is_moving = state.is_cluster.get() && !entry.names.slot_is_stable(context);
        if is_moving || !context.select_db(entry.db) {
            discard(mirror::take());
            return self.finish(number, Err(CommandError::SlotMoves));
        }
        let mut store = open(context, entry, Access::Read);
        if let Err(error) = store.require(&Part::ALL) {
            discard(mirror::take());
            return self.finish(number, Err(error.into()));
        }
        let mut calls = 0..CALLS;
        while let (Some(part), Some(_)) = (Part::ALL.get(reading.part), calls.next()) {
            if !reading.go_on(&mut store.0, *part) {
                reading.part = reading.part.saturating_add(1);
                reading.cursor = None;
            }
        }
        if reading.part < Part::ALL.len() {
            *self.stage.borrow_mut() = Stage::Reading(reading);
            return;
        }
        let is_complete = reading.part == Part::ALL.len()
            && Part::ALL
                .iter()
                .all(|part| mirror::with(|mirror| mirror.len(*part)) == Some(store.0.len(*part)));
        match mirror::take() {
            Some(copy) if is_complete => self.look(number, copy),
            copy if reading.attempt < ATTEMPTS => {
                discard(copy);
                let queue = entry.queue();
                context.notice(&format!(
                    "queue {queue}: other commands changed its keys, MQ.CHECK begins anew"
                ));
                let next = reading.attempt.saturating_add(1);
                *self.stage.borrow_mut() = Stage::Reading(Reading::begin(entry, next));
            }
            copy => {
                discard(copy);
                self.finish(number, Ok(store.check()));
            }
        }
    }

    /// Lets another thread look at a copy.
    fn look(&self, number: u64, mut copy: Mirror) {
        let look = move || {
            let findings = check::check(&mut copy);
            record::forget();
            findings
        };
        match Builder::new().name("mq-check".to_string()).spawn(look) {
            Ok(thread) => *self.stage.borrow_mut() = Stage::Looking(number, thread),
            Err(_) => self.finish(number, Err(CommandError::CheckFailed)),
        }
    }

    /// Answers a request, if its client still waits.
    fn finish(&self, number: u64, answer: Result<Findings, CommandError>) {
        let mut requests = self.requests.borrow_mut();
        if requests.front().is_none_or(|first| first.number != number) {
            return;
        }
        let Some(request) = requests.pop_front() else { return };
        drop(requests);
        self.answers.borrow_mut().insert(number, answer);
        request.client.wake_with(number);
    }
}

impl Reading {
    /// Copies a little of a part. False if there is no more of it.
    fn go_on(&mut self, keyspace: &mut ServerKeyspace<'_>, part: Part) -> bool {
        if part.kind() == Kind::List {
            return keyspace.mirror_list(part);
        }
        if self.cursor.is_none() {
            self.cursor = KeyCursor::new();
        }
        self.cursor.as_mut().is_some_and(|cursor| keyspace.mirror_some(part, cursor))
    }
}
