//! MQ.PEEK INFLIGHT while the order in which deliveries end is not known, after a load: it is read in slices,
//! between which others have their turn.

use crate::harness::*;

const MESSAGES: i64 = 200_000;

const PEEK: &str = "MQ.PEEK orders INFLIGHT OFFSET 199000 COUNT 1000";

/// Puts that many messages in flight, so that those which were pushed last end first.
fn put_in_flight(client: &mut Client) {
    // In a script, since a client would take longer to read the replies.
    let script = "
        local batch = {}
        for n = 1, 1000 do batch[n] = 'x' end
        for n = 1, ARGV[1] / 1000 do
            redis.call('MQ.MPUSH', KEYS[1], 1000, unpack(batch))
            redis.call('MQ.PULL', KEYS[1], 'COUNT', 1000, 'VISIBILITY', 3600000 - 10000 * n)
        end";
    client.reply(&["EVAL", script, "1", "orders", &MESSAGES.to_string()]).expect("messages");
}

fn ids(shown: &Value) -> Vec<String> {
    let id = |message: &Value| {
        let fields = entries(message);
        text_of(&fields.iter().find(|(name, _)| name == "id").expect("an id").1)
    };
    items(shown).iter().map(id).collect()
}

/// The ids of the last thousand that end, as the client is told.
fn last(client: &mut Client) -> Vec<String> {
    ids(&client.ask(PEEK))
}

/// Waits until a server knows in which order the deliveries end, with nobody looking at them.
fn wait_until_known(client: &mut Client) {
    eventually("the order is known", || client.queue_info("orders", "oldest_inflight_age_ms") > 0);
}

#[test]
fn others_are_served_while_the_order_is_read() {
    let server = Server::start();
    let mut client = server.client();
    put_in_flight(&mut client);
    let expected = last(&mut client);
    assert_eq!(expected.len(), 1_000);
    client.ask("DEBUG RELOAD");
    let mut peeking = server.waiting(PEEK);
    let mut first = server.waiting("MQ.PEEK orders INFLIGHT COUNT 1");
    assert_eq!(client.text("PING"), "PONG");
    client.push("orders", "new");
    assert_ne!(client.ask("MQ.PULL orders NOACK"), Value::Nil);
    peeking.still_waits();
    assert_eq!(ids(&peeking.reply().expect("messages")), expected);
    assert_eq!(ids(&first.reply().expect("a message")).len(), 1);
    assert_eq!(last(&mut client), expected);
    // The connection goes on as before.
    assert_eq!(last(&mut peeking.client()), expected);
}

#[test]
fn what_happens_meanwhile_is_in_the_reply() {
    let server = Server::start();
    let mut client = server.client();
    put_in_flight(&mut client);
    client.ask("MQ.MPUSH orders 3 one two three");
    let messages = client.pull_batch("orders COUNT 3 VISIBILITY 9000000");
    client.ask("DEBUG RELOAD");
    let mut peeking = server.waiting("MQ.PEEK orders INFLIGHT COUNT 1000");
    let [one, two, three] = &messages[..] else { panic!("not three: {messages:?}") };
    client.acknowledge(one);
    let extend = |message: &Message| {
        format!("MQ.EXTEND orders {} {} VISIBILITY 600000", message.id, message.receipt)
    };
    client.ask(&extend(two));
    client.push("orders", "four");
    let four = client.pull("orders VISIBILITY 700000");
    peeking.still_waits();
    let shown = ids(&peeking.reply().expect("messages"));
    assert_eq!(shown[..2], [two.id.clone(), four.id.clone()]);
    assert!(!shown.contains(&one.id));
    let end = client.ask(&format!("MQ.PEEK orders INFLIGHT OFFSET {} COUNT 9", MESSAGES + 2));
    assert_eq!(ids(&end), [three.id.as_str()]);
}

#[test]
fn a_client_that_may_not_wait_is_told_to_retry() {
    let server = Server::start();
    let mut client = server.client();
    put_in_flight(&mut client);
    client.ask("MQ.CONFIG orders MAXRETRIES -1");
    let expected = last(&mut client);
    let script = format!("return #redis.call('{}')", PEEK.replace(' ', "','"));
    let lines = "DEBUG RELOAD,MULTI,MQ.PULL orders,EXEC,MULTI,MQ.PEEK orders INFLIGHT,EXEC";
    let replies = client.pipeline(&lines.split(',').map(String::from).collect::<Vec<_>>());
    let in_script = client.reply(&["EVAL", &script, "0"]);
    assert_eq!(items(replies[3].as_ref().expect("a transaction")), [Value::Nil]);
    for refused in [replies[6].clone(), in_script] {
        let error = refused.expect_err("an error");
        assert!(error.contains("TRYAGAIN the order of the messages in flight"), "{error}");
    }
    // It comes true with nobody waiting for it.
    eventually("it is read", || client.reply(&["EVAL", &script, "0"]) == Ok(Value::Int(1_000)));
    assert_eq!(last(&mut client), expected);
}

#[test]
fn the_wait_ends_with_its_connection_and_can_be_unblocked() {
    let server = Server::start();
    let mut client = server.client();
    put_in_flight(&mut client);
    client.ask("DEBUG RELOAD");
    let peeking = server.waiting(PEEK);
    let mut other = server.waiting(PEEK);
    peeking.hang_up();
    assert_eq!(client.number(&format!("CLIENT UNBLOCK {}", other.id())), 1);
    let error = other.reply().expect_err("an error");
    assert!(error.starts_with("TRYAGAIN "), "{error}");
    assert_eq!(last(&mut client).len(), 1_000);
}

#[test]
fn a_queue_that_is_dropped_or_replaced_meanwhile_does_no_harm() {
    let server = Server::start();
    let mut client = server.client();
    put_in_flight(&mut client);
    for (line, left) in [
        ("RENAME mq:{orders}:flight mq:{others}:flight", 0),
        ("RENAME mq:{others}:flight mq:{orders}:flight", 1_000),
        ("SWAPDB 0 5", 0),
        ("SWAPDB 0 5", 1_000),
        ("MQ.DROP orders", 0),
    ] {
        if client.number("EXISTS mq:{orders}:flight") == 0 {
            client.ask(line);
            assert_eq!(last(&mut client).len(), left, "{line}");
            continue;
        }
        client.ask("DEBUG RELOAD");
        let mut peeking = server.waiting(PEEK);
        client.ask(line);
        assert_eq!(ids(&peeking.reply().expect("messages")).len(), left, "{line}");
    }
}

#[test]
fn a_replica_reads_the_order_in_slices() {
    let server = Server::start();
    let mut client = server.client();
    put_in_flight(&mut client);
    let expected = last(&mut client);
    let replica = server.start_replica();
    let mut copy = replica.client();
    let mut peeking = replica.waiting(PEEK);
    let lines = ["MULTI", PEEK, "EXEC"].map(String::from);
    let refused = copy.pipeline(&lines).remove(2).expect_err("an error");
    assert!(refused.contains("TRYAGAIN "), "{refused}");
    peeking.still_waits();
    assert_eq!(ids(&peeking.reply().expect("messages")), expected);
    same_data(&mut client, &mut copy, "the peek");
    // The next one reads it with nobody asking, and keeps it up to date.
    let other = server.start_replica();
    let mut other = other.client();
    wait_until_known(&mut other);
    client.push("orders", "new");
    let new = client.pull("orders VISIBILITY 60000");
    same_data(&mut client, &mut other, "the pull");
    assert_eq!(ids(&other.ask("MQ.PEEK orders INFLIGHT COUNT 1")), [new.id]);
    assert_eq!(last(&mut other), last(&mut client));
}

#[test]
fn a_promoted_replica_reads_on() {
    let mut server = Server::start();
    let mut client = server.client();
    put_in_flight(&mut client);
    client.push("orders", "one");
    let one = client.pull("orders VISIBILITY 9000000");
    let replica = server.start_replica();
    let mut copy = replica.client();
    let mut peeking = replica.waiting("MQ.PEEK orders INFLIGHT COUNT 1");
    server.kill();
    copy.ask("REPLICAOF NO ONE");
    peeking.still_waits();
    let extend = format!("MQ.EXTEND orders {} {} VISIBILITY 200", one.id, one.receipt);
    copy.ask(&extend);
    assert_eq!(copy.text("PING"), "PONG");
    let first = ids(&peeking.reply().expect("a message"));
    assert_eq!(first.len(), 1);
    let message = copy.pull("orders BLOCK 0");
    assert_eq!((message.id, message.retry_count), (one.id, 1));
    assert_eq!(last(&mut copy).len(), 1_000);
}

#[test]
fn clients_that_wait_do_not_keep_the_order_from_being_read() {
    let server = Server::start();
    let mut client = server.client();
    put_in_flight(&mut client);
    client.push("orders", "one");
    client.pull("orders VISIBILITY 500");
    client.ask("DEBUG RELOAD");
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    assert_eq!(waiting.message().0.text(), "one");
}
