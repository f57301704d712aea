//! MQ.EXTEND ... CONSUMER: all that a consumer holds.

use crate::harness::*;

const HOUR: &str = "VISIBILITY 3600000";

/// The ends of what is in flight, by payload.
fn ends(client: &mut Client) -> Vec<(String, i64)> {
    let shown = client.peek("orders INFLIGHT COUNT 1000");
    let end = |shown: &Shown| shown["visibility_until"].parse().expect("a time");
    shown.iter().map(|shown| (shown["payload"].clone(), end(shown))).collect()
}

#[test]
fn what_the_consumer_holds_is_extended_and_nothing_else() {
    let mut server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    client.ask("MQ.MPUSH orders 6 a1 a2 b1 none acked nacked");
    client.ask(&format!("MQ.PUSH orders {} PRIORITY 1", "x".repeat(5_000)));
    client.pull_batch(&format!("orders COUNT 1 {HOUR} CONSUMER ann"));
    client.pull_batch(&format!("orders COUNT 2 {HOUR} CONSUMER ann"));
    client.pull(&format!("orders {HOUR} CONSUMER anna"));
    client.pull(&format!("orders {HOUR}"));
    let done = client.pull_batch(&format!("orders COUNT 2 {HOUR} CONSUMER ann"));
    client.ask("MQ.PUSH orders group GROUP a");
    client.pull(&format!("orders {HOUR} CONSUMER ann"));
    client.acknowledge(&done[0]);
    client.nack(&done[1]);
    let before = now_ms();
    assert_eq!(client.number("MQ.EXTEND orders CONSUMER ann VISIBILITY 7200000"), 4);
    let extended: Vec<String> = ends(&mut client)
        .into_iter()
        .filter(|(_, end)| *end >= before + 7_200_000)
        .map(|(payload, _)| payload.chars().take(5).collect())
        .collect();
    assert_eq!(extended, ["xxxxx", "a1", "a2", "group"]);
    // Without VISIBILITY it only gets longer.
    let longest = ends(&mut client);
    assert_eq!(client.number("MQ.EXTEND orders consumer ann"), 4);
    assert_eq!(ends(&mut client), longest);
    assert_eq!(client.number("MQ.EXTEND orders CONSUMER anna VISIBILITY 1"), 1);
    assert_eq!(client.number("MQ.EXTEND orders CONSUMER an"), 0);
    assert_eq!(client.number("MQ.EXTEND nothing CONSUMER ann"), 0);
    same_data(&mut client, &mut copy, "the extensions");
    server.kill_and_start_again();
    assert_eq!(server.client().number("MQ.EXTEND orders CONSUMER ann VISIBILITY 5"), 4);
}

#[test]
fn others_have_their_turn_while_many_are_read() {
    let server = Server::start();
    let replica = server.start_replica();
    let mut client = server.client();
    for _ in 0..20 {
        let pushes: Vec<String> = (0..1_000).map(|n| format!("MQ.PUSH orders {n}")).collect();
        client.pipeline(&pushes);
        client.ask(&format!("MQ.PULL orders COUNT 990 {HOUR} CONSUMER ann"));
        client.ask(&format!("MQ.PULL orders COUNT 10 {HOUR} CONSUMER bob"));
    }
    let mut extending = server.waiting("MQ.EXTEND orders CONSUMER bob VISIBILITY 7200000");
    assert_eq!(extending.reply(), Ok(Value::Int(200)));
    // Inside a transaction and in scripts all at once.
    let line = "MQ.EXTEND orders CONSUMER ann VISIBILITY 7200000".to_string();
    let replies = client.pipeline(&["MULTI".to_string(), line, "EXEC".to_string()]);
    assert_eq!(replies[2], Ok(Value::Array(vec![Value::Int(19_800)])));
    let script = "return redis.call('MQ.EXTEND', KEYS[1], 'CONSUMER', 'bob')";
    assert_eq!(client.reply(&["EVAL", script, "1", "orders"]), Ok(Value::Int(200)));
    same_data(&mut client, &mut replica.client(), "the extensions");
}

#[test]
fn a_search_ends_with_its_connection() {
    let server = Server::start();
    let mut client = server.client();
    for _ in 0..10 {
        let pushes: Vec<String> = (0..1_000).map(|n| format!("MQ.PUSH orders {n}")).collect();
        client.pipeline(&pushes);
        client.ask(&format!("MQ.PULL orders COUNT 1000 {HOUR} CONSUMER ann"));
    }
    server.waiting("MQ.EXTEND orders CONSUMER ann").hang_up();
    assert_eq!(client.number("MQ.EXTEND orders CONSUMER ann"), 10_000);
    assert_eq!(client.lengths("orders"), [0, 10_000, 0]);
}

#[test]
fn wrong_forms_are_refused() {
    let server = Server::start();
    server.damaged_on_purpose();
    let mut client = server.client();
    let long = "x".repeat(257);
    for (line, expected) in [
        (
            "MQ.EXTEND orders CONSUMER ann 5",
            "ERR '5' is not an option of MQ.EXTEND, did you mean VISIBILITY 5?",
        ),
        ("MQ.EXTEND orders CONSUMER ann VISIBILITY 0", "ERR VISIBILITY must be an integer from 1 "),
        (&format!("MQ.EXTEND orders CONSUMER {long}"), "ERR CONSUMER must be 1 to 256 bytes"),
    ] {
        let error = client.refused(line);
        assert!(error.starts_with(expected), "{line}: {error}");
    }
    client.ask("SET mq:{orders}:notes x");
    let error = client.refused("MQ.EXTEND orders CONSUMER ann");
    assert!(error.starts_with("WRONGTYPE ") && error.contains("mq:{orders}:notes"), "{error}");
}
