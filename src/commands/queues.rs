//! MQ.QUEUES: lists the queues of the selected database.

use std::collections::BTreeSet;

use super::errors::CommandError;
use super::options::Options;
use super::{glob, handler};
use crate::queue::name::QueueName;
use crate::runtime::entry::Entry;
use crate::runtime::facts::{HAS_KEYSPACE_EVENTS, IMPORTS_VISIBLY, IS_ACTIVE, IS_CLUSTER};
use crate::runtime::slices::{self, Reading};
use crate::runtime::{index, scan};
use crate::server::acl::UserName;
use crate::server::blocked::{BlockedClient, Deferred};
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::spec::{Arg, Number, Spec};
use crate::server::string::Argument;

/// 0 at first, then what the last reply returned.
const CURSOR: Number = Number { token: "CURSOR", name: "cursor", min: 0, max: i64::MAX };

/// How many queues are inspected for one page.
const COUNT: Number = Number { token: "COUNT", name: "n", min: 1, max: 100_000 };
const DEFAULT_COUNT: usize = 500;

/// How many queues are inspected, and how many names sent, before other clients are served.
const SLICE: usize = 64;
const NAMES: usize = 1_024;

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
        arguments: &[
            Arg::Pattern("MATCH"),
            Arg::Nested(&Arg::Number(CURSOR), &[Arg::Number(COUNT)]),
        ],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, queues);
    }
}

fn queues(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let mut listing = Listing::read(context, arguments)?;
    let may_not_block = context.may_not_block();
    // Inside a transaction or a script in cluster mode newer servers only find keys of one slot.
    let sees_all = !(may_not_block && IS_CLUSTER.get());
    // Without keyspace events the index may lack queues, so it is rebuilt first; a client that may not block, or
    // that continues a list, gets what is known.
    let is_kept = HAS_KEYSPACE_EVENTS.get() || may_not_block || listing.next > 0;
    let is_complete = is_kept && !scan::is_under_way();
    if is_complete && sees_all {
        listing.look(context, if may_not_block { usize::MAX } else { SLICE });
        if listing.is_complete() {
            listing.reply(context);
            return Ok(());
        }
    }
    if may_not_block {
        return Err(CommandError::NoList);
    }
    let client = BlockedClient::deferred::<Queues>(context).ok_or(CommandError::NoList)?;
    slices::read_on(context, client, listing);
    if !is_complete && !scan::is_under_way() {
        scan::begin(context);
    }
    Ok(())
}

impl Deferred for Queues {
    /// CLIENT UNBLOCK: the client gets what is known.
    fn reply(context: Context<'_>, arguments: &[Argument<'_>], _: u64) {
        handler::answer_later(
            context,
            Listing::read(context, arguments).map(|mut listing| {
                listing.look(context, usize::MAX);
                listing.reply(context);
            }),
        );
    }

    fn gone(client: &BlockedClient) {
        slices::reader_gone(client);
    }

    fn done(_: u64) {}
}

/// A list that is being made.
struct Listing {
    db: i32,
    pattern: Option<Box<[u8]>>,
    /// None where the server can't check permissions.
    user: Option<UserName>,
    /// One page of the list, as requested by CURSOR.
    is_part: bool,
    /// The serial number after which it continues; in the end the cursor of the next page.
    next: u64,
    /// How many queues are left to inspect.
    left: usize,
    names: BTreeSet<QueueName>,
}

impl Listing {
    fn read(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<Self, CommandError> {
        let [_, options @ ..] = arguments else { return Err(CommandError::Arity) };
        let options = Options::read::<Queues>(options)?;
        let cursor = options.number(&CURSOR);
        let count = options.number(&COUNT).and_then(|count| usize::try_from(count).ok());
        Ok(Self {
            db: context.selected_db(),
            pattern: options.value("MATCH").map(Box::from),
            user: context.user_name(),
            is_part: cursor.is_some(),
            next: cursor.unwrap_or(0),
            left: if cursor.is_some() { count.unwrap_or(DEFAULT_COUNT) } else { usize::MAX },
            names: BTreeSet::new(),
        })
    }

    fn is_complete(&self) -> bool {
        self.left == 0
    }

    /// Inspects the next `count` queues. A queue keeps its serial number as long as it is in the index.
    fn look(&mut self, context: Context<'_>, count: usize) {
        let count = count.min(self.left);
        let (entries, next) = index::with(|index| index.page(self.next, count));
        let user = self.user.as_ref().map(|name| name.user(context));
        self.left = if next == 0 { 0 } else { self.left.saturating_sub(entries.len()) };
        self.next = next;
        for entry in entries {
            let name = entry.queue();
            if entry.db == self.db
                && self
                    .pattern
                    .as_ref()
                    .is_none_or(|pattern| glob::matches(pattern, name.as_bytes()))
                && user.as_ref().is_none_or(|user| user.may_name(name.as_bytes()))
                && entry.has_keys(context)
                && may_show(context, &entry)
            {
                self.names.insert(name.clone());
            }
        }
    }

    fn reply(&mut self, context: Context<'_>) {
        self.reply_heads(context);
        self.reply_names(context, usize::MAX);
    }

    fn reply_heads(&self, context: Context<'_>) {
        if self.is_part {
            context.reply_array(2);
            context.reply_bytes(self.next.to_string().as_bytes());
        }
        context.reply_array(self.names.len());
    }

    fn reply_names(&mut self, context: Context<'_>, count: usize) {
        for _ in 0..count {
            let Some(name) = self.names.pop_first() else { return };
            context.reply_bytes(name.as_bytes());
        }
    }
}

/// True if a queue may be listed: in cluster mode not while its slot is imported. A replica lists all: there,
/// Redis 8.4 and later may follow master links in an endless loop.
fn may_show(context: Context<'_>, entry: &Entry) -> bool {
    !IS_CLUSTER.get()
        || !IS_ACTIVE.get()
        || context.may_show(entry.names.name())
            && (!IMPORTS_VISIBLY.get() || entry.names.slot_is_stable(context))
}

impl Reading for Listing {
    fn step(&mut self, context: Context<'_>, client: &BlockedClient) -> bool {
        if self.is_complete() {
            client.reply_with(|context| self.reply_names(context, NAMES));
            return !self.names.is_empty();
        }
        if context.select_db(self.db) {
            self.look(context, SLICE);
        } else {
            self.left = 0;
        }
        if self.is_complete() {
            client.reply_with(|context| self.reply_heads(context));
        }
        true
    }

    fn end(&self, client: BlockedClient) {
        client.wake_replied();
    }
}
