//! MQ.NACK: a consumer returns a message before its visibility ends, or sends it to the dead-letter queue.

use crate::harness::*;

#[test]
fn a_nacked_message_comes_with_one_retry_more_after_the_backoff() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let first = client.pull("orders");
    let before = now_ms();
    assert_eq!(client.number(&format!("MQ.NACK {}", first.delivery())), 1);
    let due = client.queue_info("orders", "next_due_at");
    assert!((before + 1_000..=now_ms() + 1_000).contains(&due), "a second by default");
    assert_eq!(client.lengths("orders"), [0, 0, 1]);
    sleep_until_ms(due);
    let second = client.pull("orders");
    assert_eq!((&second.id, second.retry_count, second.timestamp), (&first.id, 1, first.timestamp));
    assert!(second.receipt > first.receipt);
    assert_eq!(client.queue_info("orders", "nacked"), 1);
    assert_eq!(client.queue_info("orders", "expired"), 0);
}

#[test]
fn a_nacked_message_goes_behind_all_ready_ones() {
    let server = Server::start();
    let mut client = server.client();
    for payload in ["one", "two", "three"] {
        client.push("orders", payload);
    }
    let first = client.pull("orders");
    sleep_until_ms(now_ms() + 2);
    client.nack(&first);
    sleep_until_ms(now_ms() + 2);
    client.push("orders", "four");
    let order: Vec<String> = (0..4).map(|_| client.pull("orders").text().to_string()).collect();
    assert_eq!(order, ["two", "three", "one", "four"]);
}

#[test]
fn a_nacked_message_with_a_delay_waits_for_its_end() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders");
    let before = now_ms();
    assert_eq!(client.number(&format!("MQ.NACK {} DELAY 100", message.delivery())), 1);
    assert_eq!(client.lengths("orders"), [0, 0, 1]);
    let due = client.queue_info("orders", "next_due_at");
    assert!((before + 100..=now_ms() + 100).contains(&due), "due at {due}");
    client.pull_nothing("orders");
    sleep_until_ms(due);
    assert_eq!(client.pull("orders").retry_count, 1);
}

#[test]
fn a_nack_uses_up_the_receipt() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders");
    client.nack(&message);
    for line in [
        format!("MQ.NACK {}", message.delivery()),
        format!("MQ.EXTEND {}", message.delivery()),
        format!("MQ.ACK {}", message.delivery()),
    ] {
        let error = client.refused(&line);
        assert!(error.starts_with("BADRECEIPT "), "{line}: {error}");
    }
    assert_eq!(client.queue_info("orders", "highest_retry_count"), 1);
}

#[test]
fn a_nack_needs_a_running_delivery() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders VISIBILITY 1");
    eventually("the message waits again", || client.number("MQ.LEN orders READY") == 1);
    let error = client.refused(&format!("MQ.NACK {}", message.delivery()));
    assert!(error.starts_with("BADRECEIPT "), "{error}");

    let second = client.pull("orders VISIBILITY 30");
    let late = format!("MQ.NACK {}", second.delivery());
    let replies = client.pipeline(&["DEBUG SLEEP 0.1".into(), late]);
    let error = replies[1].clone().expect_err("a refusal");
    assert!(error.starts_with("BADRECEIPT "), "{error}");
    assert_eq!(client.pull("orders").retry_count, 2, "the end of a visibility is counted once");
}

#[test]
fn unknown_messages_and_wrong_receipts_are_told_apart() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders");
    let error = client.refused(&format!("MQ.NACK orders {} 0000000000000001", message.id));
    assert!(error.starts_with("BADRECEIPT "), "{error}");
    let error = client.refused(&format!("MQ.NACK orders nonsense {}", message.receipt));
    assert!(error.starts_with("NOTFOUND "), "{error}");
    let waiting = client.push("orders", "two");
    let error = client.refused(&format!("MQ.NACK orders {waiting} {}", message.receipt));
    assert!(error.starts_with("NOTFOUND "), "{error}");
    client.acknowledge(&message);
    let error = client.refused(&format!("MQ.NACK {}", message.delivery()));
    assert!(error.starts_with("NOTFOUND "), "{error}");
}

#[test]
fn several_messages_are_nacked_each_by_itself() {
    let server = Server::start();
    let mut client = server.client();
    let batch = client.three_in_flight("orders");
    let line = format!(
        "MQ.NACK orders IDS 5 {} {} 0000000000000001 nonsense {} {} {} DELAY 60000",
        batch[0].pair(),
        batch[1].id,
        batch[0].receipt,
        batch[2].pair(),
        batch[2].pair(),
    );
    // The last pair names a message that is there, but its receipt has been used up.
    assert_eq!(client.numbers(&line), [1, -1, 0, 1, -1]);
    assert_eq!(client.lengths("orders"), [0, 1, 2]);
}

#[test]
fn a_nacked_message_goes_behind_those_of_the_same_millisecond() {
    let server = Server::start();
    let mut client = server.client();
    for push in [
        "redis.call('MQ.PUSH', KEYS[1], '1') redis.call('MQ.PUSH', KEYS[1], '2')",
        "redis.call('MQ.MPUSH', KEYS[1], 2, '1', '2')",
        "redis.call('MQ.MPUSH', KEYS[1], 2, '1', '2', 'PRIORITY', 5)",
        "redis.call('MQ.MPUSH', KEYS[1], 2, '1', '2', 'TTL', 60000)",
    ] {
        let script = format!(
            "{push}
            local m = redis.call('MQ.PULL', KEYS[1])
            redis.call('MQ.NACK', KEYS[1], m[2], m[14], 'NOCOUNT')
            local order = m[6]
            for _ = 1, 2 do
                m = redis.call('MQ.PULL', KEYS[1])
                redis.call('MQ.ACK', KEYS[1], m[2], m[14])
                order = order .. m[6]
            end
            return order"
        );
        for _ in 0..100 {
            let order = client.reply(&["EVAL", &script, "1", "orders"]).expect("an order");
            assert_eq!(text_of(&order), "121", "{push}");
        }
    }
}

#[test]
fn messages_nacked_together_keep_their_order() {
    let server = Server::start();
    let mut client = server.client();
    for n in 0..10 {
        client.push("orders", n.to_string());
    }
    let batch = client.pull_batch("orders COUNT 10");
    let pairs: Vec<String> = batch.iter().map(Message::pair).collect();
    assert_eq!(
        client.numbers(&format!("MQ.NACK orders IDS 10 {} DELAY 0", pairs.join(" "))),
        vec![1; 10]
    );
    let again = client.pull_batch("orders COUNT 10");
    let ids =
        |batch: &[Message]| batch.iter().map(|message| message.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&again), ids(&batch));
}

#[test]
fn nocount_counts_no_retry_and_does_not_back_off() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 0 BACKOFF 3600000");
    client.push("orders", "one");
    for _ in 0..5 {
        let message = client.pull("orders");
        assert_eq!(message.retry_count, 0);
        client.nack_with(&message, "NOCOUNT");
        assert_eq!(client.lengths("orders"), [1, 0, 0]);
    }
    assert_eq!(client.number("MQ.LEN {orders}:dead"), 0);
}

#[test]
fn all_deliveries_are_counted_and_shown_with_the_first() {
    let server = Server::start();
    let replica = server.start_replica();
    let mut client = server.client();
    client.push("orders", "one");
    let first = client.pull("orders");
    let shown = |client: &mut Client, queue: &str| {
        let shown = client.map(&format!("MQ.GET {queue} {}", first.id));
        let fields = ["deliveries", "first_delivered_at"];
        fields.map(|name| shown.get(name).map(|number| number.parse::<i64>().expect("a number")))
    };
    assert!(!first.more.contains_key("deliveries"));
    assert_eq!(shown(&mut client, "orders"), [None, None], "in flight for the first time");
    let delivered_at = i64::from_str_radix(&first.receipt, 16).expect("hexadecimal") >> 20;
    client.nack_with(&first, "NOCOUNT");
    assert_eq!(shown(&mut client, "orders"), [Some(1), Some(delivered_at)]);
    let second = client.pull("orders VISIBILITY 1");
    assert_eq!(second.more["deliveries"], "2");
    assert_eq!(second.more["first_delivered_at"], delivered_at.to_string());
    sleep_until_ms(second.visibility_until);
    let third = client.pull("orders");
    assert_eq!((&*third.more["deliveries"], third.retry_count), ("3", 1));
    assert_eq!(shown(&mut client, "orders"), [Some(3), Some(delivered_at)]);
    same_data(&mut client, &mut replica.client(), "deliveries");
    client.nack_with(&third, "DEAD");
    assert_eq!(shown(&mut client, "{orders}:dead"), [Some(3), Some(delivered_at)]);
    let last = entries(&client.ask("MQ.PULL {orders}:dead NOACK"));
    assert!(last.contains(&("deliveries".into(), Value::Int(4))), "{last:?}");
}

#[test]
fn nocount_keeps_the_retries_that_were_counted() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    client.ask("MQ.CONFIG orders BACKOFF 0");
    for (options, expected) in [("", 0), ("NOCOUNT", 1), ("nocount", 1), ("", 1), ("NOCOUNT", 2)] {
        let message = client.pull("orders");
        assert_eq!(message.retry_count, expected);
        client.nack_with(&message, options);
    }
    assert_eq!(client.pull("orders").retry_count, 2);
}

#[test]
fn a_message_nacked_with_nocount_goes_behind_all_ready_ones() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 3 one two three");
    let first = client.pull("orders");
    sleep_until_ms(now_ms() + 2);
    client.nack_with(&first, "NOCOUNT");
    let batch = client.pull_batch("orders COUNT 3");
    assert_eq!(batch.iter().map(Message::text).collect::<Vec<_>>(), ["two", "three", "one"]);
    // Its receipt is used up.
    let error = client.refused(&format!("MQ.ACK {}", first.delivery()));
    assert!(error.starts_with("BADRECEIPT "), "{error}");
}

#[test]
fn nocount_goes_with_a_delay() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let first = client.pull("orders");
    let before = now_ms();
    client.nack_with(&first, "NOCOUNT DELAY 60000");
    let due = client.queue_info("orders", "next_due_at");
    assert!((before + 60_000..=now_ms() + 60_000).contains(&due), "{due}");
    assert_eq!(client.map(&format!("MQ.GET orders {}", first.id))["retry_count"], "0");
}

#[test]
fn a_message_of_a_group_nacked_with_nocount_is_the_first_of_its_group() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 2 one two GROUP ann");
    for _ in 0..3 {
        let message = client.pull("orders");
        assert_eq!((message.text(), message.retry_count), ("one", 0));
        client.nack_with(&message, "NOCOUNT");
    }
}

#[test]
fn dead_sends_a_message_to_the_dead_letter_queue_now() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PUSH orders one HEADERS 1 type order PRIORITY 4 TTL 3600000");
    let first = client.pull("orders");
    client.nack_with(&first, "DELAY 0");
    let second = client.pull("orders");
    let before = now_ms();
    client.nack_with(&second, "DEAD");
    assert_eq!(client.lengths("orders"), [0, 0, 0]);
    let dead = client.pull("{orders}:dead");
    assert_eq!((&dead.id, &dead.payload, dead.retry_count), (&first.id, &first.payload, 0));
    assert_eq!(dead.timestamp, first.timestamp);
    assert_eq!(dead.more["dead_from"], "orders");
    assert_eq!(dead.more["dead_reason"], "rejected");
    assert_eq!(dead.more["dead_retries"], "1");
    let dead_at: i64 = dead.more["dead_at"].parse().expect("a timestamp");
    assert!((before..=now_ms()).contains(&dead_at), "{dead_at}");
    assert_eq!(dead.more["priority"], "4");
    assert_eq!(dead.more["headers"], first.more["headers"]);
    assert!(!dead.more.contains_key("expires_at"), "{dead:?}");
    let fields: Vec<_> = client.map("MQ.INFO orders").into_iter().collect();
    assert!(fields.contains(&("dead".into(), "1".into())), "{fields:?}");
}

#[test]
fn a_dead_letter_cannot_be_sent_there_again_and_nothing_is_changed() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 1 one");
    let first = client.pull("orders");
    client.nack_with(&first, "DEAD");
    client.push("{orders}:dead", "ordinary");
    let held = client.pull_batch("{orders}:dead COUNT 2");
    let (dead, ordinary) = match held[0].id == first.id {
        true => (&held[0], &held[1]),
        false => (&held[1], &held[0]),
    };
    let expected = "ERR a dead letter can't be sent to the dead-letter queue";
    let digest = client.text("DEBUG DIGEST");
    let queue = "{orders}:dead";
    for line in [
        format!("MQ.NACK {queue} {} DEAD", dead.pair()),
        format!("MQ.NACK {queue} {} DEAD REASON x", dead.pair()),
        format!("MQ.NACK {queue} IDS 2 {} {} DEAD", ordinary.pair(), dead.pair()),
        format!("MQ.NACK {queue} IDS 3 x y {} {} DEAD", ordinary.pair(), dead.pair()),
    ] {
        assert_eq!(client.refused(&line), expected, "{line}");
        assert_eq!(client.text("DEBUG DIGEST"), digest, "{line}");
    }
    // With an outdated receipt there is no delivery to be sent.
    let line = format!("MQ.NACK {queue} IDS 1 {} 0000000000000001 DEAD", dead.id);
    assert_eq!(client.numbers(&line), [-1]);
    assert_eq!(client.numbers(&format!("MQ.NACK {queue} IDS 1 {} DEAD", ordinary.pair())), [1]);
    assert_eq!(client.lengths(queue), [0, 1, 0]);
    assert_eq!(client.lengths("{{orders}:dead}:dead"), [0, 0, 0]);
}

#[test]
fn what_the_dead_letter_queue_cannot_take_comes_back_and_is_counted() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("SET mq:{orders:dead}:ranked text");
    client.ask("SET mq:{orders}:dead:notes text");
    client.ask("MQ.CONFIG orders DEADLETTER orders:dead BACKOFF 3600000");
    client.push("orders", "one");
    let first = client.pull("orders");
    client.nack_with(&first, "DEAD REASON poison");
    assert_eq!(client.lengths("orders"), [0, 0, 1]);
    let shown = client.map(&format!("MQ.GET orders {}", first.id));
    assert_eq!((&*shown["retry_count"], &*shown["last_error"]), ("1", "poison"));
    assert_eq!(client.info("mq")["mq_dead_letters_refused"], "1");
    client.ask("DEL mq:{orders:dead}:ranked mq:{orders}:dead:notes");
}

#[test]
fn dead_lets_a_group_go_on_and_releases_a_key_held_until_done() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PUSH orders one GROUP ann DEDUP job UNTILDONE");
    client.ask("MQ.PUSH orders two GROUP ann");
    let first = client.pull("orders");
    client.pull_nothing("orders");
    client.nack_with(&first, "DEAD");
    assert_eq!(client.pull("orders").text(), "two");
    assert_ne!(client.text("MQ.PUSH orders three DEDUP job UNTILDONE"), first.id);
}

#[test]
fn a_message_whose_ttl_has_ended_dies_but_does_not_come_back() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 3 one two three TTL 500");
    let held = client.pull_batch("orders COUNT 3");
    let ends: i64 = held[0].more["expires_at"].parse().expect("a timestamp");
    sleep_until_ms(ends + 1);
    client.nack_with(&held[0], "DEAD");
    client.nack_with(&held[1], "NOCOUNT");
    client.nack_with(&held[2], "REASON late");
    assert_eq!(client.lengths("orders"), [0, 0, 0]);
    assert_eq!(client.queue_info("orders", "ttl_expired"), 2);
    assert_eq!(client.pull("{orders}:dead").id, held[0].id);
}

#[test]
fn options_that_do_not_fit_change_nothing() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let held = client.pull("orders");
    for options in [
        "NOCOUNT DEAD",
        "DEAD NOCOUNT",
        "NOCOUNT NOCOUNT",
        "DEAD DEAD",
        "REASON",
        "REASON a REASON b",
        "REASON two words",
    ] {
        let line = format!("MQ.NACK {} {options}", held.delivery());
        client.misused(&line);
    }
    assert_eq!(client.lengths("orders"), [0, 1, 0]);
}

#[test]
fn each_way_is_one_op_and_the_same_on_the_replica() {
    let server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    client.ask("MQ.MPUSH orders 8 a b c d e f g h");
    let held = client.pull_batch("orders COUNT 8 VISIBILITY 3600000");
    let mut stream = server.replication_stream();
    for (message, options) in
        held.iter().zip(["NOCOUNT", "NOCOUNT DELAY 3600000", "REASON x", "DEAD", "DEAD REASON x"])
    {
        client.nack_with(message, options);
        assert_eq!(stream.take_names(), ["MQ.APPLY orders"], "{options}");
        same_data(&mut client, &mut copy, options);
    }
    let line = format!("MQ.NACK orders IDS 2 {} {} DEAD", held[5].pair(), held[6].pair());
    assert_eq!(client.numbers(&line), [1, 1]);
    assert_eq!(stream.take_names(), ["MQ.APPLY orders"]);
    client.refused(&format!("MQ.NACK {} DEAD", held[5].delivery()));
    assert_eq!(stream.take_names(), [""; 0]);
    same_data(&mut client, &mut copy, "all of it");
}

#[test]
fn a_pair_given_twice_is_nacked_once() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 2 one two");
    let held = client.pull_batch("orders COUNT 2");
    let [one, two] = [held[0].pair(), held[1].pair()];
    assert_eq!(client.numbers(&format!("MQ.NACK orders IDS 2 {one} {one} NOCOUNT")), [1, -1]);
    assert_eq!(client.numbers(&format!("MQ.NACK orders IDS 2 {two} {two} DEAD")), [1, 0]);
    assert_eq!(client.lengths("orders"), [1, 0, 0]);
    assert_eq!(client.lengths("{orders}:dead"), [1, 0, 0]);
}

#[test]
fn a_delivery_that_is_over_can_not_be_sent_to_the_dead_letter_queue() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    for queue in ["orders", "{orders}:dead"] {
        let late = client.pull(&format!("{queue} VISIBILITY 1"));
        sleep_until_ms(late.visibility_until);
        for options in ["DEAD", "NOCOUNT"] {
            let error = client.refused(&format!("MQ.NACK {} {options}", late.delivery()));
            assert!(error.starts_with("BADRECEIPT "), "{error}");
        }
        let again = client.pull(queue);
        assert_eq!(again.retry_count, 1);
        if queue == "orders" {
            client.nack_with(&again, "DEAD");
        }
    }
}
