//! Which group is served next: docs/storage.md says how, under the schedule of groups. Knows no messages.

use std::collections::BTreeSet;

/// Groups with ready messages: in line those that can be served, and those that have no free slot. `None` is all
/// messages without a group.
#[derive(Debug, Default)]
pub struct Schedule {
    line: Vec<Option<String>>,
    blocked: BTreeSet<String>,
}

impl Schedule {
    /// Puts a group where it belongs.
    pub fn settle(&mut self, group: &str, has_ready: bool, has_slot: bool) {
        let is_in_line = self.line.iter().any(|other| other.as_deref() == Some(group));
        self.blocked.remove(group);
        if has_ready && has_slot {
            if !is_in_line {
                self.line.push(Some(group.to_owned()));
            }
        } else {
            self.line.retain(|other| other.as_deref() != Some(group));
            if has_ready {
                self.blocked.insert(group.to_owned());
            }
        }
        if self.blocked.is_empty() {
            self.forget_the_ungrouped();
        }
    }

    /// The group to be served.
    pub fn next(&mut self, has_ungrouped: bool) -> Option<String> {
        if has_ungrouped && !self.line.is_empty() && !self.line.contains(&None) {
            self.line.push(None);
        }
        if self.line.first() == Some(&None) && !has_ungrouped {
            self.line.remove(0);
        }
        self.line.first().cloned().flatten()
    }

    /// It is last in line from now on.
    pub fn served(&mut self, group: Option<&str>) {
        if let Some(index) = self.line.iter().position(|other| other.as_deref() == group) {
            let group = self.line.remove(index);
            self.line.push(group);
            self.forget_the_ungrouped();
        }
    }

    /// All groups, in the order in which MQ.PEEK shows them.
    pub fn order(&self) -> impl Iterator<Item = &String> {
        self.line.iter().flatten().chain(&self.blocked)
    }

    /// They have turns only beside groups.
    fn forget_the_ungrouped(&mut self) {
        if self.line == [None] {
            self.line.clear();
        }
    }
}
