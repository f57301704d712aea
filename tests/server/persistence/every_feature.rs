//! A queue with every feature at once: what must survive a restart, a crash and a promotion, and
//! must be the same on a replica.

use crate::harness::*;

const LONG: &str = "VISIBILITY 3600000";

struct Filled {
    /// In flight: of group `b`, with priority 9, plain with headers.
    deliveries: Vec<Message>,
    /// Of group `a`, held for its retry.
    held: Message,
    /// Its key is held until it is done.
    keyed: String,
    /// Acknowledged; its key is held for a time.
    windowed: String,
    /// Delayed with a TTL and a group.
    delayed: String,
}

/// Fills `orders`; nothing in it becomes due within a test.
fn fill(client: &mut Client) -> Filled {
    client.ask(
        "MQ.CONFIG orders MAXRETRIES 3 TTL 3600000 MAXLEN 20 MAXINFLIGHT 10 RATE 1000 \
         RATEPERIOD 3600000 AGING 1000000 GROUPINFLIGHT 1 DEDUPWINDOW 3600000",
    );
    let windowed = client.text("MQ.PUSH orders windowed DEDUP window TTL 0");
    let message = client.pull("orders");
    client.acknowledge(&message);
    client.ask("MQ.MPUSH orders 2 a1 a2 GROUP a");
    let held = client.pull(&format!("orders {LONG}"));
    client.ask(&format!("MQ.NACK {} DELAY 3600000 REASON later", held.delivery()));
    client.ask("MQ.PUSH orders p9 PRIORITY 9");
    client.ask("MQ.PUSH orders dies PRIORITY 9 HEADERS 1 why so");
    client.ask("MQ.MPUSH orders 2 b1 b2 GROUP b");
    client.ask("MQ.PUSH orders headers TTL 0 HEADERS 2 a 1 b 2");
    let mut deliveries = client.pull_batch(&format!("orders COUNT 9 {LONG} CONSUMER worker"));
    let dies = deliveries.iter().position(|message| message.text() == "dies").expect("it");
    client.ask(&format!("MQ.NACK {} DEAD REASON bad", deliveries.remove(dies).delivery()));
    client.ask("MQ.PUSH orders p1 PRIORITY 1 TTL 7200000");
    let keyed = client.text("MQ.PUSH orders keyed DEDUP done UNTILDONE");
    client.ask("MQ.PUSH orders c1 GROUP c");
    client.ask("MQ.MPUSH orders 2 plain plain TTL 0");
    let delayed = client.text("MQ.PUSH orders delayed DELAY 1000000 GROUP c");
    client.ask("MQ.PAUSE orders");
    Filled { deliveries, held, keyed, windowed, delayed }
}

/// Fails unless the queue is as it was; works through it.
fn check(client: &mut Client, filled: &Filled) {
    assert_eq!(client.lengths("orders"), [7, 3, 2]);
    assert_eq!(client.ask("MQ.CHECK orders"), Value::Array(Vec::new()));
    assert_eq!(client.peek_texts("orders"), ["p1", "keyed", "plain", "plain", "c1", "a2", "b2"]);
    let info = client.map("MQ.INFO orders");
    for (name, value) in [("paused", "1"), ("groups", "3"), ("rate_window_count", "6")] {
        assert_eq!(info[name], value, "{name}");
    }
    for message in client.peek("orders INFLIGHT") {
        assert_eq!(message["consumer"], "worker");
    }
    client.pull_nothing("orders");
    client.ask("MQ.RESUME orders");
    assert_eq!(client.text("MQ.PUSH orders x DEDUP window"), filled.windowed);
    assert_eq!(client.text("MQ.PUSH orders x DEDUP done"), filled.keyed);
    // `a` is held and `b` in flight: the others take turns.
    let order = client.pull_texts(&format!("orders COUNT 9 {LONG}"));
    assert_eq!(order.len(), 5, "{order:?}");
    let plain: Vec<&String> = order.iter().filter(|text| *text != "c1").collect();
    assert_eq!(plain, ["p1", "keyed", "plain", "plain"]);
    client.pull_nothing("orders");
    let b1 = filled.deliveries.iter().find(|message| message.text() == "b1").expect("it");
    client.acknowledge(b1);
    assert_eq!(client.pull(&format!("orders {LONG}")).text(), "b2");
    assert_eq!(client.number(&format!("MQ.RESCHEDULE orders {} AT 0", filled.held.id)), 1);
    let again = client.pull(&format!("orders {LONG}"));
    assert_eq!((again.text(), again.retry_count), ("a1", 1));
    assert_eq!(again.more["last_error"], "later");
    assert_eq!(again.more["expires_at"], filled.held.more["expires_at"]);
    assert!(again.receipt > filled.held.receipt);
    client.acknowledge(&again);
    assert_eq!(client.pull(&format!("orders {LONG}")).text(), "a2");
    assert_eq!(client.queue_info("orders", "rate_window_count"), 14);
    assert_eq!(client.number(&format!("MQ.DEL orders {}", filled.keyed)), 1);
    assert_ne!(client.text("MQ.PUSH orders new DEDUP done"), filled.keyed);
    assert_eq!(client.get("orders", &filled.delayed).expect("it")["group"], "c");

    assert_eq!(client.number("MQ.REDRIVE {orders}:dead TO orders"), 1);
    let back = client.pull(&format!("orders {LONG}"));
    assert_eq!((back.text(), back.retry_count), ("dies", 0));
    assert_eq!((back.more["last_error"].as_str(), back.more["priority"].as_str()), ("bad", "9"));
    assert!(back.more.contains_key("headers"));
    let all = client.number("MQ.LEN orders");
    assert_eq!(client.number("MQ.PURGE orders"), all);
    assert_eq!(client.number("DBSIZE"), 1, "the settings are left");
    assert_eq!(client.number("MQ.DROP orders"), 1);
}

#[test]
fn it_is_the_same_on_a_replica_and_in_an_append_only_file_and_is_worked_through_after_a_crash() {
    let mut server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    let filled = fill(&mut client);
    same_data(&mut client, &mut copy, "the fill");
    let digest = client.text("DEBUG DIGEST");
    server.kill_and_start_again();
    let mut client = server.client();
    assert_eq!(client.text("DEBUG DIGEST"), digest);
    let replica = server.start_replica();
    let mut copy = replica.client();
    check(&mut client, &filled);
    same_data(&mut client, &mut copy, "the work");
}

#[test]
fn it_survives_a_snapshot() {
    let mut server = Server::start();
    let filled = fill(&mut server.client());
    let digest = server.client().text("DEBUG DIGEST");
    server.restart_with_snapshot();
    let mut client = server.client();
    assert_eq!(client.text("DEBUG DIGEST"), digest);
    check(&mut client, &filled);
}

#[test]
fn it_survives_a_rewrite_of_the_append_only_file() {
    for preamble in ["yes", "no"] {
        let mut server = Server::start_with_preamble(preamble);
        let mut client = server.client();
        let filled = fill(&mut client);
        client.ask("BGREWRITEAOF");
        server.wait_for_rewrite();
        server.kill_and_start_again();
        check(&mut server.client(), &filled);
    }
}

#[test]
fn it_goes_on_at_a_promoted_replica() {
    let mut server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    let filled = fill(&mut client);
    same_data(&mut client, &mut copy, "the fill");
    server.kill();
    copy.ask("REPLICAOF NO ONE");
    check(&mut copy, &filled);
}

#[test]
fn its_stream_replayed_on_an_empty_server_gives_the_same_data() {
    let (server, other) = (Server::start(), Server::start());
    let mut client = server.client();
    let mut stream = server.replication_stream();
    let filled = fill(&mut client);
    let mut copy = other.client();
    for command in stream.take() {
        copy.reply(&command).expect("an op applied");
    }
    assert_eq!(copy.text("DEBUG DIGEST"), client.text("DEBUG DIGEST"));
    check(&mut copy, &filled);
}

#[test]
fn short_deadlines_of_every_kind_leave_a_replica_the_same() {
    let server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    client.ask("MQ.CONFIG orders MAXRETRIES 1 BACKOFF 5 GROUPINFLIGHT 2 AGING 10");
    let mut lines = Vec::new();
    for n in 0..300u32 {
        let ranked = ["", "GROUP a", "PRIORITY 3", "GROUP b", "PRIORITY 9", "GROUP c"];
        let timed = ["", "TTL 40", "DELAY 20", "DELAY 30 TTL 25", "DELAY 10 TTL 60"];
        let keyed = ["", "DEDUP k UNTILDONE", "DEDUP l WINDOW 15", "", ""];
        let pick = |from: &[&'static str], factor: u32| from[(n * factor) as usize % from.len()];
        let options = [pick(&ranked, 7), pick(&timed, 11), pick(&keyed, 13)].join(" ");
        lines.push(format!("MQ.PUSH orders {n} {options} HEADERS 1 n {n}"));
        if n % 3 == 0 {
            lines.push(format!("MQ.PULL orders COUNT 2 VISIBILITY {}", 1 + n % 30));
        }
        if n % 10 == 0 {
            lines.push("MQ.PULL orders NOACK".into());
        }
    }
    for reply in client.pipeline(&lines) {
        reply.expect("a reply");
    }
    for _ in 0..40 {
        let pulled = client.pull_batch("orders COUNT 3 VISIBILITY 5");
        for (n, message) in pulled.iter().enumerate() {
            let command = ["MQ.ACK", "MQ.NACK", "MQ.DEL"][n];
            let rest = if n == 2 { format!("orders {}", message.id) } else { message.delivery() };
            client.reply_to(&format!("{command} {rest}")).ok();
        }
        sleep_until_ms(now_ms() + 3);
    }
    eventually("nothing is in flight or delayed any more", || {
        client.number("EXISTS mq:{orders}:inflight mq:{orders}:delayed mq:{orders}:expiring") == 0
    });
    assert_eq!(client.ask("MQ.CHECK orders"), Value::Array(Vec::new()));
    eventually("no window is open", || client.number("EXISTS mq:{orders}:deduped") == 0);
    same_data(&mut client, &mut copy, "all of it");
    let mut server = server;
    let digest = client.text("DEBUG DIGEST");
    server.kill_and_start_again();
    assert_eq!(server.client().text("DEBUG DIGEST"), digest);
}
