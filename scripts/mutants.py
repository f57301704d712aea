#!/usr/bin/env python3
"""Plants small faults into a copy of the source, one at a time, and shows which test catches each.

    scripts/mutants.py [WORD ...]      only the faults whose names contain one of the words
    scripts/mutants.py --stale         runs nothing, only looks whether the texts are there

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
    ("a value may hide the queue that a command names", "src/commands/options.rs",
     "seen.map(|(value, _)| value) == self.find(token)", "seen.is_some() || true", "lib"),
    ("a token with a zero byte behind it is not taken for the token", "src/server/keys_of_command.rs",
     "argument.split(|byte| *byte == 0).next().unwrap_or_default()", "argument", "lib"),
    ("every server asks the module for the keys", "src/server/command.rs",
     "spec.keys_move() && !context.is_7_or_later()", "spec.keys_move()", "commands_described::"),
    ("MQ.MPULL takes queues of several slots", "src/commands/mod.rs",
     "if state.is_cluster.get() && !entry.queue().shares_slot_with(first.queue())", "if false",
     "keys::in_a_cluster"),
    ("MQ.MPULL has no key by which a cluster routes it", "src/server/describe.rs",
     "            if spec.counts_queues() {\n", "            if false {\n", "keys::in_a_cluster"),
    ("a late ack does not check the receipt", "src/queue/acknowledge.rs",
     "&& note.last_receipt == claim.receipt.0", "", "lib"),
    ("a late ack is refused", "src/queue/acknowledge.rs",
     "let is_last = note.ended == Ended::ByTime", "let is_last = false", "lib"),
    ("an ack leaves the body behind", "src/queue/place.rs",
     "    store.remove_message(id);\n", "", "lib"),
    ("a message that was never delivered gets BADRECEIPT", "src/queue/acknowledge.rs",
     "Ok(note) => !place::is_waiting(store, id, note.as_ref()),", "Ok(_) => true,", "lib"),
    ("the sweep forgets a delayed message", "src/queue/sweep.rs",
     "            place::make_ready(store, effects, id, &mut note, rank, slot);\n", "", "lib"),
    ("visibility lasts a millisecond too long", "src/queue/sweep.rs",
     "if until_ms > moment.now_ms", "if until_ms >= moment.now_ms", "lib"),
    ("the sweep ignores its limit", "src/queue/sweep.rs",
     "        *left = left.saturating_sub(1);\n        match delivery", "        match delivery", "lib"),
    ("a return is not reported as a change", "src/queue/place.rs",
     "    effects.changed = true;\n    if let (None, Some(member))", "    if let (None, Some(member))", "lib"),
    ("a message dies one delivery early", "src/queue/retry.rs",
     "retry_count > max", "retry_count >= max", "lib"),
    ("a dead message dies again", "src/queue/retry.rs",
     "        && note.death.is_none()\n", "", "lib"),
    ("a late extension counts the retry", "src/queue/extend.rs",
     "note.retry_count = note.retry_count.saturating_sub(1);", "", "lib"),
    ("a late extension leaves the retry count in the index", "src/queue/extend.rs",
     "    store.remove_note(claim.id, Some(&note));\n", "", "lib"),
    ("a late extension leaves the group's slot free", "src/queue/extend.rs",
     "slot, Some(Slot::Inflight));", "slot, slot);", "lib"),
    ("after a late extension the note knows the running receipt", "src/queue/extend.rs",
     "claim.receipt.0.saturating_sub(1);", "claim.receipt.0;", "lib"),
    ("an extension that comes before the sweep is refused", "src/queue/extend.rs",
     "if takes_late || running.until_ms > now_ms", "if running.until_ms > now_ms", "lib"),
    ("a late extension has no deadline", "src/queue/extend.rs",
     "    effects.next_due.add(running.until_ms);\n", "", "lib"),
    ("late extensions are taken under version 1", "src/queue/extend.rs",
     "store.rules() != Rules::V1", "true", "lib"),
    ("without VISIBILITY an extension shortens", "src/queue/extend.rs",
     "at_ms.max(old_ms)", "at_ms", "lib"),
    ("EXTEND without VISIBILITY sends what shortens", "src/commands/extend.rs",
     "Op::Prolong { now_ms,", "Op::Extend { now_ms,", "extend::"),
    ("a delivery that is over can be given back", "src/queue/retry.rs",
     "until_ms > rule.now_ms", "until_ms > 0", "lib"),
    ("a message that is given back goes first", "src/queue/retry.rs",
     "false => behind.rank(store, &note, end.at_ms),",
     "false => note.rank(id.timestamp_ms()),", "lib"),
    ("behind all that wait is not behind the list", "src/store/records.rs",
     "listed.max(ranked.map(", "Option::<Rank>::None.max(ranked.map(", "lib"),
    ("behind all that wait is not behind those in `ranked`", "src/store/records.rs",
     "        listed.max(ranked.map(|(_, score)| Rank::from_score(score)))", "        listed", "lib"),
    ("each of a batch goes behind the one before", "src/queue/place.rs",
     "*rank.get_or_insert_with(|| {", "*rank.insert({", "lib"),
    ("a place behind runs into the next priority", "src/queue/message.rs",
     "if next.is_multiple_of(LANE) { self } else { Self(next) }", "Self(next)", "lib"),
    ("a fraction of a rank is lost", "src/queue/message.rs",
     "self.0 as f64 / GRAIN as f64", "(self.0 / GRAIN) as f64", "lib"),
    ("a rescheduled message does not go behind", "src/queue/reschedule.rs",
     "Behind::default().rank(store, note, now_ms)", "{ let _ = store; note.rank(now_ms) }", "lib"),
    ("a dead letter does not go behind", "src/queue/dead_letter.rs",
     "behind.rank(grave, &epitaph, moment.now_ms);", "{ let _ = behind; epitaph.rank(moment.now_ms) };", "lib"),
    ("a redriven message does not go behind", "src/queue/redrive.rs",
     "behind.rank(target, &restored, now_ms);", "{ let _ = behind; restored.rank(now_ms) };", "lib"),
    ("aging takes the first of a priority by id", "src/queue/line.rs",
     "min_by_key(|(rank, id, _)| (*rank, *id))", "min_by_key(|(rank, id, _)| (rank.ready_since_ms(), *id))", "lib"),
    ("the backoff does not double", "src/queue/settings.rs",
     "1u64.checked_shl(doublings)", "1u64.checked_shl(doublings.min(0))", "lib"),
    ("by default nothing dies", "src/queue/settings.rs",
     "Rules::V2 => Some(25),", "Rules::V2 => None,", "lib"),
    ("by default nothing backs off", "src/queue/settings.rs",
     "Rules::V2 => 1_000,", "Rules::V2 => 0,", "lib"),
    ("a backoff above its maximum is accepted", "src/commands/config.rs",
     "if backoff_ms > backoff_max_ms {", "if false {", "config::"),
    ("what is stored of BACKOFFMAX is not compared", "src/commands/config.rs",
     "None => store.setting(setting),", "None => None,", "config::"),
    ("receipts forget those before a restart", "src/queue/pull.rs",
     "self.next.max(self.at_least).max(own)", "self.next.max(self.at_least)", "lib"),
    ("a receipt far ahead raises those of other messages", "src/queue/pull.rs",
     "if self.rules == Rules::V1 && is_receipt(receipt.next())", "if is_receipt(receipt.next())", "lib"),
    ("receipts of an op of 0.1.0 are not those of its master", "src/queue/pull.rs",
     "if self.rules == Rules::V1 && is_receipt(receipt.next())", "if false", "lib"),
    ("the process learns a receipt that a note asked for", "src/queue/pull.rs",
     "    effects.last_receipt = Some(with.receipts.next);\n    let receipt = with.receipts.give(note.as_deref());\n",
     "    let receipt = with.receipts.give(note.as_deref());\n    effects.last_receipt = Some(receipt);\n", "lib"),
    ("a message gets a receipt out of range", "src/queue/line.rs",
     "if !order.is_final && !is_receipt(note.next_receipt())", "if false", "lib"),
    ("a message that can get no receipt is not even delivered at most once", "src/queue/line.rs",
     "if !order.is_final && !is_receipt(note.next_receipt())", "if !is_receipt(note.next_receipt())", "lib"),
    ("a note with a receipt out of range is believed", "src/queue/valid.rs",
     "(self.last_receipt == 0 || is_receipt(Receipt(self.last_receipt)))", "true", "lib"),
    ("a delivery with a receipt out of range is believed", "src/store/members.rs",
     "is_receipt(receipt).then_some(Delivery { id, receipt })", "Some(Delivery { id, receipt })", "lib"),
    ("a receipt out of range acknowledges", "src/store/records.rs",
     "if !is_receipt(delivery.receipt)", "if false", "lib"),
    ("the receipts of a pull end out of range", "src/queue/op.rs",
     "is_receipt(first) && is_receipt(Receipt(last))", "is_receipt(first) && last > 0", "lib"),
    ("a receipt of another server is learned however far ahead it is", "src/receipts.rs",
     "        if is_near(receipt, now_ms) {", "        if true {", "lib"),
    ("receipts do not come back to the clock", "src/receipts.rs",
     "if is_near(next, now_ms) { clock.max(next) } else { clock }", "clock.max(next)", "lib"),
    ("a replica forgets the receipts of its master", "src/execute.rs",
     "state.receipts.learn(receipt, context.now_ms());", "", "clock_steps"),
    ("numbers in a group have no end", "src/queue/valid.rs",
     ".saturating_add(1).min(SEQUENCES - 1)", ".saturating_add(1)", "lib"),
    ("a record of a group out of range is believed", "src/queue/valid.rs",
     ".all(is_sequence)", ".all(|_| true)", "lib"),
    ("a number out of range in a group is believed", "src/store/members.rs",
     "is_sequence(sequence).then_some((group, sequence, MessageId(id.try_into().ok()?)))",
     "Some((group, sequence, MessageId(id.try_into().ok()?)))", "lib"),
    ("groups have no turns after the last ticket", "src/queue/group.rs",
     "        renumber(store);\n", "", "lib"),
    ("a pause out of range is believed", "src/store/records.rs",
     "number.filter(|number| is_memo(memo, *number))", "number", "lib"),
    ("a deduplication key out of range is believed", "src/store/record.rs",
     "if duplicate.is_valid()", "if true", "lib"),
    ("a batch has no byte limit", "src/queue/pull.rs",
     "&& bytes <= BATCH_BYTES", "", "lib"),
    ("plain messages go before those that came back", "src/queue/line.rs",
     "(Rank::new(priority, ready.timestamp_ms()), ready) < (rank, id)",
     "Rank::new(priority, ready.timestamp_ms().min(0)) < rank", "lib"),
    ("a damaged record is dropped", "src/store/records.rs",
     "            self.0.push_back(Part::Damaged, bytes.as_ref());\n            self.close_list(",
     "            drop(bytes);\n            self.close_list(", "lib"),
    ("a dead message gets no place in its grave", "src/queue/dead_letter.rs",
     "        place::make_ready(grave, &mut there, id, &mut epitaph, rank, None);\n", "", "lib"),
    ("the dead-letter queue is opened for each dead message", "src/queue/dead_letter.rs",
     "        self.0.get_or_init(", "        self.0.take();\n        self.0.get_or_init(", "lib"),
    ("an op of another version is read", "src/store/record.rs",
     "(&first, rest) if first == version => Ok(rest),", "(&first, rest) if first < 200 => Ok(rest),",
     "lib"),
    ("a pull is not replicated", "src/execute.rs",
     "    if effects.changed {\n        context.signal_modified(entry.names.name());\n"
     "        context.replicate(",
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
     "is_active.set(context.is_active_master()));\n                scan::begin(context);\n",
     "is_active.set(context.is_active_master()));\n", "persistence scan"),
    ("queues are not looked for after a promotion", "src/events.rs",
     "                if is_active {\n                    scan::begin(context);\n                }\n", "",
     "promotion"),
    ("half a queue is used while its slot moves", "src/commands/mod.rs",
     "state.is_cluster.get() && !entry.names.slot_is_stable(context)", "false", "cluster"),
    ("a full server takes pushes", "src/commands/push.rs",
     '"write deny-oom fast"', '"write fast"', "maxmemory"),
    ("a user sees the names of all queues", "src/commands/queues.rs",
     "user.as_ref().is_none_or(|user| user.may_name(name))", "user.is_none() | true", "acl_roles::"),
    ("a policy that may delete queues is not told when it is set", "src/events.rs",
     "Event::Configured => look_at_eviction(context),", "Event::Configured => {}", "maxmemory::"),
    ("a policy that may delete queues is not told at the start", "src/lib.rs",
     "        events::look_at_eviction(context);\n", "", "maxmemory::"),
    ("eviction is feared without a limit of memory", "src/server/info.rs",
     'is_some_and(|limit| limit != "0")', "is_some()", "maxmemory::"),
    ("a note goes when its message is set aside", "src/store/records.rs",
     "                self.0.push_back(Part::Damaged, bytes.as_ref());\n            }\n        }\n        self.remove_note",
     "                drop(bytes);\n            }\n        }\n        self.remove_note", "lib"),
    ("the module goes while clients have used it", "src/unload.rs",
     'names_command(list, "cmd=")', "list.is_empty()", "unload::"),
    ("a replica sweeps by its own clock", "src/timer.rs",
     "let is_active = context.is_active_master();", "let is_active = true;", "replication promotion"),
    ("a client takes what those before it wait for", "src/waiting.rs",
     "is_none_or(|n| n > number)", "is_none_or(|_| true)", "several_queues::"),
    ("a client that is served stays in the other lines", "src/waiting.rs",
     "    for entry in &waiting.entries {\n            entry.waiting.borrow_mut().remove",
     "    for entry in waiting.entries.iter().take(1) {\n            entry.waiting.borrow_mut().remove",
     "several_queues::"),
    ("a wait ends without a last attempt", "src/timer.rs",
     "if state.may_be_due(entry, now_ms) {", "if false && state.may_be_due(entry, now_ms) {",
     "blocking_times::"),
    ("a wait ends before its queues are served", "src/timer.rs",
     "if waiting.may_be_served() {", "if false && waiting.may_be_served() {", "blocking_times::"),
    ("the timer is not armed for the end of a wait", "src/timer.rs",
     "    arm(context, state, end_ms);\n", "", "blocking::"),
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

    # Seldom: only a load finds it.
    ("one acknowledgment in a thousand is forgotten", "src/queue/acknowledge.rs",
     "    let slot = if running.is_some() {",
     "    if id.0[15] == 7 && id.0[14] < 64 {\n        return Ok(Settled::Done(0));\n    }\n"
     "    let slot = if running.is_some() {", "chaos::crashes"),
    ("one message in a hundred is forgotten when its visibility ends", "src/queue/sweep.rs",
     "            Ok(delivery) => {\n                let returns = returns.get_or",
     "            Ok(delivery) if delivery.id.0[15] < 3 => {\n                store.remove_inflight(delivery);\n"
     "                place::forget(store, effects, delivery.id, None, None);\n            }\n"
     "            Ok(delivery) => {\n                let returns = returns.get_or", "chaos::crashes"),
    ("a sweep is not replicated", "src/execute.rs",
     "    if effects.changed {\n        context.signal_modified(entry.names.name());\n"
     "        context.replicate(",
     "    if effects.changed && !matches!(op, Op::Sweep { .. }) {\n"
     "        context.signal_modified(entry.names.name());\n        context.replicate(", "chaos::replicas"),

    # AT
    ("a moment that is past lets a message wait as delayed", "src/commands/arguments.rs",
     "(due_at_ms > now_ms).then_some(due_at_ms)", "Some(due_at_ms)", "lib"),
    ("AT counts from now", "src/commands/arguments.rs",
     "options.number(&AT).unwrap_or_else",
     "options.number(&AT).map(|ms| ms.saturating_add(now_ms)).unwrap_or_else", "lib"),
    ("DELAY 0 does not override the queue's delay", "src/commands/arguments.rs",
     "options.number(&DELAY).unwrap_or(",
     "options.number(&DELAY).filter(|ms| *ms > 0).unwrap_or(", "lib"),

    # TTL
    ("visibilities end before times to live", "src/queue/sweep.rs",
     "    discard_expired(store, effects, left, moment.now_ms);\n"
     "    return_overdue(store, effects, left, moment);\n",
     "    return_overdue(store, effects, left, moment);\n"
     "    discard_expired(store, effects, left, moment.now_ms);\n", "lib"),
    ("a message that comes back after its time waits again", "src/queue/retry.rs",
     "note.is_expired(moment.now_ms)", "note.is_expired(0)", "lib"),
    ("a message lives a millisecond too long", "src/queue/message.rs",
     "at_ms <= now_ms", "at_ms < now_ms", "lib"),
    ("the end of a message's time is watched in flight", "src/queue/place.rs",
     "    if note.expires_at_ms.is_some() {\n        store.remove_expiring(id);\n    }\n", "", "lib"),
    ("the end of a message's time is no deadline", "src/queue/place.rs",
     "        effects.next_due.add(at_ms);\n", "", "lib"),
    ("a pull delivers what its sweep had no room to discard", "src/queue/line.rs",
     "Origin::Ranked)?;\n            if let Some(at_ms) = taken.expired_at(order) {",
     "Origin::Ranked)?;\n            if let Some(at_ms) = None {", "lib"),
    ("a pull delivers what its sweep had no room to discard in a group", "src/queue/line.rs",
     "Origin::Group(first))?;\n            if let Some(at_ms) = taken.expired_at(order) {",
     "Origin::Group(first))?;\n            if let Some(at_ms) = None {", "lib"),
    ("a dead letter keeps its time to live", "src/queue/dead_letter.rs",
     "        expires_at_ms: None,\n", "", "lib"),
    ("a discarded message is not counted", "src/queue/sweep.rs",
     "                effects.counts.ttl_expired = effects.counts.ttl_expired.saturating_add(1);\n", "",
     "lib"),
    ("a discarded message stays in its group", "src/queue/sweep.rs",
     "place::forget(store, effects, id, Some(&note), slot);",
     "place::forget(store, effects, id, Some(&note), slot.and(None));", "lib"),
    ("TTL 0 does not override the queue's TTL", "src/commands/new_messages.rs",
     "options.number(&TTL).unwrap_or(", "options.number(&TTL).filter(|ms| *ms > 0).unwrap_or(",
     "lib"),

    # PRIORITY and AGING
    ("the lowest priority goes first", "src/queue/message.rs",
     "let lane = MAX_PRIORITY.saturating_sub(priority);", "let lane = priority;", "lib"),
    ("a message that comes back loses its priority", "src/queue/retry.rs",
     "    note.consumer = None;\n", "    note.consumer = None;\n    note.priority = 0;\n", "lib"),
    ("a dead letter's priority has an effect", "src/queue/message.rs",
     "if self.death.is_none() { self.priority } else { 0 }", "self.priority", "lib"),
    ("aging is not looked at", "src/queue/line.rs", "if order.aging_ms > 0\n", "if false\n", "lib"),
    ("a head is aged a millisecond early", "src/queue/line.rs",
     "> order.aging_ms;", ">= order.aging_ms;", "lib"),
    ("of aged heads the youngest goes first", "src/queue/line.rs",
     "since_ms < other_ms", "since_ms > other_ms", "lib"),
    ("of equally aged heads the lowest priority goes first", "src/queue/line.rs",
     "for priority in (0..=MAX_PRIORITY).rev() {", "for priority in 0..=MAX_PRIORITY {", "lib"),

    ("the list of a priority is not opened", "src/store/records.rs",
     "        if self.0.len(part) == 1 || is_first {", "        if false {", "lib"),
    ("the list of a priority is not closed", "src/store/records.rs",
     "            self.0.remove(Part::Lanes, &[mark.0]);\n", "", "lib"),
    ("what came back is not entered in lanes", "src/store/records.rs",
     "        self.open_lane(Part::Ranked, Mark::RANKED);\n", "", "lib"),
    ("the line of groups is not entered in lanes", "src/store/records.rs",
     "        if self.0.len(Part::Turns) == 1 {\n", "        if false {\n", "lib"),
    ("an empty line of groups stays in lanes", "src/store/records.rs",
     "        self.close_lane(Part::Turns, Mark::TURNS);\n", "", "lib"),
    ("lanes that somebody removed are not entered again", "src/store/records.rs",
     "self.0.len(part) == 1 || is_first {", "self.0.len(part) == 1 {", "lib"),
    ("the lane of groups that somebody removed is not entered with another one", "src/store/records.rs",
     "is_first && self.0.len(Part::Turns) > 0", "false", "lib"),
    ("a repair leaves lanes behind", "src/store/check/mod.rs",
     "        indexes::repair_lanes(keyspace);\n", "", "lib"),
    ("the lists of priorities are passed over", "src/store/records.rs",
     "self.0.last(Part::Lanes).map_or(0,", "self.0.last(Part::Lanes).filter(|_| false).map_or(0,", "lib"),
    ("messages in the lists of priorities have no length", "src/queue/limits.rs",
     "sum.saturating_add(store.len(list))", "sum.saturating_add(store.len(list).min(0))", "lib"),
    ("a message with a time to live stands in a list", "src/queue/push.rs",
     "note.group.is_none() && note.expires_at_ms.is_none()", "note.group.is_none()", "lib"),
    ("a pull does not know what a push said", "src/queue/line.rs",
     "store.written_note(id)?.map(Box::new).or_else(|| body.take_note())",
     "store.written_note(id)?.map(Box::new)", "lib"),
    ("a pull knows only what a push said", "src/queue/line.rs",
     "store.written_note(id)?.map(Box::new).or_else(|| body.take_note())",
     "body.take_note().or(store.written_note(id)?.map(Box::new))", "lib"),
    ("a message without a note is one of which nothing was said", "src/store/records.rs",
     "Ok(body) if body.id == id => Ok(body.terms.note()),", "Ok(body) if body.id == id => Ok(None),",
     "lib"),
    ("the body of another message says what ends with one", "src/store/records.rs",
     "Ok(body) if body.id == id => Ok(body.terms.note()),", "Ok(body) => Ok(body.terms.note()),", "lib"),

    # GROUP
    ("a returned message is the last of its group", "src/queue/group.rs",
     "member.sequence.get_or_insert(", "member.sequence.insert(", "lib"),
    ("a group keeps its turn", "src/queue/group.rs",
     "(Some(Slot::Waiting), to), None);", "(Some(Slot::Waiting), to), Some(Standing::InLine));", "lib"),
    ("a group goes to the end of the line when a message joins it", "src/queue/group.rs",
     "(from, Some(Slot::Waiting)), standing);", "(from, Some(Slot::Waiting)), standing.and(None));", "lib"),
    ("the messages of a group are named in the order of their arrival", "src/queue/group.rs",
     "group.head.partition_point(|other| *other < (sequence, id))", "group.head.len()", "lib"),
    ("a message is named before those that wait longer", "src/queue/group.rs",
     "is_last && (group.has_more() || index == Group::HEAD)", "is_last && index == Group::HEAD", "lib"),
    ("the record of a group names more and more", "src/queue/group.rs",
     "if group.head.len() > Group::HEAD\n", "if group.head.len() > usize::MAX - 1\n", "lib"),
    ("what stands behind the head of a group is forgotten", "src/queue/group.rs",
     "                fill_head(store, effects, &name, &mut group);\n", "", "lib"),
    ("a message that is named in the record of its group stands behind it, too", "src/queue/group.rs",
     "        store.remove_grouped(name, *sequence, *id);\n", "", "lib"),
    ("a message that leaves its group is named there still", "src/queue/group.rs",
     "    group.head.remove(index);\n", "", "lib"),
    ("a message behind the head of its group does not wait", "src/queue/group.rs",
     "contains(&(sequence, id)) || store.is_grouped(name, sequence, id)", "contains(&(sequence, id))", "lib"),
    ("a peek shows the head of a group only", "src/queue/group.rs",
     "if missing > 0 && group.has_more() {", "if false {", "lib"),
    ("a peek counts the groups that it passes as one message", "src/queue/look.rs",
     "skip = skip.saturating_sub(group.counts.waiting);", "skip = skip.saturating_sub(1);", "lib"),
    ("a group without a free slot is nowhere", "src/queue/group.rs",
     "Standing::Blocked => store.block(name),", "Standing::Blocked => store.remove_turn(name),", "lib"),
    ("a group without a free slot has its turn", "src/store/records.rs",
     "        (score < BLOCKED).then(|| group.as_ref().into())\n", "        (score < f64::MAX).then(|| group.as_ref().into())\n", "lib"),
    ("a group stands behind those without a free slot", "src/store/records.rs",
     "self.0.last_within(Part::Turns, LINE)", "self.0.last(Part::Turns)", "lib"),
    ("groups without a free slot count as deliverable", "src/store/records.rs",
     "self.0.count(Part::Turns, LINE)", "self.0.len(Part::Turns)", "lib"),
    ("what is in flight counts as waiting in groups", "src/queue/limits.rs",
     "[Part::Ranked, Part::Inflight, Part::Delayed].map(", "[Part::Ranked, Part::Delayed].map(", "lib"),
    ("a message that waits for its retry holds no slot", "src/queue/place.rs",
     "number_in_group(note).map(|_| Slot::Held)", "number_in_group(note).and(None)", "lib"),
    ("held messages do not count as busy", "src/queue/group.rs",
     "counts.inflight.saturating_add(counts.held)", "counts.inflight", "lib"),
    ("a group has a slot too many", "src/queue/group.rs",
     "counts.inflight.saturating_add(counts.held) < limit",
     "counts.inflight.saturating_add(counts.held) <= limit", "lib"),
    ("messages without a group get no turn", "src/queue/group.rs",
     "if ungrouped_waits && store.turn(", "if false && store.turn(", "lib"),
    ("messages without a group keep their turn", "src/queue/group.rs",
     "    if store.len(Part::Lanes) > 0 && store.len(Part::Turns) > 0 {\n        store.remove_turn(UNGROUPED);",
     "    if false {\n        store.remove_turn(UNGROUPED);", "lib"),
    ("messages without a group stay in the line alone", "src/queue/group.rs",
     "if store.len(Part::Turns) == 1 && store.turn", "if false && store.turn", "lib"),
    ("a dead message holds up its group", "src/queue/dead_letter.rs",
     "place::forget(store, effects, id, Some(note), Some(Slot::Inflight));",
     "place::forget(store, effects, id, Some(note), None);", "lib"),
    ("a dead letter is counted by its group", "src/queue/message.rs",
     "self.group.as_ref().filter(|_| self.death.is_none())", "self.group.as_ref()", "lib"),
    ("a message that joins its group late is forgotten to be in it", "src/queue/sweep.rs",
     "if stored.is_some_and(|stored| stored != note) {", "if false {", "lib"),
    ("another GROUPINFLIGHT holds for new messages only", "src/queue/configure.rs",
     "        group::settle_all(store, effects);\n", "", "lib"),
    ("a line whose mark somebody removed is not looked for", "src/queue/group.rs",
     "(store.len(Part::Ready) > 0 || store.len(Part::Turns) == 0)", "true", "lib"),
    ("groups are served before a plain list without a mark", "src/queue/group.rs",
     "(store.len(Part::Ready) > 0 || store.len(Part::Turns) == 0)", "store.len(Part::Turns) == 0", "lib"),
    ("a new group needs no line", "src/queue/group.rs",
     "== Standing::Nowhere {\n        require(store)?;\n", "== Standing::Nowhere {\n", "lib"),
    ("the first group needs no mark of the line", "src/queue/group.rs",
     "if store.len(Part::Turns) > 2 { Ok(())", "if true { Ok(())", "lib"),
    ("many messages need no room behind the head of their group", "src/queue/group.rs",
     "if group.has_more() || count > room {", "if group.has_more() {", "lib"),
    ("what stands behind the head of a group is not required", "src/queue/group.rs",
     "                store.require(&[Part::Grouped])?;\n", "", "lib"),
    ("messages that are pushed together have one number in their group", "src/queue/push.rs",
     "        member.sequence = None;\n", "", "lib"),
    ("the end of a life in a group is not noted", "src/queue/push.rs",
     "return place::let_expire(store, effects, id, note);", "return;", "lib"),
    ("of messages pushed together each finds the group as it was before all", "src/queue/push.rs",
     "note, group.as_mut());", "note, group.clone().as_mut());", "lib"),
    ("messages in the lists of priorities get no turn", "src/queue/group.rs",
     "store.top_lane().is_some() ||", "store.len(Part::Ready) > 0 ||", "lib"),
    ("beside groups no priority is seen", "src/queue/group.rs",
     "store.len(Part::Lanes) == 1 && store.len(Part::Turns) > 0", "store.len(Part::Turns) > 0", "lib"),
    ("a group that is free again wakes nobody", "src/queue/group.rs",
     "    effects.became_ready |= is_servable;\n", "", "lib"),

    ("a message that is acknowledged late still holds its slot", "src/queue/place.rs",
     "store.remove_delayed(id) {\n        slot_when_delayed(note)",
     "store.remove_delayed(id) {\n        None", "lib"),
    ("a busy group stays in the line", "src/queue/group.rs",
     "        Standing::Blocked => store.block(name),\n        Standing::Nowhere => store.remove_turn(name),\n",
     "        Standing::Blocked | Standing::Nowhere => {}\n", "lib"),

    ("a message does not say its number in its group", "src/queue/push.rs",
     "store.add_message(&message(Some(note)));", "store.add_message(&message(None));", "lib"),

    # DEDUP
    ("a key holds after its window", "src/queue/dedup.rs", "until_ms > dedup.now_ms", "until_ms > 0",
     "lib"),
    ("a window ends a millisecond late", "src/queue/dedup.rs",
     "until_ms > dedup.now_ms", "until_ms >= dedup.now_ms", "lib"),
    ("a key is not released when its message is gone", "src/queue/place.rs",
     "        dedup::release(store, id, note);\n", "", "lib"),
    ("a message that a list delivers for good keeps its key", "src/queue/pull.rs",
     "Some(note) if is_listed => dedup::release(store, body.id(), note),",
     "Some(_) if is_listed => {}", "lib"),
    ("a dead message keeps its key", "src/queue/dead_letter.rs", "        dedup: None,\n", "", "lib"),
    ("a full queue refuses duplicates", "src/queue/push.rs",
     "    let key = with.and_then(|with| with.dedup.as_ref());\n",
     "    let key = with.and_then(|with| with.dedup.as_ref());\n"
     "    if limits::is_full(store, messages.len())? {\n"
     "        effects.counts.refused_full = messages.len() as u64;\n"
     "        return Ok(Pushed::Full);\n    }\n", "lib"),
    ("a duplicate is not counted", "src/queue/push.rs",
     "        effects.counts.deduplicated = 1;\n", "", "lib"),
    ("the sweep leaves keys whose time is over", "src/queue/sweep.rs",
     "    dedup::sweep(store, effects, &mut left, now_ms);\n", "", "lib"),
    ("a key held UNTILDONE keeps the window that it had before", "src/queue/dedup.rs",
     "        store.remove_deduped(dedup.key);\n", "", "lib"),
    ("the sweep frees a key that is held UNTILDONE", "src/queue/dedup.rs",
     "if has_window(store.duplicate(&key)) {", "if true {", "lib"),
    ("the end of a window is no deadline", "src/queue/dedup.rs",
     "        effects.next_due.add(until_ms);\n", "", "lib"),
    ("the queue's DEDUPWINDOW is not looked at", "src/commands/new_messages.rs",
     "setting(store, Setting::DedupWindow)?", "Setting::DedupWindow.default_number()", "lib"),
    ("a duplicate is answered with an id of its own", "src/commands/push.rs",
     "Pushed::Duplicate(first) => reply::id(context, first)",
     "Pushed::Duplicate(_) => reply::id(context, id)", "dedup"),

    # HEADERS
    ("headers are not stored", "src/queue/push.rs",
     "with.map_or([].as_slice(), |with| with.headers.as_slice())",
     "with.map_or([].as_slice(), |_| [].as_slice())", "lib"),
    ("a body with headers looks like one without", "src/store/body.rs",
     "message.note.is_some() || !message.headers.is_empty()", "message.note.is_some()", "lib"),
    ("two headers may have the same name", "src/commands/headers.rs",
     "headers.iter().any(|other| other.name == name)", "false", "lib"),
    ("the names of headers have no length", "src/commands/headers.rs",
     "bytes.saturating_add(name.len()).saturating_add(value.len())",
     "bytes.saturating_add(value.len())", "lib"),

    # MPUSH and MAXLEN
    ("several messages are pushed where there is room for one", "src/queue/push.rs",
     "limits::is_full(store, messages.len())?", "limits::is_full(store, 1)?", "lib"),
    ("delayed messages have no length", "src/queue/limits.rs",
     "store.len(Part::Inflight).saturating_add(store.len(Part::Delayed))", "store.len(Part::Inflight)",
     "lib"),
    ("a full queue takes one more", "src/queue/limits.rs",
     "(more as u64) > max_len", "(more as u64) > max_len.saturating_add(1)", "lib"),
    ("a push that is refused is not counted", "src/queue/push.rs",
     "        effects.counts.refused_full = messages.len() as u64;\n", "", "lib"),
    ("a push to a full queue is answered as if it were done", "src/commands/new_messages.rs",
     "Outcome::Pushed(Pushed::Full) => Err(CommandError::QueueFull),",
     "Outcome::Pushed(Pushed::Full) => Ok(Pushed::Added),", "mpush"),

    # PULL
    ("a pull acknowledges after what is due came back", "src/queue/pull.rs",
     "    let mut pulled = Pulled::nothing();\n    if !pull.acknowledged",
     "    let mut pulled = Pulled::nothing();\n"
     "    if pull.sweep.limit > 0 {\n"
     "        sweep::sweep_messages(store, effects, pull.now_ms, pull.sweep)?;\n    }\n"
     "    if !pull.acknowledged", "lib"),
    ("a pull delivers before it acknowledges", "src/queue/pull.rs",
     "    let mut pulled = Pulled::nothing();\n    if !pull.acknowledged",
     "    let mut pulled = Pulled::nothing();\n    deliver(store, effects, pull, &mut pulled);\n"
     "    if !pull.acknowledged", "lib"),
    ("an acknowledgment with a pull is never late", "src/queue/pull.rs",
     "pull.acknowledged, Some(pull.now_ms))?;", "pull.acknowledged, None)?;", "lib"),
    ("a message that is delivered for good is kept", "src/queue/pull.rs",
     "        _ => place::forget(store, effects, body.id(), note.as_deref(), None),\n",
     "        _ => {}\n", "lib"),
    ("deliveries for good do not count in the rate", "src/queue/pull.rs",
     "        limits::note_deliveries(store, effects, effects.counts.pulled, pull.now_ms);\n",
     "        if pull.delivery != Mode::Final {\n"
     "            limits::note_deliveries(store, effects, effects.counts.pulled, pull.now_ms);\n"
     "        }\n", "lib"),
    ("a delivery for good holds a slot of its group", "src/queue/pull.rs",
     "pass_turn(store, effects, note.as_deref(), from, None);",
     "pass_turn(store, effects, note.as_deref(), from, Some(Slot::Inflight));", "lib"),
    ("a consumer's name is not kept", "src/queue/pull.rs",
     "        note.consumer = Some(consumer.into());\n",
     "        let _ = consumer;\n", "lib"),
    ("a consumer's name is not written down", "src/queue/pull.rs",
     "        store.put_note(id, note);\n", "", "lib"),
    ("a delivery does not say that something ends with the message", "src/queue/pull.rs",
     "note.binds());\n    store.put_inflight", "note.death.is_some());\n    store.put_inflight", "lib"),
    ("each delivery says that something ends with the message", "src/store/members.rs",
     "if running.binds { 0.5 }", "if true { 0.5 }", "lib"),
    ("an extension forgets that something ends with the message", "src/queue/extend.rs",
     "Running { until_ms, ..running }", "Running { until_ms, binds: false }", "lib"),
    ("an acknowledgment believes the body where there is a note", "src/queue/acknowledge.rs",
     "running.binds) {\n        store.note(id)\n",
     "running.binds) {\n"
     "        use super::message::Body;\n"
     "        let said = store.message(id);\n"
     "        said.map(|body| body.and_then(|mut body| body.take_note()).map(|note| *note))\n", "lib"),
    ("a consumer's name stays when the message comes back", "src/queue/retry.rs",
     "    note.consumer = None;\n", "", "lib"),
    ("what became of acknowledgments is not replied", "src/commands/pull.rs",
     "        if let Some(settled) = &self.settled {\n            context.reply_array(2);",
     "        if let Some(settled) = self.settled.as_ref().filter(|_| false) {\n"
     "            context.reply_array(2);", "pull_with_ack"),
    ("a client that has to line up acknowledges nothing", "src/commands/pull.rs",
     "(entries.first(), acknowledged.take()) {",
     "(entries.first(), acknowledged.take().filter(|_| false)) {", "lines_up_behind"),
    ("the last queue that has something goes first", "src/commands/pull.rs",
     "        for entry in entries {\n            let has_acknowledged",
     "        for entry in entries.iter().rev() {\n            let has_acknowledged", "mpull"),

    # NACK, and what comes back when a connection ends
    ("a disconnect is no retry", "src/queue/retry.rs",
     "Return::Disconnected => Why::Disconnected", "Return::Disconnected => Why::Released", "lib"),
    ("after a disconnect nothing is acknowledged late", "src/queue/retry.rs",
     "Return::Disconnected => Why::Disconnected", "Return::Disconnected => Why::GivenBack", "lib"),
    ("NOCOUNT counts", "src/queue/retry.rs",
     "Return::Uncounted => Why::Released", "Return::Uncounted => Why::GivenBack", "lib"),
    ("NOCOUNT returns to the old place", "src/queue/retry.rs",
     "let rank = match end.why.is_by_itself() {",
     "let rank = match end.why.is_by_itself() || end.why == Why::Released {", "lib"),
    ("a message whose visibility ended backs off", "src/queue/retry.rs",
     "if end.why != Why::RanOut || store.rules() == Rules::V1 {", "if true {", "lib"),
    ("ops of 0.1.0 have the rules of this release", "src/store/record.rs",
     "FIRST_OF_2) => Rules::V1,", "FIRST_OF_2) => Rules::V2,", "lib"),
    ("a rejected message waits again", "src/queue/retry.rs",
     "Return::Rejected => Why::Rejected", "Return::Rejected => Why::GivenBack", "lib"),
    ("a dead letter can be rejected", "src/queue/retry.rs",
     "                return Err(QueueError::AlreadyDead);\n", "", "lib"),
    ("a rejected message that can't die is not counted", "src/queue/retry.rs",
     "if end.why != Why::Released {", "if !matches!(end.why, Why::Released | Why::Rejected) {", "lib"),
    ("a rejected message died of its retries", "src/queue/retry.rs",
     "(DeathReason::Rejected, moment)", "(DeathReason::Retries, moment)", "lib"),
    ("a return without a reason clears the last one", "src/queue/retry.rs",
     "    if let Some(reason) = end.reason {\n        note.last_error = Some(reason.to_vec());\n    }\n",
     "    note.last_error = end.reason.map(<[u8]>::to_vec);\n", "lib"),
    ("a dead letter has no reason", "src/queue/dead_letter.rs",
     "        dedup: None,\n", "        dedup: None,\n        last_error: None,\n", "lib"),
    ("a long reason is cut inside of a character", "src/commands/nack.rs",
     "if rest.first().is_none_or(|byte| !is_continuation(*byte)) {", "if true {", "lib"),

    # PEEK, GET
    ("a peek shows the last one first", "src/queue/look.rs",
     "heads.iter().min_by_key(|head| (head.rank, head.id))",
     "heads.iter().max_by_key(|head| (head.rank, head.id))", "lib"),
    ("a peek does not know of aging", "src/queue/look.rs",
     "self.aging_ms > 0 && age_ms(head)", "false && age_ms(head)", "lib"),
    ("an offset goes past lists that aging mixes", "src/queue/look.rs",
     "store.len(Part::Ranked) == 0 && self.aging_ms == 0", "store.len(Part::Ranked) == 0", "lib"),
    ("an offset counts for each list anew", "src/queue/look.rs",
     "            skip = skip.saturating_sub(lane.listed.total);\n", "", "lib"),
    ("an offset does not reach into groups", "src/queue/look.rs",
     "waiting_in_groups(store, skip.saturating_sub(ungrouped), missing)",
     "waiting_in_groups(store, 0, missing)", "lib"),
    ("a message in flight is found as ready", "src/queue/look.rs",
     "Some((_, until_ms)) => State::Inflight(until_ms),", "Some(_) => State::Ready,", "lib"),
    ("a delayed message is found as ready", "src/queue/look.rs",
     "Some(due_at_ms) => State::Delayed(due_at_ms),", "Some(_) => State::Ready,", "lib"),

    # DEL, PURGE, DROP, RESCHEDULE, REDRIVE
    ("the delivery of a deleted message runs on", "src/queue/remove.rs",
     "        store.remove_inflight(delivery);\n", "", "lib"),
    ("a deleted message in flight holds up its group", "src/queue/remove.rs",
     "note.as_ref(), Some(Slot::Inflight));", "note.as_ref(), None);", "lib"),
    ("a plain message is not deleted", "src/queue/remove.rs",
     "        store.remove_ready(priority, &body);\n", "        let _ = priority;\n", "lib"),
    ("a message with a priority is not found in its list", "src/queue/remove.rs",
     "store.lanes().into_iter().chain([0])", "[0]", "lib"),
    ("a message that is deleted from a list keeps its key", "src/queue/remove.rs",
     "            dedup::release(store, body.id(), &note);\n", "            let _ = note;\n", "lib"),
    ("a purge leaves deduplication keys", "src/queue/remove.rs",
     "Part::Config | Part::Damaged)", "Part::Config | Part::Damaged | Part::Dedup)", "lib"),
    ("a purge removes settings", "src/queue/remove.rs",
     "matches!(part, Part::Config | Part::Damaged)", "matches!(part, Part::Damaged)", "lib"),
    ("a drop leaves what is damaged", "src/queue/remove.rs",
     "    clear(store, effects, Part::Damaged);\n", "", "lib"),
    ("a drop leaves settings", "src/queue/remove.rs",
     "    clear(store, effects, Part::Config);\n", "", "lib"),
    ("a message that is rescheduled to now waits for the sweep", "src/queue/reschedule.rs",
     "if due_at_ms <= now_ms {", "if due_at_ms < now_ms {", "lib"),
    ("a rescheduled message overtakes those that wait", "src/queue/reschedule.rs",
     "Behind::default().rank(store, note, now_ms)", "{ let _ = store; note.rank(id.timestamp_ms()) }", "lib"),
    ("another moment is no deadline", "src/queue/reschedule.rs",
     "        effects.next_due.add(due_at_ms);\n", "", "lib"),
    ("the latest death goes back first", "src/queue/redrive.rs",
     "for id in store.dead(request.count.into()) {",
     "for id in store.dead(request.count.into()).into_iter().rev() {", "lib"),
    ("a message that went back keeps its retry count", "src/queue/redrive.rs",
     "Note { retry_count: 0, ended", "Note { ended", "lib"),
    ("a message that went back overtakes its group", "src/queue/dead_letter.rs",
     "        member.sequence = None;\n", "        let _ = member;\n", "lib"),
    ("a message that went back overtakes those that wait", "src/queue/redrive.rs",
     "&mut restored, rank, None", "&mut restored, note.rank(id.timestamp_ms()), None", "lib"),
    ("a dead letter that can't go back is counted", "src/queue/redrive.rs",
     "let Some((target, behind)) = target else { continue };",
     "let Some((target, behind)) = target else { moved = moved.saturating_add(1); continue };", "lib"),
    ("TO is not looked at", "src/queue/redrive.rs",
     "request.to.unwrap_or(&death.from).clone()", "death.from.clone()", "lib"),
    ("a message that went back wakes nobody", "src/queue/redrive.rs",
     "            effects.others.insert(target.queue().clone());\n", "", "lib"),
    ("dead letters go back to another slot", "src/queue/redrive.rs",
     "let is_elsewhere = request.same_slot && ", "let is_elsewhere = false && ", "lib"),

    ("a user looks into a dead-letter queue without permission", "src/commands/dead_letters.rs",
     "Some(_) => return Err(CommandError::NoDeadLetterPermission),", "Some(_) => {}", "dead_view"),
    ("a view of the dead leaves the slot", "src/commands/dead_letters.rs",
     "    if super::is_same_slot_only() && ", "    if false && ", "dead_view"),
    ("dead letters go where the user may not write", "src/commands/redrive.rs",
     "Some(_) => return Err(CommandError::NoPermission),", "Some(_) => {}", "redrive_access"),

    # PAUSE, MAXINFLIGHT, RATE
    ("a paused queue delivers", "src/queue/limits.rs",
     "    if is_paused(store, now_ms) {", "    if false {", "lib"),
    ("a pause without an end ends at once", "src/queue/limits.rs",
     "until_ms == 0 || until_ms > now_ms", "until_ms > now_ms", "lib"),
    ("a pause lasts a millisecond too long", "src/queue/limits.rs",
     "until_ms == 0 || until_ms > now_ms", "until_ms == 0 || until_ms >= now_ms", "lib"),
    ("a second pause does not replace the first", "src/queue/pause.rs",
     "if store.memo(Memo::PausedUntil) != Some(stored) {",
     "if store.memo(Memo::PausedUntil).is_none() {", "lib"),
    ("a resume wakes nobody", "src/queue/pause.rs", "    effects.became_ready = true;\n", "", "lib"),
    ("the end of a pause is no deadline", "src/queue/pause.rs",
     "        effects.next_due.add(until_ms);\n", "", "lib"),
    ("a batch goes over MAXINFLIGHT", "src/queue/limits.rs",
     "max => max.saturating_sub(store.len(Part::Inflight)),",
     "max if store.len(Part::Inflight) < max => max,\n        _ => 0,", "lib"),
    ("NOACK does not mind MAXINFLIGHT", "src/queue/limits.rs",
     "Mode::Final if max_inflight > 0 => u64::MAX", "Mode::Final => u64::MAX", "lib"),
    ("room under MAXINFLIGHT is not noticed", "src/queue/acknowledge.rs",
     "    effects.delivery_ended = true;\n", "", "lib"),
    ("a raised limit wakes nobody", "src/queue/configure.rs",
     "        effects.became_ready = true;\n", "", "lib"),
    ("a window of the rate counts its first delivery only", "src/queue/limits.rs",
     "Window { count: window.count.saturating_add(count), ..window }", "window", "lib"),
    ("a window of the rate lasts a millisecond too long", "src/queue/limits.rs",
     "(start_ms..end_ms).contains", "(start_ms..=end_ms).contains", "lib"),
    ("a clock that was set back does not end a window of the rate", "src/queue/limits.rs",
     "(start_ms..end_ms).contains(&now_ms).then_some", "(now_ms < end_ms).then_some", "lib"),
    ("a window that is used up is no deadline", "src/queue/limits.rs",
     "        effects.next_due.add(window.end_ms);\n", "", "lib"),
    ("a pull that the rate sends away does not say until when", "src/queue/pull.rs",
     "        effects.next_due.add(opening_ms);\n", "", "lib"),
    ("the sweep forgets when a window of the rate opens", "src/queue/sweep.rs",
     "of_messages.into_iter().chain(opening).chain(key)",
     "of_messages.into_iter().chain(opening.filter(|_| false)).chain(key)", "lib"),
    ("what becomes ready wakes nobody", "src/queue/place.rs",
     "        effects.became_ready = true;\n", "", "lib"),

    # INFO
    ("messages without a priority are not shown with the others", "src/queue/look.rs",
     "for priority in (0..=MAX_PRIORITY).rev() {", "for priority in (1..=MAX_PRIORITY).rev() {", "lib"),
    ("priorities are counted without their lists", "src/queue/look.rs",
     "store.count_ranked(priority).saturating_add(listed)",
     "store.count_ranked(priority).saturating_add(listed.min(0))", "lib"),
    ("a priority is no age", "src/queue/look.rs",
     "for priority in 0..=MAX_PRIORITY {", "for priority in 0..=0 {", "lib"),
    ("the age of a delivery is that of its message", "src/queue/look.rs",
     "delivery.receipt.timestamp_ms()", "delivery.id.timestamp_ms()", "lib"),
    ("the number of groups is that of turns", "src/commands/info.rs",
     '("groups", store.len(Part::Groups))', '("groups", store.len(Part::Turns))', "info_features"),
    ("the rate's window is not shown", "src/commands/info.rs",
     "store.memo(Memo::RateWindowCount).unwrap_or(0)", "0", "info_features"),
    ("a counter of INFO is another one", "src/commands/info.rs",
     '(c"redriven", counts.redriven)', '(c"redriven", counts.dead)', "info_features"),

    # CHECK
    ("a check does not count a place without a body", "src/store/check/read.rs",
     "            plan.count(if is_ready { Finding::TwoPlaces } else { Finding::PlaceWithoutBody });\n",
     "            if is_ready {\n                plan.count(Finding::TwoPlaces);\n            }\n",
     "lib"),
    ("a check does not count a missing turn", "src/store/check/indexes.rs",
     "        plan.count(Finding::WrongTurn);\n        plan.change(Change::Add(Part::Turns, name, last",
     "        plan.change(Change::Add(Part::Turns, name, last", "lib"),
    ("a check does not count a group without a free slot that is missing", "src/store/check/indexes.rs",
     "        plan.count(Finding::WrongTurn);\n        plan.change(Change::Add(Part::Turns, name, TICKETS",
     "        plan.change(Change::Add(Part::Turns, name, TICKETS", "lib"),
    ("a check does not read the heads of groups", "src/store/check/read.rs",
     "        found.read_groups(keyspace, plan);\n", "", "lib"),
    ("a check does not compare the order of a group", "src/store/check/indexes.rs",
     "record.counts == counts && is_first(&record.head)", "record.counts == counts", "lib"),
    ("a repair does not put messages behind the head of their group", "src/store/check/indexes.rs",
     "    for change in differences(keyspace, Part::Grouped, behind) {\n        plan.change(change);\n    }\n",
     "    drop(behind);\n", "lib"),
    ("a check does not count a group without messages", "src/store/check/indexes.rs",
     "    for (name, _) in stored {\n        plan.count(Finding::WrongGroup);\n",
     "    for (name, _) in stored {\n", "lib"),
    ("a check does not know of held messages", "src/store/check/indexes.rs",
     "            _ if is_delayed => &mut counts.held,\n", "", "lib"),
    ("a repair drops a body", "src/store/check/mod.rs",
     "                    keyspace.push_back(Part::Damaged, body.as_ref());\n",
     "                    let _ = body;\n", "lib"),
    ("a repair drops what can't be read", "src/store/check/mod.rs",
     "Self::SetAside(bytes) => keyspace.push_back(Part::Damaged, bytes),",
     "Self::SetAside(_) => {}", "lib"),
    ("a repair drops the other body of an id", "src/store/check/mod.rs",
     "if first != bytes.as_ref() {", "if false {", "lib"),
    ("a repair leaves a body in the list of another priority", "src/store/check/mod.rs",
     "if home == list {", "if home == list || true {", "lib"),
    ("a check does not compare the priorities with their lists", "src/store/check/mod.rs",
     "        indexes::lanes(keyspace, &mut plan);\n", "", "lib"),
    ("a check does not miss the note of a message in flight", "src/store/check/messages.rs",
     "needs_note(message) && !message.is_noted", "false", "lib"),
    ("a repair wakes nobody", "src/queue/repair.rs", "    effects.became_ready = true;\n", "", "lib"),
    ("a repair forgets the deadlines of keys", "src/queue/repair.rs",
     "chain(release).chain(key)", "chain(release).chain(key.filter(|_| false))", "lib"),

    # Replication
    ("a pause without an end is no op that is replayed", "src/queue/op.rs",
     "until_ms.is_none_or(|ms| ms > 0 && is_timestamp(ms))",
     "until_ms.is_some_and(|ms| ms > 0 && is_timestamp(ms))", "lib"),
    ("a purge is not reported as a change", "src/queue/remove.rs",
     "        store.clear(part);\n        effects.changed = true;\n", "        store.clear(part);\n",
     "lib"),
    ("a redrive from elsewhere goes to another slot", "src/queue/op.rs",
     "Op::GiveBack { same_slot, .. } | Op::Redrive { same_slot, .. } =>",
     "Op::GiveBack { same_slot, .. } =>", "lib"),
    ("a pause is not replicated", "src/execute.rs",
     "    if effects.changed {\n        context.signal_modified(entry.names.name());\n"
     "        context.replicate(",
     "    if effects.changed && !matches!(op, Op::Pause { .. }) {\n"
     "        context.signal_modified(entry.names.name());\n        context.replicate(", "pause::"),
    ("a redrive is not replicated", "src/execute.rs",
     "    if effects.changed {\n        context.signal_modified(entry.names.name());\n"
     "        context.replicate(",
     "    if effects.changed && !matches!(op, Op::Redrive { .. }) {\n"
     "        context.signal_modified(entry.names.name());\n        context.replicate(", "redrive::"),
]


def cargo(arguments, **more):
    environment = dict(os.environ, CARGO_TARGET_DIR=str(BUILD), CARGO_PROFILE_DEV_DEBUG="0",
                       MQ_PROPERTY_SECONDS="2", **more)
    return subprocess.run(["cargo", *arguments], cwd=TREE, env=environment, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def copy_source():
    tracked = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                             cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    shutil.rmtree(TREE, ignore_errors=True)
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():
            (TREE / name).parent.mkdir(parents=True, exist_ok=True)
            # With a new time: cargo may have built a faulty file that is newer than the original.
            shutil.copy(ROOT / name, TREE / name)


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


def stale(faults, tree):
    """Those whose text is not in its file exactly once."""
    found = []
    for name, file, text, *_ in faults:
        count = (tree / file).read_text().count(text)
        if count != 1:
            found.append(f"STALE     {name}: its text is {count} times in {file}")
    return found


def main(words):
    if words == ["--stale"]:
        found = stale(FAULTS, ROOT)
        print("\n".join(found) or f"the texts of all {len(FAULTS)} faults are there")
        return 1 if found else 0
    faults = [fault for fault in FAULTS if not words or any(word in fault[0] for word in words)]
    copy_source()
    for tests in sorted({fault[4] for fault in faults}):
        failed = run_tests(tests)
        if failed != []:
            sys.exit(f"without any fault these tests fail ({tests}): {failed}")
    survivors = 0
    for name, file, text, replacement, tests in faults:
        is_stale = stale([(name, file, text)], TREE)
        if is_stale:
            print(*is_stale, flush=True)
            survivors += 1
            continue
        path = TREE / file
        source = path.read_text()
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
