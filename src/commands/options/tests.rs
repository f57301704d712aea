//! Tables of lines: what is read of them, or why they are refused.

use super::*;
use crate::commands::arguments::{
    AT, CONSUMER, COUNT, DELAY, GROUP, HEADERS, NOT_WITH_NOACK, PRIORITY, QUEUE, RANK, TTL,
    VISIBILITY, WHEN, name,
};
use crate::commands::claims::CLAIMS;
use crate::commands::quoted::Quoted;
use crate::server::keys_of_command::{FIRST_OPTION, positions};
use crate::server::spec::Spec;

const DEDUP: Name = name("DEDUP", "key");
const WINDOW: Number = Number { token: "WINDOW", name: "ms", min: 1, max: 1_000 };
const ACK: Number = Number { token: "ACK", name: "n", min: 1, max: 10_000 };
const MAX_RETRIES: Number = Number { token: "MAXRETRIES", name: "n", min: -1, max: 100 };
const REASON: Name = Name { token: "REASON", name: "text", min: 0, max: usize::MAX };

/// As MQ.PUSH.
const PUSH: &[Arg] = &[
    QUEUE,
    Arg::Text("payload"),
    Arg::OneOf("when", WHEN),
    Arg::Number(TTL),
    Arg::OneOf("rank", RANK),
    Arg::Nested(
        &Arg::Name(DEDUP),
        &[Arg::OneOf("until", &[Arg::Number(WINDOW), Arg::Flag("UNTILDONE")])],
    ),
    Arg::Pairs(HEADERS, ["name", "value"]),
];

/// As MQ.PULL.
const PULL: &[Arg] = &[
    QUEUE,
    Arg::Number(COUNT),
    Arg::Number(VISIBILITY),
    Arg::Name(CONSUMER),
    Arg::Flag("ONDISCONNECT"),
    Arg::FlagWithout("NOACK", NOT_WITH_NOACK),
    Arg::Pairs(ACK, ["id", "receipt"]),
];

/// As MQ.NACK.
const NACK: &[Arg] = &[
    QUEUE,
    CLAIMS,
    Arg::Number(DELAY),
    Arg::OneOf("how", &[Arg::Flag("NOCOUNT"), Arg::Flag("DEAD")]),
    Arg::Name(REASON),
];

/// As MQ.RESCHEDULE.
const RESCHEDULE: &[Arg] = &[QUEUE, Arg::Text("id"), Arg::Required("when", WHEN)];

/// As MQ.CONFIG.
const CONFIG: &[Arg] = &[
    QUEUE,
    Arg::Setting(MAX_RETRIES),
    Arg::OtherKey("DEADLETTER", "queue"),
    Arg::Pattern("MATCH"),
];

/// Names another queue, and has values of any form.
const REDRIVE: &[Arg] = &[
    QUEUE,
    Arg::OneOf("target", &[Arg::OtherKey("TO", "queue"), Arg::Flag("ALL")]),
    Arg::Name(REASON),
    Arg::Pairs(ACK, ["id", "receipt"]),
];

static REDRIVE_TABLE: Table = Table::of(REDRIVE);

/// Checks the facts of a command: no token twice, no word about a token that isn't there.
pub fn check_facts(facts: &'static [Arg]) {
    let table = Table::of(facts);
    let mut tokens: Vec<&str> = table.places().map(|place| place.token).collect();
    for place in table.places() {
        if let Arg::FlagWithout(token, others) = place.option {
            assert!(others.iter().all(|other| tokens.contains(other)), "{token}: {others:?}");
        }
    }
    if let Some(token) = table.other_key {
        let others = table.places().filter(|place| matches!(place.option, Arg::OtherKey(..)));
        assert_eq!(others.count(), 1, "a command names one other queue at most");
        let positional = facts.iter().filter(|fact| !is_option(fact)).count();
        assert_eq!(positional + 1, FIRST_OPTION, "where servers begin to look for {token}");
    }
    tokens.sort_unstable();
    assert!(tokens.windows(2).all(|pair| pair[0] != pair[1]), "{tokens:?}");
}

fn is_option(fact: &Arg) -> bool {
    match fact {
        Arg::OneOf(..) | Arg::Required(..) | Arg::Nested(..) => true,
        single => single.token().is_some(),
    }
}

type Read = Result<Options<'static, &'static str>, CommandError>;

/// The options of a line; `''` is an empty argument.
fn read(facts: &'static [Arg], line: &'static str) -> Read {
    let arguments: Vec<&str> =
        line.split_whitespace().map(|word| if word == "''" { "" } else { word }).collect();
    Options::read_as(facts, arguments.leak())
}

#[track_caller]
fn good(facts: &'static [Arg], line: &'static str) -> Options<'static, &'static str> {
    read(facts, line).unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// Each line is refused for this.
#[track_caller]
fn faulty(facts: &'static [Arg], lines: &[(&'static str, Fault)]) {
    for (line, fault) in lines {
        refused(facts, &[line], &CommandError::Options(*fault));
    }
}

/// Each line is refused for words that are no options, so many arguments before the end.
#[track_caller]
fn unknown(facts: &'static [Arg], lines: &[(&'static str, usize, Option<&'static str>)]) {
    for (line, left, after) in lines {
        faulty(facts, &[(line, Fault::Unknown { left: *left, after: *after })]);
    }
}

#[track_caller]
fn refused(facts: &'static [Arg], lines: &[&'static str], expected: &CommandError) {
    for line in lines {
        match read(facts, line) {
            Ok(options) => panic!("{line} is taken: {options:?}"),
            Err(error) => assert_eq!(error, *expected, "{line}"),
        }
    }
}

fn bytes(text: &str) -> Option<&[u8]> {
    Some(text.as_bytes())
}

#[test]
fn nothing_is_given_in_no_arguments() {
    for facts in [PUSH, PULL, NACK, CONFIG] {
        let options = good(facts, "");
        for number in [DELAY, TTL, WINDOW, COUNT, VISIBILITY] {
            assert_eq!(options.number(&number), None);
        }
        assert_eq!(options.text(&CONSUMER), None);
        assert_eq!(options.value("MATCH"), None);
        assert!(options.pairs(&ACK).is_none());
        assert!(!options.has("NOACK"));
        assert_eq!(options.values().count(), 0);
    }
}

#[test]
fn options_come_in_any_order_and_any_case() {
    for line in [
        "DELAY 5 TTL 7 GROUP eu DEDUP k WINDOW 9 HEADERS 1 a b",
        "headers 1 a b window 9 dedup k group eu ttl 7 delay 5",
        "Window 9 Ttl 7 Headers 1 a b Delay 5 Group eu Dedup k",
    ] {
        let options = good(PUSH, line);
        assert_eq!(options.number(&DELAY), Some(5), "{line}");
        assert_eq!(options.number(&TTL), Some(7), "{line}");
        assert_eq!(options.number(&WINDOW), Some(9), "{line}");
        assert_eq!(options.text(&GROUP), bytes("eu"), "{line}");
        assert_eq!(options.text(&DEDUP), bytes("k"), "{line}");
        assert_eq!(options.pairs(&HEADERS), Some(&["a", "b"][..]), "{line}");
        assert_eq!(options.number(&PRIORITY), None, "{line}");
        assert!(options.has("DELAY") && !options.has("AT") && !options.has("UNTILDONE"), "{line}");
    }
}

#[test]
fn a_value_may_look_like_an_option() {
    let options = good(PULL, "CONSUMER NOACK COUNT 3 ACK 2 ACK COUNT CONSUMER VISIBILITY");
    assert_eq!(options.text(&CONSUMER), bytes("NOACK"));
    assert_eq!(options.number(&COUNT), Some(3));
    assert_eq!(options.pairs(&ACK), Some(&["ACK", "COUNT", "CONSUMER", "VISIBILITY"][..]));
    assert!(!options.has("NOACK") && !options.has("VISIBILITY"));
    assert_eq!(good(CONFIG, "MATCH MATCH").value("MATCH"), bytes("MATCH"));
}

#[test]
fn zero_is_a_number_that_was_given() {
    assert_eq!(good(PUSH, "DELAY 0 TTL 0 PRIORITY 0").number(&DELAY), Some(0));
    assert!(good(PUSH, "DELAY 0").has("DELAY"));
}

#[test]
fn what_is_no_option_is_refused() {
    for facts in [PUSH, PULL, NACK, CONFIG] {
        let lines =
            [("NONSENSE", 1, None), ("NONSENSE 1", 2, None), ("''", 1, None), ("1", 1, None)];
        unknown(facts, &lines);
    }
    unknown(
        PUSH,
        &[
            ("DELAY 5 x", 1, Some("DELAY")),
            ("x DELAY 5", 3, None),
            ("delay 5 6 TTL 7", 3, Some("DELAY")),
            ("DELAYED 5", 2, None),
            ("GROUP g HEADERS 1 a b c", 1, Some("HEADERS")),
            ("when 5", 2, None),
        ],
    );
    unknown(PULL, &[("NOACK 1", 1, Some("NOACK")), ("ACK 1 a b c", 1, Some("ACK"))]);
}

#[test]
fn an_option_is_given_once() {
    faulty(
        PUSH,
        &[
            ("DELAY 1 DELAY 1", Fault::Twice("DELAY")),
            ("DELAY 1 TTL 1 delay 2", Fault::Twice("DELAY")),
            ("GROUP a GROUP a", Fault::Twice("GROUP")),
            ("DEDUP a WINDOW 1 WINDOW 1", Fault::Twice("WINDOW")),
            ("DEDUP a UNTILDONE UNTILDONE", Fault::Twice("UNTILDONE")),
            ("HEADERS 1 a b HEADERS 1 c d", Fault::Twice("HEADERS")),
        ],
    );
    let twice = Fault::Twice;
    faulty(PULL, &[("NOACK NOACK", twice("NOACK")), ("ACK 1 a b ACK 1 a b", twice("ACK"))]);
    faulty(
        CONFIG,
        &[("MAXRETRIES 1 MAXRETRIES 1", twice("MAXRETRIES")), ("MATCH a MATCH b", twice("MATCH"))],
    );
}

#[test]
fn an_option_has_its_whole_value() {
    let no_value = Fault::NoValue;
    let fewer = |left| Fault::Fewer { token: "HEADERS", left };
    faulty(
        PUSH,
        &[
            ("DELAY", no_value("DELAY")),
            ("TTL 1 delay", no_value("DELAY")),
            ("GROUP", no_value("GROUP")),
            ("DEDUP k WINDOW", no_value("WINDOW")),
            ("HEADERS", no_value("HEADERS")),
            ("HEADERS 1", fewer(0)),
            ("HEADERS 1 a", fewer(1)),
            ("HEADERS 2 a b", fewer(2)),
            ("HEADERS 2 a b c", fewer(3)),
        ],
    );
    let fewer = |left| Fault::Fewer { token: "ACK", left };
    faulty(
        PULL,
        &[
            ("ACK", no_value("ACK")),
            ("ACK 1 a", fewer(1)),
            ("ACK 10000 a b", fewer(2)),
            ("CONSUMER", no_value("CONSUMER")),
        ],
    );
    for token in ["MAXRETRIES", "DEADLETTER", "MATCH"] {
        faulty(CONFIG, &[(token, no_value(token))]);
    }
}

#[test]
fn of_alternatives_one_is_given() {
    for line in ["DELAY 1", "AT 1", "PRIORITY 1", "GROUP a", "DELAY 1 GROUP a", "GROUP a AT 1"] {
        good(PUSH, line);
    }
    let exclude = Fault::Exclude;
    faulty(
        PUSH,
        &[
            ("DELAY 1 AT 1", exclude("DELAY", "AT")),
            ("AT 1 TTL 1 DELAY 1", exclude("AT", "DELAY")),
            ("PRIORITY 1 GROUP a", exclude("PRIORITY", "GROUP")),
            ("GROUP a DELAY 1 PRIORITY 1", exclude("GROUP", "PRIORITY")),
        ],
    );
    assert!(good(NACK, "dead").has("DEAD") && good(NACK, "NOCOUNT DELAY 1").has("NOCOUNT"));
    faulty(
        NACK,
        &[
            ("DEAD NOCOUNT", exclude("DEAD", "NOCOUNT")),
            ("NOCOUNT DELAY 1 DEAD", exclude("NOCOUNT", "DEAD")),
        ],
    );
}

#[test]
fn of_required_alternatives_one_must_be_given() {
    assert_eq!(good(RESCHEDULE, "at 7").number(&AT), Some(7));
    assert_eq!(good(RESCHEDULE, "DELAY 7").number(&DELAY), Some(7));
    faulty(
        RESCHEDULE,
        &[
            ("", Fault::Required),
            ("DELAY", Fault::NoValue("DELAY")),
            ("DELAY 1 AT 1", Fault::Exclude("DELAY", "AT")),
        ],
    );
    unknown(RESCHEDULE, &[("x 1", 2, None), ("DELAY 1 x", 1, Some("DELAY"))]);
}

#[test]
fn some_options_come_only_with_another() {
    for line in ["DEDUP k", "DEDUP k WINDOW 5", "WINDOW 5 DEDUP k", "UNTILDONE DELAY 1 DEDUP k"] {
        assert_eq!(good(PUSH, line).text(&DEDUP), bytes("k"), "{line}");
    }
    faulty(
        PUSH,
        &[
            ("WINDOW 5", Fault::OnlyWith("WINDOW", "DEDUP")),
            ("DELAY 1 UNTILDONE", Fault::OnlyWith("UNTILDONE", "DEDUP")),
            ("DEDUP k WINDOW 5 UNTILDONE", Fault::Exclude("WINDOW", "UNTILDONE")),
            ("UNTILDONE DEDUP k WINDOW 5", Fault::Exclude("UNTILDONE", "WINDOW")),
        ],
    );
}

#[test]
fn some_flags_exclude_other_options() {
    for line in ["NOACK", "COUNT 5 NOACK", "noack ack 1 a b", "ONDISCONNECT CONSUMER a"] {
        good(PULL, line);
    }
    for (line, other) in [
        ("NOACK VISIBILITY 1", "VISIBILITY"),
        ("VISIBILITY 1 COUNT 1 NOACK", "VISIBILITY"),
        ("NOACK ONDISCONNECT", "ONDISCONNECT"),
        ("ondisconnect noack", "ONDISCONNECT"),
        ("CONSUMER a NOACK", "CONSUMER"),
    ] {
        faulty(PULL, &[(line, Fault::Exclude("NOACK", other))]);
    }
}

#[test]
fn numbers_stay_in_their_range() {
    for (facts, number, below, above) in [
        (PUSH, DELAY, "DELAY -1", "DELAY 31536000001"),
        (PUSH, AT, "AT -1", "AT 8796093022208"),
        (PUSH, TTL, "TTL -1", "TTL 31536000001"),
        (PUSH, PRIORITY, "PRIORITY -1", "PRIORITY 10"),
        (PUSH, HEADERS, "HEADERS 0", "HEADERS 65 a b"),
        (PULL, COUNT, "COUNT 0", "COUNT 10001"),
        (PULL, VISIBILITY, "VISIBILITY 0", "VISIBILITY 31536000001"),
        (PULL, ACK, "ACK 0", "ACK 10001 a b"),
        (CONFIG, MAX_RETRIES, "MAXRETRIES -2", "MAXRETRIES 101"),
    ] {
        refused(facts, &[below, above], &CommandError::Number(number));
    }
    assert_eq!(good(PUSH, "AT 8796093022207").number(&AT), Some((1 << 43) - 1));
    assert_eq!(good(PUSH, "PRIORITY 9").number(&PRIORITY), Some(9));
    let none = ["DELAY x", "DELAY ''", "DELAY 1.5", "DELAY +1", "DELAY 01", "DELAY TTL 5"];
    refused(PUSH, &none, &CommandError::Number(DELAY));
    refused(PULL, &["ACK x a b", "ACK '' a b"], &CommandError::Number(ACK));
}

#[test]
fn names_have_their_length() {
    let longest: &'static str = "x".repeat(256).leak();
    let long: &'static str = "x".repeat(257).leak();
    for (facts, name) in [(PUSH, GROUP), (PUSH, DEDUP), (PULL, CONSUMER)] {
        let good = Options::read_as(facts, vec![name.token, longest].leak());
        assert_eq!(good.expect("the longest").text(&name), bytes(longest));
        for text in ["", long] {
            let refused = Options::read_as(facts, vec![name.token, text].leak());
            assert_eq!(refused.expect_err("a wrong length"), CommandError::Length(name));
        }
    }
    assert_eq!(good(NACK, "REASON ''").text(&REASON), bytes(""));
}

#[test]
fn values_are_in_the_order_of_the_facts() {
    let expected: [(&str, &[u8]); 2] = [("MAXRETRIES", b"-1"), ("DEADLETTER", b"")];
    for line in ["MAXRETRIES -1 DEADLETTER ''", "deadletter '' maxretries -1"] {
        assert_eq!(good(CONFIG, line).values().collect::<Vec<_>>(), expected, "{line}");
    }
    assert_eq!(good(CONFIG, "MAXRETRIES ''").value("MAXRETRIES"), bytes(""));
}

/// Every line of up to five of these words, as the arguments of a command with another queue: what is
/// taken shows the server exactly the queue that the command then uses.
#[test]
fn the_server_sees_the_other_queue_of_every_line_that_is_taken() {
    const WORDS: [&str; 10] = ["TO", "to", "to\0x", "", "b", "REASON", "ALL", "ACK", "1", "TO "];
    let spec = Spec { arguments: REDRIVE, ..crate::commands::mpull::Mpull::SPEC };
    let (mut taken, mut with_queue) = (0, 0);
    for length in 0..=5u32 {
        for number in 0..WORDS.len().pow(length) {
            let digit = |place: u32| number / WORDS.len().pow(place) % WORDS.len();
            let options: Vec<&str> = (0..length).map(|place| WORDS[digit(place)]).collect();
            let Ok(read) = Options::read_by(&REDRIVE_TABLE, &options) else { continue };
            let line = [&["MQ.TEST", "a"], &options[..]].concat();
            let mut keys = Vec::new();
            positions(&spec, &line, |position| keys.push(line[position].as_bytes()));
            let queues = [Some(&b"a"[..]), read.value("TO")];
            assert_eq!(keys, queues.into_iter().flatten().collect::<Vec<_>>(), "{line:?}");
            taken += 1;
            with_queue += usize::from(keys.len() == 2);
        }
    }
    assert!(with_queue > 100 && taken > with_queue + 100, "{taken}, {with_queue} with TO");
}

#[test]
fn a_value_that_hides_the_other_queue_is_refused() {
    for line in
        ["REASON TO", "REASON to TO b", "REASON to\0x TO b", "ACK 1 x to TO b", "ALL REASON TO"]
    {
        faulty(REDRIVE, &[(line, Fault::Hidden("TO"))]);
    }
    for line in ["TO b REASON to", "TO to", "REASON 'TO' TO b", "to TO ACK 1 to to"] {
        assert!(good(REDRIVE, line).has("TO"), "{line}");
    }
}

#[test]
fn arguments_have_a_limit() {
    let limit = Number { token: "ids", name: "id", min: 1, max: 2 };
    assert_eq!(at_most(&limit, &["a", "b"]), Ok(&["a", "b"][..]));
    assert_eq!(at_most(&limit, &["a", "b", "c"]), Err(CommandError::TooMany(limit)));
}

#[test]
fn errors_are_one_sentence() {
    for (error, expected) in [
        (
            CommandError::Number(DELAY),
            "ERR DELAY must be an integer from 0 to 31536000000 milliseconds",
        ),
        (
            CommandError::Number(AT),
            "ERR AT must be an integer from 0 to 8796093022207 milliseconds of unix time",
        ),
        (
            CommandError::InSeconds("AT", 1_800_000_000),
            "ERR AT 1800000000 is a time in seconds, in milliseconds it is AT 1800000000000",
        ),
        (CommandError::Number(PRIORITY), "ERR PRIORITY must be an integer from 0 to 9"),
        (CommandError::Length(GROUP), "ERR GROUP must be 1 to 256 bytes"),
        (CommandError::HeaderName, "ERR a header's name must be 1 to 256 bytes"),
        (CommandError::HeaderTwice(Quoted::of(b"a\n")), r"ERR two headers have the name 'a\n'"),
        (CommandError::HeadersTooLong, "ERR the headers are longer than 65536 bytes"),
    ] {
        assert_eq!(error.to_string(), expected);
    }
}
