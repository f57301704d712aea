//! `HEADERS n name value [name value ...]`: metadata beside the payload.

use super::arguments::HEADERS;
use super::errors::CommandError;
use super::options::Options;
use super::quoted::Quoted;
use crate::queue::message::Header;
use crate::queue::valid::{MAX_HEADER_BYTES, MAX_NAME_BYTES};

/// The headers in the order of the arguments; empty without the option.
pub fn read<'a, A: AsRef<[u8]>>(options: &Options<'a, A>) -> Result<Vec<Header<'a>>, CommandError> {
    let mut headers: Vec<Header<'a>> = Vec::new();
    let mut bytes = 0usize;
    for pair in options.pairs(&HEADERS).unwrap_or_default().chunks_exact(2) {
        let [name, value] = pair else { continue };
        let (name, value) = (name.as_ref(), value.as_ref());
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            return Err(CommandError::HeaderName);
        }
        if headers.iter().any(|other| other.name == name) {
            return Err(CommandError::HeaderTwice(Quoted::of(name)));
        }
        bytes = bytes.saturating_add(name.len()).saturating_add(value.len());
        if bytes > MAX_HEADER_BYTES {
            return Err(CommandError::HeadersTooLong);
        }
        headers.push(Header { name, value });
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::arguments::QUEUE;
    use crate::server::spec::Arg;

    const ARGUMENTS: &[Arg] = &[QUEUE, Arg::Pairs(HEADERS, ["name", "value"])];

    fn headers<'a>(line: &'a [&'a [u8]]) -> Result<Vec<Header<'a>>, CommandError> {
        read(&Options::read_as(ARGUMENTS, line)?)
    }

    #[test]
    fn headers_are_pairs_of_any_bytes_in_their_order() {
        assert_eq!(headers(&[]), Ok(Vec::new()));
        assert_eq!(
            headers(&[b"headers", b"3", b"b", b"1", b"a", b"", b"\xff\0", b"\r\n"]).unwrap(),
            [
                Header { name: b"b", value: b"1" },
                Header { name: b"a", value: b"" },
                Header { name: b"\xff\0", value: b"\r\n" },
            ]
        );
    }

    #[test]
    fn a_name_has_1_to_256_bytes() {
        let (longest, long) = (vec![b'x'; 256], vec![b'x'; 257]);
        assert!(headers(&[b"HEADERS", b"1", &longest, b"v"]).is_ok());
        for name in [&long, b"".as_slice()] {
            assert_eq!(
                headers(&[b"HEADERS", b"2", b"a", b"v", name, b"v"]),
                Err(CommandError::HeaderName)
            );
        }
    }

    #[test]
    fn a_name_is_given_once() {
        let twice = headers(&[b"HEADERS", b"3", b"a", b"1", b"b", b"2", b"a", b"3"]);
        assert_eq!(twice, Err(CommandError::HeaderTwice(Quoted::of(b"a"))));
        assert!(headers(&[b"HEADERS", b"2", b"a", b"1", b"A", b"2"]).is_ok());
    }

    #[test]
    fn all_names_and_values_together_have_a_limit() {
        let value = vec![b'x'; MAX_HEADER_BYTES - 3];
        assert!(headers(&[b"HEADERS", b"2", b"a", &value, b"b", b"1"]).is_ok());
        assert_eq!(
            headers(&[b"HEADERS", b"2", b"a", &value, b"b", b"12"]),
            Err(CommandError::HeadersTooLong)
        );
    }

    #[test]
    fn a_message_has_at_most_64_headers() {
        let names: Vec<String> = (0..65).map(|n| n.to_string()).collect();
        for (count, is_good) in [("64", true), ("65", false), ("0", false)] {
            let mut line: Vec<&[u8]> = vec![b"HEADERS", count.as_bytes()];
            for name in names.iter().take(count.parse().unwrap()) {
                line.extend([name.as_bytes(), b"v"]);
            }
            assert_eq!(headers(&line).is_ok(), is_good, "{count}");
        }
    }
}
