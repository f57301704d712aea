//! Random ops against the model: what is delivered, what is answered and what is counted must be
//! the same, and the log of ops must give the same state on an empty database.
//!
//! MQ_SEED repeats one run; MQ_PROPERTY_SECONDS makes it longer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::model::Model;
use super::*;

const NAMES: [&str; 2] = ["orders", "{orders}:dead"];

#[derive(Default)]
struct Run {
    /// Every delivery that a client has seen and not settled, per queue.
    seen: Vec<(usize, Claim)>,
    acknowledged: BTreeSet<MessageId>,
    /// Per message: its last receipt, and until when nobody else may get it.
    deliveries: BTreeMap<MessageId, (Receipt, u64)>,
    pushed: u64,
    hits: BTreeMap<&'static str, u64>,
}

impl Run {
    fn hit(&mut self, what: &'static str) {
        *self.hits.entry(what).or_default() += 1;
    }
}

#[test]
fn random_ops_do_what_the_model_says() {
    let seconds = std::env::var("MQ_PROPERTY_SECONDS").map_or(4, |s| s.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(seconds);
    let given = std::env::var("MQ_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    let first = given.unwrap_or_else(|| fastrand::u64(..1 << 32));
    let mut hits: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut seeds = 0;
    while seeds == 0 || (given.is_none() && Instant::now() < end) {
        let seed = first + seeds;
        let result = std::panic::catch_unwind(|| one_run(seed));
        let run = result.unwrap_or_else(|panic| {
            eprintln!("repeat with MQ_SEED={seed}");
            std::panic::resume_unwind(panic)
        });
        for (what, count) in run {
            *hits.entry(what).or_default() += count;
        }
        seeds += 1;
    }
    println!("seeds {first} to {}", first + seeds - 1);
    for (what, count) in &hits {
        println!("{count:>10} {what}");
    }
    let wanted = [
        "acknowledged",
        "acknowledged late",
        "bad receipt",
        "configured",
        "dead",
        "delayed push",
        "delivered",
        "delivered again",
        "extended",
        "given back",
        "not found",
        "pulled nothing",
        "pushed",
        "restarted",
        "swept a part",
        "clock set back",
    ];
    for what in wanted {
        assert!(given.is_some() || hits.contains_key(what), "no run did this: {what}");
    }
}

fn one_run(seed: u64) -> BTreeMap<&'static str, u64> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut server = Server::new();
    let mut model = Model::default();
    let mut run = Run::default();
    for step in 0..300 {
        let which = usize::from(random.u8(..5) == 0);
        match random.u8(..100) {
            0..=29 => push(&mut random, &mut server, &mut model, &mut run, which),
            30..=59 => pull(&mut random, &mut server, &mut model, &mut run, which),
            60..=84 => settle(&mut random, &mut server, &mut model, &mut run),
            85..=91 => server.now_ms += random.u64(..150),
            92..=94 => sweep(&mut random, &mut server, &mut model, &mut run, which),
            95..=97 => configure(&mut random, &mut server, &mut model, &mut run, which),
            _ => restart(&mut random, &mut server, &mut run),
        }
        check(&server, &mut model, &run, step);
    }
    assert_eq!(
        *server.database.borrow(),
        *server.replayed().borrow(),
        "the log gives another state"
    );
    run.hits
}

fn push(
    random: &mut fastrand::Rng,
    server: &mut Server,
    model: &mut Model,
    run: &mut Run,
    which: usize,
) {
    let payload: Vec<u8> = (0..random.usize(..80)).map(|_| random.u8(..)).collect();
    let delay = if random.u8(..4) == 0 { random.u64(1..100) } else { 0 };
    let id = server.push(&queue(NAMES[which]), &payload, delay);
    model.push(NAMES[which], id, &payload, server.now_ms, delay);
    run.pushed += 1;
    run.hit(if delay > 0 { "delayed push" } else { "pushed" });
}

fn pull(
    random: &mut fastrand::Rng,
    server: &mut Server,
    model: &mut Model,
    run: &mut Run,
    which: usize,
) {
    let name = NAMES[which];
    let count = if random.bool() { 1 } else { random.u32(1..8) };
    let visibility_ms = random.u64(1..120);
    let limit = if random.u8(..4) == 0 { random.u32(1..4) } else { 1_000_000 };
    let sweep = Sweep { limit, same_slot: random.bool() };
    let got = server.pull_with(&queue(name), count, visibility_ms, sweep).unwrap();
    model.sweep(name, server.now_ms, limit as usize);
    let expected = model.next(name, count as usize);
    let ids: Vec<[u8; 16]> = got.iter().map(|message| message.id.0).collect();
    assert_eq!(ids, expected, "what was delivered");
    if got.is_empty() {
        run.hit("pulled nothing");
    }
    for message in got {
        check_delivery(server, model, run, name, &message);
        model.deliver(name, message.id.0, message.receipt.0, message.visibility_until_ms);
        run.deliveries.insert(message.id, (message.receipt, message.visibility_until_ms));
        run.seen.push((which, message.claim()));
    }
}

fn check_delivery(
    server: &Server,
    model: &mut Model,
    run: &mut Run,
    name: &'static str,
    got: &Got,
) {
    let expected = &model.queue(name).messages[&got.id.0];
    assert_eq!(got.payload, expected.payload);
    assert_eq!(got.retry_count, expected.retries);
    assert_eq!(got.id.timestamp_ms(), expected.pushed_ms);
    let death = got.death.as_ref();
    assert_eq!(death.map(|death| death.from.clone()), expected.dead_from.map(queue));
    if let Some(death) = death {
        assert_eq!((death.at_ms, death.retries), (expected.dead_ms, expected.dead_retries));
        run.hit("dead");
    }
    assert!(!run.acknowledged.contains(&got.id), "acknowledged and delivered again");
    if let Some((receipt, until_ms)) = run.deliveries.get(&got.id) {
        assert!(got.receipt > *receipt, "receipts of a message rise");
        assert!(*until_ms <= server.now_ms, "delivered twice inside its visibility");
        run.hit("delivered again");
    }
    run.hit("delivered");
}

fn settle(random: &mut fastrand::Rng, server: &mut Server, model: &mut Model, run: &mut Run) {
    if run.seen.is_empty() {
        return;
    }
    let mut claims = Vec::new();
    let index = random.usize(..run.seen.len());
    let (which, claim) = run.seen[index];
    claims.push(claim);
    if random.u8(..4) == 0 {
        // Another one of the same queue, the same one twice, a wrong receipt, an unknown id.
        let others = run.seen.iter().filter(|(queue, _)| *queue == which);
        claims.extend(others.map(|(_, claim)| *claim).take(2));
        claims.push(Claim { id: claim.id, receipt: Receipt(claim.receipt.0 ^ 1) });
        claims.push(Claim { id: MessageId([0; 16]), receipt: claim.receipt });
    }
    if random.u8(..3) > 0 {
        run.seen.swap_remove(index);
    }
    let (name, now) = (NAMES[which], server.now_ms);
    let kind = random.u8(..10);
    let delay = random.bool().then(|| random.u64(..60));
    let visibility = random.u64(1..200);
    let settled = match kind {
        0..=4 => server.acknowledge(&queue(name), claims.clone()),
        5..=7 => server.give_back(&queue(name), claims.clone(), delay),
        _ => server.extend(&queue(name), claims.clone(), visibility),
    };
    assert_eq!(settled.len(), claims.len());
    for (claim, settled) in claims.iter().zip(settled) {
        let was_over =
            run.deliveries.get(&claim.id).is_some_and(|(_, until_ms)| *until_ms <= server.now_ms);
        let expected = match kind {
            0..=4 => model.acknowledge(name, claim.id.0, claim.receipt.0),
            5..=7 => model.give_back(name, claim.id.0, claim.receipt.0, now, delay),
            _ => model.extend(name, claim.id.0, claim.receipt.0, now, visibility),
        };
        let answer = match settled {
            Settled::Done(0) => 1,
            Settled::Done(until_ms) => until_ms as i64,
            Settled::NotFound => 0,
            Settled::BadReceipt => -1,
        };
        assert_eq!(answer, expected, "answer to {claim:?}");
        match (kind, expected) {
            (_, 0) => run.hit("not found"),
            (_, -1) => run.hit("bad receipt"),
            (0..=4, _) => {
                run.acknowledged.insert(claim.id);
                run.hit(if was_over { "acknowledged late" } else { "acknowledged" });
            }
            (5..=7, _) => {
                run.deliveries.insert(claim.id, (claim.receipt, 0));
                run.hit("given back");
            }
            _ => {
                run.deliveries.insert(claim.id, (claim.receipt, now + visibility));
                run.hit("extended");
            }
        }
    }
}

fn sweep(
    random: &mut fastrand::Rng,
    server: &mut Server,
    model: &mut Model,
    run: &mut Run,
    which: usize,
) {
    let limit = random.u32(1..5);
    let effects = server.sweep(&queue(NAMES[which]), limit);
    model.sweep(NAMES[which], server.now_ms, limit as usize);
    if effects.changed {
        run.hit("swept a part");
    }
}

fn configure(
    random: &mut fastrand::Rng,
    server: &mut Server,
    model: &mut Model,
    run: &mut Run,
    which: usize,
) {
    let name = NAMES[which];
    let number = random.u32(..4);
    let (setting, text) = match random.u8(..3) {
        0 => {
            let max = (number > 0).then(|| number - 1);
            model.queue(name).settings.max_retries = max;
            (Setting::MaxRetries, max.map(|max| max.to_string()))
        }
        1 => {
            model.queue(name).settings.backoff_ms = u64::from(number) * 20;
            (Setting::Backoff, (number > 0).then(|| (number * 20).to_string()))
        }
        _ => {
            model.queue(name).settings.backoff_max_ms = u64::from(number) * 30 + 10;
            (Setting::BackoffMax, Some((number * 30 + 10).to_string()))
        }
    };
    server.configure(&queue(name), setting, text.as_deref());
    run.hit("configured");
}

/// A new process that has only the log: what it remembered is gone. Its clock may have been set
/// back; receipts of a message must rise all the same, because its note knows the last one.
fn restart(random: &mut fastrand::Rng, server: &mut Server, run: &mut Run) {
    server.database = server.replayed();
    server.last_receipt = 0;
    run.hit("restarted");
    if random.u8(..4) == 0 {
        // What was over stays over: such a message may wait already.
        for (_, until_ms) in run.deliveries.values_mut().filter(|(_, ms)| *ms <= server.now_ms) {
            *until_ms = 0;
        }
        server.now_ms -= random.u64(1..100);
        run.hit("clock set back");
    }
}

fn check(server: &Server, model: &mut Model, run: &Run, step: usize) {
    let mut present = 0;
    for name in NAMES.into_iter().chain(["{orders}:dead:dead"]) {
        let queue = queue(name);
        let [ready, inflight, delayed] = model.counts(name);
        let waiting = server.len(&queue, Part::Ready) + server.len(&queue, Part::Ranked);
        assert_eq!(waiting, ready, "step {step}: ready in {name}");
        assert_eq!(server.len(&queue, Part::Inflight), inflight, "step {step}: in flight");
        assert_eq!(server.len(&queue, Part::Delayed), delayed, "step {step}: delayed");
        let bodies = server.len(&queue, Part::Messages) + server.len(&queue, Part::Ready);
        assert_eq!(bodies, ready + inflight + delayed, "step {step}: one body for each message");
        assert_eq!(server.store(&queue).highest_retry_count(), model.highest_retries(name));
        assert_eq!(server.len(&queue, Part::Damaged), 0);
        present += ready + inflight + delayed;
    }
    let gone = run.acknowledged.len() as u64;
    assert_eq!(run.pushed, present + gone, "step {step}: pushed = there + acknowledged");
    assert_eq!(server.counts.pushed, run.pushed);
    assert_eq!(server.counts.acked, gone);
}
