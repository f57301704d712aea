//! What differs between the servers on which the tests run: decided here, and nowhere else.

use std::{env, path::PathBuf, process::Command, sync::OnceLock};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brand {
    Redis,
    Valkey,
}

#[derive(Debug)]
pub struct Facts {
    pub brand: Brand,
    version: (u32, u32),
}

/// The facts of the server named by `MQ_SERVER`.
pub fn facts() -> &'static Facts {
    static FACTS: OnceLock<Facts> = OnceLock::new();
    FACTS.get_or_init(|| {
        let binary = server_binary();
        let output = Command::new(&binary).arg("--version").output();
        let output =
            output.unwrap_or_else(|error| panic!("can't run {}: {error}", binary.display()));
        Facts::parse(&String::from_utf8_lossy(&output.stdout))
    })
}

pub fn server_binary() -> PathBuf {
    PathBuf::from(env::var_os("MQ_SERVER").unwrap_or_else(|| "redis-server".into()))
}

/// A program of the server's: the one beside the server, if there is one, else that from the path.
pub fn tool(name: &str) -> PathBuf {
    let beside = server_binary().with_file_name(name);
    if beside.is_file() { beside } else { PathBuf::from(name) }
}

pub fn module_path() -> PathBuf {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/target/release/libmq.so");
    let path = PathBuf::from(env::var_os("MQ_MODULE").unwrap_or_else(|| default.into()));
    path.canonicalize().unwrap_or_else(|error| {
        panic!("no module at {} ({error}): build it, or set MQ_MODULE", path.display())
    })
}

impl Facts {
    /// Reads the line that `--version` prints, such as `Redis server v=7.0.15 sha=...`.
    fn parse(line: &str) -> Facts {
        let brand = match line.split_whitespace().next() {
            Some("Redis") => Brand::Redis,
            Some("Valkey") => Brand::Valkey,
            _ => panic!("neither a Redis nor a Valkey server: {line}"),
        };
        let version = line.split("v=").nth(1).expect("a version in the line");
        let mut numbers =
            version.split(['.', ' ']).map(|part| part.parse().expect("a number in the version"));
        let version =
            (numbers.next().expect("a major version"), numbers.next().expect("a minor version"));
        Facts { brand, version }
    }

    /// Redis of this version or later, or any Valkey: Valkey 8 descends from Redis 7.2.
    fn descends_from_redis_7(&self) -> bool {
        self.brand == Brand::Valkey || self.version >= (7, 0)
    }

    /// Redis 6.0: what it writes, all of the others read.
    pub fn is_the_oldest(&self) -> bool {
        self.brand == Brand::Redis && self.version == (6, 0)
    }

    /// Settings for so many I/O threads (the main thread is one), which work for a few clients already
    /// where the server can be told so: Redis before 8.0 waits for two clients for each.
    pub fn io_threads(&self, count: &str) -> Vec<(&'static str, String)> {
        let mut settings = vec![("io-threads", count.to_owned())];
        match self.brand {
            Brand::Redis if self.version < (8, 0) => {
                settings.push(("io-threads-do-reads", "yes".into()));
            }
            Brand::Redis => {}
            Brand::Valkey if self.version < (9, 1) => {
                settings.push(("events-per-io-thread", "0".into()));
            }
            Brand::Valkey => settings.push(("io-threads-always-active", "yes".into())),
        }
        settings
    }

    /// With I/O threads a reply may come before the append-only file is written, although `appendfsync`
    /// is `always`: Redis 8.2 to 8.6. A crash then loses what was confirmed, of any command.
    pub fn replies_before_it_writes_with_io_threads(&self) -> bool {
        self.brand == Brand::Redis && self.version >= (8, 2)
    }

    /// DEBUG and MODULE are refused unless a setting allows them.
    pub fn guards_debug_and_module(&self) -> bool {
        self.descends_from_redis_7()
    }

    /// A module can reply with a RESP3 map.
    pub fn modules_reply_with_maps(&self) -> bool {
        self.descends_from_redis_7()
    }

    /// How slots move as a whole, if they can: Redis 8.4 and later, Valkey 9 and later, each in its
    /// own way.
    pub fn atomic_slot_migration(&self) -> Option<Brand> {
        let since = if self.brand == Brand::Valkey { (9, 0) } else { (8, 4) };
        (self.version >= since).then_some(self.brand)
    }

    /// The FAILOVER command: Redis 6.2 and later.
    pub fn fails_over_on_command(&self) -> bool {
        self.pauses_writes_only()
    }

    /// COMMAND DOCS and key specifications of module commands.
    pub fn documents_module_commands(&self) -> bool {
        self.descends_from_redis_7()
    }

    /// A module's ACL categories for its commands: Redis 7.2 and later, and Valkey.
    pub fn modules_name_acl_categories(&self) -> bool {
        self.brand == Brand::Valkey || self.version >= (7, 2)
    }

    /// A category of a module's own: Redis 7.4 and later, and Valkey.
    pub fn modules_have_their_own_acl_categories(&self) -> bool {
        self.brand == Brand::Valkey || self.version >= (7, 4)
    }

    /// The server ends when a module is unloaded whose commands a user's rules name: Redis 7.2 to 8.6,
    /// Valkey 8.
    pub fn may_end_when_a_user_names_a_command_that_goes(&self) -> bool {
        match self.brand {
            Brand::Redis => self.version >= (7, 2),
            Brand::Valkey => self.version < (9, 0),
        }
    }

    /// Rules are kept as numbers of commands: before Redis 7.2.
    pub fn keeps_rules_of_commands_that_go(&self) -> bool {
        !self.modules_name_acl_categories()
    }

    /// What a module replicates outside a transaction comes wrapped in MULTI and EXEC.
    pub fn wraps_module_replication(&self) -> bool {
        !self.descends_from_redis_7()
    }

    /// CLIENT PAUSE with WRITE: since 6.2.
    pub fn pauses_writes_only(&self) -> bool {
        self.brand == Brand::Valkey || self.version >= (6, 2)
    }

    /// INFO says how many values were freed in the background: since 6.2.
    pub fn counts_what_is_freed_in_the_background(&self) -> bool {
        self.pauses_writes_only()
    }

    /// The COPY command: since 6.2.
    pub fn copies_keys(&self) -> bool {
        self.pauses_writes_only()
    }

    /// FUNCTION and FCALL.
    pub fn has_functions(&self) -> bool {
        self.descends_from_redis_7()
    }

    /// ACL rules that tell reading a key from writing it (`%R~`).
    pub fn separates_key_permissions(&self) -> bool {
        self.descends_from_redis_7()
    }

    /// Modules may listen to the events of keys without harm to clients that copy or move keys.
    pub fn tells_modules_of_keys(&self) -> bool {
        self.brand == Brand::Redis || !((8, 1)..(9, 1)).contains(&self.version)
    }

    /// Modules are told when CONFIG SET changes something.
    pub fn tells_modules_of_settings(&self) -> bool {
        self.descends_from_redis_7()
    }

    /// Inside MULTI a full server refuses every command already when it is queued.
    pub fn refuses_all_commands_in_multi_when_full(&self) -> bool {
        self.brand == Brand::Redis && self.version <= (7, 2)
    }

    /// Unloading a module is refused while its timer is pending, before the module is asked.
    pub fn refuses_unload_while_a_timer_is_pending(&self) -> bool {
        self.descends_from_redis_7()
    }
}
