//! Replies taken apart: a message, a map, a list. Both reply forms of a map (RESP3, flat array) are
//! read here.

use super::Value;
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub id: String,
    pub queue: String,
    pub payload: Vec<u8>,
    pub timestamp: i64,
    pub retry_count: i64,
    pub visibility_until: i64,
    pub receipt: String,
    /// The fields after the seven that every message has, numbers as text.
    pub more: BTreeMap<String, String>,
}

impl Message {
    /// `queue id receipt`, as MQ.ACK, MQ.NACK and MQ.EXTEND take them.
    pub fn delivery(&self) -> String {
        format!("{} {} {}", self.queue, self.id, self.receipt)
    }

    /// `id receipt`, as the IDS forms take them.
    pub fn pair(&self) -> String {
        format!("{} {}", self.id, self.receipt)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.payload).expect("a payload that is text")
    }
}

impl From<&Value> for Message {
    #[track_caller]
    fn from(reply: &Value) -> Message {
        let fields = entries(reply);
        let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        let expected =
            ["id", "queue", "payload", "timestamp", "retry_count", "visibility_until", "receipt"];
        assert!(names.starts_with(&expected), "the fields of a message are {names:?}");
        Message {
            id: text_of(&fields[0].1),
            queue: text_of(&fields[1].1),
            payload: bulk(&fields[2].1).to_vec(),
            timestamp: integer(&fields[3].1),
            retry_count: integer(&fields[4].1),
            visibility_until: integer(&fields[5].1),
            receipt: text_of(&fields[6].1),
            more: fields[7..].iter().map(|(name, value)| (name.clone(), text_of(value))).collect(),
        }
    }
}

/// The fields of a map, or of a flat array of names and values, in the order of the reply.
#[track_caller]
pub fn entries(reply: &Value) -> Vec<(String, Value)> {
    match reply {
        Value::Map(fields) => {
            fields.iter().map(|(name, value)| (text_of(name), value.clone())).collect()
        }
        Value::Array(flat) => {
            assert!(flat.len() % 2 == 0, "names without values: {reply:?}");
            flat.chunks(2).map(|pair| (text_of(&pair[0]), pair[1].clone())).collect()
        }
        _ => panic!("not a map: {reply:?}"),
    }
}

#[track_caller]
pub fn items(reply: &Value) -> &[Value] {
    match reply {
        Value::Array(items) | Value::Set(items) => items,
        _ => panic!("not an array: {reply:?}"),
    }
}

#[track_caller]
pub fn strings(reply: &Value) -> Vec<String> {
    items(reply).iter().map(text_of).collect()
}

#[track_caller]
pub fn integer(reply: &Value) -> i64 {
    match reply {
        Value::Int(number) => *number,
        _ => panic!("not an integer: {reply:?}"),
    }
}

#[track_caller]
pub fn bulk(reply: &Value) -> &[u8] {
    match reply {
        Value::BulkString(bytes) => bytes,
        _ => panic!("not a bulk string: {reply:?}"),
    }
}

/// Any reply of one part, as text.
#[track_caller]
pub fn text_of(reply: &Value) -> String {
    match reply {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) => text.clone(),
        Value::VerbatimString { text, .. } => text.clone(),
        Value::Okay => "OK".to_string(),
        Value::Int(number) => number.to_string(),
        // A field that is a map or a list itself.
        Value::Array(_) | Value::Map(_) => format!("{reply:?}"),
        _ => panic!("not a text: {reply:?}"),
    }
}

/// The 16 bytes of an id.
pub fn bytes_of(id: &str) -> Vec<u8> {
    let digits = id.replace('-', "");
    (0..16).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).expect("hex")).collect()
}
