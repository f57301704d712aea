//! Everything that a message or a queue can have survives a restart, a rewrite of the file and a
//! promotion, and goes on counting there.

use crate::harness::*;

/// A visibility that does not end within a test.
const LONG: &str = "VISIBILITY 3600000";

/// What must be the same afterwards.
struct Kept {
    /// Held by the consumer `ann`.
    held: Message,
    /// Of group `g`, waiting for its retry: it holds the group.
    retrying: Message,
    /// Holds the key `done` until it is done.
    until_done: String,
    /// Holds the key `window` for a while.
    window: String,
    /// Delayed, of group `h`.
    delayed: String,
    /// What MQ.PEEK and MQ.INFO say of all of it.
    shown: Vec<Value>,
    digest: String,
}

fn nack(client: &mut Client, message: &Message, options: &str) {
    assert_eq!(client.number(&format!("MQ.NACK {} {options}", message.delivery())), 1);
}

/// A queue `orders` that uses everything, `limited` with its rate used up, and `paused`.
fn fill(client: &mut Client) -> Kept {
    client.ask("MQ.PUSH orders held PRIORITY 9");
    let held = client.pull(&format!("orders {LONG} CONSUMER ann"));
    client.ask("MQ.PUSH orders g1 GROUP g");
    let retrying = client.pull(&format!("orders {LONG}"));
    nack(client, &retrying, "DELAY 3600000 REASON why");
    client.ask("MQ.PUSH orders dead PRIORITY 5 HEADERS 1 kind dead");
    let dead = client.pull("orders");
    nack(client, &dead, "DEAD REASON poison");

    client.ask("MQ.PUSH orders g2 GROUP g");
    client.ask("MQ.MPUSH orders 2 h1 h2 GROUP h");
    client.ask("MQ.PUSH orders low PRIORITY 1 HEADERS 2 a 1 b 2");
    client.ask("MQ.PUSH orders high PRIORITY 8 TTL 3600000");
    let until_done = client.text("MQ.PUSH orders done DEDUP done UNTILDONE");
    let window = client.text("MQ.PUSH orders window DEDUP window WINDOW 3600000");
    let delayed = client.text("MQ.PUSH orders later GROUP h DELAY 3600000");
    client.ask("MQ.CONFIG orders MAXLEN 11 GROUPINFLIGHT 1 TTL 7200000 AGING 3600000");

    client.ask("MQ.CONFIG limited RATE 2 RATEPERIOD 3600000 MAXINFLIGHT 7");
    client.ask("MQ.MPUSH limited 3 a b c");
    client.pull_batch(&format!("limited COUNT 2 {LONG}"));
    client.ask("MQ.PAUSE paused FOR 3600000");
    client.push("paused", "one");
    let (shown, digest) = (shown(client), client.text("DEBUG DIGEST"));
    Kept { held, retrying, until_done, window, delayed, shown, digest }
}

fn shown(client: &mut Client) -> Vec<Value> {
    let mut shown = Vec::new();
    for queue in ["orders", "{orders}:dead", "limited", "paused"] {
        for state in ["READY", "INFLIGHT", "DELAYED"] {
            shown.push(client.ask(&format!("MQ.PEEK {queue} {state} COUNT 1000")));
        }
        let info = client.map(&format!("MQ.INFO {queue}"));
        for field in
            ["priorities", "groups", "paused", "paused_until", "rate_window_start", "maxlen"]
        {
            shown.push(Value::SimpleString(info[field].clone()));
        }
    }
    shown
}

/// Checks what is kept without changing it.
fn is_kept(client: &mut Client, kept: &Kept) {
    assert_eq!(client.text("DEBUG DIGEST"), kept.digest);
    assert_eq!(shown(client), kept.shown);
    let held = client.map(&format!("MQ.GET orders {}", kept.held.id));
    assert_eq!((&*held["consumer"], &*held["state"]), ("ann", "inflight"));
    let retrying = client.map(&format!("MQ.GET orders {}", kept.retrying.id));
    assert_eq!((&*retrying["last_error"], &*retrying["retry_count"]), ("why", "1"));
    assert_eq!(client.text("MQ.PUSH orders x DEDUP done UNTILDONE"), kept.until_done);
    assert_eq!(client.text("MQ.PUSH orders x DEDUP window"), kept.window);
    client.pull_nothing("limited");
    client.pull_nothing("paused");
    assert_eq!(client.text("DEBUG DIGEST"), kept.digest);
}

/// Works all of it off, and so checks that it goes on as it would have.
fn goes_on(client: &mut Client, kept: &Kept) {
    let batch = client.pull_batch(&format!("orders COUNT 100 {LONG}"));
    let mut ungrouped: Vec<&str> = Vec::new();
    let mut grouped: Vec<&str> = Vec::new();
    for message in &batch {
        let line = if message.more.contains_key("group") { &mut grouped } else { &mut ungrouped };
        line.push(message.text());
    }
    assert_eq!(ungrouped, ["high", "low", "done", "window"]);
    // `g` is held by the message that waits for its retry.
    assert_eq!(grouped, ["h1"]);
    assert!(batch.iter().all(|message| message.receipt > kept.held.receipt));
    client.acknowledge(&kept.held);
    let by_text = |text: &str| batch.iter().find(|message| message.text() == text);
    client.acknowledge(by_text("h1").expect("h1"));
    assert_eq!(client.pull("orders").text(), "h2");
    let reschedule = format!("MQ.RESCHEDULE orders {} DELAY 0", kept.retrying.id);
    assert_eq!(client.number(&reschedule), 1);
    let first = client.pull("orders");
    assert_eq!((first.id, &*first.more["last_error"]), (kept.retrying.id.clone(), "why"));
    client.pull_nothing("orders");

    client.acknowledge(by_text("done").expect("done"));
    assert_ne!(client.text("MQ.PUSH orders x DEDUP done UNTILDONE"), kept.until_done);
    client.acknowledge(by_text("window").expect("window"));
    assert_eq!(client.text("MQ.PUSH orders x DEDUP window"), kept.window);
    assert_eq!(client.number("MQ.REDRIVE {orders}:dead TO orders"), 1);
    let again = client.pull("orders");
    assert_eq!((again.text(), &*again.more["last_error"]), ("dead", "poison"));
    assert!(again.more.contains_key("headers") && again.more["priority"] == "5");

    assert_eq!(client.number(&format!("MQ.DEL orders {}", kept.delayed)), 1);
    while client.number("MQ.LEN orders") < 11 {
        client.push("orders", "x");
    }
    let error = client.refused("MQ.PUSH orders x");
    assert!(error.starts_with("QUEUEFULL "), "{error}");
    client.ask("MQ.RESUME paused");
    client.pull("paused");
    client.ask("MQ.CONFIG limited RATE 3");
    client.pull("limited");
}

#[test]
fn all_of_it_is_kept_in_the_append_only_file() {
    let mut server = Server::start_with_append_only_file();
    let kept = fill(&mut server.client());
    server.kill_and_start_again();
    is_kept(&mut server.client(), &kept);
    goes_on(&mut server.client(), &kept);
}

#[test]
fn all_of_it_is_kept_in_a_rewritten_file() {
    for preamble in ["yes", "no"] {
        let mut server = Server::start_with_preamble(preamble);
        let mut client = server.client();
        let kept = fill(&mut client);
        client.ask("BGREWRITEAOF");
        server.wait_for_rewrite();
        server.kill_and_start_again();
        is_kept(&mut server.client(), &kept);
        goes_on(&mut server.client(), &kept);
    }
}

#[test]
fn all_of_it_is_kept_in_a_snapshot() {
    let mut server = Server::start();
    let kept = fill(&mut server.client());
    server.restart_with_snapshot();
    is_kept(&mut server.client(), &kept);
    goes_on(&mut server.client(), &kept);
}

#[test]
fn all_of_it_goes_on_at_a_promoted_replica() {
    let mut server = Server::start();
    let replica = server.start_replica();
    let kept = fill(&mut server.client());
    same_data(&mut server.client(), &mut replica.client(), "filling");
    server.kill();
    let mut copy = replica.client();
    copy.ask("REPLICAOF NO ONE");
    is_kept(&mut copy, &kept);
    goes_on(&mut copy, &kept);
}

#[test]
fn all_of_it_goes_on_at_a_replica_that_joined_late() {
    let mut server = Server::start();
    let kept = fill(&mut server.client());
    let replica = server.start_replica();
    same_data(&mut server.client(), &mut replica.client(), "the first synchronization");
    server.kill();
    let mut copy = replica.client();
    copy.ask("REPLICAOF NO ONE");
    is_kept(&mut copy, &kept);
    goes_on(&mut copy, &kept);
}

#[test]
fn what_ends_by_time_ends_at_a_promoted_replica_with_nobody_talking() {
    let mut server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    client.ask("MQ.PUSH orders one TTL 1500");
    client.ask("MQ.PUSH orders two GROUP ann TTL 1500");
    client.ask("MQ.PUSH orders three DEDUP key WINDOW 1500");
    client.ask("MQ.PUSH mails one TTL 1500 GROUP ann");
    client.ask("MQ.PUSH mails two GROUP ann");
    let held = client.pull(&format!("mails {LONG}"));
    nack(&mut client, &held, "DELAY 3600000");
    same_data(&mut client, &mut copy, "the pushes");
    server.kill();
    copy.ask("REPLICAOF NO ONE");
    let waiting = replica.waiting("MQ.PULL mails BLOCK 0");
    eventually("lives end", || copy.number("EXISTS mq:{orders}:expiring") == 0);
    eventually("the key is released", || copy.number("EXISTS mq:{orders}:dedup") == 0);
    assert_eq!(copy.lengths("orders"), [1, 0, 0]);
    assert_eq!(waiting.message().0.text(), "two");
}

#[test]
fn what_ended_while_the_server_was_down_has_ended() {
    let mut server = Server::start_with_append_only_file();
    let mut client = server.client();
    client.ask("MQ.PUSH orders one TTL 200");
    client.ask("MQ.PUSH orders two GROUP ann TTL 200");
    client.ask("MQ.PUSH orders three DELAY 200");
    client.ask("MQ.CONFIG orders RATE 1 RATEPERIOD 200");
    client.ask("MQ.CONFIG mails RATE 1 RATEPERIOD 200");
    client.ask("MQ.MPUSH mails 2 one two");
    client.pull(&format!("mails {LONG}"));
    let end = now_ms() + 200;
    server.kill();
    sleep_until_ms(end);
    server.start_again();
    let mut client = server.client();
    assert_eq!(client.pull("mails").text(), "two");
    assert_eq!(client.pull("orders").text(), "three");
    assert_eq!(client.lengths("orders"), [0, 1, 0]);
}
