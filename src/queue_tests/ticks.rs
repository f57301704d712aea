//! What the ticks of schedules push, and when they push nothing.

use super::*;
use crate::queue::op::{Step, TickOf};
use crate::queue::schedule::{CatchUp, Definition, History, Life, Overlap, Template, Tick};
use scheduled::{cron, every, push, text, tick};

/// A queue with the schedule `s`.
fn with(definition: &Definition) -> (Server, QueueName) {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let next = tick(server.now_ms + 1_000);
    server.schedule(&orders, "s", definition, Some(next));
    (server, orders)
}

fn skipping() -> Definition {
    Definition { overlap: Overlap::Skip, ..every(1_000) }
}

fn carrying(message: Template) -> Definition {
    Definition { message, ..every(1_000) }
}

fn headers(got: &Got) -> Vec<(&str, &str)> {
    let text = |bytes| std::str::from_utf8(bytes).unwrap();
    got.headers.iter().map(|(name, value)| (text(name), text(value))).collect()
}

fn pass(name: &str, missed: u64, next: Option<Tick>) -> TickOf {
    TickOf { name: name.into(), step: Step::Pass { missed }, next }
}

#[test]
fn a_tick_pushes_the_message_and_names_itself() {
    for mut definition in [every(1_000), cron("* * * * *")] {
        definition.message.headers =
            vec![(text("kind"), text("report")), (text("empty"), text(""))];
        let (mut server, orders) = with(&definition);
        server.now_ms += 1_700;
        let (id, next) = (server.new_id(), Some(tick(START_MS + 2_000)));
        let effects = server.ticks(&orders, vec![push("s", id, tick(START_MS + 1_000), 0, next)]);
        assert!(effects.became_ready);
        let history = server.history(&orders, "s");
        assert_eq!((history.runs, history.missed, history.skipped), (1, 0, 0));
        assert_eq!((history.last_tick_ms, history.next), (Some(START_MS + 1_000), next));
        let counts = (server.counts.pushed, server.counts.ticks, server.counts.ticks_skipped);
        assert_eq!(counts, (1, 1, 0));
        let got = server.pull(&orders, 10).unwrap();
        assert_eq!((got.id, got.payload.as_slice(), got.priority), (id, b"x".as_slice(), 0));
        let at = (START_MS + 1_000).to_string();
        let expected =
            [("kind", "report"), ("empty", ""), ("mq-schedule", "s"), ("mq-tick", at.as_str())];
        assert_eq!(headers(&got), expected);
    }
}

#[test]
fn a_message_says_for_how_many_missed_ticks_it_stands() {
    // CATCHUP, what is missed with the message, and what it says.
    for (catch_up, missed, said) in [
        (CatchUp::One, 0, None),
        (CatchUp::One, 4, Some("4")),
        (CatchUp::None, 4, None),
        (CatchUp::All, 4, None),
    ] {
        let (mut server, orders) = with(&Definition { catch_up, ..every(1_000) });
        let (id, next) = (server.new_id(), Some(tick(START_MS + 9_000)));
        server.ticks(&orders, vec![push("s", id, tick(START_MS + 8_000), missed, next)]);
        let got = server.pull(&orders, 10).unwrap();
        let value = headers(&got).into_iter().find(|(name, _)| *name == "mq-missed");
        assert_eq!(value.map(|(_, value)| value), said, "{catch_up:?} {missed}");
        assert_eq!(server.history(&orders, "s").missed, missed);
        assert_eq!(server.counts.ticks_missed, missed);
    }
}

#[test]
fn ticks_missed_in_several_slices_are_told_together_and_once() {
    let (mut server, orders) = with(&every(1_000));
    for at_ms in [1_000, 2_000] {
        let effects = server.ticks(&orders, vec![pass("s", 10, Some(tick(START_MS + at_ms)))]);
        assert_eq!((effects.counts.ticks_missed, effects.became_ready), (10, false));
    }
    assert_eq!(server.history(&orders, "s").last_tick_ms, None);
    for (missed, at_ms) in [(3, 4_000), (0, 5_000)] {
        let (id, next) = (server.new_id(), Some(tick(START_MS + at_ms + 1_000)));
        server.ticks(&orders, vec![push("s", id, tick(START_MS + at_ms), missed, next)]);
    }
    let got = server.pull_with(&orders, 9, 10, ALL).unwrap();
    assert_eq!(headers(&got[0])[2..], [("mq-missed", "23")]);
    assert_eq!(headers(&got[1])[2..], []);
    let history = server.history(&orders, "s");
    assert_eq!((history.missed, history.behind, history.runs), (23, 0, 2));
}

#[test]
fn after_the_last_tick_the_schedule_is_removed() {
    let (mut server, orders) = with(&every(1_000));
    let id = server.new_id();
    server.ticks(&orders, vec![push("s", id, tick(START_MS), 0, None)]);
    assert_eq!(server.scheduled(&orders, "s"), None);
    assert_eq!(server.pull_all(&orders, 10), [id]);
    let (mut server, orders) = with(&every(1_000));
    server.ticks(&orders, vec![pass("s", 1, None)]);
    assert_eq!(server.scheduled(&orders, "s"), None, "without a message");
    assert_eq!([Part::Schedules, Part::Ticks].map(|part| server.len(&orders, part)), [0, 0]);
    assert_eq!(server.counts.ticks_missed, 1);
}

#[test]
fn limit_counts_the_messages_of_ticks() {
    let mut definition = every(1_000);
    definition.timing.limit = Some(2);
    let (mut server, orders) = with(&definition);
    server.configure(&orders, Setting::MaxLen, Some("1"));
    let first = server.tick(&orders, "s");
    server.tick(&orders, "s");
    server.ticks(&orders, vec![pass("s", 7, Some(tick(START_MS + 3_000)))]);
    let history = server.history(&orders, "s");
    assert_eq!((history.runs, history.skipped, history.missed), (1, 1, 7), "only the first counts");
    server.configure(&orders, Setting::MaxLen, None);
    let (triggered, _) = server.trigger(&orders, "s").unwrap();
    assert!(server.scheduled(&orders, "s").is_some());
    // More than are left, in one op.
    let ids = [(); 3].map(|()| server.new_id());
    let ticks = ids.map(|id| push("s", id, tick(START_MS), 0, Some(tick(START_MS + 1_000))));
    server.ticks(&orders, ticks.to_vec());
    assert_eq!(server.scheduled(&orders, "s"), None);
    assert_eq!(server.counts.ticks, 2);
    server.now_ms += 5_000;
    let mut got = server.pull_all(&orders, 10);
    got.sort();
    assert_eq!(got, [first, triggered, ids[0]]);
}

#[test]
fn a_tick_is_skipped_while_the_message_of_an_earlier_one_is_in_the_queue() {
    // What becomes of the first message, and whether the next tick is skipped.
    type Story = fn(&mut Server, &QueueName, MessageId);
    let cases: [(&str, Story, bool); 8] = [
        ("waits", |_, _, _| (), true),
        (
            "in flight",
            |s, q, _| {
                s.pull(q, 10).unwrap();
            },
            true,
        ),
        (
            "delayed",
            |s, q, _| {
                let claim = s.pull(q, 10).unwrap().claim();
                s.nack(q, vec![claim], Some(100));
            },
            true,
        ),
        (
            "returned by time",
            |s, q, _| {
                s.pull(q, 10).unwrap();
                s.now_ms += 10;
                s.sweep(q, 10);
            },
            true,
        ),
        (
            "acknowledged",
            |s, q, _| {
                let claim = s.pull(q, 10).unwrap().claim();
                s.acknowledge(q, vec![claim]);
            },
            false,
        ),
        (
            "dead",
            |s, q, _| {
                let claim = s.pull(q, 10).unwrap().claim();
                s.nack_as(q, vec![claim], None, Return::Rejected, None).unwrap();
            },
            false,
        ),
        (
            "deleted",
            |s, q, id| {
                s.delete(q, &[id]);
            },
            false,
        ),
        (
            "delivered at most once",
            |s, q, _| {
                s.pull_as(q, 1, Mode::AtMostOnce, ALL, Vec::new()).unwrap();
            },
            false,
        ),
    ];
    for (what, story, is_skipped) in cases {
        for overlap in [Overlap::Skip, Overlap::Allow] {
            let (mut server, orders) = with(&Definition { overlap, ..every(1_000) });
            let first = server.tick(&orders, "s");
            story(&mut server, &orders, first);
            let before = server.counts;
            server.tick(&orders, "s");
            let skipped = u64::from(is_skipped && overlap == Overlap::Skip);
            let history = server.history(&orders, "s");
            assert_eq!((history.runs, history.skipped), (2 - skipped, skipped), "{what}");
            assert_eq!(history.last_tick_ms, Some(server.now_ms), "{what}");
            let expected = Counts {
                ticks: before.ticks + 1 - skipped,
                ticks_skipped: before.ticks_skipped + skipped,
                pushed: before.pushed + 1 - skipped,
                ..before
            };
            assert_eq!(server.counts, expected, "{what}: not counted as a push that was refused");
        }
    }
}

#[test]
fn overlap_is_a_matter_of_one_schedule() {
    let (mut server, orders) = with(&skipping());
    let long = "n".repeat(256);
    for name in ["t", &long] {
        server.schedule(&orders, name, &skipping(), Some(tick(START_MS + 1_000)));
    }
    let ids = ["s", "t", &long].map(|name| server.tick(&orders, name));
    server.tick(&orders, &long);
    let mut got = server.pull_all(&orders, 10);
    got.sort();
    assert_eq!(got, ids);
    assert_eq!(server.history(&orders, &long).skipped, 1);
}

#[test]
fn anybody_can_hold_off_the_ticks_of_a_schedule() {
    let (mut server, orders) = with(&skipping());
    let id = server.add(&orders, &Asked::until_done("mq-schedule:s"));
    server.tick(&orders, "s");
    assert_eq!(server.history(&orders, "s").skipped, 1);
    server.delete(&orders, &[id]);
    server.tick(&orders, "s");
    assert_eq!(server.history(&orders, "s").runs, 1);
}

#[test]
fn a_tick_that_finds_the_queue_full_is_skipped() {
    for (setting, definition) in [(Setting::MaxLen, every(1_000)), (Setting::MaxDedup, skipping())]
    {
        let (mut server, orders) = with(&definition);
        let first = server.add(&orders, &Asked::until_done("k"));
        server.configure(&orders, setting, Some("1"));
        server.tick(&orders, "s");
        let history = server.history(&orders, "s");
        assert_eq!((history.runs, history.skipped), (0, 1), "{setting:?}");
        let Counts { ticks_skipped, refused_full, .. } = server.counts;
        assert_eq!((ticks_skipped, refused_full), (1, 0), "{setting:?}");
        server.delete(&orders, &[first]);
        let id = server.tick(&orders, "s");
        assert_eq!(server.pull_all(&orders, 10), [id], "{setting:?}");
    }
}

/// The server has no memory left.
#[test]
fn a_tick_is_skipped_when_the_op_says_so() {
    let (mut server, orders) = with(&every(1_000));
    let (at, next) = (tick(START_MS + 4_000), Some(tick(START_MS + 5_000)));
    let skip = TickOf { name: b"s".to_vec(), step: Step::Skip { tick: at, missed: 3 }, next };
    let effects = server.ticks(&orders, vec![skip]);
    let expected = Counts { ticks_missed: 3, ticks_skipped: 1, ..Counts::default() };
    assert_eq!((effects.counts, effects.became_ready), (expected, false));
    let history = server.history(&orders, "s");
    assert_eq!((history.runs, history.skipped, history.missed, history.behind), (0, 1, 3, 0));
    assert_eq!((history.last_tick_ms, history.next), (Some(at.at_ms), next));
    assert_eq!(server.pull(&orders, 10), None);
}

#[test]
fn the_time_to_live_counts_from_the_push() {
    let life = |ttl_ms, ends_in_death| Some(Life { ttl_ms, ends_in_death });
    // That of the queue, that of the schedule, when it ends, and whether the message is dead then.
    for (of_queue, of_schedule, end, dies) in [
        (None, None, None, false),
        (Some("100"), None, Some(100), false),
        (Some("100"), life(0, false), None, false),
        (Some("100"), life(50, false), Some(50), false),
        (None, life(50, true), Some(50), true),
    ] {
        let message = Template { life: of_schedule, ..every(1_000).message };
        let (mut server, orders) = with(&carrying(message));
        server.configure(&orders, Setting::Ttl, of_queue);
        server.now_ms += 5_000;
        let (id, next) = (server.new_id(), Some(tick(START_MS + 6_000)));
        server.ticks(&orders, vec![push("s", id, tick(START_MS + 1_000), 0, next)]);
        let got = server.pull(&orders, 10).unwrap();
        assert_eq!(got.expires_at_ms, end.map(|end| server.now_ms + end));
        server.nack(&orders, vec![got.claim()], Some(0));
        server.now_ms += 1_000;
        server.sweep(&orders, 10);
        let (ttl_expired, dead) = (server.counts.ttl_expired, server.counts.dead);
        assert_eq!((ttl_expired, dead), (u64::from(end.is_some() && !dies), u64::from(dies)));
    }
}

#[test]
fn no_time_to_live_goes_beyond_the_valid_times() {
    let life = Some(Life { ttl_ms: 31_536_000_000, ends_in_death: false });
    let (mut server, orders) = with(&carrying(Template { life, ..every(1_000).message }));
    server.now_ms = (1 << 43) - 1;
    let id = server.new_id();
    server.ticks(&orders, vec![push("s", id, tick(START_MS), 0, None)]);
    let record = server.store(&orders).record(id).unwrap().unwrap();
    assert_eq!(record.expires_at_ms(), Some((1 << 43) - 1));
}

#[test]
fn a_message_has_the_priority_or_the_group_of_its_schedule() {
    let plain = every(1_000).message;
    let (mut server, orders) = with(&carrying(Template { priority: 7, ..plain.clone() }));
    let group = Some(text("tenant"));
    server.schedule(&orders, "g", &carrying(Template { group, ..plain }), Some(tick(START_MS)));
    let grouped = ["g", "g"].map(|name| server.tick(&orders, name));
    let plain = server.add(&orders, &Asked::default());
    let first = server.tick(&orders, "s");
    let got = server.pull_with(&orders, 9, 10, ALL).unwrap();
    let with = |group: Option<&[u8]>| {
        let of_it = got.iter().filter(|got| got.group.as_deref() == group);
        of_it.map(|got| (got.id, got.priority)).collect::<Vec<_>>()
    };
    assert_eq!(with(None), [(first, 7), (plain, 0)]);
    assert_eq!(with(Some(b"tenant")), [(grouped[0], 0)], "one of a group at a time");
}

#[test]
fn messages_of_ticks_are_among_what_became_due() {
    let (mut server, orders) = with(&every(1_000));
    let [early, late] = [10, 30].map(|ms| server.add(&orders, &Asked::later(ms)));
    server.now_ms += 100;
    let ready = server.add(&orders, &Asked::default());
    let ticks = [(20, 20), (5, 40)].map(|(at_ms, due_ms)| {
        let tick = Tick { at_ms: START_MS + at_ms, due_ms: START_MS + due_ms };
        (server.new_id(), tick)
    });
    let next = Some(tick(START_MS + 1_000));
    server.ticks(&orders, ticks.map(|(id, tick)| push("s", id, tick, 0, next)).to_vec());
    let [(second, _), (fourth, _)] = ticks;
    assert_eq!(server.pull_all(&orders, 10), [early, second, late, fourth, ready]);
}

#[test]
fn no_delay_and_no_pause_of_the_queue_keeps_ticks_from_pushing() {
    let (mut server, orders) = with(&every(1_000));
    server.configure(&orders, Setting::Delay, Some("500"));
    server.pause(&orders, None);
    let id = server.tick(&orders, "s");
    assert_eq!(server.len(&orders, Part::Delayed), 0);
    assert_eq!(server.pull(&orders, 10), None);
    server.resume(&orders);
    assert_eq!(server.pull_all(&orders, 10), [id]);
}

#[test]
fn a_trigger_pushes_a_message_besides_the_ticks() {
    let (mut server, orders) = with(&skipping());
    assert_eq!(server.trigger(&orders, "other").unwrap().1, None);
    let before = server.history(&orders, "s");
    let (id, answer) = server.trigger(&orders, "s").unwrap();
    assert_eq!(answer, Some(Answer::Added));
    assert_eq!(server.history(&orders, "s"), History { triggered: 1, ..before.clone() });
    assert_eq!(server.trigger(&orders, "s").unwrap().1, Some(Answer::Duplicate(id)));
    server.tick(&orders, "s");
    assert_eq!(server.history(&orders, "s").skipped, 1, "it holds off the ticks, too");
    let got = server.pull(&orders, 10).unwrap();
    assert_eq!((got.id, headers(&got)), (id, vec![("mq-schedule", "s")]));
    assert_eq!((server.counts.pushed, server.counts.ticks), (1, 0));
    server.acknowledge(&orders, vec![got.claim()]);
    server.configure(&orders, Setting::MaxLen, Some("1"));
    server.add(&orders, &Asked::default());
    assert_eq!(server.trigger(&orders, "s").unwrap().1, Some(Answer::Full));
    assert_eq!(server.history(&orders, "s").triggered, 1);
    server.configure(&orders, Setting::MaxLen, None);
    server.schedule(&orders, "s", &skipping(), None);
    assert_eq!(server.trigger(&orders, "s").unwrap().1, Some(Answer::Added), "paused");
}
