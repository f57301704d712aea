//! MQ.NACK: returns delivered messages to their queue, or sends them to the dead-letter queue.

use super::arguments::{DELAY, QUEUE};
use super::claims::{self, CLAIMS};
use super::errors::CommandError;
use super::handler;
use super::options::Options;
use crate::queue::message::Delivery;
use crate::queue::op::{self, Return};
use crate::queue::small_vec::ShortVec;
use crate::queue::valid::MAX_ERROR_BYTES;
use crate::runtime::execute::execute;
use crate::runtime::facts::IS_CLUSTER;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::spec::{Arg, KeyUse, Name, Spec};
use crate::server::string::Argument;

const REASON: Name = Name { token: "REASON", name: "text", min: 0, max: usize::MAX };

/// `MQ.NACK queue (id receipt | IDS n id receipt [id receipt ...]) [DELAY milliseconds] [NOCOUNT [FRONT] | DEAD] [REASON text]`
pub struct Nack;

impl Command for Nack {
    const SPEC: Spec = Spec {
        name: "MQ.NACK",
        summary: "Returns delivered messages to the queue, or sends them to the dead-letter queue.",
        complexity: "O(log n) for each message, with n messages in the queue.",
        since: "0.1.0",
        flags: "write fast",
        blocking: false,
        arity: -4,
        key: Some(KeyUse::Update),
        arguments: &[
            QUEUE,
            CLAIMS,
            Arg::Number(DELAY),
            Arg::OneOf(
                "how",
                &[
                    Arg::Nested(&Arg::Flag("NOCOUNT"), &[Arg::FlagWithout("FRONT", &["DELAY"])]),
                    Arg::Flag("DEAD"),
                ],
            ),
            Arg::Name(REASON),
        ],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, nack);
    }
}

fn nack(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, rest @ ..] = arguments else { return Err(CommandError::Arity) };
    let (mut claims, rest) = claims::read(rest)?;
    let options = Options::read::<Nack>(rest)?;
    let entry = handler::entry(context, *queue)?;
    let deliveries = std::mem::take(&mut claims.claims);
    let op = op(&options, deliveries, context.now_ms(), IS_CLUSTER.get());
    let outcome = execute(context, &entry, op);
    claims.reply(context, outcome, |_| 1)
}

/// The op that the options ask for.
pub fn op<'a, A: AsRef<[u8]>>(
    options: &Options<'a, A>,
    deliveries: ShortVec<Delivery>,
    now_ms: u64,
    same_slot: bool,
) -> op::Nack<'a> {
    let how = if options.has("FRONT") {
        Return::InFront
    } else if options.has("NOCOUNT") {
        Return::Uncounted
    } else if options.has("DEAD") {
        Return::Rejected
    } else {
        Return::Counted
    };
    let delay_ms = options.number(&DELAY);
    let reason = options.text(&REASON).map(kept);
    op::Nack { now_ms, deliveries, delay_ms, same_slot, how, reason }
}

/// The part of a reason that is stored.
pub fn kept(reason: &[u8]) -> &[u8] {
    cut(reason, MAX_ERROR_BYTES)
}

/// At most the first `max` bytes of a text, without cutting a UTF-8 character.
fn cut(text: &[u8], max: usize) -> &[u8] {
    let Some((head, rest)) = text.split_at_checked(max) else { return text };
    if rest.first().is_none_or(|byte| !is_continuation(*byte)) {
        return head;
    }
    let start = head.iter().rposition(|byte| !is_continuation(*byte));
    // A character has at most three continuation bytes: anything longer is not UTF-8.
    match start {
        Some(start) if max.saturating_sub(start) <= 3 => head.get(..start).unwrap_or(head),
        _ => head,
    }
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        for (text, max, expected) in [
            ("abc", 3, "abc".as_bytes()),
            ("abcd", 3, b"abc"),
            ("ab\u{e4}", 3, b"ab"),
            ("a\u{20ac}", 3, b"a"),
            ("\u{1f600}x", 4, "\u{1f600}".as_bytes()),
            ("\u{1f600}", 3, b""),
            ("", 3, b""),
        ] {
            assert_eq!(cut(text.as_bytes(), max), expected, "{text} {max}");
        }
        assert_eq!(cut(&[0x80; 9], 5), [0x80; 5], "no UTF-8 is cut anywhere");
    }
}
