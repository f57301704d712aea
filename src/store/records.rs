//! A queue's records over its keys: what each part holds, member by member and byte by byte.
//!
//! The layout is described in docs/storage.md. No rules here, no clock, no server.

use crate::queue::message::{Body, MAX_TIME_MS, MessageId, NewMessage, Note, Rank, Receipt};
use crate::queue::name::QueueName;
use crate::queue::settings::{Setting, Settings};
use crate::queue::store::{Delivery, Part, Store, Unreadable};
use crate::queue::{Corruption, QueueError};

use super::keyspace::Keyspace;
use super::record;

/// The records of one queue.
pub struct Records<K>(pub K);

/// A body that was read: the bytes as they are stored, and what was found in them.
#[derive(Debug)]
pub struct StoredBody<B> {
    bytes: B,
    id: MessageId,
    payload_start: usize,
}

impl<B: AsRef<[u8]>> StoredBody<B> {
    /// The record of a body; the bytes themselves if they are none.
    fn read(bytes: B) -> Result<Self, B> {
        let whole = bytes.as_ref();
        match record::decode_body(whole) {
            Ok(body) => {
                let payload_start = whole.len().saturating_sub(body.payload.len());
                let id = body.id;
                Ok(Self { bytes, id, payload_start })
            }
            Err(_) => Err(bytes),
        }
    }
}

impl<B: AsRef<[u8]>> Body for StoredBody<B> {
    fn id(&self) -> MessageId {
        self.id
    }

    fn payload(&self) -> &[u8] {
        self.bytes.as_ref().get(self.payload_start..).unwrap_or_default()
    }
}

impl<K: Keyspace> Store for Records<K> {
    type Body = StoredBody<K::Bytes>;

    fn queue(&self) -> &QueueName {
        self.0.queue()
    }

    fn other(&self, queue: &QueueName) -> Self {
        Self(self.0.other(queue))
    }

    fn require(&mut self, parts: &[Part]) -> Result<(), QueueError> {
        if parts.iter().all(|part| self.0.has_its_type(*part)) {
            Ok(())
        } else {
            Err(QueueError::WrongType)
        }
    }

    fn len(&mut self, part: Part) -> u64 {
        self.0.len(part)
    }

    fn push_ready(&mut self, message: &NewMessage<'_>) {
        self.0.push_back(Part::Ready, &record::encode_body(message));
    }

    fn first_ready(&mut self) -> Result<Option<MessageId>, Corruption> {
        let Some(bytes) = self.0.front(Part::Ready) else { return Ok(None) };
        match record::decode_body(bytes.as_ref()) {
            Ok(body) => Ok(Some(body.id)),
            Err(_) => Err(Corruption::Ready),
        }
    }

    fn take_ready(&mut self) -> Result<Option<Self::Body>, Corruption> {
        let Some(bytes) = self.0.pop_front(Part::Ready) else { return Ok(None) };
        match StoredBody::read(bytes) {
            Ok(body) => Ok(Some(body)),
            Err(bytes) => {
                self.0.push_front(Part::Ready, &bytes);
                Err(Corruption::Ready)
            }
        }
    }

    fn set_ready_aside(&mut self) {
        if let Some(bytes) = self.0.pop_front(Part::Ready) {
            self.0.push_back(Part::Damaged, bytes.as_ref());
        }
    }

    fn add_message(&mut self, message: &NewMessage<'_>) {
        self.0.put(Part::Messages, &message.id.0, &record::encode_body(message));
    }

    fn put_message(&mut self, body: &Self::Body) {
        self.0.put_read(Part::Messages, &body.id.0, &body.bytes);
    }

    fn message(&mut self, id: MessageId) -> Result<Option<Self::Body>, Corruption> {
        let Some(bytes) = self.0.get(Part::Messages, &id.0) else { return Ok(None) };
        match StoredBody::read(bytes) {
            Ok(body) if body.id == id => Ok(Some(body)),
            _ => Err(Corruption::Message(id)),
        }
    }

    fn has_message(&mut self, id: MessageId) -> bool {
        self.0.has(Part::Messages, &id.0)
    }

    fn remove_message(&mut self, id: MessageId) {
        self.0.delete(Part::Messages, &id.0);
    }

    fn note(&mut self, id: MessageId) -> Result<Option<Note>, Corruption> {
        let Some(bytes) = self.0.get(Part::Notes, &id.0) else { return Ok(None) };
        match record::decode_note(bytes.as_ref()) {
            Ok(note) => Ok(Some(note)),
            Err(_) => Err(Corruption::Message(id)),
        }
    }

    fn put_note(&mut self, id: MessageId, note: &Note) {
        self.0.put(Part::Notes, &id.0, &record::encode_note(note));
        if note.retry_count > 0 {
            self.0.add(Part::Retried, &id.0, f64::from(note.retry_count));
        }
    }

    fn remove_note(&mut self, id: MessageId) {
        if self.0.len(Part::Notes) > 0 {
            self.0.delete(Part::Notes, &id.0);
            self.0.remove(Part::Retried, &id.0);
        }
    }

    fn highest_retry_count(&mut self) -> u32 {
        self.0.last(Part::Retried).map_or(0, |(_, count)| count as u32)
    }

    fn add_ranked(&mut self, id: MessageId, rank: Rank) {
        self.0.add(Part::Ranked, &id.0, rank.0 as f64);
    }

    fn remove_ranked(&mut self, id: MessageId) -> bool {
        self.0.remove(Part::Ranked, &id.0)
    }

    fn is_ranked(&mut self, id: MessageId) -> bool {
        self.0.score(Part::Ranked, &id.0).is_some()
    }

    fn first_ranked(&mut self) -> Option<(Result<MessageId, Unreadable>, Rank)> {
        let (member, score) = self.0.first(Part::Ranked)?;
        Some((message_id(member.as_ref()), Rank(score as u64)))
    }

    fn add_delayed(&mut self, id: MessageId, due_at_ms: u64) {
        self.0.add(Part::Delayed, &id.0, due_at_ms as f64);
    }

    fn remove_delayed(&mut self, id: MessageId) -> bool {
        self.0.remove(Part::Delayed, &id.0)
    }

    fn is_delayed(&mut self, id: MessageId) -> bool {
        self.0.score(Part::Delayed, &id.0).is_some()
    }

    fn first_delayed(&mut self) -> Option<(Result<MessageId, Unreadable>, u64)> {
        let (member, score) = self.0.first(Part::Delayed)?;
        Some((message_id(member.as_ref()), moment(score)))
    }

    fn put_inflight(&mut self, delivery: Delivery, until_ms: u64) {
        self.0.add(Part::Inflight, &inflight_member(delivery), -(until_ms as f64));
    }

    fn remove_inflight(&mut self, delivery: Delivery) -> bool {
        self.0.remove(Part::Inflight, &inflight_member(delivery))
    }

    fn inflight_until(&mut self, delivery: Delivery) -> Option<u64> {
        self.0.score(Part::Inflight, &inflight_member(delivery)).map(|score| moment(-score))
    }

    fn first_inflight(&mut self) -> Option<(Result<Delivery, Unreadable>, u64)> {
        let (member, score) = self.0.last(Part::Inflight)?;
        Some((delivery(member.as_ref()), moment(-score)))
    }

    fn set_member_aside(&mut self, part: Part, member: &Unreadable) {
        self.0.remove(part, &member.0);
        self.0.push_back(Part::Damaged, &member.0);
    }

    fn set_message_aside(&mut self, id: MessageId) {
        if let Some(bytes) = self.0.get(Part::Messages, &id.0) {
            self.0.push_back(Part::Damaged, bytes.as_ref());
            self.0.delete(Part::Messages, &id.0);
        }
        self.remove_note(id);
    }

    fn settings(&mut self) -> Settings {
        let mut settings = Settings::default();
        if self.0.len(Part::Config) > 0 {
            for setting in Setting::ALL {
                if let Some(text) = self.0.get(Part::Config, setting.name().as_bytes()) {
                    settings.set(setting, text.as_ref());
                }
            }
        }
        settings
    }

    fn setting(&mut self, setting: Setting) -> Option<Vec<u8>> {
        self.0.get(Part::Config, setting.name().as_bytes()).map(|text| text.as_ref().to_vec())
    }

    fn put_setting(&mut self, setting: Setting, text: &[u8]) {
        self.0.put(Part::Config, setting.name().as_bytes(), text);
    }

    fn remove_setting(&mut self, setting: Setting) {
        self.0.delete(Part::Config, setting.name().as_bytes());
    }
}

/// The member of `Inflight`: the receipt with all bits inverted, big endian, then the id; so that
/// among equal scores the newest delivery is the first.
fn inflight_member(delivery: Delivery) -> [u8; 24] {
    let mut member = [0; 24];
    let (receipt, id) = member.split_at_mut(8);
    receipt.copy_from_slice(&(!delivery.receipt.0).to_be_bytes());
    id.copy_from_slice(&delivery.id.0);
    member
}

fn delivery(member: &[u8]) -> Result<Delivery, Unreadable> {
    let parts = member.split_first_chunk::<8>().and_then(|(receipt, id)| {
        let id = MessageId(id.try_into().ok()?);
        Some(Delivery { id, receipt: Receipt(!u64::from_be_bytes(*receipt)) })
    });
    parts.ok_or_else(|| Unreadable(member.to_vec()))
}

fn message_id(member: &[u8]) -> Result<MessageId, Unreadable> {
    member.try_into().map(MessageId).map_err(|_| Unreadable(member.to_vec()))
}

/// A moment from a score, unix ms; one that no op can have made counts as long ago or far ahead.
fn moment(score: f64) -> u64 {
    (score as u64).min(MAX_TIME_MS)
}
