//! Which arguments of a command are keys, where they have no fixed position: as many as a
//! number says, or one behind a token. Access control and cluster routing rest on it.
//!
//! Redis 6.x asks the module. Later servers are given key specs (`describe.rs`), which find the same
//! keys: they look for the token from the first option on, whatever stands there, and take what follows
//! it. So no command may take a value that looks like its token before the option itself
//! ([`is_taken_for`]). What a command refuses may be told in any way.

use std::ffi::c_int;

use super::api::function;
use super::context::Context;
use super::spec::Spec;
use super::string::Argument;

/// The position of the first option of a command that takes another key: after its name and one key.
pub const FIRST_OPTION: usize = 2;

/// True if the server called the command only to learn its keys.
pub(super) fn is_asked_for(context: Context<'_>) -> bool {
    // SAFETY: the context of a callback that runs; it only reads a flag of it.
    unsafe { function!(RedisModule_IsKeysPositionRequest)(context.raw) != 0 }
}

/// Reports the positions of the keys to Redis 6.x, which [asks](is_asked_for) for them.
pub(super) fn report(context: Context<'_>, spec: &Spec, arguments: &[Argument<'_>]) {
    positions(spec, arguments, |position| {
        let position = c_int::try_from(position).unwrap_or(c_int::MAX);
        // SAFETY: the context of a callback that runs; the server notes the number.
        unsafe { function!(RedisModule_KeyAtPos)(context.raw, position) };
    });
}

/// Calls `visit` with the position of every key, in their order.
pub fn positions<A: AsRef<[u8]>>(spec: &Spec, arguments: &[A], mut visit: impl FnMut(usize)) {
    if spec.key.is_none() {
        return;
    }
    if spec.has_key_count() {
        let count = arguments.get(1).and_then(|count| number(count.as_ref())).unwrap_or(0);
        let keys = arguments.get(2..).and_then(|rest| rest.get(..count)).unwrap_or_default();
        (2..).take(keys.len()).for_each(visit);
        return;
    }
    if arguments.len() > 1 {
        visit(1);
    }
    let Some(token) = spec.other_key() else { return };
    let mut rest = arguments.iter().enumerate().skip(FIRST_OPTION);
    if rest.any(|(_, argument)| is_taken_for(argument.as_ref(), token))
        && let Some((value, _)) = rest.next()
    {
        visit(value);
    }
}

/// True if servers take an argument for this token: they compare C strings, up to the first NUL.
pub fn is_taken_for(argument: &[u8], token: &str) -> bool {
    let text = argument.split(|byte| *byte == 0).next().unwrap_or_default();
    text.eq_ignore_ascii_case(token.as_bytes())
}

/// Parses a number, in more forms than commands accept.
fn number(text: &[u8]) -> Option<usize> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::spec::{Arg, KeyUse, Number};

    const ANY: Number = Number { token: "COUNT", name: "n", min: 1, max: 1_024 };

    const fn spec(arguments: &'static [Arg]) -> Spec {
        Spec {
            name: "X.TEST",
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
        positions(spec, &arguments, |position| keys.push(arguments[position]));
        keys
    }

    #[test]
    fn a_key_behind_a_token_is_a_key() {
        let moves = spec(&[Arg::Key("key"), Arg::Number(ANY), Arg::OtherKey("TO", "key")]);
        for (line, expected) in [
            ("X.TEST", &[][..]),
            ("X.TEST a", &["a"]),
            ("X.TEST a TO b", &["a", "b"]),
            ("X.TEST a count 1 to b", &["a", "b"]),
            ("X.TEST a to b count 1", &["a", "b"]),
            ("X.TEST to to to", &["to", "to"]),
            ("X.TEST a count to b", &["a", "b"]),
            ("X.TEST a to b count to", &["a", "b"]),
            ("X.TEST a to\0x b to c", &["a", "b"]),
            ("X.TEST a to", &["a"]),
            ("X.TEST a to ", &["a", ""]),
            ("X.TEST a DEADLETTER b", &["a"]),
        ] {
            assert_eq!(keys(&moves, line), expected, "{line}");
        }
        assert!(moves.has_movable_keys());
    }

    #[test]
    fn as_many_keys_follow_as_the_number_says() {
        let counts = spec(&[Arg::Keys(ANY, "key"), Arg::Number(ANY)]);
        for (line, expected) in [
            ("X.TEST", &[][..]),
            ("X.TEST 1", &[]),
            ("X.TEST 1 a", &["a"]),
            ("X.TEST 2 a b", &["a", "b"]),
            ("X.TEST 2 a b COUNT 1", &["a", "b"]),
            ("X.TEST 3 a b", &[]),
            ("X.TEST 0 a b", &[]),
            ("X.TEST -1 a b", &[]),
            ("X.TEST x a b", &[]),
            ("X.TEST  a b", &[]),
            ("X.TEST 18446744073709551615 a b", &[]),
            ("X.TEST 18446744073709551617 a b", &[]),
        ] {
            assert_eq!(keys(&counts, line), expected, "{line}");
        }
        assert!(counts.has_movable_keys());
        assert!(!spec(&[Arg::Key("key"), Arg::Number(ANY)]).has_movable_keys());
    }
}
