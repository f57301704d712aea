//! Permissions of the user whose command runs, and the category of the module's commands.

use std::ffi::{CStr, c_int};

use redis_module::raw;

use super::api::{api, has};
use super::context::Context;
use super::string::ServerString;

/// The name of a user.
pub struct UserName(ServerString);

impl UserName {
    /// The user of that name, as it is now.
    pub fn user(&self) -> User {
        User(api!(RedisModule_GetModuleUserFromUserName(self.0.as_ptr())))
    }
}

/// A user; null if there is none of that name any more, who may do nothing.
pub struct User(*mut raw::RedisModuleUser);

impl Context<'_> {
    /// The user whose command runs; None if this server can't tell what users may: before 7.0.
    pub fn user(self) -> Option<User> {
        self.user_name().map(|name| name.user())
    }

    /// The name of the user whose command runs; None if this server can't tell what users may.
    pub fn user_name(self) -> Option<UserName> {
        if !has!(RedisModule_ACLCheckKeyPermissions) || !has!(RedisModule_GetCurrentUserName) {
            return None;
        }
        ServerString::from_raw(api!(RedisModule_GetCurrentUserName(self.raw))).map(UserName)
    }

    /// True if a module can put its commands into categories: Redis 7.2, Valkey.
    pub fn has_acl_categories(self) -> bool {
        has!(RedisModule_SetCommandACLCategories)
    }

    /// Makes a category, where a module can have its own: Redis 7.4, Valkey.
    pub fn add_acl_category(self, name: &CStr) {
        if has!(RedisModule_AddACLCategory) {
            // It is refused when the module is loaded anew: the server has kept the category.
            api!(RedisModule_AddACLCategory(self.raw, name.as_ptr()));
        }
    }
}

impl User {
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
        if self.0.is_null() {
            return false;
        }
        let key = ServerString::new(key);
        api!(RedisModule_ACLCheckKeyPermissions(self.0, key.as_ptr(), flags as c_int))
            == raw::REDISMODULE_OK as c_int
    }
}

impl Drop for User {
    fn drop(&mut self) {
        if !self.0.is_null() {
            api!(RedisModule_FreeModuleUser(self.0));
        }
    }
}
