//! The server's strings: owned ones, and the arguments of a command.

use std::ffi::c_int;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use redis_module::raw::RedisModuleString;

use super::api::api;

/// A string of the server's that this value owns.
pub struct ServerString(NonNull<RedisModuleString>);

impl ServerString {
    /// Copies bytes, any bytes, into a new string.
    pub fn new(bytes: &[u8]) -> Self {
        let raw =
            api!(RedisModule_CreateString(ptr::null_mut(), bytes.as_ptr().cast(), bytes.len()));
        match NonNull::new(raw) {
            Some(raw) => Self(raw),
            // The server ends itself when it has no memory.
            None => super::api::missing("memory for a string"),
        }
    }

    /// Takes over a string that the server made for us; None for null.
    pub(super) fn from_raw(raw: *mut RedisModuleString) -> Option<Self> {
        NonNull::new(raw).map(Self)
    }

    pub(super) fn as_ptr(&self) -> *mut RedisModuleString {
        self.0.as_ptr()
    }
}

impl AsRef<[u8]> for ServerString {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the string lives as long as `self`, and nobody changes it.
        unsafe { bytes_of(self.0.as_ptr()) }
    }
}

impl AsMut<[u8]> for ServerString {
    fn as_mut(&mut self) -> &mut [u8] {
        let mut len = 0;
        let start = api!(RedisModule_StringPtrLen(self.0.as_ptr(), &mut len));
        if start.is_null() {
            return &mut [];
        }
        // SAFETY: the server says that `len` bytes start there, and they live as long as the string.
        // They are in memory of its heap that can be written to: it gives the pointer as const because a
        // string may be shared, and what `self` owns is not where this is called: it was popped from a
        // list or read from a hash, which makes a new string, and nothing else was given a hold on it.
        unsafe { std::slice::from_raw_parts_mut(start.cast_mut().cast(), len) }
    }
}

impl Drop for ServerString {
    fn drop(&mut self) {
        api!(RedisModule_FreeString(ptr::null_mut(), self.0.as_ptr()));
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
    let mut len = 0;
    let start = api!(RedisModule_StringPtrLen(raw, &mut len));
    if start.is_null() {
        return &[];
    }
    // SAFETY: the server says that `len` bytes start there; they live as long as the string.
    unsafe { std::slice::from_raw_parts(start.cast(), len) }
}
