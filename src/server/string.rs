//! The server's strings: those that it may keep, those that are ours alone, and the arguments of a command.

use std::ffi::c_int;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use redis_module::raw::RedisModuleString;

use super::api::{function, missing};

/// A string to which the server may keep references, so its bytes never change: the name of a key.
pub struct ServerString(NonNull<RedisModuleString>);

impl ServerString {
    /// Copies bytes, which may be any, into a new string.
    pub fn new(bytes: &[u8]) -> Self {
        let no_context = ptr::null_mut();
        // SAFETY: the server copies so many bytes from there. Without a context the string is ours alone.
        let raw = unsafe {
            function!(RedisModule_CreateString)(no_context, bytes.as_ptr().cast(), bytes.len())
        };
        match NonNull::new(raw) {
            Some(raw) => Self(raw),
            // The server aborts by itself when it is out of memory.
            None => missing("memory for a string"),
        }
    }

    /// Takes over a reference to a string; None for NULL.
    ///
    /// # Safety
    /// The reference is the caller's to release, and the bytes do not change.
    pub(super) unsafe fn from_raw(raw: *mut RedisModuleString) -> Option<Self> {
        NonNull::new(raw).map(Self)
    }

    pub(super) fn as_ptr(&self) -> *mut RedisModuleString {
        self.0.as_ptr()
    }
}

impl AsRef<[u8]> for ServerString {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the string lives as long as `self`, and nobody changes it.
        unsafe { bytes_of(self.as_ptr()) }
    }
}

impl Drop for ServerString {
    fn drop(&mut self) {
        // SAFETY: this releases our reference; nothing borrows from it any more.
        unsafe { function!(RedisModule_FreeString)(ptr::null_mut(), self.as_ptr()) }
    }
}

/// A string to which no one else refers, so its bytes may be changed: a copy of something stored, or what a
/// function is given to copy.
pub struct ValueString(ServerString);

impl ValueString {
    /// Copies bytes, which may be any, into a new string.
    pub fn new(bytes: &[u8]) -> Self {
        Self(ServerString::new(bytes))
    }

    /// This string with these bytes: rewritten if it is as long, else a new one.
    #[inline]
    pub fn renewed(mut self, bytes: &[u8]) -> Self {
        let old = self.as_mut();
        if old.len() != bytes.len() {
            return Self::new(bytes);
        }
        old.copy_from_slice(bytes);
        self
    }

    /// Appends bytes, which are copied once.
    pub fn append(&mut self, bytes: &[u8]) {
        let no_context = ptr::null_mut();
        // SAFETY: the server copies so many bytes from there, to memory of its own. There is no other reference to the
        // string, as it demands, and a slice of its bytes would borrow `self`.
        unsafe {
            let append = function!(RedisModule_StringAppendBuffer);
            append(no_context, self.as_ptr(), bytes.as_ptr().cast(), bytes.len());
        }
    }

    /// Takes over a copy; None for NULL.
    ///
    /// # Safety
    /// The server made the string for this caller: there is no other reference to it.
    pub(super) unsafe fn from_raw(raw: *mut RedisModuleString) -> Option<Self> {
        // SAFETY: as promised above; only `as_mut` changes the bytes.
        unsafe { ServerString::from_raw(raw) }.map(Self)
    }

    /// For functions that copy the bytes and keep no reference to the string.
    pub(super) fn as_ptr(&self) -> *mut RedisModuleString {
        self.0.as_ptr()
    }
}

impl AsRef<[u8]> for ValueString {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref()
    }
}

impl AsMut<[u8]> for ValueString {
    fn as_mut(&mut self) -> &mut [u8] {
        // SAFETY: the string lives as long as `self`.
        let (start, len) = unsafe { start_of(self.as_ptr()) };
        if start.is_null() {
            return &mut [];
        }
        // SAFETY: these bytes are in the server's heap and live as long as the string. The server returns a
        // pointer to const because a string may be shared; this one is not.
        unsafe { std::slice::from_raw_parts_mut(start.cast_mut(), len) }
    }
}

/// An argument of the command that runs.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Argument<'a>(*mut RedisModuleString, PhantomData<&'a RedisModuleString>);

impl<'a> Argument<'a> {
    /// # Safety
    /// `argv` are `argc` arguments of a command that runs for 'a.
    pub(super) unsafe fn slice(argv: *mut *mut RedisModuleString, argc: c_int) -> &'a [Self] {
        let len = usize::try_from(argc).unwrap_or(0);
        if argv.is_null() || len == 0 {
            return &[];
        }
        // SAFETY: as promised above; an `Argument` has the layout of the pointer in it.
        unsafe { std::slice::from_raw_parts(argv.cast(), len) }
    }

    pub(super) fn as_ptr(self) -> *mut RedisModuleString {
        self.0
    }

    /// Its bytes.
    pub fn as_bytes(self) -> &'a [u8] {
        // SAFETY: the server keeps the arguments unchanged while the command runs, that is for 'a.
        unsafe { bytes_of(self.0) }
    }
}

impl AsRef<[u8]> for Argument<'_> {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// # Safety
/// `raw` is a string of the server's that lives, unchanged, for 'a.
pub(super) unsafe fn bytes_of<'a>(raw: *const RedisModuleString) -> &'a [u8] {
    // SAFETY: as promised above.
    let (start, len) = unsafe { start_of(raw) };
    if start.is_null() {
        return &[];
    }
    // SAFETY: these bytes live, unchanged, as long as the string.
    unsafe { std::slice::from_raw_parts(start, len) }
}

/// Where the bytes of a string start, and how many there are.
///
/// # Safety
/// `raw` is a string of the server's that has not been freed.
unsafe fn start_of(raw: *const RedisModuleString) -> (*const u8, usize) {
    let mut len = 0;
    // SAFETY: as promised above. It must not be an integer-encoded string, of which there are none outside the
    // keyspace: those that the API makes are decoded, and so are arguments.
    let start = unsafe { function!(RedisModule_StringPtrLen)(raw, &mut len) };
    (start.cast(), len)
}
