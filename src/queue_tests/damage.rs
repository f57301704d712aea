//! Keys of the wrong type and unreadable records.

use super::*;
use crate::queue::error::Corruption;
use crate::queue::message::{Kept, Running};
use crate::queue::op::{self, Choice};
use crate::queue::valid::MAX_TIME_MS;
use crate::queue::{NextDue, limits};
use crate::store::flight::{Format, Head};
use crate::store::keys;
use crate::store::keyspace::Keyspace;
use crate::store::memory::Value;

#[test]
fn a_key_of_the_wrong_type_is_an_error_and_changes_nothing() {
    for part in Part::ALL {
        let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
        server.push(&orders, b"a", 0);
        server.push(&orders, b"b", 5);
        let claims = vec![Delivery { id: server.new_id(), receipt: Receipt(1) }];
        server.database.borrow_mut().insert(keys::key(&orders, part), Value::Text);
        let now_ms = server.now_ms + 10;
        let sweep = ALL;
        let id = server.new_id();
        let base_receipt = Receipt(1);
        let (count, visibility_ms) = (1, 1);
        let nack = |how| {
            Op::Nack(op::Nack {
                now_ms,
                deliveries: claims.clone().into(),
                delay_ms: None,
                same_slot: false,
                how,
                reason: None,
            })
        };
        let pull = |mode| {
            Op::Pull(op::Pull {
                now_ms,
                count,
                mode,
                base_receipt,
                sweep,
                acknowledged: claims.clone(),
                ended: Vec::new(),
            })
        };
        let with = |class, dedup| PushOptions { expiry: None, class, dedup, headers: Vec::new() };
        let dedup = Dedup { key: b"k", now_ms, until_ms: Some(now_ms + 1) };
        let push = |with| Op::Push(op::Push { id, due_at_ms: None, payload: b"", options: with });
        let ops = [
            push(None),
            push(Some(with(Class::Group(b"a"), None))),
            push(Some(with(Class::Priority(1), Some(dedup)))),
            Op::Push(op::Push { id, due_at_ms: Some(now_ms), payload: b"", options: None }),
            pull(Mode::AtLeastOnce { visibility_ms, consumer: None }),
            pull(Mode::AtMostOnce),
            Op::Sweep(op::Sweep { now_ms, sweep, ended: Vec::new() }),
            Op::Acknowledge(op::Acknowledge { now_ms: None, deliveries: claims.clone().into() }),
            nack(Return::Counted),
            nack(Return::Rejected),
            Op::Extend(op::Extend { now_ms, deliveries: claims.clone().into(), visibility_ms }),
            Op::Configure(op::Configure {
                changes: vec![(Setting::GroupInflight, Some(b"2".to_vec()))],
            }),
            Op::Delete(op::Delete { ids: vec![id] }),
            Op::Purge,
            Op::Reschedule(op::Reschedule { now_ms, id, due_at_ms: now_ms }),
            Op::Redrive(op::Redrive { now_ms, count: 1, to: None, same_slot: false }),
            Op::RedriveSlice(redrive::slice(&Choice::ALL, None)),
            Op::Pause(op::Pause { until_ms: None }),
            Op::Resume,
            Op::Repair,
        ];
        let mut refused = 0;
        for op in ops {
            // `run` checks that an error changed nothing.
            match server.run(&orders, &op) {
                Err(error) => {
                    assert_eq!(error, QueueError::WrongType);
                    refused += 1;
                }
                Ok(_) => continue,
            }
        }
        assert!(refused > 0, "{part:?}");
    }
}

#[test]
fn an_unreadable_record_is_set_aside_and_the_queue_goes_on() {
    let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
    server.push(&orders, b"before", 0);
    server.store(&orders).0.push_back(Part::Ready, b"garbage");
    let after = server.push(&orders, b"after", 0);
    assert_eq!(server.pull_with(&orders, 9, 10, ALL).unwrap().len(), 1, "the batch ends before it");
    let error = server.pull_with(&orders, 9, 10, ALL).unwrap_err();
    assert_eq!(error, QueueError::Corrupt(Corruption::Ready(0)));
    assert_eq!(ids(&server.pull_with(&orders, 9, 10, ALL).unwrap()), [after]);
    assert_eq!(server.store(&orders).0.pop_front(Part::Damaged), Some(b"garbage".to_vec()));
    assert_eq!(server.counts.damaged, 1);
}

#[test]
fn every_kind_of_damage_is_met_once_and_loses_no_body_and_no_note() {
    type Harm = fn(&mut Records<MemoryKeyspace>, MessageId);
    type Named = fn(MessageId) -> Corruption;
    let no_body = |id| Corruption::NoBody(id);
    let cases: [(&str, Harm, Named, u64); 5] = [
        ("stray member", |s, _| s.0.add(Part::Ranked, b"stray", 0.0), |_| Corruption::Member, 1),
        ("no body", |s, id| s.0.delete(Part::Messages, &id.0), no_body, 0),
        ("bad body", |s, id| s.0.put(Part::Messages, &id.0, b"garbage"), Corruption::Message, 2),
        ("bad note", |s, id| s.0.put(Part::Notes, &id.0, b"\xff"), Corruption::Message, 2),
        (
            "another's body",
            |s, id| {
                let body = s.0.get(Part::Messages, &id.0).unwrap();
                let mut other = body.clone();
                other[0] ^= 1;
                s.0.put(Part::Messages, &id.0, &other);
            },
            Corruption::Message,
            2,
        ),
    ];
    for (what, harm, corruption, set_aside) in cases {
        let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
        let id = server.push(&orders, b"x", 0);
        let got = server.pull(&orders, 10).unwrap();
        server.nack(&orders, vec![got.claim()], Some(0));
        harm(&mut server.store(&orders), id);
        let error = server.pull_with(&orders, 1, 10, ALL).unwrap_err();
        assert_eq!(error, QueueError::Corrupt(corruption(id)), "{what}");
        assert_eq!(server.len(&orders, Part::Damaged), set_aside, "{what}");
        let next = server.pull(&orders, 10);
        assert_eq!(next.is_some(), what == "stray member", "{what}");
    }
}

#[test]
fn records_of_a_newer_version_are_set_aside_as_they_are() {
    let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
    let id = server.push(&orders, b"x", 0);
    let got = server.pull(&orders, 10).unwrap();
    server.nack(&orders, vec![got.claim()], Some(0));
    let mut store = server.store(&orders);
    let body = store.0.get(Part::Messages, &id.0).unwrap();
    let mut record = store.0.get(Part::Notes, &id.0).unwrap();
    record[0] += 1;
    record.extend(b"what is new");
    store.0.put(Part::Notes, &id.0, &record);
    server.pull_with(&orders, 1, 10, ALL).unwrap_err();
    let mut store = server.store(&orders);
    assert_eq!(store.0.pop_front(Part::Damaged), Some(body));
    assert_eq!(store.0.pop_front(Part::Damaged), Some(record), "behind its body");
    assert_eq!(store.0.pop_front(Part::Damaged), None);
}

#[test]
fn damage_in_flight_or_delayed_does_not_stop_the_sweep() {
    let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
    let id = server.push(&orders, b"x", 0);
    let delayed = server.push(&orders, b"y", 10);
    server.pull(&orders, 10).unwrap();
    let mut store = server.store(&orders);
    store.0.add(Part::Inflight, b"stray", 0.0);
    store.0.add(Part::Delayed, b"stray too", 0.0);
    store.0.put(Part::Notes, &id.0, b"\xff");
    server.now_ms += 10;
    server.sweep(&orders, 100);
    assert_eq!(server.counts.damaged, 3);
    assert_eq!(server.len(&orders, Part::Damaged), 4, "both members, the body and its note");
    assert_eq!(server.pull(&orders, 10).unwrap().id, delayed);
}

#[test]
fn what_another_client_wrote_to_flight_replaces_no_body() {
    for nacks in [false, true] {
        let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
        let id = server.push(&orders, b"mine", 0);
        let got = server.pull(&orders, 10).unwrap();
        server.nack(&orders, vec![got.claim()], Some(0));
        let running =
            Running { until_ms: server.now_ms + 1, has_cleanup: false, kept: Kept::Whole };
        let head = Head { receipt: Receipt(1), running, format: Format::Payload }.encode();
        let record = [head.as_slice(), b"foreign"].concat();
        server.store(&orders).0.put(Part::Flight, &id.0, &record);
        if nacks {
            server.nack(&orders, vec![Delivery { id, receipt: Receipt(1) }], Some(0));
        } else {
            server.now_ms += 1;
            server.sweep(&orders, 100);
        }
        assert_eq!(server.counts.damaged, 1);
        let aside = server.store(&orders).0.pop_front(Part::Damaged);
        assert_eq!(aside, Some([&id.0, record.as_slice()].concat()));
        assert_eq!(server.pull(&orders, 10).unwrap().payload, b"mine");
        assert_eq!(server.pull(&orders, 10), None);
    }
}

#[test]
fn a_body_that_is_unreadable_or_the_same_is_replaced_when_its_delivery_ends() {
    for there in [b"garbage".as_slice(), b""] {
        let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
        let id = server.push(&orders, b"mine", 0);
        let got = server.pull(&orders, 10).unwrap();
        server.nack(&orders, vec![got.claim()], Some(0));
        let body = server.store(&orders).0.get(Part::Messages, &id.0).unwrap();
        server.pull(&orders, 10).unwrap();
        let there = if there.is_empty() { &body } else { there };
        server.store(&orders).0.put(Part::Messages, &id.0, there);
        server.now_ms += 11;
        server.sweep(&orders, 100);
        assert_eq!(server.counts.damaged, 0);
        assert_eq!(server.pull(&orders, 10).unwrap().payload, b"mine");
    }
}

#[test]
fn groups_whose_line_was_removed_stand_there_again_with_a_free_slot_or_a_repair() {
    let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
    let [_, second, third] = ["a", "a", "b"].map(|group| server.add(&orders, &Asked::group(group)));
    let got = server.pull(&orders, 10).unwrap();
    server.store(&orders).clear(Part::Turns);
    assert_eq!(server.pull(&orders, 10), None);
    server.acknowledge(&orders, vec![got.claim()]);
    assert_eq!(server.pull_all(&orders, 10), [second]);
    server.repair(&orders);
    assert_eq!(server.pull_all(&orders, 10), [third]);
}

const NO_SWEEP: SweepLimit = SweepLimit { limit: 0, same_slot: false };

#[test]
fn of_the_keys_of_groups_those_are_required_that_change() {
    let wrong = Err(QueueError::WrongType);
    for (part, joins, is_new, are_many) in [
        (Part::Groups, wrong, wrong, wrong),
        (Part::Turns, Ok(()), wrong, Ok(())),
        (Part::Lanes, Ok(()), wrong, Ok(())),
        (Part::Grouped, Ok(()), Ok(()), wrong),
    ] {
        for (group, count, expected) in [("a", 1, joins), ("b", 1, is_new), ("a", 8, are_many)] {
            let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
            server.add(&orders, &Asked::group("a"));
            server.database.borrow_mut().insert(keys::key(&orders, part), Value::Text);
            let messages = (0..count).map(|_| BatchMessage { id: server.new_id(), payload: b"" });
            let with = PushOptions {
                expiry: None,
                class: Class::Group(group.as_bytes()),
                dedup: None,
                headers: Vec::new(),
            };
            let messages = messages.collect();
            let op = Op::PushMany(op::PushMany { messages, due_at_ms: None, options: Some(with) });
            let pushed = server.run(&orders, &op).map(|_| ());
            assert_eq!(pushed, expected, "{count} into {group} with a wrong {part:?}");
        }
    }
}

#[test]
fn a_pull_needs_what_stands_behind_the_head_of_a_group_only_when_nothing_is_in_it() {
    let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
    let pushed: Vec<_> = (0..9).map(|_| server.add(&orders, &Asked::group("a"))).collect();
    let grouped = server.store(&orders).0.range(Part::Grouped, [0.0, 0.0], 0, 9);
    server.database.borrow_mut().insert(keys::key(&orders, Part::Grouped), Value::Text);
    let mut pull = || {
        let pulled = server.pull_as(&orders, 1, Mode::AtMostOnce, NO_SWEEP, Vec::new());
        pulled.map(|(_, messages)| ids(&messages))
    };
    for id in &pushed[..8] {
        assert_eq!(pull(), Ok(vec![*id]));
    }
    assert_eq!(pull(), Err(QueueError::WrongType));
    let mut store = server.store(&orders);
    store.clear(Part::Grouped);
    store.0.add(Part::Grouped, &grouped[0].0, 0.0);
    assert_eq!(server.pull_all(&orders, 10), pushed[8..]);
}

#[test]
fn a_ticket_that_nobody_reaches_holds_up_no_group() {
    let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
    let first = server.add(&orders, &Asked::group("a"));
    server.store(&orders).0.add(Part::Turns, b"a", ((1u64 << 52) - 1) as f64);
    let second = server.add(&orders, &Asked::group("b"));
    assert_eq!(server.pull_all(&orders, 10), [first, second]);
}

#[test]
fn a_group_goes_on_after_messages_that_are_not_there() {
    let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
    let pushed: Vec<_> = (0..20).map(|_| server.add(&orders, &Asked::group("a"))).collect();
    for lost in [0, 1, 9, 10, 18] {
        server.store(&orders).remove_message(pushed[lost]);
    }
    let mut delivered = Vec::new();
    for _ in 0..40 {
        if let Ok((_, messages)) = server.pull_as(&orders, 1, Mode::AtMostOnce, ALL, Vec::new()) {
            delivered.extend(ids(&messages));
        }
    }
    let there: Vec<_> = pushed
        .iter()
        .filter(|id| ![0, 1, 9, 10, 18].map(|lost| pushed[lost]).contains(id))
        .copied()
        .collect();
    assert_eq!(delivered, there);
    assert_eq!(server.counts.damaged, 5);
}

#[test]
fn an_acknowledgment_does_not_believe_the_body_of_another_message() {
    let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
    server.rules = Rules::V1;
    let one = server.add(&orders, &Asked::group("a"));
    let other = server.add(&orders, &Asked::group("b"));
    server.add(&orders, &Asked::group("b"));
    let got = server.pull_with(&orders, 2, 10, ALL).unwrap();
    server.rules = Rules::V2;
    let mut store = server.store(&orders);
    let body = store.0.get(Part::Messages, &other.0).unwrap();
    store.0.put(Part::Messages, &one.0, &body);
    assert_eq!(server.acknowledge(&orders, vec![got[0].claim()]), [Settled::Done(0)]);
    assert_eq!(server.store(&orders).group(b"b").counts.inflight, 1);
}

#[test]
fn a_group_whose_record_was_lost_goes_on_with_new_messages_and_is_repaired() {
    for damage in [None, Some(b"garbage")] {
        let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
        let pushed: Vec<_> = (0..20).map(|_| server.add(&orders, &Asked::group("a"))).collect();
        let mut store = server.store(&orders);
        match damage {
            None => store.0.unlink(Part::Groups),
            Some(bytes) => store.0.put(Part::Groups, b"a", bytes),
        }
        let new = server.add(&orders, &Asked::group("a"));
        let damaged = server.store(&orders).0.pop_front(Part::Damaged);
        assert_eq!(damaged.as_deref(), damage.map(|bytes| &bytes[..]));
        assert_eq!(server.counts.damaged, damage.is_some().into());
        for _ in 0..3 {
            server.pull(&orders, 10_000);
        }
        server.repair(&orders);
        assert_eq!(server.store(&orders).check(), []);
        server.now_ms += 20_000;
        server.sweep(&orders, 100);
        let mut delivered = Vec::new();
        while let Some(got) = server.pull(&orders, 1_000) {
            server.acknowledge(&orders, vec![got.claim()]);
            delivered.push(got.id);
        }
        delivered.sort();
        assert_eq!(delivered, [pushed, vec![new]].concat());
    }
}

#[test]
fn lanes_that_were_removed_are_entered_again_with_the_next_message_there() {
    for asked in [Asked::priority(3), Asked::to_live(1_000)] {
        let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
        let first = server.add(&orders, &asked);
        server.store(&orders).clear(Part::Lanes);
        assert_eq!(server.pull(&orders, 10), None, "{asked:?}");
        server.add(&orders, &asked);
        assert_eq!(server.pull(&orders, 10).unwrap().id, first, "{asked:?}");
    }
}

#[test]
fn groups_whose_lane_was_removed_are_served_when_the_plain_list_is_empty() {
    let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
    let grouped = server.add(&orders, &Asked::group("a"));
    let plain = server.push(&orders, b"x", 0);
    server.store(&orders).clear(Part::Lanes);
    for next in [plain, grouped] {
        assert_eq!(limits::deliverable(&mut server.store(&orders), server.now_ms), 1);
        assert_eq!(server.pull(&orders, 10).unwrap().id, next);
    }
    assert_eq!(limits::deliverable(&mut server.store(&orders), server.now_ms), 0);
}

#[test]
fn groups_whose_lane_was_removed_take_turns_with_whatever_comes_next() {
    for asked in [Asked::priority(3), Asked::to_live(1_000)] {
        let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
        let [first, second, last] =
            ["a", "b", "a"].map(|group| server.add(&orders, &Asked::group(group)));
        server.store(&orders).clear(Part::Lanes);
        let ungrouped = server.add(&orders, &asked);
        let got = server.pull(&orders, 10).unwrap();
        server.acknowledge(&orders, vec![got.claim()]);
        let others = server.pull_all(&orders, 10);
        assert_eq!((got.id, others), (first, vec![second, ungrouped, last]), "{asked:?}");
    }
}

#[test]
fn moments_out_of_range_do_no_harm() {
    let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
    let mut store = server.store(&orders);
    for score in [f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300, 0.5] {
        store.0.add(Part::Inflight, &[1; 24], score);
        store.0.add(Part::Delayed, &[2; 16], score);
        server.sweep(&orders, 100);
        let mut store = server.store(&orders);
        for (_, old) in store.first_old_delivery().into_iter() {
            assert!(old.until_ms <= MAX_TIME_MS);
        }
        store.0.remove(Part::Inflight, &[1; 24]);
        store.0.remove(Part::Delayed, &[2; 16]);
    }
}

#[test]
fn an_end_of_a_life_that_the_message_does_not_tell_discards_nothing() {
    for (asked, is_discarded_later) in [(Asked::group("a"), false), (Asked::to_live(1_000), true)] {
        let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
        let id = server.add(&orders, &asked);
        server.store(&orders).0.add(Part::Expiring, &id.0, 1.0);
        server.sweep(&orders, 100);
        assert_eq!(server.store(&orders).len(Part::Messages), 1, "{asked:?}");
        server.now_ms += 1_000;
        server.sweep(&orders, 100);
        assert_eq!(server.counts.ttl_expired, u64::from(is_discarded_later), "{asked:?}");
        assert_eq!(server.len(&orders, Part::Expiring), 0, "{asked:?}");
    }
}

/// Where a client cannot block, a pull is repeated until no more is due.
#[test]
fn an_expired_message_that_the_sweep_lost_is_found_by_the_pull_that_meets_it() {
    for asked in [Asked::to_live(5), Asked { group: Some("g"), ..Asked::to_live(5) }] {
        for later_ms in [None, Some(START_MS + 1_000)] {
            let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
            let id = server.add(&orders, &asked);
            let behind = server.push(&orders, b"behind", 0);
            server.store(&orders).remove_timed(Part::Expiring, id);
            if let Some(at_ms) = later_ms {
                server.store(&orders).add_timed(Part::Expiring, id, at_ms);
            }
            server.now_ms += 5;
            let mut got = server.pull(&orders, 100);
            assert!(got.is_none() && server.more_due);
            assert_eq!(server.effects().next_due, NextDue::Exactly(Some(server.now_ms)));
            got = server.pull(&orders, 100);
            assert_eq!(got.unwrap().id, behind);
            assert!(!server.more_due);
            assert_eq!(server.counts.ttl_expired, 1);
        }
    }
}

#[test]
fn an_end_of_a_window_that_others_wrote_does_not_free_a_key_that_is_held() {
    let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
    let first = server.add(&orders, &Asked::until_done("k"));
    server.store(&orders).0.add(Part::Deduped, b"k", server.now_ms as f64);
    server.sweep(&orders, 100);
    assert_eq!(server.len(&orders, Part::Deduped), 0);
    let again = server.push_with(&orders, b"x", &Asked::until_done("k"));
    assert_eq!(again, Pushed::Duplicate(first));
}
