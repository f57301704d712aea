//! Replies, in the words of the protocol.

use std::ffi::CString;
use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{AtomicIsize, Ordering};

use redis_module::raw;

use super::api::{api, guard, has};
use super::context::Context;

/// How many pieces the reply still needs that is being made; an array of three needs four in all. It wraps,
/// and only this thread has it: so to count a piece is one instruction.
static MISSING: AtomicIsize = AtomicIsize::new(0);

/// Makes a reply. If `work` panics, errors take the place of all that is missing: a client that got half
/// a reply would take the next one for the rest, and scripts would read on behind its end.
pub(super) fn whole(context: Context<'_>, work: impl FnOnce()) {
    MISSING.store(1, Ordering::Relaxed);
    let finished = guard(|| {
        work();
        debug_assert_eq!(MISSING.load(Ordering::Relaxed), 0, "a reply is as long as its heads say");
    });
    if finished.is_none() {
        while MISSING.load(Ordering::Relaxed) > 0 {
            context.reply_error("ERR internal error of the module, please report it");
        }
    }
}

/// The reply is made later, by another callback.
pub(super) fn postpone() {
    MISSING.store(0, Ordering::Relaxed);
}

/// A piece is replied that consists of so many others.
#[inline]
fn piece_of(pieces: usize) {
    let more = (pieces as isize).wrapping_sub(1);
    MISSING.store(MISSING.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

/// A text that is replied often. It is kept in the form in which the server sends it: replying it is
/// one copy, where a bulk string is three.
pub struct Word {
    text: &'static str,
    /// The server's reply to ECHO; null if it gave none.
    echo: *mut raw::RedisModuleCallReply,
}

/// Some of them, and the context that they belong to: the server uses that again when it frees a
/// reply, so it can't be the one of a callback.
pub struct Words<const N: usize> {
    words: [Word; N],
    context: *mut raw::RedisModuleCtx,
}

impl<const N: usize> Words<N> {
    /// Prepares texts.
    pub fn new(texts: [&'static str; N]) -> Self {
        let context = api!(RedisModule_GetThreadSafeContext(ptr::null_mut()));
        let words = texts.map(|text| {
            let (start, len) = (text.as_ptr(), text.len());
            let echo = api!(RedisModule_Call(context, c"ECHO".as_ptr(), c"b".as_ptr(), start, len));
            Word { text, echo }
        });
        Self { words, context }
    }
}

impl<const N: usize> Deref for Words<N> {
    type Target = [Word; N];

    fn deref(&self) -> &[Word; N] {
        &self.words
    }
}

impl<const N: usize> Drop for Words<N> {
    fn drop(&mut self) {
        for word in self.words.iter().filter(|word| !word.echo.is_null()) {
            api!(RedisModule_FreeCallReply(word.echo));
        }
        api!(RedisModule_FreeThreadSafeContext(self.context));
    }
}

impl Context<'_> {
    /// An integer.
    pub fn reply_integer(self, number: i64) {
        piece_of(0);
        api!(RedisModule_ReplyWithLongLong(self.raw, number));
    }

    /// A bulk string with a prepared text.
    pub fn reply_word(self, word: &Word) {
        if word.echo.is_null() {
            self.reply_bytes(word.text.as_bytes());
        } else {
            piece_of(0);
            api!(RedisModule_ReplyWithCallReply(self.raw, word.echo));
        }
    }

    /// A bulk string.
    pub fn reply_bytes(self, bytes: &[u8]) {
        piece_of(0);
        api!(RedisModule_ReplyWithStringBuffer(self.raw, bytes.as_ptr().cast(), bytes.len()));
    }

    /// A simple string.
    pub fn reply_status(self, status: &std::ffi::CStr) {
        piece_of(0);
        api!(RedisModule_ReplyWithSimpleString(self.raw, status.as_ptr()));
    }

    /// A simple string that is made for this reply.
    pub fn reply_line(self, line: &str) {
        self.reply_status(&CString::new(line).unwrap_or_default());
    }

    /// An error; `text` begins with its code.
    pub fn reply_error(self, text: &str) {
        piece_of(0);
        let text: Vec<u8> =
            text.bytes().map(|b| if b < b' ' { b' ' } else { b }).chain([0]).collect();
        api!(RedisModule_ReplyWithError(self.raw, text.as_ptr().cast()));
    }

    /// Null; in RESP2 the null array, as BLPOP replies.
    pub fn reply_null_array(self) {
        piece_of(0);
        api!(RedisModule_ReplyWithNullArray(self.raw));
    }

    /// The head of an array of `len` replies.
    pub fn reply_array(self, len: usize) {
        piece_of(len);
        api!(RedisModule_ReplyWithArray(self.raw, len as i64));
    }

    /// The head of a map of `len` pairs; a flat array in RESP2 and on servers before 7.0.
    pub fn reply_map(self, len: usize) {
        if has!(RedisModule_ReplyWithMap) {
            piece_of(len.saturating_mul(2));
            api!(RedisModule_ReplyWithMap(self.raw, len as i64));
        } else {
            self.reply_array(len.saturating_mul(2));
        }
    }
}
