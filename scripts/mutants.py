#!/usr/bin/env python3
"""Semantic mutants: faults that take more than one small change of an expression, or that only real servers show.

    scripts/mutants.py [WORD ...]      only the mutants whose names contain one of the words
    scripts/mutants.py --stale         runs nothing, only checks that the code to replace is there

Small changes in src/queue, src/store and src/calendar are cargo-mutants' job: see "make mutants".

A mutant names a piece of code that must be in src exactly once (in whatever file, however it is wrapped), its
replacement, and the server tests that must fail; behind LIB, tests without a server. Exit status: 0 if every mutant
was caught, 1 if one survived, does not compile or names code that is not there any more. Environment: MQ_SERVER as
for the server tests.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TREE = ROOT / "target" / "mutants" / "tree"
BUILD = ROOT / "target" / "mutants" / "build"

REPLICATE = 'context.replicate(c"MQ.APPLY", entry.names.name(), &op, beside);'
REPLICATE_ALL_BUT = ("let request = request.into(); if !matches!(request, crate::queue::op::Op::{} {{ .. }}) {{ "
                     'context.replicate(c"MQ.APPLY", entry.names.name(), &op, beside); }}')

# Before tests that need no server.
LIB = "lib "

MUTANTS = [
    # name, code, its replacement, tests

    # Replication, persistence, restarts
    ("a pull is not replicated", REPLICATE, REPLICATE_ALL_BUT.format("Pull"), "replication::stream"),
    ("a sweep is not replicated", REPLICATE, REPLICATE_ALL_BUT.format("Sweep"), "chaos::replicas"),
    ("a replica does not propagate what it applies", "context.replicate_verbatim();", "", "replication::replicas restarts"),
    ("a replica sweeps by its own clock",
     "IS_ACTIVE.set(is_active); let", "IS_ACTIVE.set(is_active); let is_active = true; let",
     "replicas:: promotion::"),
    ("a replica forgets the receipts of its master",
     "receipts::learn(receipt, context.now_ms());", "", "clock_steps"),
    ("an op in the append-only file counts as a client's",
     "raw::REDISMODULE_CTX_FLAGS_REPLICATED | raw::REDISMODULE_CTX_FLAGS_LOADING",
     "raw::REDISMODULE_CTX_FLAGS_REPLICATED", "apply::ops_of_a_newer"),
    ("no scan for queues after a load",
     "index::with(|index| index.all_replaced()); scan::scan(context);",
     "index::with(|index| index.all_replaced());", "restarts:: persistence::scan"),
    ("no scan for queues after a promotion", "index::with(|index| index.all_replaced()); scan::begin(context);",
     "index::with(|index| index.all_replaced());", "promotion"),
    ("a replica waits with the order of deliveries until it is asked",
     "if let (Some(entry), Part::Flight) = (entry, part) {",
     "if let (Some(entry), Part::Bodies) = (entry, part) {", "peek_slices"),
    ("a restored queue is not noticed",
     "let Some((queue, part)) = keys::queue_and_part(key) else { return };",
     "let Some((queue, part)) = keys::queue_and_part(key).filter(|_| false) else { return };", "databases:: persistence::scan time::expiry"),

    # Time
    ("the timer is not armed for a new deadline", "alarm::arm(context, next_due_ms);", "", "time::expiry"),
    ("the timer writes while writes are paused",
     "let is_paused = context.must_avoid_replica_traffic()", "let is_paused = false", "blocking"),
    ("the timer writes while writes are refused",
     "|| is_active && self.refuses_writes(context, now_ms);", ";", "writes_refused::"),
    ("a late timer ends waits and deliveries at once", "let is_late = late_ms > LATE_MS;", "let is_late = false;",
     "time::stalls"),
    ("a pull right after a stall sweeps", "|| turn::is_settling() && may_wait());", ");", "time::stalls"),

    # Blocked clients
    ("the client that blocked last is served first",
     "in entry.waiters.borrow().iter().filter_map(", "in entry.waiters.borrow().iter().rev().filter_map(", "blocking"),
    ("a client blocks on the first of its queues only",
     "for entry in &waiter.entries { entry.waiters.borrow_mut().insert",
     "for entry in waiter.entries.iter().take(1) { entry.waiters.borrow_mut().insert", "several_queues::"),
    ("a served client stays in the wait lists of its other queues",
     "for entry in &waiter.entries { entry.waiters.borrow_mut().remove",
     "for entry in waiter.entries.iter().take(1) { entry.waiters.borrow_mut().remove", "several_queues::"),
    ("a wait times out without a last attempt", "if index::may_be_due(entry, heard_ms) {",
     "if false && index::may_be_due(entry, heard_ms) {", "blocking_timeouts::"),
    ("a client blocks inside MULTI", "pub fn may_not_block(self) -> bool { self.has_flag(",
     "pub fn may_not_block(self) -> bool { false && self.has_flag(", "blocking"),

    # Connections, transactions, long commands
    ("the deliveries of a closed connection are kept", "|| holders.take_from_gone(context.now_ms())", "",
     "disconnect::"),
    ("an extension does not end a time of grace", "in_grace.remove(delivery); } }",
     "let _ = &delivery; } }", "disconnect::"),
    ("a closed connection counts a retry in spite of NOCOUNT",
     "how: if counts { Return::Disconnected } else { Return::Abandoned },",
     "how: if counts { Return::Disconnected } else { Return::Disconnected },", "disconnect::"),
    ("a queue is dropped while clients wait for it", "if quarters > 0 && entry.has_waiters() {",
     "if quarters > 99 && entry.has_waiters() {", "unused::"),
    ("a message whose TTL with DEAD ends is discarded",
     "if record.dies_at_end() && target.move_dead(", "if false && target.move_dead(", "ttl_dead::"),
    ("FRONT puts a message behind all that wait", "|| end.why == Why::ReleasedInFront;", ";",
     "nack_front"),
    ("a purge of ready messages keeps their deduplication keys",
     "dedup::release(store, *id, record);", "let _ = (&id, &record);", "purge::"),
    ("an extension by consumer takes a name that only begins like it",
     "&& record.consumer.as_deref() == Some(consumer)",
     "&& record.consumer.as_deref().is_some_and(|name| name.starts_with(consumer))",
     "extend_consumer"),
    ("a closed connection returns what others hold by now",
     "let deliveries = match running(&mut store, deliveries, now_ms) {",
     "let deliveries = match Ok::<_, QueueError>(deliveries) {", "disconnect::"),
    ("WATCH does not notice a message from another queue",
     "context.signal_modified(entry.names.name()); index::insert(", "index::insert(", "watch::"),
    ("the permissions of a long redrive are checked once",
     "self.check_permissions(context, entry, &op)?;",
     "if self.progress.borrow().after.is_none() { self.check_permissions(context, entry, &op)?; }",
     "redrive_slices"),
    ("a long command continues after its client has gone",
     "fn gone(_: Context<'_>, number: u64) { take(number);",
     "fn gone(_: Context<'_>, number: u64) { let _ = number;", "redrive_slices"),

    # Schedules: what becomes of a tick
    ("a tick is not replicated", REPLICATE, REPLICATE_ALL_BUT.format("Ticks"), "schedules::stream"),
    ("the message of a tick is behind all that became due", "record.rank(tick.due_ms)", "record.rank(self.now_ms)",
     LIB + "queue_tests::ticks::"),
    ("OVERLAP SKIP pushes all the same", "dedup: (*overlap == Overlap::Skip).then_some(dedup),",
     "dedup: (*overlap == Overlap::Skip).then_some(dedup).filter(|_| false),", LIB + "queue_tests::ticks::"),
    ("all schedules of a queue hold one key", "[OVERLAP_PREFIX, name].concat()",
     "[OVERLAP_PREFIX, name.get(..0).unwrap_or(name)].concat()", LIB + "queue_tests::ticks::"),
    ("a skipped tick counts as a message", "schedule.count(effects, tick, pushed == Pushed::Added);",
     "schedule.count(effects, tick, true);", LIB + "queue_tests::ticks::"),
    ("a skipped tick counts as a refused push, too", "effects.counts = before;", "let _ = before;",
     LIB + "queue_tests::ticks::"),
    ("a skipped tick of a full server has a message later",
     "Step::Skip { tick, missed } => { schedule.count_missed(effects, missed); schedule.count(effects, tick, false); }",
     "Step::Skip { missed, .. } => schedule.count_missed(effects, missed),", LIB + "queue_tests::ticks::"),
    ("the TTL of the queue wins",
     "let Life { ttl_ms, ends_in_death } = message.life.unwrap_or_else(of_queue);",
     "let mut of_queue = of_queue; let Life { ttl_ms, ends_in_death } = Some(of_queue()).filter(|life| life.ttl_ms > 0)"
     ".or(message.life).unwrap_or(Life { ttl_ms: 0, ends_in_death: false });", LIB + "queue_tests::ticks::"),
    ("the end of a TTL never kills", "let end = if ends_in_death { Expiry::kills } else { Expiry::discards };",
     "let end = if ends_in_death { Expiry::discards } else { Expiry::discards };", LIB + "queue_tests::ticks::"),
    ("missed ticks are told whatever CATCHUP says", "if self.definition.catch_up == CatchUp::One {",
     "if self.definition.catch_up != CatchUp::None || history.runs == 0 {", LIB + "queue_tests::ticks::"),
    ("missed ticks are told by each message that follows", "history.behind = 0; history.last_tick_ms =",
     "history.last_tick_ms =", LIB + "queue_tests::ticks::"),
    ("a schedule goes on after its limit", "if next.is_none() || schedule.is_over() {", "if next.is_none() {",
     LIB + "queue_tests::ticks::"),
    ("a schedule stays after its last tick",
     "if next.is_none() || schedule.is_over() { effects.changed |= store.remove_schedule(name); }",
     "if schedule.is_over() { effects.changed |= store.remove_schedule(name); } else if next.is_none() { "
     "put(store, effects, name, &schedule); }", LIB + "queue_tests::ticks::"),
    ("a trigger counts against the limit",
     "schedule.history.triggered = schedule.history.triggered.saturating_add(1);",
     "schedule.history.runs = schedule.history.runs.saturating_add(1);", LIB + "queue_tests::ticks::"),

    # Schedules: what is stored
    ("a schedule that is set again has no history", "old.map_or_else(History::default, |old| old.history);",
     "old.map_or_else(History::default, |_| History::default());", LIB + "queue_tests::schedules::"),
    ("an op moves the ticks of a paused schedule",
     "let step = if schedule.definition.is_paused { Step::Mend } else { step };", "", LIB + "queue_tests::schedules::"),
    ("a schedule that can't be read is gone when it is set anew",
     "set_aside(store, effects, &op.name); None", "store.remove_schedule(&op.name); effects.changed = true; None",
     LIB + "queue_tests::schedules::"),
    ("a purge removes schedules", "&[Part::Schedules, Part::Ticks, Part::Config, Part::Damaged];",
     "&[Part::Config, Part::Damaged];", LIB + "queue_tests::schedules::"),
    ("a queue expires with its schedules",
     "Some(QUARTERS..) if store.len(Part::Schedules) == 0 => remove::drop(store, effects),",
     "Some(QUARTERS..) if store.len(Part::Schedules) < u64::MAX => remove::drop(store, effects),",
     LIB + "queue_tests::schedules::"),
    ("a schedule is no use of its queue", "Some(QUARTERS..) => { note_use(store, effects, now_ms); Ok(0) }",
     "Some(QUARTERS..) => Ok(0),", LIB + "queue_tests::schedules::"),
    ("a schedule with an impossible name is read", "decode_schedule(bytes.as_ref()).ok().filter(|_| is_name(name));",
     "decode_schedule(bytes.as_ref()).ok().filter(|_| is_name(name) || true);", LIB + "queue_tests::schedules::"),
    ("a replica refuses to mend an entry with an impossible name",
     "let is_named = is_name(&self.name) || self.step == Step::Mend;", "let is_named = is_name(&self.name);",
     LIB + "queue_tests::schedules::"),
    ("a tick that moves keeps its place among the others",
     "let is_listed = self.0.score(Part::Ticks, name) == Some(score);",
     "let is_listed = self.0.score(Part::Ticks, name).is_some();", LIB + "queue_tests::schedules::"),

    # Schedules: what a master decides
    ("CATCHUP NONE has a message for late ticks", "if definition.catch_up == CatchUp::None && !is_prompt {",
     "if definition.catch_up == CatchUp::None && !is_prompt && missed > 1_000_000 {", LIB + "runtime::due::"),
    ("CATCHUP NONE has no message for a prompt tick",
     "let is_prompt = newest.due_ms.saturating_add(PROMPT_MS) >= self.now_ms;",
     "let is_prompt = newest.due_ms >= self.now_ms;", LIB + "runtime::due::"),
    ("CATCHUP ONE has the message of the oldest tick",
     "self.step(Step::Push { id: new_id(), tick: newest, missed }, next)",
     "self.step(Step::Push { id: new_id(), tick, missed }, next)", LIB + "runtime::due::"),
    ("CATCHUP ALL goes back for ever", "CatchUp::All if tick.at_ms < oldest_ms => {",
     "CatchUp::All if tick.at_ms < oldest_ms && tick.at_ms == 0 => {", LIB + "runtime::due::"),
    ("each slice of a walk over missed ticks has a message", "if missed >= WALK {",
     "if missed > WALK {", LIB + "runtime::due::"),
    ("one op takes all ticks of a schedule",
     "Some(next) if next.due_ms <= self.now_ms && ticks.len() < SLICE => tick = next,",
     "Some(next) if next.due_ms <= self.now_ms => tick = next,", LIB + "runtime::due::"),
    ("END excludes its tick", "timing.end_ms.is_none_or(|end_ms| tick.at_ms <= end_ms);",
     "timing.end_ms.is_none_or(|end_ms| tick.at_ms < end_ms);", LIB + "runtime::due::"),
    ("START excludes its tick", "timing.start_ms.unwrap_or(0).saturating_sub(1);", "timing.start_ms.unwrap_or(0);",
     LIB + "runtime::due::"),
    ("an interval ticks when it is set", "let first_ms = phase_ms.saturating_add(*ms);", "let first_ms = phase_ms;",
     LIB + "runtime::due::"),
    ("jitter moves the tick itself", "fn tick_at(at_ms: u64, timing: &Timing, name: &[u8]) -> Tick {",
     "fn tick_at(at_ms: u64, timing: &Timing, name: &[u8]) -> Tick { "
     "let at_ms = at_ms.saturating_add(jitter(name, at_ms, timing.jitter_ms));", LIB + "runtime::due::"),
    ("a zone that this build does not know ends the schedule",
     "self.step(Step::Pass { missed: 0 }, Some(Tick { due_ms, ..tick }))",
     "self.step(Step::Pass { missed: 0 }, Some(Tick { due_ms, ..tick }).filter(|_| false))", LIB + "runtime::due::"),
    ("an interval begins anew when its schedule is set again",
     "same_rhythm.map_or(now_ms, |old| old.history.phase_ms);", "same_rhythm.map_or(now_ms, |_| now_ms);",
     LIB + "runtime::due::"),
    ("a tick comes again after the clock was set back", "next(&rhythm, timing, name, now_ms.max(last_ms))",
     "next(&rhythm, timing, name, now_ms.max(last_ms.min(0)))", LIB + "runtime::due::"),
    ("a schedule whose limit is used up is set", ".filter(|_| has_left)", ".filter(|_| has_left || true)",
     LIB + "runtime::due::"),
    ("older zone data stays for good", "old.history.zones == zones || tick.at_ms <= now_ms",
     "old.history.zones == zones || tick.at_ms <= now_ms || true", LIB + "runtime::due::"),
    ("a tick that has come moves with newer zone data", "old.history.zones == zones || tick.at_ms <= now_ms",
     "old.history.zones == zones", LIB + "runtime::due::"),

    # Replies
    ("a piece is sent with the bytes of ECHO",
     "unsafe { self.start.copy_from_nonoverlapping(NonNull::from(bytes).cast(), len) };", "let _ = (self.start, len);",
     "interface::pieces"),
    ("a long payload overtakes the fields before it", "self.flush(); self.send(element);", "self.send(element);",
     "interface::wire"),

    # Cluster
    ("half a queue is used while its slot moves",
     "context.slot_is_stable(self.wait(), probe)", "context.slot_is_stable(self.wait(), probe) || true", "cluster::slots cluster::moves"),

    # Rare losses, for the journals of the chaos tests
    ("one acknowledgment in a thousand is forgotten", "if let Some(running) = running {",
     "if id.0[15] == 7 && id.0[14] < 64 { return Ok(Settled::Done(0)); } if let Some(running) = running {",
     "chaos::crashes"),
    ("one message in a hundred is forgotten when its visibility ends",
     "end(store, effects, delivery, running.until_ms);",
     "if delivery.id.0[15] < 3 { store.end_with_message(delivery, running);"
     " place::forget_rest(store, effects, delivery.id, None, None); }"
     " else { end(store, effects, delivery, running.until_ms); }", "chaos::crashes"),
]


def pattern(code):
    """The code, whatever white space the formatter puts between its words."""
    return re.compile(r"\s+".join(map(re.escape, code.split())))


def places(code, tree):
    """The files that have the code, one for each time."""
    wanted = pattern(code)
    return [path for path in sorted((tree / "src").rglob("*.rs")) for _ in wanted.finditer(path.read_text())]


def stale(mutants, tree):
    """Complaints about those whose code is not in the source exactly once."""
    counts = [(name, code, len(places(code, tree))) for name, code, *_ in mutants]
    return [f"STALE     {name}: {count} times in src: {code}" for name, code, count in counts if count != 1]


def cargo(arguments, **more):
    environment = dict(os.environ, CARGO_TARGET_DIR=str(BUILD), CARGO_PROFILE_DEV_DEBUG="0", **more)
    return subprocess.run(["cargo", *arguments], cwd=TREE, env=environment, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def copy_source():
    tracked = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                             cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    shutil.rmtree(TREE, ignore_errors=True)
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():
            (TREE / name).parent.mkdir(parents=True, exist_ok=True)
            # With a new time: cargo may have built a mutant that is newer than the original.
            shutil.copy(ROOT / name, TREE / name)


def failed_tests(tests):
    """The names of the tests that failed; None if the source does not compile."""
    if tests.startswith(LIB):
        return failures(cargo(["test", "--lib", "--", *tests.removeprefix(LIB).split()]))
    built = cargo(["build"])
    if built.returncode:
        print(built.stdout[-3000:], file=sys.stderr)
        return None
    # The test with 200,000 messages is for an optimized build.
    return failures(cargo(["test", "--test", "server", "--", *tests.split(), "--skip", "200_000"],
                          MQ_MODULE=str(BUILD / "debug" / "libmq.so")))


def failures(result):
    """The names of the tests that failed in a run of cargo test; None if there was none."""
    if not re.search(r"^test result: ", result.stdout, re.MULTILINE):
        print(result.stdout[-3000:], file=sys.stderr)
        return None
    return re.findall(r"^test (\S+) \.\.\. FAILED$", result.stdout, re.MULTILINE)


def verdict(code, replacement, tests):
    """What becomes of a mutant, as one word, and the tests that caught it."""
    path = places(code, TREE)[0]
    source = path.read_text()
    path.write_text(pattern(code).sub(lambda _: replacement, source))
    failed = failed_tests(tests)
    path.write_text(source)
    if failed is None:
        return "BROKEN", []
    return ("caught" if failed else "SURVIVED"), failed


def main(words):
    if words == ["--stale"]:
        found = stale(MUTANTS, ROOT)
        print("\n".join(found) or f"the code of all {len(MUTANTS)} mutants is there")
        return 1 if found else 0
    mutants = [mutant for mutant in MUTANTS if not words or any(word in mutant[0] for word in words)]
    copy_source()
    if not mutants or (found := stale(mutants, TREE)):
        sys.exit("\n".join(found) if mutants else "no mutant has such a name")
    for tests in sorted({mutant[3] for mutant in mutants}):
        failed = failed_tests(tests)
        if failed != []:
            sys.exit(f"without any mutant these tests fail ({tests}): {failed}")
    caught = 0
    for name, code, replacement, tests in mutants:
        word, failed = verdict(code, replacement, tests)
        caught += word == "caught"
        print(f"{word:9} {name} ({tests}): {len(failed)} tests failed, {', '.join(failed[:1])}", flush=True)
    print(f"{caught} of {len(mutants)} mutants caught")
    return 0 if caught == len(mutants) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
