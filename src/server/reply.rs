//! Replies, in the types of the protocol.
//!
//! The elements of a reply are encoded into a buffer, which is sent in a few [pieces](super::pieces): one call of the
//! module API per element costs several times as much. Where pieces are unavailable, and for very short replies and
//! long strings, the API's function for each element is called.

use std::cell::UnsafeCell;
use std::ffi::{CStr, CString};
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};

use redis_module::raw;

use super::api::{function, guard, has};
use super::call::call;
use super::context::Context;
use super::pieces::{self, LONGEST, Pieces, SHORTEST};
use super::wire::{self, Element};

/// How many elements the reply still lacks that is being made; an array of three counts as four. Only the main
/// thread uses it, and it wraps: so that counting an element is one instruction.
static MISSING: AtomicIsize = AtomicIsize::new(0);

/// Strings longer than this are not copied into the buffer.
const LONG: usize = 1536;

/// What is buffered of the reply that is being made. There is one at a time.
struct Buffer {
    /// Whole elements, encoded.
    elements: Vec<u8>,
    /// Whether the client speaks RESP3, once that was asked.
    is_resp3: Option<bool>,
    pieces: Option<Pieces>,
}

/// A static variable of the main thread.
struct MainThread<T>(UnsafeCell<T>);

// SAFETY: it is used only through a `Context`, which no other thread has.
unsafe impl<T> Sync for MainThread<T> {}

static BUFFER: MainThread<Buffer> =
    MainThread(UnsafeCell::new(Buffer { elements: Vec::new(), is_resp3: None, pieces: None }));

/// The next command replies with [`pieces::samples`], whatever it is.
static IS_PROBED: AtomicBool = AtomicBool::new(false);

/// Prepares the pieces, and checks that the server sends them unchanged. To be called after the commands were
/// registered; `command` is one of them that needs no arguments.
pub fn prepare(context: Context<'_>, command: &CStr) {
    let pieces = Pieces::new();
    let is_prepared = pieces.is_some();
    context.buffer(|buffer| buffer.pieces = pieces);
    if is_prepared {
        IS_PROBED.store(true, Ordering::Relaxed);
        let reply = call!(context, command, c"");
        IS_PROBED.store(false, Ordering::Relaxed);
        let expected: Vec<u8> = pieces::samples().flatten().collect();
        if reply.is_some_and(|reply| reply.is_encoded_as(&expected)) {
            return;
        }
    }
    forget(context);
    context
        .notice("replies are sent element by element, which is slower: see ECHO in rename-command");
}

/// Frees what was prepared: the module is unloaded.
pub fn forget(context: Context<'_>) {
    context.buffer(|buffer| {
        buffer.pieces = None;
        buffer.elements = Vec::new();
    });
}

/// Makes a reply. If `work` panics, errors take the place of all that is missing: a client that got half of a
/// reply would take the next one for the rest, and a script would read past its end.
pub(super) fn complete(context: Context<'_>, work: impl FnOnce()) {
    if IS_PROBED.load(Ordering::Relaxed) {
        return context.send_samples();
    }
    MISSING.store(1, Ordering::Relaxed);
    let finished = guard(|| {
        buffered(context, work);
        debug_assert_eq!(MISSING.load(Ordering::Relaxed), 0, "a reply has all its elements");
    });
    if finished.is_none() {
        context.flush();
        while MISSING.load(Ordering::Relaxed) > 0 {
            context.reply_error("ERR internal error of the module, please report it");
        }
    }
}

/// Makes a reply, or a part of one.
pub(super) fn buffered(context: Context<'_>, work: impl FnOnce()) {
    context.buffer(|buffer| {
        debug_assert!(buffer.elements.is_empty(), "one reply is made at a time");
        buffer.elements.clear();
        buffer.is_resp3 = None;
    });
    work();
    context.flush();
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

/// Calls a function that adds to the reply of a context's client.
///
/// - The context is valid: a callback that got it still runs, or it is an `OwnContext` of a client that waits.
/// - Buffers and strings live during the call, in which the server copies them. A C string ends with a NUL.
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
    #[inline]
    pub fn reply_integer(self, number: i64) {
        count_with(0);
        self.add(&Element::Integer(number));
    }

    /// A name and an integer.
    #[inline(always)]
    pub fn reply_number_field(self, name: &str, number: i64) {
        self.add_field(name, &Element::Integer(number));
    }

    /// A name and a bulk string.
    #[inline(always)]
    pub fn reply_text_field(self, name: &str, text: &[u8]) {
        self.add_field(name, &Element::Bulk(text));
    }

    /// A bulk string.
    #[inline]
    pub fn reply_bytes(self, bytes: &[u8]) {
        count_with(0);
        self.add(&Element::Bulk(bytes));
    }

    /// A simple string.
    pub fn reply_status(self, status: &CStr) {
        count_with(0);
        self.flush();
        reply!(RedisModule_ReplyWithSimpleString(self, status.as_ptr()));
    }

    /// The same, of any text without a NUL.
    pub fn reply_line(self, line: &str) {
        self.reply_status(&CString::new(line).unwrap_or_default());
    }

    /// An error; `text` begins with its code. Control characters, which would end it, become spaces.
    pub fn reply_error(self, text: &str) {
        count_with(0);
        self.flush();
        let text: Vec<u8> =
            text.bytes().map(|b| if b < b' ' { b' ' } else { b }).chain([0]).collect();
        reply!(RedisModule_ReplyWithError(self, text.as_ptr().cast()));
    }

    /// Null; in RESP2 the null array, as BLPOP replies it.
    pub fn reply_null_array(self) {
        count_with(0);
        self.flush();
        reply!(RedisModule_ReplyWithNullArray(self));
    }

    /// Begins an array: `len` replies follow.
    #[inline]
    pub fn reply_array(self, len: usize) {
        count_with(len);
        self.add(&Element::Array(len));
    }

    /// Begins a map: `len` pairs of replies follow. It is a flat array in RESP2 and on servers before 7.0.
    pub fn reply_map(self, len: usize) {
        let flat = len.saturating_mul(2);
        count_with(flat);
        let is_map = has!(RedisModule_ReplyWithMap)
            && self.buffer(|buffer| {
                let is_resp3 = || self.has_flag(raw::REDISMODULE_CTX_FLAGS_RESP3);
                *buffer.is_resp3.get_or_insert_with(is_resp3)
            });
        self.add(&if is_map { Element::Map(len) } else { Element::Array(flat) });
    }

    /// Sends an element by the function of the API for it.
    fn send(self, element: &Element<'_>) {
        match *element {
            Element::Integer(number) => reply!(RedisModule_ReplyWithLongLong(self, number)),
            Element::Bulk(bytes) => {
                reply!(RedisModule_ReplyWithStringBuffer(self, bytes.as_ptr().cast(), bytes.len()));
            }
            Element::Array(len) => reply!(RedisModule_ReplyWithArray(self, len as i64)),
            Element::Map(len) => reply!(RedisModule_ReplyWithMap(self, len as i64)),
        }
    }

    /// Adds an element to the buffer, or sends it.
    fn add(self, element: &Element<'_>) {
        let len = element.text_len();
        // A reply of one element, and too short for a piece.
        let is_alone = len < SHORTEST
            && MISSING.load(Ordering::Relaxed) == 0
            && self.buffer(|buffer| buffer.elements.is_empty());
        if is_alone || len > LONG {
            self.flush();
            self.send(element);
        } else {
            self.make_room(len);
            self.buffer(|buffer| wire::write(&mut buffer.elements, element));
        }
    }

    /// The same for a name and an element.
    #[inline(always)]
    fn add_field(self, name: &str, element: &Element<'_>) {
        count_with(0);
        count_with(0);
        let len = element.text_len();
        if len > LONG {
            self.add(&Element::Bulk(name.as_bytes()));
            return self.add(element);
        }
        self.make_room(len.wrapping_add(name.len()));
        self.buffer(|buffer| {
            wire::write(&mut buffer.elements, &Element::Bulk(name.as_bytes()));
            wire::write(&mut buffer.elements, element);
        });
    }

    /// Makes room for two elements whose texts have `len` bytes together.
    #[inline(always)]
    fn make_room(self, len: usize) {
        let used = self.buffer(|buffer| buffer.elements.len());
        if used.saturating_add(len) > const { LONGEST - 2 * wire::OVERHEAD } {
            self.flush();
        }
    }

    /// Sends what is in the buffer.
    #[inline]
    fn flush(self) {
        if self.buffer(|buffer| !buffer.elements.is_empty()) {
            self.send_buffer();
        }
    }

    fn send_buffer(self) {
        self.buffer(|buffer| {
            let elements = buffer.elements.as_slice();
            let is_sent = buffer.pieces.as_ref().is_some_and(|pieces| pieces.send(self, elements));
            if !is_sent {
                let mut rest = elements;
                while let Some((element, after)) = wire::read(rest) {
                    self.send(&element);
                    rest = after;
                }
            }
            buffer.elements.clear();
        });
    }

    /// Replies with the samples.
    fn send_samples(self) {
        self.buffer(|buffer| {
            let pieces = buffer.pieces.as_ref();
            pieces::samples().all(|sample| pieces.is_some_and(|pieces| pieces.send(self, &sample)));
        });
    }

    /// Uses the buffer.
    #[inline]
    fn buffer<T>(self, work: impl FnOnce(&mut Buffer) -> T) -> T {
        // SAFETY: only the main thread has a `Context`, and this is the only borrow: `work` is a closure of this file
        // that calls this function neither itself nor through the server, see the contract of `reply!`.
        work(unsafe { &mut *BUFFER.0.get() })
    }
}
