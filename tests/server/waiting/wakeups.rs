//! Everything that makes a message deliverable serves the clients that wait for it.

use crate::harness::*;

/// A queue of two messages: the first is in flight, the second can't be delivered yet. Returns the
/// delivery.
fn blocked_by(client: &mut Client, settings: &str, options: &str) -> Message {
    if !settings.is_empty() {
        client.ask(&format!("MQ.CONFIG orders {settings}"));
    }
    client.ask(&format!("MQ.MPUSH orders 2 one two {options}"));
    client.pull("orders VISIBILITY 3600000")
}

/// Waits for a message, does `line`, and returns what was delivered.
#[track_caller]
fn served_by(server: &Server, line: &str) -> Message {
    let waiting = server.waiting("MQ.PULL orders BLOCK 0 VISIBILITY 3600000");
    sleep_until_ms(now_ms() + 5);
    waiting.still_waits();
    server.client().ask(line);
    waiting.message().0
}

#[test]
fn a_slot_that_becomes_free_under_maxinflight() {
    for how in ["ACK", "NACK DELAY", "NACK", "NACK NOCOUNT", "NACK DEAD", "DEL", "PULL ACK"] {
        let server = Server::start();
        let mut client = server.client();
        let held = blocked_by(&mut client, "MAXINFLIGHT 1", "");
        let delivery = held.delivery();
        let line = match how {
            "ACK" => format!("MQ.ACK {delivery}"),
            "NACK DELAY" => format!("MQ.NACK {delivery} DELAY 3600000"),
            "NACK" => format!("MQ.NACK {delivery} DELAY 0"),
            "NACK NOCOUNT" => format!("MQ.NACK {delivery} NOCOUNT"),
            "NACK DEAD" => format!("MQ.NACK {delivery} DEAD"),
            "DEL" => format!("MQ.DEL orders {}", held.id),
            _ => format!("MQ.ACK orders IDS 2 x y {}", held.pair()),
        };
        let message = served_by(&server, &line);
        assert_eq!(message.text(), "two", "{how}");
    }
}

#[test]
fn a_slot_that_becomes_free_by_time() {
    // The first comes again or dies.
    for (settings, expected) in [("BACKOFF 3600000", "one"), ("MAXRETRIES 0", "two")] {
        let server = Server::start();
        let mut client = server.client();
        client.ask(&format!("MQ.CONFIG orders MAXINFLIGHT 1 {settings}"));
        client.ask("MQ.MPUSH orders 2 one two");
        client.pull("orders VISIBILITY 600");
        let waiting = server.waiting("MQ.PULL orders BLOCK 0 VISIBILITY 3600000");
        drop(client);
        assert_eq!(waiting.message().0.text(), expected, "{settings}");
    }
}

#[test]
fn a_slot_that_becomes_free_because_what_comes_back_is_discarded() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXINFLIGHT 1");
    client.ask("MQ.PUSH orders one TTL 400");
    client.push("orders", "two");
    client.pull("orders VISIBILITY 700");
    let waiting = server.waiting("MQ.PULL orders BLOCK 0 VISIBILITY 3600000");
    assert_eq!(waiting.message().0.text(), "two");
    assert_eq!(client.queue_info("orders", "ttl_expired"), 1);
}

#[test]
fn a_slot_that_becomes_free_by_the_end_of_a_connection() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXINFLIGHT 1 BACKOFF 3600000");
    client.ask("MQ.MPUSH orders 2 one two");
    let mut holder = server.client();
    holder.pull("orders VISIBILITY 3600000 ONDISCONNECT");
    let waiting = server.waiting("MQ.PULL orders BLOCK 0 VISIBILITY 3600000");
    drop(holder);
    assert_eq!(waiting.message().0.text(), "two");
}

#[test]
fn a_group_that_becomes_free() {
    for how in ["ACK", "DEL", "NACK DEAD", "dies"] {
        let server = Server::start();
        let mut client = server.client();
        let settings = if how == "dies" { "MAXRETRIES 0" } else { "" };
        let held = blocked_by(&mut client, settings, "GROUP ann");
        let line = match how {
            "ACK" => format!("MQ.ACK {}", held.delivery()),
            "DEL" => format!("MQ.DEL orders {}", held.id),
            "NACK DEAD" => format!("MQ.NACK {} DEAD", held.delivery()),
            _ => format!("MQ.NACK {}", held.delivery()),
        };
        assert_eq!(served_by(&server, &line).text(), "two", "{how}");
    }
}

#[test]
fn a_group_whose_message_comes_back() {
    for options in ["", "NOCOUNT", "DELAY 50"] {
        let server = Server::start();
        let mut client = server.client();
        let held = blocked_by(&mut client, "", "GROUP ann");
        let message = served_by(&server, &format!("MQ.NACK {} {options}", held.delivery()));
        assert_eq!(message.text(), "one", "{options}");
    }
}

#[test]
fn a_group_that_a_delayed_message_held() {
    let server = Server::start();
    let mut client = server.client();
    let held = blocked_by(&mut client, "", "GROUP ann");
    assert_eq!(client.number(&format!("MQ.NACK {} DELAY 3600000", held.delivery())), 1);
    let message = served_by(&server, &format!("MQ.DEL orders {}", held.id));
    assert_eq!(message.text(), "two");
}

#[test]
fn a_group_whose_held_message_ends_by_time() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PUSH orders one GROUP ann TTL 600");
    client.ask("MQ.PUSH orders two GROUP ann");
    let held = client.pull("orders VISIBILITY 3600000");
    assert_eq!(client.number(&format!("MQ.NACK {} DELAY 3600000", held.delivery())), 1);
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    assert_eq!(waiting.message().0.text(), "two");
}

#[test]
fn a_raised_limit() {
    for (settings, options, raised) in [
        ("MAXINFLIGHT 1", "", "MAXINFLIGHT 2"),
        ("MAXINFLIGHT 1", "", "MAXINFLIGHT 0"),
        ("RATE 1 RATEPERIOD 3600000", "", "RATE 2"),
        ("RATE 1 RATEPERIOD 3600000", "", "RATE 0"),
        ("RATE 1 RATEPERIOD 3600000", "", "RATEPERIOD 1"),
        ("", "GROUP ann", "GROUPINFLIGHT 2"),
    ] {
        let server = Server::start();
        let mut client = server.client();
        blocked_by(&mut client, settings, options);
        let message = served_by(&server, &format!("MQ.CONFIG orders {raised}"));
        assert_eq!(message.text(), "two", "{raised}");
    }
}

#[test]
fn as_many_clients_as_the_raised_limit_allows() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXINFLIGHT 1");
    client.ask("MQ.MPUSH orders 4 a b c d");
    client.pull("orders VISIBILITY 3600000");
    let [first, second, third] =
        [(); 3].map(|()| server.waiting("MQ.PULL orders BLOCK 0 VISIBILITY 3600000"));
    client.ask("MQ.CONFIG orders MAXINFLIGHT 3");
    assert_eq!(first.message().0.text(), "b");
    assert_eq!(second.message().0.text(), "c");
    third.still_waits();
    client.ask("MQ.CONFIG orders MAXINFLIGHT 4");
    assert_eq!(third.message().0.text(), "d");
}

#[test]
fn a_rate_window_that_opens_with_nobody_talking() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders RATE 1 RATEPERIOD 700");
    client.ask("MQ.MPUSH orders 3 a b c");
    client.pull("orders VISIBILITY 3600000");
    let end = client.queue_info("orders", "rate_window_start") + 700;
    let first = server.waiting("MQ.PULL orders BLOCK 0 VISIBILITY 3600000");
    let second = server.waiting("MQ.PULL orders BLOCK 0 VISIBILITY 3600000");
    drop(client);
    assert_eq!(first.message().0.text(), "b");
    assert!(now_ms() >= end, "served before the window ended");
    second.still_waits();
    assert_eq!(second.message().0.text(), "c");
    assert!(now_ms() >= end + 700, "served before the second window ended");
}

#[test]
fn a_pause_that_ends() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PAUSE orders");
    client.push("orders", "one");
    assert_eq!(served_by(&server, "MQ.RESUME orders").text(), "one");
    client.ask("MQ.PAUSE orders");
    client.push("orders", "two");
    assert_eq!(served_by(&server, "MQ.PAUSE orders FOR 50").text(), "two");
}

#[test]
fn a_message_that_is_rescheduled() {
    let server = Server::start();
    let mut client = server.client();
    let id = client.text("MQ.PUSH orders one DELAY 3600000");
    let message = served_by(&server, &format!("MQ.RESCHEDULE orders {id} DELAY 0"));
    assert_eq!(message.id, id);
    assert_eq!(client.number(&format!("MQ.NACK {} DELAY 3600000", message.delivery())), 1);
    let message = served_by(&server, &format!("MQ.RESCHEDULE orders {id} AT 0"));
    assert_eq!(client.number(&format!("MQ.NACK {} DELAY 3600000", message.delivery())), 1);
    let message = served_by(&server, &format!("MQ.RESCHEDULE orders {id} DELAY 100"));
    assert_eq!((message.id, message.retry_count), (id, 2));
}

#[test]
fn dead_letters_that_are_redriven() {
    let server = Server::start();
    let mut client = server.client();
    for options in ["", "PRIORITY 3", "GROUP ann"] {
        client.ask(&format!("MQ.PUSH orders one {options}"));
        let held = client.pull("orders");
        assert_eq!(client.number(&format!("MQ.NACK {} DEAD", held.delivery())), 1);
        let message = served_by(&server, "MQ.REDRIVE {orders}:dead TO orders");
        assert_eq!(message.id, held.id);
        client.acknowledge(&message);
    }
    if facts().separates_key_permissions() {
        client.push("orders", "two");
        let held = client.pull("orders");
        assert_eq!(client.number(&format!("MQ.NACK {} DEAD", held.delivery())), 1);
        assert_eq!(served_by(&server, "MQ.REDRIVE {orders}:dead").id, held.id);
    }
}

#[test]
fn a_dead_letter_that_comes() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let held = client.pull("orders VISIBILITY 3600000");
    let waiting = server.waiting("MQ.PULL {orders}:dead BLOCK 0");
    assert_eq!(client.number(&format!("MQ.NACK {} DEAD", held.delivery())), 1);
    assert_eq!(waiting.message().0.id, held.id);
}

#[test]
fn several_pushed_at_once_serve_several() {
    let server = Server::start();
    let mut client = server.client();
    let [first, second, third] = [(); 3].map(|()| server.waiting("MQ.PULL orders BLOCK 0"));
    client.ask("MQ.MPUSH orders 2 one two");
    assert_eq!(first.message().0.text(), "one");
    assert_eq!(second.message().0.text(), "two");
    third.still_waits();
    client.ask("MQ.PUSH orders three GROUP ann");
    assert_eq!(third.message().0.text(), "three");
}

#[test]
fn a_client_behind_one_that_a_limit_holds_is_not_forgotten() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXINFLIGHT 1");
    client.ask("MQ.MPUSH orders 3 one two three");
    let mut held = client.pull("orders VISIBILITY 3600000");
    let line = "MQ.PULL orders BLOCK 0 VISIBILITY 3600000";
    for waiting in [server.waiting(line), server.waiting(line)] {
        client.acknowledge(&held);
        (held, _) = waiting.message();
    }
    assert_eq!(held.text(), "three");
}

#[test]
fn a_group_whose_held_message_is_rescheduled() {
    let server = Server::start();
    let mut client = server.client();
    let held = blocked_by(&mut client, "", "GROUP ann");
    assert_eq!(client.number(&format!("MQ.NACK {} DELAY 3600000", held.delivery())), 1);
    let line = format!("MQ.RESCHEDULE orders {} DELAY 0", held.id);
    assert_eq!(served_by(&server, &line).text(), "one");
}

#[test]
fn a_queue_that_is_dropped_or_flushed_with_its_limits() {
    for line in ["MQ.DROP orders", "FLUSHALL", "MQ.PURGE orders"] {
        let server = Server::start();
        let mut client = server.client();
        client.ask("MQ.CONFIG orders MAXINFLIGHT 1");
        client.push("orders", "one");
        client.pull("orders VISIBILITY 3600000");
        let waiting = server.waiting("MQ.PULL orders BLOCK 0");
        client.ask(line);
        client.push("orders", "two");
        assert_eq!(waiting.message().0.text(), "two", "{line}");
    }
}

#[test]
fn a_batch_that_a_waiting_client_gets_ends_at_the_limits() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXINFLIGHT 2");
    client.ask("MQ.CONFIG mails RATE 2 RATEPERIOD 3600000");
    for queue in ["orders", "mails"] {
        let mut first = server.waiting(&format!("MQ.PULL {queue} COUNT 5 BLOCK 0"));
        let second = server.waiting(&format!("MQ.PULL {queue} COUNT 5 BLOCK 0"));
        client.ask(&format!("MQ.MPUSH {queue} 4 a b c d"));
        assert_eq!(items(&first.reply().expect("messages")).len(), 2, "{queue}");
        second.still_waits();
        assert_eq!(client.lengths(queue), [2, 2, 0]);
    }
}
