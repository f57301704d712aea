//! Why a queue delivers nothing: a function of what MQ.INFO says. Each cause is a sentence, and what to do.

use redis_mq::Info;
use serde::Serialize;
use std::time::{Duration, SystemTime};

/// Ready for less than this is no sign of trouble.
const PATIENCE: Duration = Duration::from_secs(1);

/// One cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cause {
    pub kind: Kind,
    pub sentence: String,
    pub action: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The queue can't be read: a key of the wrong type, for example.
    Unreadable,
    Damaged,
    Paused,
    MaxInflight,
    Rate,
    GroupsBusy,
    NoConsumer,
    NothingReady,
}

/// What keeps messages from being delivered now, most direct cause first; empty if they are delivered, or nothing
/// stands in their way. `pulled` is the number of deliveries per second of late.
pub fn explain(figures: &Result<Info, String>, pulled: f64, now: SystemTime) -> Vec<Cause> {
    let info = match figures {
        Ok(info) => info,
        Err(error) => return vec![unreadable(error)],
    };
    let mut causes: Vec<Cause> =
        [paused(info, now), max_inflight(info), rate(info, now)].into_iter().flatten().collect();
    if info.ready == 0 {
        causes.push(nothing_ready(info, now));
    } else if causes.is_empty() && pulled == 0.0 {
        causes.extend(groups_busy(info).or_else(|| no_consumer(info)));
    }
    causes.extend(damaged(info));
    causes
}

fn cause(kind: Kind, sentence: String, action: impl Into<String>) -> Cause {
    Cause { kind, sentence, action: action.into() }
}

fn unreadable(error: &str) -> Cause {
    let action = match error.split_whitespace().next() {
        Some("WRONGTYPE") => {
            "Another client created a key with a name of the queue's. MQ.CHECK names it: RENAME it, or drop the queue."
        }
        Some("NOPERM") => "Give the console's user permission for this queue.",
        Some("MOVED" | "ASK") => "The cluster slot of the queue is moving. Wait.",
        _ => "Look into the server's log.",
    };
    cause(Kind::Unreadable, format!("The queue can't be read: {error}."), action)
}

fn paused(info: &Info, now: SystemTime) -> Option<Cause> {
    if !info.paused {
        return None;
    }
    let sentence = match info.paused_until {
        Some(end) => format!("The queue is paused for another {}.", length_until(end, now)),
        None => "The queue is paused until somebody resumes it.".to_owned(),
    };
    Some(cause(Kind::Paused, sentence, "Resume it."))
}

fn max_inflight(info: &Info) -> Option<Cause> {
    let limit = info.settings.max_inflight;
    if limit == 0 || info.inflight < limit {
        return None;
    }
    let sentence =
        format!("{} are in flight, and MAXINFLIGHT is {limit}.", messages(info.inflight));
    Some(cause(
        Kind::MaxInflight,
        sentence,
        "Wait for acknowledgments, find out who holds the messages, or raise MAXINFLIGHT.",
    ))
}

fn rate(info: &Info, now: SystemTime) -> Option<Cause> {
    let limit = info.settings.rate;
    let end = info.rate_window_start? + info.settings.rate_period;
    if limit == 0 || info.rate_window_count < limit || end <= now {
        return None;
    }
    let sentence = format!(
        "RATE allows {limit} deliveries in {}, and all are used up for another {}.",
        length(info.settings.rate_period),
        length_until(end, now)
    );
    Some(cause(Kind::Rate, sentence, "Wait for the next window, or raise RATE."))
}

fn nothing_ready(info: &Info, now: SystemTime) -> Cause {
    let mut sentence = "No message is ready".to_owned();
    match (info.inflight, info.delayed) {
        (0, 0) => sentence += ": the queue is empty.",
        (inflight, 0) => sentence += &format!(": {} in flight.", are(inflight)),
        (0, delayed) => sentence += &format!(": {} delayed.", are(delayed)),
        (inflight, delayed) => {
            sentence += &format!(": {} in flight, {delayed} delayed.", are(inflight));
        }
    }
    if let Some(due) = info.next_due_at {
        sentence += &match due > now {
            true => format!(" The next is due in {}.", length_until(due, now)),
            false => " The next is due now.".to_owned(),
        };
    }
    let action = match (info.inflight, info.delayed) {
        (0, 0) => "Nothing, unless producers should have pushed.",
        (_, 0) => "Wait for their consumers, or find out who holds them.",
        _ => "Wait, or make delayed messages ready now.",
    };
    cause(Kind::NothingReady, sentence, action)
}

fn no_consumer(info: &Info) -> Option<Cause> {
    if info.blocked_clients > 0 || info.oldest_ready_age < PATIENCE {
        return None;
    }
    let sentence = format!(
        "{} ready, the oldest for {}, and no consumer waits for them.",
        are(info.ready),
        length(info.oldest_ready_age)
    );
    let action = match info.inflight {
        0 => "Start consumers, or find out why they don't pull.",
        _ => "Find out whether those who hold messages still work; start more consumers.",
    };
    Some(cause(Kind::NoConsumer, sentence, action))
}

/// Messages of groups without a free slot are ready, but have no age.
fn groups_busy(info: &Info) -> Option<Cause> {
    if info.groups == 0 || !info.oldest_ready_age.is_zero() {
        return None;
    }
    let limit = info.settings.group_inflight;
    let groups = match info.groups {
        1 => "the only group".to_owned(),
        number => format!("each of the {number} groups"),
    };
    let sentence =
        format!("No group has a free slot: {groups} has {limit} in flight or waiting for a retry.");
    let action = "Wait for acknowledgments and retries, find out who holds the messages, or raise GROUPINFLIGHT.";
    Some(cause(Kind::GroupsBusy, sentence, action))
}

fn damaged(info: &Info) -> Option<Cause> {
    (info.damaged > 0).then(|| {
        let sentence = format!("{} can't be decoded and were set aside.", records(info.damaged));
        cause(
            Kind::Damaged,
            sentence,
            "MQ.CHECK says what is wrong, MQ.CHECK ... REPAIR repairs it.",
        )
    })
}

fn messages(number: u64) -> String {
    if number == 1 { "1 message".to_owned() } else { format!("{number} messages") }
}

fn records(number: u64) -> String {
    if number == 1 { "1 record".to_owned() } else { format!("{number} records") }
}

fn are(number: u64) -> String {
    format!("{} {}", messages(number), if number == 1 { "is" } else { "are" })
}

fn length_until(end: SystemTime, now: SystemTime) -> String {
    length(end.duration_since(now).unwrap_or_default())
}

/// A length of time in its two largest units.
pub fn length(time: Duration) -> String {
    let ms = time.as_millis();
    if ms < 1000 {
        return format!("{ms} ms");
    }
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let mut rest = time.as_secs();
    let mut parts = Vec::new();
    for (unit, name) in units {
        if rest >= unit && parts.len() < 2 {
            parts.push(format!("{} {name}", rest / unit));
            rest %= unit;
        } else if !parts.is_empty() {
            break;
        }
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_800_000_000);

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + NOW
    }

    /// Ten messages have been ready for a minute, and one consumer waits.
    fn stuck(change: impl FnOnce(&mut Info)) -> Result<Info, String> {
        let mut info = Info::default();
        info.exists = true;
        info.ready = 10;
        info.oldest_ready_age = Duration::from_secs(60);
        info.blocked_clients = 1;
        info.settings.group_inflight = 1;
        change(&mut info);
        Ok(info)
    }

    #[test]
    fn each_cause_is_named() {
        use Kind::*;
        let second = Duration::from_secs(1);
        let rate = |info: &mut Info| {
            info.settings.rate = 5;
            info.settings.rate_period = 60 * second;
            info.rate_window_count = 5;
            info.rate_window_start = Some(now() - 20 * second);
        };
        let cases: Vec<(Result<Info, String>, Vec<Kind>, &str)> = vec![
            (stuck(|_| {}), vec![], ""),
            (stuck(|info| info.paused = true), vec![Paused], "until somebody resumes it"),
            (
                stuck(|info| {
                    info.paused = true;
                    info.paused_until = Some(now() + 90 * second);
                }),
                vec![Paused],
                "for another 1 min 30 s",
            ),
            (
                stuck(|info| {
                    info.settings.max_inflight = 3;
                    info.inflight = 3;
                }),
                vec![MaxInflight],
                "3 messages are in flight, and MAXINFLIGHT is 3",
            ),
            (
                stuck(|info| {
                    info.settings.max_inflight = 3;
                    info.inflight = 2;
                }),
                vec![],
                "",
            ),
            (stuck(rate), vec![Rate], "used up for another 40 s"),
            (
                stuck(|info| {
                    rate(info);
                    info.rate_window_start = Some(now() - 61 * second);
                }),
                vec![],
                "",
            ),
            (
                stuck(|info| {
                    rate(info);
                    info.rate_window_count = 4;
                }),
                vec![],
                "",
            ),
            (
                stuck(|info| {
                    info.groups = 2;
                    info.oldest_ready_age = Duration::ZERO;
                }),
                vec![GroupsBusy],
                "each of the 2 groups has 1 in flight",
            ),
            (
                stuck(|info| info.blocked_clients = 0),
                vec![NoConsumer],
                "the oldest for 1 min, and no",
            ),
            (
                stuck(|info| {
                    info.blocked_clients = 0;
                    info.oldest_ready_age = second / 2;
                }),
                vec![],
                "",
            ),
            (stuck(|info| info.ready = 0), vec![NothingReady], "the queue is empty"),
            (
                stuck(|info| {
                    info.ready = 0;
                    info.inflight = 1;
                    info.delayed = 2;
                    info.next_due_at = Some(now() + 5 * second);
                }),
                vec![NothingReady],
                "1 message is in flight, 2 delayed. The next is due in 5 s",
            ),
            (stuck(|info| info.damaged = 1), vec![Damaged], "1 record can't be decoded"),
            (
                Err("WRONGTYPE key orders holds a string".to_owned()),
                vec![Unreadable],
                "WRONGTYPE key orders holds a string",
            ),
            (
                stuck(|info| {
                    info.paused = true;
                    info.ready = 0;
                }),
                vec![Paused, NothingReady],
                "",
            ),
        ];
        for (figures, kinds, sentence) in cases {
            let causes = explain(&figures, 0.0, now());
            let found: Vec<Kind> = causes.iter().map(|cause| cause.kind).collect();
            assert_eq!(found, kinds, "{causes:?}");
            let text: String = causes.iter().map(|cause| cause.sentence.as_str()).collect();
            assert!(text.contains(sentence), "{text:?} has no {sentence:?}");
            assert!(causes.iter().all(|cause| !cause.action.is_empty()));
        }
    }

    #[test]
    fn a_queue_that_delivers_has_no_missing_consumer() {
        let polled = stuck(|info| info.blocked_clients = 0);
        assert_eq!(explain(&polled, 3.0, now()), []);
    }

    #[test]
    fn lengths_have_two_units_at_most() {
        for (ms, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1000, "1 s"),
            (61_000, "1 min 1 s"),
            (3_600_000, "1 h"),
            (3_601_000, "1 h"),
            (90_061_000, "1 d 1 h"),
        ] {
            assert_eq!(length(Duration::from_millis(ms)), text);
        }
    }
}
