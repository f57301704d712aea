//! Replies, in the words of the protocol.

use super::context::Context;
use super::{api, has};

impl Context<'_> {
    /// An integer.
    pub fn reply_integer(self, number: i64) {
        api!(RedisModule_ReplyWithLongLong(self.raw, number));
    }

    /// A bulk string.
    pub fn reply_bytes(self, bytes: &[u8]) {
        api!(RedisModule_ReplyWithStringBuffer(self.raw, bytes.as_ptr().cast(), bytes.len()));
    }

    /// A simple string.
    pub fn reply_status(self, status: &std::ffi::CStr) {
        api!(RedisModule_ReplyWithSimpleString(self.raw, status.as_ptr()));
    }

    /// An error; `text` begins with its code.
    pub fn reply_error(self, text: &str) {
        let text: Vec<u8> =
            text.bytes().map(|b| if b < b' ' { b' ' } else { b }).chain([0]).collect();
        api!(RedisModule_ReplyWithError(self.raw, text.as_ptr().cast()));
    }

    /// The server's own error for a wrong number of arguments.
    pub fn reply_wrong_arity(self) {
        api!(RedisModule_WrongArity(self.raw));
    }

    /// Null; in RESP2 the null array, as BLPOP replies.
    pub fn reply_null_array(self) {
        api!(RedisModule_ReplyWithNullArray(self.raw));
    }

    /// The head of an array of `len` replies.
    pub fn reply_array(self, len: usize) {
        api!(RedisModule_ReplyWithArray(self.raw, len as i64));
    }

    /// The head of a map of `len` pairs; a flat array in RESP2 and on servers before 7.0.
    pub fn reply_map(self, len: usize) {
        if has!(RedisModule_ReplyWithMap) {
            api!(RedisModule_ReplyWithMap(self.raw, len as i64));
        } else {
            self.reply_array(len.saturating_mul(2));
        }
    }
}
