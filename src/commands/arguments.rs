//! Arguments and options that several commands share, with their limits.

use std::ops::RangeInclusive;

use super::errors::CommandError;
use super::options::Options;
use crate::queue::op::MAX_BATCH;
use crate::queue::valid::{MAX_DURATION_MS, MAX_HEADERS, MAX_TIME_MS};
use crate::server::spec::{Arg, MILLISECONDS, Name, Number, UNIX_TIME};

/// The queue that a command is about.
pub const QUEUE: Arg = Arg::Key("queue");

const MAX_MS: i64 = MAX_DURATION_MS as i64;

/// 0: no delay.
pub const DELAY: Number = milliseconds("DELAY", 0);

/// The largest timestamp, unix ms.
pub const UNIX_TIME_MS: i64 = MAX_TIME_MS as i64 - 1;

/// Absolute, where DELAY is relative.
pub const AT: Number = Number { token: "AT", name: UNIX_TIME, min: 0, max: UNIX_TIME_MS };

/// When a message becomes ready.
pub const WHEN: &[Arg] = &[Arg::Number(DELAY), Arg::Number(AT)];

/// How long a message may wait before it expires; 0: for ever.
pub const TTL: Number = milliseconds("TTL", 0);

/// 9 is delivered first; 0: no priority.
pub const PRIORITY: Number = Number { token: "PRIORITY", name: "n", min: 0, max: 9 };

/// The group, often a tenant, that the message belongs to.
pub const GROUP: Name = name("GROUP", "name");

/// What decides the order of delivery.
pub const RANK: &[Arg] = &[Arg::Number(PRIORITY), Arg::Name(GROUP)];

/// Metadata beside the payload.
pub const HEADERS: Number = Number { token: "HEADERS", name: "n", min: 1, max: MAX_HEADERS as i64 };

/// A second push with the same key is a duplicate.
pub const DEDUP: Name = name("DEDUP", "key");

/// How long the deduplication key holds.
pub const WINDOW: Number = milliseconds("WINDOW", 1);

/// Deliveries to acknowledge before the pull.
pub const ACK: Number = Number { token: "ACK", name: "n", min: 1, max: MAX_BATCH as i64 };

/// How long a delivered message is hidden from other consumers.
pub const VISIBILITY: Number = milliseconds("VISIBILITY", 1);

/// The maximum number of messages.
pub const COUNT: Number = Number { token: "COUNT", name: "n", min: 1, max: MAX_BATCH as i64 };

/// How long a pull blocks; 0: no timeout.
pub const BLOCK: Number = milliseconds("BLOCK", 0);

/// The name of the consumer that pulls.
pub const CONSUMER: Name = name("CONSUMER", "name");

/// How much later the messages of a closed connection return.
pub const GRACE: Number = milliseconds("GRACE", 0);

/// The messages return when the client's connection closes.
pub const ON_DISCONNECT: Arg =
    Arg::Nested(&Arg::Flag("ONDISCONNECT"), &[Arg::Flag("NOCOUNT"), Arg::Number(GRACE)]);

/// Options that NOACK excludes.
pub const NOT_WITH_NOACK: &[&str] = &["VISIBILITY", "ONDISCONNECT", "CONSUMER"];

/// In milliseconds these times are before March 1973, in seconds they reach the year 5138: a client that sends
/// one means seconds, and its message would be ready at once.
const SECONDS: RangeInclusive<u64> = 1..=100_000_000_000;

/// When a message becomes ready, unix ms, by DELAY, AT or the queue's delay; None: at once. Error:
/// [`CommandError::InSeconds`].
pub fn due_at_ms<A: AsRef<[u8]>>(
    options: &Options<'_, A>,
    now_ms: u64,
    default_delay_ms: u64,
) -> Result<Option<u64>, CommandError> {
    let due_at_ms = match moment(options, &AT)? {
        Some(at_ms) => at_ms,
        None => now_ms.saturating_add(options.number(&DELAY).unwrap_or(default_delay_ms)),
    };
    Ok((due_at_ms > now_ms).then_some(due_at_ms))
}

/// The absolute time after an option, unix ms, if it was given. Error: [`CommandError::InSeconds`].
pub fn moment<A: AsRef<[u8]>>(
    options: &Options<'_, A>,
    option: &Number,
) -> Result<Option<u64>, CommandError> {
    match options.number(option) {
        Some(at) if SECONDS.contains(&at) => Err(CommandError::InSeconds(option.token, at)),
        moment => Ok(moment),
    }
}

/// A duration of at least `min`.
pub const fn milliseconds(token: &'static str, min: i64) -> Number {
    Number { token, name: MILLISECONDS, min, max: MAX_MS }
}

/// A name of 1 to 256 bytes.
pub const fn name(token: &'static str, name: &'static str) -> Name {
    Name { token, name, min: 1, max: 256 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::claims::CLAIMS;
    use crate::commands::payloads::PAYLOADS;

    const fn any(token: &'static str, name: &'static str) -> Number {
        Number { token, name, min: 0, max: 1 }
    }

    const NUMKEYS: Number = any("numkeys", "numkeys");
    const KEY: Arg = Arg::Nested(
        &Arg::Name(DEDUP),
        &[Arg::OneOf("until", &[Arg::Number(WINDOW), Arg::Flag("UNTILDONE")])],
    );
    const PAIRS: Arg = Arg::Pairs(HEADERS, ["name", "value"]);
    const NOACK: Arg = Arg::FlagWithout("NOACK", NOT_WITH_NOACK);
    const ACKS: Arg = Arg::Pairs(ACK, ["id", "receipt"]);
    const HOW: Arg = Arg::OneOf("how", &[Arg::Flag("NOCOUNT"), Arg::Flag("DEAD")]);
    const STATE: Arg = Arg::OneOf("state", &[Arg::Flag("READY"), Arg::Flag("DEAD")]);

    #[test]
    fn every_form_is_written_as_in_the_documentation() {
        let queue = QUEUE;
        let (count, visibility) = (Arg::Number(COUNT), Arg::Number(VISIBILITY));
        let (block, consumer) = (Arg::Number(BLOCK), Arg::Name(CONSUMER));
        let cases: [(&[&Arg], &str); 14] = [
            (
                &[
                    &queue,
                    &Arg::Text("payload"),
                    &Arg::OneOf("when", WHEN),
                    &Arg::Number(TTL),
                    &Arg::OneOf("rank", RANK),
                    &KEY,
                    &PAIRS,
                ],
                "queue payload [DELAY milliseconds | AT unix-time-milliseconds] [TTL milliseconds] [PRIORITY n | GROUP name] \
                 [DEDUP key [WINDOW milliseconds | UNTILDONE]] [HEADERS n name value [name value ...]]",
            ),
            (
                &[&queue, &Arg::Counted(PAYLOADS, "payload"), &Arg::OneOf("when", WHEN)],
                "queue n payload [payload ...] [DELAY milliseconds | AT unix-time-milliseconds]",
            ),
            (
                &[&queue, &count, &visibility, &block, &consumer, &NOACK, &ACKS],
                "queue [COUNT n] [VISIBILITY milliseconds] [BLOCK milliseconds] [CONSUMER name] [NOACK] \
                 [ACK n id receipt [id receipt ...]]",
            ),
            (
                &[&Arg::Keys(NUMKEYS, "queue"), &count, &Arg::Flag("ONDISCONNECT")],
                "numkeys queue [queue ...] [COUNT n] [ONDISCONNECT]",
            ),
            (
                &[&queue, &CLAIMS, &Arg::Number(DELAY), &HOW, &Arg::Name(name("REASON", "text"))],
                "queue (id receipt | IDS n id receipt [id receipt ...]) [DELAY milliseconds] \
                 [NOCOUNT | DEAD] [REASON text]",
            ),
            (
                &[&queue, &STATE, &Arg::Number(any("OFFSET", "n")), &count],
                "queue [READY | DEAD] [OFFSET n] [COUNT n]",
            ),
            (&[&queue, &Arg::Text("id")], "queue id"),
            (&[&queue, &Arg::Texts("id")], "queue id [id ...]"),
            (
                &[&queue, &Arg::Text("id"), &Arg::Required("when", WHEN)],
                "queue id (DELAY milliseconds | AT unix-time-milliseconds)",
            ),
            (&[&queue, &count, &Arg::OtherKey("TO", "queue")], "queue [COUNT n] [TO queue]"),
            (&[&queue, &Arg::Number(any("FOR", MILLISECONDS))], "queue [FOR milliseconds]"),
            (&[&queue, &Arg::Flag("REPAIR")], "queue [REPAIR]"),
            (
                &[&queue, &Arg::Setting(any("MAXLEN", "n")), &Arg::OtherKey("DEADLETTER", "queue")],
                "queue [MAXLEN n] [DEADLETTER queue]",
            ),
            (&[&Arg::Pattern("MATCH")], "[MATCH pattern]"),
        ];
        for (arguments, expected) in cases {
            let syntax: Vec<String> = arguments.iter().map(|argument| argument.syntax()).collect();
            assert_eq!(syntax.join(" "), expected);
        }
    }
}
