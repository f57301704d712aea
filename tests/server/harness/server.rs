//! One server process with the module loaded, on a port and in a folder of its own.

use super::{
    DEADLINE,
    client::Client,
    facts,
    facts::module_path,
    facts::{server_binary, tool},
    soundness,
    wait::eventually,
};
use std::{
    env, fs,
    io::Write,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Variables of the server's environment.
pub type Environment = Vec<(&'static str, PathBuf)>;

pub struct Server {
    process: Option<Child>,
    port: u16,
    folder: TempDir,
    settings: Vec<(String, String)>,
    module: Option<PathBuf>,
    environment: Environment,
    damaged: AtomicBool,
}

impl Server {
    pub fn start() -> Server {
        Server::start_with(&[])
    }

    /// Starts a server with settings of redis.conf beside the harness's own.
    pub fn start_with(settings: &[(&str, &str)]) -> Server {
        Server::start_in(Environment::new(), settings)
    }

    pub fn start_in(environment: Environment, settings: &[(&str, &str)]) -> Server {
        let mut server = Server::new(settings);
        server.environment = environment;
        server.run();
        server
    }

    /// Starts a server on a copy of a file that it loads.
    pub fn start_on_copy_of(file: &Path, settings: &[(&str, &str)]) -> Server {
        let mut server = Server::new(settings);
        let name = file.file_name().expect("the name of the file");
        fs::copy(file, server.folder().join(name))
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        server.run();
        server
    }

    pub fn start_without_module(settings: &[(&str, &str)]) -> Server {
        let mut server = Server::new(settings);
        server.module = None;
        server.run();
        server
    }

    /// Starts a server with another build of the module.
    pub fn start_with_build(module: PathBuf, settings: &[(&str, &str)]) -> Server {
        let mut server = Server::new(settings);
        server.module = Some(module);
        server.run();
        server
    }

    fn new(settings: &[(&str, &str)]) -> Server {
        let own = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        let folder =
            tempfile::Builder::new().prefix("mq-server-").tempdir().expect("a temporary folder");
        let settings = settings.iter().map(own).collect();
        let damaged = AtomicBool::new(false);
        let environment = Environment::new();
        let module = Some(module_path());
        Server { process: None, port: 0, folder, settings, module, environment, damaged }
    }

    /// The file to which the server appends now: before 7.0 it has one, then it has numbered ones.
    pub fn append_only_file(&self) -> PathBuf {
        let single = self.folder().join("appendonly.aof");
        if single.is_file() {
            return single;
        }
        let files = fs::read_dir(self.folder().join("appendonlydir")).expect("the folder of files");
        let files = files.map(|file| file.expect("a file").path());
        let number = |path: &PathBuf| {
            let name = path.file_name()?.to_str()?.strip_prefix("appendonly.aof.")?;
            name.strip_suffix(".incr.aof")?.parse::<u64>().ok()
        };
        let numbered = files.filter(|path| number(path).is_some());
        numbered.max_by_key(number).expect("an append-only file")
    }

    /// What an operator does before the start when the end of the file is missing: without it, 6.x
    /// leaves the beginning of a transaction in the file, and carries it out at the next load.
    pub fn repair_append_only_file(&self) {
        let mut repair = Command::new(tool("redis-check-aof"));
        repair.arg("--fix").arg(self.append_only_file());
        repair.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut process = repair.spawn().unwrap_or_else(|error| panic!("{repair:?}: {error}"));
        let mut answers = process.stdin.take().expect("its standard input");
        // It asks only if there is something to repair.
        let _ = answers.write_all(b"y\n");
        drop(answers);
        assert!(process.wait().expect("its end").success(), "{repair:?}");
    }

    /// Adds to the append-only file of a server that does not run.
    pub fn append_to_the_append_only_file(&self, bytes: &[u8]) {
        let path = self.append_only_file();
        let file = fs::OpenOptions::new().append(true).open(&path);
        file.and_then(|mut file| file.write_all(bytes))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    pub fn start_with_append_only_file() -> Server {
        Server::start_with(&[("appendonly", "yes"), ("appendfsync", "always")])
    }

    /// A server whose append-only file begins, when it is rewritten, with a snapshot ("yes") or not.
    pub fn start_with_preamble(preamble: &str) -> Server {
        Server::start_with(&[
            ("appendonly", "yes"),
            ("appendfsync", "always"),
            ("aof-use-rdb-preamble", preamble),
        ])
    }

    pub fn start_in_cluster_mode() -> Server {
        let server =
            Server::start_with(&[("cluster-enabled", "yes"), ("cluster-node-timeout", "60000")]);
        let mut client = server.client();
        let mut all_slots = vec!["CLUSTER".to_string(), "ADDSLOTS".to_string()];
        all_slots.extend((0..16384).map(|slot| slot.to_string()));
        client.reply(&all_slots).expect("all slots assigned");
        eventually("the cluster is up", || {
            client.text("CLUSTER INFO").contains("cluster_state:ok")
        });
        server
    }

    /// A second server that follows this one and has caught up with it.
    pub fn start_replica(&self) -> Server {
        let replica = Server::start_with(&[("replicaof", &format!("127.0.0.1 {}", self.port))]);
        replica.wait_until_in_sync();
        replica
    }

    /// Makes this server a replica of that one, and waits until it has caught up.
    pub fn follow(&self, master: &Server) {
        self.client().ask(&format!("REPLICAOF 127.0.0.1 {}", master.port));
        self.wait_until_in_sync();
    }

    /// Waits until this replica is connected to its master.
    pub fn wait_until_in_sync(&self) {
        let mut client = self.client();
        eventually("the replica is in sync", || {
            client.info("replication")["master_link_status"] == "up"
        });
    }

    pub fn client(&self) -> Client {
        Client::connect(self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// For tests that damage keys on purpose: the queues need not be sound when they end.
    pub fn damaged_on_purpose(&self) {
        self.damaged.store(true, Ordering::Relaxed);
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn log(&self) -> String {
        let log = fs::read(self.folder.path().join("server.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    pub fn is_running(&mut self) -> bool {
        match &mut self.process {
            Some(process) => process.try_wait().expect("the state of the server process").is_none(),
            None => false,
        }
    }

    /// Ends the server at once (SIGKILL), as a crash or a lost machine would.
    pub fn kill(&mut self) {
        assert!(self.is_running(), "the server had ended by itself");
        let mut process = self.process.take().expect("a running server");
        process.kill().expect("SIGKILL sent");
        process.wait().expect("the killed server's end");
    }

    /// Ends the server with SHUTDOWN, with or without a last snapshot.
    pub fn shut_down(&mut self, save: &str) {
        let mut client = self.client();
        let reply = client.reply(&["SHUTDOWN", save]);
        assert!(reply.is_err(), "SHUTDOWN replied {reply:?}");
        let mut process = self.process.take().expect("a running server");
        let status = process.wait().expect("the server's end");
        assert!(status.success(), "SHUTDOWN ended with {status}\n{}", self.log());
    }

    /// Starts a killed or stopped server again, on the same folder.
    pub fn start_again(&mut self) {
        assert!(self.process.is_none(), "the server still runs");
        self.run();
    }

    /// Starts a stopped server again, with the module from now on.
    pub fn start_again_with_module(&mut self) {
        self.module = Some(module_path());
        self.start_again();
    }

    /// Starts a stopped server again, without the module from now on.
    pub fn start_again_without_module(&mut self) {
        self.module = None;
        self.start_again();
    }

    /// As that, but the server must refuse to start.
    pub fn refuses_to_start_without_module(&mut self) {
        self.module = None;
        self.port = free_port();
        let mut process = self.spawn();
        eventually("the server gives up", || process.try_wait().expect("its state").is_some());
        self.module = Some(module_path());
    }

    /// Changes a setting of a server that does not run.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.retain(|(other, _)| other != name);
        self.settings.push((name.into(), value.into()));
    }

    /// Starts a killed or stopped server again on the port that it had, for clients that know no other.
    #[allow(dead_code, reason = "the tests of the examples use it")]
    pub fn start_again_on_its_port(&mut self) {
        assert!(self.process.is_none(), "the server still runs");
        self.process = Some(self.spawn());
        let is_ready = self.wait_until_ready(Instant::now());
        assert!(is_ready, "another process took port {}", self.port);
    }

    pub fn restart_with_snapshot(&mut self) {
        self.shut_down("SAVE");
        self.start_again();
    }

    pub fn kill_and_start_again(&mut self) {
        self.kill();
        self.start_again();
    }

    /// Waits until the rewrite of the append-only file that was asked for is over.
    pub fn wait_for_rewrite(&self) {
        let mut client = self.client();
        eventually("the rewrite is over", || {
            let info = client.info("persistence");
            info["aof_rewrite_in_progress"] == "0" && info["aof_rewrite_scheduled"] == "0"
        });
        assert_eq!(client.info("persistence")["aof_last_bgrewrite_status"], "ok");
    }

    fn run(&mut self) {
        let started = Instant::now();
        // Another process can take the port between the test for it and its use: then the next one.
        loop {
            self.port = free_port();
            self.process = Some(self.spawn());
            if self.wait_until_ready(started) {
                return;
            }
        }
    }

    fn spawn(&self) -> Child {
        let mut settings: Vec<(&str, String)> = vec![
            ("port", self.port.to_string()),
            ("bind", "127.0.0.1".into()),
            ("dir", self.folder.path().display().to_string()),
            ("logfile", "server.log".into()),
            ("save", String::new()),
            ("daemonize", "no".into()),
            ("repl-diskless-sync-delay", "0".into()),
            ("repl-ping-replica-period", "3600".into()),
        ];
        if let Some(module) = &self.module {
            settings.push(("loadmodule", module.display().to_string()));
        }
        if facts().guards_debug_and_module() {
            settings.push(("enable-debug-command", "yes".into()));
            settings.push(("enable-module-command", "yes".into()));
        }
        let writes_at_once =
            |(name, value): &(String, String)| name == "appendfsync" && value == "always";
        let needs_disk = self.settings.iter().any(writes_at_once);
        if let Ok(count) = env::var("MQ_IO_THREADS")
            && !(needs_disk && facts().replies_before_it_writes_with_io_threads())
        {
            settings.extend(facts().io_threads(&count));
        }
        settings.extend(self.settings.iter().map(|(name, value)| (name.as_str(), value.clone())));
        let binary = server_binary();
        let mut command = Command::new(&binary);
        for (name, value) in settings {
            command.arg(format!("--{name}"));
            // The server takes "two words" as one argument, but wants a list such as `127.0.0.1
            // 6379` in pieces.
            if value.is_empty() {
                command.arg("");
            } else {
                command.args(value.split(' '));
            }
        }
        command
            .current_dir(self.folder.path())
            // A panic of the module's that is caught: showing where it came from ends some servers.
            .env_remove("RUST_BACKTRACE")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().unwrap_or_else(|error| panic!("can't run {}: {error}", binary.display()))
    }

    /// False when the server could not get its port.
    fn wait_until_ready(&mut self, started: Instant) -> bool {
        let pid = self.process.as_ref().expect("a started server").id().to_string();
        loop {
            if !self.is_running() {
                let log = self.log();
                assert!(log.contains("Address already in use"), "the server did not start:\n{log}");
                fs::remove_file(self.folder.path().join("server.log")).expect("the log removed");
                return false;
            }
            if let Some(mut client) = Client::try_connect(self.port) {
                // INFO is answered while the server still loads its data.
                // A server of another test that had this port may just be going.
                let info = client.reply_to("INFO").map(|_| client.info("everything"));
                if let Ok(info) = info
                    && info.get("process_id") == Some(&pid)
                    && info.get("loading").is_some_and(|loading| loading == "0")
                {
                    return true;
                }
            }
            assert!(
                started.elapsed() < DEADLINE,
                "the server was not ready in time:\n{}",
                self.log()
            );
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Server {
    /// Stops the server. A server that ended by itself fails the test, and so does one that finds
    /// lost memory when it exits, or a queue in which MQ.CHECK finds something; a failing test
    /// shows the server's log.
    fn drop(&mut self) {
        let ended_by_itself = self.process.is_some() && !self.is_running();
        let is_to_be_sound = self.process.is_some()
            && !ended_by_itself
            && !thread::panicking()
            && !self.damaged.load(Ordering::Relaxed);
        let problems = if is_to_be_sound { soundness::problems(self) } else { Vec::new() };
        let end = self.process.take().map(stop);
        let ended_badly = end.is_some_and(|end| looks_for_leaks() && !end.success());
        if ended_by_itself || ended_badly || !problems.is_empty() || thread::panicking() {
            eprintln!("---- log of the server on port {} ----\n{}", self.port, self.log());
        }
        assert!(
            !ended_by_itself || thread::panicking(),
            "the server ended by itself; its log is above"
        );
        assert!(!ended_badly || thread::panicking(), "the server's end: {end:?}");
        assert!(problems.is_empty(), "MQ.CHECK finds something: {problems:#?}");
    }
}

/// The server looks for lost memory when it exits (`make asan`, `make memcheck`), so it must exit.
fn looks_for_leaks() -> bool {
    env::var_os("MQ_LEAKS").is_some()
}

/// The server writes which lines it ran when it exits (`make test-coverage`), if it can.
fn writes_a_profile() -> bool {
    env::var_os("LLVM_PROFILE_FILE").is_some()
}

fn stop(mut process: Child) -> ExitStatus {
    if looks_for_leaks() || writes_a_profile() {
        let pid = process.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().expect("SIGTERM sent");
        let told = Instant::now();
        while told.elapsed() < DEADLINE && matches!(process.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(2));
        }
    }
    // Fails only when the process is gone already.
    let _ = process.kill();
    process.wait().expect("the server's end")
}

/// A free port below those that the system hands out by itself, with room for the cluster's port
/// 10,000 above.
pub fn free_port() -> u16 {
    const FIRST: u32 = 11_000;
    const COUNT: u32 = 10_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let first_of_this_process = std::process::id() % 100 * (COUNT / 100);
    for _ in 0..COUNT {
        let offset = first_of_this_process + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(FIRST + offset % COUNT).expect("a port");
        if is_free(port) && is_free(port + 10_000) {
            return port;
        }
    }
    panic!("no free port from {FIRST} on");
}
