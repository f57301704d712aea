//! Commands: registered with the server by their facts, and called by it.

use std::ffi::{CStr, CString, c_int};

use redis_module::raw;

use super::api::{function, guard, has};
use super::context::Context;
use super::describe::describe;
use super::spec::Spec;
use super::string::Argument;
use super::{keys_of_command, reply};

/// A command.
pub trait Command {
    /// Its facts.
    const SPEC: Spec;
    /// Runs it. The number of arguments (the name is the first) fits the arity.
    fn run(context: Context<'_>, arguments: &[Argument<'_>]);
}

/// Registers a command, in an access control category of the module's own. False if the server refuses.
pub fn register<C: Command>(context: Context<'_>, category: &CStr) -> bool {
    let spec = C::SPEC;
    let mut flags = spec.flags.to_owned();
    if spec.blocking && context.is_7_or_later() {
        flags.push_str(" blocking");
    }
    // Later servers have key specs. They may ask for the keys on an I/O thread, and Redis 8.6 crashes if a
    // module's function runs there.
    if spec.has_movable_keys() && !context.is_7_or_later() {
        flags.push_str(" getkeys-api");
    }
    let (Ok(name), Ok(flags)) = (CString::new(spec.name), CString::new(flags)) else {
        return false;
    };
    let first = if spec.key.is_some() { spec.first_key() } else { 0 };
    let step = first.min(1);
    // SAFETY: the context of the callback that loads the module; the server copies the texts.
    let created = unsafe {
        function!(RedisModule_CreateCommand)(
            context.raw,
            name.as_ptr(),
            Some(called::<C>),
            flags.as_ptr(),
            first,
            first,
            step,
        )
    };
    created == raw::REDISMODULE_OK as c_int
        && describe(context, &name, &spec)
        && categorize(context, &name, &spec, category)
}

/// Assigns a command to the access control categories that its flags imply, where modules can (7.2, Valkey);
/// older servers do so themselves.
fn categorize(context: Context<'_>, name: &CStr, spec: &Spec, category: &CStr) -> bool {
    if !context.has_acl_categories() {
        return true;
    }
    let mut categories = Vec::new();
    for flag in spec.flags.split(' ') {
        match flag {
            "write" | "fast" => categories.push(flag),
            "readonly" => categories.push("read"),
            "admin" => categories.extend(["admin", "dangerous"]),
            _ => {}
        }
    }
    if spec.blocking {
        categories.push("blocking");
    }
    // A user who is given the module's category does not get the commands for administrators.
    if has!(RedisModule_AddACLCategory) && !categories.contains(&"admin") {
        categories.extend(category.to_str());
    }
    if !categories.contains(&"fast") {
        categories.push("slow");
    }
    let Ok(categories) = CString::new(categories.join(" ")) else { return false };
    // SAFETY: the context of the callback that loads the module. The server checks that the command, which may
    // be NULL, is the module's, and copies the text.
    let set = unsafe {
        let command = function!(RedisModule_GetCommand)(context.raw, name.as_ptr());
        function!(RedisModule_SetCommandACLCategories)(command, categories.as_ptr())
    };
    set == raw::REDISMODULE_OK as c_int
}

unsafe extern "C" fn called<C: Command>(
    raw: *mut raw::RedisModuleCtx,
    argv: *mut *mut raw::RedisModuleString,
    argc: c_int,
) -> c_int {
    // SAFETY: the server's context and the command's arguments, valid during this callback.
    let (context, arguments) = unsafe { (Context::new(raw), Argument::slice(argv, argc)) };
    if const { C::SPEC.has_movable_keys() } && keys_of_command::is_asked_for(context) {
        guard(|| keys_of_command::report(context, &C::SPEC, arguments));
    } else {
        reply::complete(context, || {
            if C::SPEC.fits_arity(arguments.len()) {
                C::run(context, arguments);
            } else {
                context.reply_error(&C::SPEC.wrong_arity());
            }
        });
    }
    raw::REDISMODULE_OK as c_int
}
