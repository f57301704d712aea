//! Lists of ready messages are in the order of their ids, whatever the clock did before: so a message
//! is found and deleted without a walk.

use crate::harness::*;

const DAY_S: i64 = 24 * 60 * 60;

/// An element of a list of ready messages with a timestamp in the year 2213.
const LATE: &[u8] = b"\x00\x00\x00\x00\x00\xf0\x00\x80\x00\x00\x00\x00\x00\x00\x00late";

fn push_by_hand(client: &mut Client, list: &str, element: &[u8]) {
    client.reply(&[b"RPUSH", list.as_bytes(), element]).expect("the element pushed by hand");
}

fn sound(client: &mut Client, queue: &str) {
    assert_eq!(client.ask(&format!("MQ.CHECK {queue}")), Value::Array(vec![]), "{queue}");
}

fn found(client: &mut Client, id: &str) -> bool {
    client.get("orders", id).is_some()
}

/// Pushes with and without a priority; their ids.
fn push_some(client: &mut Client) -> Vec<String> {
    let mut ids = vec![client.push("orders", "one")];
    ids.extend(strings(&client.ask("MQ.MPUSH orders 3 two three four")));
    ids.push(client.text("MQ.PUSH orders high PRIORITY 3"));
    ids.extend(strings(&client.ask("MQ.MPUSH orders 2 high high PRIORITY 3")));
    ids
}

/// What is true when the messages of both pushes are in the lists.
fn is_in_order(client: &mut Client, before: &[String], after: &[String]) {
    let all: Vec<_> = before.iter().chain(after).cloned().collect();
    assert!(all.is_sorted(), "{all:?}");
    sound(client, "orders");
    assert!(all.iter().all(|id| found(client, id)));
    assert_eq!(client.number(&format!("MQ.DEL orders {}", all.join(" "))), all.len() as i64);
}

#[test]
fn after_a_restart_with_a_clock_behind_ids_go_on_rising() {
    let (mut server, clock) = Server::start_with_clock(&[]);
    clock.set(DAY_S);
    let before = push_some(&mut server.client());
    clock.set(0);
    server.restart_with_snapshot();
    let mut client = server.client();
    let after = push_some(&mut client);
    let message = client.get("orders", &after[0]).expect("the message");
    let pushed_ms: i64 = message["timestamp"].parse().expect("a timestamp");
    assert!((0..120_000).contains(&(clock.now_ms() + DAY_S * 1000 - pushed_ms)), "{pushed_ms}");
    is_in_order(&mut client, &before, &after);
    let other = client.push("mails", "x");
    assert!(other < before[0], "another queue goes by the clock");
    assert!(client.push("orders", "x") < before[0], "so does this one, once it is empty");
}

#[test]
fn after_a_promotion_with_a_clock_behind_ids_go_on_rising() {
    let (server, clock) = Server::start_with_clock(&[]);
    let replica = server.start_replica();
    clock.set(DAY_S);
    let before = push_some(&mut server.client());
    let mut client = replica.client();
    same_data(&mut server.client(), &mut client, "the pushes");
    client.ask("REPLICAOF NO ONE");
    let after = push_some(&mut client);
    is_in_order(&mut client, &before, &after);
}

#[test]
fn one_id_far_in_the_future_moves_the_ids_of_its_own_queue_only() {
    let mut server = Server::start();
    let mut client = server.client();
    let first = client.push("orders", "one");
    push_by_hand(&mut client, "mq:{orders}:ready", LATE);
    server.restart_with_snapshot();
    let mut client = server.client();
    let ids = push_some(&mut client);
    assert!(ids[0].starts_with("07000000-0") && ids[6].starts_with("07000000-0"));
    assert!(ids.is_sorted() && client.push("mails", "x").as_str() < "02");
    sound(&mut client, "orders");
    assert!(found(&mut client, &first) && ids.iter().all(|id| found(&mut client, id)));
    let texts = client.pull_texts("orders COUNT 10");
    let expected = ["high", "high", "high", "one", "late", "one", "two", "three", "four"];
    assert_eq!(texts, expected);
}

#[test]
fn what_others_pushed_out_of_order_is_found_after_a_repair() {
    let server = Server::start();
    server.damaged_on_purpose();
    let replica = server.start_replica();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 3 one two three");
    push_by_hand(&mut client, "mq:{orders}:ready", LATE);
    let ids = strings(&client.ask("MQ.MPUSH orders 3 four five six"));
    let findings = client.map("MQ.CHECK orders");
    assert_eq!(findings.into_iter().collect::<Vec<_>>(), [("out_of_order".into(), "3".into())]);
    client.ask("MQ.CHECK orders REPAIR");
    sound(&mut client, "orders");
    assert!(ids.iter().all(|id| found(&mut client, id)));
    assert_eq!(client.number(&format!("MQ.DEL orders {}", ids[0])), 1);
    same_data(&mut client, &mut replica.client(), "the repair");
    assert_eq!(client.peek_texts("orders"), ["one", "two", "three", "five", "six", "late"]);
    let last = client.push("orders", "last");
    assert!(last.starts_with("07000000-0"), "{last}");
    assert_eq!(client.peek_texts("orders COUNT 10").last().map(String::as_str), Some("last"));
}

/// Every way in which a server keeps lists: elements together, and large ones by themselves.
#[test]
fn whichever_of_many_are_deleted_the_others_stay_in_order() {
    let mut server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let mut client = server.client();
    for (round, [count, size, every]) in
        [[3_000, 1, 3], [3_000, 100, 7], [500, 5_000, 2], [100, 20_000, 3], [40, 1, 1]]
            .into_iter()
            .enumerate()
    {
        let mut ids = Vec::new();
        for number in 0..count {
            let payload = format!("{number:0size$}");
            ids.push(client.push("orders", payload));
        }
        let is_gone = |index: usize| (index * 7 + index / 3).is_multiple_of(every);
        let mut gone: Vec<_> =
            ids.iter().enumerate().filter(|(index, _)| is_gone(*index)).map(|(_, id)| id).collect();
        // One alone, then all others, in an order that is not that of the list.
        let alone = gone.remove(gone.len() / 2);
        assert_eq!(client.number(&format!("MQ.DEL orders {alone}")), 1);
        let middle = gone.len() / 2;
        gone.rotate_left(middle);
        let line: Vec<&str> = gone.iter().map(|id| id.as_str()).collect();
        let line = format!("MQ.DEL orders {} {alone}", line.join(" "));
        assert_eq!(client.number(&line), gone.len() as i64, "round {round}");
        let left: Vec<_> = ids
            .iter()
            .enumerate()
            .filter(|(index, _)| !is_gone(*index))
            .map(|(_, id)| id)
            .collect();
        for id in left.iter().step_by(97) {
            assert!(found(&mut client, id), "round {round}");
        }
        assert!(!found(&mut client, alone));
        same_data(&mut client, &mut replica.client(), &format!("the deletes of round {round}"));
        server.kill_and_start_again();
        client = server.client();
        let got = client.pull_batch("orders COUNT 10000");
        assert_eq!(got.iter().map(|message| &message.id).collect::<Vec<_>>(), left);
        client.ask("MQ.PURGE orders");
        replica.follow(&server);
    }
}
