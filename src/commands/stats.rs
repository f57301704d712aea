//! MQ.STATS: the state of many queues, for who samples them.

use super::errors::CommandError;
use super::info::QueueState;
use super::listing::{self, CURSOR, List, MATCH};
use super::{diagnose, handler};
use crate::queue::name::QueueName;
use crate::runtime::index;
use crate::server::acl::User;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::key::Access;
use crate::server::spec::{Arg, Number, Spec};
use crate::server::string::Argument;

/// `MQ.STATS [MATCH pattern] [CURSOR cursor [COUNT n]]`
pub struct Stats;

impl Command for Stats {
    const SPEC: Spec = Spec {
        name: "MQ.STATS",
        summary: "Returns what MQ.INFO returns, of all queues.",
        complexity: "O(n log n) with n queues, with CURSOR with the n of COUNT; other clients are served after \
                     every 100.",
        since: "0.2.0",
        flags: "readonly",
        blocking: true,
        arity: -1,
        key: None,
        arguments: &[MATCH, Arg::Nested(&Arg::Number(CURSOR), &[Arg::Number(Self::COUNT)])],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, listing::list::<Self>);
    }
}

impl List for Stats {
    const COUNT: Number = Number { token: "COUNT", name: "n", min: 1, max: 1_000 };
    const DEFAULT_COUNT: usize = 100;
    const SLICE: usize = 100;
    const SHOWN: usize = 100;

    /// As for MQ.INFO.
    fn may_see(user: &User<'_>, queue: &QueueName) -> bool {
        user.may_read(queue.as_bytes())
    }

    /// An error is that of one queue: the others are shown.
    fn show(context: Context<'_>, client: Context<'_>, queue: &QueueName) {
        match read(context, queue) {
            Ok(state) => {
                client.reply_map(state.len().saturating_add(1));
                client.reply_text_field("queue", queue.as_bytes());
                state.reply(client);
            }
            Err(error) => {
                client.reply_map(2);
                client.reply_text_field("queue", queue.as_bytes());
                let error = diagnose::of_queues(context, &[], &error);
                client.reply_text_field("error", error.as_bytes());
            }
        }
    }
}

fn read(context: Context<'_>, queue: &QueueName) -> Result<QueueState, CommandError> {
    let entry = index::entry(context, queue.as_bytes())?;
    let store = if index::with(|index| index.has_few()) {
        entry.open(context, Access::Read)
    } else {
        entry.open_once(context, Access::Read)
    };
    QueueState::read(context, &entry, store).map_err(|error| CommandError::At(queue.clone(), error))
}
