//! A server that is well, and clients that are not; and one where all are well, whose counters must be
//! those of the journal.

use super::{
    checks::{assert_none, violations},
    drained, duration,
    journal::{Entries, How, Settlement, Told},
    load::{Confirm, Load, Plan},
};
use crate::harness::*;
use std::{collections::BTreeSet, thread};

#[test]
fn clients_vanish_in_the_middle() {
    let server = Server::start();
    let plan = Plan { vanishing: true, ..Plan::new(Confirm::Reply) };
    let load = Load::start(&server, plan);
    thread::sleep(duration());
    drained(load);
}

#[test]
fn what_is_counted_is_what_clients_were_told() {
    let server = Server::start();
    let plan = Plan::new(Confirm::Reply);
    let load = Load::start(&server, plan);
    thread::sleep(duration());
    let journal = load.drain();
    assert_none(&violations(&journal, plan.max_retries), &journal);
    let mut client = server.client();
    let (queue, grave) = (plan.queue, plan.dead_letter_queue());
    for field in ["ready", "inflight", "delayed", "groups", "highest_retry_count", "damaged"] {
        assert_eq!(client.queue_info(queue, field), 0, "{field}");
        assert_eq!(client.queue_info(&grave, field), 0, "{field} of the dead letters");
    }
    let mut both = |field: &str| client.queue_info(queue, field) + client.queue_info(&grave, field);
    assert_eq!(both("pulled"), count(journal.deliveries.iter()));
    assert_eq!(both("acked"), done(&journal, &[How::Acknowledge]));
    let nacked = done(&journal, &[How::Nack, How::NackUncounted, How::Reject]);
    assert_eq!(both("nacked"), nacked);
    assert_eq!(both("bad_receipts"), refused(&journal, "BADRECEIPT"));
    let ids: BTreeSet<_> = journal.pushes.iter().filter_map(|push| push.id.as_ref()).collect();
    assert_eq!(both("pushed"), count(ids.iter()));
    let dead: BTreeSet<_> = journal
        .deliveries
        .iter()
        .filter_map(|delivery| delivery.death.as_ref().map(|_| delivery.tag))
        .collect();
    assert_eq!(both("dead"), count(dead.iter()));
}

/// How many settlements of these kinds were done.
fn done(journal: &Entries, ways: &[How]) -> i64 {
    let is_one = |one: &&Settlement| one.told == Told::Done && ways.contains(&one.how);
    count(journal.settlements.iter().filter(is_one))
}

fn refused(journal: &Entries, code: &str) -> i64 {
    let refused = Told::Refused(code.into());
    count(journal.settlements.iter().filter(|one| one.told == refused))
}

fn count(things: impl Iterator) -> i64 {
    i64::try_from(things.count()).expect("a count")
}
