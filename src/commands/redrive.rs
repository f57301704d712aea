//! MQ.REDRIVE: dead letters go back to where they died, or to another queue.

use super::options::Options;
use crate::execute::{execute, open};
use crate::index::Entry;
use crate::queue::name::QueueName;
use crate::queue::op::{MAX_REDRIVE, Op};
use crate::queue::redrive::targets;
use crate::reply::{self, CommandError};
use crate::server::command::{Arg, Command, KeyUse, Number, Spec};
use crate::server::context::Context;
use crate::server::key::Access;
use crate::server::string::Argument;

const COUNT: Number = Number { token: "COUNT", name: "n", min: 1, max: MAX_REDRIVE as i64 };
const DEFAULT_COUNT: u32 = 1_000;

/// `MQ.REDRIVE queue [COUNT n] [TO queue]`
pub struct Redrive;

impl Command for Redrive {
    const SPEC: Spec = Spec {
        name: "MQ.REDRIVE",
        summary: "Moves dead messages back to the queues in which they died.",
        complexity: "O(log n) for each message, with n messages in the queues.",
        since: "0.1.0",
        flags: "write",
        blocking: false,
        arity: -2,
        key: Some(KeyUse::Delete),
        arguments: &[Arg::Queue, Arg::Number(COUNT), Arg::OtherQueue("TO")],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        super::answer(context, || redrive(context, arguments));
    }
}

fn redrive(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, options @ ..] = arguments else { return Err(CommandError::Syntax) };
    let (count, to) = read(options)?;
    let entry = super::entry(context, *queue)?;
    match &to {
        Some(to) if to == entry.queue() => return Err(CommandError::RedrivenToItself),
        Some(to) if super::is_same_slot_only() && !to.shares_slot_with(entry.queue()) => {
            return Err(CommandError::CrossSlot);
        }
        Some(_) => {}
        None => check_permissions(context, &entry, count)?,
    }
    let same_slot = super::is_same_slot_only();
    let op = Op::Redrive { now_ms: context.now_ms(), count, to, same_slot };
    reply::number(context, &execute(context, &entry, &op)?);
    Ok(())
}

/// How many are looked at, and where they go instead.
pub fn read<A: AsRef<[u8]>>(options: &[A]) -> Result<(u32, Option<QueueName>), CommandError> {
    let options = Options::read::<Redrive>(options)?;
    let count = options.number(&COUNT).and_then(|count| u32::try_from(count).ok());
    let to = options.value("TO").map(QueueName::new).transpose()?;
    Ok((count.unwrap_or(DEFAULT_COUNT), to))
}

/// The queues to which dead letters go back are no arguments: the server has not looked whether the
/// user may write them.
fn check_permissions(context: Context<'_>, entry: &Entry, count: u32) -> Result<(), CommandError> {
    let user = context.user();
    for target in targets(&mut open(context, entry, Access::Read), count)? {
        match &user {
            Some(user) if user.may_add_to(target.as_bytes()) => {}
            Some(_) => return Err(CommandError::NoPermission),
            None => return Err(CommandError::UnknownPermission),
        }
    }
    Ok(())
}
