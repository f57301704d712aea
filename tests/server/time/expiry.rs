//! The timer: what is due is moved at its time, with nobody talking to the server.

use crate::harness::*;
use std::collections::BTreeSet;

#[test]
fn an_expired_message_is_back_without_any_command_of_the_module() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    client.ask("MQ.PUSH orders two DELAY 20");
    client.pull("orders VISIBILITY 20");
    // Plain reading commands: they don't let the module run.
    eventually("both are back", || client.number("ZCARD mq:{orders}:ranked") == 2);
    assert_eq!(client.number("EXISTS mq:{orders}:flight mq:{orders}:delayed"), 0);
}

#[test]
fn an_expired_message_wakes_a_waiting_client_with_nobody_talking() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let first = client.pull("orders VISIBILITY 300");
    let waiting = server.waiting("MQ.PULL orders BLOCK 0 VISIBILITY 60000");
    drop(client);
    let (second, _) = waiting.message();
    assert_eq!((&second.id, second.retry_count), (&first.id, 1));
    let late = second.visibility_until - 60_000 - first.visibility_until;
    assert!(late >= 0, "delivered {} ms before its time", -late);
    assert!(late < 5_000, "delivered {late} ms late");
}

#[test]
fn no_message_comes_back_before_its_time() {
    let server = Server::start();
    let mut client = server.client();
    for n in 0..40 {
        client.push("orders", n.to_string());
    }
    let mut ends = std::collections::BTreeMap::new();
    for n in 0..40 {
        let message = client.pull(&format!("orders VISIBILITY {}", 500 + (n * 37) % 50));
        ends.insert(message.id, message.visibility_until);
    }
    for _ in 0..40 {
        let message = client.pull("orders BLOCK 0 VISIBILITY 1000000");
        let late = message.visibility_until - 1_000_000 - ends[&message.id];
        assert!(late >= 0, "{} came {} ms before its time", message.id, -late);
    }
}

#[test]
fn deadlines_of_many_queues_and_databases_are_kept() {
    let server = Server::start();
    let mut lines = Vec::new();
    for n in 0..300 {
        lines.push(format!("SELECT {}", n % 7));
        lines.push(format!("MQ.PUSH queue-{n} x DELAY {}", 1 + (n * 7919) % 100));
        lines.push(format!("MQ.PUSH queue-{n} y"));
        lines.push(format!("MQ.PULL queue-{n} VISIBILITY {}", 1 + (n * 104_729) % 100));
    }
    for reply in server.client().pipeline(&lines) {
        reply.expect("a reply");
    }
    for database in 0..7 {
        let mut client = server.client_of_database(database);
        eventually("nothing is in flight or delayed", || {
            strings(&client.ask("KEYS mq:*:flight")).is_empty()
                && strings(&client.ask("KEYS mq:*:delayed")).is_empty()
        });
        for n in (0..300).filter(|n| n % 7 == database) {
            // One of them may still be in the list of those never delivered.
            let ranked = client.number(&format!("ZCARD mq:{{queue-{n}}}:ranked"));
            let plain = client.number(&format!("LLEN mq:{{queue-{n}}}:ready"));
            assert_eq!(ranked + plain, 2, "queue-{n}");
        }
    }
}

#[test]
fn an_earlier_deadline_does_not_wait_for_a_later_one() {
    let server = Server::start();
    let mut client = server.client();
    for queue in ["a", "b", "c"] {
        client.push(queue, "x");
    }
    client.pull("a VISIBILITY 31536000000");
    client.pull("b VISIBILITY 3600000");
    client.pull("c VISIBILITY 30");
    eventually("the third is back", || client.number("ZCARD mq:{c}:ranked") == 1);
    assert_eq!(client.number("HLEN mq:{a}:flight"), 1);
    assert_eq!(client.number("HLEN mq:{b}:flight"), 1);
}

#[test]
fn keys_deleted_under_the_timer_do_no_harm() {
    let server = Server::start();
    let mut client = server.client();
    for delete in [
        "DEL mq:{orders}:flight",
        "DEL mq:{orders}:messages",
        "DEL mq:{orders}:messages mq:{orders}:flight mq:{orders}:delayed",
        "FLUSHALL",
    ] {
        client.push("orders", "one");
        client.ask("MQ.PUSH orders two DELAY 20");
        client.pull("orders VISIBILITY 20");
        client.ask(delete);
        client.push("mails", "x");
        client.pull("mails VISIBILITY 30");
        eventually("the other queue goes on", || client.number("ZCARD mq:{mails}:ranked") == 1);
        client.ask("FLUSHALL");
    }
}

/// Makes this many messages whose visibility ends while the server sleeps, and returns when all are
/// overdue.
fn let_expire_at_once(server: &Server, count: usize) {
    let mut client = server.client();
    let push = "for n = 1, 20000 do redis.call('MQ.PUSH', KEYS[1], 'x') end";
    let began_ms = now_ms();
    for _ in 0..count / 20_000 {
        client.reply(&["EVAL", push, "1", "orders"]).expect("messages pushed");
    }
    // The first may not be over before the last is pulled; a slow machine needs longer.
    let visibility_ms = 8000.max(5 * (now_ms() - began_ms));
    let pull = format!("MQ.PULL orders COUNT 10000 VISIBILITY {visibility_ms}");
    let first_end = now_ms() + visibility_ms;
    for _ in 0..count / 10_000 {
        server.raw_replies(&[&pull]);
    }
    let last_end = now_ms() + visibility_ms;
    assert_eq!(client.number("HLEN mq:{orders}:flight"), count as i64, "too slow for the test");
    sleep_until_ms(first_end - 500);
    let sleep_seconds = (last_end + 5 - now_ms()) as f64 / 1000.0;
    client.ask(&format!("DEBUG SLEEP {sleep_seconds}"));
}

#[test]
fn other_clients_are_served_while_200_000_messages_expire_together() {
    let server = Server::start();
    let mut client = server.client();
    let all = 200_000;
    let mut others = server.client();
    others.push("mails", "x");
    let_expire_at_once(&server, all as usize);
    // The number still in flight, read again and again: each value in between is a moment at which
    // the server answered this client in the middle of the work. One long sweep would show none.
    let mut seen = BTreeSet::new();
    loop {
        let left = others.number("HLEN mq:{orders}:flight");
        seen.insert(left);
        if left == 0 {
            break;
        }
    }
    let between = seen.iter().filter(|left| (1..all).contains(*left)).count();
    assert!(between >= 5, "only {between} replies during the work");
    assert_eq!(client.number("MQ.LEN orders READY"), all);
    assert_eq!(client.queue_info("orders", "expired"), all);
}

#[test]
fn a_pull_among_due_messages_never_replies_empty() {
    let server = Server::start();
    let mut client = server.client();
    let push = "for n = 1, 15000 do redis.call('MQ.PUSH', KEYS[1], 'x') end";
    client.reply(&["EVAL", push, "1", "orders"]).expect("messages pushed");
    let pull =
        "for n = 1, 2 do redis.call('MQ.PULL', KEYS[1], 'COUNT', '10000', 'VISIBILITY', '1500') end
                return redis.call('MQ.LEN', KEYS[1], 'INFLIGHT')";
    assert_eq!(client.reply(&["EVAL", pull, "1", "orders"]), Ok(Value::Int(15_000)));
    let mut lines = vec!["DEBUG SLEEP 1.6".to_string()];
    lines.extend(vec!["MQ.PULL orders VISIBILITY 600000".to_string(); 500]);
    lines.push("MQ.PULL orders COUNT 10000 VISIBILITY 600000".to_string());
    let replies = client.pipeline(&lines);
    for reply in &replies[1..501] {
        assert!(matches!(reply, Ok(Value::Array(_))), "{reply:?}");
    }
    let batch = items(replies[501].as_ref().expect("a batch")).len() as i64;
    assert!(batch > 0);
    eventually("all the others are back", || {
        client.number("MQ.LEN orders READY") == 15_000 - 500 - batch
    });
    assert_eq!(client.lengths("orders"), [15_000 - 500 - batch, 500 + batch, 0]);
}

#[test]
fn a_delay_ends_in_a_queue_that_was_flushed_before() {
    let server = Server::start();
    let mut client = server.client();
    for flush in ["FLUSHALL", "FLUSHDB"] {
        client.ask("MQ.PUSH orders x");
        eventually("nothing is left to do", || client.number("MQ.LEN orders READY") == 1);
        sleep_until_ms(now_ms() + 20);
        client.ask(flush);
        client.ask("MQ.PUSH orders y DELAY 30");
        eventually("it is ready", || client.number("ZCARD mq:{orders}:ranked") == 1);
        client.ask(flush);
    }
}

#[test]
fn a_delay_ends_in_a_dead_letter_queue() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    client.push("orders", "dies");
    let message = client.pull("orders");
    client.ask(&format!("MQ.NACK {}", message.delivery()));
    client.ask("MQ.PUSH {orders}:dead later DELAY 30");
    eventually("both are ready", || client.number("ZCARD mq:{orders}:dead:ranked") == 2);
}

#[test]
fn a_pull_that_does_not_wait_is_answered_when_all_that_is_due_died_also_behind_a_client_that_waits()
{
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    let pushes = vec!["MQ.PUSH orders x".to_string(); 2_000];
    for reply in client.pipeline(&pushes) {
        reply.expect("an id");
    }
    assert_eq!(client.pull_batch("orders COUNT 2000 VISIBILITY 300").len(), 2_000);
    let mut waiting = server.waiting("MQ.PULL orders BLOCK 0");
    let replies = client.pipeline(&["DEBUG SLEEP 0.5".into(), "MQ.PULL orders".into()]);
    assert_eq!(replies[1], Ok(Value::Nil));
    assert_eq!(client.number("MQ.LEN {orders}:dead"), 2_000);
    client.ask("MQ.PUSH orders alive");
    assert_eq!(Message::from(&waiting.reply().expect("a message")).text(), "alive");
}

#[test]
fn a_pull_finds_the_message_that_is_alive_behind_many_that_die() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    let pushes = vec!["MQ.PUSH orders x".to_string(); 5_000];
    for reply in client.pipeline(&pushes) {
        reply.expect("an id");
    }
    assert_eq!(client.pull_batch("orders COUNT 5000 VISIBILITY 200").len(), 5_000);
    client.ask("MQ.PUSH orders alive DELAY 250");
    let replies = client.pipeline(&["DEBUG SLEEP 0.5".into(), "MQ.PULL orders".into()]);
    let message = Message::from(replies[1].as_ref().expect("a reply"));
    assert_eq!(message.text(), "alive");
    eventually("the others are dead", || client.number("MQ.LEN {orders}:dead") == 5_000);
}

#[test]
fn many_ends_of_visibility_in_one_queue_do_not_hold_up_another() {
    const MANY: i64 = 40_000;
    let server = Server::start();
    let mut client = server.client();
    let mut waiting = server.client();
    waiting.send("MQ.PULL orders BLOCK 0");
    // Answered right after it.
    waiting.send("MQ.LEN crowd INFLIGHT");
    let push = "for _ = 1, ARGV[1] do redis.call('MQ.PUSH', KEYS[1], 'x') end";
    client.reply(&["EVAL", push, "1", "crowd", &MANY.to_string()]).expect("many messages");
    let pull = "local last
        for _ = 1, 4 do
            last = redis.call('MQ.PULL', KEYS[1], 'COUNT', 10000, 'VISIBILITY', 2000)[10000]
        end
        for i = 1, #last, 2 do
            if last[i] == 'visibility_until' then
                redis.call('MQ.PUSH', KEYS[2], 'one', 'AT', last[i + 1] + 1)
            end
        end";
    client.reply(&["EVAL", pull, "2", "crowd", "orders"]).expect("all in flight");
    assert_eq!(client.number("MQ.LEN crowd INFLIGHT"), MANY);
    assert_eq!(Message::from(&waiting.next_reply().expect("a message")).text(), "one");
    assert_ne!(waiting.next_reply(), Ok(Value::Int(0)), "all others ended before");
    eventually("all end", || client.number("MQ.LEN crowd INFLIGHT") == 0);
}
