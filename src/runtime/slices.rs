//! Commands with more work than fits in one turn of the server: the client blocks, and the timer goes on
//! with the work in slices, between everything else.
//!
//! The client blocks as a waiter does (`waiting.rs`). When its connection or its block ends, so does the
//! work; what is done stays done.
//!
//! A command that only reads goes on on a replica too, and while nothing may be written. It begins when
//! the queues are known, and its reply may be made in pieces.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::iter;
use std::mem::ManuallyDrop;
use std::ops::Bound;
use std::rc::Rc;

use super::alarm::{self, NOW};
use super::entry::Entry;
use super::facts::{IS_ACTIVE, IS_CLUSTER};
use super::scan;
use crate::server::blocked::{BlockedClient, Wait};
use crate::server::context::Context;

/// What a command has to do.
pub trait Work {
    /// Does a slice of it in the queue, whose database is selected; false if nothing is left to do.
    fn step(&self, context: Context<'_>, entry: &Rc<Entry>) -> bool;
    /// Replies what was done.
    fn reply(&self, context: Context<'_>);
    /// Replies that the queue's slot began to move.
    fn reply_moved(&self, context: Context<'_>);
}

/// What a command has to look up.
pub trait Reading {
    /// Does a slice of it, and of the reply; false if nothing is left to do.
    fn step(&mut self, context: Context<'_>, client: &BlockedClient) -> bool;
    /// Nothing is left to do: ends the wait, also if the reply is still to be made.
    fn end(&self, client: BlockedClient);
}

struct Slices {
    /// By the numbers of the clients.
    jobs: RefCell<BTreeMap<u64, Rc<Job>>>,
    /// Whose turn it was last.
    last_turn: Cell<u64>,
    /// The one whose turn is next in front.
    readers: RefCell<VecDeque<Reader>>,
}

struct Reader {
    client: BlockedClient,
    reading: Box<dyn Reading>,
}

struct Job {
    entry: Rc<Entry>,
    work: Box<dyn Work>,
    /// None once it was woken.
    client: RefCell<Option<BlockedClient>>,
    /// The queue's slot began to move.
    has_moved: Cell<bool>,
}

thread_local! {
    /// Never dropped: the server may be gone when its thread ends.
    static SLICES: ManuallyDrop<Slices> = const {
        ManuallyDrop::new(Slices {
            jobs: RefCell::new(BTreeMap::new()),
            last_turn: Cell::new(0),
            readers: RefCell::new(VecDeque::new()),
        })
    };
}

/// True if there is work to do.
pub fn has_work() -> bool {
    SLICES.with(|slices| slices.jobs.borrow().values().any(|job| job.is_under_way()))
}

/// True if something is to be looked up.
pub fn has_readers() -> bool {
    SLICES.with(|slices| !slices.readers.borrow().is_empty())
}

/// Forgets all: the module is unloaded.
pub fn forget() {
    SLICES.with(|slices| {
        slices.jobs.take();
        slices.readers.take();
    });
}

impl Slices {
    /// The next job, in turns.
    fn next(&self) -> Option<Rc<Job>> {
        let jobs = self.jobs.borrow();
        let behind = jobs.range((Bound::Excluded(self.last_turn.get()), Bound::Unbounded));
        let mut in_turns = behind.chain(jobs.iter());
        let (number, job) = in_turns.find(|(_, job)| job.is_under_way())?;
        self.last_turn.set(*number);
        Some(job.clone())
    }
}

impl Job {
    fn is_under_way(&self) -> bool {
        self.client.borrow().is_some()
    }

    fn wake(&self) {
        let client = self.client.borrow_mut().take();
        if let Some(client) = client {
            // The callback may run inside of this call.
            client.wake();
        }
    }
}

/// Blocks the client that sent the running command until the rest of its work is done. Error, with the
/// work: the server does not allow that.
pub fn go_on<W: Work + 'static>(context: Context<'_>, entry: &Rc<Entry>, work: W) -> Result<(), W> {
    if !IS_ACTIVE.get() {
        // On a replica that takes writes the timer does nothing.
        return Err(work);
    }
    SLICES.with(|slices| {
        let keys = iter::once(entry.names.wait());
        let Some(client) = BlockedClient::on_keys::<Blocked>(context, keys) else {
            return Err(work);
        };
        let number = client.number();
        let job = Job {
            entry: entry.clone(),
            work: Box::new(work),
            client: RefCell::new(Some(client)),
            has_moved: Cell::new(false),
        };
        slices.jobs.borrow_mut().insert(number, Rc::new(job));
        alarm::arm(context, NOW);
        Ok(())
    })
}

/// Does a slice of the job whose turn it is; false if there is none.
pub fn step(context: Context<'_>) -> bool {
    let Some(job) = SLICES.with(|slices| slices.next()) else { return false };
    let is_stable = !IS_CLUSTER.get() || job.entry.names.slot_is_stable(context);
    if !context.select_db(job.entry.db) || !is_stable {
        job.has_moved.set(true);
        job.wake();
    } else if !job.work.step(context, &job.entry) {
        job.wake();
    }
    true
}

/// Lets a client wait until the rest of what its command has to look up was done.
pub fn read_on(context: Context<'_>, client: BlockedClient, reading: impl Reading + 'static) {
    let reader = Reader { client, reading: Box::new(reading) };
    SLICES.with(|slices| slices.readers.borrow_mut().push_back(reader));
    alarm::arm(context, NOW);
}

/// Looks up a slice for the reader whose turn it is; false if there is none, or if the scan has to end
/// first.
pub fn read(context: Context<'_>) -> bool {
    if scan::is_under_way() {
        return false;
    }
    let next = SLICES.with(|slices| slices.readers.borrow_mut().pop_front());
    let Some(mut reader) = next else { return false };
    if reader.reading.step(context, &reader.client) {
        SLICES.with(|slices| slices.readers.borrow_mut().push_back(reader));
    } else {
        reader.reading.end(reader.client);
    }
    true
}

/// A client is gone for which something is looked up.
pub fn reader_gone(client: &BlockedClient) {
    SLICES.with(|slices| slices.readers.borrow_mut().retain(|reader| reader.client != *client));
}

struct Blocked;

impl Wait for Blocked {
    fn reply(context: Context<'_>, number: u64) {
        match take(number) {
            Some(job) if job.has_moved.get() => job.work.reply_moved(context),
            Some(job) => job.work.reply(context),
            None => {}
        }
    }

    fn gone(_: Context<'_>, number: u64) {
        take(number);
    }
}

fn take(number: u64) -> Option<Rc<Job>> {
    SLICES.with(|slices| slices.jobs.borrow_mut().remove(&number))
}
