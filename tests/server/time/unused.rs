//! EXPIRES: a queue that nobody uses is dropped.

use crate::harness::*;

#[track_caller]
fn is_gone(client: &mut Client) {
    eventually("nothing is left of the queue", || client.number("DBSIZE") == 0);
}

#[test]
fn an_unused_queue_is_dropped_with_its_messages_and_settings() {
    let server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    let before = now_ms();
    client.ask("MQ.CONFIG orders EXPIRES 800 MAXRETRIES 3");
    client.ask("MQ.PUSH orders x DELAY 3600000");
    client.push("orders", "y");
    client.ask("MQ.PULL orders VISIBILITY 3600000");
    client.ask("MQ.PUSH orders z GROUP a DEDUP k");
    sleep_until_ms(before + 700);
    assert_eq!(client.number("MQ.LEN orders"), 3);
    is_gone(&mut client);
    assert!(now_ms() >= before + 800, "not before its time");
    eventually("the replica follows", || copy.number("DBSIZE") == 0);
    assert_eq!(client.queue_info("orders", "deleted"), 3);
    assert_eq!(client.queue_info("orders", "expires"), 0);
}

#[test]
fn pushes_pulls_and_waits_keep_it() {
    let server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    client.ask("MQ.CONFIG pulled EXPIRES 600");
    client.ask("MQ.CONFIG pushed EXPIRES 600 MAXLEN 1");
    client.ask("MQ.CONFIG awaited EXPIRES 600");
    client.ask("MQ.CONFIG read EXPIRES 600");
    let waiting = server.waiting("MQ.PULL awaited BLOCK 0");
    let end = now_ms() + 2_500;
    while now_ms() < end {
        client.ask("MQ.MPULL 2 pulled nothing");
        let _ = client.reply(&["MQ.PUSH", "pushed", "x"]);
        client.number("MQ.LEN read");
        sleep_until_ms(now_ms() + 40);
    }
    let mut left = strings(&client.ask("MQ.QUEUES"));
    left.sort();
    assert_eq!(left, ["awaited", "pulled", "pushed"]);
    same_data(&mut client, &mut copy, "uses that are noted");
    client.push("awaited", "x");
    assert_eq!(waiting.message().0.text(), "x");
    is_gone(&mut client);
}

#[test]
fn the_time_begins_when_it_is_set_and_ends_when_it_is_reset() {
    let mut server = Server::start_with_append_only_file();
    let mut client = server.client();
    client.push("orders", "x");
    client.ask("MQ.CONFIG orders EXPIRES 3600000");
    client.pull("orders VISIBILITY 3600000");
    client.ask("MQ.CONFIG orders EXPIRES 300");
    client.ask("MQ.CONFIG orders EXPIRES 0");
    sleep_until_ms(now_ms() + 700);
    assert_eq!(client.lengths("orders"), [0, 1, 0]);
    assert_eq!(client.number("EXISTS mq:{orders}:config"), 0);
    client.ask("MQ.CONFIG orders EXPIRES 1500");
    let before = now_ms();
    client.ask("MQ.PULL orders");
    server.kill_and_start_again();
    let mut client = server.client();
    assert_eq!(client.number("MQ.LEN orders"), 1);
    is_gone(&mut client);
    assert!(now_ms() >= before + 1_500, "a restart does not end it earlier");
}

/// The timer took its last turn, before the stall, for the time of the last use.
#[test]
fn a_stall_when_it_is_set_does_not_drop_it() {
    let server = Server::start();
    let mut client = server.client();
    sleep_until_ms(now_ms() + 5_500);
    let lines = ["MQ.PUSH orders x", "MQ.CONFIG orders EXPIRES 4000", "DEBUG SLEEP 0.1"];
    client.pipeline(&lines.map(str::to_string));
    sleep_until_ms(now_ms() + 1_000);
    assert_eq!(client.number("MQ.LEN orders"), 1);
    is_gone(&mut client);
}

#[test]
fn a_promoted_replica_drops_it_in_time() {
    let mut server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    client.ask("MQ.CONFIG orders EXPIRES 2000");
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    sleep_until_ms(now_ms() + 1_000);
    same_data(&mut client, &mut copy, "a wait");
    let used_until = now_ms();
    waiting.hang_up();
    server.kill();
    copy.ask("REPLICAOF NO ONE");
    sleep_until_ms(used_until + 1_500);
    assert_eq!(copy.number("DBSIZE"), 1, "it was used until its master ended");
    is_gone(&mut copy);
}

#[test]
fn it_is_one_op_and_uses_are_noted_once_in_a_while() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders EXPIRES 1000");
    client.ask("MQ.PULL orders");
    let mut stream = server.replication_stream();
    for _ in 0..50 {
        client.ask("MQ.PULL orders");
    }
    is_gone(&mut client);
    let mut names = stream.take_names();
    names.retain(|name| !["MULTI", "EXEC"].contains(&name.as_str()));
    assert!((1..=3).contains(&names.len()), "{names:?}");
}
