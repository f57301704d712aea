//! Messages as MQ.PEEK and MQ.GET show them, and the parts of a message that are maps themselves.

use super::{
    Value,
    client::Client,
    message::{bulk, entries, items, text_of},
};
use std::collections::BTreeMap;

/// The fields of a message that is shown, numbers as text.
pub type Shown = BTreeMap<String, String>;

impl Client {
    /// MQ.PEEK; `arguments` are the queue's name and options.
    #[track_caller]
    pub fn peek(&mut self, arguments: &str) -> Vec<Shown> {
        items(&self.ask(&format!("MQ.PEEK {arguments}"))).iter().map(shown).collect()
    }

    /// The payloads that MQ.PEEK shows.
    #[track_caller]
    pub fn peek_texts(&mut self, arguments: &str) -> Vec<String> {
        self.peek(arguments).into_iter().map(|message| message["payload"].clone()).collect()
    }

    /// MQ.GET.
    #[track_caller]
    pub fn get(&mut self, queue: &str, id: &str) -> Option<Shown> {
        match self.ask(&format!("MQ.GET {queue} {id}")) {
            Value::Nil => None,
            message => Some(shown(&message)),
        }
    }

    /// The payloads of the next messages, in the order of their delivery.
    #[track_caller]
    pub fn pull_texts(&mut self, arguments: &str) -> Vec<String> {
        let batch = self.pull_batch(arguments);
        batch.iter().map(|message| message.text().to_string()).collect()
    }
}

#[track_caller]
fn shown(message: &Value) -> Shown {
    entries(message).into_iter().map(|(name, value)| (name, text_of(&value))).collect()
}

/// The headers of a message, in their order; None if the field is not there.
#[track_caller]
pub fn headers_of(message: &Value) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let headers = entries(message).into_iter().find(|(name, _)| name == "headers")?.1;
    let flat: Vec<Value> = match headers {
        Value::Map(fields) => fields.into_iter().flat_map(|(name, value)| [name, value]).collect(),
        flat => items(&flat).to_vec(),
    };
    Some(flat.chunks(2).map(|pair| (bulk(&pair[0]).to_vec(), bulk(&pair[1]).to_vec())).collect())
}
