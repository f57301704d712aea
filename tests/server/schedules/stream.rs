//! The replication stream: one op for each command that changed something and for each slice of ticks; and what the
//! replicas have by it.

use super::{HOUR, HOUR_S, at_once, cron, hourly, wait_for_ticks, with_clock};
use crate::harness::*;

const ORDERS: &str = "MQ.APPLY orders";

/// The names of what was replicated, without the transactions that the server makes of what belongs together.
fn names(commands: &[Command]) -> Vec<String> {
    let names = commands.iter().map(short);
    names.filter(|name| name != "MULTI" && name != "EXEC").collect()
}

#[test]
fn every_command_that_changes_something_is_replicated_as_one_op() {
    let server = Server::start();
    let mut client = server.client();
    let mut stream = server.replication_stream();
    for line in [
        "MQ.SCHEDULE orders each x EVERY 3600000",
        "MQ.SCHEDULE orders each y EVERY 3600000",
        "MQ.SCHEDULE orders each y CRON @daily TZ Europe/Berlin JITTER 1000",
        "MQ.SCHEDULE orders each y CRON @daily PAUSED 1",
        "MQ.SCHEDULE orders each y CRON @daily PAUSED 0 OVERLAP SKIP",
        "MQ.TRIGGER orders each",
        "MQ.UNSCHEDULE orders each",
    ] {
        client.ask(line);
        assert_eq!(stream.take_names(), [ORDERS], "{line}");
    }
}

#[test]
fn commands_that_change_nothing_replicate_nothing() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.SCHEDULE orders each x EVERY 3600000 OVERLAP SKIP");
    client.ask("MQ.TRIGGER orders each");
    client.ask("MQ.CONFIG full MAXLEN 1");
    client.push("full", "x");
    client.ask("MQ.SCHEDULE full each x EVERY 3600000");
    let mut stream = server.replication_stream();
    for line in [
        "MQ.SCHEDULE orders each x EVERY 3600000 OVERLAP SKIP",
        "MQ.SCHEDULE orders each x EVERY 3600000 OVERLAP SKIP CATCHUP ONE PAUSED 0",
        "MQ.SCHEDULE orders each x EVERY 99",
        "MQ.SCHEDULE orders new x CRON @often",
        "MQ.SCHEDULE orders each x EVERY 3600000 END 1000000000000",
        "MQ.SCHEDULES orders",
        "MQ.SCHEDULES orders MATCH e* OFFSET 0 COUNT 5",
        "MQ.NEXT orders each",
        "MQ.NEXT orders each COUNT 1000 FROM 5000000000000",
        "MQ.NEXT orders none",
        "MQ.UNSCHEDULE orders none",
        "MQ.UNSCHEDULE none each",
        "MQ.TRIGGER orders none",
        "MQ.TRIGGER orders each",
        "MQ.TRIGGER full each",
        "MQ.INFO orders",
        "MQ.CHECK orders",
        "MQ.PULL none",
    ] {
        let reply = client.reply_to(line);
        assert_eq!(stream.take_names(), [""; 0], "{line} replied {reply:?}");
    }
    sleep_until_ms(now_ms() + 150);
    assert_eq!(stream.take_names(), [""; 0], "nor does the timer");
}

#[test]
fn a_tick_is_one_op() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    hourly(&mut client, "each", start, "");
    hourly(&mut client, "other", start, "CATCHUP ALL");
    let mut stream = server.replication_stream();
    clock.set(HOUR_S + 1);
    client.wait_for_ready("orders", 2);
    assert_eq!(names(&stream.take()), [ORDERS], "both are due at once");
    clock.set(4 * HOUR_S);
    wait_for_ticks(&mut client, &clock);
    assert_eq!(client.number("MQ.LEN orders"), 6);
    assert_eq!(names(&stream.take()), [ORDERS]);
    client.ask("MQ.CONFIG orders MAXLEN 1");
    stream.take();
    clock.set(5 * HOUR_S);
    wait_for_ticks(&mut client, &clock);
    assert_eq!(names(&stream.take()), [ORDERS], "also if there is no room");
}

#[test]
fn a_tick_that_a_pull_meets_is_an_op_before_that_of_the_pull() {
    let (server, clock, start) = with_clock(&[]);
    let payload = "p".repeat(400);
    let timing = format!("EVERY {HOUR} START {}", start + HOUR);
    server.client().ask(&format!("MQ.SCHEDULE orders each {payload} {timing}"));
    let mut stream = server.replication_stream();
    let pulled = at_once(&server, &clock, HOUR_S + 60, &["MQ.PULL orders"]);
    assert_eq!(Message::from(&pulled[0]).text(), payload);
    let commands = stream.take();
    assert_eq!(names(&commands), [ORDERS, ORDERS]);
    let longest = commands.iter().flatten().map(Vec::len).max();
    assert!(longest < Some(payload.len()), "the op of a tick has no payload: {longest:?}");
}

#[test]
fn many_ticks_come_in_slices() {
    let (server, clock, start) = with_clock(&[]);
    let replica = server.start_replica();
    let mut client = server.client();
    for n in 0..200 {
        hourly(&mut client, &format!("name-{n}"), start, "");
    }
    let mut stream = server.replication_stream();
    clock.set(HOUR_S + 1);
    client.wait_for_ready("orders", 200);
    let ops = names(&stream.take());
    assert!((4..=10).contains(&ops.len()), "{}", ops.len());
    same_data(&mut client, &mut replica.client(), "the ticks");
}

#[test]
fn ticks_of_another_database_are_replicated_there() {
    let (server, clock, start) = with_clock(&[]);
    let mut fifth = server.client_of_database(5);
    hourly(&mut fifth, "each", start, "");
    let mut stream = server.replication_stream();
    clock.set(HOUR_S + 1);
    fifth.wait_for_ready("orders", 1);
    assert_eq!(names(&stream.take_all()), ["SELECT 5", ORDERS]);
}

/// Everything that schedules do, ending with none that is due.
fn live(client: &mut Client, clock: &Clock, start: i64) {
    hourly(client, "skip", start, "OVERLAP SKIP TTL 50000000 GROUP g");
    hourly(client, "all", start, "CATCHUP ALL LIMIT 3 PRIORITY 5 HEADERS 1 a b");
    hourly(client, "none", start, "CATCHUP NONE JITTER 60000");
    hourly(client, "paused", start, "PAUSED 1");
    cron(client, "cron", "*/10 * * * *", "TZ UTC");
    client.ask("MQ.TRIGGER orders skip");
    for hour in [2, 5, 3, 9] {
        clock.set(hour * HOUR_S + 120);
        wait_for_ticks(client, clock);
    }
    client.ask("MQ.UNSCHEDULE orders paused");
    client.ask("MQ.PULL orders COUNT 3 VISIBILITY 360000000");
}

#[test]
fn the_stream_replayed_on_an_empty_server_gives_the_same_data() {
    let (server, clock, start) = with_clock(&[]);
    // Its clock is the machine's, and its zone data play no part.
    let other = Server::start_with(&[("hz", "1")]);
    let replica = server.start_replica();
    let mut client = server.client();
    let mut stream = server.replication_stream();
    live(&mut client, &clock, start);
    same_data(&mut client, &mut replica.client(), "the stream");
    let mut copy = other.client();
    copy.ask("MULTI");
    for command in stream.take() {
        if !["MULTI", "EXEC"].contains(&short(&command).as_str()) {
            copy.reply(&command).expect("an op queued");
        }
    }
    let applied = copy.ask("EXEC");
    assert!(items(&applied).iter().all(|reply| *reply == Value::Okay), "{applied:?}");
    assert_eq!(copy.text("DEBUG DIGEST"), client.text("DEBUG DIGEST"));
}

#[test]
fn a_replica_shows_schedules_and_their_next_ticks_and_takes_none() {
    let (server, clock, start) = with_clock(&[]);
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    hourly(&mut client, "each", start, "CATCHUP ALL JITTER 1000");
    hourly(&mut client, "paused", start, "PAUSED 1");
    client.ask("MQ.SCHEDULE orders cron x CRON @daily TZ Asia/Kolkata");
    clock.set(2 * HOUR_S + 60);
    client.wait_for_ready("orders", 2);
    same_data(&mut client, &mut copy, "the ticks");
    for line in ["MQ.SCHEDULES orders", "MQ.NEXT orders each", "MQ.NEXT orders cron COUNT 50"] {
        assert_eq!(copy.ask(line), client.ask(line), "{line}");
    }
    for field in ["schedules", "next_tick_at"] {
        assert_eq!(copy.queue_info("orders", field), client.queue_info("orders", field), "{field}");
    }
    for line in [
        "MQ.SCHEDULE orders each x EVERY 500",
        "MQ.UNSCHEDULE orders each",
        "MQ.TRIGGER orders each",
    ] {
        let error = copy.refused(line);
        assert!(error.starts_with("READONLY "), "{line}: {error}");
    }
}

#[test]
fn a_replica_takes_no_tick_by_its_own_clock() {
    let server = Server::start();
    let (replica, clock) = Server::start_with_clock(&[]);
    replica.follow(&server);
    let (mut client, mut copy) = (server.client(), replica.client());
    hourly(&mut client, "each", now_ms(), "CATCHUP ALL");
    same_data(&mut client, &mut copy, "the schedule");
    clock.set(10 * HOUR_S);
    sleep_until_ms(now_ms() + 300);
    assert_eq!(copy.number("MQ.LEN orders"), 0);
    assert_eq!(copy.text("DEBUG DIGEST"), client.text("DEBUG DIGEST"));
}
