//! The replication stream of the commands with options and of those that manage a queue: one op for
//! what changed state, nothing for what did not.

use crate::harness::*;

const ORDERS: &str = "MQ.APPLY orders";
const LONG: &str = "VISIBILITY 3600000";

#[test]
fn every_writing_command_with_every_option_is_one_op() {
    let server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    let mut stream = server.replication_stream();
    let later = now_ms() + 3_600_000;
    for line in [
        format!("MQ.PUSH orders x AT {later}"),
        "MQ.PUSH orders x AT 0".into(),
        "MQ.PUSH orders x TTL 3600000".into(),
        "MQ.PUSH orders x PRIORITY 5".into(),
        "MQ.PUSH orders x PRIORITY 5 TTL 3600000 HEADERS 1 a b".into(),
        "MQ.PUSH orders x GROUP a".into(),
        "MQ.PUSH orders x DEDUP k".into(),
        "MQ.PUSH orders x DEDUP l UNTILDONE".into(),
        "MQ.PUSH orders x HEADERS 1 a b".into(),
        "MQ.PUSH orders x DELAY 3600000 TTL 7200000 GROUP b DEDUP m WINDOW 3600000".into(),
        "MQ.MPUSH orders 1 x".into(),
        "MQ.MPUSH orders 3 x y z".into(),
        "MQ.MPUSH orders 3 x y z GROUP a TTL 3600000 HEADERS 1 a b".into(),
        "MQ.CONFIG orders GROUPINFLIGHT 5 AGING 5 MAXLEN 500 DEDUPWINDOW 5 TTL 3600000".into(),
        "MQ.CONFIG orders RATE 100 RATEPERIOD 3600000 GROUPINFLIGHT 2".into(),
        "MQ.CONFIG orders GROUPINFLIGHT 1".into(),
        format!("MQ.PULL orders COUNT 5 {LONG} CONSUMER me"),
        "MQ.PULL orders COUNT 2 NOACK".into(),
        format!("MQ.MPULL 2 nothing orders {LONG}"),
        "MQ.PAUSE orders".into(),
        "MQ.RESUME orders".into(),
        "MQ.PAUSE orders FOR 3600000".into(),
        "MQ.PURGE orders READY".into(),
        "MQ.PURGE orders DELAYED".into(),
        "MQ.PURGE orders".into(),
        "MQ.DROP orders".into(),
    ] {
        client.ask(&line);
        assert_eq!(stream.take_names(), [ORDERS], "{line}");
        same_data(&mut client, &mut copy, &line);
    }
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn commands_on_single_messages_are_one_op() {
    let server = Server::start();
    let mut client = server.client();
    let mut stream = server.replication_stream();
    let delayed = client.text("MQ.PUSH orders x DELAY 3600000");
    let ids = strings(&client.ask("MQ.MPUSH orders 4 a b c d"));
    let due = now_ms() + 7_200_000;
    stream.take();
    for line in [
        format!("MQ.RESCHEDULE orders {delayed} AT {due}"),
        format!("MQ.RESCHEDULE orders {delayed} DELAY 3600000"),
        format!("MQ.RESCHEDULE orders {delayed} DELAY 0"),
        format!("MQ.DEL orders {}", ids[0]),
        format!("MQ.DEL orders {} nonsense {}", ids[1], ids[2]),
    ] {
        client.ask(&line);
        assert_eq!(stream.take_names(), [ORDERS], "{line}");
    }
    assert_eq!(client.lengths("orders"), [2, 0, 0]);
}

#[test]
fn what_changes_nothing_replicates_nothing() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PUSH orders one DEDUP key");
    client.ask("MQ.PUSH orders two DEDUP job UNTILDONE GROUP a");
    client.ask("MQ.PUSH full x");
    client.ask("MQ.CONFIG full MAXLEN 1 GROUPINFLIGHT 3");
    client.ask("MQ.PUSH paused x");
    client.ask("MQ.PAUSE paused");
    client.ask("SET mq:{wrong}:ready x");
    let held = client.pull(&format!("orders {LONG}"));
    let ready = client.text("MQ.PUSH orders x PRIORITY 1");
    let due = now_ms() + 3_600_000;
    let delayed = client.text(&format!("MQ.PUSH orders x AT {due}"));
    let mut stream = server.replication_stream();
    for line in [
        "MQ.PUSH orders x DEDUP key".to_string(),
        "MQ.PUSH orders x DEDUP key UNTILDONE".into(),
        "MQ.PUSH orders x DEDUP job WINDOW 5".into(),
        "MQ.PUSH orders x PRIORITY 10".into(),
        "MQ.PUSH orders x HEADERS 2 a b a c".into(),
        "MQ.PUSH orders x DELAY 1 AT 1".into(),
        "MQ.PUSH full x".into(),
        "MQ.PUSH full x DEDUP other".into(),
        "MQ.MPUSH full 2 x y".into(),
        "MQ.MPUSH orders 2 x".into(),
        "MQ.MPUSH wrong 1 x".into(),
        "MQ.PUSH wrong x".into(),
        "MQ.PULL paused".into(),
        "MQ.PULL paused BLOCK 5".into(),
        "MQ.PULL paused COUNT 5 NOACK".into(),
        "MQ.PULL orders ACK 2 x y x y BLOCK 5 NOACK COUNT 0".into(),
        "MQ.MPULL 2 paused nothing".into(),
        "MQ.MPULL 2 paused nothing BLOCK 5".into(),
        format!("MQ.NACK orders {} 0000000000000001 DEAD REASON x", held.id),
        format!("MQ.NACK orders IDS 2 x y {} 0000000000000001 NOCOUNT", held.id),
        "MQ.DEL orders nonsense 01a2074d-d1ff-73c1-8081-6de19d676146".into(),
        format!("MQ.DEL nothing {ready}"),
        format!("MQ.RESCHEDULE orders {} DELAY 0", held.id),
        format!("MQ.RESCHEDULE orders {delayed} AT {due}"),
        format!("MQ.RESCHEDULE orders {ready} DELAY 0"),
        "MQ.RESCHEDULE orders nonsense DELAY 0".into(),
        format!("MQ.RESCHEDULE orders {delayed} DELAY x"),
        "MQ.REDRIVE {orders}:dead TO orders".into(),
        "MQ.RESUME orders".into(),
        "MQ.PURGE nothing".into(),
        "MQ.PURGE nothing READY".into(),
        "MQ.PURGE nothing DELAYED".into(),
        "MQ.DEL orders DEDUP none".into(),
        "MQ.DROP nothing".into(),
        "MQ.PURGE wrong".into(),
        "MQ.PEEK orders".into(),
        "MQ.PEEK orders INFLIGHT".into(),
        "MQ.PEEK orders DELAYED OFFSET 1 COUNT 5".into(),
        "MQ.PEEK orders COUNT 0".into(),
        format!("MQ.GET orders {}", held.id),
        "MQ.GET orders nonsense".into(),
        "MQ.INFO orders".into(),
        "MQ.CHECK orders".into(),
        "MQ.CHECK orders REPAIR".into(),
    ] {
        // Refused or not: what counts is what the replicas get.
        let reply = client.reply_to(&line);
        assert_eq!(stream.take_names(), [""; 0], "{line} replied {reply:?}");
    }
    client.ask("DEL mq:{wrong}:ready");
    client.ask("MQ.PULL orders");
    assert_eq!(stream.take_names().last().map(String::as_str), Some(ORDERS), "the stream works");
}

#[test]
fn an_option_set_again_to_what_it_is_replicates_nothing_that_matters() {
    let server = Server::start();
    let replica = server.start_replica();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders GROUPINFLIGHT 3");
    client.ask("MQ.MPUSH orders 5 a b c d e GROUP g");
    let before = client.text("DEBUG DIGEST");
    client.ask("MQ.CONFIG orders GROUPINFLIGHT 3");
    assert_eq!(client.text("DEBUG DIGEST"), before);
    same_data(&mut client, &mut replica.client(), "the same setting");
}

#[test]
fn what_the_timer_discards_is_replicated() {
    let server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    let mut stream = server.replication_stream();
    client.ask("MQ.PUSH orders x TTL 100 DEDUP k UNTILDONE GROUP a");
    stream.take();
    eventually("it is discarded", || client.number("DBSIZE") == 0);
    assert_eq!(stream.take_names(), [ORDERS]);
    client.ask("MQ.PUSH orders x DEDUP k WINDOW 100 PRIORITY 1");
    stream.take();
    eventually("the key is forgotten", || client.number("EXISTS mq:{orders}:dedup") == 0);
    assert_eq!(stream.take_names(), [ORDERS]);
    same_data(&mut client, &mut copy, "both");
}

#[test]
fn a_replica_discards_nothing_by_itself() {
    let server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    client.ask("MQ.PUSH orders x TTL 500 GROUP a");
    client.ask("MQ.PUSH orders y DEDUP k WINDOW 500 PRIORITY 1");
    same_data(&mut client, &mut copy, "the pushes");
    let digest = copy.text("DEBUG DIGEST");
    copy.ask("REPLICAOF 127.0.0.1 1");
    sleep_until_ms(now_ms() + 600);
    copy.ask("MQ.PEEK orders");
    assert_eq!(copy.text("DEBUG DIGEST"), digest);
    copy.ask("REPLICAOF NO ONE");
    eventually("it is discarded now", || copy.number("MQ.LEN orders") == 1);
    eventually("the key is forgotten", || copy.number("EXISTS mq:{orders}:dedup") == 0);
}

#[test]
fn a_transaction_of_management_commands_is_replicated_as_one() {
    let server = Server::start();
    let mut client = server.client();
    let id = client.text("MQ.PUSH orders x DELAY 3600000");
    let mut stream = server.replication_stream();
    let lines = [
        "MULTI".to_string(),
        "MQ.MPUSH orders 2 a b GROUP g".into(),
        format!("MQ.RESCHEDULE orders {id} DELAY 0"),
        "MQ.PEEK orders".into(),
        format!("MQ.DEL orders {id}"),
        "MQ.DROP orders".into(),
        "EXEC".into(),
    ];
    let replies = client.pipeline(&lines);
    let replies = items(replies[6].as_ref().expect("the replies")).to_vec();
    assert_eq!(items(&replies[2]).len(), 3);
    assert_eq!(replies[3..], [Value::Int(1), Value::Int(1)]);
    let mut expected = vec!["MULTI"];
    expected.extend([ORDERS; 4]);
    expected.push("EXEC");
    assert_eq!(stream.take_names(), expected);
}

#[test]
fn a_stream_with_options_replayed_on_an_empty_server_gives_the_same_data() {
    let server = Server::start();
    let other = Server::start();
    let mut client = server.client();
    let mut stream = server.replication_stream();
    for line in [
        "MQ.CONFIG orders RATE 100 RATEPERIOD 3600000 MAXINFLIGHT 50",
        "MQ.MPUSH orders 3 a b c GROUP ann",
        "MQ.PUSH orders d PRIORITY 3 DEDUP job UNTILDONE HEADERS 1 a b",
        "MQ.PUSH orders e GROUP bob DELAY 3600000 TTL 7200000",
        "MQ.PULL orders COUNT 3 CONSUMER ann VISIBILITY 3600000",
        "MQ.PULL orders NOACK",
        "MQ.PAUSE orders FOR 3600000",
    ] {
        client.ask(line);
    }
    let inflight = client.ask("MQ.PEEK orders INFLIGHT");
    assert_eq!(client.number(&format!("MQ.DEL orders {}", id_of(&items(&inflight)[0]))), 1);
    let mut copy = other.client();
    for command in stream.take() {
        copy.reply(&command).expect("an op applied");
    }
    assert_eq!(copy.text("DEBUG DIGEST"), client.text("DEBUG DIGEST"));
}

fn id_of(message: &Value) -> String {
    text_of(&entries(message)[0].1)
}

/// One random command; `deliveries` are some that were made.
fn random_line(random: &mut fastrand::Rng, deliveries: &[Message], round: u32) -> String {
    let queue = ["orders", "mails"][random.usize(0..2)];
    let short = random.u8(1..40);
    let claim = match deliveries.len() {
        0 => "orders nonsense 0000000000000000".to_string(),
        n => deliveries[random.usize(0..n)].delivery(),
    };
    let id = claim.split(' ').nth(1).expect("an id");
    let name = ["ann", "bob", "cid"][random.usize(0..3)];
    match random.u8(0..24) {
        0..=1 => format!("MQ.PUSH {queue} {round} PRIORITY {}", random.u8(0..10)),
        2..=3 => format!("MQ.PUSH {queue} {round} GROUP {name}"),
        4 => format!("MQ.PUSH {queue} {round} GROUP {name} DELAY {short} TTL {}", short * 2),
        5 => format!("MQ.PUSH {queue} {round} TTL {short} HEADERS 1 a b"),
        6 => format!("MQ.PUSH {queue} {round} DEDUP {name} WINDOW {short}"),
        7 => format!("MQ.PUSH {queue} {round} DEDUP {name} UNTILDONE GROUP {name}"),
        8 => format!("MQ.MPUSH {queue} 3 a b c GROUP {name}"),
        9..=11 => format!("MQ.PULL {queue} COUNT 3 VISIBILITY {short} CONSUMER {name}"),
        12 => format!("MQ.PULL {queue} COUNT 2 VISIBILITY {short} BLOCK 5"),
        13 => format!("MQ.MPULL 2 mails orders COUNT 2 VISIBILITY {short}"),
        14 => format!("MQ.ACK {claim}"),
        15 => format!("MQ.NACK {claim} NOCOUNT REASON why"),
        16 => format!("MQ.NACK {claim} DEAD"),
        17 => format!("MQ.NACK {claim} DELAY {short}"),
        18 => format!("MQ.REDRIVE {{{queue}}}:dead COUNT 3 TO {queue}"),
        19 => format!("MQ.PAUSE {queue} FOR {short}"),
        20 => format!("MQ.DEL {queue} {id}"),
        21 => format!("MQ.RESCHEDULE {queue} {id} DELAY {}", random.u8(0..2) * short),
        22 => {
            let (rate, limit) = (random.u8(0..6), random.u8(0..6));
            let groups = random.u8(1..3);
            let limits = format!("RATE {rate} RATEPERIOD {short} MAXINFLIGHT {limit}");
            format!("MQ.CONFIG {queue} {limits} GROUPINFLIGHT {groups} MAXRETRIES {groups}")
        }
        _ if round.is_multiple_of(40) => format!("MQ.PURGE {queue}"),
        _ => format!("MQ.PULL {queue} VISIBILITY {short}"),
    }
}

#[test]
fn random_commands_leave_master_replica_and_file_the_same() {
    let mut server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let mut client = server.client();
    let seed = 20_250_228;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut deliveries: Vec<Message> = Vec::new();
    for round in 0..2_000 {
        let line = random_line(&mut random, &deliveries, round);
        let reply = client.reply_to(&line);
        let is_pull = line.contains("PULL") && line.contains("COUNT");
        if let (true, Ok(Value::Array(batch))) = (is_pull, &reply) {
            deliveries.extend(batch.iter().map(Message::from));
            let keep = deliveries.len().saturating_sub(20);
            deliveries.drain(..keep);
        }
        if let Err(error) = reply {
            let code = error.split(' ').next().expect("a code");
            let is_expected = ["NOTFOUND", "BADRECEIPT"].contains(&code)
                || error == "ERR a dead letter can't be sent to the dead-letter queue";
            assert!(is_expected, "{line}: {error} (seed {seed})");
        }
    }
    let counters = client.info("mq");
    for counter in
        ["expired", "dead", "nacked", "ttl_expired", "deduplicated", "redriven", "deleted"]
    {
        assert_ne!(counters[&format!("mq_{counter}")], "0", "{counter} (seed {seed})");
    }
    // All that ends by time ends within 100 ms, the settings stay.
    for queue in ["orders", "mails"] {
        client.ask(&format!("MQ.PAUSE {queue}"));
    }
    eventually("nothing is due any more", || {
        let count =
            |part: &str| -> usize { strings(&client.ask(&format!("KEYS mq:*:{part}"))).len() };
        ["flight", "delayed", "expiring", "deduped"].map(count).iter().sum::<usize>() == 0
    });
    same_data(&mut client, &mut replica.client(), &format!("2,000 commands (seed {seed})"));
    let digest = client.text("DEBUG DIGEST");
    server.kill_and_start_again();
    assert_eq!(server.client().text("DEBUG DIGEST"), digest);
}
