//! One server under load that is killed and started again, as its settings keep its data.

use super::{
    checks::{assert_none, violations},
    duration,
    load::{Confirm, Load, Plan},
    now_us,
};
use crate::harness::*;
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

/// How long a load works between two faults, at most.
const PACE: Duration = Duration::from_millis(600);

/// Lets the load take all that is left, and looks at what its clients were told.
pub fn drained(load: Load) {
    let max_retries = load.plan().max_retries;
    let journal = load.drain();
    assert_none(&violations(&journal, max_retries), &journal);
}

/// Ends the server as a crash does, and starts it again.
pub fn crash(load: &Load, server: &mut Server) {
    load.disturb(|| {
        server.kill();
        server.start_again();
        load.address().is_at(server.port());
    });
}

#[test]
fn a_server_that_writes_each_command_to_disk_crashes() {
    let mut server = Server::start_with_append_only_file();
    let plan = Plan::new(Confirm::Reply);
    let mut random = fastrand::Rng::with_seed(plan.seed);
    let load = Load::start(&server, plan);
    let started = Instant::now();
    while started.elapsed() < duration() {
        load.work(&mut random, PACE);
        match random.u8(0..3) {
            0 => drop(server.client().ask("BGREWRITEAOF")),
            1 => drop(server.client().reply_to("BGSAVE")),
            _ => {}
        }
        load.work(&mut random, PACE / 10);
        crash(&load, &mut server);
    }
    drained(load);
}

#[test]
fn a_server_with_snapshots_alone_crashes_after_a_save() {
    let mut server = Server::start();
    let plan = Plan::new(Confirm::Reply);
    let mut random = fastrand::Rng::with_seed(plan.seed);
    let load = Load::start(&server, plan);
    let started = Instant::now();
    while started.elapsed() < duration() {
        load.work(&mut random, PACE);
        let saved_us = load.while_quiet(|| {
            server.client().ask("SAVE");
            now_us()
        });
        load.work(&mut random, PACE / 3);
        crash(&load, &mut server);
        load.undo_since(saved_us);
    }
    drained(load);
}

#[test]
fn the_end_of_the_append_only_file_is_cut_off() {
    let mut server = Server::start_with_append_only_file();
    let plan = Plan::new(Confirm::Reply);
    let mut random = fastrand::Rng::with_seed(plan.seed);
    let load = Load::start(&server, plan);
    let started = Instant::now();
    while started.elapsed() < duration() {
        load.work(&mut random, PACE);
        let (kept, kept_us) = load.while_quiet(|| (length(&server.append_only_file()), now_us()));
        load.work(&mut random, PACE / 3);
        load.disturb(|| {
            server.kill();
            let file = server.append_only_file();
            let cut = random.u64(kept..=length(&file));
            let file = fs::OpenOptions::new().write(true).open(file).expect("the file");
            file.set_len(cut).expect("the file cut");
            server.start_again();
            load.address().is_at(server.port());
        });
        load.undo_since(kept_us);
    }
    drained(load);
}

#[test]
fn files_are_rewritten_while_a_load_goes_on() {
    let server = Server::start_with_append_only_file();
    let plan = Plan::new(Confirm::Reply);
    let mut random = fastrand::Rng::with_seed(plan.seed);
    let load = Load::start(&server, plan);
    let started = Instant::now();
    while started.elapsed() < duration() {
        load.work(&mut random, PACE / 3);
        server.client().ask("BGREWRITEAOF");
        server.wait_for_rewrite();
        server.client().ask("BGSAVE");
        eventually("the snapshot is there", || {
            server.client().info("persistence")["rdb_bgsave_in_progress"] == "0"
        });
    }
    drained(load);
}

fn length(file: &PathBuf) -> u64 {
    fs::metadata(file).expect("the append-only file").len()
}
