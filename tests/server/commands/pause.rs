//! MQ.PAUSE and MQ.RESUME: a queue that delivers nothing for a while.

use crate::harness::*;

#[test]
fn pulls_of_a_paused_queue_find_nothing() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    assert_eq!(client.text("MQ.PAUSE orders"), "OK");
    client.pull_nothing("orders");
    assert_eq!(client.pull_batch("orders COUNT 5"), []);
    assert_eq!(client.ask("MQ.PULL orders NOACK"), Value::Nil);
    client.pull_nothing("orders BLOCK 20");
    assert_eq!(client.lengths("orders"), [1, 0, 0]);
    client.push("mails", "one");
    client.pull("mails");
    assert_eq!(client.text("MQ.RESUME orders"), "OK");
    assert_eq!(client.pull("orders").text(), "one");
}

#[test]
fn all_else_goes_on() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 4 a b c d");
    let held = client.pull_batch("orders COUNT 3 VISIBILITY 3600000");
    client.ask("MQ.PAUSE orders");
    client.push("orders", "e");
    client.acknowledge(&held[0]);
    client.nack(&held[1]);
    client.number(&format!("MQ.EXTEND {} VISIBILITY 20", held[2].delivery()));
    client.ask("MQ.PUSH orders f DELAY 20");
    client.ask("MQ.PUSH orders g TTL 20");
    eventually("deadlines pass", || client.number("HLEN mq:{orders}:flight") == 0);
    eventually("delays end", || client.number("ZCARD mq:{orders}:delayed") == 0);
    eventually("lives end", || client.queue_info("orders", "ttl_expired") == 1);
    assert_eq!(client.lengths("orders"), [5, 0, 0]);
    assert_eq!(items(&client.ask("MQ.PEEK orders")).len(), 5);
    client.pull_nothing("orders");
}

#[test]
fn a_client_waits_until_the_queue_is_resumed() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PAUSE orders");
    client.push("orders", "one");
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    client.push("orders", "two");
    waiting.still_waits();
    client.ask("MQ.RESUME orders");
    assert_eq!(waiting.message().0.text(), "one");
}

#[test]
fn a_client_that_waits_already_is_not_served_while_the_queue_is_paused() {
    let server = Server::start();
    let mut client = server.client();
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    client.ask("MQ.PAUSE orders");
    client.push("orders", "one");
    sleep_until_ms(now_ms() + 30);
    waiting.still_waits();
    client.ask("MQ.RESUME orders");
    assert_eq!(waiting.message().0.text(), "one");
}

#[test]
fn a_pause_with_an_end_ends_by_itself() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let before = now_ms();
    client.ask("MQ.PAUSE orders FOR 500");
    let until = client.queue_info("orders", "paused_until");
    assert!((before + 500..=now_ms() + 500).contains(&until), "{until}");
    client.pull_nothing("orders");
    sleep_until_ms(until);
    assert_eq!(client.pull("orders").text(), "one");
    assert_eq!(client.queue_info("orders", "paused"), 0);
    assert_eq!(client.queue_info("orders", "paused_until"), 0);
}

#[test]
fn its_end_serves_a_waiting_client_with_nobody_talking() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 2 one two");
    client.ask("MQ.PAUSE orders FOR 600");
    let until = client.queue_info("orders", "paused_until");
    let first = server.waiting("MQ.PULL orders BLOCK 0");
    let second = server.waiting("MQ.PULL orders BLOCK 0");
    drop(client);
    assert_eq!(first.message().0.text(), "one");
    assert!(now_ms() >= until, "served before the end of the pause");
    assert_eq!(second.message().0.text(), "two");
}

#[test]
fn a_later_pause_takes_the_place_of_the_earlier_one() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    client.ask("MQ.PAUSE orders FOR 3600000");
    client.ask("MQ.PAUSE orders FOR 30");
    let until = client.queue_info("orders", "paused_until");
    client.ask("MQ.PAUSE orders");
    assert_eq!(client.queue_info("orders", "paused"), 1);
    assert_eq!(client.queue_info("orders", "paused_until"), 0);
    sleep_until_ms(until + 20);
    client.pull_nothing("orders");
    // And one with an end that of one without.
    client.ask("MQ.PAUSE orders FOR 400");
    let (message, _) = server.client().wait_with("MQ.PULL orders BLOCK 0").message();
    assert_eq!(message.text(), "one");
}

#[test]
fn resuming_a_queue_that_is_not_paused_does_nothing() {
    let server = Server::start();
    let mut client = server.client();
    let mut stream = server.replication_stream();
    assert_eq!(client.text("MQ.RESUME orders"), "OK");
    assert_eq!(stream.take_names(), [""; 0]);
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn an_empty_queue_can_be_paused_and_is_there_then() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PAUSE orders");
    assert_eq!(strings(&client.ask("MQ.QUEUES")), ["orders"]);
    assert_eq!(client.queue_info("orders", "paused"), 1);
    client.ask("MQ.RESUME orders");
    assert_eq!(client.number("DBSIZE"), 0);
    assert_eq!(strings(&client.ask("MQ.QUEUES")), [""; 0]);
}

#[test]
fn a_pause_survives_restarts() {
    let mut server = Server::start_with_append_only_file();
    let mut client = server.client();
    for queue in ["orders", "mails"] {
        client.push(queue, "one");
    }
    client.ask("MQ.PAUSE orders");
    client.ask("MQ.PAUSE mails FOR 3600000");
    let until = client.queue_info("mails", "paused_until");
    let check = |server: &Server| {
        let mut client = server.client();
        client.pull_nothing("orders");
        client.pull_nothing("mails");
        assert_eq!(client.queue_info("mails", "paused_until"), until);
    };
    server.kill_and_start_again();
    check(&server);
    server.restart_with_snapshot();
    check(&server);
    server.client().ask("BGREWRITEAOF");
    eventually("the file is rewritten", || {
        let info = server.client().info("persistence");
        info["aof_rewrite_in_progress"] == "0" && info["aof_rewrite_scheduled"] == "0"
    });
    server.kill_and_start_again();
    check(&server);
    server.client().ask("MQ.RESUME orders");
    assert_eq!(server.client().pull("orders").text(), "one");
}

#[test]
fn a_pause_that_ended_while_the_server_was_down_is_over() {
    let mut server = Server::start_with_append_only_file();
    let mut client = server.client();
    client.push("orders", "one");
    client.ask("MQ.PAUSE orders FOR 100");
    let until = client.queue_info("orders", "paused_until");
    server.kill();
    sleep_until_ms(until);
    server.start_again();
    assert_eq!(server.client().pull("orders").text(), "one");
}

#[test]
fn a_pause_holds_on_a_promoted_replica_and_ends_there() {
    let mut server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    client.push("orders", "one");
    client.push("mails", "two");
    client.ask("MQ.PAUSE orders FOR 3000");
    client.ask("MQ.PAUSE mails");
    same_data(&mut client, &mut copy, "the pauses");
    server.kill();
    copy.ask("REPLICAOF NO ONE");
    copy.pull_nothing("orders");
    copy.pull_nothing("mails");
    let until = copy.queue_info("orders", "paused_until");
    let (message, _) = replica.client().wait_with("MQ.PULL orders BLOCK 0").message();
    assert!(now_ms() >= until, "served before the end of the pause");
    assert_eq!(message.text(), "one");
    copy.ask("MQ.RESUME mails");
    assert_eq!(copy.pull("mails").text(), "two");
}

#[test]
fn each_is_one_op_and_the_same_on_the_replica() {
    let server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    client.push("orders", "one");
    let mut stream = server.replication_stream();
    for line in [
        "MQ.PAUSE orders",
        "MQ.PAUSE orders FOR 3600000",
        "MQ.RESUME orders",
        "MQ.PAUSE orders FOR 3600000",
    ] {
        client.ask(line);
        assert_eq!(stream.take_names(), ["MQ.APPLY orders"], "{line}");
        same_data(&mut client, &mut copy, line);
    }
    assert_eq!(copy.queue_info("orders", "paused"), 1);
    // A pull that is sent away writes nothing.
    client.pull_nothing("orders");
    assert_eq!(stream.take_names(), [""; 0]);
}

#[test]
fn purge_keeps_the_pause_and_drop_does_not() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    client.ask("MQ.PAUSE orders");
    client.ask("MQ.PURGE orders");
    client.push("orders", "two");
    client.pull_nothing("orders");
    client.ask("MQ.DROP orders");
    client.push("orders", "three");
    assert_eq!(client.pull("orders").text(), "three");
}

#[test]
fn dropping_a_paused_queue_lets_waiting_clients_be_served_again() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PAUSE orders");
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    client.ask("MQ.DROP orders");
    client.push("orders", "one");
    assert_eq!(waiting.message().0.text(), "one");
}

#[test]
fn their_arguments_are_checked() {
    let server = Server::start();
    let mut client = server.client();
    let range = "ERR FOR must be an integer from 1 to 31536000000 milliseconds";
    for (line, expected) in [
        ("MQ.PAUSE orders FOR 0", range),
        ("MQ.PAUSE orders FOR -1", range),
        ("MQ.PAUSE orders FOR 31536000001", range),
        ("MQ.PAUSE orders FOR x", range),
        ("MQ.PAUSE orders FOR", "ERR FOR needs a value: milliseconds"),
        ("MQ.PAUSE orders UNTIL 5", "ERR unknown option 'UNTIL' for MQ.PAUSE, its option is FOR"),
        ("MQ.PAUSE orders FOR 1 FOR 1", "ERR FOR is given twice"),
    ] {
        assert_eq!(client.refused(line), expected, "{line}");
    }
    for line in ["MQ.PAUSE", "MQ.RESUME", "MQ.RESUME orders x"] {
        let error = client.refused(line);
        assert!(error.starts_with("ERR wrong number of arguments"), "{line}: {error}");
    }
    for line in ["MQ.PAUSE a{}b", "MQ.RESUME a{}b"] {
        let error = client.refused(line);
        assert!(error.starts_with("ERR invalid queue name"), "{line}: {error}");
    }
    assert_eq!(client.number("DBSIZE"), 0);
    client.ask("MQ.PAUSE orders FOR 31536000000");
    client.ask("MQ.PAUSE orders for 1");
    client.ask("SET mq:{wrong}:config text");
    for line in ["MQ.PAUSE wrong", "MQ.RESUME wrong"] {
        let error = client.refused(line);
        assert!(error.starts_with("WRONGTYPE "), "{line}: {error}");
    }
    client.ask("DEL mq:{wrong}:config");
}
