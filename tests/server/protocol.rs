//! Bytes on the wire: both protocols, their nulls and maps, and payloads of any bytes and size.

use crate::harness::*;

/// The replies to commands given as lines, exactly as they are sent.
fn raw_replies(server: &Server, lines: &[&str]) -> String {
    String::from_utf8(server.raw_replies(lines)).expect("replies that are text")
}

/// The replies of a connection that speaks RESP3, without that of HELLO.
fn raw_resp3_replies(server: &Server, lines: &[&str]) -> String {
    let mut all = vec!["HELLO 3", "ECHO after-hello"];
    all.extend(lines);
    let replies = raw_replies(server, &all);
    let marker = "$11\r\nafter-hello\r\n";
    replies.split_once(marker).expect("the reply of ECHO").1.to_string()
}

const EMPTY_PULLS: [&str; 4] = [
    "MQ.PULL orders",
    "MQ.PULL orders COUNT 5",
    "MQ.PULL orders BLOCK 1",
    "MQ.PULL orders COUNT 5 BLOCK 1",
];

#[test]
fn an_empty_queue_is_a_null_array_in_resp2() {
    let server = Server::start();
    assert_eq!(raw_replies(&server, &EMPTY_PULLS), "*-1\r\n*0\r\n*-1\r\n*0\r\n");
}

#[test]
fn an_empty_queue_is_a_null_in_resp3() {
    let server = Server::start();
    assert_eq!(raw_resp3_replies(&server, &EMPTY_PULLS), "_\r\n*0\r\n_\r\n*0\r\n");
}

#[test]
fn a_message_is_a_flat_array_in_resp2() {
    let server = Server::start();
    server.client().push("orders", "hello");
    let reply = raw_replies(&server, &["MQ.PULL orders"]);
    let lines: Vec<&str> = reply.split("\r\n").collect();
    assert_eq!(lines[..3], ["*14", "$2", "id"], "{reply}");
    assert_eq!(lines[3..4], ["$36"]);
    assert_eq!(lines[5..12], ["$5", "queue", "$6", "orders", "$7", "payload", "$5"]);
    assert_eq!(lines[12..15], ["hello", "$9", "timestamp"]);
    assert!(lines[15].starts_with(':') && lines[15].len() == 14, "{}", lines[15]);
    assert_eq!(lines[16..20], ["$11", "retry_count", ":0", "$16"]);
    assert_eq!(lines[20], "visibility_until");
    assert!(lines[21].starts_with(':') && lines[21].len() == 14, "{}", lines[21]);
    assert_eq!(lines[22..25], ["$7", "receipt", "$16"]);
}

#[test]
fn a_message_is_a_map_in_resp3_where_modules_can_reply_with_one() {
    let server = Server::start();
    server.client().push("orders", "hello");
    server.client().push("orders", "hello");
    let (one, batch) =
        if facts().modules_reply_with_maps() { ("%7", "*1\r\n%7") } else { ("*14", "*1\r\n*14") };
    let reply = raw_resp3_replies(&server, &["MQ.PULL orders"]);
    assert!(reply.starts_with(&format!("{one}\r\n$2\r\nid\r\n$36\r\n")), "{reply}");
    let reply = raw_resp3_replies(&server, &["MQ.PULL orders COUNT 5"]);
    assert!(reply.starts_with(&format!("{batch}\r\n$2\r\nid\r\n$36\r\n")), "{reply}");
}

#[test]
fn settings_and_info_are_maps_in_resp3_where_modules_can_reply_with_one() {
    let server = Server::start();
    let mut client = server.resp3_client();
    for line in ["MQ.CONFIG orders", "MQ.INFO orders"] {
        let reply = client.ask(line);
        assert_eq!(matches!(reply, Value::Map(_)), facts().modules_reply_with_maps(), "{reply:?}");
        assert!(matches!(server.client().ask(line), Value::Array(_)));
        assert_eq!(fields(&reply), fields(&server.client().ask(line)));
    }
}

/// The fields of a map as text; of one that is a map itself, its fields.
fn fields(reply: &Value) -> Vec<(String, String)> {
    let text = |value: Value| match value {
        Value::Map(_) | Value::Array(_) => format!("{:?}", entries(&value)),
        value => text_of(&value),
    };
    entries(reply).into_iter().map(|(name, value)| (name, text(value))).collect()
}

#[test]
fn the_other_replies_are_the_same_in_both_protocols() {
    let server = Server::start();
    let lines = [
        "MQ.LEN orders",
        "MQ.QUEUES",
        "MQ.ACK orders x y",
        "MQ.ACK orders IDS 1 x y",
        "MQ.CONFIG orders DELAY 0",
        "MQ.PUSH orders",
        "MQ.PEEK orders",
        "MQ.DEL orders x",
        "MQ.RESCHEDULE orders x DELAY 0",
        "MQ.PURGE orders",
        "MQ.DROP orders",
    ];
    let replies = raw_replies(&server, &lines);
    assert_eq!(raw_resp3_replies(&server, &lines), replies);
    let replies: Vec<&str> = replies.split("\r\n").collect();
    assert_eq!(replies[..2], [":0", "*0"]);
    assert!(replies[2].starts_with("-NOTFOUND "), "{}", replies[2]);
    assert_eq!(replies[3..6], ["*1", ":0", "+OK"]);
    assert!(replies[6].starts_with("-ERR wrong number"), "{}", replies[6]);
    assert_eq!(replies[7..12], ["*0", ":0", ":0", ":0", ":0"]);
}

#[test]
fn payloads_of_any_bytes_and_size_come_back_unchanged() {
    let server = Server::start();
    let mut client = server.client();
    let mut random = fastrand::Rng::with_seed(3);
    for size in [0, 1, 2, 63, 64, 250, 251, 65_535, 65_536, 1 << 20, 10 << 20] {
        let payload: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(size).collect();
        client.push("orders", &payload);
        let message = client.pull("orders");
        assert!(message.payload == payload, "a payload of {size} bytes came back changed");
        client.give_back(&message);
        let message = client.pull("orders");
        assert!(message.payload == payload, "a returned payload of {size} bytes came back changed");
        client.acknowledge(&message);
    }
    let every_byte: Vec<u8> = (0..=255).collect();
    client.push("orders", &every_byte);
    assert_eq!(client.pull("orders").payload, every_byte);
}

#[test]
fn large_payloads_survive_and_reach_replicas() {
    let mut server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let mut client = server.client();
    let payload = vec![0xab; 10 << 20];
    client.push("orders", &payload);
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    let message = client.pull("orders");
    client.give_back(&message);
    let mut copy = replica.client();
    eventually("the replica has it", || copy.number("MQ.LEN {orders}:dead") == 1);
    assert_eq!(client.text("DEBUG DIGEST"), copy.text("DEBUG DIGEST"));
    server.kill_and_start_again();
    assert!(server.client().pull("{orders}:dead").payload == payload);
}

#[test]
fn a_payload_over_128_mebibytes_is_refused() {
    let server = Server::start();
    let mut client = server.client();
    let mut payload = vec![b'x'; (128 << 20) + 1];
    let error = client.reply(&[b"MQ.PUSH".as_slice(), b"orders", &payload]).expect_err("a refusal");
    assert_eq!(error, "ERR payload is longer than 134217728 bytes");
    assert_eq!(client.number("DBSIZE"), 0);
    payload.pop();
    client.push("orders", &payload);
    assert_eq!(client.pull("orders").payload.len(), 128 << 20);
}
