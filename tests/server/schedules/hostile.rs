//! Keys of a wrong type, unreadable records and entries that don't fit together: nothing of it stops messages.

use super::{HOUR, HOUR_S, cron, hourly, hours, wait_for_ticks, with_clock};
use crate::harness::*;

const PARTS: [&str; 2] = ["schedules", "ticks"];

fn wrong_type(part: &str) -> String {
    format!(
        "WRONGTYPE Operation against a key holding the wrong kind of value: 'mq:{{orders}}:{part}' was \
         not created by MQ, MQ.DROP removes it with its queue"
    )
}

#[test]
fn commands_say_which_of_their_keys_has_a_wrong_type_and_change_nothing() {
    let server = Server::start();
    let mut client = server.client();
    for part in PARTS {
        for make in ["SET k x", "RPUSH k x", "SADD k x"] {
            client.ask("MQ.SCHEDULE orders each x EVERY 3600000");
            let key = format!("mq:{{orders}}:{part}");
            client.ask(&format!("DEL {key}"));
            client.ask(&make.replace(" k ", &format!(" {key} ")));
            let before = client.text("DEBUG DIGEST");
            let mut lines = vec![
                "MQ.SCHEDULE orders each x EVERY 3600000",
                "MQ.SCHEDULE orders new x EVERY 500",
                "MQ.UNSCHEDULE orders each",
                "MQ.SCHEDULES orders",
                "MQ.SCHEDULES orders MATCH *",
                "MQ.TRIGGER orders each",
            ];
            if part == "schedules" {
                lines.push("MQ.NEXT orders each");
            }
            for line in lines {
                assert_eq!(client.refused(line), wrong_type(part), "{line} with {make}");
            }
            assert_eq!(client.text("DEBUG DIGEST"), before);
            assert_eq!(client.number("MQ.DROP orders"), 1);
            assert_eq!(client.number("DBSIZE"), 0);
        }
    }
}

/// How often the clock is read in a quarter of a second in which nothing is due.
fn reads(clock: &Clock) -> i64 {
    let before = clock.reads();
    sleep_until_ms(now_ms() + 250);
    clock.reads() - before
}

#[test]
fn messages_go_on_whatever_is_at_the_keys_of_schedules() {
    for part in PARTS {
        let (server, clock, start) = with_clock(&[]);
        let mut client = server.client();
        hourly(&mut client, "each", start, "");
        let idle = reads(&clock);
        let key = format!("mq:{{orders}}:{part}");
        client.ask(&format!("RENAME {key} kept"));
        client.ask(&format!("SET {key} wrong"));
        clock.set(HOUR_S + 60);
        let waiting = server.waiting("MQ.PULL orders BLOCK 0");
        client.push("orders", "one");
        let (message, mut consumer) = waiting.message();
        assert_eq!(message.text(), "one", "{part}");
        consumer.acknowledge(&message);
        let waiting = server.waiting("MQ.PULL orders BLOCK 0 VISIBILITY 100");
        client.ask("MQ.PUSH orders two DELAY 100");
        let (message, _) = waiting.message();
        assert_eq!(message.text(), "two", "{part}");
        let (again, _) = server.waiting("MQ.PULL orders BLOCK 0 VISIBILITY 36000000").message();
        assert_eq!((&again.id, again.retry_count), (&message.id, 1), "{part}");
        eventually("the timer warns", || {
            server.log().contains("queue orders: a key has the wrong type")
        });
        let busy = reads(&clock);
        assert!(busy < 5 * idle.max(20), "{part}: read {idle} times before, {busy} times after");
        assert_eq!(client.text(&format!("GET {key}")), "wrong", "nobody touched it");
        client.ask(&format!("RENAME kept {key}"));
        client.wait_for_ready("orders", 1);
        assert_eq!(client.ticks("orders"), hours(start, &[1]), "{part}");
    }
}

/// Overwrites the record of a schedule.
fn damage(client: &mut Client, name: &str, bytes: &[u8]) {
    let line: [&[u8]; 4] = [b"HSET", b"mq:{orders}:schedules", name.as_bytes(), bytes];
    client.reply(&line).expect("a record changed by hand");
}

#[test]
fn an_unreadable_record_is_set_aside_by_its_next_tick() {
    let (server, clock, start) = with_clock(&[]);
    let replica = server.start_replica();
    let mut client = server.client();
    for name in ["bad", "good", "worse"] {
        hourly(&mut client, name, start, "");
    }
    damage(&mut client, "bad", b"garbage");
    damage(&mut client, "worse", b"");
    assert_eq!(client.schedule_names("orders"), ["good"]);
    for line in ["MQ.NEXT orders bad", "MQ.TRIGGER orders worse"] {
        let error = client.refused(line);
        assert!(error.starts_with("CORRUPT the schedule can't be read"), "{line}: {error}");
    }
    clock.set(HOUR_S + 60);
    client.wait_for_ready("orders", 1);
    wait_for_ticks(&mut client, &clock);
    assert_eq!(client.runs("orders").len(), 1);
    assert_eq!(client.queue_info("orders", "schedules"), 1);
    assert_eq!(client.info("mq")["mq_damaged"], "2");
    let aside = strings(&client.ask("LRANGE mq:{orders}:damaged 0 -1"));
    let mut aside: Vec<&[String]> = aside.chunks(2).collect();
    aside.sort();
    assert_eq!(aside, [["bad", "garbage"], ["worse", ""]]);
    assert_eq!(client.number("ZCARD mq:{orders}:ticks"), 1);
    same_data(&mut client, &mut replica.client(), "setting aside");
}

#[test]
fn an_unreadable_record_is_set_aside_when_the_schedule_is_set_anew_and_can_be_removed() {
    let server = Server::start();
    let replica = server.start_replica();
    let mut client = server.client();
    let set = "MQ.SCHEDULE orders each x EVERY 3600000";
    client.ask(set);
    damage(&mut client, "each", b"garbage");
    assert_eq!(client.number(set), 1, "there was none that could be read");
    assert_eq!(strings(&client.ask("LRANGE mq:{orders}:damaged 0 -1")), ["each", "garbage"]);
    assert_eq!(client.number(set), 0);
    damage(&mut client, "each", b"garbage");
    assert_eq!(client.number("MQ.UNSCHEDULE orders each"), 1);
    assert_eq!(client.queue_info("orders", "schedules"), 0);
    same_data(&mut client, &mut replica.client(), "the changes");
}

#[test]
fn every_truncation_and_every_changed_byte_of_a_record_is_survived() {
    let (server, clock, start) = with_clock(&[]);
    let replica = server.start_replica();
    server.damaged_on_purpose();
    replica.damaged_on_purpose();
    let mut client = server.client();
    hourly(&mut client, "good", start, "CATCHUP ALL LIMIT 3 GROUP g TTL 5000 HEADERS 1 a b");
    cron(&mut client, "cron", "5 9 * * *", "");
    for name in ["good", "cron"] {
        let record = client.ask(&format!("HGET mq:{{orders}}:schedules {name}"));
        let record = bulk(&record).to_vec();
        let mut bad: Vec<Vec<u8>> = (0..record.len()).map(|n| record[..n].to_vec()).collect();
        for at in 0..record.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut changed = record.clone();
                changed[at] ^= change;
                bad.push(changed);
            }
        }
        bad.push([record.as_slice(), b"more"].concat());
        for (n, record) in bad.iter().enumerate() {
            damage(&mut client, &format!("bad-{name}-{n}"), record);
            client.ask(&format!("ZADD mq:{{orders}}:ticks {} bad-{name}-{n}", start + 1));
        }
    }
    clock.set(2 * HOUR_S);
    wait_for_ticks(&mut client, &clock);
    for line in ["MQ.SCHEDULES orders COUNT 1000", "MQ.INFO orders", "MQ.CHECK orders"] {
        client.ask(line);
    }
    assert_eq!(client.schedule_number("orders", "good", "runs"), 2);
    assert!(client.queue_info("orders", "damaged") > 0);
    same_data(&mut client, &mut replica.client(), "all of them");
}

/// What MQ.CHECK finds.
fn findings(client: &mut Client, line: &str) -> Vec<(String, i64)> {
    let reply = client.ask(line);
    entries(&reply).into_iter().map(|(name, count)| (name, integer(&count))).collect()
}

#[test]
fn a_check_finds_and_repairs_what_does_not_fit_together() {
    let (server, clock, start) = with_clock(&[]);
    let replica = server.start_replica();
    let mut client = server.client();
    let ticks = "mq:{orders}:ticks";
    for (damage, expected, left) in [
        (
            "HSET mq:{orders}:schedules b garbage".to_string(),
            &[("damaged_schedule", 1), ("wrong_tick", 1)][..],
            2,
        ),
        (format!("ZREM {ticks} b"), &[("wrong_tick", 1)], 3),
        (format!("ZADD {ticks} 5 b"), &[("wrong_tick", 1)], 3),
        (format!("ZADD {ticks} 5 nobody"), &[("wrong_tick", 1)], 3),
        (format!("ZADD {ticks} -inf paused"), &[("wrong_tick", 1)], 3),
        (format!("DEL {ticks}"), &[("wrong_tick", 3)], 3),
        ("DEL mq:{orders}:schedules".into(), &[("wrong_tick", 3)], 0),
    ] {
        for (name, options) in [("a", ""), ("b", "CATCHUP ALL"), ("paused", "PAUSED 1")] {
            hourly(&mut client, name, start, options);
        }
        client.ask(&damage);
        let found = findings(&mut client, "MQ.CHECK orders REPAIR");
        let expected: Vec<(String, i64)> =
            expected.iter().map(|(name, count)| (name.to_string(), *count)).collect();
        assert_eq!(found, expected, "{damage}");
        assert_eq!(findings(&mut client, "MQ.CHECK orders"), [], "{damage}");
        assert_eq!(client.queue_info("orders", "schedules"), left, "{damage}");
        same_data(&mut client, &mut replica.client(), &damage);
        if left == 3 {
            clock.set(2 * HOUR_S + 60);
            client.wait_for_ready("orders", 3);
            wait_for_ticks(&mut client, &clock);
            let mut ticks = client.ticks("orders");
            ticks.sort();
            assert_eq!(ticks, hours(start, &[1, 2, 2]), "{damage}");
            clock.set(0);
        }
        client.ask("MQ.DROP orders");
    }
}

#[test]
fn entries_without_a_schedule_and_scores_that_are_wrong_are_mended_by_the_timer() {
    let (server, clock, start) = with_clock(&[]);
    let replica = server.start_replica();
    let mut client = server.client();
    hourly(&mut client, "each", start, "");
    hourly(&mut client, "paused", start, "PAUSED 1");
    for (score, name) in [(5, "nobody"), (6, "each"), (7, "paused")] {
        client.ask(&format!("ZADD mq:{{orders}}:ticks {score} {name}"));
    }
    client.pull_nothing("orders");
    clock.set(60);
    eventually("all are mended", || {
        client.number(&format!("ZCOUNT mq:{{orders}}:ticks -inf {start}")) == 0
    });
    assert_eq!(client.number("MQ.LEN orders"), 0, "none of them was a tick");
    assert_eq!(client.schedule_names("orders"), ["each", "paused"]);
    assert_eq!(client.number("ZCARD mq:{orders}:ticks"), 2);
    same_data(&mut client, &mut replica.client(), "mending");
    clock.set(HOUR_S + 60);
    client.wait_for_ready("orders", 1);
    assert_eq!(client.ticks("orders"), hours(start, &[1]));
    assert_eq!(client.schedule_number("orders", "each", "next_tick"), start + 2 * HOUR);
}

#[test]
fn a_zone_that_this_build_does_not_know_is_looked_at_again() {
    let (server, clock, start) = with_clock(&[]);
    let replica = server.start_replica();
    let mut client = server.client();
    client.ask("MQ.SCHEDULE orders each x CRON @hourly TZ Europe/Berlin");
    hourly(&mut client, "other", start, "");
    // The record of a build with more zones than this one.
    let record = client.ask("HGET mq:{orders}:schedules each");
    let at = bulk(&record).windows(13).position(|window| window == b"Europe/Berlin");
    let mut foreign = bulk(&record).to_vec();
    let at = at.expect("the zone in the record");
    foreign[at..at + 13].copy_from_slice(b"Europe/Utopia");
    damage(&mut client, "each", &foreign);
    let next = client.schedule_number("orders", "each", "next_tick");
    clock.set(2 * HOUR_S);
    client.wait_for_ready("orders", 1);
    wait_for_ticks(&mut client, &clock);
    assert_eq!(client.runs("orders")[0].schedule, "other");
    let shown = client.schedule("orders", "each");
    assert_eq!([&*shown["zone"], &*shown["runs"]], ["Europe/Utopia", "0"]);
    assert_eq!(shown["next_tick"], next.to_string());
    assert_eq!(client.numbers("MQ.NEXT orders each"), [0; 0]);
    let reads = reads(&clock);
    assert!(reads < 2_000, "{reads}");
    // A build that knows it.
    let known = bulk(&record).to_vec();
    damage(&mut client, "each", &known);
    clock.set(2 * HOUR_S + 120);
    client.wait_for_ready("orders", 2);
    same_data(&mut client, &mut replica.client(), "the change");
}
