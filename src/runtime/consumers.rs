//! Finds what a consumer holds, in slices: its name is in the state records only, so all of these are read,
//! and nothing is remembered between two commands.

use std::collections::BTreeSet;

use crate::queue::QueueError;
use crate::queue::inspect;
use crate::queue::message::{Delivery, MessageId};
use crate::queue::part::Part;
use crate::queue::store::Store;
use crate::server::scan::KeyCursor;
use crate::store::records::Records;
use crate::store::server_keyspace::ServerKeyspace;

/// A search in progress.
pub struct Search {
    consumer: Vec<u8>,
    /// None at the end.
    cursor: Option<KeyCursor>,
    /// A scan may visit a record twice.
    found: BTreeSet<MessageId>,
}

impl Search {
    pub fn of(consumer: &[u8]) -> Self {
        Self { consumer: consumer.to_vec(), cursor: KeyCursor::new(), found: BTreeSet::new() }
    }

    /// True if all was read.
    pub fn is_over(&self) -> bool {
        self.cursor.is_none()
    }

    /// Reads some of the records: the deliveries of the consumer that they name.
    pub fn next(
        &mut self,
        store: &mut Records<ServerKeyspace<'_>>,
    ) -> Result<Vec<Delivery>, QueueError> {
        store.require(&[Part::Notes, Part::Flight, Part::Inflight])?;
        let Some(cursor) = &mut self.cursor else { return Ok(Vec::new()) };
        let mut ids = BTreeSet::new();
        let has_more = store.0.read_consumers(cursor, &self.consumer, |id| {
            if self.found.insert(id) {
                ids.insert(id);
            }
        });
        if !has_more {
            self.cursor = None;
        }
        Ok(inspect::deliveries(store, &ids))
    }
}
