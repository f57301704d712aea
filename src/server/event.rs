//! Events that the server reports: loading, roles, databases, keys, clients. Callbacks may run inside other
//! commands: what a listener may do there, each event decides.

use std::ffi::{c_char, c_int, c_void};

use redis_module::raw;

use super::api::{function, guard};
use super::context::Context;
use super::string::bytes_of;

/// What happened to the server or to its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The server became a master or a replica.
    RoleChanged,
    /// Loading ended, with the data or with an error.
    Loaded,
    /// Loading begins.
    Loading,
    /// SWAPDB exchanged two databases.
    Swapped(i32, i32),
    /// A database was flushed; -1: all of them.
    Flushed(i32),
    /// The client with this id disconnected. Redis 6.x never reports it.
    Disconnected(u64),
    /// CONFIG SET changed a parameter. Redis 6.x never reports it.
    Configured,
    /// The server shuts down: everything is saved, and no command runs any more.
    ShuttingDown,
    /// Slots arrived from another node as a whole, with keys of which no other event tells. Valkey 9 and later.
    SlotsArrived,
    /// The server's periodic work, ten times a second unless `hz` says otherwise.
    Cron,
}

/// Valkey's event for slots that move as a whole, and the end of an arrival: the bindings have neither.
const SLOT_MIGRATION: u64 = 19;
const IMPORT_COMPLETED: u64 = 4;

/// What the module does about events.
pub trait EventListener {
    /// An event of the server.
    fn event(context: Context<'_>, event: Event);
    /// A key of the selected database was created or removed other than by a command on its value.
    fn key_replaced(context: Context<'_>, key: &[u8]);
}

/// Subscribes to the events of the server. False if it refuses.
pub fn subscribe<L: EventListener>(context: Context<'_>) -> bool {
    let events = [
        raw::REDISMODULE_EVENT_REPLICATION_ROLE_CHANGED,
        raw::REDISMODULE_EVENT_LOADING,
        raw::REDISMODULE_EVENT_SWAPDB,
        raw::REDISMODULE_EVENT_FLUSHDB,
        raw::REDISMODULE_EVENT_CRON_LOOP,
        raw::REDISMODULE_EVENT_SHUTDOWN,
    ];
    // Before 7.0 the server selects database 0 for each client that connects or disconnects as soon as a module
    // subscribes: it crashes, or a replica writes to the wrong database. It has no event for CONFIG SET.
    let since_7 = [raw::REDISMODULE_EVENT_CLIENT_CHANGE, raw::REDISMODULE_EVENT_CONFIG];
    let since_7 = since_7.into_iter().filter(|_| context.is_7_or_later());
    events.into_iter().chain(since_7).all(|id| subscribe_to::<L>(context, id))
}

/// Subscribes to the arrival of slots. False if the server refuses; only Valkey has this event.
pub fn subscribe_to_slots<L: EventListener>(context: Context<'_>) -> bool {
    subscribe_to::<L>(context, SLOT_MIGRATION)
}

fn subscribe_to<L: EventListener>(context: Context<'_>, id: u64) -> bool {
    let event = raw::RedisModuleEvent { id, dataver: 1 };
    // SAFETY: the context of a callback that runs; the event is passed by value.
    let subscribed = unsafe {
        let subscribe = function!(RedisModule_SubscribeToServerEvent);
        subscribe(context.raw, event, Some(server_event::<L>))
    };
    subscribed == raw::REDISMODULE_OK as c_int
}

/// Subscribes to the events of keys. False if the server refuses.
pub fn subscribe_to_keys<L: EventListener>(context: Context<'_>) -> bool {
    let events = raw::REDISMODULE_NOTIFY_GENERIC
        | raw::REDISMODULE_NOTIFY_EXPIRED
        | raw::REDISMODULE_NOTIFY_EVICTED;
    // SAFETY: the context of a callback that runs; the callback has the type that the server wants.
    let subscribed = unsafe {
        function!(RedisModule_SubscribeToKeyspaceEvents)(context.raw, events, Some(key_event::<L>))
    };
    subscribed == raw::REDISMODULE_OK as c_int
}

unsafe extern "C" fn server_event<L: EventListener>(
    raw: *mut raw::RedisModuleCtx,
    event: raw::RedisModuleEvent,
    subevent: u64,
    data: *mut c_void,
) {
    // SAFETY: the server's context, valid during this callback.
    let context = unsafe { Context::new(raw) };
    let event = match (event.id, subevent) {
        (raw::REDISMODULE_EVENT_REPLICATION_ROLE_CHANGED, _) => Event::RoleChanged,
        (
            raw::REDISMODULE_EVENT_LOADING,
            raw::REDISMODULE_SUBEVENT_LOADING_ENDED | raw::REDISMODULE_SUBEVENT_LOADING_FAILED,
        ) => Event::Loaded,
        (raw::REDISMODULE_EVENT_LOADING, _) => Event::Loading,
        (raw::REDISMODULE_EVENT_CRON_LOOP, _) => Event::Cron,
        (raw::REDISMODULE_EVENT_SWAPDB, _) if !data.is_null() => {
            // SAFETY: the data of this event, of which these fields exist in every version.
            let info = unsafe { &*data.cast::<raw::RedisModuleSwapDbInfo>() };
            Event::Swapped(info.dbnum_first, info.dbnum_second)
        }
        (raw::REDISMODULE_EVENT_FLUSHDB, raw::REDISMODULE_SUBEVENT_FLUSHDB_END)
            if !data.is_null() =>
        {
            // SAFETY: the data of this event, of which these fields exist in every version.
            let info = unsafe { &*data.cast::<raw::RedisModuleFlushInfo>() };
            Event::Flushed(info.dbnum)
        }
        (
            raw::REDISMODULE_EVENT_CLIENT_CHANGE,
            raw::REDISMODULE_SUBEVENT_CLIENT_CHANGE_DISCONNECTED,
        ) if !data.is_null() => {
            // SAFETY: the data of this event, of which these fields exist in every version.
            let info = unsafe { &*data.cast::<raw::RedisModuleClientInfo>() };
            Event::Disconnected(info.id)
        }
        (raw::REDISMODULE_EVENT_CONFIG, _) => Event::Configured,
        (raw::REDISMODULE_EVENT_SHUTDOWN, _) => Event::ShuttingDown,
        (SLOT_MIGRATION, IMPORT_COMPLETED) => Event::SlotsArrived,
        _ => return,
    };
    guard(|| L::event(context, event));
}

unsafe extern "C" fn key_event<L: EventListener>(
    raw: *mut raw::RedisModuleCtx,
    _: c_int,
    _: *const c_char,
    key: *mut raw::RedisModuleString,
) -> c_int {
    // SAFETY: the server's context and its string, valid during this callback.
    let (context, key) = unsafe { (Context::new(raw), bytes_of(key)) };
    guard(|| L::key_replaced(context, key));
    raw::REDISMODULE_OK as c_int
}
