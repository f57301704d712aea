//! Which keys each op requires in a queue that uses every feature: where one of them has the wrong type,
//! the op is refused and changes nothing. It needs no key that it does not read or write.

use super::*;
use crate::store::memory::Value;
use scheduled::{every, push as push_tick, set, tick};

/// A queue with messages of every kind, and deliveries of it.
struct Filled {
    server: Server,
    orders: QueueName,
    /// Runs; its message has no feature.
    held: Delivery,
    /// Runs; its message is of a group.
    grouped: Delivery,
    /// Ended by time; its message is ready again.
    late: Delivery,
    /// The same of a group.
    late_grouped: Delivery,
    delayed: MessageId,
}

fn fill() -> Filled {
    let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
    server.add(&orders, &Asked::default());
    let held = server.pull(&orders, 1_000_000).unwrap().claim();
    server.add(&orders, &Asked::group("a"));
    let grouped = server.pull(&orders, 1_000_000).unwrap().claim();
    server.add(&orders, &Asked::default());
    server.add(&orders, &Asked::group("c"));
    let mut late = server.pull_with(&orders, 2, 1, ALL).unwrap();
    late.sort_by_key(|message| message.group.is_some());
    let [late, late_grouped] = [late[0].claim(), late[1].claim()];
    server.now_ms += 1;
    server.sweep(&orders, 10);
    for _ in 0..10 {
        server.add(&orders, &Asked::group("b"));
    }
    for asked in [Asked::priority(3), Asked::to_live(1_000_000), Asked::until_done("k")] {
        server.add(&orders, &asked);
    }
    let delayed = server.add(&orders, &Asked::later(1_000_000));
    server.schedule(&orders, "s", &every(1_000), Some(tick(server.now_ms + 1_000)));
    Filled { server, orders, held, grouped, late, late_grouped, delayed }
}

/// All of messages but the ready lists.
const BEHIND: &str = "lanes ranked messages notes flight bodies inflight delayed retries retried expiring groups grouped \
                      turns dedup deduped dead config damaged";

const PULL: &str = "ready lanes ranked messages flight groups turns config";

type Which = fn(&Filled) -> Vec<Delivery>;

/// A pull of one message; what it delivers does not matter, nor an unreadable record.
fn pull(
    filled: &mut Filled,
    mode: Mode<'_>,
    limit: u32,
    acknowledged: Vec<Delivery>,
) -> Result<(), QueueError> {
    let (now_ms, sweep) = (filled.server.now_ms, SweepLimit { limit, same_slot: false });
    let base_receipt = Receipt::at(now_ms);
    let op =
        op::Pull { now_ms, count: 1, mode, base_receipt, sweep, acknowledged, ended: Vec::new() };
    filled.server.run(&filled.orders, &op).map(|_| ())
}

/// The keys that an op requires, by their names.
fn required(fill: fn() -> Filled, op: impl Fn(&mut Filled) -> Result<(), QueueError>) -> String {
    let is_required = |part: &Part| {
        let mut filled = fill();
        let key = keys::key(&filled.orders, *part);
        filled.server.database.borrow_mut().insert(key, Value::Text);
        // `run` checks that an error changed nothing.
        match op(&mut filled) {
            Ok(()) => false,
            Err(error) => {
                assert_eq!(error, QueueError::WrongType);
                true
            }
        }
    };
    let parts: Vec<&str> =
        Part::ALL.iter().filter(|part| is_required(part)).map(|part| part.name()).collect();
    parts.join(" ")
}

#[test]
fn each_op_requires_the_keys_that_it_may_read_or_write() {
    let push = |asked: Asked<'static>| {
        move |filled: &mut Filled| {
            let Filled { server, orders, .. } = filled;
            let id = server.new_id();
            let (due_at_ms, with) = server.with(&asked, &[]);
            server
                .run(orders, &op::Push { id, due_at_ms, payload: b"x", options: with })
                .map(|_| ())
        }
    };
    let pull = |mode: Mode<'static>, limit: u32, acknowledged: Which| {
        move |filled: &mut Filled| pull(filled, mode, limit, acknowledged(filled))
    };
    let with_receipt = |consumer| Mode::AtLeastOnce { visibility_ms: 1, consumer };
    let acknowledge = |which: Which| {
        move |filled: &mut Filled| {
            let deliveries = which(filled).into();
            let op = op::Acknowledge { now_ms: Some(filled.server.now_ms), deliveries };
            filled.server.run(&filled.orders, &op).map(|_| ())
        }
    };
    let extend = |which: Which| {
        move |filled: &mut Filled| {
            let (deliveries, now_ms) = (which(filled).into(), filled.server.now_ms);
            let op = op::Extend { now_ms, deliveries, visibility_ms: 1 };
            filled.server.run(&filled.orders, &op).map(|_| ())
        }
    };
    let nack = |which: Which, how| {
        move |filled: &mut Filled| {
            let deliveries = which(filled);
            filled.server.nack_as(&filled.orders, deliveries, Some(0), how, None).map(|_| ())
        }
    };
    let run = |op: Op<'static>| {
        move |filled: &mut Filled| filled.server.run(&filled.orders, &op).map(|_| ())
    };
    let reschedule = |filled: &mut Filled| {
        let op = op::Reschedule { now_ms: filled.server.now_ms, id: filled.delayed, due_at_ms: 1 };
        filled.server.run(&filled.orders, &op).map(|_| ())
    };
    let configure = |setting, value: &str| {
        run(Op::Configure(op::Configure {
            changes: vec![(setting, Some(value.as_bytes().to_vec()))],
        }))
    };
    let ticks = |filled: &mut Filled| {
        let Filled { server, orders, .. } = filled;
        let (id, now_ms) = (server.new_id(), server.now_ms);
        let ticks = vec![push_tick("s", id, tick(now_ms), 0, Some(tick(now_ms + 1_000)))];
        server.run(orders, &op::Ticks { now_ms, ticks, zones: Vec::new() }).map(drop)
    };
    let trigger = |filled: &mut Filled| filled.server.trigger(&filled.orders, "s").map(drop);
    let unschedule = Op::Unschedule(op::Unschedule { name: b"s".to_vec() });
    let none: Which = |_| Vec::new();
    let held: Which = |filled| vec![filled.held];
    let late: Which = |filled| vec![filled.late];
    let all = Part::ALL.map(Part::name).join(" ");
    for (op, actual, expected) in [
        ("push", required(fill, push(Asked::default())), "ready config"),
        ("push later", required(fill, push(Asked::later(1))), "messages delayed config"),
        (
            "push with a TTL",
            required(fill, push(Asked::to_live(1))),
            "lanes ranked messages expiring config",
        ),
        ("push with a priority", required(fill, push(Asked::priority(3))), "ready3 lanes config"),
        (
            "push to a group",
            required(fill, push(Asked::group("a"))),
            "lanes messages groups turns config",
        ),
        (
            "push to a new group",
            required(fill, push(Asked::group("d"))),
            "lanes messages groups turns config",
        ),
        ("push with a key", required(fill, push(Asked::until_done("l"))), "ready dedup config"),
        (
            "push with a window",
            required(fill, push(Asked::window("l", 1))),
            "ready dedup deduped config",
        ),
        ("pull", required(fill, pull(with_receipt(None), 0, none)), PULL),
        (
            "pull for a consumer",
            required(fill, pull(with_receipt(Some(b"c")), 0, none)),
            "ready lanes ranked messages notes flight groups turns config",
        ),
        (
            "pull after a sweep",
            required(fill, pull(with_receipt(None), 1, none)),
            &format!("ready {BEHIND}"),
        ),
        (
            "pull after an acknowledgment and a sweep",
            required(fill, pull(with_receipt(None), 1, held)),
            &format!("ready {BEHIND}"),
        ),
        ("pull without receipt", required(fill, pull(Mode::AtMostOnce, 0, none)), PULL),
        ("acknowledge", required(fill, acknowledge(held)), "notes flight"),
        (
            "acknowledge in a group",
            required(fill, acknowledge(|filled| vec![filled.grouped])),
            "lanes notes flight groups turns config",
        ),
        (
            "acknowledge late",
            required(fill, acknowledge(late)),
            "lanes ranked messages notes flight inflight delayed retries retried",
        ),
        (
            "acknowledge late in a group",
            required(fill, acknowledge(|filled| vec![filled.late_grouped])),
            "lanes messages notes flight inflight delayed retries retried groups grouped turns config",
        ),
        (
            "acknowledge a late one behind another",
            required(fill, acknowledge(|filled| vec![filled.held, filled.late])),
            "notes flight",
        ),
        (
            "acknowledge outdated",
            required(
                fill,
                acknowledge(|filled| vec![Delivery { receipt: Receipt(1), ..filled.held }]),
            ),
            "ranked messages notes flight inflight delayed groups grouped",
        ),
        (
            "acknowledge an outdated one behind another",
            required(
                fill,
                acknowledge(|filled| {
                    vec![filled.held, Delivery { receipt: Receipt(1), ..filled.grouped }]
                }),
            ),
            "notes flight",
        ),
        (
            "extend",
            required(fill, extend(held)),
            "ranked messages notes flight bodies inflight delayed groups grouped",
        ),
        ("extend late", required(fill, extend(late)), BEHIND),
        ("nack", required(fill, nack(held, Return::Counted)), BEHIND),
        (
            "nack in a group",
            required(fill, nack(|filled| vec![filled.grouped], Return::Uncounted)),
            BEHIND,
        ),
        ("reject", required(fill, nack(held, Return::Rejected)), BEHIND),
        (
            "sweep",
            required(
                fill,
                run(Op::Sweep(op::Sweep { now_ms: START_MS, sweep: ALL, ended: Vec::new() })),
            ),
            BEHIND,
        ),
        ("reschedule", required(fill, reschedule), &all),
        ("configure", required(fill, configure(Setting::Delay, "1")), "config"),
        (
            "configure groups",
            required(fill, configure(Setting::GroupInflight, "2")),
            "lanes groups turns config",
        ),
        ("pause", required(fill, run(Op::Pause(op::Pause { until_ms: None }))), "config"),
        ("resume", required(fill, run(Op::Resume)), "config"),
        (
            "schedule",
            required(fill, run(Op::Schedule(set("s", &every(1_000), START_MS, None)))),
            "damaged schedules ticks",
        ),
        ("unschedule", required(fill, run(unschedule)), "schedules ticks"),
        ("ticks", required(fill, ticks), &all),
        ("trigger", required(fill, trigger), &all),
        ("expire", required(fill, run(Op::Expire(op::Expire { now_ms: START_MS }))), "schedules"),
    ] {
        assert_eq!(actual, expected, "{op}");
    }
}

/// A queue with one message.
fn fill_with(asked: &Asked<'_>) -> Filled {
    let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
    let delayed = server.add(&orders, asked);
    let none = Delivery { id: delayed, receipt: Receipt(1) };
    Filled { server, orders, held: none, grouped: none, late: none, late_grouped: none, delayed }
}

#[test]
fn a_pull_requires_no_keys_of_features_that_the_queue_does_not_use() {
    let plain = || fill_with(&Asked::default());
    let with_ttl = || fill_with(&Asked::to_live(1_000));
    for (fill, consumer, expected) in [
        (plain as fn() -> Filled, None, "ready lanes flight config"),
        (plain, Some(b"c".as_slice()), "ready lanes notes flight config"),
        (with_ttl, None, "ready lanes ranked messages flight turns config"),
    ] {
        let mode = Mode::AtLeastOnce { visibility_ms: 1, consumer };
        let actual = required(fill, |filled| pull(filled, mode, 0, Vec::new()));
        assert_eq!(actual, expected);
    }
}
