//! One server under load that is killed and started again, as its settings keep its data.

use super::{
    break_under,
    load::{Confirm, Load, Plan},
    now_us,
};
use crate::harness::*;
use std::{fs, path::Path, time::Duration};

/// How long a load works between two faults, at most.
const PACE: Duration = Duration::from_millis(600);

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
    let load = Load::start(&server, Plan::new(Confirm::Reply));
    break_under(load, |load, random| {
        load.work(random, PACE);
        match random.u8(0..3) {
            0 => drop(server.client().ask("BGREWRITEAOF")),
            1 => drop(server.client().reply_to("BGSAVE")),
            _ => {}
        }
        load.work(random, PACE / 10);
        crash(load, &mut server);
    });
}

#[test]
fn a_server_with_snapshots_alone_crashes_after_a_save() {
    let mut server = Server::start();
    let load = Load::start(&server, Plan::new(Confirm::Reply));
    break_under(load, |load, random| {
        load.work(random, PACE);
        let saved_us = load.while_quiet(|| {
            server.client().ask("SAVE");
            now_us()
        });
        load.work(random, PACE / 3);
        crash(load, &mut server);
        load.undo_since(saved_us);
    });
}

#[test]
fn the_end_of_the_append_only_file_is_cut_off() {
    let mut server = Server::start_with_append_only_file();
    let load = Load::start(&server, Plan::new(Confirm::Reply));
    break_under(load, |load, random| {
        load.work(random, PACE);
        let (kept, kept_us) = load.while_quiet(|| (length(&server.append_only_file()), now_us()));
        load.work(random, PACE / 3);
        load.disturb(|| {
            server.kill();
            let file = server.append_only_file();
            let cut = random.u64(kept..=length(&file));
            let file = fs::OpenOptions::new().write(true).open(file).expect("the file");
            file.set_len(cut).expect("the file cut");
            if facts().wraps_module_replication() {
                server.repair_append_only_file();
            }
            server.start_again();
            load.address().is_at(server.port());
        });
        load.undo_since(kept_us);
    });
}

#[test]
fn files_are_rewritten_while_a_load_goes_on() {
    let server = Server::start_with_append_only_file();
    let load = Load::start(&server, Plan::new(Confirm::Reply));
    break_under(load, |load, random| {
        load.work(random, PACE / 3);
        server.client().ask("BGREWRITEAOF");
        server.wait_for_rewrite();
        server.client().ask("BGSAVE");
        eventually("the snapshot is there", || {
            server.client().info("persistence")["rdb_bgsave_in_progress"] == "0"
        });
    });
}

fn length(file: &Path) -> u64 {
    fs::metadata(file).expect("the append-only file").len()
}
