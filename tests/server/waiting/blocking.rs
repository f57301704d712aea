//! MQ.PULL with BLOCK: what wakes a waiting client, who is served, and where nothing blocks.

use crate::harness::*;

#[test]
fn a_push_wakes_a_waiting_client() {
    let server = Server::start();
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    let id = server.client().push("orders", "hello");
    let (message, mut client) = waiting.message();
    assert_eq!((&message.id, message.text()), (&id, "hello"));
    client.acknowledge(&message);
}

#[test]
fn a_client_that_may_block_gets_at_once_what_is_ready() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    assert_eq!(client.pull("orders BLOCK 0").text(), "one");
    client.push("orders", "two");
    assert_eq!(client.pull_batch("orders BLOCK 0 COUNT 5").len(), 1);
}

#[test]
fn waiting_clients_are_served_in_the_order_in_which_they_came() {
    let server = Server::start();
    let waiting: Vec<Waiting> = (0..10).map(|_| server.waiting("MQ.PULL orders BLOCK 0")).collect();
    let mut client = server.client();
    let ids: Vec<String> = (0..10).map(|n| client.push("orders", n.to_string())).collect();
    let received: Vec<String> = waiting.into_iter().map(|waiting| waiting.message().0.id).collect();
    assert_eq!(received, ids);
}

#[test]
fn pushes_that_come_together_are_delivered_in_order_too() {
    let server = Server::start();
    let waiting: Vec<Waiting> = (0..10).map(|_| server.waiting("MQ.PULL orders BLOCK 0")).collect();
    let pushes: Vec<String> = (0..10).map(|n| format!("MQ.PUSH orders {n}")).collect();
    let replies = server.client().pipeline(&pushes);
    let ids: Vec<String> = replies.into_iter().map(|id| text_of(&id.expect("an id"))).collect();
    let received: Vec<String> = waiting.into_iter().map(|waiting| waiting.message().0.id).collect();
    assert_eq!(received, ids);
}

#[test]
fn a_message_goes_to_one_client_only() {
    let server = Server::start();
    let first = server.waiting("MQ.PULL orders BLOCK 0");
    let second = server.waiting("MQ.PULL orders BLOCK 0");
    let mut client = server.client();
    client.push("orders", "one");
    first.message();
    second.still_waits();
    assert_eq!(client.lengths("orders"), [0, 1, 0]);
    client.push("orders", "two");
    assert_eq!(second.message().0.text(), "two");
}

#[test]
fn a_client_that_waits_for_another_queue_is_not_served() {
    let server = Server::start();
    let orders = server.waiting("MQ.PULL orders BLOCK 0");
    let mails = server.waiting("MQ.PULL mails BLOCK 0");
    let mut client = server.client();
    client.push("mails", "a mail");
    assert_eq!(mails.message().0.text(), "a mail");
    orders.still_waits();
    client.push("orders", "an order");
    assert_eq!(orders.message().0.text(), "an order");
}

#[test]
fn a_client_of_another_database_is_not_served() {
    let server = Server::start();
    let in_third = server.client_of_database(3).wait_with("MQ.PULL orders BLOCK 0");
    let in_first = server.waiting("MQ.PULL orders BLOCK 0");
    server.client().push("orders", "zero");
    assert_eq!(in_first.message().0.text(), "zero");
    in_third.still_waits();
    server.client_of_database(3).push("orders", "three");
    assert_eq!(in_third.message().0.text(), "three");
}

#[test]
fn a_wait_ends_with_null_when_its_time_is_over() {
    let server = Server::start();
    let mut client = server.client();
    let before = now_ms();
    client.pull_nothing("orders BLOCK 50");
    assert!(now_ms() >= before + 50, "ended after {} ms", now_ms() - before);
    assert_eq!(client.queue_info("orders", "blocked_clients"), 0);
    assert_eq!(client.ask("MQ.PULL orders COUNT 2 BLOCK 20"), Value::Array(vec![]));
}

#[test]
fn a_client_whose_time_is_over_gets_nothing_later() {
    let server = Server::start();
    let mut first = server.waiting("MQ.PULL orders BLOCK 50");
    let second = server.waiting("MQ.PULL orders BLOCK 0");
    assert_eq!(first.reply(), Ok(Value::Nil));
    server.client().push("orders", "one");
    assert_eq!(second.message().0.text(), "one");
    assert_eq!(first.client().ask("PING"), Value::SimpleString("PONG".into()));
}

#[test]
fn a_waiting_batch_takes_what_there_is() {
    let server = Server::start();
    let mut waiting = server.waiting("MQ.PULL orders COUNT 10 BLOCK 0");
    let mut client = server.client();
    client.ask("MULTI");
    for payload in ["one", "two", "three"] {
        client.ask(&format!("MQ.PUSH orders {payload}"));
    }
    client.ask("EXEC");
    let reply = waiting.reply().expect("a batch");
    let texts: Vec<String> = items(&reply).iter().map(|m| Message::from(m).text().into()).collect();
    assert_eq!(texts, ["one", "two", "three"]);
}

#[test]
fn what_a_batch_leaves_goes_to_the_next_waiter() {
    let server = Server::start();
    let mut first = server.waiting("MQ.PULL orders COUNT 10 BLOCK 0");
    let mut second = server.waiting("MQ.PULL orders COUNT 10 BLOCK 0");
    let third = server.waiting("MQ.PULL orders BLOCK 0");
    let mut client = server.client();
    client.ask("MULTI");
    for n in 0..12 {
        client.ask(&format!("MQ.PUSH orders {n}"));
    }
    client.ask("EXEC");
    for (waiting, expected) in [(&mut first, 10), (&mut second, 2)] {
        let batch = waiting.reply().expect("a batch");
        assert_eq!(items(&batch).len(), expected);
    }
    third.still_waits();
}

#[test]
fn the_visibility_of_a_waiting_client_counts_from_the_delivery() {
    let server = Server::start();
    let waiting = server.waiting("MQ.PULL orders BLOCK 0 VISIBILITY 70000");
    sleep_until_ms(now_ms() + 20);
    let before = now_ms();
    server.client().push("orders", "one");
    let (message, _) = waiting.message();
    assert!((before + 70_000..=now_ms() + 70_000).contains(&message.visibility_until));
}

#[test]
fn pushes_of_a_transaction_and_of_a_script_wake_waiting_clients() {
    let server = Server::start();
    let mut client = server.client();
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    client.ask("MULTI");
    client.ask("MQ.PUSH orders transaction");
    waiting.still_waits();
    client.ask("EXEC");
    assert_eq!(waiting.message().0.text(), "transaction");

    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    let script = "return redis.call('MQ.PUSH', KEYS[1], 'script')";
    client.reply(&["EVAL", script, "1", "orders"]).expect("an id");
    assert_eq!(waiting.message().0.text(), "script");
}

#[test]
fn a_nacked_message_wakes_a_waiting_client() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders");
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    client.nack(&message);
    let (again, _) = waiting.message();
    assert_eq!((again.id, again.retry_count), (message.id, 1));
}

#[test]
fn a_delay_that_ends_wakes_a_waiting_client() {
    let server = Server::start();
    let waiting = server.waiting("MQ.PULL orders BLOCK 0 VISIBILITY 60000");
    let before = now_ms();
    server.client().ask("MQ.PUSH orders one DELAY 100");
    let (message, mut client) = waiting.message();
    let delivered_at = message.visibility_until - 60_000;
    assert!(delivered_at >= before + 100, "delivered before its time");

    let mut other = server.client();
    assert_eq!(other.number(&format!("MQ.NACK {} DELAY 100", message.delivery())), 1);
    let before = now_ms();
    let again = client.pull("orders BLOCK 0 VISIBILITY 60000");
    assert_eq!(again.id, message.id);
    assert!(again.visibility_until - 60_000 >= before, "delivered before its time");
}

#[test]
fn an_end_of_visibility_that_was_brought_forward_wakes_a_waiting_client() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders VISIBILITY 600000");
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    client.number(&format!("MQ.EXTEND {} VISIBILITY 1", message.delivery()));
    assert_eq!(waiting.message().0.id, message.id);
}

#[test]
fn nothing_blocks_inside_a_transaction() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MULTI");
    client.ask("MQ.PULL orders BLOCK 0");
    client.ask("MQ.PULL orders COUNT 3 BLOCK 0");
    client.ask("MQ.PUSH orders one");
    client.ask("MQ.PULL orders BLOCK 0");
    let replies = client.ask("EXEC");
    let replies = items(&replies);
    assert_eq!(replies[..2], [Value::Nil, Value::Array(vec![])]);
    assert_eq!(Message::from(&replies[3]).text(), "one");
}

#[test]
fn nothing_blocks_inside_a_script_or_a_function() {
    let server = Server::start();
    let mut client = server.client();
    let body = "local one = redis.call('MQ.PULL', KEYS[1], 'BLOCK', '0')
                local many = redis.call('MQ.PULL', KEYS[1], 'COUNT', '3', 'BLOCK', '0')
                return {type(one), type(many) == 'table' and #many or 'no table'}";
    let expected = Value::Array(vec![Value::BulkString(b"boolean".to_vec()), Value::Int(0)]);
    assert_eq!(client.reply(&["EVAL", body, "1", "orders"]), Ok(expected.clone()));
    if facts().has_functions() {
        let body = body.replace("KEYS", "keys");
        let library = format!(
            "#!lua name=tests\nredis.register_function('pull', function(keys, args) {body} end)"
        );
        client.reply(&["FUNCTION", "LOAD", &library]).expect("a function library");
        assert_eq!(client.ask("FCALL pull 1 orders"), expected);
    }
}

#[test]
fn commands_sent_after_a_blocking_one_are_answered_after_it() {
    let server = Server::start();
    let mut client = server.client();
    client.send("MQ.PULL orders BLOCK 0");
    client.send("PING");
    let mut other = server.client();
    eventually("it waits", || other.queue_info("orders", "blocked_clients") == 1);
    other.push("orders", "one");
    assert_eq!(Message::from(&client.next_reply().expect("a message")).text(), "one");
    assert_eq!(client.next_reply(), Ok(Value::SimpleString("PONG".into())));
}

#[test]
fn a_client_can_wait_again_and_again() {
    let server = Server::start();
    let mut producer = server.client();
    let mut consumer = server.client();
    for n in 0..100 {
        let waiting = consumer.wait_with("MQ.PULL orders BLOCK 0");
        producer.push("orders", n.to_string());
        let (message, client) = waiting.message();
        assert_eq!(message.text(), n.to_string());
        consumer = client;
        consumer.acknowledge(&message);
    }
    assert_eq!(producer.number("DBSIZE"), 0);
}

#[test]
fn a_resp3_client_waits_as_any_other() {
    let server = Server::start();
    let mut waiting = server.resp3_client().wait_with("MQ.PULL orders BLOCK 0");
    server.client().push("orders", "one");
    let reply = waiting.reply().expect("a message");
    assert_eq!(matches!(reply, Value::Map(_)), facts().modules_reply_with_maps(), "{reply:?}");
    assert_eq!(Message::from(&reply).text(), "one");
}

#[test]
fn five_hundred_waiting_clients_get_a_message_each() {
    let server = Server::start();
    let mut client = server.client();
    let mut waiting: Vec<Client> = (0..500).map(|_| server.client()).collect();
    for one in &mut waiting {
        one.send("MQ.PULL orders BLOCK 0");
    }
    eventually("all wait", || client.queue_info("orders", "blocked_clients") == 500);
    let pushes: Vec<String> = (0..500).map(|n| format!("MQ.PUSH orders {n}")).collect();
    let mut pushed: Vec<String> =
        client.pipeline(&pushes).into_iter().map(|id| text_of(&id.expect("an id"))).collect();
    let received = waiting.iter_mut().map(|one| one.next_reply().expect("a message"));
    let mut received: Vec<String> = received.map(|reply| Message::from(&reply).id).collect();
    received.sort();
    pushed.sort();
    assert_eq!(received, pushed);
}

#[test]
fn a_client_that_blocks_behind_others_acknowledges_at_once() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let held = client.pull("orders");
    let before = server.waiting("MQ.PULL orders BLOCK 0");
    let mut behind = server.waiting(&format!("MQ.PULL orders BLOCK 0 ACK 1 {}", held.pair()));
    assert_eq!(client.queue_info("orders", "acked"), 1);
    client.ask("MQ.MPUSH orders 2 two three");
    assert_eq!(before.message().0.text(), "two");
    let reply = behind.reply().expect("two parts");
    let [settled, next] = items(&reply) else { panic!("not two parts: {reply:?}") };
    assert_eq!(*settled, Value::Array(vec![Value::Int(1)]));
    assert_eq!(Message::from(next).text(), "three");
}
