//! The same kinds of mistakes with every option of every command.

use crate::harness::*;

/// The right form of each command, and its options with a right value.
const RIGHT: &[(&str, &[(&str, &str)])] = &[
    (
        "MQ.PUSH q x",
        &[
            ("DELAY", "5"),
            ("AT", "0"),
            ("TTL", "5"),
            ("PRIORITY", "5"),
            ("GROUP", "g"),
            ("DEDUP", "k"),
            ("WINDOW", "5"),
            ("UNTILDONE", ""),
            ("HEADERS", "1 a b"),
        ],
    ),
    (
        "MQ.MPUSH q 1 x",
        &[
            ("DELAY", "5"),
            ("AT", "0"),
            ("TTL", "5"),
            ("PRIORITY", "5"),
            ("GROUP", "g"),
            ("HEADERS", "1 a b"),
        ],
    ),
    (
        "MQ.PULL q",
        &[
            ("COUNT", "5"),
            ("VISIBILITY", "5"),
            ("BLOCK", "5"),
            ("CONSUMER", "me"),
            ("ONDISCONNECT", ""),
            ("NOACK", ""),
            ("ACK", "1 a b"),
        ],
    ),
    (
        "MQ.MPULL 1 q",
        &[
            ("COUNT", "5"),
            ("VISIBILITY", "5"),
            ("BLOCK", "5"),
            ("CONSUMER", "me"),
            ("ONDISCONNECT", ""),
            ("NOACK", ""),
        ],
    ),
    ("MQ.ACK q", &[("IDS", "1 a b")]),
    ("MQ.NACK q", &[("IDS", "1 a b")]),
    ("MQ.NACK q a b", &[("DELAY", "5"), ("NOCOUNT", ""), ("DEAD", ""), ("REASON", "why")]),
    ("MQ.NACK q a b NOCOUNT", &[("FRONT", "")]),
    ("MQ.PUSH q x TTL 5", &[("DEAD", "")]),
    ("MQ.PULL q ONDISCONNECT", &[("NOCOUNT", ""), ("GRACE", "5")]),
    ("MQ.EXTEND q", &[("IDS", "1 a b")]),
    ("MQ.EXTEND q a b", &[("VISIBILITY", "5")]),
    ("MQ.EXTEND q CONSUMER a", &[("VISIBILITY", "5")]),
    (
        "MQ.PEEK q",
        &[
            ("READY", ""),
            ("INFLIGHT", ""),
            ("DELAYED", ""),
            ("DEAD", ""),
            ("OFFSET", "5"),
            ("COUNT", "5"),
        ],
    ),
    ("MQ.GET q a", &[]),
    ("MQ.DEL q a", &[]),
    ("MQ.RESCHEDULE q a", &[("DELAY", "5"), ("AT", "0")]),
    ("MQ.SCHEDULE q n x", &[("EVERY", "500"), ("CRON", "@daily")]),
    ("MQ.SCHEDULE q n x CRON @daily", &[("TZ", "UTC")]),
    (
        "MQ.SCHEDULE q n x EVERY 500",
        &[
            ("START", "0"),
            ("END", "0"),
            ("LIMIT", "5"),
            ("JITTER", "5"),
            ("CATCHUP", "ONE"),
            ("OVERLAP", "SKIP"),
            ("PAUSED", "1"),
            ("TTL", "5"),
            ("PRIORITY", "5"),
            ("GROUP", "g"),
            ("HEADERS", "1 a b"),
        ],
    ),
    ("MQ.SCHEDULE q n x EVERY 500 TTL 5", &[("DEAD", "")]),
    ("MQ.UNSCHEDULE q n", &[]),
    ("MQ.SCHEDULES q", &[("MATCH", "*"), ("OFFSET", "5"), ("COUNT", "5")]),
    ("MQ.NEXT q n", &[("COUNT", "5"), ("FROM", "0")]),
    ("MQ.TRIGGER q n", &[]),
    (
        "MQ.REDRIVE q",
        &[
            ("COUNT", "5"),
            ("ALL", ""),
            ("IDS", "1 a"),
            ("FROM", "r"),
            ("REASON", "why"),
            ("TO", "r"),
        ],
    ),
    ("MQ.PURGE q", &[("READY", ""), ("DELAYED", "")]),
    ("MQ.DROP q", &[]),
    ("MQ.PAUSE q", &[("FOR", "5")]),
    ("MQ.RESUME q", &[]),
    (
        "MQ.CONFIG q",
        &[
            ("VISIBILITY", "5"),
            ("MAXRETRIES", "5"),
            ("DEADLETTER", "r"),
            ("DEFAULTDEADLETTER", ""),
            ("BACKOFF", "5"),
            ("BACKOFFMAX", "5"),
            ("DELAY", "5"),
            ("TTL", "5"),
            ("MAXLEN", "5"),
            ("MAXINFLIGHT", "5"),
            ("RATE", "5"),
            ("RATEPERIOD", "5"),
            ("AGING", "5"),
            ("GROUPINFLIGHT", "5"),
            ("DEDUPWINDOW", "5"),
            ("MAXDEDUP", "5"),
            ("EXPIRES", "5"),
        ],
    ),
    ("MQ.INFO q", &[]),
    ("MQ.LEN q", &[("READY", ""), ("INFLIGHT", ""), ("DELAYED", ""), ("DEAD", "")]),
    ("MQ.CHECK q", &[("REPAIR", "")]),
    ("MQ.QUEUES", &[("MATCH", "*"), ("CURSOR", "0"), ("COUNT", "5")]),
    ("MQ.STATS", &[("MATCH", "*"), ("CURSOR", "0"), ("COUNT", "5")]),
    ("MQ.APPLY q op", &[]),
    ("MQ.HELP", &[]),
];

/// Those of a command's options that can't be given together.
const EXCLUSIVE: &[(&str, &[(&str, &str)])] = &[
    ("MQ.PUSH q x", &[("DELAY 5", "AT 0"), ("PRIORITY 5", "GROUP g")]),
    ("MQ.PUSH q x DEDUP k", &[("WINDOW 5", "UNTILDONE")]),
    ("MQ.MPUSH q 1 x", &[("DELAY 5", "AT 0"), ("PRIORITY 5", "GROUP g")]),
    (
        "MQ.PULL q",
        &[("NOACK", "VISIBILITY 5"), ("NOACK", "CONSUMER me"), ("NOACK", "ONDISCONNECT")],
    ),
    (
        "MQ.MPULL 1 q",
        &[("NOACK", "VISIBILITY 5"), ("NOACK", "CONSUMER me"), ("NOACK", "ONDISCONNECT")],
    ),
    (
        "MQ.NACK q a b",
        &[("NOCOUNT", "DEAD"), ("NOCOUNT FRONT", "DEAD"), ("NOCOUNT FRONT", "DELAY 5")],
    ),
    ("MQ.PEEK q", &[("READY", "INFLIGHT"), ("INFLIGHT", "DELAYED"), ("DELAYED", "DEAD")]),
    ("MQ.LEN q", &[("READY", "INFLIGHT"), ("INFLIGHT", "DELAYED"), ("DELAYED", "DEAD")]),
    ("MQ.PURGE q", &[("READY", "DELAYED")]),
    ("MQ.REDRIVE q", &[("COUNT 5", "ALL"), ("ALL", "IDS 1 a"), ("COUNT 5", "IDS 1 a")]),
    ("MQ.SCHEDULE q n x", &[("EVERY 500", "CRON @daily"), ("EVERY 500", "TZ UTC")]),
    ("MQ.SCHEDULE q n x EVERY 500", &[("PRIORITY 5", "GROUP g")]),
    ("MQ.CONFIG q", &[("DEADLETTER r", "DEFAULTDEADLETTER")]),
];

/// Refused, and not with a word that could be said of any line.
#[track_caller]
fn told(client: &mut Client, line: &str, expected: &[&str]) {
    let error = client.refused(line);
    assert!(!error.contains("syntax error"), "{line}: {error}");
    let is_arity = error.to_lowercase().starts_with("err wrong number of arguments for 'mq.");
    assert!(is_arity || expected.iter().any(|one| error.contains(one)), "{line}: {error}");
}

#[test]
fn every_option_is_named_in_every_mistake_with_it() {
    let server = Server::start();
    let mut client = server.client();
    for (right, options) in RIGHT {
        let command = right.split(' ').next().expect("a command");
        // DEL takes any number of ids, HELP, QUEUES and STATS need none.
        if !["MQ.QUEUES", "MQ.STATS", "MQ.HELP"].contains(&command) {
            told(&mut client, command, &[]);
        }
        if command != "MQ.DEL"
            && *right != "MQ.ACK q"
            && *right != "MQ.NACK q"
            && *right != "MQ.EXTEND q"
        {
            told(&mut client, &format!("{right} zz zz"), &["'zz'"]);
        }
        for (option, value) in *options {
            let near = format!("did you mean {option}?");
            let (_, shorter) = option.split_at(1);
            for misspelt in [format!("{option}X"), format!("X{shorter}"), format!("X{option}")] {
                let line = format!("{right} {misspelt} {value}");
                // Where an id is expected, it may be taken for one.
                let near = [near.as_str(), "NOTFOUND 'X"];
                // One letter more, and it is another option.
                if !["BACKOFFMAX", "RATEPERIOD"].contains(&misspelt.as_str()) {
                    told(&mut client, &line, &near);
                }
            }
            let needs = format!("{option} needs ");
            let twice = format!("{option} is given twice");
            let only = format!("{option} can be given only with ");
            let right_line = format!("{right} {option} {value}");
            // After IDS come the options: a second one is none of them.
            let expected = if *option == "IDS" {
                vec!["is given twice", "'IDS'"]
            } else {
                vec![twice.as_str()]
            };
            told(&mut client, &format!("{right_line} {option} {value}"), &expected);
            if value.is_empty() {
                continue;
            }
            told(&mut client, &format!("{right} {option}"), &[&needs, &only]);
            if value.starts_with(|c: char| c.is_ascii_digit()) {
                let range = format!("{option} must be an integer from ");
                for wrong in ["-2", "9223372036854775808", "x", "1.5"] {
                    let line =
                        format!("{right} {option} {}", value.replacen(['0', '1', '5'], wrong, 1));
                    told(&mut client, &line, &[&range]);
                }
            }
        }
    }
    for (right, pairs) in EXCLUSIVE {
        for (one, other) in *pairs {
            for line in [format!("{right} {one} {other}"), format!("{right} {other} {one}")] {
                told(&mut client, &line, &[" are mutually exclusive"]);
            }
        }
    }
    assert_eq!(client.number("DBSIZE"), 0);
    for command in client.module_commands() {
        let command = command.to_uppercase();
        assert!(
            RIGHT.iter().any(|(right, _)| right.split(' ').next() == Some(&command)),
            "{command}"
        );
    }
}
