//! `id receipt`, or `IDS n id receipt [id receipt ...]`: the deliveries that a command is about.

use smallvec::smallvec;
use uuid::Uuid;

use super::arguments::CONSUMER;
use super::errors::CommandError;
use super::{options, reply};
use crate::queue::message::{Delivery, MessageId, Receipt};
use crate::queue::op::MAX_BATCH;
use crate::queue::small_vec::ShortVec;
use crate::queue::{QueueError, Settled};
use crate::server::context::Context;
use crate::server::spec::{Arg, Number, PairNames};

/// The argument in a command's facts.
pub const CLAIMS: Arg = Arg::PairOrPairs(
    IDS,
    &PairNames { argument: "deliveries", single: "claim", batch: "batch", pair: ["id", "receipt"] },
);

const IDS: Number = Number { token: "IDS", name: "n", min: 1, max: MAX_BATCH as i64 };

/// The same, or all that a consumer holds.
pub const CLAIMS_OR_CONSUMER: Arg = Arg::Or(&CLAIMS, CONSUMER);

/// The deliveries that a client claims to hold.
pub struct Claims {
    /// In the order of the arguments.
    pub claims: ShortVec<Delivery>,
    is_batch: bool,
}

/// Reads the deliveries at the beginning of `arguments`; and returns the rest.
pub fn read<A: AsRef<[u8]>>(arguments: &[A]) -> Result<(Claims, &[A]), CommandError> {
    let is_batch =
        arguments.first().is_some_and(|first| first.as_ref().eq_ignore_ascii_case(b"IDS"));
    if !is_batch {
        let [id, receipt, rest @ ..] = arguments else { return Err(CommandError::Arity) };
        return Ok((Claims { claims: smallvec![claim(id, receipt)], is_batch }, rest));
    }
    let (pairs, rest) = options::pairs(&IDS, arguments.get(1..).unwrap_or_default())?;
    Ok((Claims { claims: of_pairs(pairs).into(), is_batch }, rest))
}

/// Deliveries from pairs of id and receipt.
pub fn of_pairs<A: AsRef<[u8]>>(pairs: &[A]) -> Vec<Delivery> {
    pairs
        .chunks_exact(2)
        .filter_map(|pair| match pair {
            [id, receipt] => Some(claim(id, receipt)),
            _ => None,
        })
        .collect()
}

/// Anything but a UUID becomes an id that no message has, anything but a receipt one that no delivery has.
fn claim(id: &impl AsRef<[u8]>, receipt: &impl AsRef<[u8]>) -> Delivery {
    Delivery { id: read_id(id.as_ref()), receipt: read_receipt(receipt.as_ref()) }
}

/// True if a text can be a message id.
pub fn is_id(text: &[u8]) -> bool {
    read_id(text) != MessageId([0; 16])
}

/// True if a text can be a receipt.
pub fn is_receipt(text: &[u8]) -> bool {
    receipt_number(text).is_some()
}

/// Parses a message id; one that no message has if the text is none.
pub fn read_id(text: &[u8]) -> MessageId {
    let is_hyphenated = text.len() == 36;
    let id = Uuid::try_parse_ascii(text).ok().filter(|_| is_hyphenated).unwrap_or_default();
    MessageId(id.into_bytes())
}

fn read_receipt(text: &[u8]) -> Receipt {
    receipt_number(text).map_or(Receipt::NONE, Receipt)
}

fn receipt_number(text: &[u8]) -> Option<u64> {
    let digits: &[u8; 16] = text.try_into().ok()?;
    let (high, low) = digits.split_at(8);
    Some(eight_digits(high)? << 32 | eight_digits(low)?)
}

/// The number that eight lower-case hexadecimal digits write: all at once, in the bytes of one word.
fn eight_digits(text: &[u8]) -> Option<u64> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * ONES;
    let word = u64::from_be_bytes(text.try_into().ok()?);
    // The high bit of each byte that is at least `least`, if all are ASCII.
    let at_least = |least: u64| (word | HIGH).wrapping_sub(ONES.wrapping_mul(least)) & HIGH;
    let is_digit = at_least(b'0'.into()) & !at_least((b'9' + 1).into());
    let is_letter = at_least(b'a'.into()) & !at_least((b'f' + 1).into());
    if word & HIGH != 0 || is_digit | is_letter != HIGH {
        return None;
    }
    let nibbles = (word & (0x0f * ONES)).wrapping_add((is_letter >> 7).wrapping_mul(9));
    // Pairs of bytes, then of pairs, then of fours move together.
    let pairs = (nibbles | nibbles >> 4) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
    Some((fours | fours >> 16) & 0xffff_ffff)
}

impl Claims {
    /// Replies the outcome of the claims: for a single one its result or an error, for a batch an array of
    /// results, with 0 for not found and -1 for a bad receipt. `result` maps what success returns.
    pub fn reply(
        &self,
        context: Context<'_>,
        settled: Result<ShortVec<Settled>, QueueError>,
        result: impl Fn(u64) -> u64,
    ) -> Result<(), CommandError> {
        let settled = settled?;
        if self.is_batch {
            reply_batch(context, &settled, result);
            return Ok(());
        }
        for one in settled {
            match one {
                Settled::Done(value) => reply::count(context, result(value)),
                Settled::NotFound => return Err(CommandError::NotFound),
                Settled::BadReceipt => return Err(CommandError::BadReceipt),
            }
        }
        Ok(())
    }
}

/// Replies the outcome of several acknowledgments: an array of 1, 0 and -1.
pub fn reply_all(context: Context<'_>, settled: &[Settled]) {
    reply_batch(context, settled, |_| 1);
}

fn reply_batch(context: Context<'_>, settled: &[Settled], result: impl Fn(u64) -> u64) {
    context.reply_array(settled.len());
    for one in settled {
        match one {
            Settled::Done(value) => reply::count(context, result(*value)),
            Settled::NotFound => context.reply_integer(0),
            Settled::BadReceipt => context.reply_integer(-1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_hyphenated_uuid_is_an_id() {
        let text = b"0191e0a0-7c3b-7e60-8000-0123456789ab";
        assert_ne!(read_id(text), MessageId([0; 16]));
        for other in [
            b"0191e0a07c3b7e6080000123456789ab".as_slice(),
            b"{0191e0a0-7c3b-7e60-8000-0123456789ab}",
            b"urn:uuid:0191e0a0-7c3b-7e60-8000-0123456789ab",
            b"0191e0a0-7c3b-7e60-8000-0123456789ag",
            b"",
            b"\xff",
        ] {
            assert_eq!(read_id(other), MessageId([0; 16]));
        }
    }

    #[test]
    fn only_sixteen_lower_case_digits_are_a_receipt() {
        assert_eq!(read_receipt(b"00000000000000ff"), Receipt(255));
        assert_eq!(read_receipt(b"0123456789abcdef"), Receipt(0x0123_4567_89ab_cdef));
        assert_eq!(read_receipt(b"7f00e1d2c3b4a596"), Receipt(0x7f00_e1d2_c3b4_a596));
        for place in 0..16 {
            for byte in 0..=u8::MAX {
                let mut text = *b"0000000000000000";
                text[place] = byte;
                let digit = char::from(byte).to_digit(16).filter(|_| !byte.is_ascii_uppercase());
                let expected = digit.map(|digit| Receipt(u64::from(digit) << (60 - 4 * place)));
                assert_eq!(read_receipt(&text), expected.unwrap_or(Receipt::NONE), "{text:?}");
            }
        }
        for other in ["ff", "00000000000000FF", "+0000000000000ff", "00000000000000fff", ""] {
            assert_eq!(read_receipt(other.as_bytes()), Receipt::NONE, "{other}");
        }
    }
}
