//! MQ.EXTEND: restarts the visibility of deliveries.

use super::arguments::{QUEUE, VISIBILITY};
use super::claims::{self, CLAIMS};
use super::errors::CommandError;
use super::handler;
use super::options::Options;
use crate::queue::QueueError;
use crate::queue::message::Delivery;
use crate::queue::op;
use crate::queue::settings::Setting;
use crate::queue::small_vec::ShortVec;
use crate::queue::store::Store;
use crate::runtime::execute::execute_on;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::key::Access;
use crate::server::spec::{Arg, KeyUse, Spec};
use crate::server::string::Argument;

/// `MQ.EXTEND queue (id receipt | IDS n id receipt [id receipt ...]) [VISIBILITY milliseconds]`
pub struct Extend;

impl Command for Extend {
    const SPEC: Spec = Spec {
        name: "MQ.EXTEND",
        summary: "Restarts the visibility of delivered messages from now.",
        complexity: "O(log n) for each message, with n messages in flight.",
        since: "0.1.0",
        flags: "write fast",
        blocking: false,
        arity: -4,
        key: Some(KeyUse::Update),
        arguments: &[QUEUE, CLAIMS, Arg::Number(VISIBILITY)],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, extend);
    }
}

fn extend(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, rest @ ..] = arguments else { return Err(CommandError::Arity) };
    let (mut claims, rest) = claims::read(rest)?;
    let options = Options::read::<Extend>(rest)?;
    let entry = handler::entry(context, *queue)?;
    let mut store = entry.open(context, Access::Write);
    let deliveries = std::mem::take(&mut claims.claims);
    let op = op(&options, &mut store, deliveries, context.now_ms())?;
    let outcome = match op {
        Extension::Extend(op) => execute_on(context, &entry, &mut store, op),
        Extension::Prolong(op) => execute_on(context, &entry, &mut store, op),
    };
    claims.reply(context, outcome, |until_ms| until_ms)
}

/// The op of an extension.
pub enum Extension {
    /// To the visibility of the command.
    Extend(op::Extend),
    /// To that of the queue.
    Prolong(op::Prolong),
}

/// An explicit visibility replaces the current one; the queue's default can only prolong it.
pub fn op<A: AsRef<[u8]>>(
    options: &Options<'_, A>,
    store: &mut impl Store,
    deliveries: ShortVec<Delivery>,
    now_ms: u64,
) -> Result<Extension, QueueError> {
    Ok(match options.number(&VISIBILITY) {
        Some(visibility_ms) => Extension::Extend(op::Extend { now_ms, deliveries, visibility_ms }),
        None => {
            let visibility_ms = store.required_number(Setting::Visibility)?;
            Extension::Prolong(op::Prolong { now_ms, deliveries, visibility_ms })
        }
    })
}
