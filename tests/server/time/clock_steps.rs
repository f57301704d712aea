//! The server's wall clock set forward and back by a day, while it runs and between two runs:
//! nothing is lost, nothing comes early or stays longer than its moments say, nobody waits in vain.

use crate::harness::*;

const DAY_S: i64 = 24 * 60 * 60;
const HOUR_MS: i64 = 60 * 60 * 1000;

/// Of queues that hold one thing each which ends in an hour.
struct Filled {
    plain: String,
    held: Message,
    later: String,
    windowed: String,
    until_done: String,
}

fn fill(client: &mut Client) -> Filled {
    let plain = client.push("plain", "plain");
    client.push("held", "held");
    let held = client.pull(&format!("held VISIBILITY {HOUR_MS}"));
    let later = client.text(&format!("MQ.PUSH later later DELAY {HOUR_MS}"));
    client.ask(&format!("MQ.PUSH dying dying TTL {HOUR_MS}"));
    let windowed = client.text(&format!("MQ.PUSH keyed windowed DEDUP w WINDOW {HOUR_MS}"));
    let until_done = client.text("MQ.PUSH keyed held DEDUP d UNTILDONE");
    client.ask(&format!("MQ.CONFIG rated RATE 1 RATEPERIOD {HOUR_MS}"));
    client.ask("MQ.MPUSH rated 3 one two three");
    assert_eq!(client.pull_texts(&format!("rated COUNT 3 VISIBILITY {}", 100 * HOUR_MS)), ["one"]);
    client.push("paused", "paused");
    client.ask(&format!("MQ.PAUSE paused FOR {HOUR_MS}"));
    Filled { plain, held, later, windowed, until_done }
}

/// The queues with something that ends by time and then serves a client.
const TIMED: [&str; 4] = ["held", "later", "rated", "paused"];

/// A client that waits for each of them.
fn waiting(server: &Server) -> [Waiting; 4] {
    TIMED.map(|queue| server.waiting(&format!("MQ.PULL {queue} BLOCK 0 VISIBILITY {HOUR_MS}")))
}

/// A push to `keyed` with the key of this option.
fn keyed(client: &mut Client, key: &str) -> String {
    client.text(&format!("MQ.PUSH keyed again DEDUP {key}"))
}

/// What is true a day after the fill, with what clients received of these four queues.
fn is_a_day_later(client: &mut Client, filled: &Filled, received: [Message; 4]) {
    let [held, later, rated, paused] = received;
    assert_eq!((&held.id, held.retry_count), (&filled.held.id, 1));
    assert!(held.receipt > filled.held.receipt);
    assert_eq!((&later.id, later.retry_count), (&filled.later, 0));
    assert_eq!([rated.text(), paused.text()], ["two", "paused"]);
    eventually("the message is discarded", || client.number("EXISTS mq:{dying}:messages") == 0);
    assert_ne!(keyed(client, "w"), filled.windowed);
    assert_eq!(keyed(client, "d"), filled.until_done);
    assert_eq!(client.pull("plain").id, filled.plain);
}

/// What is true when the clock was set back to before the fill; `rated` has been served.
fn has_not_ended(client: &mut Client, filled: &Filled) {
    for (queue, lengths) in [
        ("plain", [1, 0, 0]),
        ("held", [0, 1, 0]),
        ("later", [0, 0, 1]),
        ("dying", [1, 0, 0]),
        ("paused", [1, 0, 0]),
    ] {
        assert_eq!(client.lengths(queue), lengths, "{queue}");
    }
    client.pull_nothing("held");
    client.pull_nothing("later");
    client.pull_nothing("paused");
    assert_eq!(keyed(client, "w"), filled.windowed);
    assert_eq!(keyed(client, "d"), filled.until_done);
    assert_eq!(client.number("MQ.LEN keyed"), 2);
}

/// Each thing that has not ended can be ended by a command, at once or in a short time of the new
/// clock.
fn can_be_ended(client: &mut Client, filled: &Filled, clock: &Clock, waiting: [Waiting; 3]) {
    let before_ms = clock.now_ms();
    let until_ms = client.number(&format!("MQ.EXTEND {} VISIBILITY 200", filled.held.delivery()));
    assert!((before_ms + 200..=clock.now_ms() + 200).contains(&until_ms), "{until_ms}");
    assert_eq!(client.number(&format!("MQ.RESCHEDULE later {} DELAY 200", filled.later)), 1);
    client.ask("MQ.PAUSE paused FOR 200");
    let [held, later, paused] = waiting.map(|waiting| waiting.message().0);
    assert!(clock.now_ms() >= before_ms + 200);
    assert_eq!((&held.id, held.retry_count), (&filled.held.id, 1));
    assert!(held.receipt > filled.held.receipt);
    assert_eq!(later.id, filled.later);
    assert_eq!(paused.text(), "paused");
    assert_eq!(client.number(&format!("MQ.ACK {}", held.delivery())), 1);
}

/// How often the clock is read, and how far replication goes, in a third of a second in which
/// nothing is due.
fn work_when_idle(client: &mut Client, clock: &Clock) -> (i64, i64) {
    let offset = |client: &mut Client| client.info("replication")["master_repl_offset"].clone();
    let from: i64 = offset(client).parse().expect("an offset");
    let reads = clock.reads();
    sleep_until_ms(now_ms() + 300);
    let reads = clock.reads() - reads;
    (reads, offset(client).parse::<i64>().expect("an offset") - from)
}

#[test]
fn a_clock_set_forward_ends_what_is_over_and_serves_those_who_wait() {
    let (server, clock) = Server::start_with_clock(&[]);
    let replica = server.start_replica();
    let mut client = server.client();
    let filled = fill(&mut client);
    let waiting = waiting(&server);
    clock.set(DAY_S);
    is_a_day_later(&mut client, &filled, waiting.map(|waiting| waiting.message().0));
    assert!(client.push("plain", "new") > filled.until_done, "ids go on rising");
    same_data(&mut client, &mut replica.client(), "the step");
}

#[test]
fn a_clock_set_back_ends_nothing_early_and_lets_everything_go_on() {
    for (from_s, to_s) in [(0, -DAY_S), (DAY_S, 0)] {
        let (server, clock) = Server::start_with_clock(&[]);
        clock.set(from_s);
        let replica = server.start_replica();
        let mut client = server.client();
        let filled = fill(&mut client);
        let [held, later, rated, paused] = waiting(&server);
        let (reads, _) = work_when_idle(&mut client, &clock);
        clock.set(to_s);
        // Its window begins in the future: none is open.
        assert_eq!(rated.message().0.text(), "two");
        let (reads_after, replicated) = work_when_idle(&mut client, &clock);
        assert!(reads_after < 5 * reads, "read {reads} times before, {reads_after} times after");
        assert_eq!(replicated, 0);
        for waiting in [&held, &later, &paused] {
            waiting.still_waits();
        }
        has_not_ended(&mut client, &filled);
        can_be_ended(&mut client, &filled, &clock, [held, later, paused]);
        assert!(client.push("plain", "new") > filled.until_done, "ids go on rising");
        assert_eq!(client.pull("plain").id, filled.plain);
        let receipts = client.pull_batch("keyed COUNT 2").into_iter().map(|one| one.receipt);
        assert!(receipts.is_sorted(), "receipts go on rising");
        same_data(&mut client, &mut replica.client(), "the step");
    }
}

#[test]
fn a_clock_set_forward_and_back_again_lets_what_waited_wait_on() {
    let (server, clock) = Server::start_with_clock(&[]);
    let mut client = server.client();
    client.push("orders", "one");
    let first = client.pull(&format!("orders VISIBILITY {HOUR_MS}"));
    clock.set(DAY_S);
    let second = client.pull(&format!("orders BLOCK 0 VISIBILITY {HOUR_MS}"));
    let waiting = server.waiting("MQ.PULL orders BLOCK 0 VISIBILITY 100");
    clock.set(0);
    let error = client.refused(&format!("MQ.ACK {}", first.delivery()));
    assert!(error.starts_with("BADRECEIPT "), "{error}");
    client.nack(&second);
    let (third, _) = waiting.message();
    // Its visibility of 100 ms is that of the clock as it is now.
    assert!(third.visibility_until <= clock.now_ms() + 100, "{third:?}");
    let fourth = client.pull("orders BLOCK 0");
    assert_eq!((&fourth.id, fourth.retry_count), (&first.id, 3));
    let receipts = [&first, &second, &third, &fourth].map(|one| &one.receipt);
    assert!(receipts.is_sorted_by(|a, b| a < b), "{receipts:?}");
    client.acknowledge(&fourth);
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn a_clock_set_back_and_forward_again_at_once_ends_what_is_over() {
    let (server, clock) = Server::start_with_clock(&[]);
    let mut client = server.client();
    client.push("orders", "first");
    clock.set(DAY_S);
    let first = client.pull("orders");
    client.acknowledge(&first);
    sleep_until_ms(now_ms() + 300);
    clock.set(0);
    // A timer that is started between the two steps.
    client.ask(&format!("MQ.PUSH orders later DELAY {HOUR_MS}"));
    clock.set(DAY_S);
    let key = "ZCARD mq:{orders}:ranked";
    eventually("the message is ready", || client.number(key) == 1);
}

#[test]
fn a_restart_with_another_clock_loses_nothing() {
    for how in [Continuation::Snapshot, Continuation::AppendOnlyFile] {
        for step_s in [DAY_S, -DAY_S] {
            let settings = [("appendonly", "yes"), ("appendfsync", "always")];
            let settings = if how == Continuation::Snapshot { &[][..] } else { &settings };
            let (mut server, clock) = Server::start_with_clock(settings);
            let filled = fill(&mut server.client());
            match how {
                Continuation::AppendOnlyFile => server.kill(),
                _ => server.shut_down("SAVE"),
            }
            clock.set(step_s);
            server.start_again();
            let mut client = server.client();
            if step_s > 0 {
                let received = TIMED.map(|queue| client.pull(&format!("{queue} BLOCK 0")));
                is_a_day_later(&mut client, &filled, received);
                continue;
            }
            let [held, later, rated, paused] = TIMED;
            // Its window begins in the future: none is open.
            assert_eq!(client.pull(rated).text(), "two");
            has_not_ended(&mut client, &filled);
            let waiting = [held, later, paused]
                .map(|queue| server.waiting(&format!("MQ.PULL {queue} BLOCK 0")));
            can_be_ended(&mut client, &filled, &clock, waiting);
            let second = client.push("plain", "second");
            assert_ne!(second, filled.plain);
            assert_eq!(client.pull_texts("plain COUNT 2"), ["plain", "second"]);
        }
    }
}

#[test]
fn a_clock_set_back_during_the_walk_over_the_keys_does_not_stop_it() {
    let (server, clock) = Server::start_with_clock(&[]);
    let mut client = server.client();
    client.ask("DEBUG POPULATE 200000");
    client.push("orders", "x");
    for step in 1..=3 {
        client.ask("DEBUG RELOAD");
        clock.set(-step * DAY_S);
        assert_eq!(strings(&client.ask("MQ.QUEUES")), ["orders"]);
    }
}

#[test]
fn what_a_gone_client_held_comes_back_after_the_clock_was_set_back() {
    let (server, clock) = Server::start_with_clock(&[]);
    let mut client = server.client();
    client.push("orders", "one");
    let mut holder = server.client();
    holder.pull(&format!("orders ONDISCONNECT VISIBILITY {HOUR_MS}"));
    clock.set(-DAY_S);
    drop(holder);
    eventually("it is back", || client.number("MQ.LEN orders READY") == 1);
}

#[test]
fn receipts_go_on_at_a_replica_whose_clock_is_a_day_behind() {
    let (mut server, clock) = Server::start_with_clock(&[]);
    clock.set(DAY_S);
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    for text in ["one", "two"] {
        client.push("orders", text);
    }
    let first = client.pull("orders");
    same_data(&mut client, &mut copy, "the pull");
    server.kill();
    copy.ask("REPLICAOF NO ONE");
    let second = copy.pull("orders");
    assert!(second.receipt > first.receipt, "{} {}", first.receipt, second.receipt);
}

#[test]
fn receipts_follow_a_clock_that_was_years_ahead_and_those_of_a_message_rise() {
    const YEARS: i64 = 3;
    let (server, clock) = Server::start_with_clock(&[]);
    let replica = server.start_replica();
    let mut client = server.client();
    clock.set(YEARS * 365 * DAY_S);
    client.push("orders", "one");
    let first = client.pull(&format!("orders VISIBILITY {HOUR_MS}"));
    clock.set(0);
    client.nack(&first);
    client.push("others", "two");
    let other = client.pull("others");
    let time_ms =
        |message: &Message| i64::from_str_radix(&message.receipt, 16).expect("a receipt") >> 20;
    assert!(time_ms(&other) <= clock.now_ms(), "{}", other.receipt);
    let second = client.pull("orders BLOCK 0");
    assert!(second.receipt > first.receipt);
    assert!(client.push("others", "three") > first.id, "ids go on rising");
    let third = client.pull("others");
    assert!(third.receipt > other.receipt && time_ms(&third) <= clock.now_ms());
    same_data(&mut client, &mut replica.client(), "the step");
}

#[test]
fn a_clock_set_beyond_all_timestamps_and_back_leaves_no_message_that_can_not_be_read() {
    let (server, clock) = Server::start_with_clock(&[]);
    let replica = server.start_replica();
    let mut client = server.client();
    let mut uses_all = |when: &str| {
        for text in ["one", "two"] {
            let id = client.push("orders", text);
            assert!(client.get("orders", &id).is_some(), "{when}");
        }
        client.ask("MQ.PUSH orders later TTL 60000 DELAY 60000 DEDUP k WINDOW 10");
        let got = client.pull_batch("orders COUNT 9 VISIBILITY 60000");
        assert_eq!(got.iter().map(Message::text).collect::<Vec<_>>(), ["one", "two"], "{when}");
        assert!(got[0].receipt < got[1].receipt, "{when}");
        for message in &got {
            client.acknowledge(message);
        }
        client.ask("MQ.PAUSE orders FOR 60000");
        client.ask("MQ.RESUME orders");
        assert_eq!(client.ask("MQ.CHECK orders"), client.ask("MQ.CHECK none"), "{when}");
        same_data(&mut client, &mut replica.client(), when);
        assert_eq!(replica.client().info("mq")["mq_apply_errors"], "0", "{when}");
        client.ask("MQ.PURGE orders");
    };
    clock.set(300 * 365 * DAY_S);
    uses_all("beyond");
    clock.set(0);
    uses_all("back");
}
