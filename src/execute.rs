//! Decide, apply, replicate: the one path of every change.

use std::rc::Rc;

use crate::index::Entry;
use crate::queue::name::QueueName;
use crate::queue::op::Op;
use crate::queue::part::Part;
use crate::queue::settings::Setting;
use crate::queue::store::Store;
use crate::queue::{Counts, Effects, Outcome, QueueError, apply};
use crate::reply::CommandError;
use crate::server::context::Context;
use crate::server::key::Access;
use crate::server::string::ServerString;
use crate::state;
use crate::store::body::StoredBody;
use crate::store::keys;
pub use crate::store::op::OP_VERSION;
use crate::store::op::{decode_op, encode_op};
use crate::store::record::RecordError;
use crate::store::records::Records;
use crate::store::server_keyspace::{KeyNames, ServerKeyspace};

/// A body as the server holds it.
pub type Body = StoredBody<ServerString>;

/// Applies an op that this server decided and sends it on if it changed something. The database of
/// the entry must be selected.
pub fn execute(
    context: Context<'_>,
    entry: &Rc<Entry>,
    op: &Op<'_>,
) -> Result<Outcome<Body>, QueueError> {
    execute_on(context, entry, &mut open(context, entry, Access::Write), op)
}

/// As [`execute`], with the records of the queue as they were opened to decide on the op.
pub fn execute_on(
    context: Context<'_>,
    entry: &Rc<Entry>,
    store: &mut Records<ServerKeyspace<'_>>,
    op: &Op<'_>,
) -> Result<Outcome<Body>, QueueError> {
    let mut effects = Effects::none();
    let outcome = apply(store, &mut effects, op)?;
    if effects.changed {
        context.signal_modified(entry.names.name());
        context.replicate(c"MQ.APPLY", entry.names.name(), &encode_op(op));
    }
    state::with(|state| {
        if let Some(receipt) = effects.last_receipt {
            state.receipts.gave(receipt);
        }
        state.note(context, entry, effects);
    });
    Ok(outcome)
}

/// Applies the bytes of an op that another server decided, or this one before it was restarted.
pub fn replay(context: Context<'_>, entry: &Rc<Entry>, bytes: &[u8]) -> Result<(), CommandError> {
    let (mut op, rules) = decode_op(bytes).map_err(|error| match error {
        RecordError::Version(version) => CommandError::OpVersion(version),
        RecordError::Damaged => CommandError::NoOp,
    })?;
    if state::with(|state| state.is_cluster.get()) {
        // It may come from a server without cluster: here no other slot may be touched.
        op.keep_to_slot();
    }
    let mut effects = Effects::none();
    let keyspace = ServerKeyspace::new(context, entry.names.clone(), Access::Write);
    entry.forget_last_ready();
    apply(&mut Records::with_rules(keyspace, rules), &mut effects, &op)?;
    if effects.changed {
        context.signal_modified(entry.names.name());
        context.replicate_verbatim();
    }
    if context.is_loading() {
        // What happened before the server started is not counted.
        effects.counts = Counts::default();
    }
    state::with(|state| {
        if let Some(receipt) = effects.last_receipt {
            state.receipts.learn(receipt, context.now_ms());
        }
        state.note(context, entry, effects);
    });
    Ok(())
}

/// As [`open`], for one look at a queue that may not be used for long: the names of its keys are not
/// kept.
pub fn open_once<'a>(context: Context<'a>, entry: &Entry) -> Records<ServerKeyspace<'a>> {
    let names = Rc::new(KeyNames::new(entry.queue().clone()));
    Records::new(ServerKeyspace::new(context, names, Access::Write))
}

/// The records of a queue in the selected database.
pub fn open<'a>(
    context: Context<'a>,
    entry: &Entry,
    access: Access,
) -> Records<ServerKeyspace<'a>> {
    Records::new(ServerKeyspace::new(context, entry.names.clone(), access))
}

/// The name of a queue's key.
pub fn key_of(queue: &QueueName, part: Part) -> Vec<u8> {
    keys::key(queue, part)
}

/// A setting of the queue that is a number and never negative.
pub fn setting(store: &mut impl Store, wanted: Setting) -> Result<u64, QueueError> {
    store.require(&[Part::Config])?;
    Ok(store.number(wanted))
}
