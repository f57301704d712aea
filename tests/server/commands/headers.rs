//! HEADERS: what comes with a payload.

use crate::harness::*;

type Headers = Vec<(Vec<u8>, Vec<u8>)>;

/// Pushes `x` to `orders` with these headers.
fn push(client: &mut Client, headers: &Headers) -> Result<Value, String> {
    let count = headers.len().to_string();
    let mut push: Vec<&[u8]> = vec![b"MQ.PUSH", b"orders", b"x", b"HEADERS", count.as_bytes()];
    push.extend(headers.iter().flat_map(|(name, value)| [name.as_slice(), value]));
    client.reply(&push)
}

fn binary() -> Headers {
    [
        (b"trace".to_vec(), b"4bf92f35".to_vec()),
        (b"a".to_vec(), Vec::new()),
        (b"\0\xff\r\n".to_vec(), vec![0, 1, 0xfe, b'\n']),
        (b"A".to_vec(), b"other than a".to_vec()),
        (b"headers".to_vec(), b"1".to_vec()),
    ]
    .into()
}

#[test]
fn headers_come_back_in_their_order_wherever_the_message_is_shown() {
    let server = Server::start();
    let mut client = server.client();
    let headers = Some(binary());
    let id = text_of(&push(&mut client, &binary()).expect("an id"));
    let first = |reply: Value| items(&reply)[0].clone();
    let peek =
        |client: &mut Client, state: &str| first(client.ask(&format!("MQ.PEEK orders {state}")));
    assert_eq!(headers_of(&peek(&mut client, "READY")), headers);
    assert_eq!(headers_of(&client.ask(&format!("MQ.GET orders {id}"))), headers);
    let pulled = client.ask("MQ.PULL orders");
    assert_eq!(headers_of(&pulled), headers);
    assert_eq!(headers_of(&peek(&mut client, "INFLIGHT")), headers);
    let message = Message::from(&pulled);
    client.ask(&format!("MQ.NACK {} DELAY 3600000", message.delivery()));
    assert_eq!(headers_of(&peek(&mut client, "DELAYED")), headers);
    client.ask(&format!("MQ.RESCHEDULE orders {id} DELAY 0"));
    let again = client.ask("MQ.PULL orders");
    assert_eq!(headers_of(&again), headers);
    client.ask(&format!("MQ.NACK {} DEAD", Message::from(&again).delivery()));
    let dead = client.ask("MQ.PULL {orders}:dead COUNT 5");
    assert_eq!(headers_of(&first(dead)), headers);
}

#[test]
fn noack_and_several_queues_show_headers_too() {
    let server = Server::start();
    let mut client = server.client();
    for line in ["MQ.PULL orders NOACK", "MQ.MPULL 2 mails orders", "MQ.MPULL 1 orders NOACK"] {
        push(&mut client, &binary()).expect("an id");
        assert_eq!(headers_of(&client.ask(line)), Some(binary()), "{line}");
    }
}

#[test]
fn a_message_without_headers_has_no_such_field() {
    let server = Server::start();
    let mut client = server.client();
    let id = client.push("orders", "x");
    assert_eq!(headers_of(&client.ask(&format!("MQ.GET orders {id}"))), None);
    assert_eq!(headers_of(&client.ask("MQ.PULL orders")), None);
}

#[test]
fn headers_are_a_map_in_resp3() {
    let server = Server::start();
    push(&mut server.client(), &binary()).expect("an id");
    let reply = server.resp3_client().ask("MQ.PULL orders");
    let headers = entries(&reply).into_iter().find(|(name, _)| name == "headers").expect("them").1;
    assert_eq!(matches!(headers, Value::Map(_)), facts().modules_reply_with_maps(), "{headers:?}");
    assert_eq!(headers_of(&reply), Some(binary()));
}

#[test]
fn a_waiting_client_gets_headers() {
    let server = Server::start();
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    push(&mut server.client(), &binary()).expect("an id");
    let (message, _) = waiting.message();
    assert!(message.more.contains_key("headers"), "{message:?}");
}

#[test]
fn as_many_and_as_long_as_allowed() {
    let server = Server::start();
    let mut client = server.client();
    let many = |count: usize| -> Headers {
        (0..count).map(|n| (format!("name-{n}").into_bytes(), b"v".to_vec())).collect()
    };
    let with = |name: usize, value: usize| -> Headers {
        vec![(vec![b'n'; name], vec![b'v'; value]), (b"other".to_vec(), b"1".to_vec())]
    };
    for good in [many(64), with(256, 10), with(1, 65_536 - 7), with(256, 65_536 - 262)] {
        push(&mut client, &good).expect("an id");
        assert_eq!(headers_of(&client.ask("MQ.PULL orders NOACK")), Some(good));
    }
    let count = "ERR HEADERS must be an integer from 1 to 64";
    let name = "ERR a header's name must be 1 to 256 bytes";
    let long = "ERR the headers are longer than 65536 bytes";
    for (bad, error) in [
        (many(65), count),
        (many(0), count),
        (with(0, 1), name),
        (with(257, 1), name),
        (with(1, 65_536 - 6), long),
    ] {
        assert_eq!(push(&mut client, &bad), Err(error.to_string()));
    }
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn wrong_headers_are_refused() {
    let server = Server::start();
    let mut client = server.client();
    for line in ["MQ.PUSH orders x", "MQ.MPUSH orders 1 x"] {
        for (wrong, error) in [
            ("HEADERS", "ERR HEADERS needs a value: n name value [name value ...]"),
            ("HEADERS 1", "ERR HEADERS 1 needs 1 pair of name and value, got 0"),
            (
                "HEADERS 1 a",
                "ERR HEADERS 1 needs 1 pair of name and value, got 0 and one name without value",
            ),
            ("HEADERS 2 a 1", "ERR HEADERS 2 needs 2 pairs of name and value, got 1"),
            ("HEADERS 1 a 1 HEADERS 1 b 2", "ERR HEADERS is given twice"),
            ("HEADERS -1 a 1", "ERR HEADERS must be an integer from 1 to 64"),
            ("HEADERS x a 1", "ERR HEADERS must be an integer from 1 to 64"),
            ("HEADERS 9223372036854775807 a 1", "ERR HEADERS must be an integer from 1 to 64"),
            ("HEADERS 2 a 1 a 2", "ERR two headers have the name 'a'"),
        ] {
            assert_eq!(client.refused(&format!("{line} {wrong}")), error, "{line} {wrong}");
        }
    }
    for line in ["MQ.PUSH orders x HEADERS 1 a 1 b", "MQ.PUSH orders x HEADERS 1 a 1 b 2"] {
        let expected =
            "ERR 'b' is not an option of MQ.PUSH: HEADERS 1 takes 1 pair of name and value";
        assert_eq!(client.refused(line), expected, "{line}");
    }
    assert_eq!(client.number("DBSIZE"), 0);
    // Names of options are good names of headers.
    client.ask("MQ.PUSH orders x HEADERS 2 DELAY 60000 TTL 1 PRIORITY 3");
    assert_eq!(client.lengths("orders"), [1, 0, 0]);
    assert_eq!(client.pull("orders").more["priority"], "3");
}

#[test]
fn headers_alone_leave_a_message_plain() {
    let server = Server::start();
    let mut client = server.client();
    push(&mut client, &binary()).expect("an id");
    assert_eq!(client.number("LLEN mq:{orders}:ready"), 1);
    assert_eq!(client.number("DBSIZE"), 1);
}
