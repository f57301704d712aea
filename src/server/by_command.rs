//! What the module API can't do on every server: done by the server's commands, which cost more.
//! Not on a hot path. A server where one of them was renamed is refused when the module is
//! loaded: later on, nobody could be told.

use std::ffi::CStr;
use std::io;

use redis_module::raw;

use super::api::api;
use super::context::Context;
use super::string::ServerString;

/// The commands that the module calls.
const NEEDED: [&CStr; 7] =
    [c"LINDEX", c"LRANGE", c"LREM", c"LSET", c"ZCOUNT", c"ZLEXCOUNT", c"ZRANGE"];

/// The one that it calls in cluster mode only.
const NEEDED_IN_CLUSTER: &CStr = c"EXISTS";

impl Context<'_> {
    /// The commands that the module needs and this server does not have, or not by these names.
    pub fn missing_commands(self) -> Vec<&'static CStr> {
        let in_cluster = self.is_cluster().then_some(NEEDED_IN_CLUSTER);
        NEEDED.into_iter().chain(in_cluster).filter(|name| !self.has_command(name)).collect()
    }

    /// True if the server has a command of this name, one that needs arguments.
    fn has_command(self, name: &CStr) -> bool {
        const NO_SUCH_COMMAND: i32 = 2;
        // Without arguments it is refused before it does anything; why, errno says: ENOENT.
        let reply = api!(RedisModule_Call(self.raw, name.as_ptr(), c"".as_ptr()));
        let error = io::Error::last_os_error();
        if reply.is_null() {
            return error.raw_os_error() != Some(NO_SUCH_COMMAND);
        }
        api!(RedisModule_FreeCallReply(reply));
        true
    }

    /// Up to `count` values of a list from the one at `start` on.
    pub fn list_range(self, key: &ServerString, start: u64, count: u64) -> Vec<ServerString> {
        let Some(last) = count.checked_sub(1).map(|more| start.saturating_add(more)) else {
            return Vec::new();
        };
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let reply = api!(RedisModule_Call(
            self.raw,
            c"LRANGE".as_ptr(),
            c"sll".as_ptr(),
            key.as_ptr(),
            number(start),
            number(last),
        ));
        texts(reply)
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
        let reply = api!(RedisModule_Call(
            self.raw,
            command.as_ptr(),
            c"sbb".as_ptr(),
            key.as_ptr(),
            low.as_ptr(),
            low.len(),
            high.as_ptr(),
            high.len(),
        ));
        if reply.is_null() {
            return 0;
        }
        let count = api!(RedisModule_CallReplyInteger(reply));
        api!(RedisModule_FreeCallReply(reply));
        u64::try_from(count).unwrap_or(0)
    }

    /// Up to `count` members of a sorted set from that rank on, the lowest score first, and their
    /// scores.
    pub fn members_by_rank(
        self,
        key: &ServerString,
        start: u64,
        count: u64,
    ) -> Vec<(ServerString, f64)> {
        let Some(last) = count.checked_sub(1).map(|more| start.saturating_add(more)) else {
            return Vec::new();
        };
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let reply = api!(RedisModule_Call(
            self.raw,
            c"ZRANGE".as_ptr(),
            c"sllc".as_ptr(),
            key.as_ptr(),
            number(start),
            number(last),
            c"WITHSCORES".as_ptr(),
        ));
        let mut strings = texts(reply).into_iter();
        let mut members = Vec::new();
        while let (Some(member), Some(score)) = (strings.next(), strings.next()) {
            let score = std::str::from_utf8(score.as_ref()).ok().and_then(|text| text.parse().ok());
            members.extend(score.map(|score| (member, score)));
        }
        members
    }

    /// The value of a list at an index; below 0 it counts from the end.
    pub fn list_element(self, key: &ServerString, index: i64) -> Option<ServerString> {
        let reply = api!(RedisModule_Call(
            self.raw,
            c"LINDEX".as_ptr(),
            c"sl".as_ptr(),
            key.as_ptr(),
            index,
        ));
        if reply.is_null() {
            return None;
        }
        let value = api!(RedisModule_CreateStringFromCallReply(reply));
        api!(RedisModule_FreeCallReply(reply));
        ServerString::from_raw(value)
    }

    /// Removes the values at these indexes, which rise, of a list of that length. The key must not be
    /// open. One value is looked for from the nearer end; several are overwritten first with one that
    /// is no record, so that one walk removes them all.
    pub fn remove_from_list(self, key: &ServerString, len: u64, indexes: &[u64]) {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        if let [index] = indexes {
            let Some(value) = self.list_element(key, signed(*index)) else { return };
            let direction = if *index < len / 2 { 1i64 } else { -1 };
            return self.remove_values(key, direction, &value);
        }
        let removed = ServerString::new(b"removed");
        for index in indexes {
            let from_end = signed(*index).saturating_sub(signed(len));
            let is_nearer = *index > len / 2;
            let reply = api!(RedisModule_Call(
                self.raw,
                c"LSET".as_ptr(),
                c"sls".as_ptr(),
                key.as_ptr(),
                if is_nearer { from_end } else { signed(*index) },
                removed.as_ptr(),
            ));
            if !reply.is_null() {
                api!(RedisModule_FreeCallReply(reply));
            }
        }
        self.remove_values(key, signed(indexes.len() as u64), &removed);
    }

    /// Removes so many values that equal this one; if `count` is below 0, the last ones.
    fn remove_values(self, key: &ServerString, count: i64, value: &ServerString) {
        let reply = api!(RedisModule_Call(
            self.raw,
            c"LREM".as_ptr(),
            c"sls".as_ptr(),
            key.as_ptr(),
            count,
            value.as_ptr(),
        ));
        if !reply.is_null() {
            api!(RedisModule_FreeCallReply(reply));
        }
    }
}

/// The strings of an array; none if it is another reply. Frees it.
fn texts(reply: *mut raw::RedisModuleCallReply) -> Vec<ServerString> {
    if reply.is_null() {
        return Vec::new();
    }
    let mut values = Vec::new();
    if api!(RedisModule_CallReplyType(reply)) == raw::REDISMODULE_REPLY_ARRAY as i32 {
        for index in 0..api!(RedisModule_CallReplyLength(reply)) {
            let element = api!(RedisModule_CallReplyArrayElement(reply, index));
            let value = api!(RedisModule_CreateStringFromCallReply(element));
            values.extend(ServerString::from_raw(value));
        }
    }
    api!(RedisModule_FreeCallReply(reply));
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of commands are in capitals; so is one option.
    #[test]
    fn every_command_that_is_called_is_checked_when_the_module_is_loaded() {
        let text = concat!(
            include_str!("by_command.rs"),
            include_str!("context.rs"),
            include_str!("key.rs")
        );
        for word in text.split("c\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let is_command = word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_uppercase());
            let checked = NEEDED
                .iter()
                .chain([&NEEDED_IN_CLUSTER])
                .any(|name| name.to_bytes() == word.as_bytes());
            assert!(!is_command || checked || word == "WITHSCORES", "{word}");
        }
    }
}
