//! Servers with the module, and the console as a process: `MQ_SERVER` is a redis-server or valkey-server, `MQ_MODULE` the
//! module. Requests are HTTP/1.0, so that a reply ends with its connection.

use serde_json::Value;
use std::env::var;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(60);

pub struct Server {
    process: Child,
    pub port: u16,
    arguments: Vec<String>,
    folder: TempDir,
}

impl Server {
    /// Starts one with these settings, on a free port.
    pub fn start(settings: &[&str]) -> Self {
        let module = var("MQ_MODULE").expect("MQ_MODULE is the path of the module");
        let own = ["--save", "", "--loadmodule", &module];
        Self::run("", &[&own, settings].concat())
    }

    pub fn replica(master: &Self) -> Self {
        Self::start(&["--replicaof", "127.0.0.1", &master.port.to_string()])
    }

    /// Starts a sentinel that watches a server under the name `mymaster`.
    pub fn sentinel(master: &Self) -> Self {
        let port = master.port;
        let configuration = format!(
            "sentinel monitor mymaster 127.0.0.1 {port} 1\nsentinel down-after-milliseconds mymaster 1000\n"
        );
        Self::run(&configuration, &["--sentinel"])
    }

    fn run(configuration: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let file = folder.path().join("server.conf");
        fs::write(&file, format!("port {port}\nbind 127.0.0.1\n{configuration}")).unwrap();
        let mut own = vec![file.display().to_string()];
        own.extend(arguments.iter().map(|&word| word.to_owned()));
        let process = launch(&own, &folder);
        let server = Self { process, port, arguments: own, folder };
        eventually("the server answers", || server.answers());
        server
    }

    pub fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again, on the same port and empty.
    pub fn restart(&mut self) {
        self.process = launch(&self.arguments, &self.folder);
        eventually("the server answers", || self.answers());
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Runs a command, its words separated by spaces.
    pub fn run_command(&self, words: &str) -> redis::Value {
        let words: Vec<&str> = words.split(' ').collect();
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        let mut connection = self.connection();
        command.query(&mut connection).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    pub fn connection(&self) -> redis::Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    /// Pushes a message and returns its id.
    pub fn push(&self, queue: &str, payload: &[u8], options: &[&str]) -> String {
        let mut push = redis::cmd("MQ.PUSH");
        push.arg(queue).arg(payload).arg(options);
        push.query(&mut self.connection()).unwrap()
    }

    /// Pulls a message of a queue and lets it die.
    pub fn kill(&self, queue: &str, error: &str) {
        let mut connection = self.connection();
        let [id, receipt] = pull(&mut connection, queue);
        let mut nack = redis::cmd("MQ.NACK");
        nack.arg(queue).arg(id).arg(receipt).arg("DEAD").arg("REASON").arg(error);
        nack.exec(&mut connection).unwrap();
    }

    fn answers(&self) -> bool {
        let ping = |mut connection| redis::cmd("PING").exec(&mut connection).is_ok();
        redis::Client::open(self.url()).unwrap().get_connection().is_ok_and(ping)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Pulls a message and acknowledges it.
pub fn work(connection: &mut redis::Connection, queue: &str) {
    let [id, receipt] = pull(connection, queue);
    redis::cmd("MQ.ACK").arg(queue).arg(id).arg(receipt).exec(connection).unwrap();
}

/// Returns the id and the receipt.
fn pull(connection: &mut redis::Connection, queue: &str) -> [String; 2] {
    let pulled: Vec<redis::Value> = redis::cmd("MQ.PULL").arg(queue).query(connection).unwrap();
    let field = |name: &str| {
        let name = redis::Value::BulkString(name.into());
        let place = pulled.iter().position(|value| *value == name).unwrap();
        redis::from_redis_value::<String>(pulled[place + 1].clone()).unwrap()
    };
    [field("id"), field("receipt")]
}

fn launch(arguments: &[String], folder: &TempDir) -> Child {
    let program = var("MQ_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdout(Stdio::null()).spawn().unwrap()
}

/// One that no other test gets, and below those that the kernel gives to connections. A node of a cluster uses another one,
/// 10,000 above.
pub fn free_port() -> u16 {
    const FIRST: u16 = 11_000;
    const COUNT: u16 = 10_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let own = (std::process::id() % 100) as u16 * (COUNT / 100);
    let mut ports = (0..COUNT).map(|_| {
        let offset = own + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        FIRST + offset % COUNT
    });
    ports.find(|port| is_free(*port) && is_free(port + 10_000)).expect("a free port")
}

/// Three masters that are a cluster.
pub fn cluster() -> Vec<Server> {
    let settings = ["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"];
    let nodes: Vec<Server> = (0..3).map(|_| Server::start(&settings)).collect();
    for (number, node) in nodes.iter().enumerate() {
        let (first, last) = (number * 5462, ((number + 1) * 5462 - 1).min(16383));
        let slots: Vec<String> = (first..=last).map(|slot| slot.to_string()).collect();
        node.run_command(&format!("CLUSTER ADDSLOTS {}", slots.join(" ")));
        node.run_command(&format!("CLUSTER SET-CONFIG-EPOCH {}", number + 1));
    }
    for node in &nodes[1..] {
        nodes[0].run_command(&format!("CLUSTER MEET 127.0.0.1 {}", node.port));
    }
    eventually("the cluster is complete", || {
        nodes.iter().all(|node| {
            let info: String =
                redis::cmd("CLUSTER").arg("INFO").query(&mut node.connection()).unwrap();
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
        })
    });
    nodes
}

/// `redis-mq serve`, as a process.
pub struct Console {
    process: Child,
    pub address: String,
    /// The path under which it is.
    path: String,
    log: mpsc::Receiver<String>,
    /// What it printed.
    pub printed: Vec<String>,
    pub headers: Vec<(String, String)>,
}

pub const TOKEN: &str = "the-token";
const PASSWORD: &str = "the-password";

impl Console {
    /// One that needs the token, which is sent.
    pub fn start(urls: &[String], options: &[&str]) -> Self {
        let environment = [("REDIS_MQ_PAGE_PASSWORD", PASSWORD), ("REDIS_MQ_TOKEN", TOKEN)];
        let mut console = Self::with(urls, options, &environment);
        console.headers.push(("Authorization".to_owned(), format!("Bearer {TOKEN}")));
        console
    }

    pub fn with(urls: &[String], options: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_redis-mq"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(options);
        command.args(urls.iter().flat_map(|url| ["--url", url]));
        command.env_remove("RUST_LOG").envs(environment.iter().copied());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, log) = mpsc::channel();
        let errors = BufReader::new(process.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = lines.next().expect("the console prints its address").unwrap();
        let at = first.strip_prefix("http://").unwrap().trim_end_matches('/');
        let (address, path) = at
            .split_once('/')
            .map_or((at, String::new()), |(address, path)| (address, format!("/{path}")));
        let address = address.to_owned();
        let mut printed = vec![first.clone()];
        if !environment.iter().any(|(name, _)| *name == "REDIS_MQ_PAGE_PASSWORD")
            && !options.contains(&"--no-auth")
        {
            printed.push(lines.next().unwrap().unwrap());
        }
        Self { process, address, path, log, printed, headers: Vec::new() }
    }

    /// Stops it where it is, so that it neither answers nor ends.
    pub fn freeze(&self) {
        let process = self.process.id().to_string();
        assert!(Command::new("kill").args(["-STOP", &process]).status().unwrap().success());
    }

    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        http(&self.address, method, &self.at(path), &self.with_own(headers), body)
    }

    /// The address for a browser, with a password.
    pub fn page(&self) -> String {
        format!("http://me:{PASSWORD}@{}{}/", self.address, self.path)
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.path)
    }

    fn with_own<'h>(&'h self, headers: &[(&'h str, &'h str)]) -> Vec<(&'h str, &'h str)> {
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        own.chain(headers.iter().copied()).collect()
    }

    pub fn get(&self, path: &str) -> Reply {
        self.request("GET", path, &[], "")
    }

    pub fn json(&self, path: &str) -> Value {
        let reply = self.get(path);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        serde_json::from_str(&reply.body).unwrap()
    }

    pub fn act(&self, order: Value) -> Reply {
        let kind = [("Content-Type", "application/json")];
        self.request("POST", "/api/act", &kind, &order.to_string())
    }

    /// Sends JSON without waiting for the reply.
    pub fn begin(&self, path: &str, body: &Value) -> Pending {
        let headers = self.with_own(&[("Content-Type", "application/json")]);
        Pending(open(&self.address, "POST", &self.at(path), &headers, &body.to_string()))
    }

    /// The lines of a stream of events.
    pub fn events(&self, path: &str) -> impl Iterator<Item = String> {
        let stream = open(&self.address, "GET", &self.at(path), &self.with_own(&[]), "");
        BufReader::new(stream).lines().map_while(Result::ok)
    }

    /// A queue of the overview, or null.
    pub fn row(&self, queue: &str) -> Value {
        let list = self.json("/api/queues");
        let rows = list["queues"].as_array().unwrap();
        rows.iter().find(|row| row["name"] == queue).cloned().unwrap_or_default()
    }

    /// Waits for a line of the log.
    pub fn wait_for_log(&self, text: &str) -> String {
        let end = Instant::now() + LIMIT;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line =
                self.log.recv_timeout(left).unwrap_or_else(|_| panic!("never logged: {text}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// What was logged and not waited for yet.
    pub fn logged(&self) -> String {
        self.log.try_iter().map(|line| line + "\n").collect()
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("the console's log:\n{}", self.logged());
        }
    }
}

/// A request, and the whole reply.
pub fn http(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Reply {
    Pending(open(address, method, path, headers, body)).reply()
}

/// A request whose reply is not read yet. Dropping it closes the connection.
pub struct Pending(TcpStream);

impl Pending {
    pub fn reply(mut self) -> Reply {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes).unwrap();
        Reply::read(&bytes)
    }
}

fn open(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let mut text = format!("{method} {path} HTTP/1.0\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        text += &format!("Host: {address}\r\n");
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    write!(stream, "{text}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    stream
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").expect("a reply has a head");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_lowercase(), body: body.to_owned() }
    }
}

/// Waits until something holds.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < end, "never came: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
