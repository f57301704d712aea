//! The options that several commands have, and their limits.

use crate::queue::message::{MAX_HEADERS, MAX_TIME_MS};
use crate::queue::op::MAX_BATCH;
use crate::queue::settings::MAX_DURATION_MS;
use crate::server::command::{Arg, Name, Number};

const MAX_MS: i64 = MAX_DURATION_MS as i64;

/// A delay: 0 is none.
pub const DELAY: Number = milliseconds("DELAY", 0);

/// The moment when a message becomes ready.
pub const AT: Number = Number { token: "AT", name: "unix-ms", min: 0, max: MAX_TIME_MS as i64 - 1 };

/// When a message becomes ready.
pub const WHEN: &[Arg] = &[Arg::Number(DELAY), Arg::Number(AT)];

/// How long a message may wait; 0: for ever.
pub const TTL: Number = milliseconds("TTL", 0);

/// 9 goes first; 0 is none.
pub const PRIORITY: Number = Number { token: "PRIORITY", name: "n", min: 0, max: 9 };

/// Whose message it is.
pub const GROUP: Name = name("GROUP", "name");

/// Where a message stands among others.
pub const RANK: &[Arg] = &[Arg::Number(PRIORITY), Arg::Name(GROUP)];

/// What comes with the payload.
pub const HEADERS: Number = Number { token: "HEADERS", name: "n", min: 1, max: MAX_HEADERS as i64 };

/// A visibility.
pub const VISIBILITY: Number = milliseconds("VISIBILITY", 1);

/// The most messages of a pull.
pub const COUNT: Number = Number { token: "COUNT", name: "n", min: 1, max: MAX_BATCH as i64 };

/// How long a pull waits; 0: for ever.
pub const BLOCK: Number = milliseconds("BLOCK", 0);

/// Who pulls.
pub const CONSUMER: Name = name("CONSUMER", "name");

/// What NOACK can't be given with.
pub const NOT_WITH_NOACK: &[&str] = &["VISIBILITY", "ONDISCONNECT", "CONSUMER"];

const fn milliseconds(token: &'static str, min: i64) -> Number {
    Number { token, name: "ms", min, max: MAX_MS }
}

/// A name of 1 to 256 bytes.
pub const fn name(token: &'static str, name: &'static str) -> Name {
    Name { token, name, min: 1, max: 256 }
}
