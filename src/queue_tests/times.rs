//! What outcomes tell of how long messages waited and how long their processing took.

use super::*;
use crate::queue::times::Time::{self, Delivery as Waited, Processing as Processed};

const VISIBLE: Mode<'_> = Mode::AtLeastOnce { visibility_ms: 1_000, consumer: None };

fn times<'a, R: Request<'a> + Clone>(
    server: &mut Server,
    queue: &QueueName,
    op: &R,
) -> (R::Outcome<StoredBody<Vec<u8>>>, Vec<Time>) {
    let (outcome, _) = server.run(queue, op).unwrap();
    let mut times = Vec::new();
    op.times(&outcome, || server.now_ms, |time| times.push(time));
    (outcome, times)
}

/// A pull of up to ten messages: their deliveries, and the times that ended.
fn pull(
    server: &mut Server,
    queue: &QueueName,
    mode: Mode<'_>,
    acknowledged: Vec<Delivery>,
) -> (Vec<Delivery>, Vec<Time>) {
    let now_ms = server.now_ms;
    let base_receipt = Receipt::at(now_ms).max(Receipt(server.last_receipt + 1));
    let ended = server.ended(queue, 100);
    let op = op::Pull { now_ms, count: 10, mode, base_receipt, sweep: ALL, acknowledged, ended };
    let (pulled, times) = times(server, queue, &op);
    (pulled.messages.iter().filter_map(|message| message.claim()).collect(), times)
}

fn acknowledge(server: &mut Server, queue: &QueueName, deliveries: &[Delivery]) -> Vec<Time> {
    // As the module does if nothing can have ended, and if something can.
    let now_ms = Some(server.now_ms).filter(|_| deliveries.len() > 1);
    times(server, queue, &op::Acknowledge { now_ms, deliveries: deliveries.into() }).1
}

#[test]
fn a_pull_and_an_acknowledgment_end_times() {
    for asked in [Asked::default(), Asked::priority(3), Asked::group("a"), Asked::later(5)] {
        let (mut server, orders) = (Server::new(), queue("orders"));
        server.add(&orders, &asked);
        server.now_ms += 70;
        let (deliveries, waited) = pull(&mut server, &orders, VISIBLE, Vec::new());
        assert_eq!(waited, [Waited(70)], "{asked:?}");
        server.now_ms += 30;
        assert_eq!(acknowledge(&mut server, &orders, &deliveries), [Processed(30)], "{asked:?}");
    }
}

#[test]
fn other_ops_end_none() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.add(&orders, &Asked::default());
    let (deliveries, _) = pull(&mut server, &orders, VISIBLE, Vec::new());
    let nack = op::Nack {
        now_ms: server.now_ms,
        deliveries: deliveries.into(),
        delay_ms: Some(0),
        same_slot: false,
        how: Return::Counted,
        reason: None,
    };
    assert_eq!(times(&mut server, &orders, &nack).1, []);
    assert_eq!(times(&mut server, &orders, &op::Purge).1, []);
}

#[test]
fn only_the_first_delivery_counts() {
    for how in [Return::Counted, Return::Uncounted] {
        let (mut server, orders) = (Server::new(), queue("orders"));
        server.add(&orders, &Asked::default());
        server.now_ms += 70;
        let (deliveries, _) = pull(&mut server, &orders, VISIBLE, Vec::new());
        server.nack_as(&orders, deliveries, Some(0), how, None).unwrap();
        server.now_ms += 20;
        let (deliveries, waited) = pull(&mut server, &orders, VISIBLE, Vec::new());
        assert_eq!(waited, [], "{how:?}");
        server.now_ms += 5;
        assert_eq!(acknowledge(&mut server, &orders, &deliveries), [Processed(5)], "the last one");
    }
}

#[test]
fn an_at_most_once_delivery_has_no_acknowledgment() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.add(&orders, &Asked::default());
    server.now_ms += 70;
    let (deliveries, waited) = pull(&mut server, &orders, Mode::AtMostOnce, Vec::new());
    assert_eq!((deliveries, waited), (vec![], vec![Waited(70)]));
}

#[test]
fn extended_and_late_acknowledgments_count_from_the_delivery() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.add(&orders, &Asked::default());
    let (extended, _) = pull(&mut server, &orders, VISIBLE, Vec::new());
    server.add(&orders, &Asked::default());
    let (late, _) = pull(&mut server, &orders, VISIBLE, Vec::new());
    server.now_ms += 900;
    server.extend(&orders, extended.clone(), 5_000);
    server.now_ms += 900;
    server.sweep(&orders, 10);
    let both = [extended, late].concat();
    assert_eq!(acknowledge(&mut server, &orders, &both), [Processed(1_800); 2]);
    assert_eq!(acknowledge(&mut server, &orders, &both), [], "they are refused");
}

#[test]
fn a_pull_acknowledges_first() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.add(&orders, &Asked::default());
    let (deliveries, _) = pull(&mut server, &orders, VISIBLE, Vec::new());
    server.add(&orders, &Asked::default());
    server.add(&orders, &Asked::default());
    server.now_ms += 40;
    let claims = [deliveries.clone(), deliveries].concat();
    let (_, ended) = pull(&mut server, &orders, VISIBLE, claims);
    assert_eq!(ended, [Processed(40), Waited(40), Waited(40)]);
}

#[test]
fn a_clock_that_was_set_back_makes_no_time() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.add(&orders, &Asked::default());
    server.now_ms -= 70;
    let (deliveries, waited) = pull(&mut server, &orders, VISIBLE, Vec::new());
    server.now_ms -= 70;
    assert_eq!(
        (waited, acknowledge(&mut server, &orders, &deliveries)),
        (vec![Waited(0)], vec![Processed(0)])
    );
}
