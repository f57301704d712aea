//! The markers in `Lanes`: which ready lists are not empty, and whether `Ranked` and `Turns` are not.

use super::keyspace::Keyspace;
use super::members::Mark;
use super::records::Records;
use crate::queue::part::Part;
use crate::queue::valid::MAX_PRIORITY;

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

    /// See [`Store::ready_priorities`](crate::queue::store::Store::ready_priorities).
    pub(super) fn marked_priorities(&mut self) -> Vec<u8> {
        if self.0.len(Part::Lanes) == 0 {
            return Vec::new();
        }
        let members = self.0.range_down(Part::Lanes, 0, MAX_PRIORITY.into());
        let priorities = members.iter().filter_map(|(member, _)| match member.as_ref() {
            [priority @ 1..=MAX_PRIORITY] => Some(*priority),
            _ => None,
        });
        priorities.collect()
    }

    /// See [`Store::top_priority`](crate::queue::store::Store::top_priority).
    pub(super) fn highest_mark(&mut self) -> Option<u8> {
        let highest = self.0.last(Part::Lanes).map_or(0, |(_, score)| score as u8);
        let highest = highest.min(MAX_PRIORITY);
        if self.0.len(Part::ready(highest)) > 0 {
            return Some(highest);
        }
        // Another client may have removed that list.
        (0..highest).rev().find(|lower| self.0.len(Part::ready(*lower)) > 0)
    }
}
