//! The markers in `Lanes`: which ready lists are not empty, and whether `Ranked` and `Turns` are not.

use super::keyspace::Keyspace;
use super::members::Mark;
use super::records::Records;
use crate::queue::part::Part;

impl<K: Keyspace> Records<K> {
    /// Sets the marker in `Lanes` of a part that got an entry.
    pub(super) fn add_mark(&mut self, part: Part, mark: Mark) {
        // Another client may have removed the markers, that of the group schedule included.
        let is_first = self.0.len(Part::Lanes) == 0;
        if self.0.len(part) == 1 || is_first {
            self.0.add(Part::Lanes, &[mark.0], mark.score());
        }
        if is_first && self.0.len(Part::Turns) > 0 {
            self.mark_schedule();
        }
    }

    /// Sets the marker of the group schedule.
    pub(super) fn mark_schedule(&mut self) {
        self.0.add(Part::Lanes, &[Mark::TURNS.0], Mark::TURNS.score());
    }

    /// Removes the marker in `Lanes` of a part that became empty.
    pub(super) fn remove_mark(&mut self, part: Part, mark: Mark) {
        if self.0.len(part) == 0 {
            self.0.remove(Part::Lanes, &[mark.0]);
        }
    }

    /// As [`remove_mark`](Self::remove_mark), for a ready list.
    pub(super) fn close_list(&mut self, priority: u8) {
        if priority > 0 {
            self.remove_mark(Part::ready(priority), Mark(priority));
        }
    }
}
