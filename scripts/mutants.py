#!/usr/bin/env python3
"""Plants small faults into a copy of the source, one at a time, and shows which test catches each.

    scripts/mutants.py [WORD ...]      only the faults whose names contain one of the words

A fault names a file, a text that must be in it exactly once, what takes its place, and the tests that
must fail: "lib" (rules and property test, no server) or a filter for the server tests. Exit status: 0
if every fault was caught, 1 if one was not or its text is not in the source any more.
Environment: MQ_SERVER as for the server tests.
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

FAULTS = [
    # name, file, text, what takes its place, tests
    ("a late ack does not check the receipt", "src/queue/acknowledge.rs",
     "&& note.last_receipt == claim.receipt.0", "", "lib"),
    ("a late ack is refused", "src/queue/acknowledge.rs",
     "note.ended == Ended::ByTime", "false", "lib"),
    ("an ack leaves the body behind", "src/queue/acknowledge.rs",
     "    store.remove_message(id);\n", "", "lib"),
    ("a message that was never delivered gets BADRECEIPT", "src/queue/acknowledge.rs",
     "!store.is_ranked(id) && !store.is_delayed(id)", "true", "lib"),
    ("the sweep forgets a delayed message", "src/queue/sweep.rs",
     "                store.add_ranked(id, Rank::plain(due_at_ms));\n", "", "lib"),
    ("visibility lasts a millisecond too long", "src/queue/sweep.rs",
     "if until_ms > moment.now_ms", "if until_ms >= moment.now_ms", "lib"),
    ("the sweep ignores its limit", "src/queue/sweep.rs",
     "        *left = left.saturating_sub(1);\n        match delivery", "        match delivery", "lib"),
    ("a return is not reported as a change", "src/queue/retry.rs",
     "    store.remove_inflight(delivery);\n    effects.changed = true;",
     "    store.remove_inflight(delivery);", "lib"),
    ("a message dies one delivery early", "src/queue/retry.rs",
     "retry_count > max", "retry_count >= max", "lib"),
    ("a dead message dies again", "src/queue/retry.rs",
     "        && note.death.is_none()\n", "", "lib"),
    ("a delivery that is over can be given back", "src/queue/retry.rs",
     "until > rule.now_ms", "until > 0", "lib"),
    ("a message that is given back goes first", "src/queue/retry.rs",
     "Ended::GivenBack => end.at_ms", "Ended::GivenBack => id.timestamp_ms()", "lib"),
    ("the backoff does not double", "src/queue/settings.rs",
     "1u64.checked_shl(doublings)", "1u64.checked_shl(doublings.min(0))", "lib"),
    ("receipts forget those before a restart", "src/queue/pull.rs",
     "note.last_receipt.saturating_add(1)", "note.last_receipt.min(0)", "lib"),
    ("a batch has no byte limit", "src/queue/pull.rs",
     "&& bytes <= BATCH_BYTES", "", "lib"),
    ("plain messages go before those that came back", "src/queue/pull.rs",
     "(rank, id) < (Rank::plain(ready.timestamp_ms()), ready)", "rank < Rank(0)", "lib"),
    ("a damaged record is dropped", "src/store/records.rs",
     "            self.0.push_back(Part::Damaged, bytes.as_ref());\n        }\n    }\n\n    fn add_message",
     "            drop(bytes);\n        }\n    }\n\n    fn add_message", "lib"),
    ("a dead message gets no place in its grave", "src/queue/dead_letter.rs",
     "    grave.add_ranked(id, Rank::plain(moment.now_ms));\n", "", "lib"),
    ("an op of another version is read", "src/store/record.rs",
     "if first != version", "if first > 200", "lib"),
    ("a pull is not replicated", "src/execute.rs",
     "    if effects.changed {\n        context.replicate(",
     "    if effects.changed && !matches!(op, Op::Pull { .. }) {\n        context.replicate(",
     "replication"),
    ("an applied op is not handed on", "src/execute.rs",
     "        context.replicate_verbatim();\n", "", "replication persistence"),
    ("the last client that waits is served first", "src/waiting.rs",
     "in entry.waiting.borrow().values() {", "in entry.waiting.borrow().values().rev() {", "blocking"),
    ("the timer writes while writes are held back", "src/timer.rs",
     "let is_paused = context.must_avoid_replica_traffic();", "let is_paused = false;", "blocking"),
    ("the timer is not armed for a new deadline", "src/state.rs",
     "                timer::arm(context, self, next_due_ms);\n", "", "expiry"),
    ("a client may block inside MULTI", "src/server/context.rs",
     "pub fn may_not_block(self) -> bool {\n        self.has_flag(",
     "pub fn may_not_block(self) -> bool {\n        false && self.has_flag(", "blocking"),
    ("a restored queue is not noticed", "src/events.rs",
     "let Some(queue) = keys::queue_of(key) else { return };",
     "let Some(queue) = keys::queue_of(key).filter(|_| false) else { return };",
     "databases scan expiry"),
    ("queues are not looked for after a load", "src/events.rs",
     "                scan::begin(context);\n", "", "persistence scan"),
    ("half a queue is used while its slot moves", "src/commands/mod.rs",
     "state.is_cluster.get() && !entry.names.slot_is_stable(context)", "false", "cluster"),
    ("a full server takes pushes", "src/commands/push.rs",
     '"write deny-oom fast"', '"write fast"', "maxmemory"),
    ("a replica sweeps by its own clock", "src/timer.rs",
     "let is_active = context.is_active_master();", "let is_active = true;", "replication promotion"),
    ("a client takes what those before it wait for", "src/waiting.rs",
     "is_none_or(|n| n > number)", "is_none_or(|_| true)", "several_queues::"),
    ("a client that is served stays in the other lines", "src/waiting.rs",
     "    for entry in &waiting.entries {\n            entry.waiting.borrow_mut().remove",
     "    for entry in waiting.entries.iter().take(1) {\n            entry.waiting.borrow_mut().remove",
     "several_queues::"),
    ("a client waits for the first of its queues only", "src/waiting.rs",
     "for entry in &waiting.entries {\n            entry.waiting.borrow_mut().insert",
     "for entry in waiting.entries.iter().take(1) {\n            entry.waiting.borrow_mut().insert",
     "several_queues::"),
    ("what a gone client held stays with it", "src/disconnect.rs",
     "|| take_from_gone(&state.disconnect)", "", "disconnect::"),
    ("a gone client gives back what others hold by now", "src/disconnect.rs",
     "let deliveries = match running(&mut store, claims, now_ms) {",
     "let deliveries = match Ok::<_, QueueError>(claims) {", "disconnect::"),
    ("ended deliveries of a connection are remembered for ever", "src/disconnect.rs",
     "|| look_at_crowded(context, &state.disconnect)", "", "disconnect::"),
    ("what is left is given back to a queue of the selected database", "src/disconnect.rs",
     "    if !context.select_db(entry.db) {\n        return true;\n    }\n    let now_ms", "    let now_ms",
     "disconnect::"),
    ("what a transaction pulled does not come back", "src/server/context.rs",
     "        api!(RedisModule_GetClientId(self.raw))\n    }",
     "        if self.has_flag(raw::REDISMODULE_CTX_FLAGS_MULTI) { return 0; }\n"
     "        api!(RedisModule_GetClientId(self.raw))\n    }", "disconnect::"),
]


def cargo(arguments, **more):
    environment = dict(os.environ, CARGO_TARGET_DIR=str(BUILD), MQ_PROPERTY_SECONDS="2", **more)
    return subprocess.run(["cargo", *arguments], cwd=TREE, env=environment, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def copy_source():
    tracked = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                             cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    shutil.rmtree(TREE, ignore_errors=True)
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():
            (TREE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, TREE / name)


def failed_tests(output):
    return re.findall(r"^test (\S+) \.\.\. FAILED$", output, re.MULTILINE)


def run_tests(tests):
    """The names of the tests that failed; None if the faulty source does not compile."""
    if tests == "lib":
        result = cargo(["test", "--lib", "--no-fail-fast"])
    else:
        built = cargo(["build"])
        if built.returncode:
            print(built.stdout[-3000:], file=sys.stderr)
            return None
        # The test with 200,000 messages is for an optimized build.
        result = cargo(["test", "--test", "server", "--", *tests.split(), "--skip", "200_000"],
                       MQ_MODULE=str(BUILD / "debug" / "libmq.so"))
    if not re.search(r"^test result: ", result.stdout, re.MULTILINE):
        print(result.stdout[-3000:], file=sys.stderr)
        return None
    return failed_tests(result.stdout)


def main(words):
    faults = [fault for fault in FAULTS if not words or any(word in fault[0] for word in words)]
    copy_source()
    for tests in sorted({fault[4] for fault in faults}):
        failed = run_tests(tests)
        if failed != []:
            sys.exit(f"without any fault these tests fail ({tests}): {failed}")
    survivors = 0
    for name, file, text, replacement, tests in faults:
        path = TREE / file
        source = path.read_text()
        if source.count(text) != 1:
            print(f"STALE     {name}: its text is {source.count(text)} times in {file}", flush=True)
            survivors += 1
            continue
        path.write_text(source.replace(text, replacement))
        failed = run_tests(tests)
        path.write_text(source)
        if failed:
            more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
            print(f"caught    {name}: {failed[0]}{more}", flush=True)
        else:
            print(f"{'BROKEN' if failed is None else 'SURVIVED'}  {name} ({tests})", flush=True)
            survivors += 1
    caught = len(faults) - survivors
    print(f"{caught} passed, {survivors} failed")
    return 1 if survivors or not faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
