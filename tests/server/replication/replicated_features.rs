//! The replication stream of the commands with options and of those that manage a queue: one op for
//! what changed state, nothing for what did not.

use crate::harness::*;

const ORDERS: &str = "MQ.APPLY orders";
const LONG: &str = "VISIBILITY 3600000";

/// Runs a command; returns its reply and what was replicated.
fn replicated(
    client: &mut Client,
    stream: &mut ReplicationStream,
    line: &str,
) -> (Result<Value, String>, Vec<String>) {
    let reply = client.reply_to(line);
    (reply, stream.take_names())
}

#[test]
fn every_writing_command_with_every_option_is_one_op() {
    let server = Server::start();
    let mut client = server.client();
    let mut stream = server.replication_stream();
    let later = now_ms() + 3_600_000;
    for line in [
        format!("MQ.PUSH orders x AT {later}"),
        "MQ.PUSH orders x AT 0".into(),
        "MQ.PUSH orders x TTL 3600000".into(),
        "MQ.PUSH orders x PRIORITY 5".into(),
        "MQ.PUSH orders x GROUP a".into(),
        "MQ.PUSH orders x DEDUP k".into(),
        "MQ.PUSH orders x DEDUP l UNTILDONE".into(),
        "MQ.PUSH orders x HEADERS 1 a b".into(),
        "MQ.PUSH orders x DELAY 3600000 TTL 7200000 GROUP b DEDUP m WINDOW 3600000".into(),
        "MQ.MPUSH orders 1 x".into(),
        "MQ.MPUSH orders 3 x y z".into(),
        "MQ.MPUSH orders 3 x y z GROUP a TTL 3600000 HEADERS 1 a b".into(),
        "MQ.CONFIG orders GROUPINFLIGHT 5 AGING 5 MAXLEN 500 DEDUPWINDOW 5 TTL 3600000".into(),
        format!("MQ.PULL orders COUNT 5 {LONG} CONSUMER me"),
        "MQ.PULL orders COUNT 2 NOACK".into(),
        "MQ.PAUSE orders".into(),
        "MQ.RESUME orders".into(),
        "MQ.PAUSE orders FOR 3600000".into(),
        "MQ.PURGE orders".into(),
        "MQ.DROP orders".into(),
    ] {
        let (reply, names) = replicated(&mut client, &mut stream, &line);
        assert!(reply.is_ok(), "{line}: {reply:?}");
        assert_eq!(names, [ORDERS], "{line}");
    }
}

#[test]
fn commands_on_single_messages_are_one_op() {
    let server = Server::start();
    let mut client = server.client();
    let mut stream = server.replication_stream();
    let delayed = client.text("MQ.PUSH orders x DELAY 3600000");
    let ids = strings(&client.ask("MQ.MPUSH orders 4 a b c d"));
    let moment = now_ms() + 7_200_000;
    stream.take();
    for line in [
        format!("MQ.RESCHEDULE orders {delayed} AT {moment}"),
        format!("MQ.RESCHEDULE orders {delayed} DELAY 3600000"),
        format!("MQ.RESCHEDULE orders {delayed} DELAY 0"),
        format!("MQ.DEL orders {}", ids[0]),
        format!("MQ.DEL orders {} nonsense {}", ids[1], ids[2]),
    ] {
        let (reply, names) = replicated(&mut client, &mut stream, &line);
        assert!(reply.is_ok(), "{line}: {reply:?}");
        assert_eq!(names, [ORDERS], "{line}");
    }
    assert_eq!(client.lengths("orders"), [2, 0, 0]);
}

#[test]
fn what_changes_nothing_replicates_nothing() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXLEN 4");
    let ready = client.text("MQ.PUSH orders x DEDUP k");
    client.ask("MQ.PUSH orders x DEDUP l UNTILDONE GROUP a");
    let moment = now_ms() + 3_600_000;
    let delayed = client.text(&format!("MQ.PUSH orders x AT {moment}"));
    client.ask("MQ.PUSH orders x PRIORITY 1");
    client.ask("SET mq:{wrong}:ready x");
    client.ask("MQ.PUSH paused x");
    client.ask("MQ.PAUSE paused");
    let mut stream = server.replication_stream();
    for line in [
        "MQ.PUSH orders x DEDUP k".to_string(),
        "MQ.PUSH orders x DEDUP l WINDOW 5".into(),
        "MQ.PUSH orders x".into(),
        "MQ.PUSH orders x DEDUP other".into(),
        "MQ.MPUSH orders 2 x y".into(),
        "MQ.MPUSH orders 2 x".into(),
        "MQ.PUSH orders x PRIORITY 10".into(),
        "MQ.PUSH orders x HEADERS 2 a b a c".into(),
        "MQ.PUSH orders x DELAY 1 AT 1".into(),
        "MQ.MPUSH wrong 1 x".into(),
        "MQ.PUSH wrong x".into(),
        "MQ.PEEK orders".into(),
        "MQ.PEEK orders INFLIGHT".into(),
        "MQ.PEEK orders DELAYED OFFSET 1 COUNT 5".into(),
        "MQ.PEEK orders COUNT 0".into(),
        format!("MQ.GET orders {ready}"),
        "MQ.GET orders nonsense".into(),
        format!("MQ.RESCHEDULE orders {delayed} AT {moment}"),
        format!("MQ.RESCHEDULE orders {ready} DELAY 0"),
        "MQ.RESCHEDULE orders nonsense DELAY 0".into(),
        format!("MQ.RESCHEDULE orders {delayed} DELAY x"),
        "MQ.DEL orders nonsense".into(),
        format!("MQ.DEL mails {ready}"),
        "MQ.PURGE mails".into(),
        "MQ.DROP mails".into(),
        "MQ.PURGE wrong".into(),
        "MQ.RESUME orders".into(),
        "MQ.PULL paused".into(),
        "MQ.PULL paused COUNT 5 NOACK".into(),
        "MQ.CHECK orders".into(),
        "MQ.INFO orders".into(),
    ] {
        let (reply, names) = replicated(&mut client, &mut stream, &line);
        assert_eq!(names, [""; 0], "{line} replied {reply:?}");
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
