//! Payloads as text: JSON, MessagePack, plain text or hex. At most 64 KB are shown; all of it is a download.

use serde::{Deserialize, Serialize};
use serde_json::Value;

const SHOWN: usize = 64 * 1024;
const HEX_LINE: usize = 16;

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum View {
    #[default]
    Text,
    Json,
    Msgpack,
    Hex,
    /// The bytes themselves.
    Raw,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    pub text: String,
    /// Of the payload.
    pub bytes: usize,
    /// Whether the text is the beginning only.
    pub cut: bool,
}

/// The view that fits best.
pub fn guess(payload: &[u8]) -> View {
    let structured = |value: &Value| value.is_object() || value.is_array();
    if serde_json::from_slice::<Value>(payload).is_ok_and(|value| structured(&value)) {
        View::Json
    } else if std::str::from_utf8(payload).is_ok_and(|text| !text.contains('\0')) {
        View::Text
    } else if rmp_serde::from_slice::<Value>(payload).is_ok_and(|value| structured(&value)) {
        View::Msgpack
    } else {
        View::Hex
    }
}

/// The payload in a view.
pub fn show(payload: &[u8], view: View) -> Result<Shown, String> {
    let bytes = payload.len();
    if matches!(view, View::Text | View::Raw) {
        let text = String::from_utf8_lossy(&payload[..bytes.min(SHOWN)]).into_owned();
        return Ok(Shown { text, bytes, cut: bytes > SHOWN });
    }
    if view == View::Hex {
        let shown = &payload[..bytes.min(SHOWN)];
        return Ok(Shown { text: hex(shown), bytes, cut: bytes > SHOWN });
    }
    let value: Value = match view {
        View::Json => {
            serde_json::from_slice(payload).map_err(|error| format!("no JSON: {error}"))?
        }
        _ => rmp_serde::from_slice(payload).map_err(|error| format!("no MessagePack: {error}"))?,
    };
    let mut text = format!("{value:#}");
    let cut = text.len() > SHOWN;
    if cut {
        let end = (0..=SHOWN).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
    }
    Ok(Shown { text, bytes, cut })
}

fn hex(bytes: &[u8]) -> String {
    let line = |(number, line): (usize, &[u8])| {
        let codes: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let plain = |byte: &u8| match byte {
            b' '..=b'~' => char::from(*byte),
            _ => '.',
        };
        let text: String = line.iter().map(plain).collect();
        format!("{:08x}  {:<47}  {text}\n", number * HEX_LINE, codes.join(" "))
    };
    bytes.chunks(HEX_LINE).enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_shown_in_the_view_that_fits() {
        for (payload, view) in [
            (&b"{\"a\":[1]}"[..], View::Json),
            (b"17", View::Text),
            (b"<script>alert(1)</script>", View::Text),
            (b"", View::Text),
            (b"\x81\xa1a\xc3", View::Msgpack),
            (b"\xff\xfe\x00", View::Hex),
        ] {
            assert_eq!(guess(payload), view, "{payload:?}");
            show(payload, view).unwrap();
        }
        assert_eq!(show(b"\x81\xa1a\xc3", View::Msgpack).unwrap().text, "{\n  \"a\": true\n}");
        assert!(show(b"\xff", View::Json).is_err());
    }

    #[test]
    fn big_payloads_are_cut() {
        let big = vec![b'x'; 10 * 1024 * 1024];
        for view in [View::Text, View::Hex] {
            let shown = show(&big, view).unwrap();
            assert!(shown.cut && shown.text.len() < 8 * SHOWN, "{view:?}");
            assert_eq!(shown.bytes, big.len());
        }
        let json = format!("[\"{}\"]", "é".repeat(SHOWN));
        let shown = show(json.as_bytes(), View::Json).unwrap();
        assert!(shown.cut && shown.text.len() <= SHOWN);
        assert!(!show(b"small", View::Text).unwrap().cut);
    }

    #[test]
    fn hex_has_offsets_codes_and_characters() {
        let shown = show(b"0123456789abcdef\x00", View::Hex).unwrap().text;
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(
            lines[0],
            "00000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef"
        );
        assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>(), ["00000010", "00", "."]);
    }
}
