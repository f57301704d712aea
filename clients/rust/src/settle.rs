//! What is said of a message that was pulled: MQ.ACK, MQ.NACK, MQ.EXTEND.

use crate::call::{Call, awaited, queue_of};
use crate::client::{Client, Connection};
use crate::message::{Extended, Held, Outcome};
use std::marker::PhantomData;
use std::time::{Duration, SystemTime};

impl<C: Connection> Client<C> {
    /// The message is done, and gone. This is accepted after its visibility too, until it is delivered again.
    ///
    /// # Errors
    /// [`Error::MessageNotFound`](crate::Error::MessageNotFound) and
    /// [`Error::InvalidReceipt`](crate::Error::InvalidReceipt).
    pub fn ack(&self, message: &impl Held) -> Ack<'_, C, ()> {
        Ack { call: one(self, "MQ.ACK", message), reply: PhantomData }
    }

    /// The same for up to 10,000 messages of one queue; tells what became of each.
    pub fn ack_many<H: Held>(&self, messages: &[H]) -> Ack<'_, C, Vec<Outcome>> {
        Ack { call: many(self, "MQ.ACK", messages), reply: PhantomData }
    }

    /// Gives a message back. Unless told otherwise it comes again after the queue's backoff, and that is counted.
    ///
    /// # Errors
    /// [`Error::MessageNotFound`](crate::Error::MessageNotFound) and
    /// [`Error::InvalidReceipt`](crate::Error::InvalidReceipt).
    pub fn nack(&self, message: &impl Held) -> Nack<'_, C, ()> {
        Nack { call: one(self, "MQ.NACK", message), reply: PhantomData }
    }

    /// The same for up to 10,000 messages of one queue; tells what became of each.
    pub fn nack_many<H: Held>(&self, messages: &[H]) -> Nack<'_, C, Vec<Outcome>> {
        Nack { call: many(self, "MQ.NACK", messages), reply: PhantomData }
    }

    /// Restarts the visibility of a message, and returns when it ends. This is accepted after its end too, until it is
    /// delivered again.
    ///
    /// # Errors
    /// [`Error::MessageNotFound`](crate::Error::MessageNotFound) and
    /// [`Error::InvalidReceipt`](crate::Error::InvalidReceipt).
    pub fn extend(&self, message: &impl Held) -> Extend<'_, C, SystemTime> {
        Extend { call: one(self, "MQ.EXTEND", message), reply: PhantomData }
    }

    /// The same for up to 10,000 messages of one queue; tells what became of each.
    pub fn extend_many<H: Held>(&self, messages: &[H]) -> Extend<'_, C, Vec<Extended>> {
        Extend { call: many(self, "MQ.EXTEND", messages), reply: PhantomData }
    }

    /// The same for all that was pulled under the name of this [consumer](crate::Pull::consumer) and is still in
    /// flight, over any connection; returns how many messages. The server searches the records of the queue for it:
    /// where few of very many are held, [`extend_many`](Self::extend_many) costs less.
    pub fn extend_consumer(&self, queue: &str, consumer: &str) -> Extend<'_, C, u64> {
        let mut call = Call::new(self, "MQ.EXTEND");
        call.word(queue);
        call.option("CONSUMER", consumer);
        Extend { call, reply: PhantomData }
    }
}

/// An acknowledgment, sent when it is awaited.
#[derive(Debug)]
#[must_use = "it is sent when it is awaited"]
pub struct Ack<'c, C, T> {
    call: Call<'c, C>,
    reply: PhantomData<fn() -> T>,
}

/// A return, sent when it is awaited.
#[derive(Debug)]
#[must_use = "it is sent when it is awaited"]
pub struct Nack<'c, C, T> {
    call: Call<'c, C>,
    reply: PhantomData<fn() -> T>,
}

impl<C: Connection, T> Nack<'_, C, T> {
    /// The message becomes ready after this time, instead of the queue's backoff.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.call.length("DELAY", delay);
        self
    }

    /// This is not counted as a retry, and there is no backoff.
    pub fn no_count(mut self) -> Self {
        self.call.word("NOCOUNT");
        self
    }

    /// With [`no_count`](Self::no_count): the message returns to its original position instead of behind all that
    /// wait. Excludes [`delay`](Self::delay).
    pub fn front(mut self) -> Self {
        self.call.word("FRONT");
        self
    }

    /// The message goes to the dead-letter queue.
    pub fn dead(mut self) -> Self {
        self.call.word("DEAD");
        self
    }

    /// Is kept as the message's `last_error`: at most 1,024 bytes of it.
    pub fn reason(mut self, text: &str) -> Self {
        self.call.option("REASON", text);
        self
    }
}

/// An extension, sent when it is awaited.
#[derive(Debug)]
#[must_use = "it is sent when it is awaited"]
pub struct Extend<'c, C, T> {
    call: Call<'c, C>,
    reply: PhantomData<fn() -> T>,
}

impl<C: Connection, T> Extend<'_, C, T> {
    /// The new visibility, from now; it may be shorter. Unless given: the queue's setting, and none is shortened.
    pub fn visibility(mut self, visibility: Duration) -> Self {
        self.call.length("VISIBILITY", visibility);
        self
    }
}

awaited!(Ack<T> -> T);
awaited!(Nack<T> -> T);
awaited!(Extend<T> -> T);

fn one<'c, C: Connection>(
    client: &'c Client<C>,
    command: &str,
    message: &impl Held,
) -> Call<'c, C> {
    let mut call = Call::new(client, command);
    call.held(message);
    call
}

fn many<'c, C: Connection, H: Held>(
    client: &'c Client<C>,
    command: &str,
    messages: &[H],
) -> Call<'c, C> {
    let queue = queue_of(messages);
    let mut call = Call::new(client, command);
    call.word(queue);
    call.pairs("IDS", queue, messages);
    call
}
