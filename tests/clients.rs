//! Client libraries, as the users of examples/acl/users.acl, and in a cluster whose nodes fail and whose slots migrate
//! while programs that use them (`tests/clients/`) push, pull and acknowledge: they keep working, and no message
//! is lost. Their settings are in `docs/delivery.md`, "Clients of a cluster".

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
#[allow(dead_code, reason = "the examples use the rest of it")]
#[path = "clients/libraries.rs"]
mod libraries;
#[path = "clients/users.rs"]
mod users;

use harness::{Client, Cluster, eventually, facts, items, text_of};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

/// The queue and its slot, one of the first of the first node.
const QUEUE: &str = "orders-1055";
const SLOT: u16 = 5;

/// Moving this many of the first slots moves the queue.
const SLOTS: u16 = 40;

/// The number of times that connections are cut.
const CUTS: u32 = 400;

/// How long a migration takes: longer than both libraries retry by default.
const OPEN: Duration = Duration::from_secs(2);

/// A program that uses the queue and prints each reply on a line.
struct Program {
    process: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Program {
    fn start(command: &mut Command, cluster: &Cluster) -> Program {
        let ports = cluster.nodes.iter().map(|node| node.port().to_string());
        command.arg(QUEUE).args(ports).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let output = BufReader::new(process.stdout.take().expect("its output"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&lines);
        let reader = thread::spawn(move || {
            for line in output.lines() {
                written.lock().expect("the lines").push(line.expect("a line of text"));
            }
        });
        Program { process, lines, reader: Some(reader) }
    }

    /// Its replies of one kind: the number of a message, or number and id.
    fn told(&self, what: &str) -> Vec<String> {
        let lines = self.lines.lock().expect("the lines");
        let told = lines.iter().filter_map(|line| line.strip_prefix(what));
        told.map(|rest| rest.trim_start().to_string()).collect()
    }

    /// Waits until messages pushed after this call are acknowledged.
    fn goes_on(&mut self, after: &str) {
        let number = |text: &String| text.parse::<u64>().expect("a number");
        let last = self.told("pushed").last().map(number);
        eventually(&format!("the program goes on after {after}"), || {
            let status = self.process.try_wait().expect("the program's state");
            assert!(status.is_none(), "after {after} the program ended with {status:?}");
            let acknowledged = self.told("acknowledged");
            acknowledged.iter().filter(|text| Some(number(text)) > last).count() > 20
        });
    }

    /// Lets it process the remaining messages and exit.
    fn end(&mut self) {
        drop(self.process.stdin.take());
        eventually("the program ends", || match self.process.try_wait().expect("its state") {
            Some(status) => {
                assert!(status.success(), "the program ended with {status}");
                true
            }
            None => false,
        });
        self.reader.take().expect("its lines are read once").join().expect("all lines read");
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

#[test]
fn redis_py_goes_on_in_a_cluster() {
    let requirements = "examples/python/requirements.txt";
    goes_on_in_a_cluster(&mut libraries::python("tests/clients/cluster.py", requirements));
}

#[test]
fn ioredis_goes_on_in_a_cluster() {
    goes_on_in_a_cluster(&mut libraries::node("tests/clients/cluster.mjs"));
}

fn goes_on_in_a_cluster(command: &mut Command) {
    let mut cluster = Cluster::start(&[]);
    let mut program = Program::start(command, &cluster);
    program.goes_on("its start");
    let mut goes_on_after = |what, disturb: fn(&mut Cluster)| {
        disturb(&mut cluster);
        program.goes_on(what);
        cluster.wait_until_well();
    };
    goes_on_after("a failover", fail_over);
    goes_on_after("the loss of a master", lose_the_master);
    goes_on_after("connections that were cut", cut_connections);
    goes_on_after("slots that moved key by key", move_key_by_key);
    goes_on_after("a slot that was open for long", leave_the_slot_open);
    goes_on_after("a slot that moved as a whole", move_as_a_whole);
    program.end();
    nothing_is_missing(&program);
    let (owner, _, _) = cluster.around(SLOT);
    assert_eq!(Client::connect(owner.port).lengths(QUEUE), [0, 0, 0]);
}

/// Every message whose push was answered was delivered, and no push that the library repeated created a
/// duplicate.
fn nothing_is_missing(program: &Program) {
    let pushed = BTreeSet::from_iter(program.told("pushed"));
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for pulled in program.told("pulled") {
        let (number, id) = pulled.split_once(' ').expect("a number and an id");
        ids.entry(number.into()).or_default().insert(id.into());
    }
    let delivered: BTreeSet<String> = ids.keys().cloned().collect();
    let lost: Vec<&String> = pushed.difference(&delivered).collect();
    assert!(lost.is_empty(), "pushed, but never delivered: {lost:?}");
    ids.retain(|_, ids| ids.len() > 1);
    assert!(ids.is_empty(), "there more than once: {ids:?}");
    let mut instead: BTreeMap<String, u32> = BTreeMap::new();
    for what in program.told("instead") {
        *instead.entry(what).or_default() += 1;
    }
    println!("{} messages; in place of an answer: {instead:?}", pushed.len());
}

/// The replica of the queue's master takes over.
fn fail_over(cluster: &mut Cluster) {
    let (_, _, replica) = cluster.around(SLOT);
    let mut heir = Client::connect(replica.port);
    eventually("the replica may take over", || heir.reply_to("CLUSTER FAILOVER").is_ok());
    eventually("the replica is the master", || heir.info("replication")["role"] == "master");
}

/// The queue's master is killed. Its replica has everything that was answered, so nothing may be lost;
/// the last commands are never answered.
fn lose_the_master(cluster: &mut Cluster) {
    let (owner, _, replica) = cluster.around(SLOT);
    let mut heir = Client::connect(replica.port);
    let last = offset_at_a_pause(&mut Client::connect(owner.port));
    eventually("the replica has everything", || {
        heir.info("replication")["slave_repl_offset"].parse::<u64>().expect("an offset") >= last
    });
    let owner = cluster.index(owner.port);
    cluster.nodes[owner].kill();
    eventually("the replica is the master", || heir.info("replication")["role"] == "master");
    cluster.nodes[owner].start_again();
}

/// Pauses writes on a master and returns its replication offset.
fn offset_at_a_pause(master: &mut Client) -> u64 {
    master.ask("MULTI");
    // Before 6.2 a pause blocks all commands, including later ones of this client.
    let pause = if facts().pauses_writes_only() { "60000 WRITE" } else { "60000" };
    master.ask(&format!("CLIENT PAUSE {pause}"));
    master.ask("INFO replication");
    let replies = master.ask("EXEC");
    let info = text_of(&items(&replies)[1]);
    let offset = info.lines().find_map(|line| line.strip_prefix("master_repl_offset:"));
    offset.expect("an offset").parse().expect("a number")
}

/// The queue's master repeatedly closes all connections, some of them after executing a command and
/// before replying.
fn cut_connections(cluster: &mut Cluster) {
    let (owner, _, _) = cluster.around(SLOT);
    let mut master = Client::connect(owner.port);
    for _ in 0..CUTS {
        master.ask("CLIENT KILL TYPE normal");
        thread::sleep(Duration::from_millis(5));
    }
}

fn move_key_by_key(cluster: &mut Cluster) {
    let (from, to, _) = cluster.around(SLOT);
    cluster.reshard(&from, &to, SLOTS);
}

/// Simulates the migration of a large slot: its commands get TRYAGAIN throughout.
fn leave_the_slot_open(cluster: &mut Cluster) {
    let (from, to, _) = cluster.around(SLOT);
    let [mut source, mut target] = [from.port, to.port].map(Client::connect);
    target.ask(&format!("CLUSTER SETSLOT {SLOT} IMPORTING {}", from.id));
    source.ask(&format!("CLUSTER SETSLOT {SLOT} MIGRATING {}", to.id));
    thread::sleep(OPEN);
    for mut node in [source, target] {
        node.ask(&format!("CLUSTER SETSLOT {SLOT} STABLE"));
    }
}

fn move_as_a_whole(cluster: &mut Cluster) {
    if facts().atomic_slot_migration().is_some() {
        let (from, to, _) = cluster.around(SLOT);
        cluster.migrate(&from, &to, SLOT);
    }
}
