//! MQ.PEEK: shows messages without delivering them.

use super::arguments::QUEUE;
use super::errors::CommandError;
use super::options::Options;
use super::{dead_letters, handler, reply};
use crate::queue::inspect::{self, Which};
use crate::runtime::slices::{self, Reading};
use crate::runtime::{index, unread};
use crate::server::blocked::{BlockedClient, Deferred};
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::key::Access;
use crate::server::spec::{Arg, KeyUse, Number, Spec};
use crate::server::string::Argument;

const OFFSET: Number = Number { token: "OFFSET", name: "n", min: 0, max: 2_147_483_647 };
const COUNT: Number = Number { token: "COUNT", name: "n", min: 1, max: 1_000 };
const DEFAULT_COUNT: u64 = 10;

/// `MQ.PEEK queue [READY | INFLIGHT | DELAYED | DEAD] [OFFSET n] [COUNT n]`
pub struct Peek;

impl Command for Peek {
    const SPEC: Spec = Spec {
        name: "MQ.PEEK",
        summary: "Shows messages of a queue, or of its dead-letter queue, without delivering them.",
        complexity: "O(log(n)^2 + m) with n messages in the queue and m that are shown; O(g) more to skip \
                     g groups.",
        since: "0.1.0",
        flags: "readonly",
        blocking: false,
        arity: -2,
        key: Some(KeyUse::Access),
        arguments: &[
            QUEUE,
            Arg::OneOf(
                "state",
                &[
                    Arg::Flag("READY"),
                    Arg::Flag("INFLIGHT"),
                    Arg::Flag("DELAYED"),
                    Arg::Flag("DEAD"),
                ],
            ),
            Arg::Number(OFFSET),
            Arg::Number(COUNT),
        ],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, peek);
    }
}

fn peek(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let shown = show(context, arguments);
    if matches!(shown, Err(CommandError::NoOrder))
        && !context.may_not_block()
        && let [_, queue, ..] = arguments
        && let Some(client) = BlockedClient::deferred::<Peek>(context)
    {
        let (db, queue) = (context.selected_db(), queue.as_bytes().to_vec());
        slices::read_on(context, client, Order { db, queue });
        return Ok(());
    }
    shown
}

/// The order in which the deliveries of a queue end, as it is read for a client.
struct Order {
    db: i32,
    queue: Vec<u8>,
}

impl Reading for Order {
    fn step(&mut self, context: Context<'_>, _: &BlockedClient) -> bool {
        context.select_db(self.db)
            && index::entry(context, &self.queue).is_ok_and(|entry| entry.reads_deadlines(context))
    }

    fn end(&self, client: BlockedClient) {
        client.wake();
    }
}

impl Deferred for Peek {
    /// The order is known, or else it was CLIENT UNBLOCK.
    fn reply(context: Context<'_>, arguments: &[Argument<'_>], _: u64) {
        handler::answer_later(context, show(context, arguments));
    }

    fn gone(client: &BlockedClient) {
        slices::reader_gone(client);
    }

    fn done(_: u64) {}
}

/// Error: [`CommandError::NoOrder`] while it would take long to read in which order the deliveries end.
fn show(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, options @ ..] = arguments else { return Err(CommandError::Arity) };
    let options = Options::read::<Peek>(options)?;
    let which = if options.has("INFLIGHT") {
        Which::Inflight
    } else if options.has("DELAYED") {
        Which::Delayed
    } else {
        Which::Ready(context.now_ms())
    };
    let offset = options.number(&OFFSET).unwrap_or(0);
    let count = options.number(&COUNT).unwrap_or(DEFAULT_COUNT);
    let mut entry = handler::entry_to_read(context, *queue)?;
    if options.has("DEAD") {
        entry = dead_letters::of(context, &entry, |user, key| user.may_read(key))?;
    }
    let mut store = entry.open(context, Access::Read);
    if which == Which::Inflight && store.0.has_to_read_deadlines() {
        drop(store);
        unread::add(context, &entry);
        return Err(CommandError::NoOrder);
    }
    let seen = inspect::peek(&mut store, which, offset, count)?;
    context.reply_array(seen.len());
    for message in &seen {
        reply::seen(context, entry.queue(), message);
    }
    Ok(())
}
