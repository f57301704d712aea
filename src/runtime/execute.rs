//! Decide, apply, replicate: the one path of every change.

use std::rc::Rc;

use super::alarm::NEVER;
use super::entry::Entry;
use super::facts::IS_CLUSTER;
use super::{counters, index, receipts};
use crate::queue::name::QueueName;
use crate::queue::settings::Setting;
use crate::queue::store::Store;
use crate::queue::valid::MAX_DURATION_MS;
use crate::queue::{Counts, Effects, NextDue, QueueError, Request, apply, valid};
use crate::server::context::{Context, LATEST_MS};
use crate::server::key::Access;
use crate::server::string::Argument;
pub use crate::store::op::OP_VERSION;
use crate::store::op::{Encode, decode_with, encode_op, encode_without_payload};
use crate::store::record::RecordError;
use crate::store::records::Records;
pub use crate::store::server_keyspace::Body;
use crate::store::server_keyspace::ServerKeyspace;

/// Every timestamp in an op is valid: that of the clock, or up to the longest duration later.
const _: () = assert!(valid::is_timestamp(LATEST_MS + MAX_DURATION_MS));

/// Applies an op that this server decided and replicates it if it changed something. The database of the
/// entry must be selected.
pub fn execute<'a, R: Request<'a> + Encode>(
    context: Context<'_>,
    entry: &Rc<Entry>,
    request: R,
) -> Result<R::Outcome<Body>, QueueError> {
    execute_on(context, entry, &mut entry.open(context, Access::Write), request)
}

/// From this size on a payload is sent beside its op, as it came: in the op it would be copied twice. A further argument
/// takes about as long to send as to copy so many bytes.
const SENT_BESIDE: usize = 512;

/// As [`execute`], with the records of the queue as they were opened to decide on the op.
pub fn execute_on<'a, R: Request<'a> + Encode>(
    context: Context<'_>,
    entry: &Rc<Entry>,
    store: &mut Records<ServerKeyspace<'_>>,
    request: R,
) -> Result<R::Outcome<Body>, QueueError> {
    execute_push(context, entry, store, request, None)
}

/// As [`execute_on`], with the argument that is the payload of the op.
pub fn execute_push<'a, R: Request<'a> + Encode>(
    context: Context<'_>,
    entry: &Rc<Entry>,
    store: &mut Records<ServerKeyspace<'_>>,
    request: R,
    payload: Option<Argument<'_>>,
) -> Result<R::Outcome<Body>, QueueError> {
    let mut effects = Effects::none();
    // Returned as it is: it may be large, and would be copied.
    let outcome = request.apply(store, &mut effects);
    if let Ok(outcome) = &outcome {
        if effects.changed {
            context.signal_modified(entry.names.name());
            let beside = payload.filter(|payload| payload.as_bytes().len() >= SENT_BESIDE);
            let op = match beside {
                None => encode_op(&request),
                Some(_) => encode_without_payload(&request),
            };
            context.replicate(c"MQ.APPLY", entry.names.name(), &op, beside);
        }
        if let Some(receipt) = effects.last_receipt {
            receipts::issued(receipt);
        }
        request.times(outcome, || context.began_ms(), |time| entry.count_time(time));
        note(context, entry, effects);
    }
    outcome
}

/// Why an op of another server could not be applied.
pub enum ReplayError {
    /// Its bytes are no op.
    NoOp,
    /// It is an op of another version.
    Version(u8),
    /// What is stored does not allow it.
    Queue(QueueError),
}

/// Applies the bytes of an op that another server decided, or this one before it was restarted, and the payload that was
/// sent beside it.
pub fn replay(
    context: Context<'_>,
    entry: &Rc<Entry>,
    bytes: &[u8],
    payload: Option<&[u8]>,
) -> Result<(), ReplayError> {
    let (mut op, rules) = decode_with(bytes, payload).map_err(|error| match error {
        RecordError::Version(version) => ReplayError::Version(version),
        RecordError::Damaged => ReplayError::NoOp,
    })?;
    if IS_CLUSTER.get() {
        // It may come from a server without cluster mode: here no other slot may be touched.
        op.keep_to_slot();
    }
    let mut effects = Effects::none();
    let keyspace = ServerKeyspace::new(context, entry.names.clone(), Access::Write);
    entry.forget_last_ready();
    let mut store = Records::with_rules(keyspace, rules);
    apply(&mut store, &mut effects, &op).map_err(ReplayError::Queue)?;
    drop(store);
    if effects.changed {
        context.signal_modified(entry.names.name());
        context.replicate_verbatim();
    }
    if context.is_loading() {
        // What happened before the server started is not counted.
        effects.counts = Counts::default();
    }
    if let Some(receipt) = effects.last_receipt {
        receipts::learn(receipt, context.now_ms());
    }
    note(context, entry, effects);
    Ok(())
}

/// Updates what the process remembers after an op.
fn note(context: Context<'_>, entry: &Rc<Entry>, effects: Effects) {
    let is_new = effects.changed && !entry.is_indexed();
    if is_new {
        index::insert(context, entry);
    } else if effects.changed && !entry.is_unchecked() {
        index::touch(context, entry);
    }
    counters::count(entry, &effects.counts);
    let known = entry.next_due_ms();
    let next_due_ms = match effects.next_due {
        NextDue::NotEarlier => known,
        NextDue::AtMost(due_ms) => due_ms.min(known),
        NextDue::Exactly(due_ms) => due_ms.unwrap_or(NEVER),
    };
    if is_new || next_due_ms != known {
        index::set_due(context, entry, next_due_ms);
    }
    counters::warn(context, entry, &effects.counts);
    if entry.has_waiters()
        && (effects.became_ready || effects.delivery_ended && has_room_now(context, entry))
    {
        index::mark(context, entry);
    }
    if let Some(others) = effects.others {
        for (queue, next_due) in *others {
            note_other(context, entry.db, &queue, next_due);
        }
    }
}

/// As [`note`], for another queue than the one that the op was for.
fn note_other(context: Context<'_>, db: i32, queue: &QueueName, next_due: NextDue) {
    let Ok(entry) = index::with(|index| index.look_up(db, queue.as_bytes())) else { return };
    context.signal_modified(entry.names.name());
    index::insert(context, &entry);
    if !entry.is_unchecked() {
        index::touch(context, &entry);
    }
    if let NextDue::AtMost(due_ms) = next_due
        && due_ms < entry.next_due_ms()
    {
        index::set_due(context, &entry, due_ms);
    }
    if entry.has_waiters() {
        index::mark(context, &entry);
    }
}

/// True if the end of a delivery makes room for another one, because their number is limited.
fn has_room_now(context: Context<'_>, entry: &Entry) -> bool {
    let mut store = entry.open(context, Access::Read);
    store.required_number(Setting::MaxInflight).is_ok_and(|max_inflight| max_inflight > 0)
}
