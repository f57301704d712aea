//! Restarts: from a snapshot, from the append-only file, after SIGKILL.

use crate::harness::everything::{check, fill};
use crate::harness::*;
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

#[test]
fn everything_survives_a_restart_from_a_snapshot() {
    let mut server = Server::start();
    let mut client = server.client();
    let everything = fill(&mut client);
    let digest = client.text("DEBUG DIGEST");
    server.restart_with_snapshot();
    let mut client = server.client();
    assert_eq!(client.text("DEBUG DIGEST"), digest);
    check(&mut client, &everything, "orders");
}

#[test]
fn everything_survives_a_crash_with_an_append_only_file() {
    let mut server = Server::start_with_append_only_file();
    let mut client = server.client();
    let everything = fill(&mut client);
    let digest = client.text("DEBUG DIGEST");
    server.kill_and_start_again();
    let mut client = server.client();
    assert_eq!(client.text("DEBUG DIGEST"), digest);
    check(&mut client, &everything, "orders");
}

#[test]
fn everything_survives_a_rewrite_of_the_append_only_file() {
    for preamble in ["yes", "no"] {
        let mut server = Server::start_with_preamble(preamble);
        let mut client = server.client();
        let everything = fill(&mut client);
        let after_rewrite = client.push("mails", "before the rewrite");
        client.ask("BGREWRITEAOF");
        client.push("mails", "during or after the rewrite");
        server.wait_for_rewrite();
        let message = client.pull("mails");
        assert_eq!(message.id, after_rewrite);
        client.acknowledge(&message);
        let digest = client.text("DEBUG DIGEST");
        server.kill_and_start_again();
        let mut client = server.client();
        assert_eq!(client.text("DEBUG DIGEST"), digest, "aof-use-rdb-preamble {preamble}");
        check(&mut client, &everything, "orders");
    }
}

#[test]
fn every_database_survives() {
    let mut server = Server::start_with_append_only_file();
    let everything: Vec<_> =
        [0, 7, 15].map(|n| (n, fill(&mut server.client_of_database(n)))).into_iter().collect();
    server.kill_and_start_again();
    for (database, everything) in &everything {
        check(&mut server.client_of_database(*database), everything, "orders");
    }
}

#[test]
fn deadlines_hold_over_a_restart_with_nobody_talking_to_the_queue() {
    for append_only in [false, true] {
        let mut server =
            if append_only { Server::start_with_append_only_file() } else { Server::start() };
        for database in [0, 5] {
            let mut client = server.client_of_database(database);
            client.push("orders", "one");
            let message = client.pull("orders VISIBILITY 1500");
            client.ask("MQ.PUSH orders two DELAY 1500");
            client.push("mails", "x");
            client.pull("mails VISIBILITY 3600000");
            assert!(now_ms() < message.visibility_until);
        }
        if append_only {
            server.kill_and_start_again()
        } else {
            server.restart_with_snapshot()
        }
        for database in [0, 5] {
            let mut client = server.client_of_database(database);
            eventually("both are back", || client.number("ZCARD mq:{orders}:ranked") == 2);
            assert_eq!(client.number("HLEN mq:{mails}:flight"), 1);
            let batch = client.pull_batch("orders COUNT 10");
            let retries: Vec<i64> = batch.iter().map(|message| message.retry_count).collect();
            assert_eq!(retries, [1, 0]);
        }
    }
}

/// More than are read in one go to know which end first.
#[test]
fn thousands_of_deliveries_go_on_over_a_restart() {
    let mut server = Server::start();
    let mut client = server.client();
    let texts = vec!["x"; 6_000].join(" ");
    client.ask(&format!("MQ.MPUSH orders 6000 {texts}"));
    let batch = client.pull_batch("orders COUNT 6000 VISIBILITY 6000");
    server.restart_with_snapshot();
    let mut client = server.client();
    // Before the order is known, while it is read and afterwards.
    let lines = batch[..1_500].iter().map(|message| format!("MQ.ACK {}", message.delivery()));
    let later = batch[1_500..3_000].iter();
    let later = later.map(|message| format!("MQ.EXTEND {} VISIBILITY 3600000", message.delivery()));
    let lines: Vec<String> = lines.chain(later).collect();
    for reply in client.pipeline(&lines) {
        assert!(matches!(reply, Ok(Value::Int(_))), "{reply:?}");
    }
    client.pull_nothing("orders");
    client.push("orders", "new");
    assert_eq!(client.pull("orders VISIBILITY 3600000").text(), "new");
    let ends = client.peek("orders INFLIGHT COUNT 1000 OFFSET 2500");
    let ends: Vec<&String> = ends.iter().map(|message| &message["visibility_until"]).collect();
    assert!(ends.is_sorted() && ends.len() == 1_000);
    eventually("the others are back", || client.number("MQ.LEN orders READY") == 3_000);
    assert_eq!(client.number("MQ.LEN orders INFLIGHT"), 1_501);
    let left = client.pull_batch("orders COUNT 6000");
    assert!(left.iter().zip(&batch[3_000..]).all(|(one, other)| one.id == other.id));
}

#[test]
fn what_became_due_while_the_server_was_down_is_delivered_after_its_start() {
    let mut server = Server::start_with_append_only_file();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders VISIBILITY 200");
    server.kill();
    sleep_until_ms(message.visibility_until);
    server.start_again();
    let again = server.client().pull("orders");
    assert_eq!((again.id, again.retry_count), (message.id, 1));
}

#[test]
fn receipts_rise_over_restarts() {
    let mut server = Server::start_with_append_only_file();
    let mut last = String::new();
    for round in 0..3 {
        let mut client = server.client();
        client.push("orders", round.to_string());
        for _ in 0..20 {
            let message = client.pull("orders");
            assert!(message.receipt > last, "{} after {last}", message.receipt);
            last = message.receipt.clone();
            client.nack(&message);
        }
        server.kill_and_start_again();
    }
}

/// What the clients of one server know for certain, and what they can't know because a reply never
/// came.
#[derive(Default)]
struct Known {
    pushed: BTreeSet<String>,
    acknowledged: BTreeSet<String>,
    perhaps_acknowledged: BTreeSet<String>,
}

/// Pushes, pulls, nacks and acknowledges until the server is gone. More is pushed than pulled, so
/// that something waits in the end.
fn work(mut client: Client, stop: &AtomicBool, seed: u64) -> Known {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut known = Known::default();
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..random.usize(2..5) {
            match client.reply(&["MQ.PUSH", "orders", "payload"]) {
                Ok(id) => known.pushed.insert(text_of(&id)),
                Err(_) => return known,
            };
        }
        let Ok(pulled) = client.reply_to("MQ.PULL orders COUNT 2 VISIBILITY 20") else {
            return known;
        };
        for message in items(&pulled).iter().map(Message::from) {
            let action = if random.u8(0..4) == 0 { "MQ.NACK" } else { "MQ.ACK" };
            match client.reply_to(&format!("{action} {}", message.delivery())) {
                Ok(_) if action == "MQ.ACK" => known.acknowledged.insert(message.id),
                // The server says no when the delivery's time is over.
                Ok(_) => true,
                Err(error) if error.starts_with("BADRECEIPT") || error.starts_with("NOTFOUND") => {
                    true
                }
                Err(_) => known.perhaps_acknowledged.insert(message.id),
            };
        }
    }
    known
}

#[test]
fn a_crash_loses_no_acknowledged_push_and_brings_back_no_acknowledged_message() {
    let mut server = Server::start_with_append_only_file();
    let mut all = Known::default();
    for round in 0..4 {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|n| {
                    let client = server.client();
                    let stop = &stop;
                    scope.spawn(move || work(client, stop, round * 10 + n))
                })
                .collect();
            if round == 2 {
                server.client().ask("BGREWRITEAOF");
            }
            let mut observer = server.client();
            eventually("there was some work", || observer.queue_info("orders", "acked") > 200);
            drop(observer);
            server.kill();
            stop.store(true, Ordering::Relaxed);
            for worker in workers {
                let known = worker.join().expect("what a worker knows");
                all.pushed.extend(known.pushed);
                all.acknowledged.extend(known.acknowledged);
                all.perhaps_acknowledged.extend(known.perhaps_acknowledged);
            }
        });
        server.start_again();
    }
    assert!(!all.acknowledged.is_empty() && all.pushed.len() > all.acknowledged.len());

    let mut client = server.client();
    let mut left = BTreeSet::new();
    eventually("the queue is empty", || {
        for message in client.pull_batch("orders COUNT 1000 VISIBILITY 60000") {
            assert!(left.insert(message.id.clone()), "{} came twice", message.id);
            client.acknowledge(&message);
        }
        client.number("MQ.LEN orders") == 0
    });
    let resurrected: Vec<_> = left.intersection(&all.acknowledged).collect();
    assert!(resurrected.is_empty(), "acknowledged, but delivered again: {resurrected:?}");
    let gone = |id: &&String| !left.contains(*id) && !all.acknowledged.contains(*id);
    let lost: Vec<_> = all
        .pushed
        .iter()
        .filter(gone)
        .filter(|id| !all.perhaps_acknowledged.contains(*id))
        .collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert_eq!(client.number("DBSIZE"), 0);
}
