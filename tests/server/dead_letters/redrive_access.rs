//! MQ.REDRIVE writes to queues that its arguments may not name: permissions and slots.

use crate::harness::*;

/// A dead letter of each queue in `dead`; `orders` died first.
fn fill(client: &mut Client) {
    for queue in ["orders", "mails"] {
        client.ask(&format!("MQ.CONFIG {queue} DEADLETTER dead"));
        client.push_dead(queue, "one");
    }
}

#[track_caller]
fn refused_for_permission(client: &mut Client, line: &str) {
    let error = client.refused(line);
    assert!(error.starts_with("NOPERM "), "{line}: {error}");
}

#[test]
fn the_queue_after_to_is_a_key_of_the_command() {
    let server = Server::start();
    let mut client = server.client();
    fill(&mut client);
    for line in ["MQ.REDRIVE dead TO repair", "MQ.REDRIVE dead COUNT 5 TO repair"] {
        let keys = client.ask(&format!("COMMAND GETKEYS {line}"));
        assert_eq!(strings(&keys), ["dead", "repair"]);
    }
    assert_eq!(strings(&client.ask("COMMAND GETKEYS MQ.REDRIVE dead COUNT 5")), ["dead"]);
    let mut alice = server.client_of_user("~dead ~repair +mq.redrive");
    refused_for_permission(&mut alice, "MQ.REDRIVE dead TO orders");
    refused_for_permission(&mut alice, "MQ.REDRIVE dead COUNT 1 to orders");
    refused_for_permission(&mut alice, "MQ.REDRIVE orders TO repair");
    assert_eq!(alice.number("MQ.REDRIVE dead TO repair"), 2);
}

#[test]
fn without_permission_on_a_target_nothing_is_moved() {
    if !facts().separates_key_permissions() {
        // There a target must be named, and is a key of the command: see above.
        return;
    }
    let server = Server::start();
    let mut client = server.client();
    fill(&mut client);
    let mut alice = server.client_of_user("~dead ~orders +mq.redrive");
    refused_for_permission(&mut alice, "MQ.REDRIVE dead");
    assert_eq!(client.lengths("dead"), [2, 0, 0]);
    assert_eq!(client.lengths("orders"), [0, 0, 0]);
    // The one that died in `orders` is all that is looked at.
    assert_eq!(alice.number("MQ.REDRIVE dead COUNT 1"), 1);
    refused_for_permission(&mut alice, "MQ.REDRIVE dead COUNT 1");

    let mut alice = server.client_of_user("~dead %R~mails +mq.redrive");
    refused_for_permission(&mut alice, "MQ.REDRIVE dead");
    let mut alice = server.client_of_user("~dead ~mails +mq.redrive");
    assert_eq!(alice.number("MQ.REDRIVE dead"), 1);
    assert_eq!(client.lengths("mails"), [1, 0, 0]);
}

#[test]
fn permissions_are_those_of_the_user_in_transactions_and_scripts_too() {
    if !facts().separates_key_permissions() {
        return;
    }
    let server = Server::start();
    let mut client = server.client();
    fill(&mut client);
    let mut alice = server.client_of_user("~dead ~orders +@all");
    let replies = alice.pipeline(&["MULTI", "MQ.REDRIVE dead", "EXEC"].map(String::from));
    let error = match &replies[2] {
        Err(error) => error.clone(),
        Ok(reply) => panic!("not refused, but {reply:?}"),
    };
    assert!(error.contains("NOPERM"), "{error}");
    let script = "return redis.call('MQ.REDRIVE', KEYS[1])";
    let error = alice.reply(&["EVAL", script, "1", "dead"]).expect_err("an error");
    assert!(error.contains("NOPERM"), "{error}");
    assert_eq!(client.lengths("dead"), [2, 0, 0]);
    assert_eq!(client.reply(&["EVAL", script, "1", "dead"]), Ok(Value::Int(2)));
}

#[test]
fn in_cluster_mode_the_target_is_in_the_same_slot() {
    let server = Server::start_in_cluster_mode();
    let mut client = server.client();
    client.push("{acme}.orders", "one");
    let message = client.pull("{acme}.orders");
    assert_eq!(client.number(&format!("MQ.NACK {} DEAD", message.delivery())), 1);
    let dead = "{acme}.orders:dead";
    let error = client.refused(&format!("MQ.REDRIVE {dead} TO orders"));
    assert!(error.starts_with("CROSSSLOT "), "{error}");
    assert_eq!(client.lengths(dead), [1, 0, 0]);
    if facts().separates_key_permissions() {
        assert_eq!(client.number(&format!("MQ.REDRIVE {dead}")), 1);
    } else {
        assert_eq!(client.number(&format!("MQ.REDRIVE {dead} TO {{acme}}.orders")), 1);
    }
    assert_eq!(client.pull("{acme}.orders").id, message.id);
}
