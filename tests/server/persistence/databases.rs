//! Databases other than 0, and keys that come and go by the server's own commands.

use crate::harness::everything::{check, fill};
use crate::harness::*;

const PARTS: [&str; 7] = ["ready", "ranked", "messages", "notes", "flight", "delayed", "config"];

#[test]
fn queues_of_the_same_name_in_two_databases_are_two_queues() {
    let server = Server::start();
    let mut first = server.client();
    let mut second = server.client_of_database(1);
    let in_first = fill(&mut first);
    assert_eq!(second.lengths("orders"), [0, 0, 0]);
    let in_second = fill(&mut second);
    check(&mut first, &in_first, "orders");
    check(&mut second, &in_second, "orders");
}

#[test]
fn a_delivery_of_another_database_is_not_found() {
    let server = Server::start();
    let mut first = server.client();
    first.push("orders", "one");
    let message = first.pull("orders");
    let error = server.client_of_database(1).refused(&format!("MQ.ACK {}", message.delivery()));
    assert!(error.starts_with("NOTFOUND "), "{error}");
    first.acknowledge(&message);
}

#[test]
fn swapped_databases_keep_their_queues() {
    let server = Server::start();
    let everything = fill(&mut server.client());
    let mut client = server.client();
    client.ask("SWAPDB 0 3");
    assert_eq!(client.lengths("orders"), [0, 0, 0]);
    check(&mut server.client_of_database(3), &everything, "orders");
}

#[test]
fn deadlines_follow_swapped_databases() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    client.pull("orders VISIBILITY 100");
    client.ask("MQ.PUSH orders two DELAY 100");
    client.ask("SWAPDB 0 3");
    let mut third = server.client_of_database(3);
    eventually("both are back", || third.number("ZCARD mq:{orders}:ranked") == 2);
    assert_eq!(client.number("DBSIZE"), 0);
}

/// A queue with two deadlines in a while.
fn with_deadlines(client: &mut Client) {
    client.push("orders", "one");
    client.pull("orders VISIBILITY 1000");
    client.ask("MQ.PUSH orders two DELAY 1000");
    assert_eq!(
        client.number("HLEN mq:{orders}:flight"),
        1,
        "this machine is too slow for the test"
    );
}

fn existing_parts(client: &mut Client, queue: &str) -> Vec<&'static str> {
    let exists = |part: &&str| client.number(&format!("EXISTS mq:{{{queue}}}:{part}")) == 1;
    PARTS.into_iter().filter(exists).collect()
}

/// Both messages of `with_deadlines` come back, with nobody talking to the queue.
#[track_caller]
fn both_come_back(client: &mut Client, queue: &str) {
    let key = format!("ZCARD mq:{{{queue}}}:ranked");
    if !facts().tells_modules_of_keys() {
        // Where the module hears nothing of such keys it finds them when it looks for all queues.
        client.ask("MQ.QUEUES");
    }
    eventually("both are back", || client.number(&key) == 2);
    let batch = client.pull_batch(&format!("{queue} COUNT 5"));
    let seen: Vec<(&str, i64)> = batch.iter().map(|one| (one.text(), one.retry_count)).collect();
    assert_eq!(seen, [("one", 1), ("two", 0)]);
}

#[test]
fn deadlines_follow_renamed_keys() {
    let server = Server::start();
    let mut client = server.client();
    with_deadlines(&mut client);
    for part in existing_parts(&mut client, "orders") {
        client.ask(&format!("RENAME mq:{{orders}}:{part} mq:{{mails}}:{part}"));
    }
    both_come_back(&mut client, "mails");
    assert_eq!(client.number("MQ.LEN orders"), 0);
}

#[test]
fn deadlines_follow_moved_keys() {
    let server = Server::start();
    let mut client = server.client();
    with_deadlines(&mut client);
    for part in existing_parts(&mut client, "orders") {
        assert_eq!(client.number(&format!("MOVE mq:{{orders}}:{part} 6")), 1);
        client.ask("SELECT 0");
    }
    both_come_back(&mut server.client_of_database(6), "orders");
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn deadlines_follow_restored_keys() {
    let server = Server::start();
    let mut client = server.client();
    with_deadlines(&mut client);
    let other = Server::start();
    let mut target = other.client();
    for part in existing_parts(&mut client, "orders") {
        let key = format!("mq:{{orders}}:{part}");
        let dump = client.ask(&format!("DUMP {key}"));
        let restore: [&[u8]; 4] = [b"RESTORE", key.as_bytes(), b"0", bulk(&dump)];
        target.reply(&restore).expect("restored");
    }
    both_come_back(&mut target, "orders");
    both_come_back(&mut client, "orders");
}

#[test]
fn reading_a_queue_detects_that_its_keys_arrived() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PUSH orders later DELAY 1500");
    let dumps: Vec<(&str, Value)> = existing_parts(&mut client, "orders")
        .into_iter()
        .map(|part| {
            let dump = client.ask(&format!("DUMP mq:{{orders}}:{part}"));
            (part, dump)
        })
        .collect();
    for (part, _) in &dumps {
        client.ask(&format!("DEL mq:{{orders}}:{part}"));
    }
    let restore = |client: &mut Client, queue: &str| {
        for (part, dump) in &dumps {
            let key = format!("mq:{{{queue}}}:{part}");
            let line: [&[u8]; 4] = [b"RESTORE", key.as_bytes(), b"0", bulk(dump)];
            client.reply(&line).expect("restored");
        }
    };
    // Nothing is left of what the timer knew of this queue; of the other it never knew anything.
    sleep_until_ms(now_ms() + 2_000);
    for queue in ["orders", "mails"] {
        restore(&mut client, queue);
        client.wait_for_ready(queue, 1);
    }
}

#[test]
fn deadlines_follow_copied_keys() {
    if !facts().copies_keys() {
        let error = Server::start().client().refused("COPY a b");
        assert!(error.contains("unknown command"), "{error}");
        return;
    }
    let server = Server::start();
    let mut client = server.client();
    with_deadlines(&mut client);
    for part in existing_parts(&mut client, "orders") {
        client.ask(&format!("COPY mq:{{orders}}:{part} mq:{{mails}}:{part}"));
        client.ask(&format!("COPY mq:{{orders}}:{part} mq:{{orders}}:{part} DB 2"));
        client.ask("SELECT 0");
    }
    both_come_back(&mut client, "mails");
    both_come_back(&mut client, "orders");
    both_come_back(&mut server.client_of_database(2), "orders");
}

#[test]
fn move_and_copy_leave_a_connection_in_its_database() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MSET a 1 b 1 c 1");
    client.ask("MOVE a 6");
    assert_eq!(client.number("EXISTS b"), 1);
    if facts().copies_keys() {
        client.ask("COPY b b DB 6");
        assert_eq!(client.number("EXISTS c"), 1);
    }
}

#[test]
fn flushing_empties_queues_and_leaves_the_server_working() {
    let server = Server::start();
    for flush in ["FLUSHDB", "FLUSHALL", "FLUSHALL ASYNC"] {
        let mut client = server.client_of_database(2);
        fill(&mut client);
        client.ask("MQ.PUSH mails x DELAY 30");
        client.ask(flush);
        assert_eq!(client.number("DBSIZE"), 0);
        assert_eq!(client.lengths("orders"), [0, 0, 0]);
        assert_eq!(client.ask("MQ.QUEUES"), Value::Array(vec![]));
        sleep_until_ms(now_ms() + 40);
        assert_eq!(client.number("DBSIZE"), 0, "{flush}: nothing comes back");
        let everything = fill(&mut client);
        check(&mut client, &everything, "orders");
        client.ask("FLUSHALL");
    }
}

#[test]
fn a_receipt_of_a_message_restored_after_its_acknowledgment_is_no_receipt_of_the_next_delivery() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let dump = client.ask("DUMP mq:{orders}:ready");
    let first = client.pull("orders");
    client.acknowledge(&first);
    let restore: [&[u8]; 4] = [b"RESTORE", b"mq:{orders}:ready", b"0", bulk(&dump)];
    client.reply(&restore).expect("restored");
    let second = client.pull("orders");
    assert_eq!(second.id, first.id);
    assert!(second.receipt > first.receipt);
    let error = client.refused(&format!("MQ.ACK {}", first.delivery()));
    assert!(error.starts_with("BADRECEIPT "), "{error}");
    client.acknowledge(&second);
}
