//! Whether the server currently refuses writes of clients, by INFO and CONFIG: the module API has no function for
//! it that every server has.

use std::ffi::CStr;

use redis_module::raw;

use super::call::call;
use super::context::Context;
use super::info;

impl Context<'_> {
    /// True while clients get NOREPLICAS (too few replicas for `min-replicas-to-write`) or MISCONF
    /// (a snapshot or the append-only file could not be written). Takes some tens of microseconds.
    pub fn refuses_writes(self) -> bool {
        self.lacks_replicas() || self.has_disk_error()
    }

    fn lacks_replicas(self) -> bool {
        // The field only exists while min-replicas-to-write is set.
        let good = info::field(c"replication", c"min_slaves_good_slaves");
        let Some(good) = good.and_then(|good| good.parse::<u64>().ok()) else { return false };
        let needed = self.setting(c"min-replicas-to-write").and_then(|text| text.parse().ok());
        good < needed.unwrap_or(1)
    }

    fn has_disk_error(self) -> bool {
        let saves = self.has_flag(raw::REDISMODULE_CTX_FLAGS_RDB);
        let appends = self.has_flag(raw::REDISMODULE_CTX_FLAGS_AOF);
        let [snapshot, file] =
            info::fields(c"persistence", [c"rdb_last_bgsave_status", c"aof_last_write_status"])
                .map(|status| status.is_some_and(|status| status == "err"));
        (appends && file)
            || saves
                && snapshot
                && self.setting(c"stop-writes-on-bgsave-error").is_none_or(|value| value != "no")
    }

    /// A configuration parameter; None if the server has none of that name, or CONFIG was renamed.
    fn setting(self, name: &CStr) -> Option<String> {
        let reply = call!(self, c"CONFIG", c"cc", c"GET".as_ptr(), name.as_ptr())?;
        reply.texts().into_iter().nth(1)
    }
}
