//! A server that is killed again and again while schedules tick: no tick is lost, and none comes twice.

use super::{HOUR, HOUR_S, hourly, hours, with_clock};
use crate::harness::*;
use std::collections::BTreeSet;

const EVERY: i64 = 100;
const CATCH_UPS: [&str; 3] = ["ALL", "ONE", "NONE"];

/// Sets a schedule with each CATCHUP that ticks ten times a second from this time on, unix ms.
fn set_all(client: &mut Client, start: i64) {
    for catch_up in CATCH_UPS {
        let timing = format!("EVERY {EVERY} START {start} CATCHUP {catch_up}");
        assert_eq!(client.number(&format!("MQ.SCHEDULE orders {catch_up} x {timing}")), 1);
    }
}

/// Each tick from the first on has a message, or is counted, exactly once.
#[track_caller]
fn all_add_up(client: &mut Client, start: i64, after: &str) {
    // What is shown and what is counted must be of the same moment.
    for catch_up in CATCH_UPS {
        let timing = format!("EVERY {EVERY} START {start} CATCHUP {catch_up}");
        client.ask(&format!("MQ.SCHEDULE orders {catch_up} x {timing} PAUSED 1"));
    }
    let runs = client.runs("orders");
    let of = |name: &str| -> Vec<(i64, i64)> {
        let of = runs.iter().filter(|run| run.schedule == name);
        of.map(|run| (run.tick.expect("a tick"), run.missed.unwrap_or(0))).collect()
    };
    for catch_up in CATCH_UPS {
        let ticks = of(catch_up);
        let shown = client.schedule("orders", catch_up);
        let count = |field: &str| shown[field].parse::<i64>().expect("a number");
        assert_eq!(count("runs"), ticks.len() as i64, "{after} {catch_up}");
        let unique: BTreeSet<i64> = ticks.iter().map(|(tick, _)| *tick).collect();
        assert_eq!(unique.len(), ticks.len(), "{after} {catch_up}: twice in {ticks:?}");
        assert!(ticks.iter().all(|(tick, _)| (tick - start) % EVERY == 0), "{catch_up}: {ticks:?}");
        assert!(ticks.is_sorted(), "{after} {catch_up}: {ticks:?}");
        if catch_up == "NONE" {
            continue;
        }
        let mut expected = start - EVERY;
        for (tick, missed) in &ticks {
            expected += EVERY * (1 + missed);
            assert_eq!(*tick, expected, "{after} {catch_up}: {ticks:?}");
        }
        assert_eq!(count("missed"), ticks.iter().map(|(_, missed)| missed).sum::<i64>());
        assert!(catch_up == "ONE" || count("missed") == 0);
    }
}

#[test]
fn a_server_that_is_killed_between_ticks_loses_none_and_repeats_none() {
    for preamble in ["yes", "no"] {
        let mut server = Server::start_with_preamble(preamble);
        let start = now_ms() + 100;
        set_all(&mut server.client(), start);
        let mut random = fastrand::Rng::new();
        for round in 0..6 {
            sleep_until_ms(now_ms() + random.i64(20..300));
            if round == 3 {
                server.client().ask("BGREWRITEAOF");
                server.wait_for_rewrite();
            }
            server.kill_and_start_again();
        }
        let mut client = server.client();
        client.wait_for_ready("orders", 3);
        sleep_until_ms(now_ms() + 150);
        all_add_up(&mut client, start, &format!("aof-use-rdb-preamble {preamble}"));
    }
}

#[test]
fn ticks_after_the_last_snapshot_come_again_with_the_same_moment() {
    let (mut server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    hourly(&mut client, "each", start, "CATCHUP ALL");
    clock.set(2 * HOUR_S + 60);
    client.wait_for_ready("orders", 2);
    client.ask("SAVE");
    clock.set(4 * HOUR_S + 60);
    client.wait_for_ready("orders", 4);
    let ids = |client: &mut Client| -> Vec<String> {
        client.peek("orders").into_iter().map(|message| message["id"].clone()).collect()
    };
    let before = ids(&mut client);
    server.kill_and_start_again();
    let mut client = server.client();
    client.wait_for_ready("orders", 4);
    assert_eq!(client.ticks("orders"), hours(start, &[1, 2, 3, 4]));
    let after = ids(&mut client);
    assert_eq!(after[..2], before[..2]);
    assert!(after[2..].iter().all(|id| !before.contains(id)));
    assert_eq!(client.schedule_number("orders", "each", "next_tick"), start + 5 * HOUR);
}

#[test]
fn a_replica_that_takes_over_goes_on_with_what_has_not_reached_it() {
    for round in 0..3 {
        let mut server = Server::start();
        let replica = server.start_replica();
        let mut copy = replica.client();
        let start = now_ms() + 100;
        set_all(&mut server.client(), start);
        eventually("some ticks reached the replica", || {
            copy.reply_to("MQ.LEN orders").is_ok_and(|len| integer(&len) > 3)
        });
        sleep_until_ms(now_ms() + fastrand::i64(0..100));
        server.kill();
        eventually("the link is down", || copy.info("replication")["master_link_status"] == "down");
        let reached = copy.runs("orders");
        sleep_until_ms(now_ms() + 350);
        assert_eq!(copy.runs("orders"), reached, "a replica takes no ticks");
        copy.ask("REPLICAOF NO ONE");
        copy.wait_for_ready("orders", reached.len() as i64 + 3);
        sleep_until_ms(now_ms() + 150);
        let after = copy.runs("orders");
        assert_eq!(after[..reached.len()], reached, "{round}");
        all_add_up(&mut copy, start, &format!("promotion {round}"));
    }
}
