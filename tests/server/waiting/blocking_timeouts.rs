//! MQ.PULL and MQ.MPULL with BLOCK: what a client gets whose time is over.

use crate::harness::*;

/// How often a race is run.
const RUNS: usize = 20;

/// The reply to the last of some commands that are sent in one packet.
fn last_reply(client: &mut Client, lines: &[&str]) -> Value {
    let lines: Vec<String> = lines.iter().map(|line| line.to_string()).collect();
    client.pipeline(&lines).pop().expect("replies").expect("no error")
}

#[test]
fn what_is_due_when_the_wait_ends_is_delivered() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG limited RATE 1 RATEPERIOD 40");
    for run in 0..RUNS {
        for (lines, expected) in [
            (vec!["MQ.PUSH orders one DELAY 40", "MQ.PULL orders BLOCK 40"], "one"),
            (
                vec![
                    "MQ.PUSH orders two",
                    "MQ.PULL orders VISIBILITY 40",
                    "MQ.PULL orders BLOCK 40",
                ],
                "two",
            ),
            (vec!["MQ.PUSH c three DELAY 40", "MQ.MPULL 3 a b c BLOCK 40"], "three"),
            (
                vec![
                    "MQ.MPUSH limited 2 x four",
                    "MQ.PULL limited NOACK",
                    "MQ.PULL limited BLOCK 40",
                ],
                "four",
            ),
        ] {
            let reply = last_reply(&mut client, &lines);
            assert_ne!(reply, Value::Nil, "{lines:?}, run {run}");
            let message = Message::from(&reply);
            assert_eq!(message.text(), expected, "{lines:?}");
            client.acknowledge(&message);
        }
    }
}

#[test]
fn clients_before_one_whose_time_is_over_are_served_first() {
    let server = Server::start();
    let mut client = server.client();
    for _ in 0..RUNS {
        let first = server.waiting("MQ.PULL orders BLOCK 0");
        let last =
            last_reply(&mut client, &["MQ.PUSH orders one DELAY 40", "MQ.PULL orders BLOCK 40"]);
        assert_eq!(last, Value::Nil);
        let (message, mut first) = first.message();
        first.acknowledge(&message);
    }
    for _ in 0..RUNS {
        let first = server.waiting("MQ.PULL orders BLOCK 0");
        let lines = ["MQ.MPUSH orders 2 one two DELAY 40", "MQ.PULL orders BLOCK 40"];
        let last = Message::from(&last_reply(&mut client, &lines));
        let (message, mut first) = first.message();
        assert_eq!((message.text(), last.text()), ("one", "two"));
        first.acknowledge(&message);
        client.acknowledge(&last);
    }
}

#[test]
fn many_waits_that_end_together_all_end() {
    let server = Server::start();
    let mut client = server.client();
    let mut waiting: Vec<Client> = (0..300).map(|_| server.client()).collect();
    for (number, one) in waiting.iter_mut().enumerate() {
        let queue = number % 7;
        one.send(&format!("MQ.PULL queue-{queue} BLOCK 3000"));
    }
    eventually("all wait", || client.info("mq")["mq_blocked_clients"] == "300");
    let replies = waiting.iter_mut().map(|one| one.next_reply());
    assert!(replies.into_iter().all(|reply| reply == Ok(Value::Nil)));
    assert_eq!(client.info("mq")["mq_blocked_clients"], "0");
}

#[test]
fn a_wait_ends_while_writes_are_paused_and_nothing_is_written() {
    if !facts().pauses_writes_only() {
        return;
    }
    let server = Server::start_with_append_only_file();
    let mut client = server.client();
    let mut waiting = server.waiting("MQ.PULL orders BLOCK 300");
    let pause = ["MULTI", "MQ.PUSH orders one DELAY 200", "CLIENT PAUSE 60000 WRITE", "EXEC"];
    last_reply(&mut client, &pause);
    assert_eq!(waiting.reply(), Ok(Value::Nil));
    assert_eq!(client.lengths("orders"), [0, 0, 1]);
    client.ask("CLIENT UNPAUSE");
    assert_eq!(client.pull("orders BLOCK 0").text(), "one");
}

#[test]
fn client_unblock_in_a_transaction_delivers_nothing() {
    let server = Server::start();
    let mut client = server.client();
    let mut waiting = server.waiting("MQ.PULL orders BLOCK 0");
    let unblock = format!("CLIENT UNBLOCK {}", waiting.id());
    last_reply(&mut client, &["MULTI", "MQ.PUSH orders one", &unblock, "EXEC"]);
    assert_eq!(waiting.reply(), Ok(Value::Nil));
    assert_eq!(client.lengths("orders"), [1, 0, 0]);
}
