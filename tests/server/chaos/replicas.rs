//! A master with two replicas under load: one of them takes over, by hand or by the server's FAILOVER,
//! and those that come back link again while the load goes on. What both replicas have is kept.

use super::{
    break_under, drained, duration,
    load::{Confirm, Load, Plan},
    proxy::Proxy,
};
use crate::harness::*;
use std::time::Duration;

/// How long a load works between two faults, at most.
const PACE: Duration = Duration::from_millis(900);

/// Of a master that takes writes only while a replica follows.
pub const SETTINGS: [(&str, &str); 2] =
    [("min-replicas-to-write", "1"), ("repl-diskless-sync-delay", "0")];

/// A plan for a master with two replicas.
fn plan() -> Plan {
    Plan { patience: Duration::from_millis(1500), ..Plan::new(Confirm::Replicas(2)) }
}

fn three_servers() -> [Server; 3] {
    let master = Server::start_with(&SETTINGS);
    let follow = || {
        let replica = Server::start_with(&SETTINGS);
        replica.follow(&master);
        replica
    };
    let [one, other] = [follow(), follow()];
    [master, one, other]
}

/// The first of them is killed, and the second takes its place; the first comes back, empty, and
/// follows it.
fn promote_by_hand(load: &Load, servers: &mut [Server; 3], diskless: &str) {
    let [master, heir, other] = servers;
    for server in [&*heir, &*other] {
        server.client().ask(&format!("CONFIG SET repl-diskless-sync {diskless}"));
    }
    master.kill();
    heir.client().ask("REPLICAOF NO ONE");
    load.address().is_at(heir.port());
    other.follow(heir);
    master.start_again();
    master.follow(heir);
    servers.swap(0, 1);
}

/// The first hands its role over to the second, which must have all that it has.
fn fail_over(load: &Load, servers: &mut [Server; 3]) {
    let [master, heir, _] = &*servers;
    master.client().ask(&format!("FAILOVER TO 127.0.0.1 {} TIMEOUT 10000", heir.port()));
    eventually("the failover is over", || {
        let mut client = master.client();
        client.info("replication")["master_failover_state"] == "no-failover"
    });
    let is_master = heir.client().info("replication")["role"] == "master";
    if is_master {
        load.address().is_at(heir.port());
        servers.swap(0, 1);
    }
    let [master, one, other] = &*servers;
    one.wait_until_in_sync();
    // It follows the old master, which is no help to WAIT.
    other.follow(master);
}

#[test]
fn a_replica_takes_over() {
    let mut servers = three_servers();
    let load = Load::start(&servers[0], plan());
    break_under(load, |load, random| {
        load.work(random, PACE);
        load.while_quiet(|| {
            let [master, replicas @ ..] = &servers;
            for replica in replicas {
                same_data(&mut master.client(), &mut replica.client(), "a moment of quiet");
            }
        });
        load.work(random, PACE / 5);
        load.disturb(|| match random.u8(0..3) {
            0 => promote_by_hand(load, &mut servers, "yes"),
            1 => promote_by_hand(load, &mut servers, "no"),
            _ if facts().fails_over_on_command() => fail_over(load, &mut servers),
            _ => promote_by_hand(load, &mut servers, "yes"),
        });
    });
}

#[test]
fn a_master_is_cut_off_and_comes_back() {
    let master = Server::start_with(&SETTINGS);
    let link = Proxy::to(master.port());
    let replicas = [0, 1].map(|_| Server::start_with(&SETTINGS));
    for replica in &replicas {
        replica.client().ask(&format!("REPLICAOF 127.0.0.1 {}", link.port()));
        replica.wait_until_in_sync();
    }
    let [heir, other] = replicas;
    let load = Load::start(&master, plan());
    let mut random = fastrand::Rng::with_seed(load.plan().seed);
    load.work(&mut random, duration() / 2);
    load.disturb(|| {
        link.cut();
        // Some of the load goes on at the old master, which doesn't know yet.
        load.work(&mut random, PACE);
        heir.client().ask("REPLICAOF NO ONE");
        other.follow(&heir);
        load.address().is_at(heir.port());
        load.work(&mut random, PACE);
        // What is left there is lost, as its clients were told: nobody has it but the old master.
        master.follow(&heir);
    });
    load.work(&mut random, duration() / 2);
    drained(load);
}
