//! MQ.REDRIVE: dead letters go back to where they died, or to another queue.

use crate::harness::*;

/// Where messages of `orders` die.
const DEAD: &str = "{orders}:dead";

/// Lets a message of this queue die that was pushed with these options; returns its id.
#[track_caller]
fn die(client: &mut Client, queue: &str, payload: &str, options: &str) -> String {
    let id = client.text(&format!("MQ.PUSH {queue} {payload} {options}"));
    let message = client.pull(queue);
    assert_eq!(message.id, id);
    assert_eq!(client.number(&format!("MQ.NACK {} DEAD", message.delivery())), 1);
    // The next one dies later.
    sleep_until_ms(now_ms() + 2);
    id
}

/// Redrives `{orders}:dead` to `orders`, on every server.
#[track_caller]
fn redrive(client: &mut Client) -> i64 {
    client.number(&format!("MQ.REDRIVE {DEAD} TO orders"))
}

fn payloads(client: &mut Client, queue: &str) -> Vec<String> {
    let batch = client.pull_batch(&format!("{queue} COUNT 10000"));
    batch.iter().map(|message| message.text().to_string()).collect()
}

#[test]
fn dead_letters_go_back_to_where_they_died() {
    let server = Server::start();
    let mut client = server.client();
    for queue in ["orders", "mails"] {
        client.ask(&format!("MQ.CONFIG {queue} DEADLETTER dead"));
        die(&mut client, queue, &format!("of-{queue}"), "");
    }
    if !facts().separates_key_permissions() {
        let error = client.refused("MQ.REDRIVE dead");
        let expected = "ERR this server can't check the permission on the target queues, name one \
                        with TO";
        assert_eq!(error, expected);
        assert_eq!(client.refused("MQ.REDRIVE dead COUNT 1"), expected);
        assert_eq!(client.lengths("dead"), [2, 0, 0]);
        return;
    }
    assert_eq!(client.number("MQ.REDRIVE dead"), 2);
    for queue in ["orders", "mails"] {
        let message = client.pull(queue);
        assert_eq!(message.text(), format!("of-{queue}"));
        assert_eq!(message.retry_count, 0);
        let names: Vec<&str> = message.more.keys().map(String::as_str).collect();
        assert_eq!(names, ["deliveries", "first_delivered_at"]);
        client.acknowledge(&message);
    }
    assert_eq!(client.number("MQ.REDRIVE dead"), 0);
    assert_eq!(client.number("DBSIZE"), 2, "the two settings");
}

#[test]
fn with_to_all_go_there() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders DEADLETTER dead");
    client.ask("MQ.CONFIG mails DEADLETTER dead");
    let ids = [die(&mut client, "orders", "one", ""), die(&mut client, "mails", "two", "")];
    assert_eq!(client.number("MQ.REDRIVE dead TO repair"), 2);
    let batch = client.pull_batch("repair COUNT 5");
    assert_eq!(batch.iter().map(|message| &message.id).collect::<Vec<_>>(), [&ids[0], &ids[1]]);
    assert_eq!(client.lengths("dead"), [0, 0, 0]);
    assert_eq!(client.queue_info("dead", "redriven"), 2);
}

#[test]
fn the_oldest_death_goes_first() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 3 one two three");
    let held = client.pull_batch("orders COUNT 3");
    for n in [1, 2, 0] {
        assert_eq!(client.number(&format!("MQ.NACK {} DEAD", held[n].delivery())), 1);
        sleep_until_ms(now_ms() + 2);
    }
    for expected in ["two", "three", "one"] {
        assert_eq!(client.number(&format!("MQ.REDRIVE {DEAD} COUNT 1 TO orders")), 1);
        assert_eq!(payloads(&mut client, "orders"), [expected]);
    }
}

#[test]
fn a_thousand_are_moved_unless_count_says_otherwise() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    let pushes: Vec<String> = (0..1_501).map(|n| format!("MQ.PUSH orders {n}")).collect();
    client.pipeline(&pushes);
    let held = client.pull_batch("orders COUNT 1501 VISIBILITY 3600000");
    let pairs: Vec<String> = held.iter().map(Message::pair).collect();
    client.ask(&format!("MQ.NACK orders IDS 1501 {}", pairs.join(" ")));
    assert_eq!(redrive(&mut client), 1_000);
    assert_eq!(client.lengths(DEAD), [501, 0, 0]);
    assert_eq!(client.number(&format!("MQ.REDRIVE {DEAD} COUNT 1 TO orders")), 1);
    assert_eq!(client.number(&format!("MQ.REDRIVE {DEAD} TO orders COUNT 100000")), 500);
    assert_eq!(client.lengths("orders"), [1_501, 0, 0]);
}

#[test]
fn only_dead_letters_that_wait_are_moved() {
    let server = Server::start();
    let mut client = server.client();
    for payload in ["in-flight", "delayed", "waits"] {
        die(&mut client, "orders", payload, "");
    }
    client.pull(DEAD);
    let delayed = client.pull(DEAD);
    assert_eq!(client.number(&format!("MQ.NACK {} DELAY 3600000", delayed.delivery())), 1);
    assert_eq!(redrive(&mut client), 1);
    assert_eq!(payloads(&mut client, "orders"), ["waits"]);
    assert_eq!(client.lengths(DEAD), [0, 1, 1]);
    client.push(DEAD, "never died");
    assert_eq!(client.number(&format!("MQ.REDRIVE {DEAD} FROM orders TO orders")), 0);
    assert_eq!(client.lengths(DEAD), [1, 1, 1]);
}

#[test]
fn a_redriven_message_goes_behind_all_ready_ones_and_can_die_again() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 1");
    client.push("orders", "one");
    for _ in 0..2 {
        let message = client.pull("orders");
        client.nack(&message);
    }
    client.push("orders", "two");
    sleep_until_ms(now_ms() + 2);
    assert_eq!(redrive(&mut client), 1);
    let batch = client.pull_batch("orders COUNT 2");
    assert_eq!(batch.iter().map(Message::text).collect::<Vec<_>>(), ["two", "one"]);
    assert_eq!(batch[1].retry_count, 0);
    client.nack(&batch[1]);
    let again = client.pull("orders");
    assert_eq!(again.retry_count, 1);
    client.nack(&again);
    assert_eq!(client.pull(DEAD).more["dead_retries"], "1");
}

#[test]
fn receipts_go_on_rising() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let first = client.pull("orders");
    assert_eq!(client.number(&format!("MQ.NACK {} DEAD", first.delivery())), 1);
    let dead = client.pull(DEAD);
    client.nack(&dead);
    assert_eq!(redrive(&mut client), 1);
    let again = client.pull("orders");
    assert!(again.receipt > dead.receipt && dead.receipt > first.receipt);
    assert_eq!(again.retry_count, 0);
    for old in [&first.receipt, &dead.receipt] {
        let error = client.refused(&format!("MQ.ACK orders {} {old}", again.id));
        assert!(error.starts_with("BADRECEIPT "), "{error}");
    }
}

#[test]
fn headers_priority_and_the_last_reason_are_kept_but_no_ttl_and_no_key() {
    let server = Server::start();
    let mut client = server.client();
    let options = "PRIORITY 7 TTL 3600000 DEDUP job UNTILDONE HEADERS 1 type order";
    let id = client.text(&format!("MQ.PUSH orders one {options}"));
    let message = client.pull("orders");
    assert_eq!(client.number(&format!("MQ.NACK {} DEAD REASON why", message.delivery())), 1);
    let second = client.text("MQ.PUSH orders two PRIORITY 6 DEDUP job UNTILDONE");
    assert_ne!(second, id);
    client.ask("MQ.PUSH orders three PRIORITY 8");
    assert_eq!(redrive(&mut client), 1);
    assert_eq!(client.text("MQ.PUSH orders x DEDUP job UNTILDONE"), second);
    let batch = client.pull_batch("orders COUNT 5");
    assert_eq!(batch.iter().map(Message::text).collect::<Vec<_>>(), ["three", "one", "two"]);
    let again = &batch[1];
    assert_eq!(again.more["priority"], "7");
    assert_eq!(again.more["headers"], message.more["headers"]);
    assert_eq!(again.more["last_error"], "why");
    assert_eq!(again.more["deliveries"], "2");
    assert_eq!(again.more.len(), 5, "{again:?}");
    assert_eq!(again.timestamp, message.timestamp);
}

#[test]
fn a_message_of_a_group_goes_to_the_end_of_its_group() {
    let server = Server::start();
    let mut client = server.client();
    let first = die(&mut client, "orders", "one", "GROUP ann");
    assert_eq!(client.map(&format!("MQ.GET {DEAD} {first}"))["group"], "ann");
    client.ask("MQ.MPUSH orders 2 two three GROUP ann");
    assert_eq!(redrive(&mut client), 1);
    for expected in ["two", "three", "one"] {
        let message = client.pull("orders");
        assert_eq!((message.text(), &*message.more["group"]), (expected, "ann"));
        client.pull_nothing("orders");
        client.acknowledge(&message);
    }
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn maxlen_of_the_target_does_not_matter() {
    let server = Server::start();
    let mut client = server.client();
    die(&mut client, "orders", "one", "");
    client.ask("MQ.CONFIG orders MAXLEN 1");
    client.push("orders", "two");
    assert_eq!(redrive(&mut client), 1);
    assert_eq!(client.lengths("orders"), [2, 0, 0]);
}

#[test]
fn a_message_whose_target_has_another_type_stays() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders DEADLETTER dead");
    client.ask("MQ.CONFIG mails DEADLETTER dead");
    let stays = die(&mut client, "orders", "one", "");
    let moves = die(&mut client, "mails", "two", "");
    client.ask("SET mq:{orders}:ranked text");
    assert_eq!(client.number("MQ.REDRIVE dead TO orders"), 0);
    assert_eq!(client.lengths("dead"), [2, 0, 0]);
    if facts().separates_key_permissions() {
        // The one that stays is not counted.
        assert_eq!(client.number("MQ.REDRIVE dead COUNT 1"), 1);
        assert_eq!(client.number("MQ.REDRIVE dead"), 0);
        assert_eq!(client.pull("mails").id, moves);
        assert_eq!(client.pull("dead").id, stays);
    }
    client.ask("DEL mq:{orders}:ranked");
}

#[test]
fn a_dead_letter_queue_of_another_type_is_an_error() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("SET mq:{dead}:dead text");
    let error = client.refused("MQ.REDRIVE dead TO orders");
    assert!(error.starts_with("WRONGTYPE "), "{error}");
    client.ask("DEL mq:{dead}:dead");
}

#[test]
fn its_arguments_are_checked() {
    let server = Server::start();
    let mut client = server.client();
    die(&mut client, "orders", "one", "");
    let count = "ERR COUNT must be an integer from 1 to 100000";
    for (options, expected) in [
        ("COUNT 0 TO orders", count),
        ("COUNT 100001 TO orders", count),
        ("COUNT x TO orders", count),
        ("TO", "ERR TO needs a value: queue"),
        ("TO orders TO orders", "ERR TO is given twice"),
        ("TO orders COUNT", "ERR COUNT needs a value: an integer from 1 to 100000"),
        (
            "orders",
            "ERR unknown option 'orders' for MQ.REDRIVE, its options are COUNT, ALL, IDS, FROM, REASON, TO",
        ),
        ("TO {orders}:dead", "ERR a queue can't be redriven to itself"),
    ] {
        assert_eq!(client.refused(&format!("MQ.REDRIVE {DEAD} {options}")), expected, "{options}");
    }
    for line in ["MQ.REDRIVE a{}b TO orders", "MQ.REDRIVE dead TO a{}b"] {
        let error = client.refused(line);
        assert!(error.starts_with("ERR invalid queue name"), "{error}");
    }
    assert_eq!(client.lengths(DEAD), [1, 0, 0]);
}

#[test]
fn a_message_that_died_in_the_queue_that_is_now_its_dead_letter_queue_can_go_back() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders DEADLETTER mails");
    client.ask("MQ.CONFIG mails DEADLETTER orders");
    die(&mut client, "orders", "one", "");
    assert_eq!(client.number("MQ.REDRIVE mails TO orders"), 1);
    assert_eq!(client.pull("orders").text(), "one");
    assert_eq!(client.lengths("mails"), [0, 0, 0]);
}

#[test]
fn it_is_one_op_and_the_same_on_the_replica_and_after_a_restart() {
    let mut server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let mut client = server.client();
    for (payload, options) in [("one", ""), ("two", "PRIORITY 3"), ("three", "GROUP ann")] {
        die(&mut client, "orders", payload, options);
    }
    let mut stream = server.replication_stream();
    assert_eq!(redrive(&mut client), 3);
    assert_eq!(stream.take_names(), [format!("MQ.APPLY {DEAD}")]);
    assert_eq!(redrive(&mut client), 0);
    assert_eq!(stream.take_names(), [""; 0]);
    same_data(&mut client, &mut replica.client(), "the redrive");
    let digest = client.text("DEBUG DIGEST");
    server.kill_and_start_again();
    assert_eq!(server.client().text("DEBUG DIGEST"), digest);
    assert_eq!(payloads(&mut server.client(), "orders").len(), 3);
}
