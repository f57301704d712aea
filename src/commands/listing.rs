//! Lists of queues: which queues the client may see, found in slices between which other clients are served, and a reply
//! that is made in slices as well. What MQ.QUEUES and MQ.STATS share.

use std::collections::BTreeSet;
use std::marker::PhantomData;

use super::errors::CommandError;
use super::options::Options;
use super::{glob, handler};
use crate::queue::name::QueueName;
use crate::runtime::entry::Entry;
use crate::runtime::facts::{HAS_KEYSPACE_EVENTS, IMPORTS_VISIBLY, IS_ACTIVE, IS_CLUSTER};
use crate::runtime::slices::{self, Reading};
use crate::runtime::{index, scan};
use crate::server::acl::{User, UserName};
use crate::server::blocked::{BlockedClient, Deferred};
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::spec::{Arg, Number};
use crate::server::string::Argument;

/// The option that selects queues by their names.
pub const MATCH: Arg = Arg::Pattern("MATCH");

/// 0 at first, then what the last reply returned.
pub const CURSOR: Number = Number { token: "CURSOR", name: "cursor", min: 0, max: i64::MAX };

/// A command that lists queues.
pub trait List: Command {
    /// How many queues are inspected for one page.
    const COUNT: Number;
    const DEFAULT_COUNT: usize;
    /// How many queues are inspected, and how many shown, before other clients are served.
    const SLICE: usize;
    const SHOWN: usize;

    /// True if the user may see what the list says of a queue.
    fn may_see(user: &User<'_>, queue: &QueueName) -> bool;
    /// Replies to one client what the list says of a queue, whose database is selected in the other context.
    fn show(context: Context<'_>, client: Context<'_>, queue: &QueueName);
}

/// Replies the list, now or in slices.
pub fn list<L: List + 'static>(
    context: Context<'_>,
    arguments: &[Argument<'_>],
) -> Result<(), CommandError> {
    let mut listing = Listing::<L>::read(context, arguments)?;
    let may_not_block = context.may_not_block();
    // Inside a transaction or a script in cluster mode newer servers only find keys of one slot.
    let sees_all = !(may_not_block && IS_CLUSTER.get());
    // Without keyspace events the index may lack queues, so it is rebuilt first; a client that may not block, or
    // that continues a list, gets what is known.
    let is_kept = HAS_KEYSPACE_EVENTS.get() || may_not_block || listing.next > 0;
    let is_complete = is_kept && !scan::is_under_way();
    if is_complete && sees_all {
        listing.look(context, if may_not_block { usize::MAX } else { L::SLICE });
        if listing.is_complete() {
            listing.reply(context);
            return Ok(());
        }
    }
    if may_not_block {
        return Err(CommandError::NoList);
    }
    let client = BlockedClient::deferred::<Listing<L>>(context).ok_or(CommandError::NoList)?;
    slices::read_on(context, client, listing);
    if !is_complete && !scan::is_under_way() {
        scan::begin(context);
    }
    Ok(())
}

/// A list that is being made.
struct Listing<L> {
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
    command: PhantomData<L>,
}

impl<L: List> Listing<L> {
    fn read(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<Self, CommandError> {
        let [_, options @ ..] = arguments else { return Err(CommandError::Arity) };
        let options = Options::read::<L>(options)?;
        let cursor = options.number(&CURSOR);
        let count = options.number(&L::COUNT).and_then(|count| usize::try_from(count).ok());
        Ok(Self {
            db: context.selected_db(),
            pattern: options.value("MATCH").map(Box::from),
            user: context.user_name(),
            is_part: cursor.is_some(),
            next: cursor.unwrap_or(0),
            left: if cursor.is_some() { count.unwrap_or(L::DEFAULT_COUNT) } else { usize::MAX },
            names: BTreeSet::new(),
            command: PhantomData,
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
                && user.as_ref().is_none_or(|user| L::may_see(user, name))
                && entry.has_keys(context)
                && may_show(context, &entry)
            {
                self.names.insert(name.clone());
            }
        }
    }

    fn reply(&mut self, context: Context<'_>) {
        self.reply_heads(context);
        self.show(context, context, usize::MAX);
    }

    fn reply_heads(&self, client: Context<'_>) {
        if self.is_part {
            client.reply_array(2);
            client.reply_bytes(self.next.to_string().as_bytes());
        }
        client.reply_array(self.names.len());
    }

    /// Shows the next `count` of the queues that were found.
    fn show(&mut self, context: Context<'_>, client: Context<'_>, count: usize) {
        for _ in 0..count {
            let Some(name) = self.names.pop_first() else { return };
            L::show(context, client, &name);
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

impl<L: List> Deferred for Listing<L> {
    /// CLIENT UNBLOCK: the client gets what is known.
    fn reply(context: Context<'_>, arguments: &[Argument<'_>], _: u64) {
        handler::answer_later(
            context,
            Self::read(context, arguments).map(|mut listing| {
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

impl<L: List> Reading for Listing<L> {
    fn step(&mut self, context: Context<'_>, client: &BlockedClient) -> bool {
        let is_there = context.select_db(self.db);
        if self.is_complete() {
            client.reply_with(|client| self.show(context, client, L::SHOWN));
            return !self.names.is_empty();
        }
        if is_there {
            self.look(context, L::SLICE);
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
