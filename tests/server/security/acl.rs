//! Access control: commands by name, keys by queue name, the dead-letter queue too.

use crate::harness::*;

fn refused_for_permission(client: &mut Client, line: &str) {
    let error = client.refused(line);
    assert!(error.starts_with("NOPERM "), "{line}: {error}");
}

#[test]
fn a_user_runs_the_commands_that_it_may() {
    let server = Server::start();
    let mut producer = server.client_of_user("~orders +mq.push +mq.len");
    producer.push("orders", "one");
    assert_eq!(producer.number("MQ.LEN orders"), 1);
    for line in [
        "MQ.PULL orders",
        "MQ.ACK orders x y",
        "MQ.NACK orders x y",
        "MQ.EXTEND orders x y",
        "MQ.CONFIG orders",
        "MQ.INFO orders",
        "MQ.QUEUES",
        "MQ.STATS",
        "MQ.APPLY orders x",
    ] {
        refused_for_permission(&mut producer, line);
    }
    let mut consumer = server.client_of_user("~orders +mq.pull +mq.ack");
    let message = consumer.pull("orders");
    consumer.acknowledge(&message);
    refused_for_permission(&mut consumer, "MQ.PUSH orders x");
}

#[test]
fn the_queues_name_is_the_key_that_a_user_needs() {
    let server = Server::start();
    let mut client = server.client_of_user("~orders ~orders:* +@all");
    client.push("orders", "one");
    client.push("orders:eu", "two");
    // The keys that the queue is stored in need no rule of their own.
    assert_eq!(client.pull("orders").text(), "one");
    for line in [
        "MQ.PUSH mails x",
        "MQ.PULL mails",
        "MQ.ACK mails x y",
        "MQ.ACK mails IDS 1 x y",
        "MQ.NACK mails x y",
        "MQ.EXTEND mails x y",
        "MQ.CONFIG mails",
        "MQ.CONFIG mails DELAY 1",
        "MQ.INFO mails",
        "MQ.LEN mails",
        "MQ.SCHEDULE mails each x EVERY 3600000",
        "MQ.UNSCHEDULE mails each",
        "MQ.SCHEDULES mails",
        "MQ.NEXT mails each",
        "MQ.TRIGGER mails each",
        "MQ.APPLY mails x",
    ] {
        refused_for_permission(&mut client, line);
    }
}

#[test]
fn a_dead_letter_queue_that_the_user_may_not_write_is_refused() {
    let server = Server::start();
    let mut client = server.client_of_user("~orders +@all");
    for line in [
        "MQ.CONFIG orders DEADLETTER secret",
        "MQ.CONFIG orders deadletter secret",
        "MQ.CONFIG orders MAXRETRIES 3 DEADLETTER secret",
        "MQ.CONFIG orders MAXRETRIES 3 DELAY 1 DEADLETTER secret BACKOFF 5",
    ] {
        refused_for_permission(&mut client, line);
    }
    assert_eq!(client.map("MQ.CONFIG orders")["deadletter"], "{orders}:dead");
    // A value that only looks like the option's name is none.
    client.ask("MQ.CONFIG orders MAXRETRIES 3");
    let mut client = server.client_of_user("~orders ~graveyard +@all");
    client.ask("MQ.CONFIG orders DEADLETTER graveyard");
    assert_eq!(client.map("MQ.CONFIG orders")["deadletter"], "graveyard");
}

#[test]
fn a_user_who_may_only_read_a_queue_may_only_look() {
    let server = Server::start();
    server.client().push("orders", "one");
    if !facts().separates_key_permissions() {
        let error = server.client().refused("ACL SETUSER alice %R~orders");
        assert!(error.contains("Syntax error"), "{error}");
        return;
    }
    let mut client = server.client_of_user("%R~orders +@all");
    assert_eq!(client.number("MQ.LEN orders"), 1);
    assert_eq!(client.queue_info("orders", "ready"), 1);
    server.client().ask("MQ.SCHEDULE orders each x EVERY 3600000");
    assert_eq!(client.schedule_names("orders"), ["each"]);
    assert_eq!(client.numbers("MQ.NEXT orders each COUNT 2").len(), 2);
    for line in [
        "MQ.PUSH orders x",
        "MQ.PULL orders",
        "MQ.CONFIG orders DELAY 1",
        "MQ.SCHEDULE orders each y EVERY 3600000",
        "MQ.UNSCHEDULE orders each",
        "MQ.TRIGGER orders each",
    ] {
        refused_for_permission(&mut client, line);
    }
    let mut client = server.client_of_user("~orders %R~graveyard +@all");
    refused_for_permission(&mut client, "MQ.CONFIG orders DEADLETTER graveyard");
    let mut client = server.client_of_user("~orders %W~graveyard +@all");
    client.ask("MQ.CONFIG orders DEADLETTER graveyard");
}

#[test]
fn the_commands_are_in_the_categories_that_say_what_they_do() {
    let server = Server::start();
    let mut client = server.client();
    // Neither is a rule of its own: a user gets a command by name, or by the categories it is in.
    let mut with_all_but = server.client_of_user("~* +@all -mq.apply");
    refused_for_permission(&mut with_all_but, "MQ.APPLY orders x");
    for (name, expected) in [
        ("mq.push", &["@write"][..]),
        ("mq.pull", &["@write", "@blocking"]),
        ("mq.ack", &["@write"]),
        ("mq.nack", &["@write"]),
        ("mq.extend", &["@write"]),
        ("mq.config", &["@write"]),
        ("mq.info", &["@read"]),
        ("mq.len", &["@read", "@fast"]),
        ("mq.queues", &["@read", "@blocking"]),
        ("mq.schedule", &["@write"]),
        ("mq.unschedule", &["@write", "@fast"]),
        ("mq.schedules", &["@read"]),
        ("mq.next", &["@read"]),
        ("mq.trigger", &["@write", "@fast"]),
        ("mq.apply", &["@write", "@admin", "@dangerous"]),
    ] {
        let reply = client.ask(&format!("COMMAND INFO {name}"));
        let categories = strings(&items(&items(&reply)[0])[6]);
        if !facts().modules_name_acl_categories() {
            assert_eq!(categories, [""; 0], "{name}");
            continue;
        }
        for category in expected {
            assert!(categories.iter().any(|one| one == category), "{name}: {categories:?}");
        }
        for category in ["@read", "@write", "@admin", "@dangerous", "@blocking"] {
            let is_in = categories.iter().any(|one| one == category);
            assert_eq!(is_in, expected.contains(&category), "{name} {category}");
        }
    }
}

#[test]
fn a_user_without_dangerous_commands_cannot_apply_ops() {
    let server = Server::start();
    if !facts().modules_name_acl_categories() {
        // There no category holds it back: it has to be taken away by name.
        let mut client = server.client_of_user("~* +@all -@dangerous -@admin");
        let error = client.refused("MQ.APPLY orders x");
        assert!(error.starts_with("ERR "), "{error}");
        return;
    }
    for rules in ["~* +@all -@dangerous", "~* +@all -@admin", "~* +@write +@read -@admin"] {
        let mut client = server.client_of_user(rules);
        client.push("orders", "one");
        refused_for_permission(&mut client, "MQ.APPLY orders x");
    }
    let mut reader = server.client_of_user("~* +@read");
    assert_eq!(reader.number("MQ.LEN orders"), 3);
    refused_for_permission(&mut reader, "MQ.PULL orders");
}

#[test]
fn a_user_who_loses_a_right_while_waiting_loses_nothing_of_the_queue() {
    let server = Server::start();
    let mut control = server.client();
    let waiting = server.client_of_user("~orders +@all").wait_with("MQ.PULL orders BLOCK 0");
    control.ask("ACL DELUSER alice");
    control.push("orders", "one");
    waiting.hang_up();
    eventually("nobody waits", || control.queue_info("orders", "blocked_clients") == 0);
    let [ready, inflight, delayed] = control.lengths("orders");
    assert_eq!((ready + inflight, delayed), (1, 0));
}
