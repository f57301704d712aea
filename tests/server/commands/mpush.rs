//! MQ.MPUSH and MAXLEN.

use crate::harness::*;

/// What is said of a queue that has as many messages as it may.
#[track_caller]
fn full(client: &mut Client, line: &str) {
    let max = client.map("MQ.CONFIG orders")["maxlen"].clone();
    let told = format!("QUEUEFULL the queue is full: MAXLEN of 'orders' is {max}");
    assert_eq!(client.refused(line), told, "{line}");
}

#[test]
fn all_messages_are_pushed_in_their_order() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "before");
    let ids = strings(&client.ask("MQ.MPUSH orders 3 one two three"));
    client.push("orders", "after");
    assert!(ids.is_sorted() && ids[0] < ids[1] && ids[1] < ids[2], "{ids:?}");
    let batch = client.pull_batch("orders COUNT 9");
    let texts: Vec<&str> = batch.iter().map(Message::text).collect();
    assert_eq!(texts, ["before", "one", "two", "three", "after"]);
    assert_eq!(batch[1..4].iter().map(|message| message.id.clone()).collect::<Vec<_>>(), ids);
    assert_eq!(client.queue_info("orders", "pushed"), 5);
}

#[test]
fn payloads_are_any_bytes_names_of_options_too() {
    let server = Server::start();
    let mut client = server.client();
    let payloads: [&[u8]; 5] = [b"DELAY", b"60000", b"", b"\0\r\n\xff", b"GROUP"];
    let mut line: Vec<&[u8]> = vec![b"MQ.MPUSH", b"orders", b"5"];
    line.extend(payloads);
    line.extend([b"PRIORITY".as_slice(), b"2"]);
    client.reply(&line).expect("ids");
    let batch = client.pull_batch("orders COUNT 9");
    assert_eq!(
        batch.iter().map(|message| message.payload.as_slice()).collect::<Vec<_>>(),
        payloads
    );
    assert!(batch.iter().all(|message| message.more["priority"] == "2"));
}

#[test]
fn options_hold_for_each_message() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders GROUPINFLIGHT 9");
    let moment = now_ms() + 3_600_000;
    client.ask(&format!("MQ.MPUSH orders 2 a b AT {moment} TTL 7200000 PRIORITY 3 HEADERS 1 h v"));
    client.ask("mq.mpush orders 2 c d delay 3600000 group acme");
    assert_eq!(client.lengths("orders"), [0, 0, 4]);
    let shown = client.peek("orders DELAYED");
    for message in &shown[..2] {
        assert_eq!(message["due_at"], moment.to_string());
        let pushed: i64 = message["timestamp"].parse().expect("a timestamp");
        assert_eq!(message["expires_at"], (pushed + 7_200_000).to_string());
        assert_eq!(message["priority"], "3");
        assert!(message.contains_key("headers"));
    }
    assert!(shown[2..].iter().all(|message| message["group"] == "acme"));
    client.ask("MQ.MPUSH orders 2 e f GROUP acme TTL 3600000");
    client.ask("MQ.CONFIG orders DELAY 3600000");
    client.ask("MQ.MPUSH orders 2 g h");
    client.ask("MQ.MPUSH orders 2 i j DELAY 0");
    assert_eq!(client.lengths("orders"), [4, 0, 6]);
    assert_eq!(client.pull_texts("orders COUNT 9"), ["e", "i", "f", "j"]);
}

#[test]
fn as_many_as_allowed_are_pushed_at_once() {
    let server = Server::start();
    let mut client = server.client();
    let payloads = vec!["x"; 10_001].join(" ");
    let error = client.refused(&format!("MQ.MPUSH orders 10001 {payloads}"));
    assert_eq!(error, "ERR n must be an integer from 1 to 10000");
    assert_eq!(client.number("DBSIZE"), 0);
    let ids = strings(&client.ask(&format!("MQ.MPUSH orders 10000 {}", &payloads[2..])));
    assert_eq!((ids.len(), client.number("MQ.LEN orders")), (10_000, 10_000));
}

#[test]
fn wrong_batches_are_refused() {
    let server = Server::start();
    let mut client = server.client();
    for count in ["x", "\"\"", "1.0", "9223372036854775808"] {
        let error = client.refused(&format!("MQ.MPUSH orders {count} a b"));
        let expected = "ERR n comes before the payloads: MQ.MPUSH queue n payload ...";
        assert_eq!(error, expected, "{count}");
    }
    for count in ["0", "-1", "10001"] {
        let error = client.refused(&format!("MQ.MPUSH orders {count} a b"));
        assert_eq!(error, "ERR n must be an integer from 1 to 10000", "{count}");
    }
    for wrong in
        ["2 a", "1 a b", "3 a b DELAY 1 x", "1 a DELAY", "1 a DELAY 1 AT 1", "1 a DELAY 1 DELAY 1"]
    {
        client.misused(&format!("MQ.MPUSH orders {wrong}"));
    }
    for short in ["MQ.MPUSH", "MQ.MPUSH orders", "MQ.MPUSH orders 1"] {
        let error = client.refused(short).to_lowercase();
        assert!(error.starts_with("err wrong number of arguments for 'mq.mpush' command"));
    }
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn a_batch_serves_waiting_clients() {
    let server = Server::start();
    let first = server.waiting("MQ.PULL orders BLOCK 0");
    let second = server.waiting("MQ.PULL orders BLOCK 0");
    server.client().ask("MQ.MPUSH orders 3 one two three");
    assert_eq!(first.message().0.text(), "one");
    assert_eq!(second.message().0.text(), "two");
}

#[test]
fn a_push_that_would_exceed_the_length_is_refused() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXLEN 5");
    client.ask("MQ.PUSH orders delayed DELAY 3600000");
    client.ask("MQ.PUSH orders grouped GROUP a");
    client.ask("MQ.PUSH orders urgent PRIORITY 9");
    client.push("orders", "plain");
    client.pull("orders");
    full(&mut client, "MQ.MPUSH orders 2 x x");
    assert_eq!(client.number("MQ.LEN orders"), 4, "none of them is pushed");
    client.ask("MQ.MPUSH orders 1 x");
    for options in ["", "DELAY 1000", "GROUP a", "PRIORITY 2", "TTL 5", "DEDUP k"] {
        full(&mut client, &format!("MQ.PUSH orders x {options}"));
    }
    assert_eq!(client.number("MQ.LEN orders"), 5);
    assert_eq!(client.queue_info("orders", "refused_full"), 8);
    assert_eq!(client.info("mq")["mq_refused_full"], "8");
    assert_eq!(client.queue_info("orders", "pushed"), 5);
}

#[test]
fn there_is_room_when_a_message_is_gone_or_the_limit_is_raised() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXLEN 1");
    for how in ["ACK", "DEAD", "DEL", "NOACK", "TTL"] {
        let ttl = if how == "TTL" { "TTL 30" } else { "" };
        let id = client.text(&format!("MQ.PUSH orders x {ttl}"));
        match how {
            "TTL" => eventually("it is discarded", || client.number("MQ.LEN orders") == 0),
            "DEL" => assert_eq!(client.number(&format!("MQ.DEL orders {id}")), 1),
            "NOACK" => {
                client.ask("MQ.PULL orders NOACK");
            }
            _ => {
                let message = client.pull("orders");
                full(&mut client, "MQ.PUSH orders x");
                let line = if how == "ACK" { "MQ.ACK" } else { "MQ.NACK" };
                let option = if how == "ACK" { "" } else { "DEAD" };
                client.ask(&format!("{line} {} {option}", message.delivery()));
            }
        }
    }
    client.push("orders", "one");
    client.ask("MQ.CONFIG orders MAXLEN 3");
    client.ask("MQ.MPUSH orders 2 two three");
    client.ask("MQ.CONFIG orders MAXLEN 1");
    assert_eq!(client.number("MQ.LEN orders"), 3, "a lower limit takes nothing back");
    full(&mut client, "MQ.PUSH orders x");
    client.ask("MQ.CONFIG orders MAXLEN 0");
    client.push("orders", "four");
}

#[test]
fn what_is_due_is_gone_before_a_full_queue_refuses() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXLEN 1");
    // In one packet: no timer runs in between.
    let lines = ["MQ.PUSH orders x TTL 50", "DEBUG SLEEP 0.1", "MQ.PUSH orders y"];
    let replies = client.pipeline(&lines.map(String::from));
    // Counted until it is discarded; soon after it is.
    if let Err(error) = &replies[2] {
        assert_eq!(error, "QUEUEFULL the queue is full: MAXLEN of 'orders' is 1");
        eventually("there is room", || client.reply_to("MQ.PUSH orders y").is_ok());
    }
    assert_eq!(client.pull("orders").text(), "y");
}

#[test]
fn returns_dead_letters_and_redriven_messages_are_never_refused() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXLEN 2 MAXRETRIES 1");
    client.push("{orders}:dead", "by hand");
    client.ask("MQ.MPUSH orders 2 one two");
    client.ask("MQ.CONFIG orders MAXLEN 1");
    for _ in 0..2 {
        for message in client.pull_batch("orders COUNT 2") {
            client.nack(&message);
        }
    }
    assert_eq!(client.number("MQ.LEN {orders}:dead"), 3);
    client.push("orders", "fills it");
    assert_eq!(client.number("MQ.REDRIVE {orders}:dead TO orders"), 3);
    assert_eq!(client.number("MQ.LEN orders"), 4);
}
