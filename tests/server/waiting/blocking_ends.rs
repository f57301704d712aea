//! How a wait ends otherwise than by a message or its own time: the client goes, is unblocked or
//! killed, the server changes its role, writes are paused, keys go away.

use crate::harness::*;

#[test]
fn a_client_that_is_gone_gets_no_message() {
    let server = Server::start();
    let mut client = server.client();
    let gone = server.waiting("MQ.PULL orders BLOCK 0");
    let second = server.waiting("MQ.PULL orders BLOCK 0");
    gone.hang_up();
    eventually("one waits", || client.queue_info("orders", "blocked_clients") == 1);
    let id = client.push("orders", "one");
    assert_eq!(second.message().0.id, id);
}

#[test]
fn a_message_for_clients_that_are_all_gone_stays() {
    let server = Server::start();
    let mut client = server.client();
    let waiting: Vec<Waiting> = (0..20).map(|_| server.waiting("MQ.PULL orders BLOCK 0")).collect();
    waiting.into_iter().for_each(Waiting::hang_up);
    eventually("nobody waits", || client.queue_info("orders", "blocked_clients") == 0);
    client.push("orders", "one");
    assert_eq!(client.lengths("orders"), [1, 0, 0]);
    assert_eq!(client.pull("orders").text(), "one");
}

#[test]
fn a_message_for_a_client_that_disconnects_when_it_is_served_is_not_lost() {
    let server = Server::start();
    let mut client = server.client();
    for _ in 0..30 {
        let waiting = server.waiting("MQ.PULL orders BLOCK 0 VISIBILITY 5");
        let id = waiting.id();
        // One packet: the client is killed after the push, before or after it was served.
        client.pipeline(&["MQ.PUSH orders one".into(), format!("CLIENT KILL ID {id}")]);
        waiting.hang_up();
        let message = client.pull("orders BLOCK 0");
        client.acknowledge(&message);
    }
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn a_killed_client_leaves_the_wait_list() {
    let server = Server::start();
    let mut client = server.client();
    let mut killed = server.waiting("MQ.PULL orders BLOCK 0");
    let second = server.waiting("MQ.PULL orders BLOCK 0");
    assert_eq!(client.number(&format!("CLIENT KILL ID {}", killed.id())), 1);
    killed.reply().expect_err("the connection is closed");
    client.push("orders", "one");
    assert_eq!(second.message().0.text(), "one");
    assert_eq!(client.queue_info("orders", "blocked_clients"), 0);
}

#[test]
fn client_unblock_ends_a_wait_like_its_timeout() {
    let server = Server::start();
    let mut client = server.client();
    for (arguments, expected) in [("orders", Value::Nil), ("orders COUNT 5", Value::Array(vec![]))]
    {
        for unblock in ["", " TIMEOUT"] {
            let mut waiting = server.waiting(&format!("MQ.PULL {arguments} BLOCK 0"));
            assert_eq!(client.number(&format!("CLIENT UNBLOCK {}{unblock}", waiting.id())), 1);
            assert_eq!(waiting.reply(), Ok(expected.clone()));
            assert_eq!(client.queue_info("orders", "blocked_clients"), 0);
            // It is not in the line any more, and its connection is as any other.
            client.push("orders", "one");
            assert_eq!(client.lengths("orders"), [1, 0, 0]);
            let mut unblocked = waiting.client();
            let message = unblocked.pull("orders");
            unblocked.acknowledge(&message);
        }
    }
}

#[test]
fn client_unblock_with_error_ends_a_wait_with_one() {
    let server = Server::start();
    let mut client = server.client();
    let mut waiting = server.waiting("MQ.PULL orders BLOCK 0");
    assert_eq!(client.number(&format!("CLIENT UNBLOCK {} ERROR", waiting.id())), 1);
    let error = waiting.reply().expect_err("an error");
    assert!(error.starts_with("UNBLOCKED "), "{error}");
    assert_eq!(client.queue_info("orders", "blocked_clients"), 0);
    client.push("orders", "one");
    assert_eq!(waiting.client().pull("orders").text(), "one");
}

#[test]
fn clients_behind_an_unblocked_one_are_served() {
    let server = Server::start();
    let mut client = server.client();
    let mut first = server.waiting("MQ.PULL orders BLOCK 0");
    let mut second = server.waiting("MQ.PULL orders BLOCK 0");
    let third = server.waiting("MQ.PULL orders BLOCK 0");
    // The pushes and the unblocking come in one packet, so nothing is served in between.
    client.pipeline(&[
        format!("CLIENT UNBLOCK {}", first.id()),
        "MQ.PUSH orders one".into(),
        format!("CLIENT UNBLOCK {} ERROR", second.id()),
        "MQ.PUSH orders two".into(),
    ]);
    assert_eq!(first.reply(), Ok(Value::Nil));
    let mut left = 2;
    if second.reply().is_ok() {
        left -= 1;
    }
    third.message();
    eventually("the rest is ready", || client.number("MQ.LEN orders READY") == left - 1);
}

#[test]
fn blocked_clients_get_an_error_when_the_server_becomes_a_replica() {
    let server = Server::start();
    let mut client = server.client();
    client.push("other", "held");
    let mut waiting = server.waiting("MQ.PULL orders BLOCK 0");
    client.ask("REPLICAOF 127.0.0.1 1");
    let error = waiting.reply().expect_err("an error");
    assert!(error.starts_with("UNBLOCKED "), "{error}");
    assert_eq!(client.queue_info("orders", "blocked_clients"), 0);
    let error = client.refused("MQ.PULL orders BLOCK 0");
    assert!(error.starts_with("READONLY "), "{error}");

    client.ask("REPLICAOF NO ONE");
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    client.push("orders", "one");
    assert_eq!(waiting.message().0.text(), "one");
}

#[test]
fn flushing_and_deleting_do_not_disturb_waiting_clients() {
    let server = Server::start();
    let mut client = server.client();
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    client.ask("MQ.PUSH orders one DELAY 60000");
    for command in
        ["DEL mq:{orders}:delayed mq:{orders}:messages", "FLUSHDB", "FLUSHALL", "SWAPDB 4 5"]
    {
        client.ask(command);
        waiting.still_waits();
    }
    client.push("orders", "two");
    assert_eq!(waiting.message().0.text(), "two");
}

#[test]
fn a_message_flushed_before_its_delivery_leaves_the_client_blocked() {
    let server = Server::start();
    let mut client = server.client();
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    client.pipeline(&["MQ.PUSH orders one".into(), "FLUSHALL".into()]);
    waiting.still_waits();
    client.push("orders", "two");
    assert_eq!(waiting.message().0.text(), "two");
}

#[test]
fn a_client_that_was_woken_for_nothing_keeps_its_place() {
    let server = Server::start();
    let mut client = server.client();
    let first = server.waiting("MQ.PULL orders BLOCK 0");
    let second = server.waiting("MQ.PULL orders COUNT 5 BLOCK 0");
    for _ in 0..10 {
        client.pipeline(&["MQ.PUSH orders gone".into(), "MQ.PULL orders".into()]);
        client.pipeline(&["MQ.PUSH orders gone".into(), "FLUSHALL".into()]);
    }
    first.still_waits();
    second.still_waits();
    client.push("orders", "one");
    assert_eq!(first.message().0.text(), "one");
    second.still_waits();
}

#[test]
fn a_waiting_client_keeps_its_wait_when_its_databases_are_swapped() {
    let server = Server::start();
    let mut client = server.client();
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    client.ask("SWAPDB 0 1");
    client.push("orders", "one");
    assert_eq!(waiting.message().0.text(), "one");
}

/// Pauses writes the way the server can: until they are resumed, or on the oldest server for a
/// while.
fn pause() -> &'static str {
    if facts().pauses_writes_only() { "CLIENT PAUSE 60000 WRITE" } else { "CLIENT PAUSE 300" }
}

fn resume(client: &mut Client) {
    if facts().pauses_writes_only() {
        client.ask("CLIENT UNPAUSE");
    }
}

#[test]
fn a_push_and_a_pause_in_one_transaction_serve_the_waiting_client_after_the_pause() {
    let server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let mut client = server.client();
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    client.pipeline(&["MULTI".into(), "MQ.PUSH orders one".into(), pause().into(), "EXEC".into()]);
    if facts().pauses_writes_only() {
        // Long enough for any timer to have fired; nothing may have been written.
        sleep_until_ms(now_ms() + 60);
        waiting.still_waits();
        assert_eq!(client.lengths("orders"), [1, 0, 0]);
    }
    resume(&mut client);
    assert_eq!(waiting.message().0.text(), "one");
    let mut copy = replica.client();
    same_data(&mut client, &mut copy, "the pause");
}

#[test]
fn nothing_expires_while_writes_are_paused() {
    let server = Server::start_with_append_only_file();
    let mut client = server.client();
    let waiting = server.waiting("MQ.PULL mails BLOCK 0");
    // In one packet: the pause begins before anything ends, on busy machines too.
    let lines = [
        "MQ.PUSH orders one",
        "MQ.PULL orders VISIBILITY 30",
        "MQ.PUSH orders two DELAY 30",
        "MQ.PUSH mails three DELAY 30",
        pause(),
    ];
    assert!(client.pipeline(&lines.map(String::from)).iter().all(Result::is_ok));
    if facts().pauses_writes_only() {
        let offset = client.info("replication")["master_repl_offset"].clone();
        sleep_until_ms(now_ms() + 120);
        assert_eq!(client.info("replication")["master_repl_offset"], offset);
        assert_eq!(client.number("HLEN mq:{orders}:flight"), 1);
        assert_eq!(client.number("ZCARD mq:{orders}:delayed"), 1);
        waiting.still_waits();
    }
    resume(&mut client);
    assert_eq!(waiting.message().0.text(), "three");
    eventually("both are back", || client.number("ZCARD mq:{orders}:ranked") == 2);
}

#[test]
fn a_wait_can_time_out_while_writes_are_paused() {
    if !facts().pauses_writes_only() {
        // There a pause holds all clients: the wait ends at the latest after it.
        let server = Server::start();
        let mut waiting = server.waiting("MQ.PULL orders BLOCK 100");
        server.client().ask(pause());
        assert_eq!(waiting.reply(), Ok(Value::Nil));
        return;
    }
    let server = Server::start();
    let mut client = server.client();
    let mut waiting = server.waiting("MQ.PULL orders BLOCK 100");
    client.pipeline(&["MULTI".into(), "MQ.PUSH orders one".into(), pause().into(), "EXEC".into()]);
    assert_eq!(waiting.reply(), Ok(Value::Nil));
    assert_eq!(client.lengths("orders"), [1, 0, 0]);
    resume(&mut client);
    assert_eq!(client.pull("orders").text(), "one");
}
