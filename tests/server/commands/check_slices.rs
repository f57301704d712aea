//! MQ.CHECK of a large queue: others have their turn, and what changes meanwhile is no finding.

use crate::harness::*;

const SOUND: Value = Value::Array(Vec::new());

/// A queue with so many messages in each state, and something in every key.
fn fill(client: &mut Client, queue: &str, count: usize) {
    let texts = vec!["x"; count].join(" ");
    client.ask(&format!("MQ.CONFIG {queue} MAXRETRIES 3 BACKOFF 1"));
    for options in ["", "TTL 3600000", "DELAY 3600000", "GROUP g", "PRIORITY 4", "PRIORITY 4"] {
        client.ask(&format!("MQ.MPUSH {queue} {count} {texts} {options}"));
    }
    let pushes: Vec<_> = (0..count)
        .map(|n| format!("MQ.PUSH {queue} x GROUP {n} DEDUP {n} {}", ["UNTILDONE", ""][n % 2]))
        .collect();
    client.pipeline(&pushes);
    client.ask(&format!("MQ.PULL {queue} COUNT {count} VISIBILITY 3600000"));
}

/// A server with a queue `orders` of so many messages in each state.
fn filled(count: usize) -> (Server, Client) {
    let server = Server::start();
    let mut client = server.client();
    fill(&mut client, "orders", count);
    (server, client)
}

/// What a check finds that runs as a whole: inside a transaction nothing blocks.
fn in_one_go(client: &mut Client, queue: &str) -> Value {
    client.ask("MULTI");
    client.ask(&format!("MQ.CHECK {queue}"));
    items(&client.ask("EXEC"))[0].clone()
}

/// A client whose check of `orders` is under way, and its id.
fn under_way(server: &Server) -> (Client, i64) {
    let mut observer = server.client();
    let mut checking = None;
    eventually("a check is seen before it is done", || {
        let mut check = server.client();
        let id = check.id();
        check.send("MQ.CHECK orders");
        if observer.is_blocked(id) {
            checking = Some((check, id));
        } else {
            check.next_reply().expect("findings");
        }
        checking.is_some()
    });
    checking.expect("a check")
}

/// Pulls some, and acknowledges, returns, extends, deletes or loses them.
fn work(client: &mut Client, round: usize) {
    let mut lines = Vec::new();
    for (n, message) in client.pull_batch("orders COUNT 20 VISIBILITY 30").into_iter().enumerate() {
        let delivery = message.delivery();
        lines.push(match (n + round) % 6 {
            0 => format!("MQ.ACK {delivery}"),
            1 => format!("MQ.NACK {delivery}"),
            2 => format!("MQ.NACK {delivery} DEAD"),
            3 => format!("MQ.EXTEND {delivery} VISIBILITY 50"),
            4 => format!("MQ.DEL orders {}", message.id),
            _ => "MQ.PUSH orders y GROUP z DEDUP key UNTILDONE".to_string(),
        });
    }
    lines.push("MQ.MPUSH orders 4 x x x x".to_string());
    lines.push("MQ.MPUSH orders 3 x x x PRIORITY 4".to_string());
    lines.push("MQ.MPUSH orders 2 x x TTL 20".to_string());
    lines.push("MQ.MPUSH orders 2 x x DELAY 15".to_string());
    lines.push(format!("MQ.MPUSH orders 2 x x GROUP {}", round % 50));
    lines.push("MQ.REDRIVE {orders}:dead COUNT 3".to_string());
    client.pipeline(&lines);
}

#[test]
fn what_changes_meanwhile_is_no_finding() {
    let (server, mut client) = filled(1_500);
    fill(&mut client, "{orders}:dead", 400);
    for queue in ["orders", "{orders}:dead"] {
        for round in 0..6 {
            // It may be done before anybody sees it blocked.
            let mut check = server.client();
            check.send(&format!("MQ.CHECK {queue}"));
            for step in 0..8 {
                work(&mut client, round * 8 + step);
            }
            assert_eq!(check.next_reply(), Ok(SOUND), "{queue}, round {round}");
        }
    }
    // The copy was complete at the first attempt.
    assert!(!server.log().contains("MQ.CHECK begins anew"));
}

#[test]
fn batches_that_are_pulled_meanwhile_are_no_finding() {
    let server = Server::start();
    let mut client = server.client();
    let texts = vec!["x"; 5_000].join(" ");
    for _ in 0..4 {
        client.ask(&format!("MQ.MPUSH orders 5000 {texts}"));
    }
    let (mut check, _) = under_way(&server);
    for count in [100; 20] {
        assert_eq!(client.pull_batch(&format!("orders COUNT {count}")).len(), count);
    }
    assert_eq!(check.next_reply(), Ok(SOUND));
    assert!(!server.log().contains("MQ.CHECK begins anew"));
}

#[test]
fn what_is_found_is_what_is_found_in_one_go() {
    let (server, mut client) = filled(1_000);
    server.damaged_on_purpose();
    assert_eq!(client.ask("MQ.CHECK orders"), SOUND);
    client.ask("RPUSH mq:{orders}:ready garbage more");
    client.ask("ZREMRANGEBYRANK mq:{orders}:delayed 0 6");
    client.ask("ZREMRANGEBYRANK mq:{orders}:ranked 3 5");
    client.ask("ZADD mq:{orders}:ranked 5 garbage");
    client.ask("ZADD mq:{orders}:retried 2 garbage");
    client.ask("ZREMRANGEBYRANK mq:{orders}:expiring 0 1");
    client.ask("HSET mq:{orders}:groups other garbage");
    client.ask("HSET mq:{orders}:config nonsense 1");
    client.ask("ZREM mq:{orders}:turns 7");
    let found = client.ask("MQ.CHECK orders");
    assert!(items(&found).len() >= 14, "{found:?}");
    assert_eq!(in_one_go(&mut client, "orders"), found);
    assert_eq!(client.ask("MQ.CHECK orders REPAIR"), found);
    assert_eq!(client.ask("MQ.CHECK orders"), SOUND);
}

#[test]
fn other_clients_are_served_meanwhile() {
    let (server, mut client) = filled(9_000);
    let mut check = server.client();
    check.send("MQ.CHECK orders");
    let blocked = |client: &mut Client| client.info("clients")["blocked_clients"] != "0";
    eventually("the check is under way", || blocked(&mut client));
    assert_eq!(client.number("MQ.LEN orders"), 63_000);
    assert_eq!(check.next_reply(), Ok(SOUND));
    // Several at once, and some whose client is gone.
    let mut checks: Vec<_> = (0..6).map(|_| server.client()).collect();
    for (n, check) in checks.iter_mut().enumerate() {
        check.send(["MQ.CHECK orders", "MQ.CHECK mails"][n % 2]);
    }
    drop(checks.remove(4));
    drop(checks.remove(0));
    for check in &mut checks {
        assert_eq!(check.next_reply(), Ok(SOUND));
    }
    eventually("nobody waits", || !blocked(&mut client));
}

#[test]
fn a_check_does_not_reply_what_was_read_for_one_before_it() {
    let (server, mut client) = filled(9_000);
    server.damaged_on_purpose();
    fill(&mut client, "mails", 9_000);
    client.ask("LSET mq:{mails}:ready 0 garbage");
    let found = in_one_go(&mut client, "mails");
    assert_eq!(items(&found)[0], Value::BulkString(b"damaged_body".to_vec()));
    for delay_ms in 1..10 {
        let [mut first, mut second] = [(); 2].map(|()| server.client());
        let id = first.id();
        first.send("MQ.CHECK orders");
        second.send("MQ.CHECK mails");
        sleep_until_ms(now_ms() + delay_ms);
        client.ask(&format!("CLIENT KILL ID {id}"));
        assert_eq!(second.next_reply(), Ok(found.clone()), "{delay_ms} ms");
    }
}

#[test]
fn a_client_that_checks_can_be_unblocked() {
    let (server, mut client) = filled(9_000);
    eventually("one is unblocked before it is done", || {
        let (mut check, id) = under_way(&server);
        let unblocked = client.number(&format!("CLIENT UNBLOCK {id}")) == 1;
        assert_eq!(check.next_reply().is_err(), unblocked);
        assert_eq!(check.ask("MQ.CHECK orders"), SOUND);
        unblocked
    });
}

#[test]
fn values_that_others_add_meanwhile_are_found() {
    let (server, mut client) = filled(4_000);
    server.damaged_on_purpose();
    // The server does not tell of these: that the copy lacks them, its lengths say.
    eventually("one came while the copy was made", || {
        let (mut check, _) = under_way(&server);
        client.ask("LPUSH mq:{orders}:ready garbage");
        check.next_reply().expect("findings");
        server.log().contains("MQ.CHECK begins anew")
    });
}

#[test]
fn keys_that_others_change_meanwhile_are_read_again() {
    let (server, mut client) = filled(4_000);
    server.damaged_on_purpose();
    let mut check = server.client();
    for line in
        ["RENAME mq:{orders}:ready mq:{other}:ready", "DEL mq:{orders}:delayed", "SWAPDB 0 1"]
    {
        check.send("MQ.CHECK orders");
        sleep_until_ms(now_ms() + 4);
        client.ask(line);
        let found = check.next_reply().expect("findings");
        let now = in_one_go(&mut client, "orders");
        let before = found == SOUND || items(&found).len() == 2;
        assert!(found == now || before, "{line}: {found:?}, then {now:?}");
    }
    check.send("MQ.CHECK orders");
    sleep_until_ms(now_ms() + 4);
    client.ask("DEL mq:{orders}:config mq:{orders}:messages");
    client.ask("SET mq:{orders}:messages text");
    let answer = check.next_reply();
    assert!(
        answer.clone().is_err_and(|e| e.starts_with("WRONGTYPE ")) || answer.is_ok(),
        "{answer:?}"
    );
}
