//! Commands with more work than fits in one turn of the server: the client blocks, and the timer goes
//! on with the work, a slice at a time, in turns with everything else.
//!
//! The client blocks as one that waits for messages does (`waiting.rs`). When its connection or its
//! block ends, the work ends, too: what is done stays done.
//!
//! A command that only reads goes on on a replica, too, and while nothing may be written. It begins when
//! the queues are known, and its reply is put together in pieces.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::iter;
use std::ops::Bound;
use std::rc::Rc;

use crate::index::Entry;
use crate::reply::CommandError;
use crate::server::blocked::{BlockedClient, Wait};
use crate::server::context::Context;
use crate::{state, timer};

/// What a command has to do.
pub trait Work {
    /// Does a slice of it in the queue, whose database is selected; false if nothing is left to do.
    fn step(&self, context: Context<'_>, entry: &Rc<Entry>) -> bool;
    /// Replies what was done.
    fn reply(&self, context: Context<'_>);
}

/// What a command has to look up.
pub trait Reading {
    /// Does a slice of it, and of the reply; false if nothing is left to do.
    fn step(&mut self, context: Context<'_>, client: &BlockedClient) -> bool;
}

/// The work that is under way.
#[derive(Default)]
pub struct State {
    /// By the numbers of the clients.
    jobs: RefCell<BTreeMap<u64, Rc<Job>>>,
    /// Whose turn it was last.
    last: Cell<u64>,
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

impl State {
    /// True if there is something to do.
    pub fn has_work(&self) -> bool {
        self.jobs.borrow().values().any(|job| job.is_under_way())
    }

    /// True if something is to be looked up.
    pub fn has_readers(&self) -> bool {
        !self.readers.borrow().is_empty()
    }

    /// Forgets all: the module goes.
    pub fn forget(&self) {
        self.jobs.take();
        self.readers.take();
    }

    /// The next one, in turns.
    fn next(&self) -> Option<Rc<Job>> {
        let jobs = self.jobs.borrow();
        let behind = jobs.range((Bound::Excluded(self.last.get()), Bound::Unbounded));
        let mut in_turns = behind.chain(jobs.iter());
        let (number, job) = in_turns.find(|(_, job)| job.is_under_way())?;
        self.last.set(*number);
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

/// Lets the client that sent the running command wait until the rest of its work is done. Error, with
/// the work: the server does not allow that.
pub fn go_on<W: Work + 'static>(context: Context<'_>, entry: &Rc<Entry>, work: W) -> Result<(), W> {
    state::with(|state| {
        if !state.is_active.get() {
            // On a replica that takes writes the timer does nothing.
            return Err(work);
        }
        let number = state.last_number.get().saturating_add(1);
        state.last_number.set(number);
        let keys = iter::once(entry.names.wait());
        let Some(client) = BlockedClient::on_keys::<Slices>(context, keys, number) else {
            return Err(work);
        };
        let job = Job {
            entry: entry.clone(),
            work: Box::new(work),
            client: RefCell::new(Some(client)),
            has_moved: Cell::new(false),
        };
        state.slices.jobs.borrow_mut().insert(number, Rc::new(job));
        timer::arm(context, state, 0);
        Ok(())
    })
}

/// Does a slice of the work whose turn it is; false if there is none.
pub fn step(context: Context<'_>, state: &state::State) -> bool {
    let Some(job) = state.slices.next() else { return false };
    let is_stable = !state.is_cluster.get() || job.entry.names.slot_is_stable(context);
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
    state::with(|state| {
        let reader = Reader { client, reading: Box::new(reading) };
        state.slices.readers.borrow_mut().push_back(reader);
        timer::arm(context, state, 0);
    });
}

/// Looks up a slice for the client whose turn it is; false if there is none, or if the walk over the keys
/// has to end first.
pub fn read(context: Context<'_>, state: &state::State) -> bool {
    if state.scan.borrow().is_some() {
        return false;
    }
    let Some(mut reader) = state.slices.readers.borrow_mut().pop_front() else { return false };
    if reader.reading.step(context, &reader.client) {
        state.slices.readers.borrow_mut().push_back(reader);
    } else {
        reader.client.wake_replied();
    }
    true
}

/// A client is gone for which something is looked up.
pub fn reader_gone(client: &BlockedClient) {
    state::with(|state| {
        state.slices.readers.borrow_mut().retain(|reader| reader.client != *client);
    });
}

struct Slices;

impl Wait for Slices {
    fn reply(context: Context<'_>, number: u64) {
        match take(number) {
            Some(job) if job.has_moved.get() => {
                context.reply_error(&CommandError::SlotMoves.to_string());
            }
            Some(job) => job.work.reply(context),
            None => {}
        }
    }

    fn gone(_: Context<'_>, number: u64) {
        take(number);
    }
}

fn take(number: u64) -> Option<Rc<Job>> {
    state::with(|state| state.slices.jobs.borrow_mut().remove(&number))
}
