//! A server that is full, or takes no writes for a while.

use super::{HOUR, HOUR_S, hourly, hours, wait_for_ticks, with_clock};
use crate::harness::*;

#[test]
fn above_maxmemory_no_schedule_is_set_or_triggered_and_ticks_are_skipped() {
    let (server, clock, start) = with_clock(&[]);
    let replica = server.start_replica();
    let mut client = server.client();
    hourly(&mut client, "each", start, "CATCHUP ALL");
    hourly(&mut client, "one", start, "");
    client.ask("CONFIG SET maxmemory 1");
    for line in ["MQ.SCHEDULE orders new x EVERY 500", "MQ.TRIGGER orders each", "MQ.PUSH orders x"]
    {
        let error = client.refused(line);
        assert!(error.starts_with("OOM "), "{line}: {error}");
    }
    assert_eq!(client.numbers("MQ.NEXT orders each COUNT 1"), hours(start, &[1]));
    clock.set(2 * HOUR_S + 60);
    wait_for_ticks(&mut client, &clock);
    assert_eq!(client.number("MQ.LEN orders"), 0);
    for (name, skipped, missed) in [("each", 2, 0), ("one", 1, 1)] {
        assert_eq!(client.schedule_number("orders", name, "runs"), 0, "{name}");
        assert_eq!(client.schedule_number("orders", name, "skipped"), skipped, "{name}");
        assert_eq!(client.schedule_number("orders", name, "missed"), missed, "{name}");
    }
    assert_eq!(client.queue_info("orders", "ticks_skipped"), 3);
    same_data(&mut client, &mut replica.client(), "the skipped ticks");
    assert_eq!(client.number("MQ.UNSCHEDULE orders one"), 1);
    client.ask("CONFIG SET maxmemory 0");
    clock.set(3 * HOUR_S + 60);
    client.wait_for_ready("orders", 1);
    assert_eq!(client.ticks("orders"), hours(start, &[3]));
}

#[test]
fn where_the_server_may_free_memory_ticks_go_on() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    hourly(&mut client, "each", start, "");
    client.ask("CONFIG SET maxmemory-policy volatile-random");
    client.ask("CONFIG SET maxmemory 1");
    clock.set(HOUR_S + 60);
    client.wait_for_ready("orders", 1);
    assert_eq!(client.ticks("orders"), hours(start, &[1]));
}

#[test]
fn ticks_wait_while_the_server_takes_no_writes_of_clients() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    for catch_up in ["ALL", "ONE"] {
        hourly(&mut client, catch_up, start, &format!("CATCHUP {catch_up}"));
    }
    client.ask("CONFIG SET min-replicas-to-write 1");
    clock.set(2 * HOUR_S + 60);
    sleep_until_ms(now_ms() + 300);
    assert_eq!(client.number("MQ.LEN orders"), 0);
    assert_eq!(client.queue_info("orders", "next_tick_at"), start + HOUR, "it shows what is due");
    let error = client.refused("MQ.PULL orders");
    assert!(error.starts_with("NOREPLICAS "), "{error}");
    client.ask("CONFIG SET min-replicas-to-write 0");
    client.wait_for_ready("orders", 3);
    wait_for_ticks(&mut client, &clock);
    let mut runs = client.runs("orders");
    runs.sort();
    let run = |schedule: &str, hour, missed| Run {
        schedule: schedule.into(),
        tick: Some(start + hour * HOUR),
        missed,
    };
    assert_eq!(runs, [run("ALL", 1, None), run("ALL", 2, None), run("ONE", 2, Some(1))]);
}

#[test]
fn ticks_wait_while_writes_are_paused() {
    let server = Server::start();
    let mut client = server.client();
    let start = now_ms() + 700;
    client.ask(&format!("MQ.SCHEDULE orders each x EVERY {HOUR} START {start}"));
    let mode = if facts().pauses_writes_only() { "WRITE" } else { "" };
    client.ask(&format!("CLIENT PAUSE 1500 {mode}"));
    // By the server's clock, which is read later.
    let end = now_ms() + 1_400;
    assert!(now_ms() < start, "this machine is too slow for the test");
    client.wait_for_ready("orders", 1);
    assert_eq!(client.ticks("orders"), [start]);
    let pushed: i64 = client.peek("orders")[0]["timestamp"].parse().expect("a time");
    assert!(pushed >= end, "pushed {} ms before the end of the pause", end - pushed);
}
