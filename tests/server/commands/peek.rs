//! MQ.PEEK and MQ.GET: messages are looked at.

use crate::harness::*;

const LONG: &str = "VISIBILITY 3600000";

/// A queue with messages in each state.
fn fill(client: &mut Client) {
    for line in [
        "MQ.MPUSH orders 3 i1 i2 i3",
        "MQ.PULL orders VISIBILITY 3000000 CONSUMER worker-1",
        "MQ.PULL orders VISIBILITY 1000000",
        "MQ.PULL orders VISIBILITY 2000000 CONSUMER worker-2",
        "MQ.PUSH orders b1 GROUP bb",
        "MQ.PUSH orders c1 GROUP c",
        "MQ.PUSH orders b2 GROUP bb",
        "MQ.PUSH orders plain",
        "MQ.PUSH orders low PRIORITY 1",
        "MQ.PUSH orders high PRIORITY 9",
        "MQ.PUSH orders d2 DELAY 2000000",
        "MQ.PUSH orders d1 DELAY 1000000 GROUP a",
        "MQ.PUSH orders d3 DELAY 3000000 TTL 9000000",
    ] {
        client.ask(line);
    }
}

#[test]
fn every_state_is_shown_in_its_order() {
    let server = Server::start();
    let mut client = server.client();
    fill(&mut client);
    let ready = ["high", "low", "plain", "b1", "b2", "c1"];
    for state in ["", "READY", "ready"] {
        assert_eq!(client.peek_texts(&format!("orders {state}")), ready, "{state}");
    }
    assert_eq!(client.peek_texts("orders INFLIGHT"), ["i2", "i3", "i1"]);
    assert_eq!(client.peek_texts("orders DELAYED"), ["d1", "d2", "d3"]);
}

#[test]
fn each_message_shows_what_is_known_of_it() {
    let server = Server::start();
    let mut client = server.client();
    fill(&mut client);
    let names = |message: &Shown| message.keys().cloned().collect::<Vec<_>>().join(" ");
    let always = "id payload queue retry_count";
    let expected = |more: &[&str]| {
        let mut names: Vec<&str> = always.split(' ').chain(["timestamp", "state"]).collect();
        names.extend(more);
        names.sort();
        names.join(" ")
    };
    let ready = client.peek("orders");
    assert_eq!(names(&ready[0]), expected(&["priority"]));
    assert_eq!(names(&ready[2]), expected(&[]));
    assert_eq!(names(&ready[3]), expected(&["group"]));
    assert!(
        ready.iter().all(|message| message["state"] == "ready" && message["queue"] == "orders")
    );
    let inflight = client.peek("orders INFLIGHT");
    assert_eq!(names(&inflight[0]), expected(&["visibility_until"]));
    assert_eq!(names(&inflight[1]), expected(&["visibility_until", "consumer"]));
    let consumers = inflight.iter().filter_map(|message| message.get("consumer"));
    assert_eq!(consumers.collect::<Vec<_>>(), ["worker-2", "worker-1"]);
    assert!(inflight.iter().all(|message| message["state"] == "inflight"));
    let delayed = client.peek("orders DELAYED");
    assert_eq!(names(&delayed[0]), expected(&["due_at", "group"]));
    assert_eq!(names(&delayed[2]), expected(&["due_at", "expires_at"]));
    assert!(delayed.iter().all(|message| message["state"] == "delayed"));
    let moment = |message: &Shown, name: &str| message[name].parse::<i64>().expect("a timestamp");
    assert!((0..=60_000).contains(&(moment(&delayed[1], "due_at") - now_ms() - 1_940_000)));
    assert!(
        (0..=60_000).contains(&(moment(&inflight[0], "visibility_until") - now_ms() - 940_000))
    );
}

#[test]
fn the_order_of_the_fields_is_that_of_the_documentation() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PUSH orders x TTL 3600000 PRIORITY 3 HEADERS 1 a b");
    let names = |reply: Value| -> Vec<String> {
        entries(&items(&reply)[0]).into_iter().map(|(name, _)| name).collect()
    };
    let head = ["id", "queue", "payload", "timestamp", "retry_count", "state"];
    let tail = ["headers", "priority", "expires_at"];
    let expected = |middle: &[&'static str], end: &[&'static str]| {
        [&head[..], middle, &tail[..], end].concat()
    };
    assert_eq!(names(client.ask("MQ.PEEK orders")), expected(&[], &[]));
    let message = client.pull(&format!("orders {LONG} CONSUMER me"));
    let reply = client.ask("MQ.PEEK orders INFLIGHT");
    assert_eq!(names(reply), expected(&["visibility_until", "consumer"], &[]));
    client.ask(&format!("MQ.NACK {} DELAY 3600000 REASON no", message.delivery()));
    let reply = client.ask("MQ.PEEK orders DELAYED");
    let end = ["deliveries", "first_delivered_at", "last_error"];
    assert_eq!(names(reply), expected(&["due_at"], &end));
}

#[test]
fn offset_and_count_cut_a_part_out_of_each_state() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders GROUPINFLIGHT 100");
    for group in ["", "GROUP a", "GROUP b", "PRIORITY 3"] {
        let payloads: Vec<String> =
            (0..25).map(|n| format!("{}-{n}", group.replace(' ', "-"))).collect();
        client.ask(&format!("MQ.MPUSH orders 25 {} {group}", payloads.join(" ")));
        client.ask(&format!("MQ.MPUSH orders 25 {} {group} DELAY 3600000", payloads.join(" ")));
    }
    for state in ["READY", "DELAYED", "INFLIGHT"] {
        if state == "INFLIGHT" {
            assert_eq!(client.pull_batch(&format!("orders COUNT 100 {LONG}")).len(), 100);
        }
        let all = client.peek_texts(&format!("orders {state} COUNT 1000"));
        assert_eq!(all.len(), 100);
        assert_eq!(client.peek_texts(&format!("orders {state}")), all[..10]);
        for (offset, count) in [
            (0, 1),
            (0, 100),
            (1, 3),
            (24, 2),
            (25, 25),
            (49, 2),
            (70, 29),
            (99, 1),
            (99, 10),
            (95, 1000),
        ] {
            let part = client.peek_texts(&format!("orders {state} OFFSET {offset} COUNT {count}"));
            assert_eq!(part, all[offset..100.min(offset + count)], "{state} {offset} {count}");
        }
        for offset in [100, 1000, 2_147_483_647] {
            assert_eq!(client.peek(&format!("orders COUNT 5 OFFSET {offset} {state}")), []);
        }
    }
}

#[test]
fn a_look_is_no_delivery_and_changes_nothing() {
    let server = Server::start();
    let mut client = server.client();
    fill(&mut client);
    let ids: Vec<String> = ["READY", "INFLIGHT", "DELAYED"]
        .into_iter()
        .flat_map(|state| client.peek(&format!("orders {state}")))
        .map(|message| message["id"].clone())
        .collect();
    assert_eq!(ids.len(), 12);
    let before = (client.text("DEBUG DIGEST"), client.queue_info("orders", "pulled"));
    let mut stream = server.replication_stream();
    for _ in 0..3 {
        for state in ["READY", "INFLIGHT", "DELAYED"] {
            client.peek(&format!("orders {state}"));
        }
        for id in &ids {
            assert_eq!(&client.get("orders", id).expect("the message")["id"], id);
        }
    }
    assert_eq!(stream.take_names(), [""; 0]);
    assert_eq!((client.text("DEBUG DIGEST"), client.queue_info("orders", "pulled")), before);
    assert!(client.peek("orders").iter().all(|message| message["retry_count"] == "0"));
}

#[test]
fn receipts_are_never_shown() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "x");
    let message = client.pull("orders CONSUMER me");
    let shown = [
        client.ask("MQ.PEEK orders INFLIGHT"),
        client.ask(&format!("MQ.GET orders {}", message.id)),
    ];
    for reply in shown {
        assert!(!format!("{reply:?}").contains(&message.receipt), "{reply:?}");
    }
}

#[test]
fn a_replica_shows_the_same() {
    let server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    fill(&mut client);
    same_data(&mut client, &mut copy, "the fill");
    for state in ["READY", "INFLIGHT", "DELAYED"] {
        let line = format!("MQ.PEEK orders {state}");
        assert_eq!(copy.ask(&line), client.ask(&line));
    }
    let id = client.peek("orders")[0]["id"].clone();
    assert_eq!(copy.get("orders", &id), client.get("orders", &id));
    assert!(copy.get("orders", &id).is_some());
}

#[test]
fn a_paused_queue_is_shown() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "x");
    client.ask("MQ.PAUSE orders");
    assert_eq!(client.peek_texts("orders"), ["x"]);
}

#[test]
fn what_comes_back_is_shown_where_it_is_delivered() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 3 one two three");
    let one = client.pull("orders");
    client.ask(&format!("MQ.NACK {} DELAY 0 REASON broken", one.delivery()));
    let shown = client.peek("orders");
    let texts: Vec<&str> = shown.iter().map(|message| message["payload"].as_str()).collect();
    // Behind all that were there before, by the time of the NACK.
    assert_eq!(texts, client.pull_texts("orders COUNT 9"));
    let again = shown.iter().find(|message| message["payload"] == "one").expect("it");
    assert_eq!((again["retry_count"].as_str(), again["last_error"].as_str()), ("1", "broken"));
    assert_eq!(again["timestamp"], one.timestamp.to_string());
}

#[test]
fn a_dead_letter_shows_why_it_died() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "x");
    let message = client.pull("orders");
    client.ask(&format!("MQ.NACK {} DEAD REASON broken", message.delivery()));
    let shown = client.peek("{orders}:dead").remove(0);
    for (name, value) in [
        ("dead_from", "orders"),
        ("dead_reason", "rejected"),
        ("dead_retries", "0"),
        ("last_error", "broken"),
        ("state", "ready"),
    ] {
        assert_eq!(shown[name], value);
    }
    assert!(shown.contains_key("dead_at"));
    assert_eq!(client.get("orders", &message.id), None, "it is in the other queue");
    assert_eq!(client.get("{orders}:dead", &message.id), Some(shown));
}

#[test]
fn get_finds_a_message_in_every_state_and_null_for_the_rest() {
    let server = Server::start();
    let mut client = server.client();
    fill(&mut client);
    let mut ids = Vec::new();
    for state in ["READY", "INFLIGHT", "DELAYED"] {
        for shown in client.peek(&format!("orders {state}")) {
            assert_eq!(client.get("orders", &shown["id"]).as_ref(), Some(&shown));
            assert_eq!(client.get("mails", &shown["id"]), None);
            ids.push(shown["id"].clone());
        }
    }
    let message = client.pull("orders");
    client.acknowledge(&message);
    client.number(&format!("MQ.DEL orders {}", ids[2]));
    let none = "01890a5d-ac96-774b-bcce-b302099a8057";
    for id in
        [&message.id, &ids[2], none, "nonsense", "\"\"", &ids[0].to_uppercase().replace('-', "")]
    {
        assert_eq!(client.get("orders", id), None, "{id}");
    }
    assert_eq!(server.raw_replies(&[&format!("MQ.GET orders {none}")]), b"*-1\r\n");
}

#[test]
fn get_finds_a_plain_message_among_many() {
    let server = Server::start();
    let mut client = server.client();
    let ids = strings(&client.ask(&format!("MQ.MPUSH orders 3000 {}", vec!["x"; 3000].join(" "))));
    for n in [0, 1, 1500, 2998, 2999] {
        assert_eq!(client.get("orders", &ids[n]).expect("the message")["id"], ids[n]);
    }
}

#[test]
fn an_unreadable_message_is_left_out() {
    let server = Server::start();
    server.damaged_on_purpose();
    let mut client = server.client();
    client.push("orders", "one");
    client.ask("RPUSH mq:{orders}:ready garbage");
    client.push("orders", "two");
    assert_eq!(client.peek_texts("orders"), ["one", "two"]);
    assert_eq!(client.number("LLEN mq:{orders}:ready"), 3, "it stays where it is");
}

#[test]
fn wrong_looks_are_refused() {
    let server = Server::start();
    let mut client = server.client();
    for (wrong, error) in [
        (
            "NONSENSE",
            "ERR unknown option 'NONSENSE' for MQ.PEEK, its options are READY, INFLIGHT, DELAYED, DEAD, OFFSET, COUNT",
        ),
        ("READY READY", "ERR READY is given twice"),
        ("READY DELAYED", "ERR READY and DELAYED are mutually exclusive"),
        ("OFFSET", "ERR OFFSET needs a value: an integer from 0 to 2147483647"),
        ("COUNT", "ERR COUNT needs a value: an integer from 1 to 1000"),
        ("COUNT 1 COUNT 1", "ERR COUNT is given twice"),
        ("OFFSET 1 OFFSET 1", "ERR OFFSET is given twice"),
        ("COUNT 0", "ERR COUNT must be an integer from 1 to 1000"),
        ("COUNT 1001", "ERR COUNT must be an integer from 1 to 1000"),
        ("OFFSET -1", "ERR OFFSET must be an integer from 0 to 2147483647"),
        ("OFFSET 2147483648", "ERR OFFSET must be an integer from 0 to 2147483647"),
    ] {
        assert_eq!(client.refused(&format!("MQ.PEEK orders {wrong}")), error, "{wrong}");
    }
}

/// Beyond what is skipped one by one.
#[test]
fn an_offset_reaches_far_into_each_state() {
    let server = Server::start();
    let mut client = server.client();
    for number in 0..300 {
        client.push("held", number.to_string());
        client.ask(&format!("MQ.PUSH later {number} DELAY {}", 3_600_000 + number));
        client.ask(&format!("MQ.PUSH group {number} GROUP g"));
        client.ask(&format!("MQ.PUSH groups {number} GROUP {number}"));
    }
    for number in 0..300 {
        client.pull(&format!("held VISIBILITY {}", 3_600_000 + number));
    }
    // One after the other, in lists and in `ranked`, with two priorities.
    for number in 0..400 {
        let ttl = if number % 3 == 0 { "TTL 3600000" } else { "" };
        let priority = if number < 200 { "PRIORITY 5" } else { "" };
        client.ask(&format!("MQ.PUSH ready {number} {ttl} {priority}"));
        sleep_until_ms(now_ms() + 2);
    }
    for (queue, count) in [
        ("held INFLIGHT", 300),
        ("later DELAYED", 300),
        ("group", 300),
        ("groups", 300),
        ("ready", 400),
    ] {
        for skip in [0, 1, 127, 128, 129, 199, 201, 255, 290, count] {
            let shown = client.peek_texts(&format!("{queue} OFFSET {skip} COUNT 12"));
            let expected: Vec<_> =
                (skip..(skip + 12).min(count)).map(|number| number.to_string()).collect();
            assert_eq!(shown, expected, "{queue} from {skip}");
        }
    }
}

#[test]
fn a_reply_ends_after_the_message_that_passes_sixteen_mebibytes() {
    let server = Server::start();
    let mut client = server.client();
    let text = "x".repeat(1 << 20);
    for _ in 0..20 {
        client.push("orders", &text);
    }
    assert_eq!(client.peek("orders COUNT 1000").len(), 17);
    assert_eq!(client.peek("orders OFFSET 10 COUNT 1000").len(), 10);
    assert_eq!(client.pull_batch("orders COUNT 1000").len(), 17);
    assert_eq!(client.peek("orders INFLIGHT COUNT 1000").len(), 17);
    let value = "v".repeat(60_000);
    for _ in 0..300 {
        client.reply(&["MQ.PUSH", "mails", "x", "HEADERS", "1", "name", &value]).expect("an id");
    }
    assert_eq!(client.peek("mails COUNT 1000").len(), 280);
    assert_eq!(client.pull_batch("mails COUNT 1000").len(), 280);
}
