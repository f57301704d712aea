//! One server and all faults that it can have, at random, one after the other.

use super::{
    break_under,
    crashes::crash,
    load::{Confirm, Load, Plan},
};
use crate::harness::*;
use std::{thread, time::Duration};

const PACE: Duration = Duration::from_millis(300);

#[test]
fn everything_happens_to_one_server() {
    let mut server = Server::start_with_append_only_file();
    let load = Load::start(&server, Plan { vanishing: true, ..Plan::new(Confirm::Reply) });
    break_under(load, |load, random| {
        load.work(random, PACE);
        let mut client = server.client();
        match random.u8(0..8) {
            0 => crash(load, &mut server),
            1 => {
                let mode = if facts().pauses_writes_only() { "WRITE" } else { "" };
                client.ask(&format!("CLIENT PAUSE 150 {mode}"));
            }
            2 => {
                client.ask("CONFIG SET maxmemory 1");
                thread::sleep(PACE / 3);
                client.ask("CONFIG SET maxmemory 0");
            }
            3 => load.disturb(|| drop(client.ask("CLIENT KILL TYPE normal SKIPME yes"))),
            4 => load.disturb(|| drop(client.ask("DEBUG RELOAD"))),
            5 => {
                client.ask(&format!("MQ.PAUSE {} FOR 100", load.plan().queue));
            }
            6 => {
                client.ask("BGREWRITEAOF");
                server.wait_for_rewrite();
            }
            // It answers an error while another child writes a file.
            _ => drop(client.reply_to("BGSAVE")),
        }
    });
}
