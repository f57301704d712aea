//! A command that is being put together, and is sent when it is awaited.

use crate::client::{Client, Connection};
use crate::error::{Error, Result};
use crate::message::Held;
use redis::{Cmd, ToRedisArgs, Value};
use std::time::{Duration, SystemTime};

/// The words of a command, and where they go.
#[derive(Debug)]
pub struct Call<'c, C> {
    client: &'c Client<C>,
    words: Cmd,
    /// Why it can't be sent.
    refused: Option<Error>,
}

impl<'c, C: Connection> Call<'c, C> {
    pub fn new(client: &'c Client<C>, command: &str) -> Self {
        Self { client, words: redis::cmd(command), refused: None }
    }

    pub fn word(&mut self, word: impl ToRedisArgs) {
        self.words.arg(word);
    }

    pub fn option(&mut self, name: &str, value: impl ToRedisArgs) {
        self.words.arg(name).arg(value);
    }

    pub fn length(&mut self, name: &str, length: Duration) {
        self.option(name, milliseconds(length));
    }

    pub fn moment(&mut self, name: &str, moment: SystemTime) {
        self.option(name, unix_milliseconds(moment));
    }

    pub fn headers(&mut self, headers: &[(Vec<u8>, Vec<u8>)]) {
        if !headers.is_empty() {
            self.option("HEADERS", headers.len());
        }
        for (name, value) in headers {
            self.words.arg(name).arg(value);
        }
    }

    /// The queue of a message, its id and its receipt.
    pub fn held(&mut self, message: &impl Held) {
        let (queue, id, receipt) = message.parts();
        self.words.arg(queue).arg(id).arg(receipt);
    }

    /// The number of messages, and the id and receipt of each. All must be of this queue.
    pub fn pairs<H: Held>(&mut self, name: &str, queue: &str, messages: &[H]) {
        self.option(name, messages.len());
        for message in messages {
            let (other, id, receipt) = message.parts();
            if other != queue {
                self.refuse(format!(
                    "the messages of one call must be of one queue, not of {queue} and {other}"
                ));
            }
            self.words.arg(id).arg(receipt);
        }
    }

    pub fn refuse(&mut self, why: String) {
        self.refused.get_or_insert(Error::invalid(why));
    }

    pub async fn send(&self) -> Result<Value> {
        match &self.refused {
            Some(error) => Err(error.clone()),
            None => self.client.send(&self.words).await,
        }
    }
}

/// The queue of the first message.
pub fn queue_of<H: Held>(messages: &[H]) -> &str {
    messages.first().map_or("", |message| message.parts().0)
}

/// A length of time on the wire; what is not a whole number of milliseconds gets longer.
pub fn milliseconds(length: Duration) -> u64 {
    u64::try_from(length.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

pub fn unix_milliseconds(moment: SystemTime) -> u64 {
    milliseconds(moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// Lets a command be awaited: it is sent then, and its reply read as the type.
macro_rules! awaited {
    ($name:ident<$($reply:ident)?> -> $output:ty) => {
        impl<'c, C: $crate::Connection $(, $reply: $crate::reply::FromReply + 'c)?> IntoFuture
            for $name<'c, C $(, $reply)?>
        {
            type Output = $crate::Result<$output>;
            type IntoFuture = ::std::pin::Pin<Box<dyn Future<Output = Self::Output> + Send + 'c>>;

            fn into_future(self) -> Self::IntoFuture {
                Box::pin(async move {
                    $crate::reply::FromReply::from_reply(self.call.send().await?)
                })
            }
        }
    };
}
pub(crate) use awaited;
