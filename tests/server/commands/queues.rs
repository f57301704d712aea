//! MQ.QUEUES: which queues are listed, by patterns and in parts.

use crate::harness::*;

#[test]
fn queues_lists_what_has_a_message_or_a_setting() {
    let server = Server::start();
    let mut client = server.client();
    assert_eq!(client.ask("MQ.QUEUES"), Value::Array(vec![]));
    client.push("ready", "x");
    client.push("in-flight", "x");
    client.pull("in-flight");
    client.ask("MQ.PUSH delayed x DELAY 60000");
    client.ask("MQ.CONFIG configured DELAY 1");
    client.push("gone", "x");
    let message = client.pull("gone");
    client.push("{tagged}.name", "x");
    client.ask("SET mq:{not-ours}:strange 1");
    client.ask("SET ready 1");
    let queues = |client: &mut Client| {
        let mut names = strings(&client.ask("MQ.QUEUES"));
        names.sort();
        names
    };
    let mut expected = vec!["configured", "delayed", "gone", "in-flight", "ready", "{tagged}.name"];
    assert_eq!(queues(&mut client), expected);
    client.acknowledge(&message);
    expected.retain(|name| *name != "gone");
    assert_eq!(queues(&mut client), expected);
}

#[test]
fn queues_can_be_matched_with_a_pattern() {
    let server = Server::start();
    let mut client = server.client();
    for queue in ["orders", "orders.eu", "mails", "[odd]"] {
        client.push(queue, "x");
    }
    let matching = |client: &mut Client, pattern: &str| {
        let mut names = strings(&client.ask(&format!("MQ.QUEUES MATCH {pattern}")));
        names.sort();
        names
    };
    assert_eq!(matching(&mut client, "orders*"), ["orders", "orders.eu"]);
    assert_eq!(matching(&mut client, "*s"), ["mails", "orders"]);
    assert_eq!(matching(&mut client, "m?ils"), ["mails"]);
    assert_eq!(matching(&mut client, "[mo]*s"), ["mails", "orders"]);
    assert_eq!(matching(&mut client, "\\[odd]"), ["[odd]"]);
    assert_eq!(matching(&mut client, "nothing").len(), 0);
    assert_eq!(matching(&mut client, "*").len(), 4);
}

#[test]
fn queues_of_another_database_are_not_listed() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "x");
    let mut third = server.client_of_database(3);
    third.push("mails", "x");
    assert_eq!(strings(&client.ask("MQ.QUEUES")), ["orders"]);
    assert_eq!(strings(&third.ask("MQ.QUEUES")), ["mails"]);
}

#[test]
fn a_queue_whose_keys_were_deleted_is_not_listed() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "x");
    client.push("mails", "x");
    client.ask("DEL mq:{orders}:ready");
    assert_eq!(strings(&client.ask("MQ.QUEUES")), ["mails"]);
    client.ask("FLUSHALL");
    assert_eq!(client.ask("MQ.QUEUES"), Value::Array(vec![]));
}

#[test]
fn queues_that_came_by_restore_or_rename_are_listed() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "x");
    let dump = client.ask("DUMP mq:{orders}:ready");
    let restore: [&[u8]; 4] = [b"RESTORE", b"mq:{restored}:ready", b"0", bulk(&dump)];
    client.reply(&restore).expect("restored");
    client.ask("RENAME mq:{orders}:ready mq:{renamed}:ready");
    let mut names = strings(&client.ask("MQ.QUEUES"));
    names.sort();
    assert_eq!(names, ["renamed", "restored"]);
    assert_eq!(client.pull("restored").text(), "x");
    assert_eq!(client.pull("renamed").text(), "x");
}

#[test]
fn queues_that_came_by_copy_or_move_are_listed() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "x");
    client.push("mails", "x");
    client.ask("MOVE mq:{mails}:ready 2");
    client.ask("SELECT 0");
    assert_eq!(strings(&client.ask("MQ.QUEUES")), ["orders"]);
    let mut second = server.client_of_database(2);
    assert_eq!(strings(&second.ask("MQ.QUEUES")), ["mails"]);
    assert_eq!(second.pull("mails").text(), "x");
    if facts().copies_keys() {
        client.ask("COPY mq:{orders}:ready mq:{copied}:ready");
        let mut names = strings(&client.ask("MQ.QUEUES"));
        names.sort();
        assert_eq!(names, ["copied", "orders"]);
    }
}

#[test]
fn queues_are_swapped_with_their_databases() {
    let server = Server::start();
    let mut client = server.client();
    let mut fifth = server.client_of_database(5);
    client.push("orders", "x");
    fifth.push("mails", "x");
    client.ask("SWAPDB 0 5");
    assert_eq!(strings(&client.ask("MQ.QUEUES")), ["mails"]);
    assert_eq!(strings(&fifth.ask("MQ.QUEUES")), ["orders"]);
}

#[test]
fn queues_are_complete_right_after_a_restart() {
    let mut server = Server::start();
    let mut client = server.client();
    let mut pushes: Vec<String> = (0..2000).map(|n| format!("MQ.PUSH queue-{n} x")).collect();
    pushes.extend((0..20_000).map(|n| format!("SET other-{n} x")));
    for reply in client.pipeline(&pushes) {
        reply.expect("a write");
    }
    server.restart_with_snapshot();
    let mut client = server.client();
    assert_eq!(strings(&client.ask("MQ.QUEUES")).len(), 2000);
    assert_eq!(strings(&client.ask("MQ.QUEUES MATCH queue-1234")), ["queue-1234"]);
}

#[test]
fn queues_may_ask_to_try_again_where_it_cannot_wait() {
    let mut server = Server::start();
    let mut client = server.client();
    client.push("orders", "x");
    server.restart_with_snapshot();
    let mut client = server.client();
    let complete = Value::Array(vec![Value::BulkString(b"orders".to_vec())]);
    // Right after a load the reply is the complete list or TRYAGAIN, never a part.
    eventually("a script gets the list", || {
        match client.reply(&["EVAL", "return redis.call('MQ.QUEUES')", "0"]) {
            Ok(list) => {
                assert_eq!(list, complete);
                true
            }
            Err(error) => {
                assert!(error.contains("TRYAGAIN"), "{error}");
                false
            }
        }
    });
    client.ask("MULTI");
    client.ask("MQ.QUEUES");
    assert_eq!(client.ask("EXEC"), Value::Array(vec![complete]));
}

/// All parts of the list, and how many they were.
fn parts(client: &mut Client, options: &str) -> (Vec<String>, usize) {
    let (mut names, mut cursor, mut count) = (Vec::new(), "0".to_owned(), 0);
    loop {
        let reply = client.ask(&format!("MQ.QUEUES CURSOR {cursor} {options}"));
        let [next, part] = items(&reply) else { panic!("not two: {reply:?}") };
        names.extend(strings(part));
        cursor = text_of(next);
        count += 1;
        if cursor == "0" {
            return (names, count);
        }
    }
}

#[test]
fn the_list_of_queues_comes_in_parts_too() {
    let server = Server::start();
    let mut client = server.client();
    assert_eq!(parts(&mut client, ""), (vec![], 1));
    for n in 0..1_200 {
        client.push(&format!("queue-{n}"), "x");
    }
    server.client_of_database(5).push("elsewhere", "x");
    for (options, expected, count) in [
        ("", 1_200, 3),
        ("COUNT 100000", 1_200, 1),
        ("COUNT 1201", 1_200, 1),
        ("COUNT 300", 1_200, 5),
        ("COUNT 300 MATCH queue-11??", 100, 5),
        ("MATCH elsewhere", 0, 3),
    ] {
        let (mut names, number) = parts(&mut client, options);
        names.sort();
        names.dedup();
        assert_eq!((names.len(), number), (expected, count), "{options}");
    }
    // What is there all the time is in one of the parts, whatever comes and goes.
    let first = client.ask("MQ.QUEUES CURSOR 0 COUNT 600");
    for n in 0..100 {
        client.ask(&format!("MQ.DROP queue-{n}"));
        client.push(&format!("queue-{}", n + 2_000), "x");
    }
    let cursor = text_of(&items(&first)[0]);
    let second = client.ask(&format!("MQ.QUEUES CURSOR {cursor} COUNT 100000"));
    assert_eq!(text_of(&items(&second)[0]), "0");
    let names = [strings(&items(&first)[1]), strings(&items(&second)[1])].concat();
    for n in 100..1_200 {
        assert!(names.contains(&format!("queue-{n}")), "queue-{n}");
    }
    for line in ["CURSOR x", "CURSOR -1", "CURSOR", "COUNT 5", "CURSOR 0 COUNT 0"] {
        client.refused(&format!("MQ.QUEUES {line}"));
    }
}
