//! What the module API can't do on every server, done by the server's commands (`call.rs`). A server where one
//! of them was renamed is refused when the module is loaded: later on, nobody could be told.
//!
//! Where a command writes, its key must not be open.

use std::ffi::CStr;
use std::io;

use super::call::call;
use super::context::Context;
use super::string::{ServerString, ValueString};

/// The commands that the module calls.
const NEEDED: [&CStr; 7] =
    [c"LINDEX", c"LRANGE", c"LREM", c"LSET", c"ZCOUNT", c"ZLEXCOUNT", c"ZRANGE"];

/// The one that it calls in cluster mode only.
const NEEDED_IN_CLUSTER: &CStr = c"EXISTS";

impl Context<'_> {
    /// The commands that the module needs and this server lacks, or has renamed.
    pub fn missing_commands(self) -> Vec<&'static CStr> {
        let in_cluster = self.is_cluster().then_some(NEEDED_IN_CLUSTER);
        NEEDED.into_iter().chain(in_cluster).filter(|name| !self.has_command(name)).collect()
    }

    /// True if the server has a command of this name, one that needs arguments.
    fn has_command(self, name: &CStr) -> bool {
        const NO_SUCH_COMMAND: i32 = 2;
        // Without arguments it is refused before it does anything; why, errno says: ENOENT.
        let reply = call!(self, name, c"");
        let error = io::Error::last_os_error();
        reply.is_some() || error.raw_os_error() != Some(NO_SUCH_COMMAND)
    }

    /// In cluster mode: true if this server owns the slot of these two keys, which never exist, and the slot is
    /// neither migrating nor being imported. Otherwise the server refuses EXISTS with several absent keys.
    pub fn slot_is_stable(self, first: &ServerString, second: &ServerString) -> bool {
        let reply = call!(self, c"EXISTS", c"ss", first.as_ptr(), second.as_ptr());
        reply.is_some_and(|reply| !reply.is_error())
    }

    /// The texts that a command with one argument replies: one, or a list. None if the server refuses it.
    pub fn texts(self, command: &CStr, subcommand: &CStr) -> Option<Vec<String>> {
        let reply = call!(self, command, c"c", subcommand.as_ptr())?;
        Some(reply.texts())
    }

    /// Up to `count` values of a list from the one at `start` on.
    pub fn list_range(self, key: &ServerString, start: u64, count: u64) -> Vec<ValueString> {
        let Some(last) = count.checked_sub(1).map(|more| start.saturating_add(more)) else {
            return Vec::new();
        };
        let reply = call!(self, c"LRANGE", c"sll", key.as_ptr(), signed(start), signed(last));
        reply.map(|reply| reply.strings()).unwrap_or_default()
    }

    /// Removes so many values from the front of a list. False if the server has no such command: nothing was
    /// removed then.
    pub fn trim_list(self, key: &ServerString, count: u64) -> bool {
        let reply = call!(self, c"LTRIM", c"sll", key.as_ptr(), signed(count), -1i64);
        reply.is_some_and(|reply| !reply.is_error())
    }

    /// How many members of a sorted set have a score in the range; both ends belong to it.
    pub fn count_scores(self, key: &ServerString, [low, high]: [f64; 2]) -> u64 {
        self.count(c"ZCOUNT", key, low.to_string().as_bytes(), high.to_string().as_bytes())
    }

    /// How many members of a sorted set have a lower score.
    pub fn count_below(self, key: &ServerString, score: f64) -> u64 {
        if score == f64::NEG_INFINITY {
            return 0;
        }
        self.count(c"ZCOUNT", key, b"-inf", format!("({score}").as_bytes())
    }

    /// How many members of a sorted set whose scores are all equal are before `from`.
    pub fn count_before(self, key: &ServerString, from: &[u8]) -> u64 {
        self.count(c"ZLEXCOUNT", key, b"-", &[b"(", from].concat())
    }

    fn count(self, command: &CStr, key: &ServerString, low: &[u8], high: &[u8]) -> u64 {
        let reply = call!(
            self,
            command,
            c"sbb",
            key.as_ptr(),
            low.as_ptr(),
            low.len(),
            high.as_ptr(),
            high.len(),
        );
        reply.and_then(|reply| u64::try_from(reply.integer()).ok()).unwrap_or(0)
    }

    /// Up to `count` members of a sorted set from that rank on, the lowest score first, and their
    /// scores.
    pub fn members_by_rank(
        self,
        key: &ServerString,
        start: u64,
        count: u64,
    ) -> Vec<(ValueString, f64)> {
        let Some(last) = count.checked_sub(1).map(|more| start.saturating_add(more)) else {
            return Vec::new();
        };
        let reply = call!(
            self,
            c"ZRANGE",
            c"sllc",
            key.as_ptr(),
            signed(start),
            signed(last),
            c"WITHSCORES".as_ptr(),
        );
        let mut strings = reply.map(|reply| reply.strings()).unwrap_or_default().into_iter();
        let mut members = Vec::new();
        while let (Some(member), Some(score)) = (strings.next(), strings.next()) {
            let score = std::str::from_utf8(score.as_ref()).ok().and_then(|text| text.parse().ok());
            members.extend(score.map(|score| (member, score)));
        }
        members
    }

    /// The value of a list at an index; a negative one counts from the end.
    pub fn list_element(self, key: &ServerString, index: i64) -> Option<ValueString> {
        call!(self, c"LINDEX", c"sl", key.as_ptr(), index)?.string()
    }

    /// Removes the values at these indexes, which are ascending, of a list of that length. One value is looked
    /// for from the nearer end; several are overwritten first with one that nothing stored equals, so that one
    /// walk removes them all.
    pub fn remove_from_list(self, key: &ServerString, len: u64, indexes: &[u64]) {
        if let [index] = indexes {
            let Some(value) = self.list_element(key, signed(*index)) else { return };
            let direction = if *index < len / 2 { 1i64 } else { -1 };
            return self.remove_values(key, direction, value.as_ref());
        }
        let removed = b"removed";
        for index in indexes {
            let from_end = signed(*index).saturating_sub(signed(len));
            let is_nearer = *index > len / 2;
            let index = if is_nearer { from_end } else { signed(*index) };
            call!(self, c"LSET", c"slb", key.as_ptr(), index, removed.as_ptr(), removed.len());
        }
        self.remove_values(key, signed(indexes.len() as u64), removed);
    }

    /// Removes so many values that equal this one; if `count` is negative, the last ones.
    fn remove_values(self, key: &ServerString, count: i64, value: &[u8]) {
        call!(self, c"LREM", c"slb", key.as_ptr(), count, value.as_ptr(), value.len());
    }
}

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of commands are in capitals; so is one option.
    #[test]
    fn every_command_that_is_called_is_checked_when_the_module_is_loaded() {
        let text = concat!(
            include_str!("by_command.rs"),
            include_str!("list.rs"),
            include_str!("hash.rs"),
            include_str!("sorted_set.rs")
        );
        for word in text.split("c\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let is_command = word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_uppercase());
            let checked = NEEDED
                .iter()
                .chain([&NEEDED_IN_CLUSTER])
                .any(|name| name.to_bytes() == word.as_bytes());
            let is_optional = word == "LTRIM";
            assert!(!is_command || checked || is_optional || word == "WITHSCORES", "{word}");
        }
    }
}
