//! Sends encoded elements to a client: many with one or two calls of the module API.
//!
//! The API has a function for each kind of element, and none for bytes. RM_ReplyWithCallReply comes close: it copies
//! the reply of a command to the client without reading it. So we keep replies of ECHO, one for each length, and
//! overwrite one each time before we send it.
//!
//! To do so we cast away the const of RM_CallReplyProto, as `string.rs` does for strings that the server made for us.
//! In the sources of Redis 6.0 to 8.6 and Valkey 8.0 to 9.1, RM_Call copies what the command replied to a buffer on
//! the heap; only this reply refers to it, until it is freed. Nothing parses the buffer until the reply is asked for
//! its type or its value, which nobody does here, or freed: before that its own bytes are put back.
//! RM_ReplyWithCallReply copies as many bytes as ECHO replied.
//!
//! [`prepare`](super::reply::prepare) checks this when the module is loaded: a reply that uses every piece has to
//! come back from RM_Call byte by byte. If it does not, no piece is ever sent.

use std::ptr::NonNull;

use super::api::function;
use super::call::{Reply, call};
use super::context::{Context, OwnContext};

/// There is a piece of each of [`STEP`] lengths from this one on. ECHO can't reply with every shorter length: not with
/// 16 bytes, for example.
pub const SHORTEST: usize = 32;

/// There is a piece of each of [`MULTIPLES`] multiples of this length.
const STEP: usize = 64;
const MULTIPLES: usize = 31;

/// The most bytes that two pieces can send.
pub const LONGEST: usize = STEP * (MULTIPLES + 1);

/// A reply of ECHO, to be overwritten.
struct Piece {
    reply: Reply<'static>,
    start: NonNull<u8>,
    len: usize,
}

/// Pieces of which any length from [`SHORTEST`] to [`LONGEST`] is the sum of one or two.
pub struct Pieces {
    // Dropped in this order: to free a reply, the server needs its context.
    short: Vec<Piece>,
    multiples: Vec<Piece>,
    _context: OwnContext,
}

impl Pieces {
    /// None if the server has no ECHO, or one that does not reply with its argument.
    pub fn new() -> Option<Self> {
        let own = OwnContext::new();
        // SAFETY: the replies are dropped before the context is, and nothing else keeps it.
        let context = unsafe { Context::new(own.as_ptr()) };
        let pieces = |lengths: Vec<usize>| -> Option<Vec<Piece>> {
            lengths.into_iter().map(|len| Piece::new(context, len)).collect()
        };
        Some(Self { short: pieces(short())?, multiples: pieces(multiples())?, _context: own })
    }

    /// Sends bytes. Returns false, and sends nothing, if there are too few or too many.
    pub fn send(&self, context: Context<'_>, bytes: &[u8]) -> bool {
        let Some(more) = bytes.len().checked_sub(SHORTEST) else { return false };
        let Some(first) = self.short.get(more % STEP) else { return false };
        let Some((head, tail)) = bytes.split_at_checked(first.len) else { return false };
        if let Some(index) = (more / STEP).checked_sub(1) {
            let Some(second) = self.multiples.get(index) else { return false };
            first.send(context, head);
            second.send(context, tail);
        } else {
            first.send(context, head);
        }
        true
    }
}

impl Piece {
    fn new(context: Context<'static>, len: usize) -> Option<Self> {
        let text = vec![b'.'; text_len(len)?];
        let reply = call!(context, c"ECHO", c"b", text.as_ptr(), text.len())?;
        let (start, len) = reply.proto()?;
        reply.is_encoded_as(&bulk(&text)).then_some(Self { reply, start, len })
    }

    /// Sends bytes: as many as the piece has.
    fn send(&self, context: Context<'_>, bytes: &[u8]) {
        debug_assert_eq!(bytes.len(), self.len, "a piece is sent whole");
        self.overwrite(bytes);
        // SAFETY: the context is valid, and the reply is not freed. The server copies the bytes, and runs no callback.
        unsafe { function!(RedisModule_ReplyWithCallReply)(context.raw, self.reply.as_ptr()) };
    }

    fn overwrite(&self, bytes: &[u8]) {
        let len = self.len.min(bytes.len());
        // SAFETY: `self.len` bytes on the heap start there and live as long as the reply. No reference to them exists,
        // and the server neither writes there nor keeps a pointer, see above. `bytes` is other memory.
        unsafe { self.start.copy_from_nonoverlapping(NonNull::from(bytes).cast(), len) };
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        // From 7.2 on the server parses a reply that is freed: it has to find one.
        if let Some(text) = text_len(self.len) {
            self.overwrite(&bulk(&vec![b'.'; text]));
        }
    }
}

/// Bulk strings that take every piece to send them, and have other bytes than those of ECHO.
pub fn samples() -> impl Iterator<Item = Vec<u8>> {
    let with_multiples = multiples().into_iter().map(|len| len.saturating_add(SHORTEST));
    let lengths = short().into_iter().chain(with_multiples).filter_map(text_len);
    lengths.map(|len| bulk(&vec![b'a' | (len % 16) as u8; len]))
}

fn short() -> Vec<usize> {
    (SHORTEST..).take(STEP).collect()
}

fn multiples() -> Vec<usize> {
    (STEP..).step_by(STEP).take(MULTIPLES).collect()
}

/// The length of the text for which ECHO replies with `len` bytes. None if there is no such text.
fn text_len(len: usize) -> Option<usize> {
    let without_digits = len.checked_sub("$\r\n\r\n".len())?;
    let mut texts = (1..5).map(|digits| (digits, without_digits.saturating_sub(digits)));
    texts.find(|(digits, text)| text.to_string().len() == *digits).map(|(_, text)| text)
}

/// An encoded bulk string.
fn bulk(text: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echo_can_reply_with_the_length_of_each_piece() {
        for len in short().into_iter().chain(multiples()) {
            let text = text_len(len).expect("a text for that length");
            assert_eq!(bulk(&vec![b'.'; text]).len(), len);
        }
        assert_eq!([4, 16, 107, 1008].map(text_len), [None; 4]);
        assert_eq!(LONGEST, multiples().last().expect("a last one") + STEP);
    }
}
