//! What the module API can't do on every server: done by the server's commands, which cost more.
//! Not on the way of a message.

use redis_module::raw;

use super::api;
use super::context::Context;
use super::string::ServerString;

impl Context<'_> {
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

    /// How many members of a sorted set have a score in the range; both ends belong to it.
    pub fn count_scores(self, key: &ServerString, [low, high]: [f64; 2]) -> u64 {
        let (low, high) = (low.to_string(), high.to_string());
        let reply = api!(RedisModule_Call(
            self.raw,
            c"ZCOUNT".as_ptr(),
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

    /// Takes the first value of a list that equals `value` out. The key must not be open.
    pub fn remove_from_list(self, key: &ServerString, value: &ServerString) {
        let reply = api!(RedisModule_Call(
            self.raw,
            c"LREM".as_ptr(),
            c"sls".as_ptr(),
            key.as_ptr(),
            1i64,
            value.as_ptr(),
        ));
        if !reply.is_null() {
            api!(RedisModule_FreeCallReply(reply));
        }
    }
}
