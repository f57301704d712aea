//! The server stalls for a while (a slow command, the machine): what clients sent in time counts,
//! although it is read only after visibilities have ended.

use crate::harness::*;

/// Lets the server stand still from now until `end_ms`, and returns the client that waits for it.
fn stall(server: &Server, end_ms: i64) -> Client {
    let mut client = server.client();
    let seconds = (end_ms - now_ms()) as f64 / 1000.0;
    client.send(&format!("DEBUG SLEEP {seconds}"));
    sleep_until_ms(now_ms() + 50);
    client
}

#[test]
fn what_clients_sent_while_the_server_stood_still_comes_before_ends_of_visibility() {
    for line in ["MQ.ACK", "MQ.EXTEND", "MQ.NACK"] {
        let server = Server::start();
        let mut client = server.client();
        client.ask("MQ.CONFIG orders MAXRETRIES 0 DEADLETTER dead");
        client.push("orders", "one");
        let held = client.pull("orders VISIBILITY 300");
        let mut slow = stall(&server, held.visibility_until + 300);
        let options = if line == "MQ.EXTEND" { " VISIBILITY 60000" } else { "" };
        client.send(&format!("{line} {}{options}", held.delivery()));
        slow.next_reply().expect("OK");
        let reply = client.next_reply();
        match line {
            "MQ.EXTEND" => {
                assert!(matches!(reply, Ok(Value::Int(1..))), "{reply:?}");
                assert_eq!(client.lengths("orders"), [0, 1, 0]);
                assert_eq!(client.lengths("dead"), [0; 3]);
            }
            // It needs a delivery that runs: by the server's clock this one is over.
            "MQ.NACK" => assert!(reply.is_err(), "{reply:?}"),
            _ => {
                assert_eq!(reply, Ok(Value::Int(1)));
                assert_eq!(client.lengths("orders"), [0; 3]);
                assert_eq!(client.lengths("dead"), [0; 3]);
            }
        }
    }
}

#[test]
fn a_pull_that_is_read_before_the_acknowledgment_does_not_end_the_visibility() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let held = client.pull("orders VISIBILITY 300");
    let mut others: Vec<Client> = (0..5).map(|_| server.client()).collect();
    let mut slow = stall(&server, held.visibility_until + 300);
    for (number, other) in others.iter_mut().enumerate() {
        other.send(if number % 2 == 0 { "MQ.PULL orders" } else { "MQ.PULL orders BLOCK 200" });
    }
    client.send(&format!("MQ.ACK {}", held.delivery()));
    slow.next_reply().expect("OK");
    assert_eq!(client.next_reply(), Ok(Value::Int(1)));
    for mut other in others {
        assert_eq!(other.next_reply(), Ok(Value::Nil));
    }
}

#[test]
fn what_is_due_after_a_stall_is_moved_then() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 2 one two");
    let held = client.pull("orders VISIBILITY 200");
    client.pull("orders VISIBILITY 200");
    client.ask("MQ.PUSH later three DELAY 200");
    let waiting = server.waiting("MQ.PULL later BLOCK 0");
    let [mut first, mut second] = [(); 2].map(|()| server.client());
    let mut slow = stall(&server, held.visibility_until + 200);
    first.send("MQ.PULL orders");
    second.send("MQ.PULL orders COUNT 5");
    slow.next_reply().expect("OK");
    let first = Message::from(&first.next_reply().expect("a message"));
    assert_eq!((first.text(), first.retry_count), ("one", 1));
    let second = second.next_reply().expect("a message");
    assert_eq!(Message::from(&items(&second)[0]).text(), "two");
    assert_eq!(waiting.message().0.text(), "three");
}

#[test]
fn one_stall_after_the_other_does_not_keep_messages_back() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    client.pull("orders VISIBILITY 100");
    let mut busy: Vec<Client> = (0..40).map(|_| server.client()).collect();
    for client in &mut busy {
        client.send("DEBUG SLEEP 0.02");
    }
    assert_eq!(client.pull("orders BLOCK 0").text(), "one");
}

#[test]
fn a_transaction_after_a_stall_finds_what_is_due() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let held = client.pull("orders VISIBILITY 200");
    let mut slow = stall(&server, held.visibility_until + 200);
    let lines = ["MULTI", "MQ.PULL orders", "EXEC"].map(String::from);
    let replies = client.pipeline(&lines);
    slow.next_reply().expect("OK");
    let pulled = replies[2].clone().expect("the transaction's replies");
    assert_eq!(Message::from(&items(&pulled)[0]).text(), "one");
}
