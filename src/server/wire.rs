//! Elements of replies as RESP2 and RESP3 encode them: encoding and decoding. Knows nothing of the server.

/// An element.
#[derive(Debug, PartialEq, Eq)]
pub enum Element<'a> {
    Integer(i64),
    Bulk(&'a [u8]),
    /// So many elements follow.
    Array(usize),
    /// So many pairs of elements follow.
    Map(usize),
}

impl Element<'_> {
    /// The length of a bulk string's text, else 0.
    #[inline]
    pub fn text_len(&self) -> usize {
        if let Self::Bulk(bytes) = self { bytes.len() } else { 0 }
    }
}

/// The most bytes that an element takes beside the text of a bulk string.
pub const OVERHEAD: usize = 24;

/// Appends an element. Inlined because names, and so their lengths, are constants where this is called.
#[inline(always)]
pub fn write(text: &mut Vec<u8>, element: &Element<'_>) {
    match *element {
        Element::Integer(number) if number < 0 => {
            text.extend_from_slice(b":-");
            write_line(text, number.unsigned_abs());
        }
        Element::Integer(number) => write_head(text, b':', number.unsigned_abs()),
        Element::Bulk(bytes) => {
            write_head(text, b'$', bytes.len() as u64);
            text.extend_from_slice(bytes);
            text.extend_from_slice(b"\r\n");
        }
        Element::Array(len) => write_head(text, b'*', len as u64),
        Element::Map(len) => write_head(text, b'%', len as u64),
    }
}

/// Appends the line that begins an element: its kind and a number.
#[inline(always)]
fn write_head(text: &mut Vec<u8>, kind: u8, number: u64) {
    let [tens, ones] = [number / 10, number % 10].map(|digit| b'0' | digit as u8);
    match number {
        0..10 => text.extend_from_slice(&[kind, ones, b'\r', b'\n']),
        10..100 => text.extend_from_slice(&[kind, tens, ones, b'\r', b'\n']),
        _ => {
            text.push(kind);
            write_line(text, number);
        }
    }
}

/// Appends a number and the end of the line.
fn write_line(text: &mut Vec<u8>, number: u64) {
    const DIGITS: u64 = 100_000_000;
    if number >= const { DIGITS * DIGITS } {
        text.extend_from_slice(number.to_string().as_bytes());
    } else {
        let [high, low] = [number / DIGITS, number % DIGITS].map(digits);
        // The first digit is in the lowest byte, and so are the zeros before it.
        let digits = u128::from(high) | u128::from(low) << 64;
        let zeros = digits.trailing_zeros().min(127) / 8;
        let zero = u128::from_ne_bytes([b'0'; 16]);
        let written = (digits | zero).wrapping_shr(zeros.wrapping_mul(8));
        text.extend_from_slice(&written.to_le_bytes());
        text.truncate(text.len().wrapping_sub(zeros as usize));
    }
    text.extend_from_slice(b"\r\n");
}

/// Eight decimal digits, each in a byte, the first one in the lowest. All are divided at once: first into fours, then
/// into twos, then into ones.
fn digits(number: u64) -> u64 {
    let (high, low) = (number / 10_000, number % 10_000);
    let fours = high | low << 32;
    let high = (fours.wrapping_mul(10_486) >> 20) & 0x7f_0000_007f;
    let twos = high | fours.wrapping_sub(high.wrapping_mul(100)) << 16;
    let high = (twos.wrapping_mul(103) >> 10) & 0x000f_000f_000f_000f;
    high | twos.wrapping_sub(high.wrapping_mul(10)) << 8
}

/// Decodes the first element of what was written here, and returns the rest with it. None at the end.
pub fn read(text: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (kind, text) = text.split_first()?;
    let end = text.iter().position(|byte| *byte == b'\r')?;
    let (number, text) = text.split_at_checked(end)?;
    let number: i64 = std::str::from_utf8(number).ok()?.parse().ok()?;
    let text = text.strip_prefix(b"\r\n")?;
    if *kind == b':' {
        return Some((Element::Integer(number), text));
    }
    let len = usize::try_from(number).ok()?;
    match kind {
        b'$' => {
            let (bytes, text) = text.split_at_checked(len)?;
            Some((Element::Bulk(bytes), text.strip_prefix(b"\r\n")?))
        }
        b'*' => Some((Element::Array(len), text)),
        b'%' => Some((Element::Map(len), text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_decimal() {
        let mut random = fastrand::Rng::with_seed(1);
        let powers = (0..20).map(|digits| 10u64.pow(digits));
        let borders = powers.flat_map(|power| [power - 1, power, power + 1]);
        let any = std::iter::repeat_with(|| random.u64(..) >> random.u32(..64)).take(1_000_000);
        for number in borders.chain(any).chain([0, u64::MAX]) {
            let mut text = Vec::new();
            write_line(&mut text, number);
            assert_eq!(text, format!("{number}\r\n").as_bytes());
        }
    }

    #[test]
    fn elements_are_written_as_the_protocol_has_them_and_read_back() {
        let cases = [
            (Element::Integer(0), ":0\r\n"),
            (Element::Integer(9), ":9\r\n"),
            (Element::Integer(10), ":10\r\n"),
            (Element::Integer(-1), ":-1\r\n"),
            (Element::Integer(i64::MAX), ":9223372036854775807\r\n"),
            (Element::Integer(i64::MIN), ":-9223372036854775808\r\n"),
            (Element::Bulk(b""), "$0\r\n\r\n"),
            (Element::Bulk(b"\r\n:1\r\n"), "$6\r\n\r\n:1\r\n\r\n"),
            (Element::Bulk(b"a-long-text"), "$11\r\na-long-text\r\n"),
            (Element::Array(2), "*2\r\n"),
            (Element::Map(100), "%100\r\n"),
        ];
        let mut text = Vec::new();
        for (element, written) in &cases {
            let start = text.len();
            write(&mut text, element);
            assert_eq!(&text[start..], written.as_bytes());
        }
        let mut rest = text.as_slice();
        for (element, _) in cases {
            let (read, after) = read(rest).expect("an element");
            assert_eq!(read, element);
            rest = after;
        }
        assert_eq!(read(rest), None);
    }
}
