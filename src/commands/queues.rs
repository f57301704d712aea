//! MQ.QUEUES: lists the queues of the selected database.

use super::handler;
use super::listing::{self, CURSOR, List, MATCH};
use crate::queue::name::QueueName;
use crate::server::acl::User;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::spec::{Arg, Number, Spec};
use crate::server::string::Argument;

/// `MQ.QUEUES [MATCH pattern] [CURSOR cursor [COUNT n]]`
pub struct Queues;

impl Command for Queues {
    const SPEC: Spec = Spec {
        name: "MQ.QUEUES",
        summary: "Returns the names of the queues that have a message, a setting or a schedule.",
        complexity: "O(n log n) with n queues, with CURSOR with the n of COUNT; other clients are served after \
                     every 64.",
        since: "0.1.0",
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

impl List for Queues {
    const COUNT: Number = Number { token: "COUNT", name: "n", min: 1, max: 100_000 };
    const DEFAULT_COUNT: usize = 500;
    const SLICE: usize = 64;
    const SHOWN: usize = 1_024;

    fn may_see(user: &User<'_>, queue: &QueueName) -> bool {
        user.may_name(queue.as_bytes())
    }

    fn show(_: Context<'_>, client: Context<'_>, queue: &QueueName) {
        client.reply_bytes(queue.as_bytes());
    }
}
