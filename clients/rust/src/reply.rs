//! Replies of the server as types. In RESP3 on servers from 7.0 on maps are maps, elsewhere flat arrays.

use crate::error::Result;
use crate::message::{Acked, Death, Extended, Headers, Message, Outcome, State};
use crate::settings::{Histogram, Info, Settings, Stats};
use bytes::Bytes;
use redis::{ErrorKind, RedisError, Value};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// What a reply can be read as.
pub trait FromReply: Sized + Send {
    fn from_reply(reply: Value) -> Result<Self>;
}

impl FromReply for () {
    fn from_reply(_: Value) -> Result<Self> {
        Ok(())
    }
}

impl FromReply for u64 {
    fn from_reply(reply: Value) -> Result<Self> {
        match reply {
            Value::Int(number) => Ok(u64::try_from(number).unwrap_or(0)),
            other => Err(unexpected("a number", &other)),
        }
    }
}

impl FromReply for bool {
    fn from_reply(reply: Value) -> Result<Self> {
        Ok(u64::from_reply(reply)? != 0)
    }
}

impl FromReply for u32 {
    fn from_reply(reply: Value) -> Result<Self> {
        Ok(u32::try_from(u64::from_reply(reply)?).unwrap_or(u32::MAX))
    }
}

impl FromReply for i64 {
    fn from_reply(reply: Value) -> Result<Self> {
        match reply {
            Value::Int(number) => Ok(number),
            other => Err(unexpected("a number", &other)),
        }
    }
}

impl FromReply for Duration {
    fn from_reply(reply: Value) -> Result<Self> {
        Ok(Duration::from_millis(u64::from_reply(reply)?))
    }
}

impl FromReply for SystemTime {
    fn from_reply(reply: Value) -> Result<Self> {
        Ok(SystemTime::UNIX_EPOCH + Duration::from_reply(reply)?)
    }
}

/// A moment that may be 0, for none.
impl FromReply for Option<SystemTime> {
    fn from_reply(reply: Value) -> Result<Self> {
        let moment = SystemTime::from_reply(reply)?;
        Ok((moment != SystemTime::UNIX_EPOCH).then_some(moment))
    }
}

impl FromReply for Bytes {
    fn from_reply(reply: Value) -> Result<Self> {
        match reply {
            Value::BulkString(bytes) => Ok(bytes.into()),
            Value::SimpleString(text) => Ok(text.into_bytes().into()),
            other => Err(unexpected("a string", &other)),
        }
    }
}

impl FromReply for String {
    fn from_reply(reply: Value) -> Result<Self> {
        Ok(String::from_utf8_lossy(&Bytes::from_reply(reply)?).into_owned())
    }
}

impl FromReply for Vec<String> {
    fn from_reply(reply: Value) -> Result<Self> {
        list(reply)?.into_iter().map(String::from_reply).collect()
    }
}

impl FromReply for Vec<SystemTime> {
    fn from_reply(reply: Value) -> Result<Self> {
        list(reply)?.into_iter().map(SystemTime::from_reply).collect()
    }
}

impl FromReply for Vec<Outcome> {
    fn from_reply(reply: Value) -> Result<Self> {
        let outcome = |value| match i64::from_reply(value)? {
            0 => Ok(Outcome::NotFound),
            -1 => Ok(Outcome::InvalidReceipt),
            _ => Ok(Outcome::Done),
        };
        list(reply)?.into_iter().map(outcome).collect()
    }
}

impl FromReply for Vec<Extended> {
    fn from_reply(reply: Value) -> Result<Self> {
        let extended = |value| match i64::from_reply(value)? {
            0 => Ok(Extended::NotFound),
            -1 => Ok(Extended::InvalidReceipt),
            moment => Ok(Extended::Until(SystemTime::from_reply(Value::Int(moment))?)),
        };
        list(reply)?.into_iter().map(extended).collect()
    }
}

impl FromReply for Option<Message> {
    fn from_reply(reply: Value) -> Result<Self> {
        match reply {
            Value::Nil => Ok(None),
            other => message(other).map(Some),
        }
    }
}

impl FromReply for Vec<Message> {
    fn from_reply(reply: Value) -> Result<Self> {
        list(reply)?.into_iter().map(message).collect()
    }
}

impl<T: FromReply> FromReply for Acked<T> {
    fn from_reply(reply: Value) -> Result<Self> {
        let mut both = list(reply)?.into_iter();
        match (both.next(), both.next()) {
            (Some(acked), Some(pulled)) => {
                Ok(Acked { acked: Vec::from_reply(acked)?, pulled: T::from_reply(pulled)? })
            }
            _ => Err(unexpected("two replies", &Value::Nil)),
        }
    }
}

impl FromReply for BTreeMap<u8, u64> {
    fn from_reply(reply: Value) -> Result<Self> {
        let mut counts = Self::new();
        for (name, count) in fields(reply)? {
            if let Ok(number) = name.parse() {
                counts.insert(number, u64::from_reply(count)?);
            }
        }
        Ok(counts)
    }
}

impl FromReply for Settings {
    fn from_reply(reply: Value) -> Result<Self> {
        let mut settings = Self::default();
        for (name, value) in fields(reply)? {
            settings.set(&name, value)?;
        }
        Ok(settings)
    }
}

impl FromReply for Info {
    fn from_reply(reply: Value) -> Result<Self> {
        let mut info = Self::default();
        for (name, value) in fields(reply)? {
            info.set_any(&name, value)?;
        }
        Ok(info)
    }
}

impl Info {
    /// Sets a field, or a setting.
    fn set_any(&mut self, name: &str, value: Value) -> Result<()> {
        if let Some(value) = self.settings.set(name, value)? {
            self.set(name, value)?;
        }
        Ok(())
    }
}

impl FromReply for Histogram {
    fn from_reply(reply: Value) -> Result<Self> {
        let mut histogram = Self::default();
        for (name, value) in fields(reply)? {
            histogram.set(&name, value)?;
        }
        Ok(histogram)
    }
}

impl FromReply for BTreeMap<Duration, u64> {
    fn from_reply(reply: Value) -> Result<Self> {
        let mut counts = Self::new();
        for (name, count) in fields(reply)? {
            if let Ok(ms) = name.parse() {
                counts.insert(Duration::from_millis(ms), u64::from_reply(count)?);
            }
        }
        Ok(counts)
    }
}

impl FromReply for Vec<Stats> {
    fn from_reply(reply: Value) -> Result<Self> {
        list(reply)?.into_iter().map(stats).collect()
    }
}

/// A page, and the cursor of the next one.
impl<T: FromReply> FromReply for (T, u64) {
    fn from_reply(reply: Value) -> Result<Self> {
        let mut both = list(reply)?.into_iter();
        match (both.next(), both.next()) {
            (Some(cursor), Some(page)) => {
                let cursor = String::from_reply(cursor)?.parse().unwrap_or(0);
                Ok((T::from_reply(page)?, cursor))
            }
            _ => Err(unexpected("a page", &Value::Nil)),
        }
    }
}

fn stats(reply: Value) -> Result<Stats> {
    let (mut queue, mut error, mut info) = (String::new(), None, Info::default());
    for (name, value) in fields(reply)? {
        match name.as_str() {
            "queue" => queue = String::from_reply(value)?,
            "error" => error = Some(String::from_reply(value)?),
            _ => info.set_any(&name, value)?,
        }
    }
    Ok(Stats { queue, info: error.map_or(Ok(info), Err) })
}

fn message(reply: Value) -> Result<Message> {
    let mut message = Message {
        id: String::new(),
        queue: String::new(),
        payload: Bytes::new(),
        timestamp: SystemTime::UNIX_EPOCH,
        retry_count: 0,
        state: None,
        visibility_until: None,
        receipt: None,
        consumer: None,
        due_at: None,
        headers: Headers::default(),
        priority: None,
        group: None,
        expires_at: None,
        deliveries: None,
        first_delivered_at: None,
        last_error: None,
        death: None,
    };
    let mut death = Death {
        from: String::new(),
        at: SystemTime::UNIX_EPOCH,
        reason: String::new(),
        retries: 0,
    };
    for (name, value) in fields(reply)? {
        match name.as_str() {
            "id" => message.id = String::from_reply(value)?,
            "queue" => message.queue = String::from_reply(value)?,
            "payload" => message.payload = Bytes::from_reply(value)?,
            "timestamp" => message.timestamp = SystemTime::from_reply(value)?,
            "retry_count" => message.retry_count = u32::from_reply(value)?,
            "state" => message.state = state(&String::from_reply(value)?),
            "visibility_until" => message.visibility_until = Some(SystemTime::from_reply(value)?),
            "receipt" => message.receipt = Some(String::from_reply(value)?),
            "consumer" => message.consumer = Some(String::from_reply(value)?),
            "due_at" => message.due_at = Some(SystemTime::from_reply(value)?),
            "headers" => message.headers = headers(value)?,
            "priority" => message.priority = u8::try_from(u64::from_reply(value)?).ok(),
            "group" => message.group = Some(String::from_reply(value)?),
            "expires_at" => message.expires_at = Some(SystemTime::from_reply(value)?),
            "deliveries" => message.deliveries = Some(u64::from_reply(value)?),
            "first_delivered_at" => {
                message.first_delivered_at = Some(SystemTime::from_reply(value)?)
            }
            "last_error" => message.last_error = Some(String::from_reply(value)?),
            "dead_from" => death.from = String::from_reply(value)?,
            "dead_at" => death.at = SystemTime::from_reply(value)?,
            "dead_reason" => death.reason = String::from_reply(value)?,
            "dead_retries" => death.retries = u32::from_reply(value)?,
            _ => {} // of a later version
        }
    }
    message.death = (!death.from.is_empty()).then_some(death);
    Ok(message)
}

fn state(word: &str) -> Option<State> {
    [State::Ready, State::InFlight, State::Delayed]
        .into_iter()
        .find(|state| state.word().eq_ignore_ascii_case(word))
}

pub fn headers(reply: Value) -> Result<Headers> {
    let pair = |(name, value)| Ok((Bytes::from_reply(name)?, Bytes::from_reply(value)?));
    Ok(Headers(pairs(reply)?.into_iter().map(pair).collect::<Result<_>>()?))
}

pub fn fields(reply: Value) -> Result<Vec<(String, Value)>> {
    let field = |(name, value)| Ok((String::from_reply(name)?, value));
    pairs(reply)?.into_iter().map(field).collect()
}

fn pairs(reply: Value) -> Result<Vec<(Value, Value)>> {
    if let Value::Map(pairs) = reply {
        return Ok(pairs);
    }
    let mut flat = list(reply)?.into_iter();
    Ok(std::iter::from_fn(|| Some((flat.next()?, flat.next()?))).collect())
}

pub fn list(reply: Value) -> Result<Vec<Value>> {
    match reply {
        Value::Array(values) => Ok(values),
        other => Err(unexpected("an array", &other)),
    }
}

fn unexpected(what: &'static str, reply: &Value) -> crate::Error {
    let detail = format!("expected {what}, got {reply:?}").chars().take(200).collect();
    RedisError::from((ErrorKind::UnexpectedReturnType, "not a reply of redis-mq", detail)).into()
}
