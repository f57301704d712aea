//! Schedules that end: LIMIT, END, MQ.UNSCHEDULE, and what becomes of their queue.

use super::{HOUR, HOUR_S, hourly, hours, wait_for_ticks, with_clock};
use crate::harness::*;

/// The schedule is gone, with all keys that it had.
#[track_caller]
fn is_gone(client: &mut Client) {
    eventually("the schedule is gone", || client.schedules("orders").is_empty());
    assert_eq!(client.number("EXISTS mq:{orders}:schedules mq:{orders}:ticks"), 0);
    assert_eq!(client.queue_info("orders", "schedules"), 0);
    assert_eq!(client.queue_info("orders", "next_tick_at"), 0);
}

#[test]
fn with_its_last_message_a_schedule_with_a_limit_ends() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    for (catch_up, expected) in [("ALL", &[1, 2, 3][..]), ("ONE", &[9, 10, 11])] {
        clock.set(0);
        hourly(&mut client, "thrice", start, &format!("LIMIT 3 CATCHUP {catch_up}"));
        if catch_up == "ONE" {
            for hour in [9, 10] {
                clock.set(hour * HOUR_S + 60);
                wait_for_ticks(&mut client, &clock);
            }
            assert_eq!(client.schedule_number("orders", "thrice", "runs"), 2);
            assert_eq!(client.numbers("MQ.NEXT orders thrice"), hours(start, &[11]));
        }
        clock.set(11 * HOUR_S + 60);
        is_gone(&mut client);
        assert_eq!(client.ticks("orders"), hours(start, expected), "{catch_up}");
        client.ask("MQ.PURGE orders");
    }
}

#[test]
fn neither_skipped_ticks_nor_triggers_count_for_the_limit() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    hourly(&mut client, "once", start, "LIMIT 1");
    client.ask("MQ.TRIGGER orders once");
    client.ask("MQ.CONFIG orders MAXLEN 1");
    clock.set(HOUR_S + 60);
    wait_for_ticks(&mut client, &clock);
    let shown = client.schedule("orders", "once");
    assert_eq!([&*shown["runs"], &*shown["skipped"], &*shown["triggered"]], ["0", "1", "1"]);
    client.ask("MQ.PURGE orders");
    clock.set(2 * HOUR_S + 60);
    is_gone(&mut client);
    assert_eq!(client.ticks("orders"), hours(start, &[2]));
}

#[test]
fn the_end_is_the_last_possible_tick() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    for (catch_up, expected, missed) in [
        ("ALL", &[1, 2, 3][..], [None; 3].as_slice()),
        ("ONE", &[3], &[Some(2)]),
        ("NONE", &[], &[]),
    ] {
        clock.set(0);
        let end = start + 3 * HOUR;
        hourly(&mut client, "ends", start, &format!("END {end} CATCHUP {catch_up}"));
        assert_eq!(client.numbers("MQ.NEXT orders ends"), hours(start, &[1, 2, 3]));
        clock.set(8 * HOUR_S);
        is_gone(&mut client);
        let runs = client.runs("orders");
        let ticks: Vec<i64> = runs.iter().filter_map(|run| run.tick).collect();
        assert_eq!(ticks, hours(start, expected), "{catch_up}");
        assert_eq!(runs.iter().map(|run| run.missed).collect::<Vec<_>>(), missed, "{catch_up}");
        client.ask("MQ.PURGE orders");
    }
}

#[test]
fn an_end_between_two_ticks_leaves_the_one_before() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    hourly(&mut client, "ends", start, &format!("END {}", start + 2 * HOUR - 1));
    clock.set(HOUR_S + 60);
    is_gone(&mut client);
    assert_eq!(client.ticks("orders"), hours(start, &[1]));
}

#[test]
fn a_queue_that_has_only_a_schedule_is_there_until_the_schedule_ends() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.SCHEDULE orders each x EVERY 3600000");
    assert_eq!(strings(&client.ask("MQ.QUEUES")), ["orders"]);
    assert_eq!(client.number("MQ.UNSCHEDULE orders each"), 1);
    assert_eq!(client.number("MQ.UNSCHEDULE orders each"), 0);
    assert_eq!(client.number("DBSIZE"), 0);
    assert_eq!(client.ask("MQ.QUEUES"), Value::Array(Vec::new()));
}

#[test]
fn messages_that_a_schedule_has_pushed_stay_when_it_is_removed() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    hourly(&mut client, "each", start, "OVERLAP SKIP");
    clock.set(HOUR_S + 60);
    client.wait_for_ready("orders", 1);
    assert_eq!(client.number("MQ.UNSCHEDULE orders each"), 1);
    clock.set(3 * HOUR_S);
    sleep_until_ms(now_ms() + 200);
    assert_eq!(client.ticks("orders"), hours(start, &[1]));
    let message = client.pull("orders");
    client.acknowledge(&message);
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn a_purge_keeps_schedules_and_a_drop_removes_them() {
    let (server, clock, start) = with_clock(&[]);
    let replica = server.start_replica();
    let mut client = server.client();
    hourly(&mut client, "each", start, "OVERLAP SKIP");
    hourly(&mut client, "paused", start, "PAUSED 1");
    clock.set(HOUR_S + 60);
    client.wait_for_ready("orders", 1);
    assert_eq!(client.number("MQ.PURGE orders"), 1);
    assert_eq!(client.schedule_names("orders"), ["each", "paused"]);
    clock.set(2 * HOUR_S + 60);
    client.wait_for_ready("orders", 1);
    assert_eq!(client.ticks("orders"), hours(start, &[2]), "the purge released its key");
    same_data(&mut client, &mut replica.client(), "the purge");
    assert_eq!(client.number("MQ.DROP orders"), 1);
    assert_eq!(client.number("DBSIZE"), 0);
    assert_eq!(client.number("MQ.DROP orders"), 0);
    clock.set(4 * HOUR_S);
    sleep_until_ms(now_ms() + 200);
    assert_eq!(client.number("DBSIZE"), 0);
    same_data(&mut client, &mut replica.client(), "the drop");
}

#[test]
fn a_queue_does_not_expire_while_it_has_a_schedule() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    let ends = start + 10 * HOUR;
    client.ask(&format!("MQ.CONFIG orders EXPIRES {HOUR}"));
    client.ask(&format!("MQ.CONFIG mails EXPIRES {HOUR}"));
    client.ask(&format!("MQ.SCHEDULE orders rare x EVERY {} START {ends} LIMIT 1", 20 * HOUR));
    for hour in [2, 4, 8] {
        clock.set(hour * HOUR_S);
        eventually("the other queue is gone", || strings(&client.ask("MQ.QUEUES")) == ["orders"]);
        sleep_until_ms(now_ms() + 150);
        assert_eq!(client.schedule_names("orders"), ["rare"], "{hour}");
    }
    clock.set(10 * HOUR_S + 1);
    eventually("it has ended", || client.queue_info("orders", "schedules") == 0);
    assert_eq!(client.number("MQ.LEN orders"), 1);
    clock.set(13 * HOUR_S);
    eventually("the queue expires", || client.number("DBSIZE") == 0);
}
