//! Ops of version 1, as release 0.1.0 sent them: they do what that release did, and ops of this
//! release go on from there.

use super::*;
use crate::store::keyspace::Keyspace;

/// One that sends what 0.1.0 sent.
fn old_server() -> Server {
    let mut server = Server::new();
    server.rules = Rules::V1;
    server
}

/// The same queue under each release: what a case shows of it.
fn under_each<T>(case: impl Fn(&mut Server) -> T) -> [T; 2] {
    [old_server(), Server::new()].map(|mut server| {
        let shown = case(&mut server);
        let replayed = server.replayed();
        assert_eq!(*server.database.borrow(), *replayed.borrow(), "a replica differs");
        shown
    })
}

#[test]
fn the_end_of_a_visibility_is_followed_by_the_backoff_under_version_1_only() {
    let orders = queue("orders");
    let delays = under_each(|server| {
        server.configure(&orders, Setting::Backoff, Some("500"));
        server.push(&orders, b"x", 0);
        server.pull(&orders, 100).unwrap();
        server.now_ms += 150;
        server.sweep(&orders, 10);
        server.store(&orders).first_timed(Part::Delayed).map(|(_, due_at_ms)| due_at_ms - START_MS)
    });
    assert_eq!(delays, [Some(600), None]);
}

#[test]
fn by_default_nothing_dies_and_nothing_backs_off_under_version_1_only() {
    let orders = queue("orders");
    let states = under_each(|server| {
        server.push(&orders, b"x", 0);
        for _ in 0..26 {
            let got = server.pull(&orders, 100).unwrap();
            server.nack(&orders, vec![got.claim()], Some(0));
        }
        let dead = server.len(&queue("{orders}:dead"), Part::Messages);
        server.push(&orders, b"y", 0);
        let got = server.pull_with(&orders, 2, 100, ALL).unwrap();
        server.nack(&orders, vec![got.last().unwrap().claim()], None);
        (dead, server.len(&orders, Part::Delayed))
    });
    assert_eq!(states, [(0, 0), (1, 1)]);
}

#[test]
fn what_goes_behind_within_a_millisecond_is_in_the_order_of_ids_under_version_1_only() {
    let orders = queue("orders");
    let orders = under_each(|server| {
        let pushed = [(); 2].map(|()| server.push(&orders, b"x", 0));
        let got = server.pull(&orders, 100).unwrap();
        server.nack(&orders, vec![got.claim()], Some(0));
        let order = server.pull_all(&orders, 100);
        order.iter().map(|id| pushed.iter().position(|pushed| pushed == id)).collect::<Vec<_>>()
    });
    assert_eq!(orders, [[Some(0), Some(1)], [Some(1), Some(0)]]);
}

#[test]
fn a_late_extension_is_refused_under_version_1_only() {
    let orders = queue("orders");
    let answers = under_each(|server| {
        [0, 10].map(|swept| {
            server.push(&orders, b"x", 0);
            let got = server.pull(&orders, 100).unwrap();
            server.now_ms += 100;
            server.sweep(&orders, swept);
            let settled = server.extend(&orders, vec![got.claim()], 100);
            server.delete(&orders, &[got.id]);
            settled == [Settled::BadReceipt]
        })
    });
    assert_eq!(answers, [[true, true], [false, false]]);
}

#[test]
fn a_record_out_of_order_is_deleted_and_left_by_a_repair_under_version_1_only() {
    let orders = queue("orders");
    let shown = under_each(|server| {
        server.is_harmed = true;
        let [first, second] = [server.new_id(), server.new_id()];
        for id in [second, first] {
            let push = Op::Push(op::Push { id, due_at_ms: None, payload: b"x", options: None });
            server.run(&orders, &push).unwrap();
        }
        let found = server.repair(&orders);
        let third = server.push(&orders, b"x", 0);
        let push = Op::Push(op::Push { id: first, due_at_ms: None, payload: b"y", options: None });
        server.run(&orders, &push).unwrap();
        (found, server.delete(&orders, &[first]), server.delete(&orders, &[third]))
    });
    assert_eq!(shown, [(vec![], 2, 1), (vec![(Finding::OutOfOrder, 1)], 1, 1)]);
}

#[test]
fn headers_count_for_the_size_of_a_batch_under_version_2_only() {
    let orders = queue("orders");
    let value = "v".repeat(60_000);
    let delivered = under_each(|server| {
        let asked = Asked { headers: &[("name", &value)], ..Asked::default() };
        server.push_many(&orders, &vec![Vec::new(); 300], &asked);
        server.pull_with(&orders, 300, 100, ALL).unwrap().len()
    });
    assert_eq!(delivered, [300, 280]);
}

#[test]
fn deliveries_are_counted_under_version_2_and_go_on_from_the_retries_of_version_1() {
    let orders = queue("orders");
    let mut server = old_server();
    server.push(&orders, b"x", 0);
    let mut shown = Vec::new();
    for rules in [Rules::V1, Rules::V1, Rules::V2, Rules::V2] {
        server.rules = rules;
        let got = server.pull(&orders, 100).unwrap();
        shown.push(got.deliveries);
        server.now_ms += 100;
        server.sweep(&orders, 10);
        let record = server.store(&orders).0.get(Part::Notes, &got.id.0).unwrap();
        assert_eq!(record[0], if rules == Rules::V1 { 1 } else { 2 }, "the note's version");
    }
    let got = server.pull(&orders, 100).unwrap();
    shown.push(got.deliveries);
    let second_ms = START_MS + 100;
    assert_eq!(shown, [None, None, None, Some((3, second_ms)), Some((4, second_ms))]);
}

#[test]
fn the_settings_of_a_dead_letter_queue_count_for_dead_letters_under_version_2_only() {
    let (orders, dead) = (queue("orders"), queue("{orders}:dead"));
    let kept = under_each(|server| {
        server.configure(&dead, Setting::Ttl, Some("100"));
        server.configure(&dead, Setting::MaxLen, Some("1"));
        for _ in 0..2 {
            server.push(&orders, b"x", 0);
            let got = server.pull(&orders, 100).unwrap();
            let claims = vec![got.claim()];
            server.nack_as(&orders, claims, None, Return::Rejected, None).unwrap();
        }
        (server.len(&dead, Part::Dead), server.len(&dead, Part::Expiring))
    });
    assert_eq!(kept, [(2, 0), (1, 1)]);
}

#[test]
fn bytes_of_version_1_do_what_0_1_0_did() {
    let orders = queue("orders");
    let database: Rc<RefCell<Database>> = Rc::default();
    let mut id = [0; 16];
    id[4..].copy_from_slice(&[0, 100, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1]);
    let claim = [id.as_slice(), &[7]].concat();
    let ops: [Vec<u8>; 4] = [
        // Setting 3 is BACKOFF.
        b"\x01\x07\x01\x03\x01\x03500".to_vec(),
        [b"\x01\x00".as_slice(), &id, b"\x00\x01x\x00"].concat(),
        // At 100, one message, visible after 50, with receipt 7; no sweep, nothing acknowledged.
        b"\x01\x02\x64\x01\x00\x32\x00\x07\x00\x00\x00".to_vec(),
        // At 200 what is due, up to 10.
        b"\x01\x03\xc8\x0a\x00".to_vec(),
    ];
    for bytes in &ops {
        let (op, rules) = crate::store::op::decode_op(bytes).unwrap();
        let mut store = Records::with_rules(MemoryKeyspace::new(&database, &orders), rules);
        apply(&mut store, &mut Effects::none(), &op).unwrap();
    }
    let mut store = Records::new(MemoryKeyspace::new(&database, &orders));
    assert_eq!(store.timed(Part::Delayed, 0, 10), [(MessageId(id), 150 + 500)]);
    // Setting 14 is MAXDEDUP, which 0.1.0 doesn't know.
    assert!(crate::store::op::decode_op(b"\x01\x07\x01\x0e\x01\x015").is_err());
    assert!(crate::store::op::decode_op(b"\x02\x07\x01\x0e\x01\x015").is_ok());
    // The numbers of version 2 go on behind those of version 1, which knows no more than its own.
    let late = [b"\x01\x10".as_slice(), &claim].concat();
    assert!(crate::store::op::decode_op(&late).is_err());
}

#[test]
fn the_record_of_a_group_that_can_not_be_read_is_written_over_under_version_1_only() {
    let orders = queue("orders");
    let set_aside = [Rules::V1, Rules::V2].map(|rules| {
        let mut server = Server::to_be_harmed();
        server.rules = rules;
        server.add(&orders, &Asked::group("a"));
        server.store(&orders).0.put(Part::Groups, b"a", b"garbage");
        server.add(&orders, &Asked::group("a"));
        server.len(&orders, Part::Damaged)
    });
    assert_eq!(set_aside, [0, 1]);
}
