//! Replies of the five commands, in both protocols.

use super::{HOUR, HOUR_S, hourly, hours, wait_for_ticks, with_clock};
use crate::harness::*;

/// The names of the fields of a schedule, in the order of the reply.
fn fields(client: &mut Client, queue: &str) -> Vec<String> {
    let reply = client.ask(&format!("MQ.SCHEDULES {queue}"));
    entries(&items(&reply)[0]).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn a_schedule_is_a_map_of_these_fields() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    client.ask("MQ.SCHEDULE plain name x EVERY 3600000 PAUSED 1");
    let always = "name payload catchup overlap every jitter paused runs missed skipped triggered";
    let mut plain = fields(&mut client, "plain");
    let mut expected: Vec<&str> = always.split(' ').collect();
    plain.sort();
    expected.sort_unstable();
    assert_eq!(plain, expected);
    let options = "TZ Europe/Berlin START 0 END 4000000000000 LIMIT 9 TTL 5 DEAD GROUP g \
                   HEADERS 2 b 1 a 2";
    client.ask(&format!("MQ.SCHEDULE orders name x CRON @hourly {options}"));
    hourly(&mut client, "priority", start, "PRIORITY 4");
    clock.set(2 * HOUR_S);
    wait_for_ticks(&mut client, &clock);
    client.ask("MQ.UNSCHEDULE orders priority");
    let more = "cron zone start end limit next_tick last_tick ttl dead group headers";
    let mut full = fields(&mut client, "orders");
    let mut expected: Vec<&str> =
        always.split(' ').filter(|name| *name != "every").chain(more.split(' ')).collect();
    full.sort();
    expected.sort_unstable();
    assert_eq!(full, expected);
}

#[test]
fn both_protocols_show_the_same() {
    let server = Server::start();
    let (mut client, mut resp3) = (server.client(), server.resp3_client());
    let options = "EVERY 3600000 TTL 5 DEAD GROUP g HEADERS 2 b 1 a 2";
    client.ask(&format!("MQ.SCHEDULE orders name x {options}"));
    let (two, three) = (client.ask("MQ.SCHEDULES orders"), resp3.ask("MQ.SCHEDULES orders"));
    let (two, three) = (&items(&two)[0], &items(&three)[0]);
    assert!(matches!(two, Value::Array(_)));
    assert_eq!(matches!(three, Value::Map(_)), facts().modules_reply_with_maps(), "{three:?}");
    let headers = [(b"b".to_vec(), b"1".to_vec()), (b"a".to_vec(), b"2".to_vec())];
    assert_eq!(headers_of(two).as_deref(), Some(&headers[..]));
    assert_eq!(headers_of(three).as_deref(), Some(&headers[..]));
    let plain = |map: &Value| -> Vec<(String, Value)> {
        entries(map).into_iter().filter(|(name, _)| name != "headers").collect()
    };
    assert_eq!(plain(two), plain(three));
    let is_number = |value: &Value| matches!(value, Value::Int(_));
    let texts = ["name", "payload", "catchup", "overlap", "group"];
    for (name, value) in plain(two) {
        assert_eq!(is_number(&value), !texts.contains(&name.as_str()), "{name}: {value:?}");
    }
    assert_eq!(client.ask("MQ.NEXT orders name"), resp3.ask("MQ.NEXT orders name"));
}

/// The bytes of the replies to lines, as a connection with this protocol gets them.
fn raw(server: &Server, protocol: u8, lines: &[&str]) -> String {
    let mut all = vec!["ECHO after-hello".to_string()];
    if protocol == 3 {
        all.insert(0, "HELLO 3".into());
    }
    all.extend(lines.iter().map(|line| line.to_string()));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let replies = String::from_utf8(server.raw_replies(&all)).expect("text");
    let (_, replies) = replies.split_once("$11\r\nafter-hello\r\n").expect("the reply of ECHO");
    replies.to_string()
}

#[test]
fn replies_without_a_map_are_the_same_in_both_protocols() {
    let server = Server::start();
    let lines = [
        "MQ.SCHEDULES orders",
        "MQ.SCHEDULE orders name x EVERY 500 START 4000000000000 END 4000000000999",
        "MQ.SCHEDULE orders name x EVERY 500 START 4000000000000 END 4000000000999",
        "MQ.NEXT orders name",
        "MQ.NEXT orders name COUNT 1",
        "MQ.NEXT orders name FROM 5000000000000",
        "MQ.SCHEDULES orders MATCH other",
        "MQ.SCHEDULES orders OFFSET 1",
        "MQ.UNSCHEDULE orders name",
        "MQ.UNSCHEDULE orders name",
        "MQ.NEXT orders name",
        "MQ.TRIGGER orders name",
    ];
    let not_found = "-NOTFOUND no schedule with this name\r\n";
    let expected = [
        "*0\r\n:1\r\n:0\r\n*2\r\n:4000000000000\r\n:4000000000500\r\n*1\r\n:4000000000000\r\n",
        "*0\r\n*0\r\n*0\r\n:1\r\n:0\r\n",
        not_found,
        not_found,
    ];
    for protocol in [2, 3] {
        assert_eq!(raw(&server, protocol, &lines), expected.concat(), "RESP{protocol}");
    }
}

#[test]
fn schedules_are_listed_by_their_next_message() {
    let server = Server::start();
    let mut client = server.client();
    let now = now_ms();
    for (name, hours, options) in
        [("b", 2, ""), ("c", 1, ""), ("paused", 1, "PAUSED 1"), ("a", 2, ""), ("d", 3, "")]
    {
        let start = now + hours * HOUR;
        client.ask(&format!("MQ.SCHEDULE orders {name} x EVERY 500 START {start} {options}"));
    }
    client.ask("MQ.SCHEDULE mails other x EVERY 3600000");
    for (options, expected) in [
        ("", &["c", "a", "b", "d", "paused"][..]),
        ("COUNT 2", &["c", "a"]),
        ("OFFSET 1 COUNT 2", &["a", "b"]),
        ("OFFSET 4", &["paused"]),
        ("OFFSET 5", &[]),
        ("OFFSET 2147483647 COUNT 1000", &[]),
        ("MATCH [ab]", &["a", "b"]),
        ("MATCH * OFFSET 3", &["d", "paused"]),
        ("MATCH p* COUNT 1", &["paused"]),
        ("MATCH ? OFFSET 1 COUNT 2", &["a", "b"]),
        ("match ?? offset 0", &[]),
    ] {
        assert_eq!(client.schedule_names(&format!("orders {options}")), expected, "{options}");
    }
    assert_eq!(client.schedule_names("nothing"), [""; 0]);
    assert_eq!(client.schedule_names("mails"), ["other"]);
}

#[test]
fn a_hundred_are_listed_unless_more_are_asked_for() {
    let server = Server::start();
    let mut client = server.client();
    let line = |n: u32| format!("MQ.SCHEDULE orders name-{n:04} x EVERY 500 START 4000000000000");
    client.pipeline(&(0..2_500).map(line).collect::<Vec<_>>());
    let names: Vec<String> = (0..2_500).map(|n| format!("name-{n:04}")).collect();
    assert_eq!(client.schedule_names("orders"), names[..100]);
    assert_eq!(client.schedule_names("orders COUNT 1000 OFFSET 700"), names[700..1_700]);
    assert_eq!(client.schedule_names("orders MATCH *9 OFFSET 200"), {
        let nines: Vec<_> = names.iter().filter(|name| name.ends_with('9')).skip(200).collect();
        nines.into_iter().cloned().collect::<Vec<_>>()
    });
    assert_eq!(client.schedule_names("orders MATCH *24* COUNT 1000").last(), Some(&names[2_499]));
}

#[test]
fn the_next_ticks_are_shown_within_the_end_and_the_limit() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    hourly(&mut client, "each", start, &format!("JITTER 1000 END {}", start + 20 * HOUR));
    let all: Vec<i64> = (1..=20).collect();
    for (options, expected) in [
        ("".to_string(), &all[..10]),
        ("COUNT 1".into(), &all[..1]),
        ("COUNT 1000".into(), &all),
        (format!("FROM {} COUNT 1000", start + 18 * HOUR), &all[17..]),
        (format!("FROM {} COUNT 1000", start + 18 * HOUR + 1), &all[18..]),
        (format!("COUNT 2 FROM {}", start - 100 * HOUR), &all[..2]),
        (format!("FROM {}", start + 20 * HOUR + 1), &[]),
        ("FROM 0 COUNT 3".into(), &all[..3]),
        ("FROM 8796093022207".into(), &[]),
    ] {
        let ticks = client.numbers(&format!("MQ.NEXT orders each {options}"));
        assert_eq!(ticks, hours(start, expected), "{options}");
    }
    clock.set(HOUR_S + 60);
    client.wait_for_ready("orders", 1);
    assert_eq!(client.numbers("MQ.NEXT orders each COUNT 2"), hours(start, &[2, 3]));
    let past = client.numbers(&format!("MQ.NEXT orders each FROM {start} COUNT 2"));
    assert_eq!(past, hours(start, &[1, 2]), "also what is over");
    let digest = client.text("DEBUG DIGEST");
    client.ask("MQ.NEXT orders each COUNT 1000");
    client.ask("MQ.SCHEDULES orders");
    assert_eq!(client.text("DEBUG DIGEST"), digest);
}

#[test]
fn a_triggered_message_is_ready_at_once_and_moves_no_tick() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders DELAY 3600000");
    let options = "EVERY 3600000 PRIORITY 2 TTL 60000 HEADERS 1 kind batch";
    client.ask(&format!("MQ.SCHEDULE orders name report {options}"));
    client.ask("MQ.SCHEDULE orders paused x CRON @daily PAUSED 1");
    let next = client.schedule_number("orders", "name", "next_tick");
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    let id = client.text("MQ.TRIGGER orders name");
    let (message, _) = waiting.message();
    assert_eq!((message.id, message.payload), (id.clone(), b"report".to_vec()));
    assert_eq!(message.more["priority"], "2");
    assert!(message.more.contains_key("expires_at"));
    let shown = client.ask(&format!("MQ.GET orders {id}"));
    let run = Run::of(&shown).expect("of a schedule");
    assert_eq!(run, Run { schedule: "name".into(), tick: None, missed: None });
    let shown = client.schedule("orders", "name");
    assert_eq!([&*shown["triggered"], &*shown["runs"]], ["1", "0"]);
    assert!(!shown.contains_key("last_tick"));
    assert_eq!(shown["next_tick"], next.to_string());
    assert!(client.text("MQ.TRIGGER orders paused") > id, "a paused one too");
    assert_eq!(client.queue_info("orders", "ticks"), 0);
    assert_eq!(client.queue_info("orders", "pushed"), 2);
}

#[test]
fn info_shows_and_counts_schedules() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    for field in ["schedules", "next_tick_at", "ticks", "ticks_missed", "ticks_skipped"] {
        assert_eq!(client.queue_info("orders", field), 0, "{field}");
    }
    hourly(&mut client, "each", start, "");
    hourly(&mut client, "paused", start, "PAUSED 1");
    client.ask("MQ.CONFIG full MAXLEN 1");
    client.push("full", "x");
    let first = start + HOUR;
    client.ask(&format!("MQ.SCHEDULE full each x EVERY {HOUR} START {first}"));
    assert_eq!(client.queue_info("orders", "schedules"), 2);
    assert_eq!(client.queue_info("orders", "next_tick_at"), start + HOUR);
    clock.set(4 * HOUR_S + 60);
    wait_for_ticks(&mut client, &clock);
    eventually("both ticked", || client.queue_info("full", "ticks_skipped") == 1);
    for (field, value) in [("ticks", 1), ("ticks_missed", 3), ("ticks_skipped", 0), ("pushed", 1)] {
        assert_eq!(client.queue_info("orders", field), value, "{field}");
    }
    let info = client.info("mq");
    for (field, value) in [("ticks", "1"), ("ticks_missed", "6"), ("ticks_skipped", "1")] {
        assert_eq!(info[&format!("mq_{field}")], value, "{field}");
    }
    assert_eq!(client.queue_info("orders", "next_tick_at"), start + 5 * HOUR);
}
