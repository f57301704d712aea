//! Tables of command lines and the errors that they get.

use super::*;
use crate::commands::claims;
use crate::commands::help::all;
use crate::commands::options::{Options, counted, name_instead};

/// Reads a line as its command does; the reply if it is refused.
fn refused(line: &[&'static [u8]]) -> Option<String> {
    let spec = all().find(|known| known.spec.name.as_bytes() == line[0])?.spec;
    read(spec, line).err().map(|error| explain(spec, line, &error))
}

fn read(spec: &'static Spec, line: &[&'static [u8]]) -> Result<(), CommandError> {
    if !spec.fits_arity(line.len()) {
        return Err(CommandError::Arity);
    }
    let mut rest = &line[1..];
    for argument in spec.arguments {
        if let Arg::Or(_, name) = argument
            && let (Some(_), more) = name_instead(name, rest)?
        {
            rest = more;
            continue;
        }
        rest = match argument.placed() {
            Arg::Key(_) | Arg::Text(_) => &rest[1..],
            Arg::Texts(_) => &[],
            Arg::Optional(_) => rest.get(1..).unwrap_or_default(),
            Arg::Keys(number, _) | Arg::Counted(number, _) => counted(number, rest)?.1,
            Arg::PairOrPairs(..) => claims::read(rest)?.1,
            _ => rest,
        };
    }
    Options::read_as(spec.arguments, rest).map(|_| ())
}

fn words(line: &'static str) -> Vec<&'static [u8]> {
    line.split(' ').map(str::as_bytes).collect()
}

/// Each line is refused with this reply.
#[track_caller]
fn table(cases: &[(&'static str, &str)]) {
    for (line, expected) in cases {
        assert_eq!(refused(&words(line)).as_deref(), Some(*expected), "{line}");
    }
}

#[test]
fn a_word_that_is_no_option_is_named_with_the_one_that_was_meant() {
    table(&[
        ("MQ.PUSH q x DELAYS 5", "ERR unknown option 'DELAYS' for MQ.PUSH, did you mean DELAY?"),
        ("MQ.PUSH q x dealy 5", "ERR unknown option 'dealy' for MQ.PUSH, did you mean DELAY?"),
        ("MQ.PULL q VIS 5", "ERR unknown option 'VIS' for MQ.PULL, did you mean VISIBILITY?"),
        ("MQ.PULL q BLOCKING 5", "ERR unknown option 'BLOCKING' for MQ.PULL, did you mean BLOCK?"),
        ("MQ.ACK q ID 1 a b", "ERR unknown option 'ID' for MQ.ACK, did you mean IDS?"),
        ("MQ.NACK q idss 1 a b", "ERR unknown option 'idss' for MQ.NACK, did you mean IDS?"),
    ]);
}

#[test]
fn where_nothing_is_near_all_options_are_named() {
    table(&[
        (
            "MQ.MPULL 1 q COUNT 1 z",
            "ERR unknown option 'z' for MQ.MPULL, its options are COUNT, VISIBILITY, BLOCK, \
             CONSUMER, ONDISCONNECT, NOCOUNT, GRACE, NOACK",
        ),
        (
            "MQ.ACK q a b c",
            "ERR unknown option 'c' for MQ.ACK, it has none: MQ.ACK queue (id receipt | IDS n id \
             receipt [id receipt ...])",
        ),
        (
            "MQ.LEN q 7",
            "ERR unknown option '7' for MQ.LEN, its options are READY, INFLIGHT, DELAYED, DEAD",
        ),
    ]);
}

#[test]
fn a_number_may_lack_its_token() {
    table(&[
        ("MQ.PULL q 10", "ERR '10' is not an option of MQ.PULL, did you mean COUNT 10?"),
        ("MQ.PEEK q 10", "ERR '10' is not an option of MQ.PEEK, did you mean COUNT 10?"),
        ("MQ.PEEK q 0", "ERR '0' is not an option of MQ.PEEK, did you mean OFFSET 0?"),
        ("MQ.PUSH q x 5", "ERR '5' is not an option of MQ.PUSH, did you mean DELAY 5?"),
        ("MQ.EXTEND q a b 5", "ERR '5' is not an option of MQ.EXTEND, did you mean VISIBILITY 5?"),
        ("MQ.PAUSE q 5", "ERR '5' is not an option of MQ.PAUSE, did you mean FOR 5?"),
    ]);
}

#[test]
fn a_value_with_blanks_may_lack_its_quotes() {
    let told = |word, command, option| {
        format!("ERR '{word}' is not an option of {command}: put the value of {option} in quotes")
    };
    table(&[
        ("MQ.SCHEDULE q n x CRON 0 6 * * 1", &told("6", "MQ.SCHEDULE", "CRON")),
        ("MQ.NACK q a b REASON out of stock", &told("of", "MQ.NACK", "REASON")),
        ("MQ.PULL q CONSUMER w 10", "ERR '10' is not an option of MQ.PULL, did you mean COUNT 10?"),
    ]);
}

#[test]
fn an_option_may_stand_where_another_argument_has_its_place() {
    table(&[
        (
            "MQ.EXTEND q a VISIBILITY 5",
            "ERR VISIBILITY is in the place of receipt: MQ.EXTEND queue (id receipt | IDS n id \
             receipt [id receipt ...] | CONSUMER name) [VISIBILITY milliseconds]",
        ),
        (
            "MQ.MPULL 2 q COUNT 5",
            "ERR COUNT is in the place of queue: MQ.MPULL numkeys queue [queue ...] [COUNT n] \
             [VISIBILITY milliseconds] [BLOCK milliseconds] [CONSUMER name] [ONDISCONNECT [NOCOUNT] [GRACE milliseconds]] [NOACK]",
        ),
    ]);
    assert!(refused(&words("MQ.PUSH q delay 5")).unwrap().starts_with("ERR DELAY is in"));
}

#[test]
fn what_a_number_counts_is_named() {
    table(&[
        ("MQ.PUSH q x HEADERS 2 a b", "ERR HEADERS 2 needs 2 pairs of name and value, got 1"),
        (
            "MQ.PUSH q x HEADERS 2 a b c",
            "ERR HEADERS 2 needs 2 pairs of name and value, got 1 and one name without value",
        ),
        (
            "MQ.PUSH q x HEADERS 1 a b c d",
            "ERR 'c' is not an option of MQ.PUSH: HEADERS 1 takes 1 pair of name and value",
        ),
        ("MQ.ACK q IDS 3 a b", "ERR IDS 3 needs 3 pairs of id and receipt, got 1"),
        ("MQ.ACK q IDS 1", "ERR IDS 1 needs 1 pair of id and receipt, got 0"),
        (
            "MQ.ACK q IDS 1 a b 1 d",
            "ERR '1' is not an option of MQ.ACK: IDS 1 takes 1 pair of id and receipt",
        ),
        ("MQ.REDRIVE q IDS 2 a", "ERR IDS 2 needs 2 ids, got 1"),
        ("MQ.REDRIVE q IDS 1 a b", "ERR 'b' is not an option of MQ.REDRIVE: IDS 1 takes 1 id"),
        ("MQ.MPUSH q 3 a b", "ERR n 3 needs 3 payloads, got 2"),
        ("MQ.MPUSH q 2 1 b c d", "ERR 'c' is not an option of MQ.MPUSH: n 2 takes 2 payloads"),
        ("MQ.MPUSH q a b", "ERR n comes before the payloads: MQ.MPUSH queue n payload ..."),
        ("MQ.MPUSH q 0 b", "ERR n must be an integer from 1 to 10000"),
        ("MQ.MPULL q r", "ERR numkeys comes before the queues: MQ.MPULL numkeys queue ..."),
        ("MQ.MPULL 3 q r", "ERR numkeys 3 needs 3 queues, got 2"),
        ("MQ.MPULL 1 q 1 s", "ERR '1' is not an option of MQ.MPULL: numkeys 1 takes 1 queue"),
    ]);
}

#[test]
fn what_is_wrong_with_known_options_is_named() {
    table(&[
        ("MQ.PUSH q x DELAY", "ERR DELAY needs a value: milliseconds"),
        ("MQ.PUSH q x AT", "ERR AT needs a value: unix-time-milliseconds"),
        ("MQ.PULL q COUNT", "ERR COUNT needs a value: an integer from 1 to 10000"),
        ("MQ.CONFIG q MAXLEN", "ERR MAXLEN needs a value: an integer from 0 to 2147483647"),
        ("MQ.PUSH q x GROUP", "ERR GROUP needs a value: name"),
        ("MQ.PUSH q x HEADERS", "ERR HEADERS needs a value: n name value [name value ...]"),
        ("MQ.CONFIG q DEADLETTER", "ERR DEADLETTER needs a value: queue"),
        ("MQ.QUEUES MATCH", "ERR MATCH needs a value: pattern"),
        ("MQ.PUSH q x DELAY 1 AT 1", "ERR DELAY and AT are mutually exclusive"),
        ("MQ.PULL q COUNT 1 NOACK VISIBILITY 1", "ERR NOACK and VISIBILITY are mutually exclusive"),
        ("MQ.PUSH q x DELAY 1 DELAY 1", "ERR DELAY is given twice"),
        ("MQ.PUSH q x WINDOW 1", "ERR WINDOW can be given only with DEDUP"),
        ("MQ.QUEUES COUNT 1", "ERR COUNT can be given only with CURSOR"),
        ("MQ.REDRIVE q REASON to", "ERR no value before the option TO may be 'TO', give TO first"),
        (
            "MQ.GET q",
            "ERR wrong number of arguments for 'mq.get' command: MQ.GET queue (id | DEDUP key)",
        ),
    ]);
}

/// Lines of a few words, right ones and wrong ones: what is said is one line, and never nothing.
#[test]
fn every_line_that_is_refused_is_answered_with_one_sentence() {
    const WORDS: [&[u8]; 12] = [
        b"IDS",
        b"COUNT",
        b"TO",
        b"1",
        b"2",
        b"x",
        b"HEADERS",
        b"",
        b"DELAYS",
        b"\r\n\xff",
        b"DEDUP",
        b"99999999999999999999",
    ];
    for known in all() {
        for number in 0..WORDS.len().pow(4) {
            let digit = |place: u32| WORDS[number / WORDS.len().pow(place) % WORDS.len()];
            let line = [known.spec.name.as_bytes(), b"q", digit(0), digit(1), digit(2), digit(3)];
            let Some(told) = refused(&line) else { continue };
            assert!(told.starts_with("ERR ") && told.len() > 20, "{told}");
            assert!(!told.contains(|c: char| c.is_control()), "{told:?}");
            assert!(!told.contains("syntax error") && !told.contains("Unknown {"), "{told}");
        }
    }
}
