//! Every error of the five commands, in both protocols, and that nothing is changed by it.

use crate::harness::*;

const SYNTAX: &str = "ERR wrong number of arguments for 'mq.";
const YEAR: &str = "31536000000 milliseconds";
const EPOCH: &str = "8796093022207 milliseconds of unix time";
const OPTIONS: &str = "EVERY, CRON, TZ, START, END, LIMIT, JITTER, CATCHUP, OVERLAP, PAUSED, TTL, \
                       DEAD, PRIORITY, GROUP, HEADERS";

const USAGE: &str = "MQ.SCHEDULE queue name payload (EVERY milliseconds | CRON expression [TZ zone]) \
                     [START unix-time-milliseconds] [END unix-time-milliseconds] [LIMIT n] \
                     [JITTER milliseconds] [CATCHUP NONE | ONE | ALL] [OVERLAP ALLOW | SKIP] \
                     [PAUSED 0 | 1] [TTL milliseconds [DEAD]] [PRIORITY n | GROUP name] \
                     [HEADERS n name value [name value ...]]";

/// The end of MQ.SCHEDULE, and what it is told.
const OF_SCHEDULE: &[(&str, &str)] = &[
    // How often.
    ("EVERY", "$ARITY"),
    ("EVERY 99", "ERR EVERY must be an integer from 100 to $YEAR"),
    ("EVERY 31536000001", "ERR EVERY must be an integer from 100 to $YEAR"),
    ("EVERY 1h", "ERR EVERY must be an integer from 100 to $YEAR"),
    ("EVERY -1", "ERR EVERY must be an integer from 100 to $YEAR"),
    ("EVERY 500 EVERY 500", "ERR EVERY is given twice"),
    ("EVERY 500 CRON @daily", "ERR EVERY and CRON are mutually exclusive"),
    ("CRON @daily EVERY 500", "ERR CRON and EVERY are mutually exclusive"),
    ("EVERY 500 TZ UTC", "ERR EVERY and TZ are mutually exclusive"),
    ("CRON \"\"", "ERR CRON must be 1 to 256 bytes"),
    ("CRON $LONG", "ERR CRON must be 1 to 256 bytes"),
    ("CRON @daily CRON @daily", "ERR CRON is given twice"),
    ("CRON @daily TZ", "ERR TZ needs a value: zone"),
    ("CRON @daily TZ \"\"", "ERR TZ must be 1 to 64 bytes"),
    ("CRON @daily TZ Mars/Olympus", "ERR there is no time zone 'Mars/Olympus'"),
    ("CRON @daily TZ Local", "ERR there is no time zone 'Local'"),
    ("CRON @daily TZ UTC TZ UTC", "ERR TZ is given twice"),
    // Expressions; `_` stands for a blank.
    (
        "CRON @often",
        "ERR the expression is @often; it must be five fields or @hourly, @daily, \
                     @midnight, @weekly, @monthly, @yearly or @annually",
    ),
    (
        "CRON x",
        "ERR the expression has 1 field; it must have 5: minute, hour, day of month, month \
                and day of week",
    ),
    (
        "CRON *_*_*_*_*_*",
        "ERR the expression has 6 fields; it must have 5: minute, hour, day of \
                          month, month and day of week",
    ),
    ("CRON é", "ERR the expression must be printable ASCII text"),
    ("CRON 60_*_*_*_*", "ERR the minute is 60; it must be 0 to 59"),
    ("CRON *_24_*_*_*", "ERR the hour is 24; it must be 0 to 23"),
    ("CRON *_*_0_*_*", "ERR the day of month is 0; it must be 1 to 31 or L"),
    ("CRON *_*_*_13_*", "ERR the month is 13; it must be 1 to 12 or JAN to DEC"),
    ("CRON *_*_*_*_FRY", "ERR the day of week is FRY; it must be 0 to 7 or SUN to SAT"),
    ("CRON 9-5_*_*_*_*", "ERR the minute is 9-5; a range must not end before it begins"),
    ("CRON 5/2_*_*_*_*", "ERR the minute is 5/2; only * or a range can have a step"),
    ("CRON */0_*_*_*_*", "ERR the step of the minute is 0; it must be 1 to 59"),
    ("CRON 0_0_30_2_*", "ERR the expression never fires: none of its months has such a day"),
    // When.
    ("EVERY 500 START", "ERR START needs a value: unix-time-milliseconds"),
    ("EVERY 500 START -1", "ERR START must be an integer from 0 to $EPOCH"),
    ("EVERY 500 START 8796093022208", "ERR START must be an integer from 0 to $EPOCH"),
    (
        "EVERY 500 START 1800000000",
        "ERR START 1800000000 is a time in seconds, in milliseconds it \
                                    is START 1800000000000",
    ),
    ("EVERY 500 START 1800000000000 START 1", "ERR START is given twice"),
    ("EVERY 500 END", "ERR END needs a value: unix-time-milliseconds"),
    ("EVERY 500 END tomorrow", "ERR END must be an integer from 0 to $EPOCH"),
    (
        "EVERY 500 END 1800000000",
        "ERR END 1800000000 is a time in seconds, in milliseconds it is \
                                  END 1800000000000",
    ),
    ("EVERY 500 END 0", "ERR the schedule has no tick left"),
    ("EVERY 500 END 1000000000000", "ERR the schedule has no tick left"),
    ("EVERY 500 START 4000000000000 END 3999999999999", "ERR the schedule has no tick left"),
    ("CRON @yearly START 4000000000000 END 4000000000001", "ERR the schedule has no tick left"),
    ("EVERY 500 LIMIT", "ERR LIMIT needs a value: an integer from 1 to 2147483647"),
    ("EVERY 500 LIMIT 0", "ERR LIMIT must be an integer from 1 to 2147483647"),
    ("EVERY 500 LIMIT 2147483648", "ERR LIMIT must be an integer from 1 to 2147483647"),
    ("EVERY 500 JITTER", "ERR JITTER needs a value: milliseconds"),
    ("EVERY 500 JITTER -1", "ERR JITTER must be an integer from 0 to $YEAR"),
    ("EVERY 500 JITTER 500", "ERR JITTER must be shorter than EVERY"),
    ("CRON @daily JITTER 31536000001", "ERR JITTER must be an integer from 0 to $YEAR"),
    // What becomes of ticks.
    ("EVERY 500 CATCHUP", "ERR CATCHUP needs a value: NONE | ONE | ALL"),
    ("EVERY 500 CATCHUP SOME", "ERR CATCHUP must be NONE, ONE or ALL"),
    ("EVERY 500 CATCHUP 1", "ERR CATCHUP must be NONE, ONE or ALL"),
    ("EVERY 500 CATCHUP ONE CATCHUP ALL", "ERR CATCHUP is given twice"),
    ("EVERY 500 OVERLAP", "ERR OVERLAP needs a value: ALLOW | SKIP"),
    ("EVERY 500 OVERLAP NONE", "ERR OVERLAP must be ALLOW or SKIP"),
    ("EVERY 500 PAUSED", "ERR PAUSED needs a value: 0 | 1"),
    ("EVERY 500 PAUSED 2", "ERR PAUSED must be an integer from 0 to 1"),
    ("EVERY 500 PAUSED yes", "ERR PAUSED must be an integer from 0 to 1"),
    // What the messages carry.
    ("EVERY 500 TTL -1", "ERR TTL must be an integer from 0 to $YEAR"),
    ("EVERY 500 DEAD", "ERR DEAD can be given only with TTL"),
    ("EVERY 500 PRIORITY 10", "ERR PRIORITY must be an integer from 0 to 9"),
    ("EVERY 500 GROUP \"\"", "ERR GROUP must be 1 to 256 bytes"),
    ("EVERY 500 PRIORITY 1 GROUP g", "ERR PRIORITY and GROUP are mutually exclusive"),
    ("EVERY 500 HEADERS 2 a b", "ERR HEADERS 2 needs 2 pairs of name and value, got 1"),
    ("EVERY 500 HEADERS 2 a 1 a 2", "ERR two headers have the name 'a'"),
    ("EVERY 500 HEADERS 1 mq-schedule x", "ERR the header 'mq-schedule' is set by the schedule"),
    ("EVERY 500 HEADERS 1 mq-tick x", "ERR the header 'mq-tick' is set by the schedule"),
    ("EVERY 500 HEADERS 2 a x mq-missed x", "ERR the header 'mq-missed' is set by the schedule"),
    ("EVERY 500 HEADERS 62 $PAIRS", "ERR HEADERS must be an integer from 1 to 61"),
    ("EVERY 500 HEADERS 1 a $BYTES", "ERR the headers of a schedule are longer than 65024 bytes"),
    // What is no option.
    ("EVERY 500 COUNT 5", "ERR unknown option 'COUNT' for MQ.SCHEDULE, its options are $OPTIONS"),
    ("EVERY 500 JITER 5", "ERR unknown option 'JITER' for MQ.SCHEDULE, did you mean JITTER?"),
    ("EVERY 500 DEDUP k", "ERR unknown option 'DEDUP' for MQ.SCHEDULE, its options are $OPTIONS"),
    ("LIMIT 5", "ERR an option is missing: $USAGE"),
];

/// Other lines.
const OTHERS: &[(&str, &str)] = &[
    ("MQ.SCHEDULE orders \"\" x EVERY 500", "ERR name must be 1 to 256 bytes"),
    ("MQ.SCHEDULE orders $LONG x EVERY 500", "ERR name must be 1 to 256 bytes"),
    ("MQ.SCHEDULE \"\" new x EVERY 500", "ERR invalid queue name: it is empty"),
    ("MQ.SCHEDULE orders new x", "$ARITY"),
    ("MQ.UNSCHEDULE orders", "$ARITY"),
    ("MQ.UNSCHEDULE orders a b", "$ARITY"),
    ("MQ.UNSCHEDULE orders \"\"", "ERR name must be 1 to 256 bytes"),
    (
        "MQ.UNSCHEDULE {orders} a",
        "ERR invalid queue name: it is a hash tag only, use the name \
                                  without braces",
    ),
    ("MQ.SCHEDULES", "$ARITY"),
    (
        "MQ.SCHEDULES orders a*",
        "ERR unknown option 'a*' for MQ.SCHEDULES, its options are MATCH, \
                                OFFSET, COUNT",
    ),
    ("MQ.SCHEDULES orders MATCH", "ERR MATCH needs a value: pattern"),
    ("MQ.SCHEDULES orders OFFSET -1", "ERR OFFSET must be an integer from 0 to 2147483647"),
    ("MQ.SCHEDULES orders COUNT 0", "ERR COUNT must be an integer from 1 to 1000"),
    ("MQ.SCHEDULES orders COUNT 1001", "ERR COUNT must be an integer from 1 to 1000"),
    ("MQ.SCHEDULES orders 10", "ERR '10' is not an option of MQ.SCHEDULES, did you mean COUNT 10?"),
    ("MQ.SCHEDULES {} COUNT 1", "ERR invalid queue name: its braces are no hash tag"),
    ("MQ.NEXT orders", "$ARITY"),
    ("MQ.NEXT orders \"\"", "ERR name must be 1 to 256 bytes"),
    ("MQ.NEXT orders none", "NOTFOUND no schedule with this name"),
    ("MQ.NEXT none each", "NOTFOUND no schedule with this name"),
    ("MQ.NEXT orders each COUNT 0", "ERR COUNT must be an integer from 1 to 1000"),
    ("MQ.NEXT orders each COUNT 1001", "ERR COUNT must be an integer from 1 to 1000"),
    ("MQ.NEXT orders each FROM -1", "ERR FROM must be an integer from 0 to $EPOCH"),
    (
        "MQ.NEXT orders each FROM 1800000000",
        "ERR FROM 1800000000 is a time in seconds, in \
                                             milliseconds it is FROM 1800000000000",
    ),
    ("MQ.NEXT orders each 5", "ERR '5' is not an option of MQ.NEXT, did you mean COUNT 5?"),
    ("MQ.TRIGGER orders", "$ARITY"),
    ("MQ.TRIGGER orders each now", "$ARITY"),
    ("MQ.TRIGGER orders \"\"", "ERR name must be 1 to 256 bytes"),
    ("MQ.TRIGGER orders none", "NOTFOUND no schedule with this name"),
    ("MQ.TRIGGER none each", "NOTFOUND no schedule with this name"),
    ("MQ.TRIGGER full each", "QUEUEFULL the queue is full: MAXLEN of 'full' is 1"),
];

#[test]
fn each_mistake_is_told_in_both_protocols_and_changes_nothing() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.SCHEDULE orders each x EVERY 3600000");
    client.ask("MQ.CONFIG full MAXLEN 1");
    client.push("full", "x");
    client.ask("MQ.SCHEDULE full each x EVERY 3600000");
    let long = "n".repeat(257);
    let pairs: Vec<String> = (0..62).map(|n| format!("name-{n} value")).collect();
    let bytes = "x".repeat(65_024);
    let texts = [
        ("$YEAR", YEAR),
        ("$EPOCH", EPOCH),
        ("$OPTIONS", OPTIONS),
        ("$USAGE", USAGE),
        ("$LONG", &long),
        ("$PAIRS", &pairs.join(" ")),
        ("$BYTES", &bytes),
    ];
    let fill = |text: &str| {
        texts.iter().fold(text.to_string(), |text, (name, value)| text.replace(name, value))
    };
    let lines =
        OF_SCHEDULE.iter().map(|(end, told)| (format!("MQ.SCHEDULE orders new x {end}"), told));
    let lines = lines.chain(OTHERS.iter().map(|(line, told)| (line.to_string(), told)));
    let before = client.text("DEBUG DIGEST");
    let mut different = Vec::new();
    let mut resp3 = server.resp3_client();
    for (line, told) in lines {
        let words: Vec<Vec<u8>> = fill(&line)
            .split(' ')
            .map(|word| match word {
                "\"\"" => Vec::new(),
                word => word.replace('_', " ").into_bytes(),
            })
            .collect();
        for client in [&mut client, &mut resp3] {
            let error = client.reply(&words).expect_err(&line);
            let is_told = match *told {
                "$ARITY" => error.to_lowercase().starts_with(&SYNTAX.to_lowercase()),
                told => error == fill(told),
            };
            if !is_told {
                different.push(format!("{line}\n  is told:   {error}\n  should be: {told}\n"));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join(""));
    assert_eq!(client.text("DEBUG DIGEST"), before);
}

#[test]
fn a_payload_of_more_than_a_mebibyte_is_refused() {
    let server = Server::start();
    let mut client = server.client();
    let mut set = |bytes: usize| {
        let payload = vec![b'x'; bytes];
        client.reply(&[
            b"MQ.SCHEDULE".as_slice(),
            b"orders",
            b"each",
            &payload,
            b"EVERY",
            b"500000",
        ])
    };
    assert_eq!(set((1 << 20) + 1), Err("ERR payload must be 0 to 1048576 bytes".into()));
    assert_eq!(set(1 << 20), Ok(Value::Int(1)));
    assert_eq!(set(0), Ok(Value::Int(0)));
}

#[test]
fn a_queue_has_no_more_than_ten_thousand_schedules() {
    let server = Server::start();
    let mut client = server.client();
    let most = 10_000;
    let line = |name: &str| format!("MQ.SCHEDULE orders {name} x EVERY 31536000000");
    let lines: Vec<String> = (0..most).map(|n| line(&n.to_string())).collect();
    assert!(client.pipeline(&lines).iter().all(|reply| *reply == Ok(Value::Int(1))));
    let error = "ERR the queue has 10000 schedules, the maximum";
    assert_eq!(client.refused(&line("more")), error);
    assert_eq!(client.number(&format!("{} PRIORITY 1", line("0"))), 0, "one that is there");
    assert_eq!(client.queue_info("orders", "schedules"), most);
    assert_eq!(client.number("MQ.UNSCHEDULE orders 77"), 1);
    assert_eq!(client.number(&line("more")), 1);
    assert_eq!(client.refused(&line("77")), error);
}
