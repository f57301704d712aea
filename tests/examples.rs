//! Runs the client examples of `examples/` against real servers, with the client libraries that they
//! require: they print what the README shows, survive a restart of the server, and exit without leaving a message in
//! flight or losing one. Libraries are installed below the target folder.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test that panics is a test that fails"
)]

#[allow(dead_code, unused_imports, reason = "the server tests use the rest of it")]
#[path = "server/harness/mod.rs"]
mod harness;

#[path = "clients/libraries.rs"]
mod libraries;

use harness::{Server, eventually};
use libraries::output_of;
use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

const OUTPUT: &str = "\
pushed order 1
pushed order 2
pushed order 3
processed order 1
nacked: no stock
processed order 3
processed order 2
";

/// The tests of one example; `$command` starts it.
macro_rules! tests_of {
    ($language:ident, $command:expr) => {
        mod $language {
            #[test]
            fn pushes_three_orders_and_processes_them() {
                super::pushes_three_orders_and_processes_them($command);
            }

            #[test]
            fn goes_on_after_the_server_was_killed() {
                super::goes_on_after_the_server_was_killed(|| $command);
            }

            #[test]
            fn ends_on_a_signal_while_it_waits() {
                super::ends_on_a_signal_while_it_waits(|| $command);
            }

            #[test]
            fn finishes_the_order_at_hand_before_it_ends() {
                super::finishes_the_order_at_hand_before_it_ends($command);
            }

            #[test]
            fn goes_on_after_a_payload_that_is_no_text() {
                super::goes_on_after_a_payload_that_is_no_text($command);
            }

            #[test]
            fn ends_with_an_error_when_it_cannot_log_in() {
                super::ends_with_an_error_when_it_cannot_log_in(|| $command);
            }
        }
    };
}

tests_of!(
    python,
    crate::libraries::python("examples/python/orders.py", "examples/python/requirements.txt")
);
tests_of!(node, crate::libraries::node("examples/node/orders.mjs"));
tests_of!(go, crate::libraries::go("examples/go"));

fn pushes_three_orders_and_processes_them(mut command: Command) {
    let server = Server::start();
    assert_eq!(output_of(pointed_at(&server, &mut command)), OUTPUT);
    let mut client = server.client();
    assert_eq!(client.queue_info("orders", "acked"), 3);
    assert_eq!(client.lengths("orders"), [0, 0, 0]);
}

fn goes_on_after_the_server_was_killed(command: impl Fn() -> Command) {
    let mut server = Server::start_with_append_only_file();
    let mut client = server.client();
    // A message in flight because its reply was lost with the connection returns after this time.
    client.ask("MQ.CONFIG orders VISIBILITY 2000");
    for number in 11..=20 {
        client.push("orders", format!("order {number}"));
    }
    let consumer = Program::start(&server, command(), &["consume"]);
    consumer.says("processed order 13");
    server.kill();
    let mut producer = Program::start(&server, command(), &["produce", "3"]);
    thread::sleep(Duration::from_millis(500));
    server.start_again_on_its_port();
    producer.ends_well();
    for number in (1..=3).chain(11..=20) {
        consumer.says(&format!("processed order {number}"));
    }
    consumer.ends_well_after("TERM");
    assert_eq!(server.client().lengths("orders"), [0, 0, 0]);
}

fn ends_on_a_signal_while_it_waits(command: impl Fn() -> Command) {
    let server = Server::start();
    let mut client = server.client();
    for signal in ["TERM", "INT"] {
        let consumer = Program::start(&server, command(), &["consume"]);
        eventually("it waits", || client.info("clients")["blocked_clients"] == "1");
        consumer.ends_well_after(signal);
    }
    client.push("orders", "order 11");
    assert_eq!(client.lengths("orders"), [1, 0, 0]);
}

fn finishes_the_order_at_hand_before_it_ends(command: Command) {
    let server = Server::start();
    let mut client = server.client();
    for number in 11..=40 {
        client.push("orders", format!("order {number}"));
    }
    let consumer = Program::start(&server, command, &["consume"]);
    consumer.says("processed order 13");
    let output = consumer.ends_well_after("TERM");
    let processed = output.lines().filter(|line| line.starts_with("processed")).count();
    let left = 30 - i64::try_from(processed).expect("a small number");
    assert!(left > 0, "it was to end before all was done");
    assert_eq!(client.lengths("orders"), [left, 0, 0]);
}

fn goes_on_after_a_payload_that_is_no_text(command: Command) {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", b"order \xff");
    client.push("orders", "order 11");
    let consumer = Program::start(&server, command, &["consume"]);
    consumer.says("processed order 11");
    consumer.ends_well_after("TERM");
    assert_eq!(client.lengths("orders"), [0, 0, 0]);
    let dead = client.pull("{orders}:dead");
    assert_eq!(dead.payload, b"order \xff");
}

fn ends_with_an_error_when_it_cannot_log_in(command: impl Fn() -> Command) {
    let server = Server::start();
    let mut client = server.client();
    client.ask("CONFIG SET requirepass secret");
    for (login, error) in [("", "authenticat"), (":wrong@", "invalid username-password pair")] {
        let mut command = command();
        let url = format!("redis://{login}127.0.0.1:{}", server.port());
        command.env("REDIS_URL", url).stderr(Stdio::piped());
        let mut program = Program::start_at_its_url(&mut command, &["produce", "1"]);
        assert_eq!(program.ends().code(), Some(1));
        let mut errors = String::new();
        let mut stream = program.process.stderr.take().expect("its errors");
        stream.read_to_string(&mut errors).expect("text");
        assert!(errors.to_lowercase().contains(error), "{errors}");
    }
    client.reply(&["CONFIG", "SET", "requirepass", ""]).expect("OK");
}

/// A program that runs in the background.
struct Program {
    process: Child,
    output: Arc<Mutex<String>>,
    reader: Option<thread::JoinHandle<()>>,
}

impl Program {
    fn start(server: &Server, mut command: Command, arguments: &[&str]) -> Program {
        Program::start_at_its_url(pointed_at(server, &mut command), arguments)
    }

    /// Starts a command that already has the address of the server.
    fn start_at_its_url(command: &mut Command, arguments: &[&str]) -> Program {
        command.args(arguments).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let output = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&output);
        let reader = thread::spawn(move || {
            for line in lines {
                let mut written = written.lock().expect("the output");
                written.push_str(&line.expect("a line of text"));
                written.push('\n');
            }
        });
        Program { process, output, reader: Some(reader) }
    }

    /// Waits until it has printed this line.
    fn says(&self, line: &str) {
        let has_said = || self.output.lock().expect("the output").lines().any(|said| said == line);
        eventually(&format!("the program says: {line}"), has_said);
    }

    fn ends(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the program ends", || {
            status = self.process.try_wait().expect("its state");
            status.is_some()
        });
        status.expect("it ended")
    }

    /// Waits until it exits, which must be without an error.
    fn ends_well(&mut self) -> String {
        let status = self.ends();
        assert!(status.success(), "it ended with {status}");
        self.reader.take().expect("its output is read once").join().expect("all lines read");
        self.output.lock().expect("the output").clone()
    }

    fn ends_well_after(mut self, signal: &str) -> String {
        let pid = self.process.id().to_string();
        output_of(Command::new("kill").args(["-s", signal, &pid]));
        self.ends_well()
    }
}

impl Drop for Program {
    /// Stops the program if a test fails.
    fn drop(&mut self) {
        // Both only fail if the program has exited.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The command with the server's address.
fn pointed_at<'a>(server: &Server, command: &'a mut Command) -> &'a mut Command {
    command.env("REDIS_URL", format!("redis://127.0.0.1:{}", server.port()))
}
