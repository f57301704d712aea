//! Every feature of a queue survives a restart, a crash, a rewrite of the append-only file and a promotion, and
//! is the same on a replica.

use crate::harness::every_feature::{check, fill};
use crate::harness::*;

#[test]
fn it_is_the_same_on_a_replica_and_in_an_append_only_file_and_is_processed_after_a_crash() {
    let mut server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    let filled = fill(&mut client);
    same_data(&mut client, &mut copy, "the fill");
    let digest = client.text("DEBUG DIGEST");
    server.kill_and_start_again();
    let mut client = server.client();
    assert_eq!(client.text("DEBUG DIGEST"), digest);
    let replica = server.start_replica();
    let mut copy = replica.client();
    check(&mut client, &filled);
    same_data(&mut client, &mut copy, "the work");
}

#[test]
fn it_survives_a_snapshot() {
    let mut server = Server::start();
    let filled = fill(&mut server.client());
    let digest = server.client().text("DEBUG DIGEST");
    server.restart_with_snapshot();
    let mut client = server.client();
    assert_eq!(client.text("DEBUG DIGEST"), digest);
    check(&mut client, &filled);
}

#[test]
fn it_survives_a_rewrite_of_the_append_only_file() {
    for preamble in ["yes", "no"] {
        let mut server = Server::start_with_preamble(preamble);
        let mut client = server.client();
        let filled = fill(&mut client);
        client.ask("BGREWRITEAOF");
        server.wait_for_rewrite();
        server.kill_and_start_again();
        check(&mut server.client(), &filled);
    }
}

#[test]
fn it_goes_on_at_a_promoted_replica() {
    let mut server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    let filled = fill(&mut client);
    same_data(&mut client, &mut copy, "the fill");
    server.kill();
    copy.ask("REPLICAOF NO ONE");
    check(&mut copy, &filled);
}

#[test]
fn it_goes_on_at_a_replica_that_joined_late() {
    let mut server = Server::start();
    let filled = fill(&mut server.client());
    let replica = server.start_replica();
    same_data(&mut server.client(), &mut replica.client(), "the first synchronization");
    server.kill();
    let mut copy = replica.client();
    copy.ask("REPLICAOF NO ONE");
    check(&mut copy, &filled);
}

#[test]
fn its_stream_replayed_on_an_empty_server_gives_the_same_data() {
    let (server, other) = (Server::start(), Server::start());
    let mut client = server.client();
    let mut stream = server.replication_stream();
    let filled = fill(&mut client);
    let mut copy = other.client();
    for command in stream.take() {
        copy.reply(&command).expect("an op applied");
    }
    assert_eq!(copy.text("DEBUG DIGEST"), client.text("DEBUG DIGEST"));
    check(&mut copy, &filled);
}

#[test]
fn short_deadlines_of_every_kind_leave_a_replica_the_same() {
    let server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    client.ask("MQ.CONFIG orders MAXRETRIES 1 BACKOFF 5 GROUPINFLIGHT 2 AGING 10");
    let mut lines = Vec::new();
    for n in 0..300u32 {
        let ranked = ["", "GROUP a", "PRIORITY 3", "GROUP b", "PRIORITY 9", "GROUP c"];
        let timed = ["", "TTL 40", "DELAY 20", "DELAY 30 TTL 25", "DELAY 10 TTL 60"];
        let keyed = ["", "DEDUP k UNTILDONE", "DEDUP l WINDOW 15", "", ""];
        let pick = |from: &[&'static str], factor: u32| from[(n * factor) as usize % from.len()];
        let options = [pick(&ranked, 7), pick(&timed, 11), pick(&keyed, 13)].join(" ");
        lines.push(format!("MQ.PUSH orders {n} {options} HEADERS 1 n {n}"));
        if n % 3 == 0 {
            lines.push(format!("MQ.PULL orders COUNT 2 VISIBILITY {}", 1 + n % 30));
        }
        if n % 10 == 0 {
            lines.push("MQ.PULL orders NOACK".into());
        }
    }
    for reply in client.pipeline(&lines) {
        reply.expect("a reply");
    }
    for _ in 0..40 {
        let pulled = client.pull_batch("orders COUNT 3 VISIBILITY 5");
        for (n, message) in pulled.iter().enumerate() {
            let command = ["MQ.ACK", "MQ.NACK", "MQ.DEL"][n];
            let rest = if n == 2 { format!("orders {}", message.id) } else { message.delivery() };
            client.reply_to(&format!("{command} {rest}")).ok();
        }
        sleep_until_ms(now_ms() + 3);
    }
    eventually("nothing is in flight or delayed any more", || {
        client.number("EXISTS mq:{orders}:flight mq:{orders}:delayed mq:{orders}:expiring") == 0
    });
    assert_eq!(client.ask("MQ.CHECK orders"), Value::Array(Vec::new()));
    eventually("no window is open", || client.number("EXISTS mq:{orders}:deduped") == 0);
    same_data(&mut client, &mut copy, "all of it");
    let mut server = server;
    let digest = client.text("DEBUG DIGEST");
    server.kill_and_start_again();
    assert_eq!(server.client().text("DEBUG DIGEST"), digest);
}

#[test]
fn what_ends_by_time_ends_at_a_promoted_replica_with_nobody_talking() {
    let mut server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    client.ask("MQ.PUSH orders one TTL 1500");
    client.ask("MQ.PUSH orders two GROUP ann TTL 1500");
    client.ask("MQ.PUSH orders three DEDUP key WINDOW 1500");
    client.ask("MQ.PUSH mails one TTL 1500 GROUP ann");
    client.ask("MQ.PUSH mails two GROUP ann");
    let held = client.pull("mails VISIBILITY 3600000");
    client.nack_with(&held, "DELAY 3600000");
    same_data(&mut client, &mut copy, "the pushes");
    server.kill();
    copy.ask("REPLICAOF NO ONE");
    let waiting = replica.waiting("MQ.PULL mails BLOCK 0");
    eventually("lives end", || copy.number("EXISTS mq:{orders}:expiring") == 0);
    eventually("the key is released", || copy.number("EXISTS mq:{orders}:dedup") == 0);
    assert_eq!(copy.lengths("orders"), [1, 0, 0]);
    assert_eq!(waiting.message().0.text(), "two");
}

#[test]
fn what_ended_while_the_server_was_down_has_ended() {
    let mut server = Server::start_with_append_only_file();
    let mut client = server.client();
    client.ask("MQ.PUSH orders one TTL 200");
    client.ask("MQ.PUSH orders two GROUP ann TTL 200");
    client.ask("MQ.PUSH orders three DELAY 200");
    client.ask("MQ.CONFIG orders RATE 1 RATEPERIOD 200");
    client.ask("MQ.CONFIG mails RATE 1 RATEPERIOD 200");
    client.ask("MQ.MPUSH mails 2 one two");
    client.pull("mails VISIBILITY 3600000");
    let end = now_ms() + 200;
    server.kill();
    sleep_until_ms(end);
    server.start_again();
    let mut client = server.client();
    assert_eq!(client.pull("mails").text(), "two");
    assert_eq!(client.pull("orders").text(), "three");
    assert_eq!(client.lengths("orders"), [0, 1, 0]);
}
