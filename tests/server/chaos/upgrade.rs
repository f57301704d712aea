//! Servers with 0.1.0 under load that are replaced, or started again, with this version: nothing is lost
//! or delivered otherwise than promised, and receipts of before stay good.

use super::{
    drained, duration,
    load::{Confirm, Load, Plan},
    replicas,
};
use crate::harness::*;
use std::{
    env,
    path::PathBuf,
    time::{Duration, Instant},
};

/// How long a load works between two looks, at most.
const PACE: Duration = Duration::from_millis(900);

fn old_module() -> PathBuf {
    let path = env::var_os("MQ_OLD_MODULE").expect("MQ_OLD_MODULE, a build of 0.1.0");
    PathBuf::from(path)
}

fn plan(confirm: Confirm) -> Plan {
    Plan { late_extensions: false, schedules: false, ..Plan::new(confirm) }
}

/// Waits until two servers have the same data, but for the retry index, which has another form here.
fn same_messages(one: &Server, other: &Server) {
    let digests = |server: &Server| {
        let mut client = server.client();
        let mut keys = strings(&client.ask("KEYS *"));
        keys.retain(|key| !key.ends_with(":retried") && !key.ends_with(":retries"));
        keys.sort();
        let digests = client.ask(&format!("DEBUG DIGEST-VALUE {}", keys.join(" ")));
        (keys, strings(&digests))
    };
    eventually("the same messages on both", || digests(one) == digests(other));
}

/// Lets the load work for a quarter of the time, and calls `look` now and then.
fn work_on(load: &Load, random: &mut fastrand::Rng, mut look: impl FnMut()) {
    let started = Instant::now();
    while started.elapsed() < duration() / 4 {
        load.work(random, PACE);
        look();
    }
}

/// Whether a server has the old version: it does not tell.
fn is_old(server: &Server) -> bool {
    !server.client().info("mq").contains_key("mq_version")
}

#[test]
#[ignore = "needs a build of 0.1.0: make upgrade-check"]
fn a_replica_follows_the_old_version_and_takes_over() {
    let mut old = Server::start_with_build(old_module(), &replicas::SETTINGS);
    let heir = Server::start_with(&replicas::SETTINGS);
    heir.follow(&old);
    assert!(is_old(&old) && !is_old(&heir));
    let plan = Plan { patience: Duration::from_millis(1500), ..plan(Confirm::Replicas(1)) };
    let load = Load::start(&old, plan);
    let mut random = fastrand::Rng::with_seed(load.plan().seed);
    work_on(&load, &mut random, || {
        load.while_quiet(|| same_messages(&old, &heir));
    });
    assert_eq!(heir.client().info("mq")["mq_apply_errors"], "0");
    load.disturb(|| {
        old.kill();
        heir.client().ask("REPLICAOF NO ONE");
        load.address().is_at(heir.port());
        old.start_again_with_module();
        old.follow(&heir);
    });
    assert!(!is_old(&old));
    work_on(&load, &mut random, || {
        load.while_quiet(|| same_data(&mut heir.client(), &mut old.client(), "the takeover"));
    });
    drained(load);
}

/// A server with the old version under load is ended by `end` and goes on with this version, twice.
fn restart(settings: &[(&str, &str)], end: impl Fn(&mut Server)) {
    let mut server = Server::start_with_build(old_module(), settings);
    let load = Load::start(&server, plan(Confirm::Reply));
    assert!(is_old(&server));
    let mut random = fastrand::Rng::with_seed(load.plan().seed);
    work_on(&load, &mut random, || {});
    // What comes before this is loaded from the rewritten file, what comes after it as ops.
    server.client().ask("BGREWRITEAOF");
    server.wait_for_rewrite();
    work_on(&load, &mut random, || {});
    for _ in 0..2 {
        load.disturb(|| {
            end(&mut server);
            server.start_again_with_module();
            load.address().is_at(server.port());
        });
        assert!(!is_old(&server));
        work_on(&load, &mut random, || {});
    }
    drained(load);
}

#[test]
#[ignore = "needs a build of 0.1.0: make upgrade-check"]
fn an_append_only_file_of_the_old_version_goes_on() {
    for preamble in ["yes", "no"] {
        let settings =
            [("appendonly", "yes"), ("appendfsync", "always"), ("aof-use-rdb-preamble", preamble)];
        restart(&settings, Server::kill);
    }
}

#[test]
#[ignore = "needs a build of 0.1.0: make upgrade-check"]
fn a_snapshot_of_the_old_version_goes_on() {
    restart(&[], |server| server.shut_down("SAVE"));
}
