//! The context that every callback of the server gets: what may be asked and done in it.

use std::ffi::CStr;
use std::marker::PhantomData;
use std::ptr;

use redis_module::raw;

use super::api::{function, has};
use super::string::{Argument, ServerString};

/// A callback's context; valid while the callback runs, and so not to be kept.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub(super) raw: *mut raw::RedisModuleCtx,
    lifetime: PhantomData<&'a raw::RedisModuleCtx>,
}

/// A context of our own, for what has to be done outside of a callback.
pub(super) struct OwnContext(*mut raw::RedisModuleCtx);

/// Calls a function that takes a context first.
///
/// - The context is valid: a callback that got it still runs, or it is an [`OwnContext`].
/// - Strings and buffers live during the call. The server copies them or takes a reference of its own.
/// - No other argument may be NULL but where the call says so, and none of these functions returns a pointer.
/// - None frees anything of ours, opens or closes a key, or runs a command. SignalModifiedKey marks watching clients
///   and buffers what it tells client-side caches.
/// - ReplicateVerbatim is for the handler of a command, of which it sends the arguments; SetModuleOptions for the
///   callback that loads the module, which an [`OwnContext`] does not know.
macro_rules! in_context {
    ($function:ident($context:expr $(, $argument:expr)* $(,)?)) => {{
        let context: Context<'_> = $context;
        // SAFETY: as the contract above says.
        unsafe { function!($function)(context.raw $(, $argument)*) }
    }};
}

/// A clock beyond this (in the year 2247) is read as this.
pub const LATEST_MS: u64 = (1 << 43) - 1 - 31_536_000_000;

impl Context<'_> {
    /// # Safety
    /// `raw` is a context that the server gave to a callback which runs for the lifetime.
    pub(super) unsafe fn new(raw: *mut raw::RedisModuleCtx) -> Self {
        Self { raw, lifetime: PhantomData }
    }

    /// The server's wall clock, unix ms, at most [`LATEST_MS`].
    pub fn now_ms(self) -> u64 {
        // SAFETY: it takes nothing, and reads the clock.
        let now_ms = unsafe { function!(RedisModule_Milliseconds)() };
        u64::try_from(now_ms).unwrap_or(0).min(LATEST_MS)
    }

    /// The same for a command that runs: when it began, or the transaction or script that it is part of. From 7.2 on
    /// the server has read the clock for that.
    pub fn began_ms(self) -> u64 {
        if !has!(RedisModule_CachedMicroseconds) {
            return self.now_ms();
        }
        // SAFETY: it takes nothing, and reads what the server keeps.
        let now_us = unsafe { function!(RedisModule_CachedMicroseconds)() };
        (u64::try_from(now_us).unwrap_or(0) / 1_000).min(LATEST_MS)
    }

    /// The index of the selected database.
    pub fn selected_db(self) -> i32 {
        in_context!(RedisModule_GetSelectedDb(self))
    }

    /// Selects a database. False if the index is out of range.
    pub fn select_db(self, db: i32) -> bool {
        in_context!(RedisModule_SelectDb(self, db)) == raw::REDISMODULE_OK as i32
    }

    pub(super) fn has_flag(self, flags: u32) -> bool {
        let set = in_context!(RedisModule_GetContextFlags(self));
        set & (flags as i32) != 0
    }

    /// True inside MULTI, a script, a function, or wherever else a client may not block.
    pub fn may_not_block(self) -> bool {
        self.has_flag(
            raw::REDISMODULE_CTX_FLAGS_LUA
                | raw::REDISMODULE_CTX_FLAGS_MULTI
                | raw::REDISMODULE_CTX_FLAGS_DENY_BLOCKING,
        )
    }

    /// True inside a script or a function.
    pub fn is_script(self) -> bool {
        self.has_flag(raw::REDISMODULE_CTX_FLAGS_LUA)
    }

    /// The id of the client that sent the running command, or that was blocked and is replied to now.
    pub fn client_id(self) -> u64 {
        in_context!(RedisModule_GetClientId(self))
    }

    /// True if the client with that id is connected to this server.
    pub fn is_connected(self, client: u64) -> bool {
        let no_details = ptr::null_mut();
        // SAFETY: the server looks up the id, and writes nothing where there is no room for it.
        let found = unsafe { function!(RedisModule_GetClientInfoById)(no_details, client) };
        found == raw::REDISMODULE_OK as i32
    }

    /// True on a master that is not loading: only there may the module write what no client and no master asked for.
    pub fn is_active_master(self) -> bool {
        self.has_flag(raw::REDISMODULE_CTX_FLAGS_MASTER) && !self.is_loading()
    }

    /// True while the server loads its data.
    pub fn is_loading(self) -> bool {
        self.has_flag(raw::REDISMODULE_CTX_FLAGS_LOADING)
    }

    /// True if the running command comes from a master or from the append-only file, and not from a client.
    pub fn is_replicated(self) -> bool {
        self.has_flag(raw::REDISMODULE_CTX_FLAGS_REPLICATED | raw::REDISMODULE_CTX_FLAGS_LOADING)
    }

    /// True if the server is at maxmemory, and its policy lets it free none: then it refuses commands that need more.
    pub fn is_out_of_memory(self) -> bool {
        let set = in_context!(RedisModule_GetContextFlags(self));
        let is_set = |flag: u32| set & (flag as i32) != 0;
        is_set(raw::REDISMODULE_CTX_FLAGS_OOM) && !is_set(raw::REDISMODULE_CTX_FLAGS_EVICT)
    }

    /// True in cluster mode.
    pub fn is_cluster(self) -> bool {
        self.has_flag(raw::REDISMODULE_CTX_FLAGS_CLUSTER)
    }

    /// True while the server pauses writes (CLIENT PAUSE WRITE, a coordinated failover): it aborts if something is
    /// written outside a command that it admitted.
    pub fn must_avoid_replica_traffic(self) -> bool {
        // SAFETY: it takes nothing, and reads a state of the server.
        unsafe { function!(RedisModule_AvoidReplicaTraffic)() != 0 }
    }

    /// Replicates a command with two arguments, and a third one that is not copied, to replicas and the append-only
    /// file.
    pub fn replicate(
        self,
        command: &CStr,
        first: &ServerString,
        second: &[u8],
        third: Option<Argument<'_>>,
    ) {
        // A NULL at the end of the arguments, behind those that the format names, is not read.
        let (format, third) = match third {
            Some(third) => (c"sbs", third.as_ptr()),
            None => (c"sb", ptr::null_mut()),
        };
        in_context!(RedisModule_Replicate(
            self,
            command.as_ptr(),
            format.as_ptr(),
            first.as_ptr(),
            second.as_ptr(),
            second.len(),
            third,
        ));
    }

    /// Replicates the running command as it is.
    pub fn replicate_verbatim(self) {
        in_context!(RedisModule_ReplicateVerbatim(self));
    }

    /// Reports a change of a key to WATCH and client-side caches.
    pub fn signal_modified(self, key: &ServerString) {
        in_context!(RedisModule_SignalModifiedKey(self, key.as_ptr()));
    }

    /// True if the server may tell clients what its commands do to lists.
    pub fn notifies_of_lists(self) -> bool {
        // SAFETY: it takes nothing, and reads a setting of the server.
        let events = unsafe { function!(RedisModule_GetNotifyKeyspaceEvents)() };
        events & raw::REDISMODULE_NOTIFY_LIST != 0
    }

    /// True if a key may be listed: in cluster mode not while its slot is still being imported. Where the server
    /// can't tell, it may.
    pub fn may_show(self, key: &ServerString) -> bool {
        if !has!(RedisModule_ClusterCanAccessKeysInSlot) || !has!(RedisModule_ClusterKeySlot) {
            return true;
        }
        // SAFETY: the key lives during the call; the second function takes any number.
        unsafe {
            let slot = function!(RedisModule_ClusterKeySlot)(key.as_ptr());
            function!(RedisModule_ClusterCanAccessKeysInSlot)(slot as i32) != 0
        }
    }

    /// Declares to Valkey 9 and later that the module supports atomic slot migration: keys and replicated commands
    /// of a slot may arrive before this server owns it.
    pub fn allow_atomic_slot_migration(self) {
        const HANDLES_ATOMIC_SLOT_MIGRATION: i32 = 1 << 5;
        in_context!(RedisModule_SetModuleOptions(self, HANDLES_ATOMIC_SLOT_MIGRATION));
    }

    /// Writes a warning to the server's log.
    pub fn warn(self, text: &str) {
        self.log(c"warning", text);
    }

    /// Writes a notice to the server's log.
    pub fn notice(self, text: &str) {
        self.log(c"notice", text);
    }

    fn log(self, level: &CStr, text: &str) {
        let text: Vec<u8> = text.bytes().filter(|byte| *byte != 0).chain([0]).collect();
        in_context!(RedisModule_Log(self, level.as_ptr(), c"%s".as_ptr(), text.as_ptr()));
    }

    /// True on Redis 7.0 and later and on Valkey.
    pub fn is_7_or_later(self) -> bool {
        has!(RedisModule_SetCommandInfo)
    }
}

impl OwnContext {
    /// One that belongs to no client.
    pub(super) fn new() -> Self {
        // SAFETY: without a client the server makes a context that is ours until we free it.
        Self(unsafe { function!(RedisModule_GetThreadSafeContext)(ptr::null_mut()) })
    }

    /// One whose replies are for a client that waits.
    ///
    /// # Safety
    /// The server has not freed the handle, and does not before this value is dropped.
    pub(super) unsafe fn of(client: *mut raw::RedisModuleBlockedClient) -> Self {
        // SAFETY: as promised above.
        Self(unsafe { function!(RedisModule_GetThreadSafeContext)(client) })
    }

    pub(super) fn as_ptr(&self) -> *mut raw::RedisModuleCtx {
        self.0
    }

    pub(super) fn context(&self) -> Context<'_> {
        // SAFETY: valid until this value is dropped.
        unsafe { Context::new(self.as_ptr()) }
    }
}

impl Drop for OwnContext {
    fn drop(&mut self) {
        // SAFETY: nobody else frees it, and what borrowed it is gone.
        unsafe { function!(RedisModule_FreeThreadSafeContext)(self.0) }
    }
}
