//! Commands of the server that the module runs, and what they reply. They cost more than a function of the
//! module API: for what it can't do on every server, and never on a hot path.

use std::marker::PhantomData;
use std::ptr::NonNull;

use redis_module::raw;

use super::api::function;
use super::context::Context;
use super::string::ValueString;

/// Runs a command: `call!(context, c"LRANGE", c"sll", key.as_ptr(), 0i64, 9i64)`. The [`Reply`] is None if the
/// server refuses to run it, with the reason in `errno`: a name that it does not know, a number of arguments
/// that does not fit, in cluster mode a key of a slot that is not served here.
///
/// What a caller sees to, because the function is variadic and a command may do anything:
/// - each letter of the format has its argument: `c` a C string, `s` a string of the server's, `b` a pointer
///   and a `usize`, `l` an `i64`;
/// - no key that the command writes is open: it may free the value to which a `Key` leads.
macro_rules! call {
    ($context:expr, $command:expr, $format:literal $(, $argument:expr)* $(,)?) => {{
        let context: $crate::server::context::Context<'_> = $context;
        let command: &std::ffi::CStr = $command;
        // SAFETY: the context is that of a callback that runs, or one of our own. The command and the strings
        // live during the call, in which the server copies them; of format and keys the caller takes care.
        let reply = unsafe {
            $crate::server::api::function!(RedisModule_Call)(
                context.raw,
                command.as_ptr(),
                $format.as_ptr(),
                $($argument),*
            )
        };
        $crate::server::call::Reply::new(context, reply)
    }};
}
pub(super) use call;

/// The reply of a command. Freed with this value, for which the server needs the context again.
pub struct Reply<'a> {
    raw: NonNull<raw::RedisModuleCallReply>,
    context: PhantomData<Context<'a>>,
}

/// Calls a function on a reply, or on an element of one.
///
/// - The reply is not NULL, and not freed: the caller has a [`Reply`], or borrows an element from one.
/// - NULL comes back as the text or the string of what is neither, and as an element that the reply lacks.
/// - An element and a text live as long as the reply; a string made from it is the caller's.
/// - These functions run no callback. They unpack the reply when it is first read, and free nothing.
macro_rules! on_reply {
    ($function:ident($reply:expr $(, $argument:expr)*)) => {{
        let reply: *mut raw::RedisModuleCallReply = $reply;
        // SAFETY: as the contract above says.
        unsafe { function!($function)(reply $(, $argument)*) }
    }};
}

impl<'a> Reply<'a> {
    /// Takes over what a command replied in this context; None for NULL.
    pub(super) fn new(_: Context<'a>, raw: *mut raw::RedisModuleCallReply) -> Option<Self> {
        NonNull::new(raw).map(|raw| Self { raw, context: PhantomData })
    }

    pub(super) fn as_ptr(&self) -> *mut raw::RedisModuleCallReply {
        self.raw.as_ptr()
    }

    fn has_type(&self, kind: isize) -> bool {
        on_reply!(RedisModule_CallReplyType(self.as_ptr())) as isize == kind
    }

    /// Where the encoded reply starts, and its length. The bytes live as long as the reply.
    pub(super) fn proto(&self) -> Option<(NonNull<u8>, usize)> {
        let mut len = 0;
        let start = on_reply!(RedisModule_CallReplyProto(self.as_ptr(), &mut len));
        NonNull::new(start.cast_mut().cast()).map(|start| (start, len))
    }

    /// True if these bytes are the encoded reply.
    pub(super) fn is_encoded_as(&self, bytes: &[u8]) -> bool {
        self.proto().is_some_and(|(start, len)| {
            // SAFETY: the server says that `len` bytes start there; they live as long as the reply.
            unsafe { std::slice::from_raw_parts(start.as_ptr(), len) == bytes }
        })
    }

    /// True if the command failed.
    pub fn is_error(&self) -> bool {
        self.has_type(raw::REDISMODULE_REPLY_ERROR)
    }

    /// The number that it is; a negative one if it is none.
    pub fn integer(&self) -> i64 {
        on_reply!(RedisModule_CallReplyInteger(self.as_ptr()))
    }

    /// The string that it is.
    pub fn string(&self) -> Option<ValueString> {
        string_of(self.as_ptr())
    }

    /// The strings in the array that it is; none if it is something else.
    pub fn strings(&self) -> Vec<ValueString> {
        self.elements().filter_map(string_of).collect()
    }

    /// The texts in the array that it is, or the one text; what is no text is left out.
    pub fn texts(&self) -> Vec<String> {
        if self.has_type(raw::REDISMODULE_REPLY_ARRAY) {
            self.elements().filter_map(text_of).collect()
        } else {
            text_of(self.as_ptr()).into_iter().collect()
        }
    }

    fn elements(&self) -> impl Iterator<Item = *mut raw::RedisModuleCallReply> {
        let is_array = self.has_type(raw::REDISMODULE_REPLY_ARRAY);
        let len = if is_array { on_reply!(RedisModule_CallReplyLength(self.as_ptr())) } else { 0 };
        (0..len)
            .map(|index| on_reply!(RedisModule_CallReplyArrayElement(self.as_ptr(), index)))
            .filter(|element| !element.is_null())
    }
}

impl Drop for Reply<'_> {
    fn drop(&mut self) {
        // SAFETY: nobody else frees it, what borrowed it is gone, and its context is still valid.
        unsafe { function!(RedisModule_FreeCallReply)(self.as_ptr()) }
    }
}

fn string_of(reply: *mut raw::RedisModuleCallReply) -> Option<ValueString> {
    let string = on_reply!(RedisModule_CreateStringFromCallReply(reply));
    // SAFETY: the string was made for us.
    unsafe { ValueString::from_raw(string) }
}

fn text_of(reply: *mut raw::RedisModuleCallReply) -> Option<String> {
    let mut len = 0;
    let start = on_reply!(RedisModule_CallReplyStringPtr(reply, &mut len));
    if start.is_null() {
        return None;
    }
    // SAFETY: the server says that `len` bytes start there; they live as long as the reply.
    let bytes = unsafe { std::slice::from_raw_parts(start.cast::<u8>(), len) };
    Some(String::from_utf8_lossy(bytes).into_owned())
}
