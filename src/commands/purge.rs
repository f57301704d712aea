//! MQ.PURGE: deletes all messages, or those of one state, and keeps the settings.

use std::cell::RefCell;
use std::rc::Rc;

use super::arguments::QUEUE;
use super::errors::CommandError;
use super::options::Options;
use super::{handler, reply};
use crate::queue::limits;
use crate::queue::op::{self, PurgeState, Waiting};
use crate::queue::part::Part;
use crate::queue::store::Store;
use crate::runtime::entry::Entry;
use crate::runtime::execute::execute;
use crate::runtime::facts::IS_ACTIVE;
use crate::runtime::slices::{self, Work};
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::key::Access;
use crate::server::spec::{Arg, KeyUse, Spec};
use crate::server::string::Argument;

/// How many messages of a state are deleted before other clients are served.
const SLICE: u32 = 250;

/// How many at a time where the client can't block.
const AT_ONCE: u32 = 1_000;

/// `MQ.PURGE queue [READY | DELAYED]`
pub struct Purge;

impl Command for Purge {
    const SPEC: Spec = Spec {
        name: "MQ.PURGE",
        summary: "Deletes all messages of a queue, or those of one state, and keeps its settings.",
        complexity: "O(1), the memory is freed in the background; READY and DELAYED: O(log n) for each \
                     message, with n messages in the queue; other clients are served after every 250.",
        since: "0.1.0",
        flags: "write",
        blocking: false,
        arity: -2,
        key: Some(KeyUse::Delete),
        arguments: &[QUEUE, Arg::OneOf("state", &[Arg::Flag("READY"), Arg::Flag("DELAYED")])],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, purge);
    }
}

fn purge(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, options @ ..] = arguments else { return Err(CommandError::Arity) };
    let options = Options::read::<Purge>(options)?;
    let entry = handler::entry(context, *queue)?;
    match state(&options) {
        Some(state) => purge_state(context, &entry, state),
        None => {
            reply::count(context, execute(context, &entry, op::Purge)?);
            Ok(())
        }
    }
}

/// The state whose messages are deleted; None: all.
pub fn state<A: AsRef<[u8]>>(options: &Options<'_, A>) -> Option<Waiting> {
    if options.has("READY") {
        Some(Waiting::Ready)
    } else {
        options.has("DELAYED").then_some(Waiting::Delayed)
    }
}

fn purge_state(
    context: Context<'_>,
    entry: &Rc<Entry>,
    state: Waiting,
) -> Result<(), CommandError> {
    let mut store = entry.open(context, Access::Read);
    store.require(&Part::ALL)?;
    let left = match state {
        Waiting::Ready => limits::waiting(&mut store),
        Waiting::Delayed => store.len(Part::Delayed),
    };
    drop(store);
    let progress = RefCell::new(Progress { deleted: 0, left, error: None });
    let mut work = Purging { state, progress };
    // On a writable replica no timer continues the work.
    let is_at_once = context.may_not_block() || !IS_ACTIVE.get();
    let most = if is_at_once { AT_ONCE } else { SLICE };
    while work.slice(context, entry, most) {
        if !is_at_once {
            match slices::go_on(context, entry, work) {
                Ok(()) => return Ok(()),
                Err(refused) => work = refused,
            }
        }
    }
    work.reply(context);
    Ok(())
}

/// A purge of one state in progress.
struct Purging {
    state: Waiting,
    progress: RefCell<Progress>,
}

struct Progress {
    deleted: u64,
    /// Not more than there were when the command began: what becomes ready later stays.
    left: u64,
    error: Option<CommandError>,
}

impl Purging {
    /// Deletes up to `most` messages; true if there may be more.
    fn slice(&self, context: Context<'_>, entry: &Rc<Entry>, most: u32) -> bool {
        let left = self.progress.borrow().left;
        let limit = u32::try_from(left).unwrap_or(u32::MAX).min(most);
        if limit == 0 {
            return false;
        }
        let purged = execute(context, entry, PurgeState { state: self.state, limit });
        let mut progress = self.progress.borrow_mut();
        match purged {
            Ok(purged) => {
                progress.deleted = progress.deleted.saturating_add(purged.deleted);
                progress.left = left.saturating_sub(limit.into());
                purged.has_more && progress.left > 0
            }
            Err(error) => {
                progress.error = Some(error.into());
                false
            }
        }
    }
}

impl Work for Purging {
    fn step(&self, context: Context<'_>, entry: &Rc<Entry>) -> bool {
        self.slice(context, entry, SLICE)
    }

    fn reply(&self, context: Context<'_>) {
        let progress = self.progress.borrow();
        reply::counted(context, progress.deleted, progress.error.as_ref());
    }

    fn reply_moved(&self, context: Context<'_>) {
        reply::counted(context, 0, Some(&CommandError::SlotMoves));
    }
}
