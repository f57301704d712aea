//! MQ.CHECK of a large queue without holding the server: the timer copies what is stored of the queue in
//! small steps, then another thread examines the copy.
//!
//! That thread has nothing but the copy; of the server it uses only the allocator. One check is under way
//! at a time.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::thread::{Builder, JoinHandle};

use super::alarm::{self, NOW};
use super::entry::Entry;
use super::facts::IS_CLUSTER;
use crate::queue::QueueError;
use crate::queue::finding::Finding;
use crate::queue::part::{Kind, Part};
use crate::queue::store::Store;
use crate::server::blocked::BlockedClient;
use crate::server::context::Context;
use crate::server::key::Access;
use crate::server::scan::KeyCursor;
use crate::store::keyspace::Contents;
use crate::store::mirror::{self, Mirror};
use crate::store::server_keyspace::ServerKeyspace;
use crate::store::{check, record};

/// What was found, and how often.
pub type Findings = Vec<(Finding, u64)>;

/// Why a check could not be made.
pub enum CheckError {
    /// The queue's slot is moving.
    SlotMoves,
    /// No thread could be started, or it failed.
    Failed,
    Queue(QueueError),
}

/// A queue with at most this many entries is examined in one go.
const SMALL: u64 = 1_000;

/// How often a copy is begun anew because another client changed the keys; then it is done in one go.
const ATTEMPTS: u32 = 3;

/// How many calls of the server make one step; each visits a few entries.
const CALLS: usize = 100;

/// How often the timer looks whether the other thread is done, in milliseconds.
const POLL_MS: u64 = 5;

/// The requested checks, and the one that is under way.
struct Checks {
    requests: RefCell<VecDeque<Request>>,
    stage: RefCell<Stage>,
    /// Found, and not replied yet.
    answers: RefCell<BTreeMap<u64, Result<Findings, CheckError>>>,
    last_number: Cell<u64>,
}

/// A client that waits for a check.
struct Request {
    number: u64,
    client: BlockedClient,
    entry: Rc<Entry>,
}

/// How far the first of the requests is.
#[derive(Default)]
enum Stage {
    #[default]
    Idle,
    /// Its queue is copied.
    Reading(Reading),
    /// Another thread examines the copy, for the request of that number.
    Examining(u64, JoinHandle<Findings>),
}

/// How far the copy is.
struct Reading {
    attempt: u32,
    /// The part that is read, by its place among all.
    part: usize,
    cursor: Option<KeyCursor>,
}

thread_local! {
    /// Never dropped: the server may be gone when its thread ends.
    static CHECKS: ManuallyDrop<Checks> = const {
        ManuallyDrop::new(Checks {
            requests: RefCell::new(VecDeque::new()),
            stage: RefCell::new(Stage::Idle),
            answers: RefCell::new(BTreeMap::new()),
            last_number: Cell::new(0),
        })
    };
}

impl Reading {
    fn begin(entry: &Entry, attempt: u32) -> Self {
        discard(mirror::follow(entry.db, entry.queue()));
        Self { attempt, part: 0, cursor: None }
    }
}

/// Freeing a large copy takes a while.
fn discard(copy: Option<Mirror>) {
    if let Some(copy) = copy {
        // If no thread can be started it is freed at once.
        let _ = Builder::new().spawn(move || drop(copy));
    }
}

/// True if a queue is too large to be examined in one go. Its parts were required.
pub fn is_large(store: &mut impl Store) -> bool {
    let entries = Part::ALL.iter().fold(0u64, |sum, part| sum.saturating_add(store.len(*part)));
    entries > SMALL
}

/// Lets a blocked client wait until its queue was checked.
pub fn begin(context: Context<'_>, client: BlockedClient, entry: &Rc<Entry>) {
    CHECKS.with(|checks| {
        let number = checks.last_number.get().saturating_add(1);
        checks.last_number.set(number);
        let request = Request { number, client, entry: entry.clone() };
        checks.requests.borrow_mut().push_back(request);
    });
    alarm::arm(context, NOW);
}

/// What was found for a client; it is told once.
pub fn answer(number: u64) -> Option<Result<Findings, CheckError>> {
    CHECKS.with(|checks| checks.answers.borrow_mut().remove(&number))
}

/// A client is gone.
pub fn gone(client: &BlockedClient) {
    CHECKS.with(|checks| {
        let mut requests = checks.requests.borrow_mut();
        let is_first = requests.front().is_some_and(|first| first.client == *client);
        requests.retain(|request| request.client != *client);
        if is_first && matches!(*checks.stage.borrow(), Stage::Reading(_)) {
            checks.stage.take();
            discard(mirror::take());
        }
    });
}

/// Keys of a queue, or of all (None), were replaced by something other than an op: a copy may lack that.
pub fn invalidate(entry: Option<&Rc<Entry>>) {
    CHECKS.with(|checks| {
        let first = checks.first();
        let is_other = entry.is_some_and(|entry| {
            first.is_none_or(|(_, first)| first.db != entry.db || first.queue() != entry.queue())
        });
        if let (Stage::Reading(reading), false) = (&mut *checks.stage.borrow_mut(), is_other) {
            // No part has this place: what was read is found to be incomplete.
            reading.cursor = None;
            reading.part = usize::MAX;
        }
    });
}

/// In how many milliseconds the timer has to go on; None if no check is under way.
pub fn next_ms() -> Option<u64> {
    CHECKS.with(|checks| match &*checks.stage.borrow() {
        Stage::Examining(..) => Some(POLL_MS),
        Stage::Reading(_) => Some(0),
        Stage::Idle => (!checks.requests.borrow().is_empty()).then_some(0),
    })
}

/// True if another thread examines a copy.
pub fn has_thread() -> bool {
    CHECKS.with(|checks| matches!(*checks.stage.borrow(), Stage::Examining(..)))
}

/// Does a step. False if there is nothing to do now.
pub fn step(context: Context<'_>) -> bool {
    CHECKS.with(|checks| checks.step(context))
}

impl Checks {
    fn step(&self, context: Context<'_>) -> bool {
        match self.stage.take() {
            Stage::Examining(number, thread) if thread.is_finished() => {
                let findings = thread.join().map_err(|_| CheckError::Failed);
                self.finish(number, findings);
            }
            Stage::Examining(number, thread) => {
                *self.stage.borrow_mut() = Stage::Examining(number, thread);
                return false;
            }
            Stage::Reading(reading) => match self.first() {
                Some((number, entry)) => self.read(context, number, &entry, reading),
                None => discard(mirror::take()),
            },
            Stage::Idle => {
                let Some((_, entry)) = self.first() else { return false };
                *self.stage.borrow_mut() = Stage::Reading(Reading::begin(&entry, 1));
            }
        }
        true
    }

    fn first(&self) -> Option<(u64, Rc<Entry>)> {
        self.requests.borrow().front().map(|first| (first.number, first.entry.clone()))
    }

    /// Continues the copy for the first request.
    fn read(&self, context: Context<'_>, number: u64, entry: &Rc<Entry>, mut reading: Reading) {
        let is_moving = IS_CLUSTER.get() && !entry.names.slot_is_stable(context);
        if is_moving || !context.select_db(entry.db) {
            discard(mirror::take());
            return self.finish(number, Err(CheckError::SlotMoves));
        }
        let mut store = entry.open(context, Access::Read);
        if let Err(error) = store.require(&Part::ALL) {
            discard(mirror::take());
            return self.finish(number, Err(CheckError::Queue(error)));
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
            Some(copy) if is_complete => self.examine(number, copy),
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

    /// Lets another thread examine a copy.
    fn examine(&self, number: u64, mut copy: Mirror) {
        let examine = move || {
            let findings = check::check(&mut copy);
            record::forget();
            findings
        };
        match Builder::new().name("mq-check".to_string()).spawn(examine) {
            Ok(thread) => *self.stage.borrow_mut() = Stage::Examining(number, thread),
            Err(_) => self.finish(number, Err(CheckError::Failed)),
        }
    }

    /// Answers a request, if its client still waits.
    fn finish(&self, number: u64, answer: Result<Findings, CheckError>) {
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
