//! What the first release has stored is loaded by every later one: an append-only file with every op,
//! and a snapshot of the same queues, both of Redis 6.0, in tests/fixtures/0.1.0.
//!
//! They are not to be made anew. How they were made is the ignored test at the end; `expected.txt` is
//! what MQ.CONFIG, MQ.INFO and MQ.PEEK showed then, and the deliveries that ran. All moments in them are
//! 150 years later than they were, so that nothing becomes due.

use crate::harness::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

fn path_of(file: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/0.1.0")).join(file)
}

/// A server that has loaded each of the two files.
fn servers() -> [Server; 2] {
    let from_aof = Server::start_on_copy_of(
        &path_of("appendonly.aof"),
        &[("appendonly", "yes"), ("appendfsync", "always")],
    );
    [from_aof, Server::start_on_copy_of(&path_of("dump.rdb"), &[])]
}

fn expected() -> String {
    fs::read_to_string(path_of("expected.txt")).expect("expected.txt")
}

/// `id receipt` of the deliveries of a queue that ran when the fixture was made, by payload.
fn delivery(queue: &str, payload: &str) -> String {
    let start = format!("delivery {queue} {payload} ");
    let expected = expected();
    let pair = expected.lines().find_map(|line| line.strip_prefix(&start));
    pair.unwrap_or_else(|| panic!("no {start} in expected.txt")).to_string()
}

/// All that the commands which only look show of all queues, without what depends on the clock or on
/// this process.
fn portrait(client: &mut Client) -> String {
    let mut lines = Vec::new();
    for queue in strings(&client.ask("MQ.QUEUES")) {
        lines.push(format!("queue {queue}"));
        let info = entries(&client.ask(&format!("MQ.INFO {queue}")));
        let lasting = info.iter().filter(|(name, _)| is_lasting(name));
        lines.extend(lasting.map(|(name, value)| format!("  {name} {}", plain(value))));
        for state in ["READY", "INFLIGHT", "DELAYED"] {
            let messages = client.ask(&format!("MQ.PEEK {queue} {state} COUNT 1000"));
            for message in items(&messages) {
                let fields = entries(message);
                let fields = fields.iter().map(|(name, value)| format!("{name}={}", plain(value)));
                lines.push(format!("  {}", fields.collect::<Vec<_>>().join(" ")));
            }
        }
    }
    lines.join("\n") + "\n"
}

fn plain(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(" "))
        }
        one => text_of(one),
    }
}

fn is_lasting(field: &str) -> bool {
    let of_settings = [
        "visibility",
        "maxretries",
        "deadletter",
        "backoff",
        "backoffmax",
        "delay",
        "ttl",
        "maxlen",
        "maxinflight",
        "rate",
        "rateperiod",
        "aging",
        "groupinflight",
        "dedupwindow",
    ];
    let of_messages = [
        "deadletter_waiting",
        "ready",
        "inflight",
        "delayed",
        "priorities",
        "groups",
        "paused",
        "paused_until",
        "rate_window_start",
        "rate_window_count",
        "next_due_at",
        "highest_retry_count",
        "damaged",
    ];
    of_settings.contains(&field) || of_messages.contains(&field)
}

#[test]
fn both_files_hold_every_op_and_every_kind_of_key() {
    let [server, _] = servers();
    let mut client = server.client();
    let keys = strings(&client.ask("KEYS mq:*"));
    let parts: BTreeSet<&str> = keys.iter().filter_map(|key| key.rsplit(':').next()).collect();
    let expected = [
        "ready", "ready1", "ready5", "ready9", "lanes", "ranked", "grouped", "messages", "notes",
        "inflight", "delayed", "retries", "expiring", "groups", "turns", "dedup", "deduped",
        "dead", "config", "damaged",
    ];
    assert_eq!(parts, BTreeSet::from(expected));
    let file = fs::read(path_of("appendonly.aof")).expect("the file");
    assert!(file.starts_with(b"*2\r\n$6\r\nSELECT"), "commands only, no snapshot before them");
    assert_eq!(numbers_of_ops(&file), (0..=15).collect());
}

/// The numbers of the ops in an append-only file: what follows the version byte of each.
fn numbers_of_ops(mut file: &[u8]) -> BTreeSet<u8> {
    let mut numbers = BTreeSet::new();
    let mut last_two: [Vec<u8>; 2] = Default::default();
    while let Some(end) = file.windows(2).position(|two| two == b"\r\n") {
        let (line, rest) = (&file[..end], &file[end + 2..]);
        file = rest;
        let Some(length) = line.strip_prefix(b"$") else { continue };
        let length: usize = String::from_utf8_lossy(length).parse().expect("a length");
        let argument = rest[..length].to_vec();
        file = &rest[length + 2..];
        if last_two[0] == b"MQ.APPLY" {
            assert_eq!(argument[0], 1, "version 1");
            numbers.insert(argument[1]);
        }
        last_two = [last_two[1].clone(), argument];
    }
    numbers
}

#[test]
fn everything_is_as_it_was() {
    let [from_aof, from_rdb] = servers().map(|server| {
        let mut client = server.client();
        let expected = expected();
        let (shown, _) = expected.split_once("delivery ").expect("deliveries");
        // These two settings have another default now.
        let shown = shown.replace("  maxretries -1\n", "  maxretries 25\n");
        let shown = shown.replace("  backoff 0\n", "  backoff 1000\n");
        assert_eq!(portrait(&mut client), shown);
        for queue in strings(&client.ask("MQ.QUEUES")) {
            assert_eq!(entries(&client.ask(&format!("MQ.CHECK {queue}"))), [], "{queue}");
        }
        assert_eq!(client.info("mq")["mq_apply_errors"], "0");
        digests(&mut client)
    });
    let keys: BTreeSet<&String> = from_aof.keys().chain(from_rdb.keys()).collect();
    // Retry counts are stored in another way now; what they are was seen above.
    let is_index = |key: &str| key.ends_with(":retries") || key.ends_with(":retried");
    let others = keys.into_iter().filter(|key| !is_index(key));
    let others = others.filter(|key| from_aof.get(*key) != from_rdb.get(*key));
    // The ops are applied by the rules of now, which mark a delivery of a group; those of then, whose
    // result is in the snapshot, wrote a note instead.
    assert!(
        others.eq(["mq:{groups}:inflight", "mq:{groups}:notes"]),
        "else the same from both files"
    );
}

/// What each key holds.
fn digests(client: &mut Client) -> BTreeMap<String, Vec<String>> {
    let keys = strings(&client.ask("KEYS mq:*"));
    let digest = |key: &String| strings(&client.ask(&format!("DEBUG DIGEST-VALUE {key}")));
    let digests: Vec<_> = keys.iter().map(digest).collect();
    keys.into_iter().zip(digests).collect()
}

#[test]
fn deliveries_go_on() {
    for server in servers() {
        let mut client = server.client();
        let mut newest = String::new();
        for (queue, payload) in [("orders", "held"), ("orders", "extended"), ("groups", "a1")] {
            let pair = delivery(queue, payload);
            newest = newest.max(pair.split(' ').nth(1).expect("a receipt").to_string());
            let ack = format!("MQ.ACK {queue} {pair}");
            assert_eq!(client.number(&ack), 1, "{payload}");
            assert!(client.refused(&ack).starts_with("NOTFOUND "));
        }
        let late = format!("MQ.ACK returned {}", delivery("returned", "ran-out"));
        assert_eq!(client.number(&late), 1, "a late acknowledgment");
        let nacked = format!("MQ.ACK returned {}", delivery("returned", "given-back"));
        let error = client.refused(&nacked);
        assert!(error.starts_with("BADRECEIPT "), "{error}");
        let next = client.pull("orders");
        assert_eq!(next.text(), "priority-9");
        assert!(next.receipt > newest, "receipts go on rising");
        assert_eq!(
            client.pull_texts("orders COUNT 100"),
            ["priority-5", "priority-1", "headers", "plain", "ttl"]
        );
        // The first of `a` is done; `c` is held by its retry, `d` is delayed.
        let mut texts = client.pull_texts("groups COUNT 100");
        texts.sort();
        assert_eq!(texts, ["a2", "b1", "e1"]);
    }
}

#[test]
fn retry_counts_go_on() {
    for server in servers() {
        let mut client = server.client();
        client.ask("MQ.CONFIG returned BACKOFF 0");
        let highest = |client: &mut Client| client.queue_info("returned", "highest_retry_count");
        assert_eq!(highest(&mut client), 1);
        let first = client.pull("returned");
        assert_eq!(first.retry_count, 1);
        client.nack(&first);
        assert_eq!(highest(&mut client), 2);
        let others = client.pull_batch("returned COUNT 3");
        let last = client.pull("returned");
        assert_eq!(last.id, first.id);
        client.acknowledge(&last);
        assert_eq!(highest(&mut client), 1);
        let counted = client.number("EXISTS mq:{returned}:retries mq:{returned}:retried");
        assert_eq!(counted, 1, "all counts are in one key");
        assert_eq!(entries(&client.ask("MQ.CHECK returned")), []);
        for message in &others {
            client.nack(message);
        }
        assert_eq!(highest(&mut client), 2);
        for message in client.pull_batch("returned COUNT 9") {
            client.acknowledge(&message);
        }
        assert_eq!(highest(&mut client), 1, "the delayed one");
        client.ask("MQ.PURGE returned");
        assert_eq!(client.number("EXISTS mq:{returned}:retries mq:{returned}:retried"), 0);
    }
}

#[test]
fn limits_pauses_keys_and_dead_letters_hold() {
    for server in servers() {
        let mut client = server.client();
        for queue in ["paused", "paused-for-good"] {
            client.pull_nothing(queue);
            client.ask(&format!("MQ.RESUME {queue}"));
            assert_eq!(client.pull(queue).text(), "one");
        }
        client.pull_nothing("limited");
        assert!(client.refused("MQ.PUSH limited x").starts_with("QUEUEFULL "));
        let holders = client.peek("dedup COUNT 100");
        for (key, payload) in [("w", "window"), ("u", "until-done"), ("d", "default")] {
            let holder = holders.iter().find(|message| message["payload"] == payload).expect("it");
            assert_eq!(client.text(&format!("MQ.PUSH dedup x DEDUP {key}")), holder["id"]);
        }
        assert_eq!(client.number("MQ.REDRIVE {dying}:dead TO dying"), 2);
        let back = client.pull("dying");
        assert_eq!((back.text(), &*back.more["last_error"]), ("rejected", "why"));
        assert_eq!(client.pull("dying").text(), "too-often");
    }
}

#[test]
#[ignore = "makes the files of the release; to be run once, by hand, with Redis 6.0"]
fn make_the_files() {
    assert!(facts().is_the_oldest(), "files of a newer server could not be loaded by all");
    let model = Server::start();
    let mut stream = model.replication_stream();
    let began = now_ms();
    let deliveries = fill(&model);
    let (commands, ended) = (stream.take(), now_ms());
    model.damaged_on_purpose();

    let server = Server::start_with_append_only_file();
    let mut client = server.client();
    for mut command in commands {
        command.iter_mut().for_each(|argument| move_timestamps(argument, began, ended));
        client.reply(&command).expect("what was replicated");
    }
    assert_eq!(client.info("mq")["mq_apply_errors"], "0");
    client.ask("SAVE");
    fs::create_dir_all(path_of("")).expect("the folder");
    for file in ["appendonly.aof", "dump.rdb"] {
        fs::copy(server.folder().join(file), path_of(file)).expect("a copy");
    }
    let deliveries = deliveries.iter().map(|message| {
        format!("delivery {} {} {}\n", message.queue, message.text(), message.pair())
    });
    let text = portrait(&mut client) + &deliveries.collect::<String>();
    fs::write(path_of("expected.txt"), text).expect("expected.txt written");
}

/// Moves every moment in an op on by 150 years. A moment of our days is stored as `fd` and 8 bytes.
fn move_timestamps(op: &mut [u8], began: i64, ended: i64) {
    const YEARS_150: i64 = 150 * 365 * 24 * 3_600_000;
    let moments = began - 60_000..=ended + 2 * 3_600_000;
    let mut at = 0;
    while at + 9 <= op.len() {
        let number = i64::from_le_bytes(op[at + 1..at + 9].try_into().expect("8 bytes"));
        if op[at] == 0xfd && moments.contains(&number) {
            op[at + 1..at + 9].copy_from_slice(&(number + YEARS_150).to_le_bytes());
            at += 8;
        }
        at += 1;
    }
}

/// Every op with every option; returns the deliveries whose receipts the tests need.
fn fill(server: &Server) -> Vec<Message> {
    let mut client = server.client();
    fill_with_what_ends(&mut client);
    fill_with_deaths(&mut client);
    fill_with_settings(&mut client);
    let mut deliveries = fill_with_what_waits(&mut client);
    deliveries.extend(fill_with_returns(server, &mut client));
    deliveries
}

/// Acknowledged, taken for good, deleted; and what was damaged.
fn fill_with_what_ends(client: &mut Client) {
    client.ask("MQ.MPUSH ends 5 a b c d e HEADERS 1 name value TTL 3600000");
    let first = client.pull("ends");
    let second = items(&client.ask(&format!("MQ.PULL ends ACK 1 {}", first.pair())))[1].clone();
    client.acknowledge(&Message::from(&second));
    client.ask("MQ.MPULL 1 ends NOACK");
    let batch = client.pull_batch("ends COUNT 2");
    let pairs = format!("{} {}", batch[0].pair(), batch[1].pair());
    assert_eq!(client.numbers(&format!("MQ.ACK ends IDS 2 {pairs}")), [1, 1]);
    let id = client.push("ends", "deleted");
    assert_eq!(client.number(&format!("MQ.DEL ends {id}")), 1);
    client.push("ends", "purged");
    assert_eq!(client.number("MQ.PURGE ends"), 1);
    client.push("dropped", "x");
    assert_eq!(client.number("MQ.DROP dropped"), 1);

    client.ask("RPUSH mq:{damaged}:ready no-record");
    assert!(client.refused("MQ.PULL damaged").starts_with("CORRUPT "));
    client.push("repaired", "x");
    client.pull("repaired");
    client.ask("DEL mq:{repaired}:inflight");
    client.ask("MQ.CHECK repaired REPAIR");
    assert_eq!(client.peek_texts("repaired"), ["x"]);
}

/// Dead letters, by both ways; and some that came back.
fn fill_with_deaths(client: &mut Client) {
    client.ask("MQ.PUSH dying rejected PRIORITY 5 HEADERS 2 a 1 b 2");
    let message = client.pull("dying");
    client.nack_with(&message, "DEAD REASON why");
    client.ask("MQ.CONFIG dying MAXRETRIES 0");
    client.push("dying", "too-often");
    let message = client.pull("dying");
    client.nack_with(&message, "");

    client.push("redriven", "to");
    let message = client.pull("redriven");
    client.nack_with(&message, "DEAD");
    assert_eq!(client.number("MQ.REDRIVE {redriven}:dead COUNT 9 TO redriven"), 1);
    let message = client.pull("redriven");
    client.acknowledge(&message);
    client.push("redriven", "home");
    let message = client.pull("redriven");
    client.nack_with(&message, "DEAD");
    // A redrive without TO, which Redis 6.0 doesn't take from clients.
    let mut op = vec![1, 12, 0xfd];
    op.extend(now_ms().to_le_bytes());
    op.extend([100, 0, 0]);
    client.reply(&[b"MQ.APPLY".as_slice(), b"{redriven}:dead", &op]).expect("the op applied");
    assert_eq!(client.peek_texts("redriven"), ["home"]);
}

fn fill_with_settings(client: &mut Client) {
    client.ask(
        "MQ.CONFIG settings VISIBILITY 60000 MAXRETRIES 5 DEADLETTER graveyard BACKOFF 100 \
         BACKOFFMAX 1000 DELAY 10 TTL 3600000 MAXLEN 1000 MAXINFLIGHT 100 RATE 50 RATEPERIOD 2000 \
         AGING 5000 GROUPINFLIGHT 2 DEDUPWINDOW 60000",
    );
    client.ask("MQ.CONFIG settings BACKOFFMAX \"\"");
    client.ask("MQ.CONFIG limited MAXLEN 3 MAXINFLIGHT 1 RATE 1 RATEPERIOD 3600000");
    client.ask("MQ.MPUSH limited 3 one two three");
    client.pull("limited VISIBILITY 3600000");
    client.push("paused", "one");
    client.ask("MQ.PAUSE paused FOR 3600000");
    client.push("paused-for-good", "one");
    client.ask("MQ.PAUSE paused-for-good");
    client.ask("MQ.PAUSE orders");
    client.ask("MQ.RESUME orders");
}

/// Ready and delayed messages of all kinds, and some in flight.
fn fill_with_what_waits(client: &mut Client) -> Vec<Message> {
    client.push("orders", "held");
    client.push("orders", "extended");
    let held = client.pull("orders VISIBILITY 3600000 CONSUMER ann");
    let extended = client.pull("orders VISIBILITY 60000");
    client.number(&format!("MQ.EXTEND {} VISIBILITY 600000", extended.delivery()));
    client.numbers(&format!("MQ.EXTEND orders IDS 1 {} VISIBILITY 3600000", extended.pair()));
    for priority in [1, 5, 9] {
        client.ask(&format!("MQ.PUSH orders priority-{priority} PRIORITY {priority}"));
    }
    client.ask("MQ.PUSH orders headers HEADERS 2 type order empty \"\"");
    client.push("orders", "plain");
    sleep_until_ms(now_ms() + 2);
    client.ask("MQ.PUSH orders ttl TTL 3600000 PRIORITY 0");
    client.ask("MQ.PUSH orders delayed DELAY 3600000 TTL 7200000");
    let hour = now_ms() + 3_600_000;
    client.ask(&format!("MQ.PUSH orders at AT {hour} PRIORITY 7"));
    let id = client.text("MQ.PUSH orders rescheduled DELAY 60000");
    assert_eq!(client.number(&format!("MQ.RESCHEDULE orders {id} AT {hour}")), 1);

    client.ask("MQ.MPUSH groups 2 a1 a2 GROUP a");
    client.ask("MQ.MPUSH groups 2 c1 c2 GROUP c");
    let a1 = client.pull("groups VISIBILITY 3600000");
    let c1 = client.pull("groups");
    client.nack_with(&c1, "DELAY 3600000 REASON later");
    client.ask("MQ.MPUSH groups 2 b1 b2 GROUP b");
    client.ask("MQ.PUSH groups d1 GROUP d DELAY 3600000");
    // More than the record of a group names.
    client.ask("MQ.MPUSH groups 12 e1 e2 e3 e4 e5 e6 e7 e8 e9 e10 e11 e12 GROUP e");

    client.ask("MQ.PUSH dedup window DEDUP w WINDOW 3600000");
    client.ask("MQ.PUSH dedup until-done DEDUP u UNTILDONE");
    client.ask("MQ.PUSH dedup default DEDUP d");
    vec![held, extended, a1]
}

/// Deliveries that ended in each way.
fn fill_with_returns(server: &Server, client: &mut Client) -> Vec<Message> {
    client.ask("MQ.MPUSH returned 5 given-back not-counted disconnected for-later ran-out");
    let [nacked, not_counted] = [(); 2].map(|()| client.pull("returned VISIBILITY 3600000"));
    let mut consumer = server.client();
    consumer.pull("returned VISIBILITY 3600000 ONDISCONNECT");
    let for_later = client.pull("returned VISIBILITY 3600000");
    let ran_out = client.pull("returned VISIBILITY 20");
    eventually("it ran out", || client.number("MQ.LEN returned READY") == 1);
    client.nack_with(&nacked, "REASON why");
    let pair = not_counted.pair();
    assert_eq!(client.numbers(&format!("MQ.NACK returned IDS 1 {pair} NOCOUNT")), [1]);
    client.nack_with(&for_later, "DELAY 3600000");
    drop(consumer);
    eventually("all are back", || client.number("MQ.LEN returned READY") == 4);
    assert_eq!(client.lengths("returned"), [4, 0, 1]);
    vec![nacked, ran_out]
}
