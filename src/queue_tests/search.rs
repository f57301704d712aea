//! Searches by id and peeks with a large offset read few records.

use super::*;
use crate::queue::inspect::{self, Which};
use crate::queue::pull::BATCH_BYTES;
use crate::store::keyspace::Keyspace;
use crate::store::memory::reads;

/// The number of elements and members read meanwhile.
fn reads_of<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = reads();
    let result = work();
    (result, reads() - before)
}

fn push_many(server: &mut Server, queue: &QueueName, count: usize) -> Vec<MessageId> {
    let Pushed::New(ids) = server.push_many(queue, &vec![b"x".to_vec(); count], &Asked::default())
    else {
        panic!("nothing was pushed")
    };
    ids
}

/// The id right after another one.
fn behind(mut id: MessageId) -> MessageId {
    id.0[7] += 1;
    id
}

#[test]
fn whichever_are_deleted_the_others_stay_in_order() {
    let orders = queue("orders");
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut server = Server::new();
        let count = random.usize(1..60);
        let all = push_many(&mut server, &orders, count);
        let share = random.u32(1..10);
        let (gone, left): (Vec<_>, Vec<_>) = all.iter().partition(|_| random.u32(..10) < share);
        let mut ids = gone.clone();
        ids.extend(all.iter().filter(|_| random.bool()).map(|id| behind(*id)));
        random.shuffle(&mut ids);
        assert_eq!(server.delete(&orders, &ids), gone.len() as u64, "seed {seed}");
        for id in &all {
            let found = inspect::find(&mut server.store(&orders), *id).unwrap();
            assert_eq!(found.map(|seen| seen.body.id()), left.contains(id).then_some(*id));
        }
        assert_eq!(server.pull_all(&orders, 100), left, "seed {seed}");
    }
}

#[test]
fn a_search_goes_past_records_that_can_not_be_read() {
    let orders = queue("orders");
    let mut server = Server::to_be_harmed();
    let mut all = Vec::new();
    for bad in 0..20 {
        all.extend(push_many(&mut server, &orders, 3));
        for _ in 0..bad {
            server.store(&orders).0.push_back(Part::Ready, b"garbage");
        }
    }
    for id in &all {
        assert!(inspect::find(&mut server.store(&orders), *id).unwrap().is_some());
        assert!(inspect::find(&mut server.store(&orders), behind(*id)).unwrap().is_none());
    }
    assert_eq!(server.delete(&orders, &all), all.len() as u64);
}

#[test]
fn few_records_are_looked_at_to_find_one_among_many() {
    let orders = queue("orders");
    let mut server = Server::new();
    let all = push_many(&mut server, &orders, 10_000);
    let unknown = [MessageId([7; 16]), behind(all[0]), behind(all[5_000]), behind(all[9_999])];
    for id in [all[0], all[5_000], all[9_999]].into_iter().chain(unknown) {
        let (found, reads) = reads_of(|| inspect::find(&mut server.store(&orders), id).unwrap());
        assert_eq!(found.is_some(), all.contains(&id));
        assert!(reads < 30, "{reads}");
    }
    let ids: Vec<_> = all.iter().copied().step_by(100).collect();
    let (deleted, reads) = reads_of(|| server.delete(&orders, &ids));
    assert_eq!(deleted, 100);
    assert!(reads < 2_000, "{reads}");
}

#[test]
fn few_records_are_looked_at_however_unevenly_they_were_pushed() {
    let orders = queue("orders");
    let mut server = Server::new();
    let mut all = Vec::new();
    for round in 0..30 {
        all.extend(push_many(&mut server, &orders, 1 + round * round % 97));
        server.now_ms += 1 + (round as u64).pow(2) % 1_009;
    }
    let mut total = 0;
    for id in all.iter().step_by(13) {
        let (found, reads) = reads_of(|| inspect::find(&mut server.store(&orders), *id).unwrap());
        assert!(found.is_some() && reads < 30, "{reads}");
        total += reads;
    }
    assert!(total < all.len() as u64 * 15 / 13, "{total} for a thirteenth of {}", all.len());
    let ids: Vec<_> = all.iter().copied().step_by(50).collect();
    let (deleted, reads) = reads_of(|| server.delete(&orders, &ids));
    assert_eq!(deleted, ids.len() as u64);
    assert!(reads < 15 * deleted, "{reads} for {deleted}");
}

#[test]
fn a_delivery_is_found_among_many_without_a_walk() {
    let orders = queue("orders");
    for asked in [Asked::default(), Asked::group("a"), Asked::to_live(1_000), Asked::priority(3)] {
        let mut server = Server::new();
        server.configure(&orders, Setting::GroupInflight, Some("10000"));
        server.push_many(&orders, &vec![b"x".to_vec(); 1_000], &asked);
        let got = server.pull_with(&orders, 1_000, 30, ALL).unwrap();
        // Some are returned and delivered again.
        let claims = got[..10].iter().map(Got::claim).collect();
        server.nack(&orders, claims, Some(0));
        server.now_ms += 1;
        let again = server.pull_with(&orders, 10, 30, ALL).unwrap();
        for got in [&again[0], &got[500], &got[999]] {
            let (found, reads) =
                reads_of(|| inspect::find(&mut server.store(&orders), got.id).unwrap().unwrap());
            assert_eq!(found.state, inspect::State::Inflight(got.visibility_until_ms));
            assert!(reads < 10, "{reads}, {asked:?}");
        }
        let ids = [again[0].id, got[500].id, got[999].id];
        let (deleted, reads) = reads_of(|| server.delete(&orders, &ids));
        assert_eq!(deleted, 3);
        assert!(reads < 50, "{reads}, {asked:?}");
        assert_eq!(server.repair(&orders), []);
    }
}

#[test]
fn a_delivery_by_an_op_of_0_1_0_is_found_too() {
    let orders = queue("orders");
    for first in [Rules::V1, Rules::V2] {
        let mut server = Server::new();
        server.rules = first;
        let [one, two] = [(); 2].map(|()| server.push(&orders, b"x", 0));
        let got = server.pull_with(&orders, 2, 1_000, ALL).unwrap();
        server.nack(&orders, got.iter().map(Got::claim).collect(), Some(0));
        server.rules = Rules::V1;
        let got = server.pull_with(&orders, 2, 1_000, ALL).unwrap();
        server.rules = Rules::V2;
        let found = inspect::find(&mut server.store(&orders), one).unwrap().unwrap();
        assert_eq!(found.state, inspect::State::Inflight(got[0].visibility_until_ms));
        assert_eq!(server.delete(&orders, &[one, two]), 2);
        assert_eq!(server.repair(&orders), []);
        assert_eq!(server.len(&orders, Part::Flight), 0);
    }
}

#[test]
fn an_op_of_0_1_0_leaves_bodies_as_they_are() {
    let orders = queue("orders");
    let mut server = Server::new();
    server.rules = Rules::V1;
    let id = server.push(&orders, b"x", 0);
    let pushed = server.store(&orders).0.front(Part::Ready).unwrap();
    for _ in 0..2 {
        let got = server.pull(&orders, 1_000).unwrap();
        assert_eq!(server.store(&orders).0.get(Part::Messages, &id.0), Some(pushed.clone()));
        server.nack(&orders, vec![got.claim()], Some(0));
    }
}

#[test]
fn what_stands_out_of_order_is_found_after_a_repair() {
    let orders = queue("orders");
    let mut server = Server::to_be_harmed();
    let all = push_many(&mut server, &orders, 20);
    let mut keyspace = server.store(&orders).0;
    for _ in 0..5 {
        let first = keyspace.pop_front(Part::Ready).unwrap();
        keyspace.push_back(Part::Ready, &first);
    }
    assert_eq!(server.delete(&orders, &all[..2]), 0);
    assert_eq!(server.repair(&orders), [(Finding::OutOfOrder, 5)]);
    assert_eq!(server.repair(&orders), []);
    assert_eq!(server.delete(&orders, &all[..2]), 2);
    assert_eq!(server.pull_all(&orders, 100), all[2..]);
}

#[test]
fn a_peek_far_behind_looks_at_little() {
    let orders = queue("orders");
    for aging_ms in ["0", "50"] {
        let mut server = Server::new();
        server.configure(&orders, Setting::Aging, Some(aging_ms));
        push_many(&mut server, &orders, 500);
        let priority = Asked::priority(3);
        server.push_many(&orders, &vec![b"x".to_vec(); 200], &priority);
        server.now_ms += 100;
        // Ready in `ranked`, some before and some behind those in the lists.
        let got = server.pull_with(&orders, 100, 10, ALL).unwrap();
        server.now_ms += 20;
        server.sweep(&orders, 50);
        let claims: Vec<_> = got[50..].iter().map(Got::claim).collect();
        server.nack(&orders, claims, Some(0));
        server.sweep(&orders, 100);
        push_many(&mut server, &orders, 100);
        let now_ms = server.now_ms;
        let database = server.database.clone();
        let peek = |skip: u64, count: u64| {
            let which = Which::Ready(now_ms);
            let mut store = Records::new(MemoryKeyspace::new(&database, &orders));
            inspect::peek(&mut store, which, skip, count)
                .unwrap()
                .iter()
                .map(|s| s.body.id())
                .collect()
        };
        let all: Vec<MessageId> = peek(0, 1_000);
        assert_eq!(all.len(), 800);
        for skip in [0, 1, 49, 150, 199, 200, 432, 699, 700, 799, 800] {
            let (some, reads) = reads_of(|| -> Vec<MessageId> { peek(skip as u64, 3) });
            assert_eq!(some, all[skip..(skip + 3).min(800)], "{skip}, aging {aging_ms}");
            assert!(reads < 500, "{reads} to skip {skip}, aging {aging_ms}");
        }
        let pulled = server.pull_with(&orders, 800, 100, SweepLimit { limit: 0, ..ALL }).unwrap();
        assert_eq!(ids(&pulled), all, "aging {aging_ms}");
    }
}

#[test]
fn a_peek_ends_at_sixteen_mebibytes_of_payloads_and_headers() {
    let orders = queue("orders");
    let value = "v".repeat(60_000);
    let headers = Asked { headers: &[("name", &value)], ..Asked::default() };
    for (payload, asked) in [(vec![0; 60_000], Asked::default()), (Vec::new(), headers)] {
        let mut server = Server::new();
        server.push_many(&orders, &vec![payload; 400], &asked);
        let most = BATCH_BYTES / 60_000 + 1;
        let peek = |server: &Server, which, skip| {
            inspect::peek(&mut server.store(&orders), which, skip, 1_000).unwrap().len()
        };
        let ready = Which::Ready(server.now_ms);
        assert_eq!(peek(&server, ready, 0), most);
        assert_eq!(peek(&server, ready, 300), 100);
        assert_eq!(server.pull_with(&orders, 400, 100, ALL).unwrap().len(), most);
        server.pull_with(&orders, 400, 100, ALL).unwrap();
        assert_eq!(peek(&server, Which::Inflight, 0), most);
        server.now_ms += 200;
        server.sweep(&orders, 1_000);
        assert_eq!(peek(&server, Which::Ready(server.now_ms), 0), most, "returned");
    }
}

#[test]
fn a_peek_does_not_go_past_any_number_of_groups() {
    let orders = queue("orders");
    let server = Server::to_be_harmed();
    for number in 0..inspect::MAX_GROUPS + 100 {
        server.store(&orders).put_ticket(&number.to_be_bytes(), Some(number + 1));
    }
    let peek = |server: &Server, skip| {
        inspect::peek(&mut server.store(&orders), Which::Ready(server.now_ms), skip, 1)
            .map(|s| s.len())
    };
    assert_eq!(peek(&server, 0), Err(QueueError::TooManyGroups));
    server.store(&orders).clear(Part::Turns);
    assert_eq!(peek(&server, 0), Ok(0));
}
