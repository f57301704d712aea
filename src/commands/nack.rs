//! MQ.NACK: deliveries that are given back.

use super::arguments::{DELAY, Numbers};
use super::claims;
use crate::execute::execute;
use crate::queue::op::{Op, Return};
use crate::reply::CommandError;
use crate::server::command::{Arg, Command, KeyUse, Spec};
use crate::server::context::Context;
use crate::server::string::Argument;

/// `MQ.NACK queue (id receipt | IDS n id receipt [id receipt ...]) [DELAY ms]`
pub struct Nack;

impl Command for Nack {
    const SPEC: Spec = Spec {
        name: "MQ.NACK",
        summary: "Gives delivered messages back, which counts as a retry.",
        complexity: "O(log n) for each message, with n messages in flight or returned.",
        since: "0.1.0",
        flags: "write fast",
        blocking: false,
        arity: -4,
        key: Some(KeyUse::Update),
        names_dead_letter: false,
        arguments: &[Arg::Queue, Arg::Claims, Arg::Number(DELAY)],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        super::answer(context, || nack(context, arguments));
    }
}

fn nack(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, rest @ ..] = arguments else { return Err(CommandError::Syntax) };
    let (mut claims, rest) = claims::read(rest)?;
    let options = Numbers::read(&Nack::SPEC, rest)?;
    let entry = super::entry(context, *queue)?;
    let op = Op::GiveBack {
        now_ms: context.now_ms(),
        deliveries: std::mem::take(&mut claims.claims),
        delay_ms: options.get(&DELAY),
        same_slot: super::is_same_slot_only(),
        how: Return::Counted,
        reason: None,
    };
    let outcome = execute(context, &entry, &op);
    claims.reply(context, outcome, |_| 1)
}
