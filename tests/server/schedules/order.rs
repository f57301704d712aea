//! Where messages of ticks come among others: by the moment at which they were due.

use super::{HOUR, HOUR_S, at_once, hourly, wait_for_ticks, with_clock};
use crate::harness::*;

#[test]
fn the_message_of_a_tick_comes_among_what_else_became_due() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    let due = start + HOUR;
    for pull in ["MQ.LEN mails", "MQ.PULL orders NOACK"] {
        clock.set(0);
        client.ask(&format!("MQ.PUSH orders last AT {}", due + 20));
        client.ask(&format!("MQ.PUSH orders first AT {due}"));
        client.ask(&format!("MQ.SCHEDULE orders a second EVERY {HOUR} START {}", due + 5));
        client.ask(&format!("MQ.SCHEDULE orders b fourth EVERY {HOUR} START {}", due + 15));
        client.ask(&format!("MQ.PUSH orders third AT {}", due + 10));
        let reply = at_once(&server, &clock, HOUR_S + 60, &[pull]).remove(0);
        let mut order = match reply {
            Value::Int(0) => Vec::new(),
            message => vec![text_of(&entries(&message)[2].1)],
        };
        client.wait_for_ready("orders", 5 - order.len() as i64);
        order.extend(client.pull_texts("orders COUNT 9"));
        assert_eq!(order, ["first", "second", "third", "fourth", "last"], "{pull}");
        client.ask("MQ.DROP orders");
    }
}

#[test]
fn what_waited_before_the_tick_comes_before_it() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    hourly(&mut client, "each", start, "");
    client.push("orders", "before");
    client.ask("MQ.PUSH orders urgent PRIORITY 5");
    clock.set(HOUR_S + 60);
    client.wait_for_ready("orders", 3);
    client.push("orders", "after");
    assert_eq!(client.pull_texts("orders COUNT 9"), ["urgent", "before", "x", "after"]);
}

#[test]
fn missed_ticks_of_several_schedules_come_in_the_order_of_their_moments() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    // More than one op takes at a time.
    for (name, offset) in [("c", 0), ("a", 20), ("b", 40)] {
        hourly(&mut client, name, start + offset * 60_000, "CATCHUP ALL");
    }
    clock.set(100 * HOUR_S - 60);
    client.wait_for_ready("orders", 3 * 99);
    wait_for_ticks(&mut client, &clock);
    let runs = client.runs("orders");
    assert_eq!(runs.len(), 3 * 99);
    assert!(runs.is_sorted_by_key(|run| run.tick), "{runs:?}");
    let names: Vec<&str> = runs.iter().take(6).map(|run| run.schedule.as_str()).collect();
    assert_eq!(names, ["c", "a", "b", "c", "a", "b"]);
    for name in ["a", "b", "c"] {
        assert_eq!(client.schedule_number("orders", name, "runs"), 99);
    }
}
