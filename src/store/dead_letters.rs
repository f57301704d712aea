//! The index of dead letters, `Dead`.

use super::keyspace::Keyspace;
use super::members::{message_id, readable, timestamp};
use super::records::Records;
use crate::queue::message::Died;
use crate::queue::part::Part;

impl<K: Keyspace> Records<K> {
    /// See [`Store::dead`](crate::queue::store::Store::dead).
    pub(super) fn dead_letters(
        &mut self,
        after: Option<Died>,
        until_ms: u64,
        count: u64,
    ) -> Vec<Died> {
        let from_ms = after.map_or(f64::NEG_INFINITY, |after| after.at_ms as f64);
        let scores = [from_ms, until_ms as f64];
        let (mut dead, mut skip) = (Vec::new(), 0u64);
        while (dead.len() as u64) < count {
            let members = self.0.range(Part::Dead, scores, skip, count);
            if members.is_empty() {
                break;
            }
            let read = readable(members, |member| message_id(member).ok(), timestamp).into_iter();
            let read = read.map(|(id, at_ms)| Died { at_ms, id });
            dead.extend(read.filter(|died| after.is_none_or(|after| *died > after)));
            skip = skip.saturating_add(count);
        }
        dead.truncate(count.try_into().unwrap_or(usize::MAX));
        dead
    }
}
