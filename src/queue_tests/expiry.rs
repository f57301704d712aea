//! TTL with DEAD: messages that die at the end of their time.

use super::*;
use crate::queue::message::DeathReason;

fn to_die(ttl_ms: u64) -> Asked<'static> {
    Asked { ttl_ms, dies: true, ..Asked::default() }
}

/// The reason and the retry count of each dead letter, in order.
fn dead(server: &mut Server) -> Vec<(MessageId, DeathReason, u32)> {
    let got = server.pull_with(&queue("{orders}:dead"), 100, 1_000_000, ALL).unwrap();
    let deaths = got.into_iter().map(|message| (message.id, message.death.unwrap()));
    deaths.map(|(id, death)| (id, death.reason, death.retries)).collect()
}

#[test]
fn a_message_dies_wherever_its_time_ends() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let held = server.add(&orders, &to_die(100));
    let returned = server.add(&orders, &to_die(100));
    let got = server.pull_with(&orders, 2, 1_000, ALL).unwrap();
    server.nack(&orders, vec![got[1].claim()], Some(0));
    let ready = server.add(&orders, &Asked { priority: 3, ..to_die(100) });
    let grouped = server.add(&orders, &Asked { group: Some("a"), ..to_die(100) });
    let delayed = server.add(&orders, &Asked { delay_ms: 500, ..to_die(100) });
    let keyed = server.add(&orders, &Asked { dedup: Some("k"), ..to_die(100) });
    server.add(&orders, &Asked::to_live(100));
    server.now_ms += 100;
    server.sweep(&orders, 100);
    assert_eq!((server.counts.dead, server.counts.ttl_expired), (5, 1));
    let mut found = dead(&mut server);
    found.sort_by_key(|(id, ..)| *id);
    let expected = [(returned, 1), (ready, 0), (grouped, 0), (delayed, 0), (keyed, 0)];
    assert_eq!(found, expected.map(|(id, retries)| (id, DeathReason::Expired, retries)));
    // The key is free, and what was in flight dies when it comes back.
    assert_ne!(server.add(&orders, &Asked::until_done("k")), keyed);
    server.nack(&orders, vec![got[0].claim()], Some(0));
    assert_eq!(dead(&mut server), [(held, DeathReason::Expired, 0)]);
}

#[test]
fn a_dead_letter_does_not_die_at_the_end_of_the_time_that_its_queue_gives_it() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let dead_letters = queue("{orders}:dead");
    server.configure(&dead_letters, Setting::Ttl, Some("50"));
    let id = server.add(&orders, &to_die(10));
    server.now_ms += 10;
    server.sweep(&orders, 10);
    assert_eq!(server.len(&dead_letters, Part::Expiring), 1);
    // Redriven, it has no time to live.
    assert_eq!(server.redrive(&dead_letters, 10, None), 1);
    assert_eq!(server.len(&orders, Part::Expiring), 0);
    let got = server.pull(&orders, 10).unwrap();
    assert_eq!((got.id, got.expires_at_ms), (id, None));
    let claim = vec![got.claim()];
    server.nack_as(&orders, claim, None, Return::Rejected, None).unwrap();
    server.now_ms += 50;
    server.sweep(&dead_letters, 10);
    assert_eq!(server.counts.ttl_expired, 1);
    assert_eq!(server.len(&queue("{orders}:dead:dead"), Part::Messages), 0);
}

#[test]
fn what_cannot_die_is_discarded() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::DeadLetter, Some("elsewhere"));
    server.add(&orders, &to_die(10));
    server.now_ms += 10;
    let sweep = SweepLimit { limit: 10, same_slot: true };
    server.run(&orders, &op::Sweep { now_ms: server.now_ms, sweep, ended: Vec::new() }).unwrap();
    let counts = &server.counts;
    assert_eq!((counts.dead_letters_refused, counts.ttl_expired, counts.dead), (1, 1, 0));
}

#[test]
fn a_redrive_leaves_what_dies_to_the_sweep() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let first = server.add(&orders, &to_die(10));
    let second = server.add(&orders, &Asked::default());
    server.now_ms += 10;
    let to = queue("{orders}:dead");
    let slice = op::RedriveSlice {
        now_ms: server.now_ms,
        inspect: 10,
        count: 10,
        to: Some(to.clone()),
        same_slot: false,
        choice: op::Choice::ALL,
        from: None,
        reason: None,
    };
    assert_eq!(server.run(&orders, &slice).unwrap().0.moved, 0);
    assert!(matches!(server.effects().next_due, crate::queue::NextDue::AtMost(_)));
    server.sweep(&orders, 10);
    assert_eq!(server.run(&orders, &slice).unwrap().0.moved, 1);
    let got = server.pull_with(&to, 2, 10, ALL).unwrap();
    assert_eq!(ids(&got), [first, second]);
}
