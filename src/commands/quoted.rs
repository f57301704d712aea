//! Bytes from a client inside a text: quoted, truncated, and without anything that could end the line or
//! control a terminal.

use std::fmt::{self, Write};

/// Longer values are truncated.
const MAX_BYTES: usize = 40;

/// Bytes as they are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted(Box<str>);

impl Quoted {
    /// Quotes these bytes, truncated if there are many. What can't be printed is escaped as Redis does it.
    pub fn of(bytes: &[u8]) -> Self {
        Self::first(MAX_BYTES, bytes)
    }

    /// Quotes all of these bytes: a name is of no use without its end.
    pub fn all(bytes: &[u8]) -> Self {
        Self::first(bytes.len(), bytes)
    }

    fn first(most: usize, bytes: &[u8]) -> Self {
        let shown = bytes.get(..most).unwrap_or(bytes);
        let mut text = String::from("'");
        for chunk in shown.utf8_chunks() {
            chunk.valid().chars().for_each(|character| add(&mut text, character));
            escape(&mut text, chunk.invalid());
        }
        text.push('\'');
        if shown.len() < bytes.len() {
            text.push_str("...");
        }
        Self(text.into())
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn add(text: &mut String, character: char) {
    match character {
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        '\\' | '\'' => text.extend(['\\', character]),
        _ if character.is_control() => {
            escape(text, character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        _ => text.push(character),
    }
}

fn escape(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "\\x{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_short_and_printable() {
        for (bytes, expected) in [
            (&b"DELAYS"[..], "'DELAYS'"),
            (b"", "''"),
            ("gr\u{f6}\u{df}e \u{1f600}".as_bytes(), "'gr\u{f6}\u{df}e \u{1f600}'"),
            (b"a\r\nb\tc", r"'a\r\nb\tc'"),
            (b"it's \\n", r"'it\'s \\n'"),
            (b"\0\x1b[2J\x7f", r"'\x00\x1b[2J\x7f'"),
            (b"\xff\xfe\xc3", r"'\xff\xfe\xc3'"),
            ("\u{85}".as_bytes(), r"'\xc2\x85'"),
            (&[b'x'; 40], "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'"),
            (&[b'x'; 41], "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'..."),
        ] {
            assert_eq!(Quoted::of(bytes).to_string(), expected);
        }
        assert_eq!(Quoted::all(&[b'x'; 99]).to_string(), format!("'{}'", "x".repeat(99)));
    }
}
