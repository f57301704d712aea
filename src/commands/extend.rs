//! MQ.EXTEND: restarts the visibility of deliveries.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::arguments::{CONSUMER, QUEUE, VISIBILITY};
use super::claims::{self, CLAIMS_OR_CONSUMER};
use super::errors::CommandError;
use super::options::{self, Options};
use super::{handler, reply};
use crate::queue::message::Delivery;
use crate::queue::op;
use crate::queue::settings::Setting;
use crate::queue::small_vec::ShortVec;
use crate::queue::store::Store;
use crate::queue::{QueueError, Settled};
use crate::runtime::consumers::Search;
use crate::runtime::disconnect;
use crate::runtime::entry::Entry;
use crate::runtime::execute::execute_on;
use crate::runtime::facts::IS_ACTIVE;
use crate::runtime::slices::{self, Work};
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::key::Access;
use crate::server::spec::{Arg, KeyUse, Spec};
use crate::server::string::Argument;

/// How many slices of a search are done before other clients are served: some hundred records.
const AT_ONCE: usize = 8;

/// `MQ.EXTEND queue (id receipt | IDS n id receipt [id receipt ...] | CONSUMER name) [VISIBILITY milliseconds]`
pub struct Extend;

impl Command for Extend {
    const SPEC: Spec = Spec {
        name: "MQ.EXTEND",
        summary: "Restarts the visibility of delivered messages from now.",
        complexity: "O(log n) for each message, with n messages in flight; CONSUMER: O(m) more, with m \
                     messages pulled with CONSUMER or returned; other clients are served in between.",
        since: "0.1.0",
        flags: "write",
        blocking: false,
        arity: -4,
        key: Some(KeyUse::Update),
        arguments: &[QUEUE, CLAIMS_OR_CONSUMER, Arg::Number(VISIBILITY)],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, extend);
    }
}

fn extend(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, rest @ ..] = arguments else { return Err(CommandError::Arity) };
    if let (Some(consumer), rest) = options::name_instead(&CONSUMER, rest)? {
        let visibility_ms = Options::read::<Extend>(rest)?.number(&VISIBILITY);
        let entry = handler::entry(context, *queue)?;
        return extend_all(context, &entry, consumer, visibility_ms);
    }
    let (mut claims, rest) = claims::read(rest)?;
    let visibility_ms = Options::read::<Extend>(rest)?.number(&VISIBILITY);
    let entry = handler::entry(context, *queue)?;
    let deliveries = std::mem::take(&mut claims.claims);
    let outcome = execute(context, &entry, visibility_ms, deliveries);
    claims.reply(context, outcome, |until_ms| until_ms)
}

fn execute(
    context: Context<'_>,
    entry: &Rc<Entry>,
    visibility_ms: Option<u64>,
    deliveries: ShortVec<Delivery>,
) -> Result<ShortVec<Settled>, QueueError> {
    disconnect::extended(&deliveries);
    let mut store = entry.open(context, Access::Write);
    match op(visibility_ms, &mut store, deliveries, context.now_ms())? {
        Extension::Extend(op) => execute_on(context, entry, &mut store, op),
        Extension::Prolong(op) => execute_on(context, entry, &mut store, op),
    }
}

/// Extends all that a consumer holds, and replies how many deliveries.
fn extend_all(
    context: Context<'_>,
    entry: &Rc<Entry>,
    consumer: &[u8],
    visibility_ms: Option<u64>,
) -> Result<(), CommandError> {
    let mut work = Extending {
        visibility_ms,
        search: RefCell::new(Search::of(consumer)),
        extended: Cell::new(0),
        error: Cell::new(None),
    };
    let is_at_once = context.may_not_block() || !IS_ACTIVE.get();
    let mut done = 0usize;
    while work.slice(context, entry)? {
        done = done.saturating_add(1);
        if done == AT_ONCE && !is_at_once {
            match slices::go_on(context, entry, work) {
                Ok(()) => return Ok(()),
                Err(refused) => work = refused,
            }
        }
    }
    work.reply(context);
    Ok(())
}

/// An extension of all that a consumer holds, in progress.
struct Extending {
    visibility_ms: Option<u64>,
    search: RefCell<Search>,
    extended: Cell<u64>,
    error: Cell<Option<QueueError>>,
}

impl Extending {
    /// Extends some of what is left; true if there may be more.
    fn slice(&self, context: Context<'_>, entry: &Rc<Entry>) -> Result<bool, QueueError> {
        let held = self.search.borrow_mut().next(&mut entry.open(context, Access::Read))?;
        if !held.is_empty() {
            let settled = execute(context, entry, self.visibility_ms, held.into())?;
            let done = settled.iter().filter(|one| matches!(one, Settled::Done(_)));
            self.extended.set(self.extended.get().saturating_add(done.count() as u64));
        }
        Ok(!self.search.borrow().is_over())
    }
}

impl Work for Extending {
    fn step(&self, context: Context<'_>, entry: &Rc<Entry>) -> bool {
        self.slice(context, entry).unwrap_or_else(|error| {
            self.error.set(Some(error));
            false
        })
    }

    fn reply(&self, context: Context<'_>) {
        let error = self.error.get().map(CommandError::from);
        reply::counted(context, self.extended.get(), error.as_ref());
    }

    fn reply_moved(&self, context: Context<'_>) {
        reply::counted(context, 0, Some(&CommandError::SlotMoves));
    }
}

/// The op of an extension.
pub enum Extension {
    /// To the visibility of the command.
    Extend(op::Extend),
    /// To that of the queue.
    Prolong(op::Prolong),
}

/// An explicit visibility replaces the current one; the queue's default can only prolong it.
pub fn op(
    visibility_ms: Option<u64>,
    store: &mut impl Store,
    deliveries: ShortVec<Delivery>,
    now_ms: u64,
) -> Result<Extension, QueueError> {
    Ok(match visibility_ms {
        Some(visibility_ms) => Extension::Extend(op::Extend { now_ms, deliveries, visibility_ms }),
        None => {
            let visibility_ms = store.required_number(Setting::Visibility)?;
            Extension::Prolong(op::Prolong { now_ms, deliveries, visibility_ms })
        }
    })
}
