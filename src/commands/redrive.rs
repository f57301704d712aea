//! MQ.REDRIVE: moves dead letters back to the queues in which they died, or to another one.

use std::cell::RefCell;
use std::rc::Rc;

use super::arguments::QUEUE;
use super::errors::CommandError;
use super::options::Options;
use super::{claims, handler, nack, reply};
use crate::queue::limits;
use crate::queue::message::{Died, MessageId};
use crate::queue::name::{self, QueueName};
use crate::queue::op::{Choice, MAX_BATCH, MAX_REDRIVE, RedriveSlice};
use crate::queue::part::Part;
use crate::queue::redrive::targets;
use crate::queue::settings::Setting;
use crate::queue::store::Store;
use crate::runtime::entry::Entry;
use crate::runtime::execute::execute;
use crate::runtime::facts::{IS_ACTIVE, IS_CLUSTER};
use crate::runtime::slices::{self, Work};
use crate::server::acl::UserName;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::key::Access;
use crate::server::spec::{Arg, KeyUse, Name, Number, Spec};
use crate::server::string::Argument;

const COUNT: Number = Number { token: "COUNT", name: "n", min: 1, max: MAX_REDRIVE as i64 };
const DEFAULT_COUNT: u64 = 1_000;
const IDS: Number = Number { token: "IDS", name: "n", min: 1, max: MAX_BATCH as i64 };
const FROM: Name = Name { token: "FROM", name: "queue", min: 1, max: name::MAX_NAME_BYTES };
const REASON: Name = Name { token: "REASON", name: "text", min: 0, max: usize::MAX };

/// How many messages are inspected before other clients are served.
const SLICE: u32 = 100;

/// How many messages are inspected where the client can't block.
const AT_ONCE: u32 = 1_000;

/// `MQ.REDRIVE queue`, and options.
pub struct Redrive;

impl Command for Redrive {
    const SPEC: Spec = Spec {
        name: "MQ.REDRIVE",
        summary: "Moves dead letters back to the queues in which they died, or to another queue.",
        complexity: "O(log n) for each message inspected, with n messages in the queues; \
                     other clients are served after every 100.",
        since: "0.1.0",
        flags: "write",
        blocking: false,
        arity: -2,
        key: Some(KeyUse::Delete),
        arguments: &[
            QUEUE,
            Arg::OneOf("which", &[Arg::Number(COUNT), Arg::Flag("ALL"), Arg::List(IDS, "id")]),
            Arg::Name(FROM),
            Arg::Name(REASON),
            Arg::OtherKey("TO", "queue"),
        ],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, redrive);
    }
}

/// A redrive as the client requests it.
pub struct RedriveRequest {
    /// None: all.
    count: Option<u64>,
    ids: Option<Vec<MessageId>>,
    from: Option<QueueName>,
    reason: Option<Vec<u8>>,
    to: Option<QueueName>,
}

impl RedriveRequest {
    /// Reads the options.
    pub fn read<A: AsRef<[u8]>>(options: &[A]) -> Result<Self, CommandError> {
        let options = Options::read::<Redrive>(options)?;
        let ids = options.list(&IDS);
        let ids = ids.map(|ids| ids.iter().map(|id| claims::read_id(id.as_ref())).collect());
        let count = options.number(&COUNT).unwrap_or(DEFAULT_COUNT);
        Ok(Self {
            count: (ids.is_none() && !options.has("ALL")).then_some(count),
            ids,
            from: options.text(&FROM).map(QueueName::new).transpose()?,
            reason: options.text(&REASON).map(|text| nack::kept(text).to_vec()),
            to: options.value("TO").map(QueueName::new).transpose()?,
        })
    }

    /// The op for the next slice.
    pub fn op(
        &self,
        choice: Choice,
        inspect: u32,
        count: u32,
        now_ms: u64,
        same_slot: bool,
    ) -> RedriveSlice<'_> {
        RedriveSlice {
            now_ms,
            inspect,
            count,
            to: self.to.clone(),
            same_slot,
            choice,
            from: self.from.clone(),
            reason: self.reason.as_deref(),
        }
    }
}

fn redrive(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, options @ ..] = arguments else { return Err(CommandError::Arity) };
    let request = RedriveRequest::read(options)?;
    let entry = handler::entry(context, *queue)?;
    match &request.to {
        Some(to) if to == entry.queue() => return Err(CommandError::RedrivenToItself),
        Some(to) if IS_CLUSTER.get() && !to.shares_slot_with(entry.queue()) => {
            return Err(CommandError::CrossSlot);
        }
        _ => {}
    }
    let mut store = entry.open(context, Access::Read);
    check_named(context, &mut store)?;
    limits::require_waiting(&mut store)?;
    let waiting = limits::waiting(&mut store);
    drop(store);
    let progress = Progress {
        left: request.count.unwrap_or(waiting),
        until_ms: context.now_ms(),
        ..Progress::default()
    };
    let progress = RefCell::new(progress);
    let work = Redriving { request, user: context.user_name(), progress };
    // On a writable replica no timer continues the work.
    let is_at_once = context.may_not_block() || !IS_ACTIVE.get();
    let has_more = work.slice(context, &entry, if is_at_once { AT_ONCE } else { SLICE });
    if has_more && !is_at_once {
        let Err(work) = slices::go_on(context, &entry, work) else { return Ok(()) };
        work.reply(context);
    } else {
        work.reply(context);
    }
    Ok(())
}

/// Refuses a queue without dead letters if its dead-letter queue has some: that is the one to redrive.
fn check_named(context: Context<'_>, store: &mut impl Store) -> Result<(), CommandError> {
    store.require(&[Part::Dead, Part::Config])?;
    if store.len(Part::Dead) > 0 {
        return Ok(());
    }
    let settings = store.settings(&[Setting::DeadLetter]);
    let Some(name) = settings.dead_letter_of(store.queue()) else { return Ok(()) };
    if IS_CLUSTER.get() && !name.shares_slot_with(store.queue()) {
        return Ok(());
    }
    // Only a user who may know the name is told, where the server can check that.
    if context.user().is_some_and(|user| !user.may_name(name.as_bytes())) {
        return Ok(());
    }
    let mut dead = store.other(&name);
    if dead.require(&[Part::Dead]).is_ok() && dead.len(Part::Dead) > 0 {
        return Err(CommandError::DeadAreIn(name));
    }
    Ok(())
}

/// A redrive in progress.
struct Redriving {
    request: RedriveRequest,
    /// None where the server can't check permissions.
    user: Option<UserName>,
    progress: RefCell<Progress>,
}

#[derive(Default)]
struct Progress {
    moved: u64,
    /// How many are left to move.
    left: u64,
    /// How many of the ids were inspected.
    ids: usize,
    /// The last dead letter that was inspected.
    after: Option<Died>,
    /// Messages that die later stay.
    until_ms: u64,
    error: Option<CommandError>,
}

impl Redriving {
    /// Inspects up to `look` messages; true if there may be more.
    fn slice(&self, context: Context<'_>, entry: &Rc<Entry>, inspect: u32) -> bool {
        let result = self.next(context, entry, inspect);
        let mut progress = self.progress.borrow_mut();
        match result {
            Ok(has_more) => has_more,
            Err(error) => {
                progress.error = Some(error);
                false
            }
        }
    }

    fn next(
        &self,
        context: Context<'_>,
        entry: &Rc<Entry>,
        inspect: u32,
    ) -> Result<bool, CommandError> {
        let (choice, left) = self.choice(inspect);
        let count = u32::try_from(left).unwrap_or(u32::MAX).min(inspect);
        if count == 0 {
            return Ok(false);
        }
        let op = self.request.op(choice, inspect, count, context.now_ms(), IS_CLUSTER.get());
        self.check_permissions(context, entry, &op)?;
        let redriven = execute(context, entry, op)?;
        let mut progress = self.progress.borrow_mut();
        progress.moved = progress.moved.saturating_add(redriven.moved);
        progress.left = progress.left.saturating_sub(redriven.moved);
        progress.after = redriven.last.or(progress.after);
        Ok(match &self.request.ids {
            Some(ids) => {
                progress.ids = progress.ids.saturating_add(count as usize);
                progress.ids < ids.len()
            }
            None => redriven.has_more && progress.left > 0,
        })
    }

    /// Which messages are next, and how many of them to move.
    fn choice(&self, inspect: u32) -> (Choice, u64) {
        let progress = self.progress.borrow();
        match &self.request.ids {
            Some(ids) => {
                let ids = ids.iter().skip(progress.ids).take(inspect as usize);
                let ids: Vec<MessageId> = ids.copied().collect();
                let count = ids.len() as u64;
                (Choice::Ids(ids), count)
            }
            None => {
                let Progress { after, until_ms, left, .. } = *progress;
                (Choice::Died { after, until_ms }, left)
            }
        }
    }

    /// The queues to which dead letters go back are not arguments: the server has not checked that the user may
    /// write to them.
    fn check_permissions(
        &self,
        context: Context<'_>,
        entry: &Entry,
        op: &RedriveSlice<'_>,
    ) -> Result<(), CommandError> {
        if op.to.is_some() {
            return Ok(());
        }
        let targets = targets(&mut entry.open(context, Access::Read), &op.into())?;
        if targets.is_empty() {
            return Ok(());
        }
        let user = self.user.as_ref().ok_or(CommandError::UnknownPermission)?.user(context);
        let may_add_to = |target: &QueueName| user.may_add_to(target.as_bytes());
        if targets.iter().all(may_add_to) { Ok(()) } else { Err(CommandError::NoPermission) }
    }
}

impl Work for Redriving {
    fn step(&self, context: Context<'_>, entry: &Rc<Entry>) -> bool {
        self.slice(context, entry, SLICE)
    }

    fn reply(&self, context: Context<'_>) {
        let progress = self.progress.borrow();
        reply::counted(context, progress.moved, progress.error.as_ref());
    }

    fn reply_moved(&self, context: Context<'_>) {
        reply::counted(context, 0, Some(&CommandError::SlotMoves));
    }
}
