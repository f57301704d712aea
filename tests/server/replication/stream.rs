//! The replication stream, command by command: one op for what changed state, nothing for what did
//! not.

use crate::harness::*;

const ORDERS: &str = "MQ.APPLY orders";

#[test]
fn every_writing_command_is_replicated_as_one_op() {
    let server = Server::start();
    let mut client = server.client();
    let mut stream = server.replication_stream();
    for line in [
        "MQ.PUSH orders one",
        "MQ.PUSH orders two",
        "MQ.PUSH orders three DELAY 60000",
        "MQ.CONFIG orders MAXRETRIES 5 BACKOFF 10",
        "MQ.PULL orders VISIBILITY 3600000",
    ] {
        client.ask(line);
        assert_eq!(stream.take_names(), [ORDERS], "{line}");
    }
    let message = client.pull("orders VISIBILITY 3600000");
    assert_eq!(stream.take_names(), [ORDERS]);
    for line in [
        format!("MQ.EXTEND {} VISIBILITY 7200000", message.delivery()),
        format!("MQ.NACK {} DELAY 3600000", message.delivery()),
    ] {
        client.ask(&line);
        assert_eq!(stream.take_names(), [ORDERS], "{line}");
    }
    client.push("orders", "four");
    let message = client.pull("orders VISIBILITY 3600000");
    stream.take();
    client.acknowledge(&message);
    assert_eq!(stream.take_names(), [ORDERS]);
}

#[test]
fn a_batch_is_replicated_as_one_op() {
    let server = Server::start();
    let mut client = server.client();
    for n in 0..100 {
        client.push("orders", n.to_string());
    }
    let mut stream = server.replication_stream();
    let batch = client.pull_batch("orders COUNT 100 VISIBILITY 3600000");
    assert_eq!(stream.take_names(), [ORDERS]);
    let pairs: Vec<String> = batch.iter().map(Message::pair).collect();
    let pairs = format!("orders IDS 50 {}", pairs[..50].join(" "));
    for line in [format!("MQ.EXTEND {pairs} VISIBILITY 7200000"), format!("MQ.ACK {pairs}")] {
        client.ask(&line);
        assert_eq!(stream.take_names(), [ORDERS], "{line}");
    }
}

#[test]
fn reading_commands_and_refused_commands_replicate_nothing() {
    let server = Server::start();
    server.damaged_on_purpose();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders VISIBILITY 3600000");
    client.push("orders", "one");
    client.push("orders", "two");
    let message = client.pull("orders");
    let nacked = client.pull("orders");
    assert_eq!(client.number(&format!("MQ.NACK {} DELAY 3600000", nacked.delivery())), 1);
    client.ask("SET mq:{wrong}:ready x");
    let mut stream = server.replication_stream();
    for line in [
        "MQ.INFO orders".to_string(),
        "MQ.LEN orders".into(),
        "MQ.LEN orders READY".into(),
        "MQ.QUEUES".into(),
        "MQ.STATS".into(),
        "MQ.CONFIG orders".into(),
        "MQ.PULL orders".into(),
        "MQ.PULL orders COUNT 10".into(),
        "MQ.PULL orders BLOCK 5".into(),
        "MQ.PULL nothing".into(),
        "MQ.PUSH orders".into(),
        "MQ.PUSH orders x DELAY -1".into(),
        "MQ.PUSH a{}b x".into(),
        "MQ.PUSH wrong x".into(),
        "MQ.PULL wrong".into(),
        "MQ.CONFIG orders VISIBILITY 0".into(),
        "MQ.CONFIG orders VISIBILITY 3600000 NONSENSE 1".into(),
        format!("MQ.ACK orders {} 0000000000000001", message.id),
        format!("MQ.NACK orders {} 0000000000000001", message.id),
        format!("MQ.EXTEND orders {} 0000000000000001", message.id),
        format!("MQ.ACK orders nonsense {}", message.receipt),
        format!("MQ.NACK orders nonsense {}", message.receipt),
        format!("MQ.EXTEND orders nonsense {}", message.receipt),
        format!("MQ.ACK {}", nacked.delivery()),
        format!("MQ.NACK {}", nacked.delivery()),
        format!("MQ.ACK orders IDS 2 {} 0000000000000001 x y", message.id),
        "MQ.APPLY orders garbage".into(),
        "MQ.APPLY orders \"\"".into(),
    ] {
        // Refused or not: what counts is what the replicas get.
        let reply = client.reply_to(&line);
        assert_eq!(stream.take_names(), [""; 0], "{line} replied {reply:?}");
    }
    client.acknowledge(&message);
    assert_eq!(stream.take_names(), [ORDERS], "the stream works");
}

#[test]
fn a_long_payload_is_sent_beside_its_op() {
    let mut server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let mut client = server.client();
    for size in [0, 1, 511, 512, 40_000, 1_000_000] {
        let payload = vec![b'x'; size];
        let mut stream = server.replication_stream();
        client.push("orders", &payload);
        client.ask("MULTI");
        client
            .reply(&[b"MQ.PUSH".as_slice(), b"orders", &payload, b"PRIORITY", b"3"])
            .expect("QUEUED");
        client.ask("EXEC");
        let script = "return redis.call('MQ.PUSH', KEYS[1], ARGV[1], 'DELAY', '3600000')";
        let line = [b"EVAL".as_slice(), script.as_bytes(), b"1", b"orders", &payload];
        client.reply(&line).expect("an id");
        let commands = stream.take();
        let ops: Vec<_> = commands.iter().filter(|command| command[0] == b"MQ.APPLY").collect();
        assert_eq!(ops.len(), 3);
        for op in ops {
            let is_beside = size >= 512;
            assert_eq!(op.get(3), is_beside.then_some(&payload), "{size}");
            assert_eq!(op[2].len() > size, size < 100 || !is_beside, "{size}");
        }
    }
    same_data(&mut client, &mut replica.client(), "the pushes");
    let digest = client.text("DEBUG DIGEST");
    server.kill_and_start_again();
    let mut client = server.client();
    assert_eq!(client.text("DEBUG DIGEST"), digest);
    let sizes: Vec<_> =
        client.pull_batch("orders COUNT 20").iter().map(|message| message.payload.len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 2 * 1_041_024);
}

#[test]
fn a_pull_does_not_send_the_payload_again() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", vec![b'x'; 100_000]);
    let mut stream = server.replication_stream();
    let message = client.pull("orders VISIBILITY 3600000");
    client.nack(&message);
    let commands = stream.take();
    assert_eq!(commands.len(), 2);
    for command in commands {
        assert!(command[2].len() < 200, "an op of {} bytes", command[2].len());
    }
}

#[test]
fn a_pull_that_finds_nothing_but_expired_messages_that_die_is_replicated() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    let mut stream = server.replication_stream();
    client.push("orders", "one");
    client.pull("orders VISIBILITY 300");
    stream.take();
    // In one packet: no timer runs before the pull, so the pull does the work.
    let replies = client.pipeline(&["DEBUG SLEEP 0.4".into(), "MQ.PULL orders".into()]);
    assert_eq!(replies[1], Ok(Value::Nil));
    assert_eq!(stream.take_names(), [ORDERS]);
    assert_eq!(client.number("MQ.LEN {orders}:dead"), 1);
}

#[test]
fn a_pull_that_takes_back_and_delivers_is_one_op() {
    let server = Server::start();
    let mut client = server.client();
    let mut stream = server.replication_stream();
    client.push("orders", "one");
    client.pull("orders VISIBILITY 300");
    stream.take();
    let pull = "MQ.PULL orders VISIBILITY 3600000".to_string();
    let replies = client.pipeline(&["DEBUG SLEEP 0.4".into(), pull]);
    assert_eq!(Message::from(replies[1].as_ref().expect("a message")).retry_count, 1);
    assert_eq!(stream.take_names(), [ORDERS]);
}

#[test]
fn what_the_timer_moves_is_replicated() {
    let server = Server::start();
    let mut client = server.client();
    let mut stream = server.replication_stream();
    client.push("orders", "one");
    client.pull("orders VISIBILITY 200");
    stream.take();
    eventually("it is back", || client.number("ZCARD mq:{orders}:ranked") == 1);
    assert_eq!(stream.take_names(), [ORDERS]);
}

#[test]
fn an_idle_server_replicates_nothing() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    client.push("orders", "two");
    client.pull("orders VISIBILITY 3600000");
    client.ask("MQ.PUSH orders three DELAY 3600000");
    let waiting = server.waiting("MQ.PULL mails BLOCK 0");
    let mut stream = server.replication_stream();
    sleep_until_ms(now_ms() + 100);
    assert_eq!(stream.take_names(), [""; 0]);
    waiting.still_waits();
}

#[test]
fn the_pull_of_a_waiting_client_follows_the_push_that_woke_it() {
    let server = Server::start();
    let mut client = server.client();
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    let mut stream = server.replication_stream();
    client.push("orders", "one");
    waiting.message();
    let commands = stream.take();
    let names: Vec<String> = commands.iter().map(short).collect();
    assert_eq!(names, [ORDERS, ORDERS]);
    assert!(contains(&commands[0], b"one"), "the first is the push");
    assert!(!contains(&commands[1], b"one"), "the second is the pull");
}

#[test]
fn the_pull_of_a_waiting_client_stays_out_of_the_transaction_that_woke_it() {
    let server = Server::start();
    let mut client = server.client();
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    let mut stream = server.replication_stream();
    let lines = ["MULTI", "SET a 1", "MQ.PUSH orders one", "SET b 2", "EXEC"];
    client.pipeline(&lines.map(String::from));
    waiting.message();
    assert_eq!(stream.take_names(), ["MULTI", "SET a", ORDERS, "SET b", "EXEC", ORDERS]);

    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    let script = "redis.call('SET', 'a', '1')
                  redis.call('MQ.PUSH', KEYS[1], 'two')
                  return redis.call('SET', 'b', '2')";
    client.reply(&["EVAL", script, "1", "orders"]).expect("OK");
    waiting.message();
    let names = stream.take_names();
    assert_eq!(names.last().map(String::as_str), Some(ORDERS), "{names:?}");
    let before: Vec<&str> = names[..names.len() - 1].iter().map(String::as_str).collect();
    assert_eq!(before, ["MULTI", "SET a", ORDERS, "SET b", "EXEC"]);
}

#[test]
fn the_pull_of_a_waiting_client_that_an_expiry_woke_follows_the_expiry() {
    let server = Server::start();
    let mut client = server.client();
    let mut stream = server.replication_stream();
    client.push("orders", "one");
    client.pull("orders VISIBILITY 500");
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    stream.take();
    waiting.message();
    // What one firing of the timer does may come as one transaction.
    let mut names = stream.take_names();
    names.retain(|name| name != "MULTI" && name != "EXEC");
    assert!((1..=2).contains(&names.len()), "{names:?}");
    assert!(names.iter().all(|name| name == ORDERS), "{names:?}");
}

#[test]
fn the_ops_of_each_database_are_told_apart() {
    let server = Server::start();
    let mut stream = server.replication_stream();
    let mut fifth = server.client_of_database(5);
    fifth.push("orders", "one");
    fifth.pull("orders VISIBILITY 50");
    eventually("it is back", || fifth.number("ZCARD mq:{orders}:ranked") == 1);
    server.client_of_database(6).push("orders", "two");
    let names: Vec<String> = stream.take_all().iter().map(short).collect();
    let names: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| *name != "MULTI" && *name != "EXEC")
        .collect();
    assert_eq!(names, ["SELECT 5", ORDERS, ORDERS, ORDERS, "SELECT 6", ORDERS]);
}

#[test]
fn the_stream_replayed_on_an_empty_server_gives_the_same_data() {
    let server = Server::start();
    let other = Server::start();
    let mut client = server.client();
    let mut stream = server.replication_stream();
    everything::fill(&mut client);
    client.ask("MQ.PUSH mails soon DELAY 3600000");
    let mut copy = other.client();
    // A server that is no replica applies ops as well; its own timer finds nothing due in these
    // queues.
    for command in stream.take() {
        copy.reply(&command).expect("an op applied");
    }
    assert_eq!(copy.text("DEBUG DIGEST"), client.text("DEBUG DIGEST"));
}

#[test]
fn an_applied_op_is_propagated_unchanged() {
    let server = Server::start();
    let other = Server::start();
    let mut stream = server.replication_stream();
    server.client().push("orders", "one");
    let sent = stream.take();
    let mut passed_on = other.replication_stream();
    other.client().reply(&sent[0]).expect("an op applied");
    assert_eq!(passed_on.take(), sent);
}

fn contains(command: &Command, text: &[u8]) -> bool {
    command.iter().any(|argument| argument.windows(text.len()).any(|window| window == text))
}
