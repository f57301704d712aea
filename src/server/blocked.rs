//! Clients that wait for a reply: on keys, by number, or for a later moment, by their command.

use std::ffi::{c_int, c_void};
use std::ptr::{self, NonNull};

use redis_module::raw;

use super::api::{api, guard};
use super::context::Context;
use super::reply;
use super::string::{Argument, ServerString};

/// What happens to a client that waits on keys. It is known by the number that it was given.
pub trait Wait {
    /// The client must be replied to now: [`BlockedClient::wake`] was called, or CLIENT UNBLOCK.
    fn reply(context: Context<'_>, number: u64);
    /// Nothing more happens to the client: it was replied to, or is gone.
    fn gone(context: Context<'_>, number: u64);
}

/// What happens to a client whose command is answered later.
pub trait Later {
    /// Answers the command. The number is that of [`BlockedClient::wake_with`], else 0.
    fn reply(context: Context<'_>, arguments: &[Argument<'_>], number: u64);
    /// The client is gone before it was woken.
    fn gone(client: &BlockedClient);
    /// The reply of a client that was woken with this number was made, or the client is gone.
    fn done(number: u64);
}

/// The server's handle of a client that waits.
#[derive(PartialEq, Eq)]
pub struct BlockedClient(NonNull<raw::RedisModuleBlockedClient>);

impl BlockedClient {
    /// Lets the client that sent the running command wait, for ever, on keys that never exist: it is
    /// then released when their slot moves or the role changes.
    pub fn on_keys<'k, W: Wait>(
        context: Context<'_>,
        keys: impl Iterator<Item = &'k ServerString>,
        number: u64,
    ) -> Option<Self> {
        let mut keys: Vec<_> = keys.map(ServerString::as_ptr).collect();
        let client = NonNull::new(api!(RedisModule_BlockClientOnKeys(
            context.raw,
            Some(stay_blocked),
            Some(reply_waiting::<W>),
            Some(free_waiting::<W>),
            0,
            keys.as_mut_ptr(),
            c_int::try_from(keys.len()).ok()?,
            ptr::without_provenance_mut(number as usize),
        )))?;
        api!(RedisModule_SetDisconnectCallback(client.as_ptr(), Some(waiting_gone::<W>)));
        reply::postpone();
        Some(Self(client))
    }

    /// Lets the client that sent the running command wait, for ever, for its answer.
    pub fn until_later<L: Later>(context: Context<'_>) -> Option<Self> {
        let client = NonNull::new(api!(RedisModule_BlockClient(
            context.raw,
            Some(reply_later::<L>),
            Some(reply_later::<L>),
            Some(later_done::<L>),
            0,
        )))?;
        api!(RedisModule_SetDisconnectCallback(client.as_ptr(), Some(later_gone::<L>)));
        reply::postpone();
        Some(Self(client))
    }

    /// Ends the wait: the reply callback runs, now or soon. The handle is used up.
    pub fn wake(self) {
        self.wake_with(0);
    }

    /// Makes a piece of the reply of one that waits for its answer: what it gets first when it is woken.
    pub fn reply_with(&self, work: impl FnOnce(Context<'_>)) {
        let raw = api!(RedisModule_GetThreadSafeContext(self.0.as_ptr()));
        // SAFETY: the server's context, valid until it is freed below.
        work(unsafe { Context::new(raw) });
        api!(RedisModule_FreeThreadSafeContext(raw));
    }

    /// Ends the wait of one whose whole reply was made by [`reply_with`](Self::reply_with).
    pub fn wake_replied(self) {
        self.wake_with(REPLIED);
    }

    /// As [`wake`](Self::wake); the reply callback of one that waits for its answer gets this number.
    pub fn wake_with(self, number: u64) {
        let number = ptr::without_provenance_mut(number as usize);
        api!(RedisModule_UnblockClient(self.0.as_ptr(), number));
    }
}

/// The number that a client is woken with whose reply was made before.
const REPLIED: u64 = u64::MAX;

const OK: c_int = raw::REDISMODULE_OK as c_int;

/// Somebody made the key on which clients wait: that is nothing to us.
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
    let number = api!(RedisModule_GetBlockedClientPrivateData(raw)).addr() as u64;
    // SAFETY: the server's context, valid during this callback.
    let context = unsafe { Context::new(raw) };
    reply::whole(context, || W::reply(context, number));
    OK
}

unsafe extern "C" fn free_waiting<W: Wait>(raw: *mut raw::RedisModuleCtx, number: *mut c_void) {
    // SAFETY: the server's context, valid during this callback.
    let context = unsafe { Context::new(raw) };
    guard(|| W::gone(context, number.addr() as u64));
}

unsafe extern "C" fn waiting_gone<W: Wait>(
    raw: *mut raw::RedisModuleCtx,
    _: *mut raw::RedisModuleBlockedClient,
) {
    let number = api!(RedisModule_GetBlockedClientPrivateData(raw)).addr() as u64;
    // SAFETY: the server's context, valid during this callback.
    let context = unsafe { Context::new(raw) };
    guard(|| W::gone(context, number));
}

unsafe extern "C" fn reply_later<L: Later>(
    raw: *mut raw::RedisModuleCtx,
    argv: *mut *mut raw::RedisModuleString,
    argc: c_int,
) -> c_int {
    // SAFETY: the server's context and the command's arguments, valid during this callback.
    let (context, arguments) = unsafe { (Context::new(raw), Argument::slice(argv, argc)) };
    let number = api!(RedisModule_GetBlockedClientPrivateData(raw)).addr() as u64;
    if number == REPLIED {
        return OK;
    }
    reply::whole(context, || L::reply(context, arguments, number));
    OK
}

/// The server calls this for any number but 0.
unsafe extern "C" fn later_done<L: Later>(_: *mut raw::RedisModuleCtx, number: *mut c_void) {
    guard(|| L::done(number.addr() as u64));
}

unsafe extern "C" fn later_gone<L: Later>(
    _: *mut raw::RedisModuleCtx,
    client: *mut raw::RedisModuleBlockedClient,
) {
    if let Some(client) = NonNull::new(client).map(BlockedClient) {
        guard(|| L::gone(&client));
        // The server keeps what it knows of the client until this is called.
        client.wake();
    }
}
