//! A cluster of three masters with a replica each, made as an operator makes one: by redis-cli.

use super::{
    Client, Server,
    facts::{facts, tool},
    message::{entries, items, text_of},
    wait::eventually,
};
use std::{collections::BTreeMap, process::Command};

pub struct Cluster {
    pub nodes: Vec<Server>,
}

/// What a node says of one in CLUSTER NODES.
#[derive(Debug)]
pub struct Node {
    pub id: String,
    pub port: u16,
    pub is_master: bool,
    /// The id of its master.
    pub follows: Option<String>,
    /// The first and the last slot of each range.
    slots: Vec<(u16, u16)>,
    is_well: bool,
}

impl Node {
    /// A line such as `id 127.0.0.1:7000@17000 myself,master - 0 0 1 connected 0-5460 [93->-id]`.
    fn parse(line: &str) -> Node {
        let words: Vec<&str> = line.split(' ').collect();
        let address = words[1].split('@').next().expect("an address");
        let flags: Vec<&str> = words[2].split(',').collect();
        let ranges = words[8..].iter().filter(|word| !word.starts_with('['));
        let range = |word: &&str| {
            let (first, last) = word.split_once('-').unwrap_or((word, word));
            (first.parse().expect("a slot"), last.parse().expect("a slot"))
        };
        Node {
            id: words[0].into(),
            port: address.rsplit(':').next().expect("a port").parse().expect("a port"),
            is_master: flags.contains(&"master"),
            follows: (words[3] != "-").then(|| words[3].into()),
            slots: ranges.map(range).collect(),
            is_well: !flags
                .iter()
                .any(|flag| ["fail", "fail?", "handshake", "noaddr"].contains(flag))
                && words[7] == "connected",
        }
    }

    pub fn has(&self, slot: u16) -> bool {
        self.slots.iter().any(|(first, last)| (*first..=*last).contains(&slot))
    }
}

impl Cluster {
    /// Starts its nodes, each with these settings beside the harness's own.
    pub fn start(settings: &[(&str, &str)]) -> Cluster {
        let mut all = vec![("cluster-enabled", "yes"), ("cluster-node-timeout", "2000")];
        all.extend(settings);
        let nodes: Vec<Server> = (0..6).map(|_| Server::start_with(&all)).collect();
        let cluster = Cluster { nodes };
        let mut create = vec!["create".to_string()];
        create.extend(cluster.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())));
        create.extend(["--cluster-replicas".into(), "1".into()]);
        cluster.redis_cli(&create);
        cluster.wait_until_well();
        cluster
    }

    /// Waits until all nodes agree that all are well, and whose the slots are.
    pub fn wait_until_well(&self) {
        eventually("all nodes are well", || {
            let seen: Option<Vec<_>> =
                self.nodes.iter().map(|node| self.seen_when_well(node)).collect();
            seen.is_some_and(|seen| seen.iter().all(|owners| *owners == seen[0]))
        });
    }

    /// Whose the slots are, as a node sees it that is well and sees nothing but nodes that are.
    fn seen_when_well(&self, node: &Server) -> Option<BTreeMap<String, Vec<(u16, u16)>>> {
        let mut client = node.client();
        // While it loads, a node may answer nothing else.
        let mut text = |line| client.reply_to(line).ok().map(|reply| text_of(&reply));
        let (nodes, state) = (text("CLUSTER NODES")?, text("CLUSTER INFO")?);
        let nodes: Vec<Node> = nodes.lines().map(Node::parse).collect();
        let info = client.info("replication");
        let is_linked = info["role"] == "master" && info["connected_slaves"] == "1"
            || info.get("master_link_status").is_some_and(|link| link == "up");
        let owners = masters(&nodes);
        let is_well = state.contains("cluster_state:ok")
            && nodes.len() == self.nodes.len()
            && nodes.iter().all(|node| node.is_well)
            && owners.len() == 3
            && is_linked;
        is_well.then_some(owners)
    }

    /// What the first node knows.
    pub fn seen(&self) -> Vec<Node> {
        self.nodes[0].client().text("CLUSTER NODES").lines().map(Node::parse).collect()
    }

    /// The index of the server with this port.
    pub fn index(&self, port: u16) -> usize {
        self.nodes.iter().position(|node| node.port() == port).expect("a node")
    }

    /// The master of a slot, one of the other masters, and the replica of the first.
    pub fn around(&self, slot: u16) -> (Node, Node, Node) {
        let (mut masters, mut replicas): (Vec<Node>, Vec<Node>) =
            self.seen().into_iter().partition(|node| node.is_master);
        let owner = masters.iter().position(|node| node.has(slot)).expect("a master of the slot");
        let owner = masters.swap_remove(owner);
        let replica = replicas.iter().position(|node| node.follows.as_ref() == Some(&owner.id));
        let replica = replicas.swap_remove(replica.expect("its replica"));
        (owner, masters.swap_remove(0), replica)
    }

    /// Moves the first slots of a master key by key to another one, as `redis-cli --cluster reshard`
    /// does.
    pub fn reshard(&self, from: &Node, to: &Node, count: u16) {
        let entry = format!("127.0.0.1:{}", from.port);
        let count = count.to_string();
        let move_slots = ["reshard", &entry, "--cluster-from", &from.id, "--cluster-to", &to.id];
        let more = ["--cluster-slots", &count, "--cluster-timeout", "20000"];
        self.redis_cli(&[&move_slots[..], &more[..]].concat());
    }

    /// Moves a slot as a whole, if the server can; waits until that is over.
    pub fn migrate(&self, from: &Node, to: &Node, slot: u16) {
        let [mut source, mut target] = [from.port, to.port].map(Client::connect);
        match facts().atomic_slot_migration() {
            None => panic!("this server moves no slot as a whole"),
            Some(super::Brand::Valkey) => {
                let range = format!("SLOTSRANGE {slot} {slot}");
                source.ask(&format!("CLUSTER MIGRATESLOTS {range} NODE {}", to.id));
                eventually("the slot was moved", || {
                    let all = source.ask("CLUSTER GETSLOTMIGRATIONS");
                    is_over(items(&all).first().expect("a migration"), "success")
                });
            }
            Some(super::Brand::Redis) => {
                let task = text_of(&target.ask(&format!("CLUSTER MIGRATION IMPORT {slot} {slot}")));
                eventually("the slot was moved", || {
                    let tasks = target.ask(&format!("CLUSTER MIGRATION STATUS ID {task}"));
                    is_over(items(&tasks).first().expect("a task"), "completed")
                });
            }
        }
    }

    /// `redis-cli --cluster` with these arguments, which must succeed.
    fn redis_cli<A: AsRef<std::ffi::OsStr> + std::fmt::Debug>(&self, arguments: &[A]) {
        let mut command = Command::new(tool("redis-cli"));
        // What slows the clocks under valgrind is preloaded, and redis-cli hangs in it as a server with
        // jemalloc does.
        command.env_remove("LD_PRELOAD");
        command.arg("--cluster").args(arguments).arg("--cluster-yes");
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{command:?}: {}\n{text}", output.status);
    }
}

/// Whose the slots are.
fn masters(nodes: &[Node]) -> BTreeMap<String, Vec<(u16, u16)>> {
    let masters = nodes.iter().filter(|node| node.is_master);
    masters.map(|node| (node.id.clone(), node.slots.clone())).collect()
}

/// Whether a migration ended; it must end well.
fn is_over(migration: &super::Value, well: &str) -> bool {
    let facts = entries(migration);
    let state = facts.iter().find(|(name, _)| name == "state").map(|(_, value)| text_of(value));
    let state = state.expect("its state");
    assert!(!["failed", "cancelled", "canceled"].contains(&state.as_str()), "{facts:?}");
    state == well
}

/// Two nodes that know each other; the first has all slots.
pub fn two_nodes() -> (Server, Server) {
    let first = Server::start_in_cluster_mode();
    let second =
        Server::start_with(&[("cluster-enabled", "yes"), ("cluster-node-timeout", "60000")]);
    first.client().ask(&format!("CLUSTER MEET 127.0.0.1 {}", second.port()));
    for node in [&first, &second] {
        let mut client = node.client();
        eventually("the nodes know each other", || {
            let nodes = client.text("CLUSTER NODES");
            nodes.lines().count() == 2 && !nodes.contains("handshake")
        });
    }
    let mut client = second.client();
    eventually("the second knows whose the slots are", || {
        client.text("CLUSTER INFO").contains("cluster_state:ok")
    });
    (first, second)
}

pub fn node_id(server: &Server) -> String {
    server.client().text("CLUSTER MYID")
}
