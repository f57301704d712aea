//! Roles that change while schedules tick.

use super::{HOUR, HOUR_S, hourly, hours, wait_for_ticks, with_clock};
use crate::harness::*;
use std::collections::BTreeSet;

/// Each tick from the first to the last has one message.
#[track_caller]
fn one_for_each(ticks: &[i64], start: i64, every: i64) {
    let unique: BTreeSet<i64> = ticks.iter().copied().collect();
    assert_eq!(unique.len(), ticks.len(), "twice: {ticks:?}");
    let expected = (0..).map(|n| start + n * every).take(ticks.len());
    assert!(unique.into_iter().eq(expected), "{ticks:?}");
}

#[test]
fn a_failover_on_command_loses_no_tick_and_repeats_none() {
    if !facts().fails_over_on_command() {
        let error = Server::start().client().refused("FAILOVER");
        assert!(error.contains("unknown command"), "{error}");
        return;
    }
    let servers = [Server::start(), Server::start()];
    servers[1].follow(&servers[0]);
    let (start, every) = (now_ms() + 100, 100);
    let timing = format!("EVERY {every} START {start} CATCHUP ALL");
    servers[0].client().ask(&format!("MQ.SCHEDULE orders each x {timing}"));
    for round in 0..3 {
        let (old, new) = (&servers[round % 2], &servers[(round + 1) % 2]);
        let (mut client, mut heir) = (old.client(), new.client());
        client.wait_for_ready("orders", round as i64 * 5 + 3);
        eventually("the master knows its replica", || {
            client.reply_to(&format!("FAILOVER TO 127.0.0.1 {}", new.port())).is_ok()
        });
        eventually("the replica is the master", || heir.info("replication")["role"] == "master");
        old.wait_until_in_sync();
    }
    let mut client = servers[1].client();
    client.wait_for_ready("orders", 20);
    one_for_each(&client.ticks("orders"), start, every);
    client.ask("MQ.UNSCHEDULE orders each");
    same_data(&mut client, &mut servers[0].client(), "three failovers");
}

#[test]
fn a_master_that_was_demoted_takes_no_tick_any_more() {
    let (server, clock, start) = with_clock(&[]);
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    hourly(&mut client, "each", start, "");
    same_data(&mut client, &mut copy, "the schedule");
    copy.ask("REPLICAOF NO ONE");
    server.follow(&replica);
    clock.set(3 * HOUR_S + 60);
    sleep_until_ms(now_ms() + 300);
    assert_eq!(client.number("MQ.LEN orders"), 0);
    assert_eq!(client.schedule_number("orders", "each", "next_tick"), start + HOUR);
    client.ask("REPLICAOF NO ONE");
    client.wait_for_ready("orders", 1);
    assert_eq!(client.ticks("orders"), hours(start, &[3]));
}

#[test]
fn a_promoted_replica_whose_clock_is_behind_repeats_no_tick() {
    let (mut server, clock, start) = with_clock(&[]);
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    hourly(&mut client, "each", start, "CATCHUP ALL");
    clock.set(3 * HOUR_S + 60);
    client.wait_for_ready("orders", 3);
    wait_for_ticks(&mut client, &clock);
    same_data(&mut client, &mut copy, "the ticks");
    server.kill();
    copy.ask("REPLICAOF NO ONE");
    sleep_until_ms(now_ms() + 200);
    assert_eq!(copy.ticks("orders"), hours(start, &[1, 2, 3]));
    assert_eq!(copy.schedule_number("orders", "each", "next_tick"), start + 4 * HOUR);
    // Nor one that is set anew there.
    copy.ask(&format!("MQ.SCHEDULE orders each x EVERY {} START {start}", HOUR / 4));
    let next = copy.schedule_number("orders", "each", "next_tick");
    assert_eq!(next, start + 3 * HOUR + HOUR / 4);
}

#[test]
fn schedules_survive_an_unload_of_the_module() {
    let (server, clock, start) = with_clock(&[]);
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    hourly(&mut client, "each", start, "CATCHUP ALL OVERLAP SKIP");
    same_data(&mut client, &mut copy, "the schedule");
    // No timer holds the module there.
    copy.ask("PING");
    client.ask("SET other x");
    eventually("the replica has it", || copy.number("EXISTS other") == 1);
    eventually("nothing holds the module", || copy.reply_to("MODULE UNLOAD mq").is_ok());
    copy.ask(&format!("MODULE LOAD {}", module_path().display()));
    assert_eq!(copy.schedule_names("orders"), ["each"]);
    clock.set(HOUR_S + 60);
    client.wait_for_ready("orders", 1);
    same_data(&mut client, &mut copy, "the load");
    copy.ask("REPLICAOF NO ONE");
    let first = now_ms() + 100;
    copy.ask(&format!("MQ.SCHEDULE mails soon x EVERY {HOUR} START {first}"));
    copy.wait_for_ready("mails", 1);
}

#[test]
fn a_writable_replica_takes_no_ticks_until_it_is_promoted() {
    let server = Server::start();
    let replica = server.start_replica();
    let mut copy = replica.client();
    copy.ask("CONFIG SET replica-read-only no");
    let start = now_ms() + 100;
    copy.ask(&format!("MQ.SCHEDULE mails own x EVERY {HOUR} START {start}"));
    sleep_until_ms(start + 200);
    copy.pull_nothing("mails");
    assert_eq!(copy.number("MQ.LEN mails"), 0);
    assert_eq!(copy.schedule_number("mails", "own", "next_tick"), start);
    copy.ask("REPLICAOF NO ONE");
    copy.wait_for_ready("mails", 1);
    assert_eq!(copy.ticks("mails"), [start]);
}
