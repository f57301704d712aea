//! A server with the module: `MQ_SERVER` is a redis-server or valkey-server, `MQ_MODULE` the module.

use std::env::var;
use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub struct Server {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Server {
    /// Starts one with these settings, on a free port.
    pub fn start(settings: &[&str]) -> Self {
        let module = var("MQ_MODULE").expect("MQ_MODULE is the path of the module");
        let own = ["--save", "", "--loadmodule", &module];
        Self::run("", &[&own, settings].concat())
    }

    /// Starts a sentinel that watches a server under the name `mymaster`.
    #[allow(dead_code)] // not every test has one
    pub fn sentinel(master: &Self) -> Self {
        let port = master.port;
        Self::run(&format!("sentinel monitor mymaster 127.0.0.1 {port} 1\n"), &["--sentinel"])
    }

    fn run(configuration: &str, arguments: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("server.conf");
        fs::write(&file, format!("port {port}\nbind 127.0.0.1\n{configuration}")).unwrap();
        let program = var("MQ_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
        let process = Command::new(program)
            .arg(&file)
            .args(arguments)
            .current_dir(&folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { process, port, _folder: folder };
        eventually("the server answers", || server.answers());
        server
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Another test's server may have taken the port meanwhile.
    fn answers(&self) -> bool {
        let id = format!("process_id:{}\r", self.process.id());
        let ask = |mut connection| redis::cmd("INFO").arg("server").query(&mut connection);
        let opened = redis::Client::open(self.url()).unwrap().get_connection();
        opened.and_then(ask).is_ok_and(|info: String| info.contains(&id))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until something holds.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < end, "never came: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
