//! Numbers in records that no op can have written, or that leave no higher one: they harm one message or
//! one queue, and nothing else.

use super::*;
use crate::queue::error::Corruption;
use crate::queue::limits;
use crate::queue::message::{Delivery, Ended};
use crate::queue::records::{Group, StoredNumber};
use crate::store::keyspace::Keyspace;

/// The highest receipt, and the highest number in a group.
const LAST: u64 = (1 << 63) - 1;
const LAST_SEQUENCE: u64 = (1 << 56) - 1;

/// Returned messages, the first of which has a state record with that last receipt.
fn returned(last_receipt: u64, number: usize) -> (Server, QueueName, Vec<MessageId>) {
    let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
    let pushed: Vec<_> = (0..number).map(|_| server.push(&orders, b"x", 0)).collect();
    let got = server.pull_with(&orders, number as u32, 10, ALL).unwrap();
    server.nack(&orders, got.iter().map(Got::claim).collect(), Some(0));
    let mut store = server.store(&orders);
    let ended = Ended::Nacked;
    let record = StateRecord { retry_count: 1, last_receipt, ended, ..StateRecord::default() };
    store.put_record(pushed[0], &record);
    (server, orders, pushed)
}

#[test]
fn a_last_receipt_out_of_range_is_damage_and_no_other_message_gets_a_greater_one() {
    for last_receipt in [LAST + 1, u64::MAX] {
        let (mut server, orders, pushed) = returned(last_receipt, 3);
        server.now_ms += 1;
        let error = server.pull_with(&orders, 9, 10, ALL).unwrap_err();
        assert_eq!(error, QueueError::Corrupt(Corruption::Message(pushed[0])));
        assert_eq!(server.len(&orders, Part::Damaged), 2, "the body and the note");
        let got = server.pull_with(&orders, 9, 10, ALL).unwrap();
        assert_eq!(ids(&got), pushed[1..]);
        let base = Receipt::at(server.now_ms).0;
        assert_eq!(got.iter().map(|got| got.receipt.0).collect::<Vec<_>>(), [base, base + 1]);
        assert_eq!(server.last_receipt, base + 1);
    }
}

#[test]
fn a_message_gets_the_last_receipt_and_none_after_it() {
    let (mut server, orders, pushed) = returned(LAST - 1, 1);
    let got = server.pull(&orders, 10).unwrap();
    assert_eq!(got.receipt, Receipt(LAST));
    assert!(
        server.effects().last_receipt < Some(got.receipt),
        "the next op begins where it would have"
    );
    server.nack(&orders, vec![got.claim()], Some(0));
    assert_eq!(server.repair(&orders), [], "nothing out of range was written");
    let error = server.pull_with(&orders, 1, 10, ALL).unwrap_err();
    assert_eq!(error, QueueError::Corrupt(Corruption::Message(pushed[0])));
    assert_eq!(server.len(&orders, Part::Damaged), 2);
    assert_eq!(server.counts.damaged, 1);
}

#[test]
fn a_message_that_can_get_no_receipt_is_delivered_at_most_once() {
    let (mut server, orders, pushed) = returned(LAST, 1);
    let (_, got) = server.pull_as(&orders, 1, Mode::AtMostOnce, ALL, Vec::new()).unwrap();
    assert_eq!(ids(&got), pushed);
}

#[test]
fn a_message_of_a_group_that_can_get_no_receipt_leaves_its_place_to_the_next() {
    let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
    let [first, second] = [(); 2].map(|()| server.add(&orders, &Asked::group("a")));
    let got = server.pull(&orders, 10).unwrap();
    server.nack(&orders, vec![got.claim()], Some(0));
    let mut store = server.store(&orders);
    let mut record = store.record(first).unwrap().unwrap();
    record.last_receipt = LAST;
    store.put_record(first, &record);
    let error = server.pull_with(&orders, 1, 10, ALL).unwrap_err();
    assert_eq!(error, QueueError::Corrupt(Corruption::Message(first)));
    assert_eq!(server.pull(&orders, 10).unwrap().id, second);
}

#[test]
fn a_receipt_far_ahead_leaves_those_of_other_messages_alone() {
    let (mut server, orders, pushed) = returned(LAST - 100, 3);
    server.now_ms += 1;
    let base = Receipt::at(server.now_ms).0;
    let got = server.pull_with(&orders, 3, 10, ALL).unwrap();
    assert_eq!(ids(&got), pushed);
    let receipts: Vec<_> = got.iter().map(|got| got.receipt.0).collect();
    assert_eq!(receipts, [LAST - 99, base + 1, base + 2]);
    assert_eq!(server.effects().last_receipt, Some(Receipt(base + 2)), "the next op begins there");
    assert_eq!(server.acknowledge(&orders, vec![got[0].claim()]), [DONE]);
}

/// What follows such a message is greater there, so that a replica has what its master has.
#[test]
fn in_0_1_0_the_receipts_of_a_pull_rise_after_one_that_is_far_ahead() {
    for (last, expected) in
        [(LAST - 100, [LAST - 99, LAST - 98, LAST - 97]), (LAST - 2, [LAST - 1, LAST, LAST])]
    {
        let (mut server, orders, _) = returned(last, 3);
        server.rules = Rules::V1;
        let got = server.pull_with(&orders, 3, 10, ALL).unwrap();
        assert_eq!(got.iter().map(|got| got.receipt.0).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_delivery_with_a_receipt_out_of_range_is_set_aside_and_a_repair_puts_its_message_back() {
    for receipt in [0, LAST + 1, u64::MAX] {
        let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
        let id = server.push(&orders, b"x", 0);
        server.pull(&orders, 10).unwrap();
        let mut store = server.store(&orders);
        let mut record = store.0.get(Part::Flight, &id.0).unwrap();
        record[..8].copy_from_slice(&receipt.to_be_bytes());
        store.0.put(Part::Flight, &id.0, &record);
        store.0.deadlines(|deadlines| *deadlines = Deadlines::UNKNOWN);
        let claims = vec![Delivery { id, receipt: Receipt(receipt) }];
        for how in [Return::Counted, Return::Rejected, Return::Disconnected] {
            let settled = server.nack_as(&orders, claims.clone(), None, how, None);
            assert_eq!(settled.unwrap(), [Settled::BadReceipt], "{receipt:?}");
        }
        assert_eq!(server.extend(&orders, claims.clone(), 10), [Settled::BadReceipt]);
        assert_eq!(server.acknowledge(&orders, claims), [Settled::BadReceipt]);
        server.now_ms += 10;
        server.sweep(&orders, 100);
        assert_eq!(server.len(&orders, Part::Flight), 0);
        assert_eq!((server.len(&orders, Part::Damaged), server.counts.damaged), (1, 1));
        assert_eq!(server.pull(&orders, 10), None);
        assert_eq!(server.repair(&orders), [(Finding::BodyWithoutPlace, 1)]);
        let got = server.pull(&orders, 10).unwrap();
        assert_eq!((got.id, got.receipt), (id, Receipt::at(server.now_ms)));
    }
}

/// A text that is no receipt counts as that of no delivery.
#[test]
fn a_note_that_tells_of_a_delivery_without_a_receipt_acknowledges_nothing() {
    let (mut server, orders, pushed) = returned(0, 1);
    let record = StateRecord { ended: Ended::ByTime, ..StateRecord::default() };
    server.store(&orders).put_record(pushed[0], &record);
    let claims = vec![Delivery { id: pushed[0], receipt: Receipt::NONE }];
    assert_eq!(server.acknowledge(&orders, claims.clone()), [Settled::BadReceipt]);
    assert_eq!(server.extend(&orders, claims, 10), [Settled::BadReceipt]);
    assert_eq!(server.pull_all(&orders, 10), pushed);
}

/// The record of a group, changed.
fn change_group(server: &Server, name: &str, change: impl FnOnce(&mut Group)) {
    let mut store = server.store(&queue("orders"));
    let mut group = store.group(name.as_bytes());
    change(&mut group);
    store.0.put(Part::Groups, name.as_bytes(), &record::encode_group(&group));
}

#[test]
fn a_group_whose_numbers_come_to_their_end_goes_on_in_the_order_of_its_pushes() {
    for next in [LAST_SEQUENCE - 3, LAST_SEQUENCE] {
        let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
        let mut pushed = vec![server.add(&orders, &Asked::group("a"))];
        change_group(&server, "a", |group| group.counts.next_sequence = next);
        pushed.extend((0..30).map(|_| server.add(&orders, &Asked::group("a"))));
        assert_eq!(server.repair(&orders), [], "nothing out of range was written");
        // A returned message keeps its place.
        let got = server.pull(&orders, 10).unwrap();
        server.acknowledge(&orders, vec![got.claim()]);
        let back = server.pull(&orders, 10).unwrap();
        server.nack(&orders, vec![back.claim()], Some(0));
        let mut delivered = vec![got.id];
        while let Some(got) = server.pull(&orders, 10) {
            server.acknowledge(&orders, vec![got.claim()]);
            delivered.push(got.id);
        }
        assert_eq!(delivered, pushed);
    }
}

#[test]
fn a_record_of_a_group_with_a_number_out_of_range_is_as_one_that_can_not_be_read() {
    let harms: [fn(&mut Group); 5] = [
        |group| group.counts.next_sequence = 1 << 57,
        |group| group.counts.waiting = u64::MAX,
        |group| group.counts.inflight = u64::MAX,
        |group| group.counts.held = 1 << 56,
        |group| group.head[0].0 = u64::MAX,
    ];
    for (number, harm) in harms.into_iter().enumerate() {
        let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
        let first = server.add(&orders, &Asked::group("a"));
        change_group(&server, "a", harm);
        let new = server.add(&orders, &Asked::group("a"));
        assert_eq!((server.len(&orders, Part::Damaged), server.counts.damaged), (1, 1), "{number}");
        assert_eq!(server.pull(&orders, 1_000).map(|got| got.id), Some(new), "{number}");
        server.repair(&orders);
        server.now_ms += 1_000;
        assert_eq!(server.pull(&orders, 10).map(|got| got.id), Some(first), "{number}");
    }
}

#[test]
fn a_record_of_a_group_that_can_not_be_read_is_set_aside_by_whatever_meets_it() {
    // Of 20 messages the record names eight.
    for count in [1, 20] {
        for met_by in ["a pull", "an acknowledgment", "a return", "the end of the visibility"] {
            let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
            server.configure(&orders, Setting::GroupInflight, Some("2"));
            let mut pushed: Vec<_> =
                (0..=count).map(|_| server.add(&orders, &Asked::group("a"))).collect();
            let got = server.pull(&orders, 10).unwrap();
            change_group(&server, "a", |group| group.counts.waiting = u64::MAX);
            match met_by {
                "a pull" => drop(server.pull(&orders, 1_000)),
                "an acknowledgment" => drop(server.acknowledge(&orders, vec![got.claim()])),
                "a return" => {
                    server.nack(&orders, vec![got.claim()], Some(0));
                }
                _ => {
                    server.now_ms += 20;
                    server.sweep(&orders, 100);
                }
            }
            let damaged = server.len(&orders, Part::Damaged);
            assert_eq!((damaged, server.counts.damaged), (1, 1), "{met_by}, {count}");
            server.repair(&orders);
            assert_eq!(server.store(&orders).check(), [], "{met_by}, {count}");
            server.now_ms += 2_000_000;
            if met_by == "an acknowledgment" {
                pushed.retain(|id| *id != got.id);
            }
            let mut delivered = Vec::new();
            while let Some(got) = server.pull(&orders, 1_000) {
                server.acknowledge(&orders, vec![got.claim()]);
                delivered.push(got.id);
            }
            delivered.sort();
            assert_eq!(delivered, pushed, "{met_by}, {count}");
        }
    }
}

#[test]
fn a_count_of_a_group_that_is_as_high_as_can_be_stays_in_range() {
    let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
    server.add(&orders, &Asked::group("a"));
    change_group(&server, "a", |group| group.counts.waiting = LAST_SEQUENCE);
    server.add(&orders, &Asked::group("a"));
    server.pull(&orders, 10).unwrap();
    assert_eq!(server.store(&orders).group(b"a").counts.waiting, LAST_SEQUENCE - 1);
}

#[test]
fn a_member_of_a_group_with_a_number_out_of_range_waits_for_a_repair() {
    let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
    let pushed: Vec<_> = (0..10).map(|_| server.add(&orders, &Asked::group("a"))).collect();
    let mut store = server.store(&orders);
    assert!(store.remove_grouped(b"a", 8, pushed[8]));
    store.add_grouped(b"a", 1 << 56, pushed[8]);
    for _ in 0..9 {
        let got = server.pull(&orders, 10).unwrap();
        server.acknowledge(&orders, vec![got.claim()]);
    }
    assert_eq!(server.pull(&orders, 10), None);
    assert_eq!(server.len(&orders, Part::Grouped), 1, "it is not named in the record of the group");
    server.repair(&orders);
    assert_eq!(server.pull(&orders, 10).map(|got| got.id), Some(pushed[8]));
}

#[test]
fn a_ticket_that_leaves_no_higher_one_does_not_keep_groups_from_their_turns() {
    for ticket in [(1u64 << 52) - 2, (1 << 52) - 1] {
        let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
        let pushed = ["a", "b", "c", "a", "b", "c", "a", "b", "c"]
            .map(|group| server.add(&orders, &Asked::group(group)));
        server.store(&orders).0.add(Part::Turns, b"c", ticket as f64);
        let mut delivered = Vec::new();
        while let Some(got) = server.pull(&orders, 10) {
            server.acknowledge(&orders, vec![got.claim()]);
            delivered.push(got.id);
        }
        assert_eq!(delivered, pushed, "{ticket}");
    }
}

#[test]
fn what_is_remembered_of_a_queue_counts_only_in_its_range() {
    let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
    server.configure(&orders, Setting::Rate, Some("2"));
    for (which, number, is_in_range) in [
        (StoredNumber::PausedUntil, (1 << 43) - 1, true),
        (StoredNumber::PausedUntil, 1 << 43, false),
        (StoredNumber::PausedUntil, i64::MAX as u64, false),
        (StoredNumber::RateWindowStart, 1 << 43, false),
        (StoredNumber::RateWindowCount, 2_147_483_647, true),
        (StoredNumber::RateWindowCount, 2_147_483_648, false),
    ] {
        let mut store = server.store(&orders);
        store.put_stored_number(which, number);
        assert_eq!(
            store.stored_number(which),
            Some(number).filter(|_| is_in_range),
            "{which:?} {number}"
        );
        store.remove_config(which.name());
    }
    let mut store = server.store(&orders);
    store.put_stored_number(StoredNumber::PausedUntil, u64::MAX);
    store.put_stored_number(StoredNumber::RateWindowStart, server.now_ms);
    store.put_stored_number(StoredNumber::RateWindowCount, u64::MAX);
    server.push(&orders, b"x", 0);
    assert_eq!(limits::deliverable(&mut server.store(&orders), server.now_ms), 1);
    assert!(server.pull(&orders, 10).is_some());
    assert_eq!(server.store(&orders).stored_number(StoredNumber::RateWindowCount), Some(1));
}

#[test]
fn a_retry_count_that_is_as_high_as_can_be_stays_there() {
    let (mut server, orders, pushed) = returned(1, 1);
    server.configure(&orders, Setting::MaxRetries, Some("-1"));
    let mut store = server.store(&orders);
    let record = store.record(pushed[0]).unwrap().unwrap();
    store.change_retry_count(pushed[0], record.retry_count, u32::MAX);
    store.put_record(pushed[0], &StateRecord { retry_count: u32::MAX, ..record });
    for _ in 0..2 {
        let got = server.pull(&orders, 10).unwrap();
        assert_eq!(got.retry_count, u32::MAX);
        server.nack(&orders, vec![got.claim()], Some(0));
    }
    assert_eq!(server.store(&orders).highest_retry_count(), u32::MAX);
    assert_eq!(server.repair(&orders), []);
}

#[test]
fn a_key_that_others_hold_beyond_all_time_is_free() {
    let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
    let first = server.add(&orders, &Asked::window("k", 10));
    let duplicate = crate::queue::records::Duplicate { id: first, until_ms: Some(1 << 43) };
    server.store(&orders).put_duplicate(b"k", &duplicate);
    let second = server.push_with(&orders, b"x", &Asked::window("k", 10));
    assert!(matches!(second, Pushed::New(_)));
}

#[test]
fn a_queue_that_is_named_as_its_own_dead_letter_queue_has_none_named() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::DeadLetter, Some("elsewhere"));
    server.configure(&orders, Setting::DeadLetter, Some("orders"));
    assert_eq!(server.store(&orders).setting(Setting::DeadLetter), None);
    server.configure(&orders, Setting::DeadLetter, Some("orders"));
    assert!(!server.effects().changed);
}
