//! MULTI, scripts and WATCH.

use super::{HOUR, HOUR_S, hourly, with_clock};
use crate::harness::*;

#[test]
fn all_commands_work_in_a_transaction() {
    let server = Server::start();
    let replica = server.start_replica();
    let mut client = server.client();
    let mut stream = server.replication_stream();
    let lines = [
        "MULTI",
        "MQ.SCHEDULE orders a x EVERY 3600000 START 4000000000000",
        "MQ.SCHEDULE orders b y CRON @daily",
        "MQ.TRIGGER orders a",
        "MQ.SCHEDULES orders MATCH a",
        "MQ.NEXT orders a COUNT 1",
        "MQ.UNSCHEDULE orders b",
        "MQ.PULL orders",
        "EXEC",
    ]
    .map(String::from);
    let replies = client.pipeline(&lines).pop().expect("a reply").expect("no error");
    let replies = items(&replies);
    assert_eq!(replies[..2], [Value::Int(1), Value::Int(1)]);
    assert_eq!(items(&replies[3]).len(), 1);
    assert_eq!(replies[4], Value::Array(vec![Value::Int(4_000_000_000_000)]));
    assert_eq!(replies[5], Value::Int(1));
    let message = Message::from(&replies[6]);
    assert_eq!((message.id.as_str(), message.text()), (text_of(&replies[2]).as_str(), "x"));
    let op = "MQ.APPLY orders";
    assert_eq!(stream.take_names(), ["MULTI", op, op, op, op, op, "EXEC"]);
    same_data(&mut client, &mut replica.client(), "the transaction");
}

#[test]
fn a_transaction_with_an_error_does_the_rest() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MULTI");
    client.ask("MQ.SCHEDULE orders a x EVERY 1");
    client.ask("MQ.SCHEDULE orders b x EVERY 3600000");
    let reply = client.pipeline(&["EXEC".into()]).remove(0);
    assert!(reply.is_err() || matches!(reply, Ok(Value::Array(_))), "{reply:?}");
    assert_eq!(client.schedule_names("orders"), ["b"]);
}

#[test]
fn a_transaction_meets_ticks_that_are_due() {
    let server = Server::start();
    let mut client = server.client();
    for pull in ["MQ.PULL orders", "MQ.PULL orders COUNT 3"] {
        let start = now_ms() + 200;
        client.ask(&format!("MQ.SCHEDULE orders each x EVERY {HOUR} START {start}"));
        let lines = ["DEBUG SLEEP 0.4", "MULTI", "SET k v", pull, "MQ.LEN orders", "EXEC"];
        let replies = client.pipeline(&lines.map(String::from)).pop().expect("a reply");
        let replies = replies.expect("no error");
        let pulled = &items(&replies)[1];
        let message = if pull.contains("COUNT") { &items(pulled)[0] } else { pulled };
        let run = Run::of(message).expect("of a schedule");
        assert_eq!(run.tick, Some(start), "{pull}");
        assert_eq!(items(&replies)[2], Value::Int(1));
        client.ask("MQ.DROP orders");
    }
}

#[test]
fn all_commands_work_in_a_script() {
    let server = Server::start();
    let replica = server.start_replica();
    let mut client = server.client();
    let script = "
        local q = KEYS[1]
        local new = redis.call('MQ.SCHEDULE', q, 'a', 'x', 'EVERY', '3600000', 'START', '4000000000000')
        local same = redis.call('MQ.SCHEDULE', q, 'a', 'x', 'EVERY', '3600000', 'START', '4000000000000')
        local next = redis.call('MQ.NEXT', q, 'a', 'COUNT', '1')[1]
        local id = redis.call('MQ.TRIGGER', q, 'a')
        local shown = redis.call('MQ.SCHEDULES', q)[1]
        local message = redis.call('MQ.PULL', q)
        local none = redis.pcall('MQ.TRIGGER', q, 'none').err
        local gone = redis.call('MQ.UNSCHEDULE', q, 'a')
        return {new, same, next, id == message[2] and 1 or 0, shown[1], none, gone}";
    let reply = client.reply(&["EVAL", script, "1", "orders"]).expect("a table");
    let reply: Vec<String> = items(&reply).iter().map(text_of).collect();
    assert_eq!(reply[..5], ["1", "0", "4000000000000", "1", "name"]);
    assert!(reply[5].starts_with("NOTFOUND "), "{reply:?}");
    assert_eq!(reply[6], "1");
    same_data(&mut client, &mut replica.client(), "the script");
}

#[test]
fn a_script_meets_ticks_that_are_due() {
    let server = Server::start();
    let replica = server.start_replica();
    let mut client = server.client();
    let start = now_ms() + 200;
    client.ask(&format!("MQ.SCHEDULE orders each x EVERY {HOUR} START {start}"));
    let mut other = server.client();
    other.send("DEBUG SLEEP 0.4");
    sleep_until_ms(now_ms() + 20);
    let script = "local m = redis.call('MQ.PULL', KEYS[1])
                  return m and m[6] or 'nothing'";
    let reply = client.reply(&["EVAL", script, "1", "orders"]);
    other.next_reply().expect("OK");
    // The timer may have been first.
    assert_eq!(reply.map(|reply| text_of(&reply)).as_deref(), Ok("x"));
    assert_eq!(client.schedule_number("orders", "each", "runs"), 1);
    same_data(&mut client, &mut replica.client(), "the script");
}

/// Whether a transaction that watches `orders` fails after `change`.
fn is_noticed(server: &Server, change: impl FnOnce(&mut Client)) -> bool {
    let mut watching = server.client();
    watching.ask("WATCH orders");
    change(&mut server.client());
    watching.ask("MULTI");
    watching.ask("PING");
    watching.ask("EXEC") == Value::Nil
}

#[test]
fn a_transaction_notices_what_schedules_change() {
    let (server, clock, start) = with_clock(&[]);
    hourly(&mut server.client(), "each", start, "");
    let again = format!("MQ.SCHEDULE orders each x EVERY {HOUR} START {}", start + HOUR);
    for (line, expected) in [
        ("MQ.SCHEDULE orders new x EVERY 3600000", true),
        ("MQ.SCHEDULE orders new y EVERY 3600000", true),
        (again.as_str(), false),
        ("MQ.SCHEDULES orders", false),
        ("MQ.NEXT orders each", false),
        ("MQ.UNSCHEDULE orders none", false),
        ("MQ.TRIGGER orders none", false),
        ("MQ.TRIGGER orders each", true),
        ("MQ.UNSCHEDULE orders new", true),
    ] {
        let noticed = is_noticed(&server, |client| drop(client.reply_to(line)));
        assert_eq!(noticed, expected, "{line}");
    }
    let noticed = is_noticed(&server, |client| {
        clock.set(HOUR_S + 1);
        client.wait_for_ready("orders", 2);
    });
    assert!(noticed, "a tick");
}
