//! The context that every callback of the server gets.

use std::ffi::CStr;
use std::marker::PhantomData;
use std::ptr;

use redis_module::raw;

use super::api::{api, has};
use super::string::ServerString;

/// A callback's context; valid while the callback runs, and so not to be kept.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub(super) raw: *mut raw::RedisModuleCtx,
    lifetime: PhantomData<&'a raw::RedisModuleCtx>,
}

/// A clock that is set beyond this (in the year 2247) counts as standing there.
pub const LATEST_MS: u64 = (1 << 43) - 1 - 31_536_000_000;

impl Context<'_> {
    /// # Safety
    /// `raw` is a context that the server gave to a callback which runs for the lifetime.
    pub(super) unsafe fn new(raw: *mut raw::RedisModuleCtx) -> Self {
        Self { raw, lifetime: PhantomData }
    }

    /// The server's wall clock, unix ms, as long as that is not later than [`LATEST_MS`].
    pub fn now_ms(self) -> u64 {
        u64::try_from(api!(RedisModule_Milliseconds())).unwrap_or(0).min(LATEST_MS)
    }

    /// The number of the selected database.
    pub fn selected_db(self) -> i32 {
        api!(RedisModule_GetSelectedDb(self.raw))
    }

    /// Selects a database. False if there is none of that number.
    pub fn select_db(self, db: i32) -> bool {
        api!(RedisModule_SelectDb(self.raw, db)) == raw::REDISMODULE_OK as i32
    }

    pub(super) fn has_flag(self, flags: u32) -> bool {
        let set = api!(RedisModule_GetContextFlags(self.raw));
        set & (flags as i32) != 0
    }

    /// True inside MULTI, a script, a function, or wherever else a client may not wait.
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

    /// The id of the client that sent the running command, or that waited and is answered now.
    pub fn client_id(self) -> u64 {
        api!(RedisModule_GetClientId(self.raw))
    }

    /// True if the client with that id is connected to this server.
    pub fn is_connected(self, client: u64) -> bool {
        // Without a place for it the server tells nothing of the client.
        api!(RedisModule_GetClientInfoById(ptr::null_mut(), client)) == raw::REDISMODULE_OK as i32
    }

    /// True on a master that is not loading its data: only there may something be written that no
    /// client or master asked for.
    pub fn is_active_master(self) -> bool {
        self.has_flag(raw::REDISMODULE_CTX_FLAGS_MASTER) && !self.is_loading()
    }

    /// True while the server loads its data.
    pub fn is_loading(self) -> bool {
        self.has_flag(raw::REDISMODULE_CTX_FLAGS_LOADING)
    }

    /// True if the running command comes from a master, or from the append-only file, and not from a
    /// client.
    pub fn is_replicated(self) -> bool {
        self.has_flag(raw::REDISMODULE_CTX_FLAGS_REPLICATED | raw::REDISMODULE_CTX_FLAGS_LOADING)
    }

    /// True in cluster mode.
    pub fn is_cluster(self) -> bool {
        self.has_flag(raw::REDISMODULE_CTX_FLAGS_CLUSTER)
    }

    /// True while nothing may be written outside a command that the server admitted, because it
    /// holds back its writes (CLIENT PAUSE WRITE, a coordinated failover).
    pub fn must_avoid_replica_traffic(self) -> bool {
        api!(RedisModule_AvoidReplicaTraffic()) != 0
    }

    /// Sends a command with two arguments to the replicas and the append-only file.
    pub fn replicate(self, command: &CStr, first: &ServerString, second: &[u8]) {
        api!(RedisModule_Replicate(
            self.raw,
            command.as_ptr(),
            c"sb".as_ptr(),
            first.as_ptr(),
            second.as_ptr(),
            second.len(),
        ));
    }

    /// Sends the running command on as it came.
    pub fn replicate_verbatim(self) {
        api!(RedisModule_ReplicateVerbatim(self.raw));
    }

    /// Tells WATCH and client-side caches that a key changed.
    pub fn signal_modified(self, key: &ServerString) {
        api!(RedisModule_SignalModifiedKey(self.raw, key.as_ptr()));
    }

    /// True if the server runs two EXISTS on never existing keys in one command: in cluster mode,
    /// when the slot of the keys is served here and is not on its way in or out.
    pub fn slot_is_stable(self, first: &ServerString, second: &ServerString) -> bool {
        let reply = api!(RedisModule_Call(
            self.raw,
            c"EXISTS".as_ptr(),
            c"ss".as_ptr(),
            first.as_ptr(),
            second.as_ptr(),
        ));
        if reply.is_null() {
            return false;
        }
        let is_error =
            api!(RedisModule_CallReplyType(reply)) == raw::REDISMODULE_REPLY_ERROR as i32;
        api!(RedisModule_FreeCallReply(reply));
        !is_error
    }

    /// The texts that a command of two words replies: one, or a list. None if the server does not run
    /// it.
    pub fn texts(self, command: &CStr, subcommand: &CStr) -> Option<Vec<String>> {
        let reply =
            api!(RedisModule_Call(self.raw, command.as_ptr(), c"c".as_ptr(), subcommand.as_ptr(),));
        texts_of(reply)
    }

    /// True if a key may be shown: in cluster mode not while it only arrives, before its slot is
    /// this server's. Where the server can't tell, it is shown.
    pub fn may_show(self, key: &ServerString) -> bool {
        if !has!(RedisModule_ClusterCanAccessKeysInSlot) || !has!(RedisModule_ClusterKeySlot) {
            return true;
        }
        let slot = api!(RedisModule_ClusterKeySlot(key.as_ptr()));
        api!(RedisModule_ClusterCanAccessKeysInSlot(slot as i32)) != 0
    }

    /// Tells Valkey 9 and later that the module goes along with atomic slot migration: keys and ops
    /// of a slot may arrive before it is this server's.
    pub fn allow_atomic_slot_migration(self) {
        const HANDLES_ATOMIC_SLOT_MIGRATION: i32 = 1 << 5;
        api!(RedisModule_SetModuleOptions(self.raw, HANDLES_ATOMIC_SLOT_MIGRATION));
    }

    /// Writes a warning to the server's log.
    pub fn warn(self, text: &str) {
        self.log(c"warning", text);
    }

    /// Writes to the server's log what is no warning.
    pub fn notice(self, text: &str) {
        self.log(c"notice", text);
    }

    fn log(self, level: &CStr, text: &str) {
        let text: Vec<u8> = text.bytes().filter(|byte| *byte != 0).chain([0]).collect();
        api!(RedisModule_Log(self.raw, level.as_ptr(), c"%s".as_ptr(), text.as_ptr()));
    }

    /// True on Redis 7.0 and later and on Valkey.
    pub fn is_7_or_later(self) -> bool {
        has!(RedisModule_SetCommandInfo)
    }
}

/// The texts of a reply, which is freed: one, or a list; none if it is null.
pub(super) fn texts_of(reply: *mut raw::RedisModuleCallReply) -> Option<Vec<String>> {
    if reply.is_null() {
        return None;
    }
    let is_list = api!(RedisModule_CallReplyType(reply)) == raw::REDISMODULE_REPLY_ARRAY as i32;
    let texts = if is_list {
        let length = api!(RedisModule_CallReplyLength(reply));
        let elements =
            (0..length).map(|index| api!(RedisModule_CallReplyArrayElement(reply, index)));
        elements.filter_map(text_of).collect()
    } else {
        text_of(reply).into_iter().collect()
    };
    api!(RedisModule_FreeCallReply(reply));
    Some(texts)
}

/// The text of a reply, or of an element of one; None if it is none.
fn text_of(reply: *mut raw::RedisModuleCallReply) -> Option<String> {
    let mut length = 0;
    let start = api!(RedisModule_CallReplyStringPtr(reply, &mut length));
    if start.is_null() {
        return None;
    }
    // SAFETY: so many bytes of the server's, which live as long as the reply.
    let bytes = unsafe { std::slice::from_raw_parts(start.cast::<u8>(), length) };
    Some(String::from_utf8_lossy(bytes).into_owned())
}
