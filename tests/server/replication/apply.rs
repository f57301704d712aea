//! MQ.APPLY with anything: every byte of its argument is checked, and nothing of it harms the
//! server.

use crate::harness::everything::fill;
use crate::harness::*;

/// The ops of one queue's life, as they were replicated.
fn real_ops() -> Vec<Vec<u8>> {
    let server = Server::start();
    let mut stream = server.replication_stream();
    let mut client = server.client();
    fill(&mut client);
    let message = client.pull("orders");
    client.ask(&format!("MQ.EXTEND orders IDS 1 {}", message.pair()));
    client.acknowledge(&message);
    let options = "LIMIT 2 JITTER 50 OVERLAP SKIP PRIORITY 3 TTL 60000 DEAD HEADERS 1 a b";
    let start = now_ms() + 50;
    client.ask(&format!("MQ.SCHEDULE orders tick x EVERY 100 START {start} {options}"));
    client.ask("MQ.SCHEDULE orders daily x CRON @daily TZ Europe/Berlin GROUP g");
    client.ask("MQ.TRIGGER orders daily");
    eventually("it has ticked", || client.queue_info("orders", "ticks") > 0);
    client.ask("MQ.UNSCHEDULE orders daily");
    let mut ops: Vec<Vec<u8>> =
        stream.take().into_iter().map(|command| command[2].clone()).collect();
    assert!(ops.len() > 15);
    ops.sort();
    ops.dedup();
    ops
}

fn apply(client: &mut Client, op: &[u8]) -> Result<Value, String> {
    client.reply(&[b"MQ.APPLY".as_slice(), b"orders", op])
}

/// The server lives, and the queue can still be asked, used and read by others.
fn still_works(client: &mut Client) {
    for line in ["MQ.LEN orders", "MQ.INFO orders", "MQ.QUEUES", "MQ.CONFIG orders"] {
        client.ask(line);
    }
    client.push("another", "x");
    let message = client.pull("another");
    client.acknowledge(&message);
}

#[test]
fn bytes_that_are_no_op_are_refused_and_change_nothing() {
    let server = Server::start();
    let mut client = server.client();
    fill(&mut client);
    let digest = client.text("DEBUG DIGEST");
    let seed = 7;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut refused = 0;
    for _ in 0..2_000 {
        let length = random.usize(0..64);
        let op: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
        // Random bytes can be a small op by chance, but hardly ever are.
        refused += i32::from(apply(&mut client, &op).is_err());
    }
    assert!(refused > 1_900, "{refused} of 2000 were refused (seed {seed})");
    for op in
        [b"".as_slice(), b"\x00", b"\x01", b"\xff", &[0xff; 1000], &[0; 1000], b"PUSH orders x"]
    {
        let error = apply(&mut client, op).expect_err("a refusal");
        assert!(error.starts_with("ERR "), "{error}");
    }
    if refused == 2_000 {
        assert_eq!(client.text("DEBUG DIGEST"), digest);
    }
    still_works(&mut client);
}

#[test]
fn cut_off_and_lengthened_ops_are_refused() {
    let ops = real_ops();
    let server = Server::start();
    let mut client = server.client();
    fill(&mut client);
    let digest = client.text("DEBUG DIGEST");
    for op in &ops {
        for length in 0..op.len() {
            apply(&mut client, &op[..length]).expect_err("a cut-off op refused");
        }
        apply(&mut client, &[op.as_slice(), b"x"].concat()).expect_err("a lengthened op refused");
    }
    assert_eq!(client.text("DEBUG DIGEST"), digest);
    let refused: usize = client.info("mq")["mq_apply_refused"].parse().expect("a number");
    assert!(refused >= ops.len(), "{refused} counted");
    assert_eq!(client.info("mq")["mq_apply_errors"], "0", "nothing of a master's failed");
    still_works(&mut client);
}

#[test]
fn a_payload_beside_an_op_that_has_one_or_needs_none_is_refused() {
    let ops = real_ops();
    let server = Server::start();
    let mut client = server.client();
    for op in &ops {
        let error = client.reply(&[b"MQ.APPLY".as_slice(), b"orders", op, b"x"]);
        assert_eq!(error.expect_err("a refusal"), "ERR not an op");
    }
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn an_op_of_an_unknown_version_is_refused() {
    let ops = real_ops();
    let server = Server::start();
    let mut client = server.client();
    for op in &ops {
        for version in [0, op[0].wrapping_add(1), 0x7f, 0xff] {
            let mut changed = op.clone();
            changed[0] = version;
            let error = apply(&mut client, &changed).expect_err("an unknown version refused");
            let expected = format!("ERR unknown op version {version}, this module knows {}", op[0]);
            assert_eq!(error, expected);
        }
    }
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn changed_ops_do_no_harm() {
    let ops = real_ops();
    let server = Server::start();
    let replica = server.start_replica();
    server.damaged_on_purpose();
    replica.damaged_on_purpose();
    let mut client = server.client();
    let memory = |client: &mut Client| -> u64 {
        client.info("memory")["used_memory_peak"].parse().expect("a number of bytes")
    };
    let before = memory(&mut client);
    let seed = 11;
    let mut random = fastrand::Rng::with_seed(seed);
    for round in 0..20_000 {
        let mut op = ops[random.usize(0..ops.len())].clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(1..op.len());
            match random.u8(0..4) {
                0 => op[at] = random.u8(..),
                1 => op[at] = 0xff,
                2 => op.insert(at, random.u8(248..)),
                _ => drop(op.remove(at)),
            }
            if op.len() < 2 {
                op = ops[0].clone();
            }
        }
        // Whatever it says, the server must answer.
        if let Err(error) = apply(&mut client, &op) {
            assert!(
                !error.starts_with("the connection failed"),
                "round {round}, seed {seed}: {op:?}: {error}"
            );
        }
        if round % 1_000 == 0 {
            still_works(&mut client);
        }
    }
    still_works(&mut client);
    same_data(&mut client, &mut replica.client(), &format!("changed ops, seed {seed}"));
    // A length in the bytes makes the server allocate nothing of that length.
    assert!(memory(&mut client) < before + 200_000_000);
}

#[test]
fn ops_applied_out_of_order_and_twice_do_no_harm() {
    let ops = real_ops();
    let server = Server::start();
    let replica = server.start_replica();
    server.damaged_on_purpose();
    replica.damaged_on_purpose();
    let mut client = server.client();
    let mut random = fastrand::Rng::with_seed(13);
    for _ in 0..2_000 {
        let op = &ops[random.usize(0..ops.len())];
        if let Err(error) = apply(&mut client, op) {
            assert!(!error.starts_with("the connection failed"), "{op:?}: {error}");
        }
    }
    still_works(&mut client);
    same_data(&mut client, &mut replica.client(), "ops in any order");
}

#[test]
fn ops_for_keys_of_wrong_types_do_no_harm() {
    let ops = real_ops();
    let server = Server::start();
    server.damaged_on_purpose();
    let mut client = server.client();
    for part in [
        "ready", "ranked", "messages", "notes", "flight", "inflight", "delayed", "retries",
        "config",
    ] {
        client.ask("FLUSHALL");
        client.ask(&format!("SET mq:{{orders}}:{part} wrong"));
        for op in &ops {
            if let Err(error) = apply(&mut client, op) {
                assert!(!error.starts_with("the connection failed"), "{part}: {error}");
            }
        }
        assert_eq!(client.text(&format!("GET mq:{{orders}}:{part}")), "wrong");
    }
}

#[test]
fn a_replica_counts_an_op_that_it_cannot_apply_and_goes_on() {
    let server = Server::start();
    let replica = server.start_replica();
    server.damaged_on_purpose();
    replica.damaged_on_purpose();
    let mut client = server.client();
    let mut copy = replica.client();
    client.push("orders", "one");
    eventually("the replica has the message", || copy.number("MQ.LEN orders") == 1);
    // A replica with data of its own, as after an error by hand.
    copy.ask("CONFIG SET replica-read-only no");
    copy.ask("DEL mq:{orders}:ready");
    copy.ask("SET mq:{orders}:ready wrong");
    client.push("orders", "two");
    client.push("mails", "x");
    eventually("the replica goes on", || copy.number("MQ.LEN mails") == 1);
    let errors: i64 = copy.info("mq")["mq_apply_errors"].parse().expect("a number");
    assert_eq!(errors, 1);
    assert_eq!(copy.info("mq")["mq_apply_refused"], "0");
    assert_eq!(copy.info("replication")["master_link_status"], "up");
    assert!(replica.log().to_lowercase().contains("mq"), "the log says so");
}

#[test]
fn ops_of_a_newer_version_in_an_append_only_file_are_logged_counted_and_passed() {
    let op = real_ops().remove(0);
    let newer = [&[op[0] + 1], &op[1..]].concat();
    let mut server = Server::start_with_append_only_file();
    server.client().push("mails", "one");
    let lines = [b"MQ.APPLY".as_slice(), b"orders", &newer];
    let mut command = format!("*{}\r\n", lines.len()).into_bytes();
    for line in lines {
        command.extend(format!("${}\r\n", line.len()).bytes().chain(line.to_vec()));
        command.extend(b"\r\n");
    }
    server.shut_down("NOSAVE");
    server.append_to_the_append_only_file(&command);
    server.start_again();
    let mut client = server.client();
    assert_eq!(client.info("mq")["mq_apply_errors"], "1");
    let said = format!("queue orders: an op can't be applied: ERR unknown op version {}", newer[0]);
    assert!(server.log().contains(&said), "{}", server.log());
    assert_eq!(client.pull("mails").text(), "one");
    assert_eq!(client.number("MQ.LEN orders"), 0);
}

#[test]
fn a_replica_logs_and_counts_ops_of_a_newer_version_and_stays_connected() {
    let push = real_ops().into_iter().find(|op| op[1] == 0).expect("a push");
    let newer = [&[push[0] + 1], &push[1..]].concat();
    // A master that sends on what it does not understand, as if it were newer: to it, SET is called so.
    let server = Server::start_without_module(&[("rename-command", "SET MQ.APPLY")]);
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    for (queue, op) in [(b"orders".as_slice(), &newer), (b"mails", &push)] {
        client.reply(&[b"MQ.APPLY", queue, op]).expect("OK");
    }
    eventually("the replica goes on", || copy.number("MQ.LEN mails") == 1);
    assert_eq!(copy.number("MQ.LEN orders"), 0);
    assert_eq!(copy.info("mq")["mq_apply_errors"], "1");
    assert_eq!(copy.info("replication")["master_link_status"], "up");
    assert!(replica.log().contains("queue orders: an op can't be applied: ERR unknown op version"));
}

#[test]
fn an_op_for_a_bad_queue_name_is_refused() {
    let ops = real_ops();
    let server = Server::start();
    let mut client = server.client();
    for name in [b"".as_slice(), b"{orders}", b"a{}b", b"a{b"] {
        let error = client.reply(&[b"MQ.APPLY", name, ops[0].as_slice()]).expect_err("a refusal");
        assert!(error.starts_with("ERR invalid queue name: "), "{error}");
    }
    assert_eq!(client.number("DBSIZE"), 0);
}
