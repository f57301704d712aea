//! MQ.MPULL: the first of several queues that has something.

use crate::harness::*;

/// MQ.MPULL of one message that must be there.
#[track_caller]
fn mpull(client: &mut Client, line: &str) -> Message {
    Message::from(&client.ask(&format!("MQ.MPULL {line}")))
}

#[test]
fn the_first_queue_that_has_something_is_served() {
    let server = Server::start();
    let mut client = server.client();
    client.push("bulk", "newsletter");
    client.push("urgent", "alarm");
    client.push("normal", "letter");
    for (queue, payload) in [("urgent", "alarm"), ("normal", "letter"), ("bulk", "newsletter")] {
        let message = mpull(&mut client, "3 urgent normal bulk");
        assert_eq!((&*message.queue, message.text()), (queue, payload));
        client.acknowledge(&message);
    }
    assert_eq!(client.ask("MQ.MPULL 3 urgent normal bulk"), Value::Nil);
    for line in ["3 urgent normal bulk COUNT 5", "2 bulk bulk COUNT 5"] {
        assert_eq!(client.ask(&format!("MQ.MPULL {line}")), Value::Array(vec![]));
    }
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn all_messages_of_a_batch_come_from_one_queue() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH bulk 3 a b c");
    client.ask("MQ.MPUSH urgent 2 d e");
    for expected in [&["urgent", "urgent"][..], &["bulk", "bulk", "bulk"], &[]] {
        let batch = client.ask("MQ.MPULL 2 urgent bulk COUNT 10");
        let batch: Vec<Message> = items(&batch).iter().map(Message::from).collect();
        assert_eq!(batch.iter().map(|message| &*message.queue).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_queue_that_is_paused_or_at_a_limit_counts_as_empty() {
    let server = Server::start();
    let mut client = server.client();
    for queue in ["paused", "busy", "used-up", "open"] {
        client.ask(&format!("MQ.MPUSH {queue} 3 a b c"));
    }
    client.ask("MQ.CONFIG busy MAXINFLIGHT 1");
    client.pull("busy");
    client.ask("MQ.CONFIG used-up RATE 1 RATEPERIOD 3600000");
    client.pull("used-up");
    client.ask("MQ.PAUSE paused");
    assert_eq!(mpull(&mut client, "4 paused busy used-up open").queue, "open");
}

#[test]
fn what_has_become_due_in_a_queue_is_found() {
    let server = Server::start();
    let mut client = server.client();
    // After a stall of the machine a pull ends no visibility for some milliseconds.
    let finds = |client: &mut Client| {
        client.ask("FLUSHALL");
        client.push("orders", "one");
        let first = client.pull("orders VISIBILITY 1");
        client.push("bulk", "two");
        sleep_until_ms(first.visibility_until);
        let again = mpull(client, "2 orders bulk");
        (again.id, again.retry_count) == (first.id, 1)
    };
    assert!((0..10).any(|_| finds(&mut client)));
}

#[test]
fn more_than_one_pull_moves_is_found_too() {
    let server = Server::start();
    let mut client = server.client();
    let pushes: Vec<String> = (0..2000).map(|n| format!("MQ.PUSH b {n} DELAY 1")).collect();
    client.pipeline(&pushes);
    sleep_until_ms(now_ms() + 2);
    let message = mpull(&mut client, "2 a b");
    assert_eq!((&*message.queue, message.text()), ("b", "0"));
}

#[test]
fn the_visibility_is_that_of_the_queue_it_comes_from() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders VISIBILITY 3600000");
    client.ask("MQ.CONFIG mails VISIBILITY 7200000");
    client.ask("MQ.MPUSH mails 2 one two");
    let before = now_ms();
    let message = mpull(&mut client, "2 orders mails");
    assert!(message.visibility_until >= before + 7_200_000);
    let message = mpull(&mut client, "2 orders mails VISIBILITY 60000 CONSUMER ann");
    assert!(message.visibility_until <= now_ms() + 60_000);
    assert_eq!(client.map(&format!("MQ.GET mails {}", message.id))["consumer"], "ann");
}

#[test]
fn its_arguments_are_checked() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let numkeys = "ERR numkeys must be an integer from 1 to 1024";
    for (line, expected) in [
        ("0 orders", numkeys),
        ("-1 orders", numkeys),
        ("x orders", "ERR numkeys comes before the queues: MQ.MPULL numkeys queue ..."),
        ("1025 orders", numkeys),
        ("2 orders", "ERR numkeys 2 needs 2 queues, got 1"),
        ("1 orders mails", "ERR 'mails' is not an option of MQ.MPULL: numkeys 1 takes 1 queue"),
        ("1 orders COUNT", "ERR COUNT needs a value: an integer from 1 to 10000"),
        ("1 orders COUNT 1 COUNT 1", "ERR COUNT is given twice"),
        ("1 orders COUNT 0", "ERR COUNT must be an integer from 1 to 10000"),
        ("1 orders BLOCK -1", "ERR BLOCK must be an integer from 0 to 31536000000 milliseconds"),
    ] {
        assert_eq!(client.refused(&format!("MQ.MPULL {line}")), expected, "{line}");
    }
    let error = client.refused("MQ.MPULL 2 orders a{}b");
    assert!(error.starts_with("ERR invalid queue name"), "{error}");
    for line in ["MQ.MPULL", "MQ.MPULL 1"] {
        let error = client.refused(line);
        assert!(error.starts_with("ERR wrong number of arguments"), "{error}");
    }
    assert_eq!(client.lengths("orders"), [1, 0, 0]);
    let names: Vec<String> = (0..1_023).map(|n| format!("queue-{n}")).collect();
    let most = mpull(&mut client, &format!("1024 {} orders", names.join(" ")));
    assert_eq!(most.queue, "orders");
}

#[test]
fn its_keys_are_the_queues_and_a_user_needs_permission_on_all() {
    let server = Server::start();
    let mut client = server.client();
    let keys = client.ask("COMMAND GETKEYS MQ.MPULL 3 urgent normal bulk COUNT 2");
    assert_eq!(strings(&keys), ["urgent", "normal", "bulk"]);
    client.push("bulk", "one");
    client.ask("ACL SETUSER alice reset on >secret ~urgent ~bulk +mq.mpull");
    let mut alice = server.client();
    alice.ask("AUTH alice secret");
    let error = alice.refused("MQ.MPULL 3 urgent normal bulk");
    assert!(error.starts_with("NOPERM "), "{error}");
    assert_eq!(mpull(&mut alice, "2 urgent bulk").queue, "bulk");
}

#[test]
fn in_cluster_mode_the_queues_are_in_one_slot() {
    let server = Server::start_in_cluster_mode();
    let mut client = server.client();
    client.push("{acme}.bulk", "one");
    let error = client.refused("MQ.MPULL 2 urgent {acme}.bulk");
    assert!(error.starts_with("CROSSSLOT "), "{error}");
    assert_eq!(mpull(&mut client, "2 {acme}.urgent {acme}.bulk").queue, "{acme}.bulk");
    let waiting = server.waiting("MQ.MPULL 2 {acme}.urgent {acme}.bulk BLOCK 0");
    client.push("{acme}.urgent", "two");
    assert_eq!(waiting.message().0.text(), "two");
}

#[test]
fn a_delivery_is_an_op_of_its_queue_alone() {
    let server = Server::start();
    let replica = server.start_replica();
    let mut client = server.client();
    client.push("bulk", "one");
    let mut stream = server.replication_stream();
    mpull(&mut client, "2 urgent bulk VISIBILITY 3600000");
    assert_eq!(stream.take_names(), ["MQ.APPLY bulk"]);
    client.ask("MQ.MPULL 2 urgent bulk");
    assert_eq!(stream.take_names(), [""; 0]);
    same_data(&mut client, &mut replica.client(), "the delivery");
}
