//! Payloads: one, or `n payload [payload ...]`.

use super::errors::CommandError;
use super::options;
use crate::queue::op::MAX_BATCH;
use crate::queue::valid::MAX_PAYLOAD_BYTES;
use crate::server::spec::Number;

/// The number of payloads that follow.
pub const PAYLOADS: Number = Number { token: "n", name: "n", min: 1, max: MAX_BATCH as i64 };

/// Reads the payloads at the beginning of `arguments`; and returns the rest.
pub fn read<A: AsRef<[u8]>>(arguments: &[A]) -> Result<(&[A], &[A]), CommandError> {
    let (payloads, rest) = options::counted(&PAYLOADS, arguments)?;
    for payload in payloads {
        check(payload.as_ref())?;
    }
    Ok((payloads, rest))
}

/// Checks that a payload is not too long.
pub fn check(payload: &[u8]) -> Result<(), CommandError> {
    if payload.len() > MAX_PAYLOAD_BYTES { Err(CommandError::PayloadTooLong) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::errors::Fault;

    #[test]
    fn as_many_payloads_as_the_number_says_are_read() {
        let fewer = |left| Err(Fault::Fewer { token: "n", left }.into());
        let out_of_range = Err(CommandError::Number(PAYLOADS));
        for (arguments, expected) in [
            (&["1", "a"][..], Ok((&["a"][..], &[][..]))),
            (&["2", "a", "b"], Ok((&["a", "b"], &[]))),
            (&["2", "", "DELAY", "DELAY", "5"], Ok((&["", "DELAY"], &["DELAY", "5"]))),
            (&["1", "a", "b"], Ok((&["a"], &["b"]))),
            (&[], Err(CommandError::Arity)),
            (&["1"], fewer(0)),
            (&["3", "a", "b"], fewer(2)),
            (&["10000", "a", "b"], fewer(2)),
            (&["0", "a"], out_of_range.clone()),
            (&["-1", "a"], out_of_range.clone()),
            (&["10001", "a"], out_of_range.clone()),
            (&["9223372036854775808", "a"], out_of_range.clone()),
            (&["x", "a"], out_of_range.clone()),
            (&["", "a"], out_of_range.clone()),
            (&["01", "a"], out_of_range.clone()),
        ] {
            assert_eq!(read(arguments), expected, "{arguments:?}");
        }
    }

    #[test]
    fn the_longest_payload_has_128_mib() {
        let long = vec![0; MAX_PAYLOAD_BYTES + 1];
        assert_eq!(check(&long[1..]), Ok(()));
        assert_eq!(check(&long), Err(CommandError::PayloadTooLong));
        let two: [&[u8]; 3] = [b"2", b"a", &long];
        assert_eq!(read(&two), Err(CommandError::PayloadTooLong));
    }
}
