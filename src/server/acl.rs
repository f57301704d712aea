//! Permissions of the user whose command runs.

use std::ffi::c_int;

use redis_module::raw;

use super::context::Context;
use super::string::ServerString;
use super::{api, has};

impl Context<'_> {
    /// True if the user whose command runs may add to this key; None if this server can't tell: before
    /// 7.0.
    pub fn may_add_to(self, key: &[u8]) -> Option<bool> {
        if !has!(RedisModule_ACLCheckKeyPermissions) || !has!(RedisModule_GetCurrentUserName) {
            return None;
        }
        let name = ServerString::from_raw(api!(RedisModule_GetCurrentUserName(self.raw)))?;
        let user = api!(RedisModule_GetModuleUserFromUserName(name.as_ptr()));
        if user.is_null() {
            return Some(false);
        }
        let key = ServerString::new(key);
        let flags = raw::REDISMODULE_CMD_KEY_INSERT as c_int;
        let checked = api!(RedisModule_ACLCheckKeyPermissions(user, key.as_ptr(), flags));
        api!(RedisModule_FreeModuleUser(user));
        Some(checked == raw::REDISMODULE_OK as c_int)
    }
}
