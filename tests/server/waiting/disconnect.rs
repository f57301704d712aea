//! MQ.PULL with ONDISCONNECT: what a client holds comes back when its connection ends.

use crate::harness::*;

/// A visibility that does not end within a test.
const LONG: &str = "VISIBILITY 3600000";

/// Pulls all that is ready with ONDISCONNECT.
fn hold(client: &mut Client, queue: &str) -> Vec<Message> {
    let messages = client.pull_batch(&format!("{queue} COUNT 10000 {LONG} ONDISCONNECT"));
    assert!(!messages.is_empty(), "nothing to hold");
    messages
}

#[track_caller]
fn is_back(client: &mut Client, queue: &str, messages: i64) {
    let line = format!("MQ.LEN {queue} READY");
    eventually("what the client held is back", || client.number(&line) == messages);
    assert_eq!(client.number(&format!("MQ.LEN {queue} INFLIGHT")), 0);
}

#[test]
fn what_a_client_holds_is_back_when_it_hangs_up() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let mut holder = server.client();
    let held = hold(&mut holder, "orders").remove(0);
    drop(holder);
    is_back(&mut client, "orders", 1);
    let again = client.pull("orders");
    assert_eq!((&again.id, again.retry_count), (&held.id, 1));
    assert!(again.receipt > held.receipt);
}

#[test]
fn what_a_client_holds_is_back_when_it_quits_or_is_killed() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let mut holder = server.client();
    hold(&mut holder, "orders");
    holder.ask("QUIT");
    is_back(&mut client, "orders", 1);

    let mut holder = server.client();
    hold(&mut holder, "orders");
    let id = holder.id();
    client.number(&format!("CLIENT KILL ID {id}"));
    is_back(&mut client, "orders", 1);

    let mut holder = server.client();
    hold(&mut holder, "orders");
    let id = holder.id();
    // The message must not come back as a part of somebody's transaction.
    client.pipeline(&[
        "MULTI".into(),
        "SET before 1".into(),
        format!("CLIENT KILL ID {id}"),
        "SET after 1".into(),
        "EXEC".into(),
    ]);
    is_back(&mut client, "orders", 1);
}

#[test]
fn the_end_of_a_connection_without_backoff_is_as_the_end_of_the_visibility() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders BACKOFF 0");
    client.push("orders", "one");
    client.push("orders", "two");
    let mut holder = server.client();
    let held = holder.pull(&format!("orders {LONG} ONDISCONNECT"));
    drop(holder);
    is_back_among(&mut client, 2);
    // It is at its old place, and its receipt still acknowledges.
    assert_eq!(client.queue_info("orders", "expired"), 1);
    assert_eq!(client.queue_info("orders", "nacked"), 0);
    let first = client.pull_batch("orders COUNT 1").remove(0);
    assert_eq!(first.id, held.id);
    client.nack(&first);

    let mut holder = server.client();
    let held = hold(&mut holder, "orders");
    drop(holder);
    is_back_among(&mut client, 2);
    client.acknowledge(&held[0]);
    client.acknowledge(&held[1]);
    client.ask("MQ.DROP orders");
    assert_eq!(client.number("DBSIZE"), 0);
}

#[track_caller]
fn is_back_among(client: &mut Client, messages: i64) {
    eventually("all are ready", || client.number("MQ.LEN orders READY") == messages);
}

#[test]
fn it_counts_as_a_retry_with_backoff_and_death() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 1 BACKOFF 600000 DEADLETTER dead");
    client.push("orders", "one");
    let mut holder = server.client();
    hold(&mut holder, "orders");
    let before = now_ms();
    drop(holder);
    eventually("it backs off", || client.number("MQ.LEN orders DELAYED") == 1);
    let due = client.queue_info("orders", "next_due_at");
    assert!((before + 600_000..=now_ms() + 600_000).contains(&due), "due at {due}");

    client.ask("FLUSHALL");
    client.ask("MQ.CONFIG orders MAXRETRIES 0 DEADLETTER dead");
    client.push("orders", "two");
    let mut holder = server.client();
    hold(&mut holder, "orders");
    drop(holder);
    eventually("it is dead", || client.number("MQ.LEN dead READY") == 1);
    assert_eq!(client.lengths("orders"), [0, 0, 0]);
}

#[test]
fn only_what_was_pulled_so_comes_back() {
    let server = Server::start();
    let mut client = server.client();
    for payload in ["kept", "held", "acknowledged", "nacked"] {
        client.push("orders", payload);
    }
    let mut holder = server.client();
    let kept = holder.pull(&format!("orders {LONG}"));
    let held = hold(&mut holder, "orders");
    holder.acknowledge(&held[1]);
    assert_eq!(holder.number(&format!("MQ.NACK {} DELAY 3600000", held[2].delivery())), 1);
    drop(holder);
    eventually("one is back", || client.number("MQ.LEN orders READY") == 1);
    assert_eq!(client.lengths("orders"), [1, 1, 1]);
    assert_eq!(client.pull("orders").id, held[0].id);
    client.acknowledge(&kept);
    assert_eq!(client.queue_info("orders", "bad_receipts"), 0);
}

#[test]
fn what_another_holds_by_now_stays_with_it() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    client.push("mails", "sign");
    let mut holder = server.client();
    holder.pull("orders VISIBILITY 1 ONDISCONNECT");
    holder.pull(&format!("mails {LONG} ONDISCONNECT"));
    let again = client.pull(&format!("orders {LONG} BLOCK 0"));
    assert_eq!(again.retry_count, 1);
    drop(holder);
    is_back(&mut client, "mails", 1);
    assert_eq!(client.lengths("orders"), [0, 1, 0]);
    assert_eq!(client.queue_info("orders", "bad_receipts"), 0);
    client.acknowledge(&again);
}

#[test]
fn a_longer_visibility_does_not_keep_what_a_gone_client_held() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let mut holder = server.client();
    let held = hold(&mut holder, "orders").remove(0);
    client.number(&format!("MQ.EXTEND {} VISIBILITY 7200000", held.delivery()));
    drop(holder);
    is_back(&mut client, "orders", 1);
}

#[test]
fn several_queues_and_databases_get_back_what_is_theirs() {
    let server = Server::start();
    let mut holder = server.client();
    for database in [0, 3, 7] {
        holder.ask(&format!("SELECT {database}"));
        for queue in ["orders", "mails"] {
            holder.push(queue, "one");
            hold(&mut holder, queue);
        }
    }
    drop(holder);
    for database in [0, 3, 7] {
        let mut client = server.client_of_database(database);
        for queue in ["orders", "mails"] {
            is_back(&mut client, queue, 1);
        }
    }
}

#[test]
fn a_client_that_waited_holds_what_it_was_served() {
    let server = Server::start();
    let mut client = server.client();
    let waiting = server.waiting(&format!("MQ.PULL orders BLOCK 0 {LONG} ONDISCONNECT"));
    client.push("orders", "one");
    let (_, holder) = waiting.message();
    drop(holder);
    is_back(&mut client, "orders", 1);
}

#[test]
fn what_comes_back_wakes_a_waiting_client() {
    let server = Server::start();
    server.client().push("orders", "one");
    let mut holder = server.client();
    let held = hold(&mut holder, "orders").remove(0);
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    drop(holder);
    let (message, _) = waiting.message();
    assert_eq!((message.id, message.retry_count), (held.id, 1));
}

#[test]
fn a_transaction_can_hold_and_a_script_cannot() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let mut holder = server.client();
    holder.ask("MULTI");
    holder.ask(&format!("MQ.PULL orders {LONG} ONDISCONNECT"));
    holder.ask("EXEC");
    assert_eq!(client.lengths("orders"), [0, 1, 0]);
    drop(holder);
    is_back(&mut client, "orders", 1);

    let script = "return redis.call('MQ.PULL', KEYS[1], 'ONDISCONNECT')";
    let error = client.reply(&["EVAL", script, "1", "orders"]).expect_err("a refusal");
    assert!(error.contains("ONDISCONNECT can't be used in a script"), "{error}");
    assert_eq!(client.lengths("orders"), [1, 0, 0]);
}

#[test]
fn nothing_comes_back_while_writes_are_paused() {
    if !facts().pauses_writes_only() {
        return;
    }
    let server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let mut client = server.client();
    client.push("orders", "one");
    let mut holder = server.client();
    hold(&mut holder, "orders");
    let id = holder.id();
    client.pipeline(&[
        "MULTI".into(),
        format!("CLIENT KILL ID {id}"),
        "CLIENT PAUSE 60000 WRITE".into(),
        "EXEC".into(),
    ]);
    // Longer than it takes on any server to notice that the client is gone.
    sleep_until_ms(now_ms() + 1200);
    assert_eq!(client.lengths("orders"), [0, 1, 0]);
    client.ask("CLIENT UNPAUSE");
    is_back(&mut client, "orders", 1);
    same_data(&mut client, &mut replica.client(), "the pause");
}

#[test]
fn keys_that_are_gone_or_of_a_wrong_type_do_no_harm() {
    let server = Server::start();
    let mut client = server.client();
    for queue in ["flushed", "wrong", "sound"] {
        client.push(queue, "one");
    }
    let mut holder = server.client();
    hold(&mut holder, "flushed");
    hold(&mut holder, "wrong");
    hold(&mut holder, "sound");
    client.ask("DEL mq:{flushed}:flight mq:{flushed}:messages");
    client.ask("SET mq:{wrong}:flight x");
    drop(holder);
    is_back(&mut client, "sound", 1);
    assert_eq!(client.text("GET mq:{wrong}:flight"), "x");
    assert_eq!(client.lengths("flushed"), [0, 0, 0]);

    let mut holder = server.client();
    hold(&mut holder, "sound");
    client.ask("FLUSHALL");
    drop(holder);
    client.push("sound", "two");
    assert_eq!(client.pull("sound BLOCK 0").text(), "two");
}

#[test]
fn replicas_get_back_what_the_master_does_and_nothing_by_themselves() {
    let server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let mut client = server.client();
    let mut copy = replica.client();
    let mut other = server.client_of_database(5);
    for n in 0..20 {
        client.push("orders", n.to_string());
        other.push("orders", n.to_string());
    }
    let mut holder = server.client();
    hold(&mut holder, "orders");
    holder.ask("SELECT 5");
    hold(&mut holder, "orders");
    same_data(&mut client, &mut copy, "the deliveries");
    // Clients of the replica, and the link to it, come and go.
    drop(replica.client());
    copy.ask("CLIENT KILL TYPE master");
    drop(holder);
    is_back(&mut client, "orders", 20);
    is_back(&mut other, "orders", 20);
    replica.wait_until_in_sync();
    same_data(&mut client, &mut copy, "the return");
    client.ask("DEBUG LOADAOF");
    same_data(&mut client, &mut copy, "a load of the append-only file");
}

#[test]
fn a_promoted_replica_returns_messages_when_the_visibility_ends() {
    let server = Server::start();
    let replica = server.start_replica();
    server.client().push("orders", "one");
    let mut holder = server.client();
    holder.pull("orders VISIBILITY 1500 ONDISCONNECT");
    let mut copy = replica.client();
    same_data(&mut server.client(), &mut copy, "the delivery");
    copy.ask("REPLICAOF NO ONE");
    drop(holder);
    assert_eq!(copy.lengths("orders"), [0, 1, 0]);
    is_back(&mut copy, "orders", 1);
}

#[test]
fn ten_thousand_messages_come_back_while_others_are_served() {
    let server = Server::start();
    let mut client = server.client();
    let pushes: Vec<String> = (0..10_000).map(|n| format!("MQ.PUSH orders {n}")).collect();
    client.pipeline(&pushes);
    let mut holder = server.client();
    assert_eq!(hold(&mut holder, "orders").len(), 10_000);
    drop(holder);
    is_back(&mut client, "orders", 10_000);
    let first = client.pull("orders");
    assert_eq!((first.text(), first.retry_count), ("0", 1));
}

#[test]
fn a_connection_that_lives_long_leaves_no_memory_behind() {
    let server = Server::start();
    let mut holder = server.client();
    let mut client = server.client();
    let mut used = Vec::new();
    for _ in 0..6 {
        for _ in 0..40 {
            let pushes: Vec<String> = (0..100).map(|n| format!("MQ.PUSH orders {n}")).collect();
            client.pipeline(&pushes);
            let pairs: Vec<String> =
                hold(&mut holder, "orders").iter().map(Message::pair).collect();
            client.ask(&format!("MQ.ACK orders IDS 100 {}", pairs.join(" ")));
        }
        used.push(client.info("memory")["used_memory"].parse::<i64>().expect("bytes"));
    }
    // 4,000 deliveries a round, of 32 bytes or more if they were remembered.
    let grown = used[5] - used[1];
    assert!(grown < 200_000, "grew by {grown} bytes: {used:?}");
}

#[test]
fn with_nocount_it_is_no_retry_and_nobody_dies() {
    let server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    for payload in ["one", "two", "three"] {
        client.push("orders", payload);
    }
    let mut first = Vec::new();
    for died in 0..4 {
        let mut holder = server.client();
        first = holder.pull_batch(&format!("orders COUNT 2 {LONG} ONDISCONNECT NOCOUNT"));
        let texts: Vec<_> =
            first.iter().map(|message| (message.text(), message.retry_count)).collect();
        assert_eq!(texts, [("one", 0), ("two", 0)], "they are in front again, {died}");
        drop(holder);
        is_back(&mut client, "orders", 3);
    }
    same_data(&mut client, &mut copy, "four returns");
    assert_eq!(client.number("MQ.LEN {orders}:dead"), 0);
    assert_eq!(client.queue_info("orders", "expired"), 8);
    // The delivery can still be acknowledged and extended, and that takes back no retry.
    client.acknowledge(&first[0]);
    let line = format!("MQ.EXTEND {} {LONG}", first[1].delivery());
    client.number(&line);
    assert_eq!(client.lengths("orders"), [1, 1, 0]);
    client.number(&format!("MQ.NACK {} NOCOUNT", first[1].delivery()));
    assert!(client.pull_batch("orders COUNT 2").iter().all(|message| message.retry_count == 0));
    same_data(&mut client, &mut copy, "a late acknowledgment and a late extension");
}

#[test]
fn with_grace_it_returns_later_unless_somebody_takes_over() {
    let server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    client.ask("MQ.CONFIG orders BACKOFF 0");
    for payload in ["left", "extended", "acknowledged", "nacked", "named"] {
        client.push("orders", payload);
    }
    let mut holder = server.client();
    let held =
        holder.pull_batch(&format!("orders COUNT 5 {LONG} CONSUMER me ONDISCONNECT GRACE 1500"));
    let at = now_ms();
    drop(holder);
    // On 6.x the end of the connection is noticed within a second.
    let extend = |message: &Message| format!("MQ.EXTEND {}", message.delivery());
    sleep_until_ms(at + 1_000);
    assert_eq!(client.lengths("orders"), [0, 5, 0]);
    client.number(&extend(&held[1]));
    client.acknowledge(&held[2]);
    client.number(&format!("MQ.NACK {} DELAY 3600000", held[3].delivery()));
    client.ask(&format!("MQ.EXTEND orders IDS 1 {} VISIBILITY 7200000", held[4].pair()));
    eventually("what nobody took is back", || client.number("MQ.LEN orders READY") == 1);
    assert!(now_ms() >= at + 1_500);
    sleep_until_ms(at + 3_500);
    assert_eq!(client.lengths("orders"), [1, 2, 1]);
    let again = client.pull("orders");
    assert_eq!((again.id.as_str(), again.retry_count), (held[0].id.as_str(), 1));
    same_data(&mut client, &mut copy, "the returns");
}

#[test]
fn partings_are_told_apart_and_end_with_the_process() {
    let mut server = Server::start_with_append_only_file();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders BACKOFF 0");
    for payload in ["counted", "uncounted", "later"] {
        client.push("orders", payload);
    }
    let mut holder = server.client();
    for options in ["", "NOCOUNT", "NOCOUNT GRACE 3600000"] {
        holder.pull(&format!("orders {LONG} ONDISCONNECT {options}"));
    }
    drop(holder);
    eventually("two are back", || client.number("MQ.LEN orders READY") == 2);
    let retries: Vec<_> =
        client.pull_batch("orders COUNT 3").iter().map(|message| message.retry_count).collect();
    assert_eq!(retries, [1, 0]);
    server.kill_and_start_again();
    assert_eq!(server.client().lengths("orders"), [0, 3, 0], "the visibility goes on");
    let mut client = server.client();
    for (line, error) in [
        ("NOCOUNT", "NOCOUNT can be given only with ONDISCONNECT"),
        ("GRACE 5", "GRACE can be given only with ONDISCONNECT"),
        ("NOACK ONDISCONNECT GRACE 5", "NOACK and ONDISCONNECT are mutually exclusive"),
    ] {
        for command in ["MQ.PULL orders", "MQ.MPULL 1 orders"] {
            assert!(client.refused(&format!("{command} {line}")).contains(error), "{line}");
        }
    }
}
