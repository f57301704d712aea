//! MQ.QUEUES of many queues: in slices, between which others have their turn.

use crate::harness::*;

const QUEUES: usize = 20_000;

/// A queue's name. They are in the order of their bytes.
fn queue(number: usize) -> String {
    format!("queue-{number:05}")
}

fn push_to(client: &mut Client, numbers: impl Iterator<Item = usize>) {
    let pushes: Vec<String> = numbers.map(|n| format!("MQ.PUSH {} x", queue(n))).collect();
    for chunk in pushes.chunks(1_000) {
        for reply in client.pipeline(chunk) {
            reply.expect("a push");
        }
    }
}

fn all() -> Vec<String> {
    (0..QUEUES).map(queue).collect()
}

#[test]
fn other_clients_are_served_during_a_long_list() {
    let server = Server::start();
    let mut client = server.client();
    push_to(&mut client, 0..QUEUES);
    for line in ["MQ.QUEUES", "MQ.QUEUES MATCH queue-*"] {
        let mut listing = server.waiting(line);
        listing.still_waits();
        assert_eq!(client.text("PING"), "PONG");
        assert_eq!(strings(&listing.reply().expect("the list")), all(), "{line}");
        // The connection goes on as before.
        let mut client = listing.client();
        assert_eq!(client.text("PING"), "PONG");
        assert_eq!(strings(&client.ask("MQ.QUEUES MATCH queue-00007")), [queue(7)]);
    }
    let mut listing = server.waiting("MQ.QUEUES CURSOR 0 COUNT 100000");
    listing.still_waits();
    let reply = listing.reply().expect("a part");
    let [next, part] = items(&reply) else { panic!("not two: {reply:?}") };
    assert_eq!(text_of(next), "0");
    assert_eq!(strings(part), all());
    assert_eq!(strings(&server.resp3_client().ask("MQ.QUEUES")), all());
}

#[test]
fn what_is_there_all_the_time_is_listed_once() {
    let server = Server::start();
    let mut client = server.client();
    push_to(&mut client, 0..QUEUES);
    let mut listing = server.waiting("MQ.QUEUES");
    listing.still_waits();
    for n in 0..500 {
        client.ask(&format!("MQ.DROP {}", queue(n)));
        client.ask(&format!("MQ.DROP {}", queue(QUEUES - 1 - n)));
    }
    push_to(&mut client, (0..250).chain(QUEUES..QUEUES + 500));
    let names = strings(&listing.reply().expect("the list"));
    assert!(names.is_sorted_by(|one, next| one < next), "each is listed once");
    let others = 500..QUEUES - 500;
    let listed = names.iter().filter(|name| others.contains(&name[6..].parse().expect("a number")));
    assert_eq!(listed.count(), others.len());
}

#[test]
fn a_replica_and_a_paused_server_list_many_queues() {
    let server = Server::start();
    let replica = server.start_replica();
    let mut client = server.client();
    push_to(&mut client, 0..QUEUES);
    assert_eq!(client.number("WAIT 1 10000"), 1);
    assert_eq!(strings(&replica.client().ask("MQ.QUEUES")), all());
    if facts().pauses_writes_only() {
        client.ask("CLIENT PAUSE 60000 WRITE");
        assert_eq!(strings(&client.ask("MQ.QUEUES")), all());
        client.ask("CLIENT UNPAUSE");
    }
}

#[test]
fn a_client_that_may_not_wait_gets_all_in_one_go() {
    let server = Server::start();
    let mut client = server.client();
    push_to(&mut client, 0..1_000);
    let expected: Vec<_> = (0..1_000).map(queue).collect();
    let in_script = client.reply(&["EVAL", "return redis.call('MQ.QUEUES')", "0"]);
    assert_eq!(strings(&in_script.expect("the list")), expected);
    client.ask("MULTI");
    client.ask("MQ.QUEUES CURSOR 0 COUNT 1000");
    let reply = client.ask("EXEC");
    assert_eq!(strings(&items(&items(&reply)[0])[1]), expected);
}

#[test]
fn a_list_ends_with_its_connection_and_can_be_unblocked() {
    let server = Server::start();
    let mut client = server.client();
    push_to(&mut client, 0..QUEUES);
    let listing = server.waiting("MQ.QUEUES");
    listing.still_waits();
    listing.hang_up();
    let mut listing = server.waiting("MQ.QUEUES");
    listing.still_waits();
    assert_eq!(client.number(&format!("CLIENT UNBLOCK {}", listing.id())), 1);
    assert_eq!(strings(&listing.reply().expect("the list")), all());
    assert_eq!(strings(&client.ask("MQ.QUEUES")), all());
}

#[test]
fn a_user_sees_its_own_among_many() {
    if !facts().separates_key_permissions() {
        return;
    }
    let server = Server::start();
    let mut client = server.client();
    push_to(&mut client, 0..QUEUES);
    client.ask("ACL SETUSER some reset on >x +mq.queues ~queue-000*");
    let mut some = server.client();
    some.ask("AUTH some x");
    assert_eq!(strings(&some.ask("MQ.QUEUES")), (0..100).map(queue).collect::<Vec<_>>());
}
