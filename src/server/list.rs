//! What the module API can't do with lists on every server: done by the server's commands, which
//! cost more. Not on the way of a message.

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
