//! The checks see what they are there for: a sound journal, and the same with one thing wrong.

use super::{
    checks::violations,
    journal::{Delivery, During, Entries, How, Kept, Push, Settlement, Told},
};

const MAX_RETRIES: i64 = 1;

fn during(ms: u64) -> During {
    During { began_us: ms * 1000, ended_us: ms * 1000 + 500 }
}

fn push(tag: u64, at_ms: u64) -> Push {
    let group = Some("group".into());
    let (told, kept) = (Told::Done, Kept::Surely);
    Push { tag, id: Some(format!("id-{tag}")), group, when: during(at_ms), told, kept }
}

fn delivery(tag: u64, at_ms: u64, retry_count: i64) -> Delivery {
    Delivery {
        tag,
        id: format!("id-{tag}"),
        receipt: format!("{at_ms:016x}"),
        retry_count,
        until_ms: i64::try_from(at_ms).expect("a timestamp") + 100,
        death: None,
        when: during(at_ms),
        kept: Kept::Surely,
    }
}

fn settlement(delivery: &Delivery, how: How, at_ms: u64) -> Settlement {
    let (tag, receipt) = (delivery.tag, delivery.receipt.clone());
    Settlement { tag, receipt, how, when: during(at_ms), told: Told::Done, kept: Kept::Surely }
}

/// Message 1 is delivered, nacked, delivered again and acknowledged; then 2 runs out of time and
/// dies of it; then 3 comes, is nacked without being counted, and is acknowledged.
fn sound() -> Entries {
    let pushes = vec![push(1, 1000), push(2, 1001), push(3, 1002)];
    let dead = Delivery { death: Some(("retries".into(), 1)), ..delivery(2, 1400, 0) };
    let deliveries = vec![
        delivery(1, 1010, 0),
        delivery(1, 1030, 1),
        delivery(2, 1100, 0),
        delivery(2, 1250, 1),
        dead,
        delivery(3, 1500, 0),
        delivery(3, 1520, 0),
    ];
    let settlements = vec![
        settlement(&deliveries[0], How::Nack, 1020),
        settlement(&deliveries[1], How::Acknowledge, 1040),
        settlement(&deliveries[4], How::Acknowledge, 1410),
        settlement(&deliveries[5], How::NackUncounted, 1510),
        settlement(&deliveries[6], How::Extend, 1530),
        settlement(&deliveries[6], How::Acknowledge, 1700),
    ];
    Entries { pushes, deliveries, settlements, ..Entries::default() }
}

#[test]
fn a_sound_journal_has_no_violations() {
    assert_eq!(violations(&sound(), MAX_RETRIES), [""; 0]);
}

#[test]
fn whatever_is_wrong_is_found() {
    type Damage = fn(&mut Entries);
    let damages: [(&str, Damage); 16] = [
        ("lost", |all| all.deliveries.retain(|one| one.tag != 3)),
        ("nobody pushed it", |all| all.pushes.clear()),
        ("several ids", |all| all.deliveries[3].id = "another".into()),
        ("several ids", |all| all.pushes[0].id = Some("another".into())),
        ("no higher receipt", |all| all.deliveries[1].receipt = format!("{:016x}", 900)),
        ("no higher receipt", |all| {
            let again = all.deliveries[1].clone();
            all.deliveries.push(again);
        }),
        ("delivered after its acknowledgment", |all| all.deliveries.push(delivery(1, 1130, 2))),
        ("delivered while it was held", |all| drop(all.settlements.remove(0))),
        ("the first delivery is no first one", |all| drop(all.deliveries.remove(0))),
        ("a retry count of 1, not 0", |all| all.deliveries[6].retry_count = 1),
        ("a retry count of 0, not 1", |all| all.deliveries[3].retry_count = 0),
        ("it should not have died", |all| {
            all.deliveries[4].death = Some(("retries".into(), 0));
        }),
        ("delivered after its death", |all| all.deliveries.push(delivery(2, 1450, 2))),
        ("refused without a reason", |all| {
            all.settlements[0].told = Told::Refused("NOTFOUND".into());
        }),
        ("refused without a reason", |all| {
            all.settlements[5].told = Told::Refused("BADRECEIPT".into());
        }),
        ("group group is out of order", |all| {
            all.deliveries[5].when = during(1050);
            all.deliveries[5].receipt = format!("{:016x}", 1050);
            all.settlements[3].receipt = format!("{:016x}", 1050);
        }),
    ];
    for (expected, damage) in damages {
        let mut journal = sound();
        damage(&mut journal);
        let found = violations(&journal, MAX_RETRIES);
        assert!(found.iter().any(|one| one.contains(expected)), "{expected}: {found:#?}");
    }
}

#[test]
fn what_a_fault_may_undo_is_no_violation() {
    let mut journal = sound();
    journal.deliveries.push(delivery(1, 1130, 2));
    journal.settlements[1].kept = Kept::Perhaps;
    assert!(violations(&journal, MAX_RETRIES).iter().all(|one| !one.contains("acknowledgment")));
    let mut journal = sound();
    let undone = Delivery { kept: Kept::Perhaps, ..delivery(1, 1035, 2) };
    journal.deliveries.push(undone.clone());
    assert!(violations(&journal, MAX_RETRIES).iter().all(|one| !one.contains("acknowledgment")));
    journal.deliveries.pop();
    journal.deliveries.push(Delivery { when: during(1130), ..undone });
    assert!(violations(&journal, MAX_RETRIES).iter().any(|one| one.contains("acknowledgment")));
    let mut journal = sound();
    journal.pushes[2].kept = Kept::Perhaps;
    journal.deliveries.retain(|one| one.tag != 3);
    journal.settlements.retain(|one| one.tag != 3);
    assert_eq!(violations(&journal, MAX_RETRIES), [""; 0]);
}
