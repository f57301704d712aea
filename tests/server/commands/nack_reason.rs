//! MQ.NACK with REASON: the last error of a message.

use crate::harness::*;

/// MQ.NACK with a REASON of any bytes; the message is ready at once.
#[track_caller]
fn nack_because(client: &mut Client, message: &Message, reason: &[u8]) {
    let Message { queue, id, receipt, .. } = message;
    let claim = [b"MQ.NACK", queue.as_bytes(), id.as_bytes(), receipt.as_bytes()];
    let reply = client.reply(&[&claim[..], &[b"DELAY", b"0", b"REASON", reason]].concat());
    assert_eq!(reply, Ok(Value::Int(1)));
}

/// The `last_error` that MQ.GET shows.
fn last_error(client: &mut Client, queue: &str, id: &str) -> Option<Vec<u8>> {
    let shown = client.ask(&format!("MQ.GET {queue} {id}"));
    let field = entries(&shown).into_iter().find(|(name, _)| name == "last_error");
    field.map(|(_, value)| bulk(&value).to_vec())
}

#[test]
fn the_reason_is_shown_until_a_later_one_takes_its_place() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let first = client.pull("orders");
    assert!(!first.more.contains_key("last_error"));
    nack_because(&mut client, &first, b"no stock");
    let peeked = client.ask("MQ.PEEK orders");
    let peeked = entries(&items(&peeked)[0]);
    assert!(peeked.contains(&("last_error".into(), Value::BulkString(b"no stock".to_vec()))));
    let second = client.pull("orders");
    assert_eq!(second.more["last_error"], "no stock");
    // A return without a reason, and one by time, keep it.
    client.nack(&second);
    let third = client.pull("orders VISIBILITY 1");
    sleep_until_ms(third.visibility_until);
    let fourth = client.pull("orders");
    assert_eq!((&*fourth.more["last_error"], fourth.retry_count), ("no stock", 3));
    nack_because(&mut client, &fourth, b"no truck");
    let fifth = client.pull("orders");
    assert_eq!(fifth.more["last_error"], "no truck");
    client.nack_with(&fifth, "DEAD");
    assert_eq!(client.pull("{orders}:dead").more["last_error"], "no truck");
}

#[test]
fn a_reason_goes_with_every_form_of_nack() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    for (options, queue) in [
        ("REASON why NOCOUNT", "orders"),
        ("DELAY 3600000 REASON why NOCOUNT", "orders"),
        ("DEAD REASON why", "{orders}:dead"),
        ("REASON why", "{orders}:dead"),
    ] {
        let id = client.push("orders", "one");
        let message = client.pull("orders");
        client.nack_with(&message, options);
        assert_eq!(last_error(&mut client, queue, &id).as_deref(), Some(&b"why"[..]), "{options}");
        assert_eq!(client.number(&format!("MQ.DEL {queue} {id}")), 1);
    }
    client.ask("MQ.MPUSH orders 2 one two");
    client.ask("MQ.CONFIG orders MAXRETRIES 5");
    let held = client.pull_batch("orders COUNT 2");
    let line =
        format!("MQ.NACK orders IDS 3 {} x y {} REASON both", held[0].pair(), held[1].pair());
    assert_eq!(client.numbers(&line), [1, 0, 1]);
    for message in held {
        assert_eq!(last_error(&mut client, "orders", &message.id).as_deref(), Some(&b"both"[..]));
    }
}

#[test]
fn a_long_reason_is_cut_at_the_end_of_a_character() {
    let server = Server::start();
    let mut client = server.client();
    let id = client.push("orders", "one");
    let x = |n: usize| "x".repeat(n);
    for (reason, kept) in [
        (x(1_024), 1_024),
        (x(1_025), 1_024),
        (x(100_000), 1_024),
        (x(1_022) + "ä", 1_024),
        (x(1_023) + "ä", 1_023),
        (x(1_023) + "äx", 1_023),
        (x(1_021) + "注文", 1_024),
        (x(1_022) + "注文", 1_022),
        (x(1_023) + "注文", 1_023),
        (x(1_021) + "😀", 1_021),
        (x(1_020) + "😀x", 1_024),
    ] {
        let message = client.pull("orders");
        nack_because(&mut client, &message, reason.as_bytes());
        let shown = last_error(&mut client, "orders", &id).expect("a reason");
        assert_eq!(String::from_utf8(shown).expect("whole characters"), reason[..kept]);
    }
    // Bytes that are no text are kept as they are.
    let message = client.pull("orders");
    nack_because(&mut client, &message, b"\x00\xff\r\n");
    assert_eq!(last_error(&mut client, "orders", &id).as_deref(), Some(&b"\x00\xff\r\n"[..]));
}
