//! How many messages have which retry count: `Retries`, and what 0.1.0 wrote in its place.
//!
//! 0.1.0 listed each returned message with its count in `Retried`. Such a message is still counted there,
//! until its count changes or it is removed.

use super::keyspace::Keyspace;
use super::records::Records;
use crate::queue::message::MessageId;
use crate::queue::part::Part;

impl<K: Keyspace> Records<K> {
    /// No longer counts a message with this retry count; None: it is unreadable.
    pub(super) fn uncount(&mut self, id: MessageId, retry_count: Option<u32>) {
        if self.0.len(Part::Notes) == 0 {
            // Nor does any other message have one: what damage has left behind goes too.
            for part in Part::OF_RETRIES {
                if self.0.has_its_type(*part) && self.0.len(*part) > 0 {
                    self.0.unlink(*part);
                }
            }
        } else if retry_count != Some(0)
            && !self.0.remove(Part::Retried, &id.0)
            && let Some(retry_count) = retry_count
        {
            self.recount(retry_count, |number| number.saturating_sub(1));
        }
    }

    /// Counts a message with this retry count.
    pub(super) fn count(&mut self, retry_count: u32) {
        if retry_count > 0 {
            self.recount(retry_count, |number| number.saturating_add(1));
        }
    }

    /// Changes the number of messages with a retry count.
    fn recount(&mut self, retry_count: u32, change: impl FnOnce(u64) -> u64) {
        let field = retry_count.to_string();
        let old = self.0.get(Part::Retries, field.as_bytes());
        let old = old.and_then(|bytes| number(bytes.as_ref())).unwrap_or(0);
        match change(old) {
            0 => self.0.delete(Part::Retries, field.as_bytes()),
            new => self.0.put(Part::Retries, field.as_bytes(), new.to_string().as_bytes()),
        }
    }

    /// The highest retry count of all messages; 0 if none was returned.
    pub(super) fn highest_counted(&mut self) -> u32 {
        let mut highest = self.0.last(Part::Retried).map_or(0, |(_, count)| count as u32);
        self.0.each_field(Part::Retries, |field, _| {
            let retry_count = number(field).and_then(|count| u32::try_from(count).ok());
            highest = highest.max(retry_count.unwrap_or(0));
        });
        highest
    }
}

/// Reads a number as it is written here.
fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
