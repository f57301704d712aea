//! MQ.PUSH: the id, the place in the queue, delays.

use crate::harness::*;

#[test]
fn a_push_replies_with_an_id_in_the_text_form_of_a_uuid_version_7() {
    let server = Server::start();
    let mut client = server.client();
    let before = now_ms();
    let reply = client.ask("MQ.PUSH orders hello");
    let after = now_ms();

    let id = String::from_utf8(bulk(&reply).to_vec()).expect("an id in ASCII");
    let parts: Vec<&str> = id.split('-').collect();
    assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{id}");
    assert!(id.chars().all(|c| c == '-' || c.is_ascii_digit() || ('a'..='f').contains(&c)), "{id}");
    assert!(parts[2].starts_with('7'), "not version 7: {id}");
    assert!(parts[3].starts_with(['8', '9', 'a', 'b']), "not the variant of RFC 9562: {id}");
    let time =
        i64::from_str_radix(&format!("{}{}", parts[0], parts[1]), 16).expect("48 bits of time");
    assert!((before..=after).contains(&time), "the id's time {time} is not in {before}..={after}");
}

#[test]
fn ids_rise_in_the_order_of_the_pushes() {
    let server = Server::start();
    let mut client = server.client();
    let lines: Vec<String> = (0..2000).map(|n| format!("MQ.PUSH orders {n}")).collect();
    let ids: Vec<String> =
        client.pipeline(&lines).into_iter().map(|id| text_of(&id.expect("an id"))).collect();
    for pair in ids.windows(2) {
        assert!(pair[0] < pair[1], "{} came before {}", pair[0], pair[1]);
    }
}

#[test]
fn a_pushed_message_is_ready_at_once() {
    let server = Server::start();
    let mut client = server.client();
    let id = client.push("orders", "hello");
    assert_eq!(client.number("MQ.LEN orders READY"), 1);
    let message = client.pull("orders");
    assert_eq!((message.id.as_str(), message.text()), (id.as_str(), "hello"));
}

#[test]
fn a_message_pushed_with_a_delay_is_not_delivered_before_its_time() {
    let server = Server::start();
    let mut client = server.client();
    let before = now_ms();
    let id = client.text("MQ.PUSH orders later DELAY 150");
    assert_eq!(client.lengths("orders"), [0, 0, 1]);
    client.pull_nothing("orders");
    let due = client.queue_info("orders", "next_due_at");
    assert!((before + 150..=now_ms() + 150).contains(&due), "due at {due}");

    sleep_until_ms(due);
    let message = client.pull("orders");
    assert_eq!((message.id, message.retry_count), (id, 0));
    assert!((before..due).contains(&message.timestamp), "the timestamp is the time of the push");
}

#[test]
fn delayed_messages_are_delivered_in_the_order_of_their_due_times() {
    let server = Server::start();
    let mut client = server.client();
    let delays = [("third", 300), ("first", 100), ("second", 200)];
    client.pipeline(&delays.map(|(payload, ms)| format!("MQ.PUSH orders {payload} DELAY {ms}")));
    eventually("all are due", || client.number("MQ.LEN orders READY") == 3);
    let order: Vec<String> = (0..3).map(|_| client.pull("orders").text().to_string()).collect();
    assert_eq!(order, ["first", "second", "third"]);
}

#[test]
fn a_message_that_becomes_due_goes_behind_those_that_became_ready_before_it() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PUSH orders delayed DELAY 60");
    client.push("orders", "pushed while it was delayed");
    eventually("it is due", || client.number("MQ.LEN orders READY") == 2);
    sleep_until_ms(now_ms() + 2);
    client.push("orders", "pushed after it was due");
    let order: Vec<String> = (0..3).map(|_| client.pull("orders").text().to_string()).collect();
    assert_eq!(order, ["pushed while it was delayed", "delayed", "pushed after it was due"]);
}

#[test]
fn a_delay_of_0_is_no_delay() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders DELAY 60000");
    client.ask("MQ.PUSH orders now DELAY 0");
    assert_eq!(client.lengths("orders"), [1, 0, 0]);
}

#[test]
fn the_queues_own_delay_holds_for_pushes_without_one() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders DELAY 60000");
    let before = now_ms();
    client.push("orders", "later");
    assert_eq!(client.lengths("orders"), [0, 0, 1]);
    let due = client.queue_info("orders", "next_due_at");
    assert!((before + 60_000..=now_ms() + 60_000).contains(&due), "due at {due}");
}

#[test]
fn the_longest_delay_is_a_year() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PUSH orders later DELAY 31536000000");
    assert_eq!(client.lengths("orders"), [0, 0, 1]);
    let error = client.refused("MQ.PUSH orders later DELAY 31536000001");
    assert_eq!(error, "ERR DELAY must be an integer from 0 to 31536000000 milliseconds");
    assert_eq!(client.number("MQ.LEN orders"), 1);
}

#[test]
fn options_are_read_in_any_case() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("mq.push orders a delay 60000");
    client.ask("Mq.Push orders b DeLaY 60000");
    assert_eq!(client.number("mq.len orders delayed"), 2);
    client.push("orders", "c");
    let message = client.pull("orders visibility 60000");
    assert_eq!(message.text(), "c");
}

#[test]
fn queues_do_not_see_each_others_messages() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "an order");
    client.push("mails", "a mail");
    client.push("orders2", "another");
    assert_eq!(client.pull("mails").text(), "a mail");
    client.pull_nothing("mails");
    assert_eq!(client.pull("orders").text(), "an order");
    client.pull_nothing("orders");
}

#[test]
fn a_push_inside_a_transaction_takes_effect_with_it() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MULTI");
    client.ask("MQ.PUSH orders one");
    client.ask("MQ.PUSH orders two");
    assert_eq!(server.client().number("MQ.LEN orders"), 0);
    let ids = strings(&client.ask("EXEC"));
    assert_eq!(ids.len(), 2);
    let order = [client.pull("orders"), client.pull("orders")];
    assert_eq!(order.map(|message| message.id).to_vec(), ids);
}

#[test]
fn watch_on_the_queues_name_notices_a_change() {
    let server = Server::start();
    let (mut client, mut other) = (server.client(), server.client());
    for change in ["MQ.PUSH orders x", "MQ.PULL orders", "MQ.CONFIG orders VISIBILITY 1000"] {
        client.ask("WATCH orders");
        other.ask(change);
        client.ask("MULTI");
        client.ask("PING");
        assert_eq!(client.ask("EXEC"), Value::Nil, "{change} was not noticed");
    }
    client.ask("WATCH orders");
    other.ask("MQ.LEN orders");
    other.ask("MQ.PUSH another x");
    client.ask("MULTI");
    client.ask("PING");
    assert_eq!(client.ask("EXEC"), Value::Array(vec![Value::SimpleString("PONG".into())]));
}
