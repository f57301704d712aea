//! MQ.QUEUES: the names of the queues in the selected database.

use super::glob;
use super::options::Options;
use crate::reply::CommandError;
use crate::server::blocked::{BlockedClient, Later};
use crate::server::command::{Arg, Command, Number, Spec};
use crate::server::context::Context;
use crate::server::string::Argument;
use crate::{scan, state};

/// Where a client goes on: 0 at first, then what the reply says.
const CURSOR: Number = Number { token: "CURSOR", name: "cursor", min: 0, max: i64::MAX };

/// How many queues are looked at for a reply.
const COUNT: Number = Number { token: "COUNT", name: "n", min: 1, max: 100_000 };
const DEFAULT_COUNT: usize = 500;

/// `MQ.QUEUES [MATCH pattern] [CURSOR cursor [COUNT n]]`
pub struct Queues;

impl Command for Queues {
    const SPEC: Spec = Spec {
        name: "MQ.QUEUES",
        summary: "Returns the names of the queues that have a message or a setting.",
        complexity: "O(n) with n queues; with CURSOR, with the n of COUNT.",
        since: "0.1.0",
        flags: "readonly",
        blocking: true,
        arity: -1,
        key: None,
        arguments: &[Arg::Pattern("MATCH"), Arg::With(&Arg::Number(CURSOR), &Arg::Number(COUNT))],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        super::answer::<Self>(context, arguments, queues);
    }
}

fn queues(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let wanted = Wanted::read(arguments)?;
    let may_not_block = context.may_not_block();
    // Newer servers find the keys of one slot only inside a transaction or a script of a cluster.
    let sees_all = !(may_not_block && super::is_same_slot_only());
    // Where the server does not tell of keys that appear, the list is made anew; what may not wait
    // for that, or goes on with a list, gets what is known.
    let is_complete = state::with(|state| {
        let is_kept = state.hears_of_keys.get() || may_not_block || wanted.goes_on();
        state.scan.borrow().is_none() && is_kept
    });
    if is_complete && sees_all {
        reply(context, &wanted);
        return Ok(());
    }
    if may_not_block {
        return Err(CommandError::NoList);
    }
    let client = BlockedClient::until_later::<Queues>(context).ok_or(CommandError::NoList)?;
    state::with(|state| state.waiting_for_scan.borrow_mut().push(client));
    if state::with(|state| state.scan.borrow().is_none()) {
        scan::begin(context);
    }
    Ok(())
}

/// What a client asks for.
struct Wanted<'a> {
    pattern: Option<&'a [u8]>,
    /// Behind which serial number, and how many queues are looked at.
    page: Option<(u64, usize)>,
}

impl<'a> Wanted<'a> {
    fn read(arguments: &'a [Argument<'_>]) -> Result<Self, CommandError> {
        let [_, options @ ..] = arguments else { return Err(CommandError::Arity) };
        let options = Options::read::<Queues>(options)?;
        let count = options.number(&COUNT).and_then(|count| usize::try_from(count).ok());
        let count = count.unwrap_or(DEFAULT_COUNT);
        Ok(Self {
            pattern: options.value("MATCH"),
            page: options.number(&CURSOR).map(|after| (after, count)),
        })
    }

    /// True if it has got a part already.
    fn goes_on(&self) -> bool {
        self.page.is_some_and(|(after, _)| after > 0)
    }
}

impl Later for Queues {
    fn reply(context: Context<'_>, arguments: &[Argument<'_>], _: u64) {
        super::answer_later(context, Wanted::read(arguments).map(|wanted| reply(context, &wanted)));
    }

    fn gone(client: &BlockedClient) {
        state::with(|state| state.waiting_for_scan.borrow_mut().retain(|other| other != client));
    }
}

fn reply(context: Context<'_>, wanted: &Wanted<'_>) {
    let db = context.selected_db();
    let (entries, next) = state::with(|state| {
        let index = state.index.borrow();
        match wanted.page {
            None => (index.entries(db), None),
            Some((after, count)) => {
                let (entries, next) = index.page(after, count);
                (entries, Some(next))
            }
        }
    });
    let user = context.user();
    let names: Vec<_> = entries
        .into_iter()
        .filter(|entry| {
            let name = entry.queue().as_bytes();
            entry.db == db
                && wanted.pattern.is_none_or(|pattern| glob::matches(pattern, name))
                && user.as_ref().is_none_or(|user| user.may_name(name))
                && state::exists(context, entry)
                && state::may_show(context, entry)
        })
        .collect();
    if let Some(next) = next {
        context.reply_array(2);
        context.reply_bytes(next.to_string().as_bytes());
    }
    context.reply_array(names.len());
    for entry in names {
        context.reply_bytes(entry.queue().as_bytes());
    }
}
