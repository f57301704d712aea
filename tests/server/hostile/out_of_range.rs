//! Numbers in records and ops that no server can have written: they harm one message or one queue. The
//! receipts of all other queues, replicas and restarts go on as if they were not there.

use crate::harness::*;

const LAST_RECEIPT: u64 = (1 << 63) - 1;
const LAST_SEQUENCE: u64 = (1 << 56) - 1;

/// An integer of eight bytes, as records and ops have it.
fn long(number: u64) -> Vec<u8> {
    [&[0xfd], number.to_le_bytes().as_slice()].concat()
}

/// A master with an append-only file and its replica.
fn start() -> (Server, Server) {
    let server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    server.damaged_on_purpose();
    replica.damaged_on_purpose();
    (server, replica)
}

fn as_number(receipt: &str) -> u64 {
    u64::from_str_radix(receipt, 16).expect("a receipt")
}

/// Other queues are as ever: receipts follow the clock, an old one acknowledges nothing, the replica has
/// the same, and after a restart what was delivered at most once is gone.
fn others_are_as_ever(mut server: Server, replica: Server, what: &str) {
    let (mut client, mut copy) = (server.client(), replica.client());
    client.push("orders", "one");
    let before_ms = now_ms();
    let first = client.pull("orders");
    client.ask(&format!("MQ.NACK {} DELAY 0", first.delivery()));
    let second = client.pull("orders");
    for receipt in [&first.receipt, &second.receipt] {
        let time_ms = (as_number(receipt) >> 20) as i64;
        assert!((before_ms - 1_000..=now_ms() + 1_000).contains(&time_ms), "{what}: {receipt}");
    }
    assert!(second.receipt > first.receipt);
    let error = client.refused(&format!("MQ.ACK {}", first.delivery()));
    assert!(error.starts_with("BADRECEIPT "), "{what}: {error}");
    client.acknowledge(&second);
    client.push("mails", "once");
    client.ask("MQ.PULL mails NOACK");
    same_data(&mut client, &mut copy, what);
    assert_eq!(copy.info("mq")["mq_apply_errors"], "0", "{what}");
    server.kill_and_start_again();
    let mut client = server.client();
    assert_eq!(client.info("mq")["mq_apply_errors"], "0", "{what}");
    client.pull_nothing("mails");
    same_data(&mut client, &mut copy, what);
}

#[test]
fn a_note_with_a_receipt_out_of_range_harms_one_message() {
    for (last, is_damage) in [
        (u64::MAX, true),
        (LAST_RECEIPT + 1, true),
        (LAST_RECEIPT, true),
        (LAST_RECEIPT - 1, false),
    ] {
        let (server, replica) = start();
        let mut client = server.client();
        let id = client.push("bait", "x");
        let message = client.pull("bait");
        client.ask(&format!("MQ.NACK {} DELAY 0", message.delivery()));
        let field = bytes_of(&id);
        let note = client.reply(&[b"HGET".as_slice(), b"mq:{bait}:notes", &field]).expect("a note");
        let mut note = bulk(&note).to_vec();
        assert_eq!(note[2..11], long(as_number(&message.receipt)));
        note.splice(2..11, long(last));
        client.reply(&[b"HSET".as_slice(), b"mq:{bait}:notes", &field, &note]).expect("0");
        let behind = client.push("bait", "behind");
        let receipts = if is_damage {
            let error = client.refused("MQ.PULL bait COUNT 10");
            assert!(error.starts_with("CORRUPT "), "{error}");
            assert_eq!(client.queue_info("bait", "damaged"), 2);
            vec![]
        } else {
            vec![format!("{LAST_RECEIPT:x}")]
        };
        let got = client.pull_batch("bait COUNT 10");
        assert_eq!(got.last().map(|last| &last.id), Some(&behind));
        let got: Vec<_> = got.into_iter().map(|one| one.receipt).collect();
        assert_eq!(got[..got.len() - 1], receipts);
        assert!(as_number(&got[got.len() - 1]) < as_number(&message.receipt) + (1 << 40));
        others_are_as_ever(server, replica, &format!("{last:x}"));
    }
}

#[test]
fn a_delivery_with_a_receipt_out_of_range_harms_one_message() {
    for receipt in [u64::MAX, LAST_RECEIPT + 1, LAST_RECEIPT] {
        let (server, replica) = start();
        let mut client = server.client();
        let id = client.push("bait", "x");
        let message = client.pull("bait VISIBILITY 300");
        let (key, field) = (b"mq:{bait}:flight".as_slice(), bytes_of(&id));
        let record = client.reply(&[b"HGET".as_slice(), key, &field]).expect("a record");
        let mut record = bulk(&record).to_vec();
        assert_eq!(record[..8], as_number(&message.receipt).to_be_bytes());
        record[..8].copy_from_slice(&receipt.to_be_bytes());
        client.reply(&[b"HSET".as_slice(), key, &field, &record]).expect("0");
        eventually("the timer has met it", || client.number("EXISTS mq:{bait}:flight") == 0);
        // In range it is the last one of that message; else nothing is known of the delivery.
        let damaged = client.queue_info("bait", "damaged");
        assert_eq!(damaged, i64::from(receipt > LAST_RECEIPT), "{receipt:x}");
        if receipt > LAST_RECEIPT {
            client.pull_nothing("bait");
            client.ask("MQ.CHECK bait REPAIR");
            assert_eq!(client.pull("bait").id, id);
        } else {
            let error = client.refused("MQ.PULL bait");
            assert!(error.starts_with("CORRUPT "), "{error}");
        }
        others_are_as_ever(server, replica, &format!("{receipt:x}"));
    }
}

#[test]
fn an_op_with_receipts_out_of_range_is_refused_and_one_far_ahead_moves_no_other_queue() {
    let (server, replica) = start();
    let mut stream = server.replication_stream();
    let mut client = server.client();
    for queue in ["source", "bait"] {
        client.push(queue, "x");
    }
    let message = client.pull_batch("source COUNT 2").remove(0);
    let pull = stream.take().pop().expect("the pull")[2].clone();
    let base = long(as_number(&message.receipt));
    let at = pull.windows(9).position(|part| part == base).expect("the first receipt");
    let mut apply = |first: u64| {
        let mut op = pull.clone();
        op.splice(at..at + 9, long(first));
        client.reply(&[b"MQ.APPLY".as_slice(), b"bait", &op])
    };
    for first in [0, LAST_RECEIPT, LAST_RECEIPT + 1, u64::MAX] {
        let error = apply(first).expect_err("a refusal");
        assert!(error.starts_with("ERR "), "{error}");
    }
    apply(LAST_RECEIPT - 1).expect("OK");
    let shown = client.ask("HVALS mq:{bait}:flight");
    let [record] = items(&shown) else { panic!("one delivery: {shown:?}") };
    assert_eq!(bulk(record)[..8], (LAST_RECEIPT - 1).to_be_bytes());
    drop(stream);
    client.ask("CONFIG RESETSTAT");
    others_are_as_ever(server, replica, "an op far ahead");
}

#[test]
fn what_is_pushed_into_a_group_whose_numbers_come_to_their_end_is_delivered_in_order() {
    for next in [LAST_SEQUENCE - 1, LAST_SEQUENCE, LAST_SEQUENCE + 1, 1 << 57, u64::MAX] {
        let (server, replica) = start();
        let mut client = server.client();
        client.ask("MQ.CONFIG bait GROUPINFLIGHT 9");
        client.ask("MQ.PUSH bait 0 GROUP g");
        let record = client.ask("HGET mq:{bait}:groups g");
        let mut record = bulk(&record).to_vec();
        assert_eq!(record[..5], [1, 1, 0, 0, 1], "version, ready, in flight, held, next number");
        record.splice(4..5, long(next));
        client.reply(&[b"HSET".as_slice(), b"mq:{bait}:groups", b"g", &record]).expect("0");
        for text in ["1", "2", "3", "4"] {
            client.ask(&format!("MQ.PUSH bait {text} GROUP g"));
        }
        let texts = client.pull_texts("bait COUNT 9");
        // What stood in a record that can't be is put back by a repair.
        let first = usize::from(next > LAST_SEQUENCE);
        assert_eq!(texts, ["0", "1", "2", "3", "4"][first..], "{next:x}");
        let damaged = i64::from(next > LAST_SEQUENCE);
        assert_eq!(client.queue_info("bait", "damaged"), damaged, "{next:x}");
        client.ask("MQ.CHECK bait REPAIR");
        assert_eq!(client.pull_texts("bait COUNT 9"), ["0"][..first], "{next:x}");
        others_are_as_ever(server, replica, &format!("{next:x}"));
    }
}

#[test]
fn an_id_of_the_year_2248_moves_no_other_id() {
    let (server, replica) = start();
    let mut client = server.client();
    client.push("bait", "x");
    let body = client.ask("LINDEX mq:{bait}:ready 0");
    let mut body = bulk(&body).to_vec();
    body[..5].fill(0xff);
    body[5] |= 0xe0;
    client.reply(&[b"LSET".as_slice(), b"mq:{bait}:ready", b"0", &body]).expect("OK");
    let before_ms = now_ms();
    let behind = client.push("bait", "behind");
    let got = client.pull_batch("bait COUNT 9");
    assert_eq!(got[0].timestamp, (1 << 43) - 1);
    assert_eq!(got[1].id, behind);
    client.ask(&format!("MQ.NACK {} DELAY 0", got[0].delivery()));
    client.ask(&format!("MQ.NACK {} DELAY 0", got[1].delivery()));
    assert_eq!(client.pull_batch("bait COUNT 9").len(), 2);
    client.push("orders", "x");
    let pushed_ms = client.pull("orders").timestamp;
    assert!((before_ms..=now_ms()).contains(&pushed_ms), "{pushed_ms}");
    client.ask("MQ.PURGE orders");
    others_are_as_ever(server, replica, "an id far ahead");
}
