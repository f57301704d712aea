//! Wrong arguments of every command: a clear error, and nothing changed.

use crate::harness::*;

/// Every line is refused with exactly this error, and changes nothing.
#[track_caller]
fn refused_with(client: &mut Client, lines: &[&str], expected: &str) {
    let before = client.text("DEBUG DIGEST");
    for line in lines {
        assert_eq!(client.refused(line), expected, "{line}");
    }
    assert_eq!(client.text("DEBUG DIGEST"), before);
}

#[track_caller]
fn refused_with_prefix(client: &mut Client, lines: &[&str], expected: &str) {
    let before = client.text("DEBUG DIGEST");
    for line in lines {
        let error = client.refused(line);
        assert!(error.starts_with(expected), "{line}: {error}");
    }
    assert_eq!(client.text("DEBUG DIGEST"), before);
}

fn with_a_queue() -> (Server, Client) {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    client.push("orders", "two");
    client.pull("orders");
    (server, client)
}

#[test]
fn a_wrong_number_of_arguments_is_refused_in_the_servers_words() {
    let (_server, mut client) = with_a_queue();
    for line in [
        "MQ.PUSH",
        "MQ.PUSH orders",
        "MQ.PULL",
        "MQ.ACK",
        "MQ.ACK orders",
        "MQ.ACK orders x",
        "MQ.NACK",
        "MQ.NACK orders",
        "MQ.NACK orders x",
        "MQ.EXTEND",
        "MQ.EXTEND orders",
        "MQ.EXTEND orders x",
        "MQ.CONFIG",
        "MQ.INFO",
        "MQ.INFO orders x",
        "MQ.LEN",
        "MQ.MPUSH",
        "MQ.MPUSH orders",
        "MQ.MPUSH orders 1",
        "MQ.PEEK",
        "MQ.GET",
        "MQ.GET orders",
        "MQ.GET orders x y",
        "MQ.DEL",
        "MQ.DEL orders",
        "MQ.PURGE",
        "MQ.DROP",
        "MQ.DROP orders x",
        "MQ.RESCHEDULE",
        "MQ.RESCHEDULE orders",
        "MQ.RESCHEDULE orders x",
        "MQ.RESCHEDULE orders x DELAY",
        "MQ.RESCHEDULE orders x DELAY 1 AT",
        "MQ.CHECK",
        "MQ.SCHEDULE",
        "MQ.SCHEDULE orders name x EVERY",
        "MQ.UNSCHEDULE orders",
        "MQ.UNSCHEDULE orders name x",
        "MQ.SCHEDULES",
        "MQ.NEXT orders",
        "MQ.TRIGGER orders",
        "MQ.TRIGGER orders name x",
        "MQ.APPLY",
        "MQ.APPLY orders",
        "MQ.APPLY orders x y z",
    ] {
        let error = client.refused(line).to_lowercase();
        let command = line.split(' ').next().expect("a command").to_lowercase();
        // Before 7.0 the module says so, and how the command is written.
        let told = format!("err wrong number of arguments for '{command}' command");
        let syntax = format!("{told}: {command}");
        assert!(error == told || error.starts_with(&syntax), "{line}: {error}");
    }
}

#[test]
fn what_is_left_over_is_refused() {
    let (_server, mut client) = with_a_queue();
    let before = client.text("DEBUG DIGEST");
    for line in [
        "MQ.PUSH orders x NONSENSE",
        "MQ.PUSH orders x NONSENSE 1",
        "MQ.PUSH orders x DELAY",
        "MQ.PUSH orders x DELAY 1 x",
        "MQ.PUSH orders x DELAY 1 DELAY 1",
        "MQ.PUSH orders x VISIBILITY 1",
        "MQ.PUSH orders x AT",
        "MQ.PUSH orders x AT 1 DELAY 1",
        "MQ.PUSH orders x TTL 1 TTL 1",
        "MQ.PUSH orders x PRIORITY 1 GROUP g",
        "MQ.PUSH orders x WINDOW 1",
        "MQ.PUSH orders x UNTILDONE",
        "MQ.PUSH orders x DEDUP k WINDOW 1 UNTILDONE",
        "MQ.PUSH orders x HEADERS 2 a b",
        "MQ.MPUSH orders 1 x NONSENSE",
        "MQ.MPUSH orders 2 x",
        "MQ.MPUSH orders 1 x DEDUP k",
        "MQ.PEEK orders NONSENSE",
        "MQ.PEEK orders READY DELAYED",
        "MQ.PEEK orders COUNT",
        "MQ.RESCHEDULE orders x WHEN 1",
        "MQ.CHECK orders NONSENSE",
        "MQ.CHECK orders REPAIR REPAIR",
        "MQ.CONFIG orders TTL 1 TTL 1",
        "MQ.PULL orders NONSENSE",
        "MQ.PULL orders COUNT",
        "MQ.PULL orders COUNT 1 COUNT 1",
        "MQ.PULL orders VISIBILITY",
        "MQ.PULL orders VISIBILITY 1 VISIBILITY 1",
        "MQ.PULL orders BLOCK",
        "MQ.PULL orders BLOCK 1 BLOCK 1",
        "MQ.PULL orders COUNT 1 DELAY 1",
        "MQ.PULL orders 1",
        "MQ.ACK orders x y z",
        "MQ.ACK orders x y DELAY 1",
        "MQ.NACK orders x y DELAY",
        "MQ.NACK orders x y DELAY 1 DELAY 1",
        "MQ.NACK orders x y VISIBILITY 1",
        "MQ.EXTEND orders x y VISIBILITY",
        "MQ.EXTEND orders x y VISIBILITY 1 VISIBILITY 1",
        "MQ.EXTEND orders x y DELAY 1",
        "MQ.CONFIG orders VISIBILITY",
        "MQ.CONFIG orders NONSENSE 1",
        "MQ.CONFIG orders VISIBILITY 1 DELAY",
        "MQ.CONFIG orders VISIBILITY 1 VISIBILITY 2",
        "MQ.LEN orders NONSENSE",
        "MQ.LEN orders READY READY",
        "MQ.QUEUES NONSENSE",
        "MQ.QUEUES MATCH",
        "MQ.QUEUES MATCH * MATCH *",
        "MQ.QUEUES MATCH * x",
        "MQ.STATS NONSENSE",
    ] {
        client.misused(line);
    }
    assert_eq!(client.text("DEBUG DIGEST"), before);
}

#[test]
fn numbers_that_are_none_or_out_of_range_are_refused() {
    let (_server, mut client) = with_a_queue();
    let year = 31_536_000_000i64;
    for (command, option, smallest, largest) in [
        ("MQ.PUSH orders x", "DELAY", 0, year),
        ("MQ.PUSH orders x", "AT", 0, 8_796_093_022_207),
        ("MQ.PUSH orders x", "TTL", 0, year),
        ("MQ.PUSH orders x", "PRIORITY", 0, 9),
        ("MQ.PUSH orders x", "HEADERS", 1, 64),
        ("MQ.PUSH orders x DEDUP k", "WINDOW", 1, year),
        ("MQ.MPUSH orders 1 x", "DELAY", 0, year),
        ("MQ.MPUSH orders 1 x", "TTL", 0, year),
        ("MQ.PEEK orders", "OFFSET", 0, 2_147_483_647),
        ("MQ.PEEK orders", "COUNT", 1, 1_000),
        ("MQ.RESCHEDULE orders x", "DELAY", 0, year),
        ("MQ.RESCHEDULE orders x", "AT", 0, 8_796_093_022_207),
        ("MQ.SCHEDULE orders name x", "EVERY", 100, year),
        ("MQ.SCHEDULE orders name x EVERY 500", "START", 0, 8_796_093_022_207),
        ("MQ.SCHEDULE orders name x EVERY 500", "END", 0, 8_796_093_022_207),
        ("MQ.SCHEDULE orders name x EVERY 500", "LIMIT", 1, 2_147_483_647),
        ("MQ.SCHEDULE orders name x EVERY 500", "JITTER", 0, year),
        ("MQ.SCHEDULE orders name x EVERY 500", "TTL", 0, year),
        ("MQ.SCHEDULE orders name x EVERY 500", "PRIORITY", 0, 9),
        ("MQ.SCHEDULES orders", "OFFSET", 0, 2_147_483_647),
        ("MQ.SCHEDULES orders", "COUNT", 1, 1_000),
        ("MQ.NEXT orders name", "COUNT", 1, 1_000),
        ("MQ.NEXT orders name", "FROM", 0, 8_796_093_022_207),
        ("MQ.PULL orders", "COUNT", 1, 10_000),
        ("MQ.PULL orders", "VISIBILITY", 1, year),
        ("MQ.PULL orders", "BLOCK", 0, year),
        ("MQ.NACK orders x y", "DELAY", 0, year),
        ("MQ.EXTEND orders x y", "VISIBILITY", 1, year),
    ] {
        let unit = match option {
            "AT" | "START" | "END" | "FROM" => " milliseconds of unix time",
            "PRIORITY" | "HEADERS" | "OFFSET" | "COUNT" | "LIMIT" => "",
            _ => " milliseconds",
        };
        let range = format!("{smallest} to {largest}{unit}");
        let expected = format!("ERR {option} must be an integer from {range}");
        let (below, above) = ((smallest - 1).to_string(), (largest + 1).to_string());
        let values = [
            below.as_str(),
            &above,
            "x",
            "\"\"",
            "1.5",
            "1e3",
            "0x10",
            "+1",
            "1,000",
            "١",
            "nan",
            "inf",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999999999999999",
        ];
        let lines: Vec<String> =
            values.iter().map(|value| format!("{command} {option} {value}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        refused_with(&mut client, &lines, &expected);
    }
}

#[test]
fn a_number_of_pairs_that_does_not_fit_is_refused() {
    let (_server, mut client) = with_a_queue();
    let pair = "01890a5d-ac96-774b-bcce-b302099a8057 0000000000000001";
    for command in ["MQ.ACK orders IDS", "MQ.NACK orders IDS", "MQ.EXTEND orders IDS"] {
        let lines = [
            format!("{command} 1 x"),
            format!("{command} 2 {pair}"),
            format!("{command} 1 {pair} {pair}"),
            format!("{command} 1 {pair} x"),
            format!("{command} 2 {pair} x"),
            format!("{command} 9223372036854775807 {pair}"),
            format!("{command} 4611686018427387905 {pair}"),
            format!("{command} 0 {pair}"),
            format!("{command} -1 {pair}"),
            format!("{command} x {pair}"),
            format!("{command} 1.0 {pair}"),
            format!("{command} \"\" {pair}"),
        ];
        let before = client.text("DEBUG DIGEST");
        for line in lines {
            let error = client.refused(&line);
            assert!(
                error.contains("pair") || error.starts_with("ERR IDS must be an integer"),
                "{line}: {error}"
            );
        }
        assert_eq!(client.text("DEBUG DIGEST"), before);
    }
}

#[test]
fn bad_queue_names_are_refused_by_every_command() {
    let (_server, mut client) = with_a_queue();
    let long = "x".repeat(513);
    for name in [
        "\"\"",
        long.as_str(),
        "a{b",
        "a}b",
        "{",
        "}",
        "}{",
        "a{}b",
        "{}",
        "{orders}",
        "{}{x}",
        "{a}{b",
    ] {
        for (before, after) in [
            ("MQ.PUSH", "x"),
            ("MQ.PULL", ""),
            ("MQ.PULL", "BLOCK 0"),
            ("MQ.ACK", "x y"),
            ("MQ.NACK", "x y"),
            ("MQ.EXTEND", "x y"),
            ("MQ.CONFIG", ""),
            ("MQ.CONFIG", "DELAY 1"),
            ("MQ.INFO", ""),
            ("MQ.LEN", ""),
            ("MQ.MPUSH", "1 x"),
            ("MQ.PEEK", ""),
            ("MQ.GET", "x"),
            ("MQ.DEL", "x"),
            ("MQ.PURGE", ""),
            ("MQ.DROP", ""),
            ("MQ.RESCHEDULE", "x DELAY 1"),
            ("MQ.CHECK", ""),
            ("MQ.SCHEDULE", "name x EVERY 500"),
            ("MQ.UNSCHEDULE", "name"),
            ("MQ.SCHEDULES", ""),
            ("MQ.NEXT", "name"),
            ("MQ.TRIGGER", "name"),
        ] {
            let line = format!("{before} {name} {after}");
            refused_with_prefix(&mut client, &[&line], "ERR invalid queue name: ");
        }
    }
    assert_eq!(client.lengths("orders"), [1, 1, 0]);
}

#[test]
fn names_of_any_other_bytes_are_good_queue_names() {
    let server = Server::start();
    let mut client = server.client();
    let longest = vec![b'x'; 512];
    let names: [&[u8]; 9] = [
        b"o",
        b"orders:eu",
        b"mq:orders",
        b"with blank",
        b"\x00\xff\r\n\xfe",
        "größe/注文".as_bytes(),
        b"{acme}.orders",
        b"orders.{acme}",
        &longest,
    ];
    for name in names {
        let id = client.reply(&[b"MQ.PUSH", name, b"payload"]).expect("an id");
        let message = client.reply(&[b"MQ.PULL", name]).expect("a message");
        let fields = entries(&message);
        assert_eq!(fields[0].1, id);
        assert_eq!(bulk(&fields[1].1), name, "the name in the message");
        let receipt = bulk(&fields[6].1).to_vec();
        let acknowledge: [&[u8]; 4] = [b"MQ.ACK", name, bulk(&id), &receipt];
        assert_eq!(client.reply(&acknowledge), Ok(Value::Int(1)));
        client.reply(&[b"MQ.PUSH", name, b"to be listed"]).expect("an id");
        let listed = client.ask("MQ.QUEUES");
        assert!(items(&listed).contains(&Value::BulkString(name.to_vec())), "{listed:?}");
    }
    assert_eq!(items(&client.ask("MQ.QUEUES")).len(), names.len());
}

#[test]
fn an_error_in_one_argument_leaves_the_whole_command_undone() {
    let (_server, mut client) = with_a_queue();
    client.push("orders", "three");
    let message = client.pull("orders");
    let lengths = client.lengths("orders");
    for line in [
        format!("MQ.NACK {} DELAY x", message.delivery()),
        format!("MQ.EXTEND {} VISIBILITY 0", message.delivery()),
        format!("MQ.ACK orders IDS 2 {}", message.pair()),
        format!("MQ.NACK orders IDS 1 {} DELAY", message.pair()),
        format!("MQ.EXTEND orders IDS 1 {} VISIBILITY 0", message.pair()),
    ] {
        client.refused(&line);
        assert_eq!(client.lengths("orders"), lengths, "{line}");
    }
    client.acknowledge(&message);
}
