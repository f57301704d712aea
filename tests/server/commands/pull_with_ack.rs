//! MQ.PULL with ACK: settles deliveries and pulls in one command.

use crate::harness::*;

/// The two parts of the reply: those of the acknowledgments, and the pull's.
#[track_caller]
fn parts(reply: &Value) -> (Vec<i64>, Value) {
    let [settled, pulled] = items(reply) else { panic!("not two parts: {reply:?}") };
    (items(settled).iter().map(integer).collect(), pulled.clone())
}

#[track_caller]
fn pull(client: &mut Client, line: &str) -> (Vec<i64>, Value) {
    parts(&client.ask(&format!("MQ.PULL {line}")))
}

#[test]
fn one_command_acknowledges_and_pulls_the_next() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    client.push("orders", "two");
    let first = client.pull("orders");
    let (settled, next) = pull(&mut client, &format!("orders ACK 1 {}", first.pair()));
    let next = Message::from(&next);
    assert_eq!((settled, next.text()), (vec![1], "two"));
    assert_eq!(client.lengths("orders"), [0, 1, 0]);
    let last = pull(&mut client, &format!("orders ACK 1 {}", next.pair()));
    assert_eq!(last, (vec![1], Value::Nil));
    assert_eq!(client.queue_info("orders", "acked"), 2);
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn with_count_the_second_part_is_an_array() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 3 one two three");
    let first = client.pull("orders");
    let line = format!("orders COUNT 5 ACK 1 {} VISIBILITY 3600000", first.pair());
    let (settled, batch) = pull(&mut client, &line);
    let batch: Vec<Message> = items(&batch).iter().map(Message::from).collect();
    assert_eq!(settled, [1]);
    assert_eq!(batch.iter().map(Message::text).collect::<Vec<_>>(), ["two", "three"]);
    assert!(batch[0].visibility_until > now_ms() + 3_000_000);
    let line = format!("orders ACK 2 {} {} COUNT 5", batch[0].pair(), batch[1].pair());
    assert_eq!(pull(&mut client, &line), (vec![1, 1], Value::Array(vec![])));
}

#[test]
fn each_pair_has_its_own_answer() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 2 one two");
    let held = client.pull_batch("orders COUNT 2");
    let (one, two) = (held[0].pair(), &held[1].id);
    let line =
        format!("orders ACK 4 {one} {one} {two} 0000000000000001 nonsense {}", held[0].receipt);
    assert_eq!(pull(&mut client, &line), (vec![1, 0, -1, 0], Value::Nil));
    assert_eq!(client.lengths("orders"), [0, 1, 0]);
    assert_eq!(client.queue_info("orders", "bad_receipts"), 1);
    // Deliveries of another queue are not found in this one.
    let line = format!("mails ACK 1 {}", held[1].pair());
    assert_eq!(pull(&mut client, &line), (vec![0], Value::Nil));
}

#[test]
fn a_late_acknowledgment_is_taken_and_its_message_is_not_pulled() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let late = client.pull("orders VISIBILITY 1");
    sleep_until_ms(late.visibility_until + 5);
    let settled = pull(&mut client, &format!("orders ACK 1 {}", late.pair()));
    assert_eq!(settled, (vec![1], Value::Nil));
    assert_eq!(client.queue_info("orders", "late_acks"), 1);
}

#[test]
fn what_the_acknowledgment_frees_is_pulled_at_once() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXINFLIGHT 1");
    client.ask("MQ.MPUSH orders 2 one two");
    let first = client.pull("orders");
    client.pull_nothing("orders");
    let (settled, next) = pull(&mut client, &format!("orders ACK 1 {}", first.pair()));
    assert_eq!((settled, Message::from(&next).text()), (vec![1], "two"));

    client.ask("MQ.MPUSH mails 2 one two GROUP ann");
    let first = client.pull("mails");
    client.pull_nothing("mails");
    let (settled, next) = pull(&mut client, &format!("mails ACK 1 {}", first.pair()));
    assert_eq!((settled, Message::from(&next).text()), (vec![1], "two"));
}

#[test]
fn the_acknowledgments_take_effect_before_the_pull_waits() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let first = client.pull("orders");
    let mut waiting = server.waiting(&format!("MQ.PULL orders BLOCK 0 ACK 1 {}", first.pair()));
    assert_eq!(client.number("DBSIZE"), 0);
    assert_eq!(client.queue_info("orders", "acked"), 1);
    client.push("orders", "two");
    let (settled, next) = parts(&waiting.reply().expect("two parts"));
    assert_eq!((settled, Message::from(&next).text()), (vec![1], "two"));
}

#[test]
fn the_acknowledgments_hold_when_the_wait_ends_without_a_message() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 5 a b c d e");
    let held = client.pull_batch("orders COUNT 5");
    // By its time.
    let timed_out = pull(&mut client, &format!("orders BLOCK 20 ACK 1 {}", held[0].pair()));
    assert_eq!(timed_out, (vec![1], Value::Nil));
    let line = format!("orders COUNT 3 BLOCK 20 ACK 1 {}", held[1].pair());
    assert_eq!(pull(&mut client, &line), (vec![1], Value::Array(vec![])));
    // By CLIENT UNBLOCK.
    let mut waiting = server.waiting(&format!("MQ.PULL orders BLOCK 0 ACK 1 {}", held[2].pair()));
    assert_eq!(client.number(&format!("CLIENT UNBLOCK {}", waiting.id())), 1);
    assert_eq!(parts(&waiting.reply().expect("two parts")), (vec![1], Value::Nil));
    let mut waiting = server.waiting(&format!("MQ.PULL orders BLOCK 0 ACK 1 {}", held[3].pair()));
    assert_eq!(client.number(&format!("CLIENT UNBLOCK {} ERROR", waiting.id())), 1);
    let error = waiting.reply().expect_err("an error");
    assert!(error.starts_with("UNBLOCKED "), "{error}");
    // By the end of its connection.
    server.waiting(&format!("MQ.PULL orders BLOCK 0 ACK 1 {}", held[4].pair())).hang_up();
    assert_eq!(client.queue_info("orders", "acked"), 5);
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn the_acknowledgments_hold_when_the_pull_ends_with_an_error() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let held = client.pull("orders");
    client.ask("RPUSH mq:{orders}:ready garbage");
    let error = client.refused(&format!("MQ.PULL orders ACK 1 {}", held.pair()));
    assert!(error.starts_with("CORRUPT "), "{error}");
    assert_eq!(client.lengths("orders"), [0, 0, 0]);
    assert_eq!(client.queue_info("orders", "acked"), 1);
}

#[test]
fn an_acknowledgment_serves_others_who_wait() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXINFLIGHT 2");
    client.ask("MQ.MPUSH orders 4 a b c d");
    let held = client.pull_batch("orders COUNT 2");
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    let line = format!("orders ACK 2 {} {}", held[0].pair(), held[1].pair());
    let (settled, own) = pull(&mut client, &line);
    assert_eq!(settled, [1, 1]);
    let mut both = [Message::from(&own).text().to_string(), waiting.message().0.text().to_string()];
    both.sort();
    assert_eq!(both, ["c", "d"]);
}

#[test]
fn arguments_that_do_not_fit_change_nothing() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 2 one two");
    let held = client.pull("orders").pair();
    for (options, error) in [
        (format!("ACK 2 {held}"), "ERR ACK 2 needs 2 pairs of id and receipt, got 1"),
        (format!("ACK 1 {held} ACK 1 {held}"), "ERR ACK is given twice"),
        (
            "ACK 1 only-an-id".into(),
            "ERR ACK 1 needs 1 pair of id and receipt, got 0 and one id without receipt",
        ),
        ("ACK".into(), "ERR ACK needs a value: n id receipt [id receipt ...]"),
        (format!("ACK 0 {held}"), "ERR ACK must be an integer from 1 to 10000"),
        (format!("ACK 10001 {held}"), "ERR ACK must be an integer from 1 to 10000"),
        (format!("ACK x {held}"), "ERR ACK must be an integer from 1 to 10000"),
        (format!("ACK 1 {held} COUNT 0"), "ERR COUNT must be an integer from 1 to 10000"),
    ] {
        assert_eq!(client.refused(&format!("MQ.PULL orders {options}")), error, "{options}");
    }
    client.misused(&format!("MQ.PULL orders ACK 1 {held} {held}"));
    client.misused(&format!("MQ.MPULL 1 orders ACK 1 {held}"));
    assert_eq!(client.lengths("orders"), [1, 1, 0]);
}

#[test]
fn it_goes_with_the_other_options() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 3 one two three");
    let first = client.pull("orders");
    let line = format!("orders ack 1 {} consumer ann count 1", first.pair());
    let (settled, batch) = pull(&mut client, &line);
    assert_eq!(settled, [1]);
    let second = Message::from(&items(&batch)[0]);
    assert_eq!(client.map(&format!("MQ.GET orders {}", second.id))["consumer"], "ann");
    let (settled, gone) = pull(&mut client, &format!("orders NOACK ACK 1 {}", second.pair()));
    assert_eq!(settled, [1]);
    assert_eq!(text_of(&entries(&gone)[2].1), "three");
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn in_resp3_both_parts_are_as_they_are_alone() {
    let server = Server::start();
    let mut client = server.resp3_client();
    client.ask("MQ.MPUSH orders 2 one two");
    let first = client.pull("orders");
    let (settled, next) = pull(&mut client, &format!("orders ACK 1 {}", first.pair()));
    assert_eq!(settled, [1]);
    assert_eq!(matches!(next, Value::Map(_)), facts().modules_reply_with_maps());
    let next = Message::from(&next);
    let last = pull(&mut client, &format!("orders ACK 1 {}", next.pair()));
    assert_eq!(last, (vec![1], Value::Nil));
}

#[test]
fn acknowledgments_and_deliveries_are_one_op() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 3 one two three");
    let first = client.pull("orders VISIBILITY 3600000");
    let second = client.pull("orders VISIBILITY 3600000");
    let mut stream = server.replication_stream();
    let acknowledge = format!("ACK 2 {} {}", first.pair(), second.pair());
    pull(&mut client, &format!("orders {acknowledge} VISIBILITY 3600000"));
    assert_eq!(stream.take_names(), ["MQ.APPLY orders"]);
    // Nothing is acknowledged, nothing is pulled.
    pull(&mut client, &format!("orders {acknowledge}"));
    assert_eq!(stream.take_names(), [""; 0]);
}

#[test]
fn acknowledgments_of_a_pull_that_waits_are_an_op_of_their_own() {
    let server = Server::start();
    let replica = server.start_replica();
    let mut client = server.client();
    client.push("orders", "one");
    let first = client.pull("orders VISIBILITY 3600000");
    let mut stream = server.replication_stream();
    let line = format!("MQ.PULL orders BLOCK 0 VISIBILITY 3600000 ACK 1 {}", first.pair());
    let mut waiting = server.waiting(&line);
    assert_eq!(stream.take_names(), ["MQ.APPLY orders"]);
    client.push("orders", "two");
    waiting.reply().expect("two parts");
    assert_eq!(stream.take_names(), ["MQ.APPLY orders"; 2]);
    same_data(&mut client, &mut replica.client(), "all of it");
}
