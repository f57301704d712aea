//! Replies, in the types of the protocol.

use std::ffi::{CStr, CString};
use std::ops::Deref;
use std::sync::atomic::{AtomicIsize, Ordering};

use super::api::{function, guard, has};
use super::call::{Reply, call};
use super::context::{Context, OwnContext};

/// How many elements the reply still lacks that is being made; an array of three counts as four. Only the main
/// thread uses it, and it wraps: so that counting an element is one instruction.
static MISSING: AtomicIsize = AtomicIsize::new(0);

/// Makes a reply. If `work` panics, errors take the place of all that is missing: a client that got half of a
/// reply would take the next one for the rest, and a script would read past its end.
pub(super) fn complete(context: Context<'_>, work: impl FnOnce()) {
    MISSING.store(1, Ordering::Relaxed);
    let finished = guard(|| {
        work();
        debug_assert_eq!(MISSING.load(Ordering::Relaxed), 0, "a reply has all its elements");
    });
    if finished.is_none() {
        while MISSING.load(Ordering::Relaxed) > 0 {
            context.reply_error("ERR internal error of the module, please report it");
        }
    }
}

/// Another callback makes the reply.
pub(super) fn defer() {
    MISSING.store(0, Ordering::Relaxed);
}

/// Counts a reply that so many others follow as its elements.
#[inline]
fn count_with(elements: usize) {
    let more = (elements as isize).wrapping_sub(1);
    MISSING.store(MISSING.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

/// A text that is replied often, kept in the form in which the server sends it: to reply it is one copy, where
/// a bulk string takes three.
pub struct CachedText {
    text: &'static str,
    /// What ECHO replied, if it did.
    echo: Option<Reply<'static>>,
}

/// Several of them, with the context of their replies: the server needs it again when it frees them, so it can't be
/// that of a callback.
pub struct CachedTexts<const N: usize> {
    // Dropped in this order.
    texts: [CachedText; N],
    _context: OwnContext,
}

impl<const N: usize> CachedTexts<N> {
    /// Prepares texts.
    pub fn new(texts: [&'static str; N]) -> Self {
        let own = OwnContext::new();
        // SAFETY: the replies are dropped before the context is, and nothing else keeps it.
        let context = unsafe { Context::new(own.as_ptr()) };
        let texts = texts.map(|text| {
            let echo = call!(context, c"ECHO", c"b", text.as_ptr(), text.len());
            CachedText { text, echo }
        });
        Self { texts, _context: own }
    }
}

impl<const N: usize> Deref for CachedTexts<N> {
    type Target = [CachedText; N];

    fn deref(&self) -> &[CachedText; N] {
        &self.texts
    }
}

/// Calls a function that adds to the reply of a context's client.
///
/// - The context is valid: a callback that got it still runs, or it is an [`OwnContext`] of a client that waits.
/// - Buffers and strings live during the call, in which the server copies them. A C string ends with a NUL.
/// - A reply of a command is sent as it came, and stays ours.
/// - None frees anything, or runs a callback or a command. All do without a client: then nothing is sent.
macro_rules! reply {
    ($function:ident($context:expr $(, $argument:expr)*)) => {{
        let context: Context<'_> = $context;
        // SAFETY: as the contract above says.
        unsafe { function!($function)(context.raw $(, $argument)*) };
    }};
}

impl Context<'_> {
    /// An integer.
    pub fn reply_integer(self, number: i64) {
        count_with(0);
        reply!(RedisModule_ReplyWithLongLong(self, number));
    }

    /// A bulk string with a prepared text.
    pub fn reply_cached(self, cached: &CachedText) {
        match &cached.echo {
            Some(echo) => {
                count_with(0);
                reply!(RedisModule_ReplyWithCallReply(self, echo.as_ptr()));
            }
            None => self.reply_bytes(cached.text.as_bytes()),
        }
    }

    /// A bulk string.
    pub fn reply_bytes(self, bytes: &[u8]) {
        count_with(0);
        reply!(RedisModule_ReplyWithStringBuffer(self, bytes.as_ptr().cast(), bytes.len()));
    }

    /// A simple string.
    pub fn reply_status(self, status: &CStr) {
        count_with(0);
        reply!(RedisModule_ReplyWithSimpleString(self, status.as_ptr()));
    }

    /// The same, of any text without a NUL.
    pub fn reply_line(self, line: &str) {
        self.reply_status(&CString::new(line).unwrap_or_default());
    }

    /// An error; `text` begins with its code. Control characters, which would end it, become spaces.
    pub fn reply_error(self, text: &str) {
        count_with(0);
        let text: Vec<u8> =
            text.bytes().map(|b| if b < b' ' { b' ' } else { b }).chain([0]).collect();
        reply!(RedisModule_ReplyWithError(self, text.as_ptr().cast()));
    }

    /// Null; in RESP2 the null array, as BLPOP replies it.
    pub fn reply_null_array(self) {
        count_with(0);
        reply!(RedisModule_ReplyWithNullArray(self));
    }

    /// Begins an array: `len` replies follow.
    pub fn reply_array(self, len: usize) {
        count_with(len);
        reply!(RedisModule_ReplyWithArray(self, len as i64));
    }

    /// Begins a map: `len` pairs of replies follow. It is a flat array in RESP2 and on servers before 7.0.
    pub fn reply_map(self, len: usize) {
        if has!(RedisModule_ReplyWithMap) {
            count_with(len.saturating_mul(2));
            reply!(RedisModule_ReplyWithMap(self, len as i64));
        } else {
            self.reply_array(len.saturating_mul(2));
        }
    }
}
