//! CLIENT PAUSE and what ends by time meanwhile: pauses of queues, rate windows, lives, held
//! groups. Nothing is written until the server writes again, and then it is made up for.

use crate::harness::*;

/// Longer than what ends in these tests.
const PAUSE_MS: i64 = 900;

/// Lets the server write nothing while what is due in `due_ms` becomes due.
fn pause_beyond(client: &mut Client, due_ms: i64) {
    if !facts().pauses_writes_only() {
        // There a pause holds all clients, this one too.
        client.ask(&format!("CLIENT PAUSE {PAUSE_MS}"));
        return;
    }
    client.ask("CLIENT PAUSE 60000 WRITE");
    let offset = client.info("replication")["master_repl_offset"].clone();
    sleep_until_ms(due_ms + 60);
    assert_eq!(client.info("replication")["master_repl_offset"], offset);
}

fn resume(client: &mut Client) {
    if facts().pauses_writes_only() {
        client.ask("CLIENT UNPAUSE");
    }
}

#[test]
fn a_pause_of_a_queue_that_ends_serves_its_client_afterwards() {
    let server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let mut client = server.client();
    client.push("orders", "one");
    client.ask("MQ.PAUSE orders FOR 600");
    let until = client.queue_info("orders", "paused_until");
    let waiting = server.waiting("MQ.PULL orders BLOCK 0 VISIBILITY 3600000");
    pause_beyond(&mut client, until);
    if facts().pauses_writes_only() {
        waiting.still_waits();
        assert_eq!(client.lengths("orders"), [1, 0, 0]);
    }
    resume(&mut client);
    assert_eq!(waiting.message().0.text(), "one");
    same_data(&mut client, &mut replica.client(), "the pause");
}

#[test]
fn a_rate_window_that_opens_serves_its_client_afterwards() {
    let server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders RATE 1 RATEPERIOD 600");
    client.ask("MQ.MPUSH orders 2 one two");
    client.pull("orders VISIBILITY 3600000");
    let end = client.queue_info("orders", "rate_window_start") + 600;
    let waiting = server.waiting("MQ.PULL orders BLOCK 0 VISIBILITY 3600000");
    pause_beyond(&mut client, end);
    if facts().pauses_writes_only() {
        waiting.still_waits();
    }
    resume(&mut client);
    assert_eq!(waiting.message().0.text(), "two");
    same_data(&mut client, &mut replica.client(), "the pause");
}

#[test]
fn a_life_that_ends_is_noticed_afterwards() {
    let server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let mut client = server.client();
    client.ask("MQ.PUSH orders one TTL 600");
    client.ask("MQ.PUSH orders two TTL 600 GROUP ann");
    client.ask("MQ.PUSH orders three TTL 600 DELAY 3600000");
    client.ask("MQ.PUSH orders four GROUP ann");
    let due = now_ms() + 600;
    pause_beyond(&mut client, due);
    if facts().pauses_writes_only() {
        assert_eq!(client.number("MQ.LEN orders"), 4);
    }
    resume(&mut client);
    eventually("all are discarded", || client.number("ZCARD mq:{orders}:expiring") == 0);
    assert_eq!(client.queue_info("orders", "ttl_expired"), 3);
    assert_eq!(client.pull("orders VISIBILITY 3600000").text(), "four");
    same_data(&mut client, &mut replica.client(), "the pause");
}

#[test]
fn a_slot_and_a_group_that_become_free_serve_their_clients_afterwards() {
    let server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXINFLIGHT 1 MAXRETRIES 0");
    client.ask("MQ.CONFIG mails MAXRETRIES 0");
    client.ask("MQ.MPUSH orders 2 one two");
    client.ask("MQ.MPUSH mails 2 one two GROUP ann");
    client.pull("orders VISIBILITY 600");
    let held = client.pull("mails VISIBILITY 600");
    let waiting = ["orders", "mails"]
        .map(|queue| server.waiting(&format!("MQ.PULL {queue} BLOCK 0 VISIBILITY 3600000")));
    pause_beyond(&mut client, held.visibility_until);
    if facts().pauses_writes_only() {
        waiting.iter().for_each(Waiting::still_waits);
    }
    resume(&mut client);
    for waiting in waiting {
        assert_eq!(waiting.message().0.text(), "two");
    }
    same_data(&mut client, &mut replica.client(), "the pause");
}

#[test]
fn what_serves_a_client_in_the_transaction_that_pauses_does_so_afterwards() {
    let pause = if facts().pauses_writes_only() {
        "CLIENT PAUSE 60000 WRITE".to_string()
    } else {
        format!("CLIENT PAUSE {PAUSE_MS}")
    };
    let prepare = [
        ("MQ.PAUSE orders", "MQ.RESUME orders"),
        ("MQ.CONFIG orders RATE 1 RATEPERIOD 3600000", "MQ.CONFIG orders RATE 9"),
        ("MQ.CONFIG orders MAXINFLIGHT 1", "MQ.CONFIG orders MAXINFLIGHT 2"),
    ];
    for (settings, line) in prepare {
        let server = Server::start_with_append_only_file();
        let replica = server.start_replica();
        let mut client = server.client();
        client.ask("MQ.MPUSH orders 2 one two");
        client.pull("orders VISIBILITY 3600000");
        client.ask(settings);
        if settings.contains("RATE") {
            client.push("orders", "three");
            client.pull("orders VISIBILITY 3600000");
        }
        let waiting = server.waiting("MQ.PULL orders BLOCK 0 VISIBILITY 3600000");
        client.pipeline(&["MULTI".into(), line.into(), pause.clone(), "EXEC".into()]);
        if facts().pauses_writes_only() {
            sleep_until_ms(now_ms() + 40);
            waiting.still_waits();
        }
        resume(&mut client);
        let (message, _) = waiting.message();
        assert!(["two", "three"].contains(&message.text()), "{line}");
        same_data(&mut client, &mut replica.client(), line);
    }
}

#[test]
fn many_ends_during_one_pause_are_all_made_up_for() {
    let server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let mut client = server.client();
    let queues: Vec<String> = (0..20).map(|n| format!("queue-{n}")).collect();
    for queue in &queues {
        client.push(queue, "one");
        client.ask(&format!("MQ.PAUSE {queue} FOR 1500"));
    }
    let until = client.queue_info(&queues[19], "paused_until");
    let waiting: Vec<Waiting> = queues
        .iter()
        .map(|queue| server.waiting(&format!("MQ.PULL {queue} BLOCK 0 VISIBILITY 3600000")))
        .collect();
    pause_beyond(&mut client, until);
    resume(&mut client);
    for waiting in waiting {
        assert_eq!(waiting.message().0.text(), "one");
    }
    same_data(&mut client, &mut replica.client(), "the pause");
    for log in [server.log(), replica.log()] {
        assert!(!log.contains("CRITICAL"), "{log}");
    }
}
