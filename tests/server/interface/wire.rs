//! Bytes on the wire: both protocols, their nulls and maps, and payloads of any bytes and size.

use crate::harness::*;
use std::collections::BTreeSet;

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
        Value::Map(_) | Value::Array(_) => format!("{:?}", fields(&value)),
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
        "MQ.STATS",
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
    assert_eq!(replies[..3], [":0", "*0", "*0"]);
    assert!(replies[3].starts_with("-NOTFOUND "), "{}", replies[3]);
    assert_eq!(replies[4..7], ["*1", ":0", "+OK"]);
    assert!(replies[7].starts_with("-ERR wrong number"), "{}", replies[7]);
    assert_eq!(replies[8..13], ["*0", ":0", ":0", ":0", ":0"]);
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
        client.nack(&message);
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
    client.nack(&message);
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

/// The lines of the page's table of replies: a command, and the reply in each protocol.
fn shapes() -> Vec<[String; 3]> {
    let page = include_str!("../../../docs/protocol.md");
    let cells = page.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix("` |"));
    let rows = cells.filter(|row| row.starts_with("MQ."));
    rows.filter_map(|row| {
        let cells: Vec<String> = row.split("` | `").map(String::from).collect();
        cells.try_into().ok()
    })
    .collect()
}

/// A reply in the page's notation, and its strings.
fn notation(reply: &str) -> (Vec<String>, Vec<&str>) {
    let (mut pieces, mut strings) = (Vec::new(), Vec::new());
    let mut rest = reply;
    while let Some((piece, after)) = rest.split_once("\r\n") {
        pieces.push(piece.to_string());
        rest = after;
        if let Some(length) = piece.strip_prefix('$') {
            let length: usize = length.parse().expect("a length");
            strings.push(&rest[..length]);
            rest = &rest[length + 2..];
        }
    }
    (pieces, strings)
}

/// Whether the reply has the shape. `%` is followed by the number of pairs, also where a flat array
/// is sent for it.
fn has_shape(reply: &[String], shape: &str, has_maps: bool) -> bool {
    let mut pieces = reply.iter();
    for expected in shape.split(' ') {
        if expected == "..." {
            return pieces.next().is_some();
        }
        let expected = match expected.strip_prefix('%') {
            Some("") if !has_maps => "*".into(),
            Some(pairs) if !has_maps => {
                format!("*{}", 2 * pairs.parse::<u32>().expect("a number of pairs"))
            }
            _ => expected.to_string(),
        };
        // A kind alone stands for any number, an error's code for any text after it.
        let any = expected.len() == 1 && expected != "_" || expected.starts_with('-');
        let is_it =
            |piece: &String| *piece == expected || (any && piece.starts_with(expected.as_str()));
        if !pieces.next().is_some_and(is_it) {
            return false;
        }
    }
    pieces.next().is_none()
}

#[test]
fn replies_have_the_shapes_of_the_page() {
    let shapes = shapes();
    assert!(shapes.len() > 30, "{shapes:?}");
    for (protocol, replies) in
        [(1, raw_replies as fn(&Server, &[&str]) -> String), (2, raw_resp3_replies)]
    {
        let server = Server::start();
        let has_maps = protocol == 2 && facts().modules_reply_with_maps();
        let (mut id, mut receipt) = (String::new(), String::new());
        for row in &shapes {
            let words = row[0].split(' ').map(|word| match word {
                "id" => id.as_str(),
                "receipt" => receipt.as_str(),
                word => word,
            });
            let line = words.collect::<Vec<_>>().join(" ");
            let reply = replies(&server, &[&line]);
            let (pieces, strings) = notation(&reply);
            assert!(has_shape(&pieces, &row[protocol], has_maps), "{row:?} but {line}: {pieces:?}");
            for string in strings {
                match string.len() {
                    36 => id = string.into(),
                    16 if string.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                        receipt = string.into();
                    }
                    _ => {}
                }
            }
        }
    }
}

#[test]
fn the_page_shows_a_reply_of_every_command_for_clients() {
    let shown: Vec<String> = shapes().into_iter().map(|[command, ..]| command).collect();
    let pages = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/commands"));
    for page in pages.expect("the pages of the commands") {
        let page = page.expect("a page").path();
        let name = page.file_stem().expect("a name").to_string_lossy().to_uppercase();
        let is_shown = shown.iter().any(|command| command.split(' ').next() == Some(&name));
        assert!(is_shown || name == "MQ.APPLY", "docs/protocol.md shows no reply of {name}");
    }
}

#[test]
fn a_script_gets_a_message_as_a_flat_table_or_as_a_map() {
    let server = Server::start();
    let mut client = server.client();
    let pull = "local m = redis.call('MQ.PULL', KEYS[1], 'BLOCK', 0)";
    let mut run =
        |script: &str| client.reply(&["EVAL", script, "1", "orders"]).map(|reply| text_of(&reply));
    assert_eq!(run(&format!("{pull} return tostring(m)")).as_deref(), Ok("false"));
    server.client().push("orders", "hello");
    let flat = format!("{pull} return #m .. m[1] .. m[6]");
    assert_eq!(run(&flat).as_deref(), Ok("14idhello"));
    server.client().push("orders", "hello");
    let map = format!("redis.setresp(3) {pull} return m.map and m.map.payload or #m .. m[6]");
    let expected = if facts().modules_reply_with_maps() { "hello" } else { "14hello" };
    assert_eq!(run(&map).as_deref(), Ok(expected));
}

#[test]
fn the_page_says_what_to_do_about_every_error_code() {
    let source = include_str!("../../../src/commands/errors.rs");
    let page = include_str!("../../../docs/protocol.md");
    let (_, errors) = page.split_once("\n## Errors\n").expect("the section");
    let (errors, _) = errors.split_once("\n## ").expect("the next section");
    let texts = source.split('"').skip(1).step_by(2);
    let codes: BTreeSet<&str> = texts
        .filter_map(|text| text.split_once(' '))
        .map(|(code, _)| code)
        .filter(|code| code.len() > 2 && code.bytes().all(|byte| byte.is_ascii_uppercase()))
        .collect();
    assert!(codes.contains("ERR") && codes.contains("NOTFOUND"), "{codes:?}");
    for code in codes {
        assert!(
            errors.contains(&format!("`{code}`")),
            "docs/protocol.md, Errors: nothing of {code}"
        );
    }
}

#[test]
fn a_command_that_is_sent_twice_does_what_the_page_says() {
    let server = Server::start();
    let mut client = server.client();
    let mut twice = |line: &str| {
        let first = client.reply_to(line).map(|reply| format!("{reply:?}"));
        let second = client.reply_to(line).map(|reply| format!("{reply:?}"));
        (first.expect("done"), second.map_err(|error| error.split(' ').next().map(String::from)))
    };
    let (id, again) = twice("MQ.PUSH orders hello DEDUP key");
    assert_eq!(again, Ok(id));
    let (id, again) = twice("MQ.PUSH orders hello");
    assert_ne!(again, Ok(id));
    let mut other = server.client();
    assert_eq!(other.lengths("orders"), [3, 0, 0]);
    let [done, back, kept] = [(); 3].map(|()| other.pull("orders").delivery());
    let one = Ok("int(1)".to_string());
    for (line, code) in [
        (format!("MQ.ACK {done}"), "NOTFOUND"),
        (format!("MQ.NACK {back} DELAY 60000"), "BADRECEIPT"),
    ] {
        let (first, again) = twice(&line);
        assert_eq!((Ok(first), again), (one.clone(), Err(Some(code.into()))), "{line}");
    }
    let (until, again) = twice(&format!("MQ.EXTEND {kept} VISIBILITY 60000"));
    assert!(again.expect("extended again") >= until);
    let id = back.split(' ').nth(1).expect("an id");
    let at = now_ms() + 60_000;
    let (first, again) = twice(&format!("MQ.RESCHEDULE orders {id} AT {at}"));
    assert_eq!((Ok(first), again), (one.clone(), one.clone()));
    let (first, again) = twice(&format!("MQ.DEL orders {id}"));
    assert_eq!((Ok(first), again), (one.clone(), Ok("int(0)".into())));
    for _ in 0..3 {
        other.push("mails", "hello");
        let delivery = other.pull("mails").delivery();
        other.ask(&format!("MQ.NACK {delivery} DEAD"));
    }
    if facts().separates_key_permissions() {
        let (first, again) = twice("MQ.REDRIVE {mails}:dead COUNT 1");
        assert_eq!((Ok(first), again), (one.clone(), one));
    }
}
