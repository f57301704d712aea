//! A wall clock of a server's own, which a test sets forward and back while the server runs.

use super::{Server, now_ms, sleep_until_ms};
use std::{fs, os::unix::fs::FileExt, path::PathBuf, process::Command, sync::OnceLock};
use tempfile::NamedTempFile;

/// The machine's clock and an offset. The monotonic clock is the machine's.
pub struct Clock {
    /// The offset in seconds, then how often the clock was read: 8 bytes each, see `clock.c`.
    shared: NamedTempFile,
}

impl Server {
    /// A server with settings of redis.conf and a clock of its own.
    pub fn start_with_clock(settings: &[(&str, &str)]) -> (Server, Clock) {
        let shared = NamedTempFile::new().expect("a file for the clock");
        shared.as_file().set_len(16).expect("room in it");
        let environment =
            vec![("LD_PRELOAD", library().clone()), ("MQ_TEST_CLOCK", shared.path().to_path_buf())];
        (Server::start_in(environment, settings), Clock { shared })
    }
}

impl Clock {
    /// Sets the clock to the machine's and so many seconds, at once.
    pub fn set(&self, offset_s: i64) {
        let bytes = offset_s.to_ne_bytes();
        self.shared.as_file().write_all_at(&bytes, 0).expect("the clock set");
        // Valkey 9.1 goes by the time that it read up to a millisecond ago.
        sleep_until_ms(now_ms() + 10);
    }

    /// Unix time in milliseconds by this clock.
    pub fn now_ms(&self) -> i64 {
        now_ms() + self.number_at(0) * 1000
    }

    /// How often it has been read.
    pub fn reads(&self) -> i64 {
        self.number_at(8)
    }

    fn number_at(&self, offset: u64) -> i64 {
        let mut bytes = [0; 8];
        self.shared.as_file().read_exact_at(&mut bytes, offset).expect("the clock's file");
        i64::from_ne_bytes(bytes)
    }
}

/// The library that is preloaded, compiled once in a run.
fn library() -> &'static PathBuf {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/server/harness/clock.c");
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let library = folder.join("clock.so");
        // Other runs may be using the library: it is replaced as a whole.
        let fresh = folder.join(format!("clock-{}.so", std::process::id()));
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"])
            .args([fresh.as_os_str(), source.as_ref()])
            .status();
        assert!(compiled.expect("a C compiler").success(), "{source} does not compile");
        fs::rename(&fresh, &library).expect("the library in its place");
        library
    })
}
