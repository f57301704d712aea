//! Blocked clients: those that wait on keys, and those whose command takes a while.
//!
//! The server frees the handle of a client that is gone. So the handles stay in here, and others hold a number:
//! to use it after the client is gone does nothing.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

use redis_module::raw;

use super::api::{function, guard};
use super::context::{Context, OwnContext};
use super::reply;
use super::string::{Argument, ServerString};

/// What happens to a client that waits on keys.
pub trait Wait {
    /// The client must be replied to now: [`BlockedClient::wake`] was called, or CLIENT UNBLOCK.
    fn reply(context: Context<'_>, number: u64);
    /// Nothing more happens to the client: it was replied to, or is gone.
    fn gone(context: Context<'_>, number: u64);
}

/// What happens to a client whose command is replied to later.
pub trait Deferred {
    /// Replies to the command. The value is that of [`BlockedClient::wake_with`], else 0.
    fn reply(context: Context<'_>, arguments: &[Argument<'_>], value: u64);
    /// The client is gone before it was woken.
    fn gone(client: &BlockedClient);
    /// The reply of a client that was woken with this value was made, or the client is gone.
    fn done(value: u64);
}

type Handle = NonNull<raw::RedisModuleBlockedClient>;

thread_local! {
    /// The handles that the server still accepts, by the numbers of the clients. Never dropped: the server may
    /// be gone when its thread ends.
    static HANDLES: ManuallyDrop<RefCell<BTreeMap<u64, Handle>>> =
        const { ManuallyDrop::new(RefCell::new(BTreeMap::new())) };
    static LAST_NUMBER: Cell<u64> = const { Cell::new(0) };
}

/// A client that waits, or that did: it may be gone.
#[derive(PartialEq, Eq)]
pub struct BlockedClient {
    number: u64,
    /// Only the main thread has the handles.
    not_send: PhantomData<*const ()>,
}

impl BlockedClient {
    /// Blocks the client that sent the running command, without a timeout, on keys that never exist: so the server
    /// unblocks it when their slot moves or the role changes. Only in a command's handler, and not where the
    /// client [may not block](Context::may_not_block).
    pub fn on_keys<'k, W: Wait>(
        context: Context<'_>,
        keys: impl Iterator<Item = &'k ServerString>,
    ) -> Option<Self> {
        let mut keys: Vec<_> = keys.map(ServerString::as_ptr).collect();
        let len = c_int::try_from(keys.len()).ok()?;
        let number = next_number();
        // SAFETY: the context of a command's handler. The server copies the array and takes references to the
        // keys. The number is no pointer: nothing follows it.
        let handle = NonNull::new(unsafe {
            function!(RedisModule_BlockClientOnKeys)(
                context.raw,
                Some(stay_blocked),
                Some(reply_waiting::<W>),
                Some(free_waiting::<W>),
                0,
                keys.as_mut_ptr(),
                len,
                as_data(number),
            )
        })?;
        // SAFETY: the server has just made the handle.
        unsafe {
            function!(RedisModule_SetDisconnectCallback)(handle.as_ptr(), Some(waiting_gone::<W>));
        }
        reply::defer();
        Some(Self::keep(number, handle))
    }

    /// Blocks the client that sent the running command, without a timeout, until it is woken. Only where
    /// [`on_keys`](Self::on_keys) may be called.
    pub fn deferred<L: Deferred>(context: Context<'_>) -> Option<Self> {
        // SAFETY: the context of a command's handler.
        let handle = NonNull::new(unsafe {
            function!(RedisModule_BlockClient)(
                context.raw,
                Some(reply_deferred::<L>),
                Some(reply_deferred::<L>),
                Some(deferred_done::<L>),
                0,
            )
        })?;
        // SAFETY: the server has just made the handle.
        unsafe {
            function!(RedisModule_SetDisconnectCallback)(handle.as_ptr(), Some(deferred_gone::<L>));
        }
        reply::defer();
        Some(Self::keep(next_number(), handle))
    }

    fn keep(number: u64, handle: Handle) -> Self {
        HANDLES.with(|handles| handles.borrow_mut().insert(number, handle));
        Self::with_number(number)
    }

    fn with_number(number: u64) -> Self {
        Self { number, not_send: PhantomData }
    }

    /// Its number: higher than that of every client that began to wait earlier.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Ends the wait: the reply callback runs, now or soon.
    pub fn wake(self) {
        self.wake_with(0);
    }

    /// Adds to the reply of a [deferred](Self::deferred) command; the client gets it when it is woken.
    pub fn reply_with(&self, work: impl FnOnce(Context<'_>)) {
        let handle = HANDLES.with(|handles| handles.borrow().get(&self.number).copied());
        let Some(handle) = handle else { return };
        // SAFETY: the server frees the handle only after it was given up. That takes a callback, or `self`.
        let own = unsafe { OwnContext::of(handle.as_ptr()) };
        let context = own.context();
        reply::buffered(context, || work(context));
    }

    /// Ends the wait of one whose whole reply was made by [`reply_with`](Self::reply_with).
    pub fn wake_replied(self) {
        self.wake_with(REPLIED);
    }

    /// As [`wake`](Self::wake); the callback of a [deferred](Self::deferred) command gets this value.
    pub fn wake_with(self, value: u64) {
        if let Some(handle) = give_up(self.number) {
            // SAFETY: the server still accepts the handle, for the last time: twice would free it twice. The
            // reply callback may run inside this call; nothing of ours is borrowed. The value is no pointer.
            unsafe { function!(RedisModule_UnblockClient)(handle.as_ptr(), as_data(value)) };
        }
    }
}

/// A number in the form in which the server passes it on to callbacks.
fn as_data(number: u64) -> *mut c_void {
    ptr::without_provenance_mut(number as usize)
}

/// What [`as_data`] made of a number, in a callback of a client that waits.
fn number_in(raw: *mut raw::RedisModuleCtx) -> u64 {
    // SAFETY: the context of a callback that runs; it only reads a field of it.
    unsafe { function!(RedisModule_GetBlockedClientPrivateData)(raw) }.addr() as u64
}

fn next_number() -> u64 {
    let number = LAST_NUMBER.get().saturating_add(1);
    LAST_NUMBER.set(number);
    number
}

/// The handle of a client, if the server still accepts it: for the last time.
fn give_up(number: u64) -> Option<Handle> {
    HANDLES.with(|handles| handles.borrow_mut().remove(&number))
}

/// The value for a client whose whole reply was made before it is woken.
const REPLIED: u64 = u64::MAX;

const OK: c_int = raw::REDISMODULE_OK as c_int;

/// Somebody created the key on which clients wait: they go on waiting.
unsafe extern "C" fn stay_blocked(
    _: *mut raw::RedisModuleCtx,
    _: *mut *mut raw::RedisModuleString,
    _: c_int,
) -> c_int {
    raw::REDISMODULE_ERR as c_int
}

unsafe extern "C" fn reply_waiting<W: Wait>(
    raw: *mut raw::RedisModuleCtx,
    _: *mut *mut raw::RedisModuleString,
    _: c_int,
) -> c_int {
    let number = number_in(raw);
    // After CLIENT UNBLOCK the server frees the handle by itself.
    give_up(number);
    // SAFETY: the server's context, valid during this callback.
    let context = unsafe { Context::new(raw) };
    reply::complete(context, || W::reply(context, number));
    OK
}

unsafe extern "C" fn free_waiting<W: Wait>(raw: *mut raw::RedisModuleCtx, number: *mut c_void) {
    let number = number.addr() as u64;
    give_up(number);
    // SAFETY: the server's context, valid during this callback.
    let context = unsafe { Context::new(raw) };
    guard(|| W::gone(context, number));
}

unsafe extern "C" fn waiting_gone<W: Wait>(
    raw: *mut raw::RedisModuleCtx,
    _: *mut raw::RedisModuleBlockedClient,
) {
    let number = number_in(raw);
    give_up(number);
    // SAFETY: the server's context, valid during this callback.
    let context = unsafe { Context::new(raw) };
    guard(|| W::gone(context, number));
}

unsafe extern "C" fn reply_deferred<L: Deferred>(
    raw: *mut raw::RedisModuleCtx,
    argv: *mut *mut raw::RedisModuleString,
    argc: c_int,
) -> c_int {
    // SAFETY: the server's context and the command's arguments, valid during this callback.
    let (context, arguments) = unsafe { (Context::new(raw), Argument::slice(argv, argc)) };
    let value = number_in(raw);
    if value == REPLIED {
        return OK;
    }
    reply::complete(context, || L::reply(context, arguments, value));
    OK
}

/// The server calls this for any value but 0.
unsafe extern "C" fn deferred_done<L: Deferred>(_: *mut raw::RedisModuleCtx, value: *mut c_void) {
    guard(|| L::done(value.addr() as u64));
}

unsafe extern "C" fn deferred_gone<L: Deferred>(
    _: *mut raw::RedisModuleCtx,
    handle: *mut raw::RedisModuleBlockedClient,
) {
    // One that was woken in this very turn is no more among them: to wake it twice would free it twice.
    let number = HANDLES.with(|handles| {
        let handles = handles.borrow();
        let mut found = handles.iter().filter(|(_, one)| one.as_ptr() == handle);
        found.next().map(|(number, _)| *number)
    });
    if let Some(client) = number.map(BlockedClient::with_number) {
        guard(|| L::gone(&client));
        // The server keeps what it knows of the client until this is called.
        client.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Outside of a server the test would abort where a function of it is called.
    #[test]
    fn a_client_that_is_gone_is_neither_replied_to_nor_woken() {
        let gone = || BlockedClient::keep(next_number(), NonNull::dangling());
        for end in [BlockedClient::wake, BlockedClient::wake_replied] {
            let client = gone();
            assert!(give_up(client.number()).is_some());
            client.reply_with(|_| panic!("there is no client to reply to"));
            assert!(give_up(client.number()).is_none());
            end(client);
        }
        assert!(gone().number() < gone().number());
    }
}
