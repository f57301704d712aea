//! MQ.PULL: delivers messages, or waits for one.

use std::rc::Rc;

use super::arguments::{Numbers, VISIBILITY};
use crate::execute::{Body, execute_on, open, settings};
use crate::index::Entry;
use crate::queue::Outcome;
use crate::queue::op::{MAX_BATCH, Mode, Op, Sweep};
use crate::queue::pull::Pulled;
use crate::queue::settings::{MAX_DURATION_MS, Setting};
use crate::reply::{self, CommandError};
use crate::server::command::{Arg, Command, KeyUse, Number, Spec};
use crate::server::context::Context;
use crate::server::key::Access;
use crate::server::string::Argument;
use crate::state;
use crate::waiting::{self, Patience};

const COUNT: Number = Number { token: "COUNT", name: "n", min: 1, max: MAX_BATCH as i64 };
const BLOCK: Number = Number { token: "BLOCK", name: "ms", min: 0, max: MAX_DURATION_MS as i64 };

/// A pull moves at least so many of the messages that are due, if so many are.
const LEAST_SWEEP: u32 = 16;

/// `MQ.PULL queue [COUNT n] [VISIBILITY ms] [BLOCK ms]`
pub struct Pull;

impl Command for Pull {
    const SPEC: Spec = Spec {
        name: "MQ.PULL",
        summary: "Delivers messages and makes them invisible to others for a while.",
        complexity: "O(1) for each message, O(log n) with n messages in flight or returned.",
        since: "0.1.0",
        flags: "write",
        blocking: true,
        arity: -2,
        key: Some(KeyUse::AccessAndUpdate),
        names_dead_letter: false,
        arguments: &[Arg::Queue, Arg::Number(COUNT), Arg::Number(VISIBILITY), Arg::Number(BLOCK)],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        super::answer(context, || pull(context, arguments));
    }
}

/// What a client asks for.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// None: one message, and no array around it.
    count: Option<u32>,
    /// None: the queue's default.
    visibility_ms: Option<u64>,
}

impl Request {
    /// The most messages.
    pub fn count(&self) -> u32 {
        self.count.unwrap_or(1)
    }

    /// The reply when nothing is ready.
    pub fn reply_empty(&self, context: Context<'_>) {
        match self.count {
            None => context.reply_null_array(),
            Some(_) => context.reply_array(0),
        }
    }

    fn reply(
        &self,
        context: Context<'_>,
        entry: &Entry,
        pulled: &Pulled<Body>,
    ) -> Result<(), CommandError> {
        if let Some(error) = pulled.error {
            return Err(error.into());
        }
        match (self.count, pulled.messages.first()) {
            (None, None) => self.reply_empty(context),
            (None, Some(message)) => reply::message(context, entry.queue(), message),
            (Some(_), _) => {
                context.reply_array(pulled.messages.len());
                for message in &pulled.messages {
                    reply::message(context, entry.queue(), message);
                }
            }
        }
        Ok(())
    }
}

fn pull(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, options @ ..] = arguments else { return Err(CommandError::Syntax) };
    let options = Numbers::read(&Pull::SPEC, options)?;
    let request = Request {
        count: options.get(&COUNT).and_then(|count| u32::try_from(count).ok()),
        visibility_ms: options.get(&VISIBILITY),
    };
    let patience = options.get(&BLOCK).map(Patience::Milliseconds);
    let entry = super::entry(context, *queue)?;

    // One who is ready to wait lines up behind those who wait already.
    if let Some(patience) = patience
        && entry.has_waiting()
        && !context.may_not_block()
        && waiting::wait(context, &entry, request, patience)
    {
        return Ok(());
    }
    let mut pulled = take(context, &entry, &request)?;
    while is_empty(&pulled) && (pulled.more_due || patience.is_some()) {
        let may_block = !context.may_not_block();
        let patience = patience.unwrap_or(Patience::UntilSwept);
        if may_block && waiting::wait(context, &entry, request, patience) {
            return Ok(());
        }
        if !pulled.more_due {
            break;
        }
        pulled = take(context, &entry, &request)?;
    }
    request.reply(context, &entry, &pulled)
}

fn is_empty(pulled: &Pulled<Body>) -> bool {
    pulled.messages.is_empty() && pulled.error.is_none()
}

/// Answers a client that waited and that there may be something for now.
pub fn answer_waiting(context: Context<'_>, entry: &Rc<Entry>, request: &Request) {
    super::answer(context, || {
        let pulled = take(context, entry, request)?;
        request.reply(context, entry, &pulled)
    });
}

fn take(
    context: Context<'_>,
    entry: &Rc<Entry>,
    request: &Request,
) -> Result<Pulled<Body>, CommandError> {
    let now_ms = context.now_ms();
    let mut store = open(context, entry, Access::Write);
    let visibility_ms = match request.visibility_ms {
        Some(visibility_ms) => visibility_ms,
        None => settings(&mut store, &[Setting::Visibility])?.visibility_ms,
    };
    let is_due = state::with(|state| state.may_be_due(entry, now_ms));
    let limit = if is_due { request.count().max(LEAST_SWEEP) } else { 0 };
    let op = Op::Pull {
        now_ms,
        count: request.count(),
        delivery: Mode::Receipt { visibility_ms, consumer: None },
        base_receipt: state::with(|state| state.base_receipt(now_ms)),
        sweep: Sweep { limit, same_slot: super::is_same_slot_only() },
        acknowledged: Vec::new(),
    };
    match execute_on(context, entry, &mut store, &op)? {
        Outcome::Pulled(pulled) => Ok(pulled),
        _ => Ok(Pulled::nothing()),
    }
}
