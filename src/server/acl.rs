//! Permissions of the user whose command runs, and the category of the module's commands.

use std::ffi::{CStr, c_int};
use std::marker::PhantomData;
use std::ptr::NonNull;

use redis_module::raw;

use super::api::{function, has};
use super::context::Context;
use super::string::ServerString;

/// The name of a user.
pub struct UserName(ServerString);

impl UserName {
    /// The user of that name, as it is now.
    pub fn user<'a>(&self, _: Context<'a>) -> User<'a> {
        // SAFETY: the server reads the name. What it returns is ours to free, and may be NULL.
        let raw = unsafe { function!(RedisModule_GetModuleUserFromUserName)(self.0.as_ptr()) };
        User { raw: NonNull::new(raw), context: PhantomData }
    }
}

/// A user; one that no longer exists has no permissions. Not to be kept: the server forgets it when an
/// administrator deletes the user.
pub struct User<'a> {
    raw: Option<NonNull<raw::RedisModuleUser>>,
    context: PhantomData<Context<'a>>,
}

impl<'a> Context<'a> {
    /// The user whose command runs; None where modules can't check permissions: before 7.0.
    pub fn user(self) -> Option<User<'a>> {
        self.user_name().map(|name| name.user(self))
    }

    /// The name of the user whose command runs, or is answered now; None where modules can't check permissions.
    pub fn user_name(self) -> Option<UserName> {
        if !has!(RedisModule_ACLCheckKeyPermissions) || !has!(RedisModule_GetCurrentUserName) {
            return None;
        }
        // SAFETY: the context of a command's callback, which has a user. The string is made for us.
        let name =
            unsafe { ServerString::from_raw(function!(RedisModule_GetCurrentUserName)(self.raw)) };
        name.map(UserName)
    }

    /// True if a module can assign its commands to categories: Redis 7.2, Valkey.
    pub fn has_acl_categories(self) -> bool {
        has!(RedisModule_SetCommandACLCategories)
    }

    /// Adds a category of the module's own, where it can have one: Redis 7.4, Valkey.
    pub fn add_acl_category(self, name: &CStr) {
        if has!(RedisModule_AddACLCategory) {
            // Refused when the module is loaded again: the server has kept the category.
            // SAFETY: the context of the callback that loads the module; the server copies the name.
            unsafe { function!(RedisModule_AddACLCategory)(self.raw, name.as_ptr()) };
        }
    }
}

impl User<'_> {
    /// True if the user may add to this key.
    pub fn may_add_to(&self, key: &[u8]) -> bool {
        self.may(key, raw::REDISMODULE_CMD_KEY_INSERT)
    }

    /// True if the user may read this key.
    pub fn may_read(&self, key: &[u8]) -> bool {
        self.may(key, raw::REDISMODULE_CMD_KEY_ACCESS)
    }

    /// True if the user may do anything with this key, reading or writing.
    pub fn may_name(&self, key: &[u8]) -> bool {
        self.may(key, 0)
    }

    fn may(&self, key: &[u8], flags: u32) -> bool {
        let Some(user) = self.raw else { return false };
        let key = ServerString::new(key);
        // SAFETY: the user was not deleted since the callback began, which runs no such command.
        let allowed = unsafe {
            let check = function!(RedisModule_ACLCheckKeyPermissions);
            check(user.as_ptr(), key.as_ptr(), flags as c_int)
        };
        allowed == raw::REDISMODULE_OK as c_int
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        if let Some(user) = self.raw {
            // SAFETY: nobody else frees it; the server's own user stays.
            unsafe { function!(RedisModule_FreeModuleUser)(user.as_ptr()) };
        }
    }
}
