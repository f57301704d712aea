//! The walk over all keys after a load or a promotion: complete, in small steps, and what waits for
//! it. `DEBUG RELOAD` and the next command in one packet run with nothing in between.

use crate::harness::*;

/// A server with many keys, among them a hundred queues.
fn with_many_keys() -> (Server, Client) {
    let server = Server::start();
    let mut client = server.client();
    client.ask("DEBUG POPULATE 200000");
    for n in 0..100 {
        client.push(&format!("queue-{n}"), "x");
    }
    (server, client)
}

fn after_reload(client: &mut Client, line: &str) -> Result<Value, String> {
    client.pipeline(&["DEBUG RELOAD".into(), line.into()]).remove(1)
}

#[test]
fn the_list_of_queues_waits_until_it_is_complete() {
    let (_server, mut client) = with_many_keys();
    let list = after_reload(&mut client, "MQ.QUEUES").expect("a list");
    assert_eq!(items(&list).len(), 100);
    let list = after_reload(&mut client, "MQ.QUEUES MATCH queue-7*").expect("a list");
    assert_eq!(items(&list).len(), 11);
    let list = after_reload(&mut client, "MQ.STATS MATCH queue-7*").expect("a list");
    assert_eq!(items(&list).len(), 11);
}

#[test]
fn where_it_cannot_wait_the_list_is_complete_or_refused() {
    let (_server, mut client) = with_many_keys();
    client.ask("SCRIPT FLUSH");
    let script = client.reply(&["SCRIPT", "LOAD", "return redis.call('MQ.QUEUES')"]);
    let script = text_of(&script.expect("a script's name"));
    let error = after_reload(&mut client, &format!("EVALSHA {script} 0")).expect_err("too early");
    assert!(error.contains("TRYAGAIN"), "{error}");
    eventually("the list is complete", || {
        client.reply_to(&format!("EVALSHA {script} 0")).is_ok_and(|list| items(&list).len() == 100)
    });
}

#[test]
fn the_server_answers_others_while_it_walks() {
    let (server, mut client) = with_many_keys();
    let mut other = server.client();
    client.pipeline(&["DEBUG RELOAD".into(), "PING".into()]);
    let mut answers = 0;
    while other.info("mq")["mq_scan_in_progress"] == "1" {
        answers += 1;
    }
    assert!(answers > 0, "no answer during the walk");
    assert_eq!(items(&client.ask("MQ.QUEUES")).len(), 100);
}

#[test]
fn a_client_that_goes_while_it_waits_for_the_list_does_no_harm() {
    let (server, mut client) = with_many_keys();
    let mut others: Vec<Client> = (0..10).map(|_| server.client()).collect();
    client.ask("DEBUG RELOAD");
    for other in &mut others {
        other.send("MQ.QUEUES");
    }
    others.truncate(5);
    for other in &mut others {
        assert_eq!(items(&other.next_reply().expect("a list")).len(), 100);
    }
    assert_eq!(items(&client.ask("MQ.QUEUES")).len(), 100);
}

#[test]
fn what_happens_during_the_walk_is_in_the_list() {
    let (_server, mut client) = with_many_keys();
    let replies = client.pipeline(&[
        "DEBUG RELOAD".into(),
        "MQ.PUSH new x".into(),
        "RENAME mq:{queue-1}:ready mq:{renamed}:ready".into(),
        "DEL mq:{queue-2}:ready".into(),
        "MQ.QUEUES".into(),
    ]);
    let names = strings(replies[4].as_ref().expect("a list"));
    assert_eq!(names.len(), 100);
    for (name, is_there) in
        [("new", true), ("renamed", true), ("queue-1", false), ("queue-2", false)]
    {
        assert_eq!(names.iter().any(|one| one == name), is_there, "{name}");
    }
}

#[test]
fn databases_flushed_or_swapped_during_the_walk_do_no_harm() {
    let (server, mut client) = with_many_keys();
    let mut fifth = server.client_of_database(5);
    fifth.push("orders", "x");
    client.pipeline(&["DEBUG RELOAD".into(), "SWAPDB 0 5".into()]);
    assert_eq!(strings(&client.ask("MQ.QUEUES")), ["orders"]);
    assert_eq!(strings(&fifth.ask("MQ.QUEUES")).len(), 100);
    client.pipeline(&["DEBUG RELOAD".into(), "FLUSHALL".into()]);
    assert_eq!(client.ask("MQ.QUEUES"), Value::Array(vec![]));
    assert_eq!(fifth.ask("MQ.QUEUES"), Value::Array(vec![]));
}

#[test]
fn the_list_is_complete_right_after_a_promotion() {
    let (_server, mut client) = with_many_keys();
    let lines = ["REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "MQ.QUEUES"].map(String::from);
    let list = client.pipeline(&lines).remove(2).expect("a list");
    assert_eq!(items(&list).len(), 100);
}

#[test]
fn deadlines_are_found_again_by_the_scan() {
    let (_server, mut client) = with_many_keys();
    client.push("orders", "one");
    client.pull("orders VISIBILITY 300");
    client.ask("DEBUG RELOAD");
    eventually("the message is back", || client.number("ZCARD mq:{orders}:ranked") == 1);
}

#[test]
fn clients_wait_on_over_a_reload() {
    let (server, mut client) = with_many_keys();
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    client.ask("DEBUG RELOAD");
    waiting.still_waits();
    client.push("orders", "one");
    assert_eq!(waiting.message().0.text(), "one");
}
