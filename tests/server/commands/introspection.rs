//! MQ.INFO, MQ.LEN, MQ.QUEUES and the `mq` section of INFO.

use crate::harness::*;

/// In their order.
const INFO_FIELDS: &str = "\
    visibility maxretries deadletter backoff backoffmax delay ttl maxlen maxinflight rate \
    rateperiod aging groupinflight dedupwindow maxdedup exists deadletter_waiting ready inflight delayed \
    priorities groups dedup_keys paused paused_until rate_window_start rate_window_count \
    oldest_ready_age_ms oldest_inflight_age_ms oldest_delayed_age_ms next_due_at \
    highest_retry_count blocked_clients damaged pushed pulled acked late_acks nacked expired \
    dead dead_discarded bad_receipts ttl_expired deduplicated redriven refused_full deleted";

#[test]
fn info_of_a_queue_that_is_not_there_has_defaults_and_zeros() {
    let server = Server::start();
    let mut client = server.client();
    let reply = entries(&client.ask("MQ.INFO orders"));
    let names: Vec<&str> = reply.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.join(" "), INFO_FIELDS);
    for (name, value) in &reply {
        let expected = match name.as_str() {
            "visibility" => Value::Int(30_000),
            "maxretries" => Value::Int(25),
            "deadletter" => Value::BulkString(b"{orders}:dead".to_vec()),
            "backoff" => Value::Int(1_000),
            "backoffmax" => Value::Int(3_600_000),
            "rateperiod" => Value::Int(1_000),
            "groupinflight" => Value::Int(1),
            "dedupwindow" => Value::Int(300_000),
            "priorities" => Value::Array(Vec::new()),
            _ => Value::Int(0),
        };
        assert_eq!(*value, expected, "{name}");
    }
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn info_says_whether_the_queue_exists() {
    let server = Server::start();
    let mut client = server.client();
    let exists = |client: &mut Client| client.queue_info("orders", "exists");
    for (make, unmake) in [
        ("MQ.PUSH orders x", "MQ.PULL orders NOACK"),
        ("MQ.PUSH orders x PRIORITY 9", "MQ.PULL orders NOACK"),
        ("MQ.CONFIG orders DELAY 5", "MQ.CONFIG orders DELAY 0"),
        ("MQ.PAUSE orders", "MQ.RESUME orders"),
        ("MQ.PUSH orders x DELAY 3600000 GROUP g", "MQ.PURGE orders"),
    ] {
        assert_eq!(exists(&mut client), 0, "before {make}");
        client.ask(make);
        assert_eq!(exists(&mut client), 1, "after {make}");
        client.ask(unmake);
    }
    client.ask("MQ.PUSH orders x DEDUP k");
    client.ask("MQ.PULL orders NOACK");
    assert_eq!(exists(&mut client), 1, "a deduplication key is held");
}

#[test]
fn info_shows_the_queue_as_it_is() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 2 DEADLETTER graveyard BACKOFF 10000");
    let before_push = now_ms();
    for payload in ["one", "two", "three", "four"] {
        client.push("orders", payload);
    }
    let after_push = now_ms();
    client.ask("MQ.PUSH orders five DELAY 100000");
    client.push("graveyard", "by hand");
    let batch = client.pull_batch("orders COUNT 3 VISIBILITY 50000");
    client.acknowledge(&batch[0]);
    client.ask(&format!("MQ.NACK {}", batch[1].delivery()));
    client.refused(&format!("MQ.ACK orders {} 0000000000000001", batch[2].id));
    let due = client.queue_info("orders", "next_due_at");
    let before = now_ms();
    let info = client.map("MQ.INFO orders");
    let after = now_ms();
    for (name, value) in [
        ("maxretries", 2),
        ("backoff", 10_000),
        ("deadletter_waiting", 1),
        ("ready", 1),
        ("inflight", 1),
        ("delayed", 2),
        ("highest_retry_count", 1),
        ("blocked_clients", 0),
        ("damaged", 0),
        ("pushed", 5),
        ("pulled", 3),
        ("acked", 1),
        ("late_acks", 0),
        ("nacked", 1),
        ("expired", 0),
        ("dead", 0),
        ("bad_receipts", 1),
    ] {
        assert_eq!(info[name], value.to_string(), "{name}");
    }
    assert_eq!(info["deadletter"], "graveyard");
    let age: i64 = info["oldest_ready_age_ms"].parse().expect("a number");
    assert!(
        (before - after_push..=after - before_push).contains(&age),
        "oldest_ready_age_ms {age}"
    );
    // The message given back is due before the visibility of the one in flight ends.
    assert!(
        (batch[0].visibility_until - 50_000 + 10_000..batch[0].visibility_until).contains(&due)
    );
}

#[test]
fn next_due_at_is_the_first_of_all_deadlines() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    assert_eq!(
        client.queue_info("orders", "next_due_at"),
        0,
        "nothing is due for a waiting message"
    );
    let message = client.pull("orders VISIBILITY 50000");
    assert_eq!(client.queue_info("orders", "next_due_at"), message.visibility_until);
    client.ask("MQ.PUSH orders two DELAY 20000");
    assert!(client.queue_info("orders", "next_due_at") < message.visibility_until);
}

#[test]
fn the_highest_retry_count_is_that_of_the_messages_still_there() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    client.push("orders", "two");
    let (first, second) = (client.pull("orders"), client.pull("orders"));
    client.give_back(&first);
    client.give_back(&second);
    let first = client.pull("orders");
    client.give_back(&first);
    assert_eq!(client.queue_info("orders", "highest_retry_count"), 2);
    let remaining = client.pull_batch("orders COUNT 2");
    let most = remaining.iter().find(|message| message.retry_count == 2).expect("the first");
    client.acknowledge(most);
    assert_eq!(client.queue_info("orders", "highest_retry_count"), 1);
}

#[test]
fn blocked_clients_are_counted_per_queue_and_in_all() {
    let server = Server::start();
    let mut client = server.client();
    let first = server.waiting("MQ.PULL orders BLOCK 0");
    let _second = server.waiting("MQ.PULL orders BLOCK 0");
    let _other = server.waiting("MQ.PULL mails BLOCK 0");
    assert_eq!(client.queue_info("orders", "blocked_clients"), 2);
    assert_eq!(client.queue_info("mails", "blocked_clients"), 1);
    assert_eq!(client.info("mq")["mq_blocked_clients"], "3");
    client.push("orders", "one");
    first.message();
    assert_eq!(client.queue_info("orders", "blocked_clients"), 1);
    assert_eq!(client.info("mq")["mq_blocked_clients"], "2");
}

#[test]
fn expiries_and_deaths_are_counted() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 1");
    client.push("orders", "one");
    for _ in 0..2 {
        let message = client.pull("orders VISIBILITY 1");
        sleep_until_ms(message.visibility_until);
        client.ask("MQ.LEN orders");
        eventually("it is back or dead", || client.number("MQ.LEN orders INFLIGHT") == 0);
    }
    assert_eq!(client.queue_info("orders", "expired"), 2, "both returns came by time");
    assert_eq!(client.queue_info("orders", "dead"), 1);
    assert_eq!(client.queue_info("orders", "nacked"), 0);
}

#[test]
fn the_section_of_info_sums_over_all_queues() {
    let server = Server::start();
    let mut client = server.client();
    for queue in ["orders", "mails"] {
        client.push(queue, "one");
        client.push(queue, "two");
        let (first, second) = (client.pull(queue), client.pull(queue));
        client.acknowledge(&first);
        client.give_back(&second);
        client.refused(&format!("MQ.ACK {} {}", queue, second.pair()));
    }
    let mq = client.info("mq");
    for (name, value) in [
        ("mq_pushed", "4"),
        ("mq_pulled", "4"),
        ("mq_acked", "2"),
        ("mq_late_acks", "0"),
        ("mq_nacked", "2"),
        ("mq_expired", "0"),
        ("mq_dead", "0"),
        ("mq_dead_discarded", "0"),
        ("mq_bad_receipts", "2"),
        ("mq_ttl_expired", "0"),
        ("mq_deduplicated", "0"),
        ("mq_redriven", "0"),
        ("mq_refused_full", "0"),
        ("mq_deleted", "0"),
        ("mq_queues", "2"),
        ("mq_blocked_clients", "0"),
        ("mq_damaged", "0"),
        ("mq_dead_letters_refused", "0"),
        ("mq_apply_errors", "0"),
        ("mq_apply_refused", "0"),
        ("mq_sweep_errors", "0"),
        ("mq_scan_in_progress", "0"),
        ("mq_eviction_may_delete_messages", "0"),
    ] {
        assert_eq!(mq.get(name).map(String::as_str), Some(value), "{name}");
    }
}

#[test]
fn info_and_the_log_name_the_versions() {
    let server = Server::start();
    let mut client = server.client();
    let version = env!("CARGO_PKG_VERSION");
    let mq = client.info("mq");
    assert_eq!(mq.get("mq_version").map(String::as_str), Some(version));
    assert_eq!(mq.get("mq_op_version").map(String::as_str), Some("2"));
    let line = format!("* <mq> version {version}, writes ops of version 2\n");
    assert!(server.log().contains(&line), "{}", server.log());
}

#[test]
fn info_everything_includes_the_section() {
    let server = Server::start();
    let text = server.client().text("INFO everything");
    assert!(text.contains("\r\n# mq\r\n") || text.contains("\r\n# mq_mq\r\n"), "{text}");
    assert!(text.contains("\r\nmq_pushed:0\r\n"), "{text}");
}

#[test]
fn len_counts_every_state() {
    let server = Server::start();
    let mut client = server.client();
    assert_eq!(client.lengths("orders"), [0, 0, 0]);
    for n in 0..6 {
        client.push("orders", n.to_string());
    }
    client.ask("MQ.PUSH orders delayed DELAY 60000");
    let batch = client.pull_batch("orders COUNT 3");
    assert_eq!(client.lengths("orders"), [3, 3, 1]);
    client.give_back(&batch[0]);
    assert_eq!(client.lengths("orders"), [4, 2, 1]);
    client.ask(&format!("MQ.NACK {} DELAY 60000", batch[1].delivery()));
    assert_eq!(client.lengths("orders"), [4, 1, 2]);
    client.acknowledge(&batch[2]);
    assert_eq!(client.lengths("orders"), [4, 0, 2]);
}

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

#[test]
fn info_counts_the_queues_that_are_there() {
    let server = Server::start();
    let mut client = server.client();
    let mut other = server.client_of_database(3);
    let counted = |client: &mut Client, expected: usize, after: &str| {
        assert_eq!(client.info("mq")["mq_queues"], expected.to_string(), "{after}");
    };
    counted(&mut client, 0, "the start");
    for queue in ["a", "b", "c"] {
        client.push(queue, "one");
    }
    client.ask("MQ.CONFIG d MAXLEN 5");
    other.push("a", "one");
    counted(&mut client, 5, "pushes and settings");
    client.pull_nothing("e");
    let message = client.pull("a");
    counted(&mut client, 5, "a pull");
    client.acknowledge(&message);
    counted(&mut client, 4, "the last acknowledgment");
    client.push("a", "two");
    counted(&mut client, 5, "a push to a queue that was empty");
    let message = client.pull("b");
    client.ask(&format!("MQ.NACK {} DEAD", message.delivery()));
    counted(&mut client, 5, "a death");
    client.ask("MQ.DROP d");
    counted(&mut client, 4, "a drop");
    if facts().tells_modules_of_keys() {
        client.ask("DEL mq:{c}:ready");
        counted(&mut client, 3, "a deleted key");
        client.ask("RENAME mq:{a}:ready mq:{f}:ready");
        counted(&mut client, 3, "a renamed key");
    }
    client.ask("FLUSHDB");
    counted(&mut client, 1, "FLUSHDB");
    client.push("a", "one");
    counted(&mut client, 2, "a push after it");
    client.ask("FLUSHALL");
    counted(&mut client, 0, "FLUSHALL");
}
