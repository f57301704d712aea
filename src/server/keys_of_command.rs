//! Which arguments of a command are keys, where the server has to ask: a number of queues, or a
//! queue behind a token. Access control and cluster routing rest on it, so whatever a command takes
//! as a queue is told here. A wrong number or a wrong option is told as no key; the command itself
//! then refuses it.

use std::ffi::c_int;

use redis_module::raw;

use super::command::{KeyUse, Spec};
use super::context::Context;
use super::string::Argument;
use super::{api, has};

/// Tells the server where the keys are.
pub fn tell(context: Context<'_>, spec: &Spec, arguments: &[Argument<'_>]) {
    let tell = |position: usize, key: KeyUse| {
        let position = c_int::try_from(position).unwrap_or(c_int::MAX);
        if has!(RedisModule_KeyAtPosWithFlags) {
            let flags = key.flags() as c_int;
            api!(RedisModule_KeyAtPosWithFlags(context.raw, position, flags));
        } else {
            api!(RedisModule_KeyAtPos(context.raw, position));
        }
    };
    positions(spec, arguments, tell);
}

/// Calls `tell` for every key, in their order.
pub fn positions<A: AsRef<[u8]>>(
    spec: &Spec,
    arguments: &[A],
    mut tell: impl FnMut(usize, KeyUse),
) {
    let Some(key) = spec.key else { return };
    if spec.counts_queues() {
        let count = arguments.get(1).and_then(|count| number(count.as_ref())).unwrap_or(0);
        let queues = arguments.get(2..).and_then(|rest| rest.get(..count)).unwrap_or_default();
        (2..).take(queues.len()).for_each(|position| tell(position, key));
    } else if arguments.len() > 1 {
        tell(1, key);
    }
    let Some(token) = spec.other_queue() else { return };
    // All options of such a command are a token and one value.
    for (index, pair) in arguments.get(2..).unwrap_or_default().chunks_exact(2).enumerate() {
        if let [option, value] = pair
            && option.as_ref().eq_ignore_ascii_case(token.as_bytes())
            && !value.as_ref().is_empty()
        {
            tell(index.saturating_mul(2).saturating_add(3), KeyUse::Insert);
        }
    }
}

/// Reads a number; more forms of it than commands take.
fn number(text: &[u8]) -> Option<usize> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

impl KeyUse {
    /// The server's flags for it.
    pub(super) fn flags(self) -> u32 {
        match self {
            Self::Insert => raw::REDISMODULE_CMD_KEY_RW | raw::REDISMODULE_CMD_KEY_INSERT,
            Self::AccessAndUpdate => {
                raw::REDISMODULE_CMD_KEY_RW
                    | raw::REDISMODULE_CMD_KEY_ACCESS
                    | raw::REDISMODULE_CMD_KEY_UPDATE
            }
            Self::Update => raw::REDISMODULE_CMD_KEY_RW | raw::REDISMODULE_CMD_KEY_UPDATE,
            Self::Delete => raw::REDISMODULE_CMD_KEY_RW | raw::REDISMODULE_CMD_KEY_DELETE,
            Self::Access => raw::REDISMODULE_CMD_KEY_RO | raw::REDISMODULE_CMD_KEY_ACCESS,
            Self::Count => raw::REDISMODULE_CMD_KEY_RO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::command::{Arg, Number};

    const ANY: Number = Number { token: "COUNT", name: "n", min: 1, max: 1_024 };

    const fn spec(arguments: &'static [Arg]) -> Spec {
        Spec {
            name: "MQ.TEST",
            summary: "",
            complexity: "",
            since: "",
            flags: "write",
            blocking: false,
            arity: -2,
            key: Some(KeyUse::AccessAndUpdate),
            arguments,
        }
    }

    fn keys<'a>(spec: &Spec, line: &'a str) -> Vec<&'a str> {
        let arguments: Vec<&str> = line.split(' ').collect();
        let mut keys = Vec::new();
        positions(spec, &arguments, |position, _| keys.push(arguments[position]));
        keys
    }

    #[test]
    fn a_queue_behind_a_token_is_a_key() {
        let redrive = spec(&[Arg::Queue, Arg::Number(ANY), Arg::OtherQueue("TO")]);
        for (line, expected) in [
            ("MQ.TEST", &[][..]),
            ("MQ.TEST a", &["a"]),
            ("MQ.TEST a TO b", &["a", "b"]),
            ("MQ.TEST a count 1 to b", &["a", "b"]),
            ("MQ.TEST a to b count 1", &["a", "b"]),
            ("MQ.TEST to to to", &["to", "to"]),
            ("MQ.TEST a count to b", &["a"]),
            ("MQ.TEST a to", &["a"]),
            ("MQ.TEST a to ", &["a"]),
            ("MQ.TEST a DEADLETTER b", &["a"]),
        ] {
            assert_eq!(keys(&redrive, line), expected, "{line}");
        }
        assert!(redrive.keys_move());
    }

    #[test]
    fn as_many_queues_as_the_number_says_are_keys() {
        let pull = spec(&[Arg::Queues(ANY), Arg::Number(ANY)]);
        for (line, expected) in [
            ("MQ.TEST", &[][..]),
            ("MQ.TEST 1", &[]),
            ("MQ.TEST 1 a", &["a"]),
            ("MQ.TEST 2 a b", &["a", "b"]),
            ("MQ.TEST 2 a b COUNT 1", &["a", "b"]),
            ("MQ.TEST 3 a b", &[]),
            ("MQ.TEST 0 a b", &[]),
            ("MQ.TEST -1 a b", &[]),
            ("MQ.TEST x a b", &[]),
            ("MQ.TEST  a b", &[]),
            ("MQ.TEST 18446744073709551615 a b", &[]),
            ("MQ.TEST 18446744073709551617 a b", &[]),
        ] {
            assert_eq!(keys(&pull, line), expected, "{line}");
        }
        assert!(pull.keys_move());
        assert!(!spec(&[Arg::Queue, Arg::Number(ANY)]).keys_move());
    }
}
