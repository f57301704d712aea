//! A cluster of three masters and three replicas under load: nodes fail and hand over their slots, and
//! the slots of queues that are in use move from node to node, key by key and as a whole.

use super::{
    drained, duration,
    load::{Confirm, Load, Plan},
};
use crate::harness::*;
use std::time::{Duration, Instant};

const PACE: Duration = Duration::from_millis(900);

/// How long all is well between two failovers of a master, so that no node is elected twice within
/// four times cluster-node-timeout. Redis would count the votes of its first election again (issue
/// 8752 of redis/redis): it would be the master without a new epoch, and yield to the one that was
/// killed when that is back with older data.
const PACE_OF_ELECTIONS: Duration = Duration::from_millis(4100);

/// Two queues, and their slots: both are among the first of the first node.
const QUEUES: [(&str, u16); 2] = [("orders-1055", 5), ("mails-1318", 15)];

/// As many of the first slots hold both queues.
const SLOTS: u16 = 40;

struct Chaos {
    cluster: Cluster,
    loads: Vec<Load>,
    random: fastrand::Rng,
}

impl Chaos {
    fn start() -> Chaos {
        let cluster = Cluster::start(&[("min-replicas-to-write", "1")]);
        let ports: Vec<u16> = cluster.nodes.iter().map(Server::port).collect();
        let plan = |queue| Plan {
            queue,
            producers: 2,
            consumers: 3,
            patience: Duration::from_millis(1500),
            ..Plan::new(Confirm::Replicas(1))
        };
        let start = |(queue, slot): (&'static str, u16)| {
            let (owner, _, _) = cluster.around(slot);
            let server = &cluster.nodes[cluster.index(owner.port)];
            assert_eq!(server.client().number(&format!("CLUSTER KEYSLOT {queue}")), slot.into());
            let load = Load::start(server, plan(queue));
            load.address().others_are_at(&ports);
            load
        };
        let loads: Vec<Load> = QUEUES.map(start).into_iter().collect();
        let random = fastrand::Rng::with_seed(loads[0].plan().seed);
        Chaos { cluster, loads, random }
    }

    /// Works, disturbs, works, until the time is over; then all must fit together.
    fn go_on(
        mut self,
        pace: Duration,
        mut fault: impl FnMut(&mut Cluster, &[Load], &mut fastrand::Rng),
    ) {
        let started = Instant::now();
        while started.elapsed() < duration() {
            self.loads[0].work(&mut self.random, pace);
            let [first, second] = &self.loads[..] else { panic!("two loads") };
            first.disturb(|| {
                second.disturb(|| fault(&mut self.cluster, &self.loads, &mut self.random));
            });
            self.cluster.wait_until_well();
        }
        for load in self.loads {
            drained(load);
        }
    }
}

#[test]
fn a_replica_of_a_cluster_takes_over() {
    Chaos::start().go_on(PACE_OF_ELECTIONS, |cluster, loads, random| {
        let (_, slot) = QUEUES[random.usize(0..2)];
        let (owner, _, replica) = cluster.around(slot);
        let owner = cluster.index(owner.port);
        let mut heir = Client::connect(replica.port);
        if random.bool() {
            eventually("the replica may take over", || heir.reply_to("CLUSTER FAILOVER").is_ok());
        } else {
            cluster.nodes[owner].kill();
        }
        eventually("the replica is the master", || heir.info("replication")["role"] == "master");
        if !cluster.nodes[owner].is_running() {
            cluster.nodes[owner].start_again();
            for load in loads {
                load.address().others_are_at(&[cluster.nodes[owner].port()]);
            }
        }
    });
}

#[test]
fn slots_move_key_by_key() {
    Chaos::start().go_on(PACE, |cluster, _, random| {
        let (_, slot) = QUEUES[random.usize(0..2)];
        let (from, to, _) = cluster.around(slot);
        cluster.reshard(&from, &to, SLOTS);
    });
}

#[test]
fn slots_move_as_a_whole() {
    if facts().atomic_slot_migration().is_none() {
        // Such a server refuses it: see `cluster_moves`.
        return;
    }
    Chaos::start().go_on(PACE, |cluster, _, random| {
        let (_, slot) = QUEUES[random.usize(0..2)];
        let (from, to, _) = cluster.around(slot);
        cluster.migrate(&from, &to, slot);
    });
}
