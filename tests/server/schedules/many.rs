//! Ten thousand schedules that are due at once.

use super::{HOUR, HOUR_S, at_once, with_clock};
use crate::harness::*;
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering},
};

const MOST: i64 = 10_000;

/// Sets the most schedules that a queue can have: all tick within the same second.
fn set_all(client: &mut Client, start: i64) {
    let lines: Vec<String> = (0..MOST)
        .map(|n| {
            format!("MQ.SCHEDULE orders n-{n} x EVERY {HOUR} START {} CATCHUP ALL", start + n / 10)
        })
        .collect();
    let replies = client.pipeline(&lines);
    assert!(replies.iter().all(|reply| *reply == Ok(Value::Int(1))));
}

/// Lets ticks become due by `start`, and reads how many messages are ready again and again until all are. There
/// are always commands that wait for the server to read them: the timer has its turns in between.
fn watched(server: &Server, start: impl FnOnce()) -> Vec<i64> {
    let mut writer = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
    let mut lines = BufReader::new(writer.try_clone().expect("the same connection")).lines();
    let is_watching = AtomicBool::new(true);
    let mut seen = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let commands = b"MQ.LEN orders READY\r\n".repeat(500);
            while is_watching.load(Ordering::Relaxed) {
                writer.write_all(&commands).expect("commands sent");
            }
            writer.write_all(b"QUIT\r\n").expect("a command sent");
        });
        let mut number = || -> Option<i64> {
            let line = lines.next().expect("a reply").expect("a reply");
            line.strip_prefix(':').map(|number| number.parse().expect("a number"))
        };
        seen.extend(number());
        start();
        while seen.last() != Some(&MOST) {
            seen.extend(number());
        }
        is_watching.store(false, Ordering::Relaxed);
        while number().is_some() {}
    });
    seen
}

#[test]
fn other_clients_get_their_replies_while_ten_thousand_schedules_tick() {
    let (server, clock, start) = with_clock(&[]);
    let replica = server.start_replica();
    let mut client = server.client();
    set_all(&mut client, start + HOUR);
    let seen = watched(&server, || clock.set(HOUR_S + 60));
    assert!(seen.is_sorted());
    let steps = seen.windows(2).map(|pair| pair[1] - pair[0]);
    let longest = steps.max().expect("steps");
    assert!(longest < MOST / 4, "{longest} ticks between two replies");
    let mut ids = BTreeSet::new();
    for offset in (0..MOST).step_by(1_000) {
        let line = format!("MQ.PEEK orders READY OFFSET {offset} COUNT 1000");
        let batch = client.ask(&line);
        for message in items(&batch) {
            ids.insert(Run::of(message).expect("of a schedule").schedule);
        }
    }
    assert_eq!(ids.len() as i64, MOST, "each of them ticked");
    for (field, value) in [("ticks", MOST), ("ticks_missed", 0), ("ticks_skipped", 0)] {
        assert_eq!(client.queue_info("orders", field), value, "{field}");
    }
    same_data(&mut client, &mut replica.client(), "ten thousand ticks");
}

#[test]
fn a_pull_in_the_middle_of_ten_thousand_ticks_takes_a_slice_only() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    set_all(&mut client, start + HOUR);
    let lines = ["MQ.PULL orders", "MQ.LEN orders"];
    let replies = at_once(&server, &clock, HOUR_S + 60, &lines);
    Run::of(&replies[0]).expect("of a schedule");
    let len = integer(&replies[1]);
    assert!((1..MOST / 4).contains(&len), "{len} ticks by one pull");
    client.wait_for_ready("orders", MOST - 1);
}
