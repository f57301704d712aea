//! MQ.LEN ... DEAD and MQ.PEEK ... DEAD look into the queue's dead-letter queue.

use crate::harness::*;

#[test]
fn a_queue_shows_the_messages_of_its_dead_letter_queue() {
    let server = Server::start();
    let mut client = server.client();
    for payload in ["one", "two", "three"] {
        client.push_dead("orders", payload);
    }
    client.push("orders", "alive");
    client.pull("{orders}:dead");
    if !facts().separates_key_permissions() {
        for line in ["MQ.LEN orders DEAD", "MQ.PEEK orders DEAD"] {
            assert_eq!(
                client.refused(line),
                "ERR this server can't check the permission on the dead-letter queue, ask for \
                 {orders}:dead"
            );
        }
        return;
    }
    assert_eq!(client.number("MQ.LEN orders DEAD"), 3);
    assert_eq!(client.number("MQ.LEN orders dead"), 3);
    assert_eq!(client.peek_texts("orders DEAD"), ["two", "three"]);
    assert_eq!(client.peek_texts("orders OFFSET 1 DEAD COUNT 1"), ["three"]);
    assert_eq!(client.peek("orders DEAD")[0]["queue"], "{orders}:dead");
    assert_eq!(client.number("MQ.LEN {orders}:dead DEAD"), 0, "dead letters don't die");
    assert_eq!(client.number("MQ.LEN nothing DEAD"), 0);
    assert_eq!(client.peek_texts("nothing DEAD").len(), 0);

    client.ask("MQ.CONFIG orders DEADLETTER graves");
    assert_eq!(client.number("MQ.LEN orders DEAD"), 0);
    client.push_dead("orders", "four");
    assert_eq!(client.peek_texts("orders DEAD"), ["alive"], "the first that was pulled");
    client.ask("SET mq:{graves}:flight text");
    for line in ["MQ.LEN orders DEAD", "MQ.PEEK orders DEAD"] {
        let error = client.refused(line);
        assert!(error.starts_with("WRONGTYPE "), "{error}");
    }
    client.ask("DEL mq:{graves}:flight");
    let long = "q".repeat(510);
    for line in [format!("MQ.LEN {long} DEAD"), format!("MQ.PEEK {long} DEAD")] {
        let error = client.refused(&line);
        assert_eq!(error, "ERR the queue's name is too long for a dead-letter queue");
    }
}

#[test]
fn the_user_needs_the_permission_for_the_dead_letter_queue() {
    if !facts().separates_key_permissions() {
        return;
    }
    let server = Server::start();
    server.client().push_dead("orders", "one");
    let script = "return redis.call('MQ.LEN', KEYS[1], 'DEAD')";
    let mut alice = server.client_of_user("~orders %W~{orders}:d* +mq.len +mq.peek +eval");
    assert_eq!(alice.number("MQ.LEN orders DEAD"), 1, "a number needs any permission on the key");
    let refused = "NOPERM no permission on the queue's dead-letter queue";
    assert_eq!(alice.refused("MQ.PEEK orders DEAD"), refused);
    assert_eq!(alice.reply(&["EVAL", script, "1", "orders"]), Ok(Value::Int(1)));
    let mut alice = server.client_of_user("~orders +mq.len +mq.peek +eval");
    for line in ["MQ.LEN orders DEAD", "MQ.PEEK orders DEAD"] {
        assert_eq!(alice.refused(line), refused);
    }
    let error = alice.reply(&["EVAL", script, "1", "orders"]).expect_err("an error");
    assert!(error.contains("NOPERM"), "{error}");
    let mut alice = server.client_of_user("~orders %R~{orders}:dead +mq.len +mq.peek");
    assert_eq!(alice.number("MQ.LEN orders DEAD"), 1);
    assert_eq!(alice.peek_texts("orders DEAD"), ["one"]);
}

#[test]
fn in_cluster_mode_the_dead_letter_queue_is_in_the_same_slot() {
    let server = Server::start_in_cluster_mode();
    let mut client = server.client();
    client.push_dead("orders", "one");
    // What a server without cluster may have stored.
    client.ask("HSET mq:{mails}:config deadletter graves");
    for line in ["MQ.LEN mails DEAD", "MQ.PEEK mails DEAD"] {
        let error = client.refused(line);
        assert!(error.starts_with("CROSSSLOT "), "{error}");
    }
    if facts().separates_key_permissions() {
        assert_eq!(client.number("MQ.LEN orders DEAD"), 1);
        assert_eq!(client.peek_texts("orders DEAD"), ["one"]);
    }
}
