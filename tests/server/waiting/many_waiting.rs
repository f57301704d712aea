//! Thousands of clients that wait for one queue: each is served once, in the order in which they came,
//! and those that vanish meanwhile take no message with them.

use crate::harness::*;
use std::fs;

/// Ten thousand, or as many as this process may have files open, with room for other tests.
fn crowd() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").expect("the limits of this process");
    let files = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
    let soft = files.split_whitespace().nth(3).expect("a soft limit");
    soft.parse::<usize>().map_or(10_000, |soft| 10_000.min(soft / 2))
}

fn server_for_crowds() -> Server {
    Server::start_with(&[("maxclients", "12000")])
}

/// Clients that wait, in this order, and their ids.
fn block_many(server: &Server, count: usize, line: &str) -> (Vec<Client>, Vec<i64>) {
    let mut observer = server.client();
    let (mut clients, mut ids) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let mut client = server.client();
        ids.push(client.id());
        client.send(line);
        clients.push(client);
        let waiting = clients.len() as i64;
        eventually("it waits", || observer.queue_info("orders", "blocked_clients") == waiting);
    }
    (clients, ids)
}

fn push(client: &mut Client, count: usize) {
    let lines: Vec<String> = (0..count).map(|n| format!("MQ.PUSH orders {n}")).collect();
    client.pipeline(&lines).into_iter().for_each(|id| drop(id.expect("an id")));
}

fn message(client: &mut Client) -> Message {
    Message::from(&client.next_reply().expect("a message"))
}

#[test]
fn ten_thousand_are_served_once_each_in_order() {
    let server = server_for_crowds();
    let (mut waiting, _) =
        block_many(&server, crowd(), "MQ.PULL orders BLOCK 0 VISIBILITY 3600000");
    let mut client = server.client();
    push(&mut client, waiting.len());
    for (n, one) in waiting.iter_mut().enumerate() {
        assert_eq!(message(one).text(), n.to_string());
    }
    assert_eq!(client.lengths("orders"), [0, waiting.len() as i64, 0]);
    for one in &mut waiting {
        assert_eq!(one.ask("PING"), Value::SimpleString("PONG".into()), "nothing more came");
    }
}

#[test]
fn those_that_vanish_while_messages_come_leave_them_to_the_others() {
    let server = server_for_crowds();
    let count = crowd().min(1_000);
    let line = "MQ.PULL orders BLOCK 0 ONDISCONNECT VISIBILITY 3600000";
    let (waiting, ids) = block_many(&server, count, line);
    let mut waiting: Vec<Option<Client>> = waiting.into_iter().map(Some).collect();
    let mut client = server.client();
    // Half of them go, one way or the other, and after each two comes a message for one who stays.
    for n in (0..count).step_by(4) {
        waiting[n] = None;
        client.pipeline(&[
            format!("MQ.PUSH orders {n}"),
            format!("CLIENT KILL ID {}", ids[n + 1]),
            format!("MQ.PUSH orders {}", n + 1),
        ]);
        waiting[n + 1] = None;
    }
    let mut texts: Vec<String> =
        waiting.iter_mut().flatten().map(|one| message(one).text().to_string()).collect();
    texts.sort();
    let mut expected: Vec<String> =
        (0..count).filter(|n| n % 4 < 2).map(|n| n.to_string()).collect();
    expected.sort();
    assert_eq!(texts, expected, "each came once");
    assert_eq!(client.lengths("orders"), [0, texts.len() as i64, 0]);
    assert_eq!(client.queue_info("orders", "blocked_clients"), 0);
}

#[test]
fn those_that_are_unblocked_or_killed_are_passed_over() {
    let server = server_for_crowds();
    let mut client = server.client();
    let (mut waiting, ids) = block_many(&server, 400, "MQ.PULL orders BLOCK 0 VISIBILITY 3600000");
    for (n, id) in ids.iter().enumerate() {
        match n % 4 {
            1 => assert_eq!(client.number(&format!("CLIENT UNBLOCK {id} TIMEOUT")), 1),
            2 => assert_eq!(client.number(&format!("CLIENT UNBLOCK {id} ERROR")), 1),
            3 => assert_eq!(client.number(&format!("CLIENT KILL ID {id}")), 1),
            _ => {}
        }
    }
    push(&mut client, 50);
    for (n, one) in waiting.iter_mut().enumerate() {
        match n % 4 {
            0 if n < 200 => assert_eq!(message(one).text(), (n / 4).to_string()),
            0 => {}
            1 => assert_eq!(one.next_reply(), Ok(Value::Nil)),
            2 => assert!(one.next_reply().expect_err("an error").starts_with("UNBLOCKED ")),
            _ => drop(one.next_reply().expect_err("a closed connection")),
        }
    }
    assert_eq!(client.queue_info("orders", "blocked_clients"), 50);
    client.ask("CLIENT KILL TYPE normal");
    eventually("nobody waits", || client.queue_info("orders", "blocked_clients") == 0);
    client.push("orders", "later");
    assert_eq!(client.lengths("orders"), [1, 50, 0]);
    assert_eq!(server.client().pull("orders BLOCK 0 VISIBILITY 3600000").text(), "later");
}
