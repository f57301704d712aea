//! A server at its memory limit: it takes nothing more, but it can be drained.

use crate::harness::*;

fn fill_up(client: &mut Client) {
    client.ask("CONFIG SET maxmemory-policy noeviction");
    client.ask("CONFIG SET maxmemory 1");
}

#[test]
fn only_pushes_and_settings_are_refused() {
    let server = Server::start();
    let mut client = server.client();
    for n in 0..5 {
        client.push("orders", n.to_string());
    }
    fill_up(&mut client);
    for line in [
        "MQ.PUSH orders x",
        "MQ.PUSH orders x DELAY 5",
        "MQ.PUSH orders x GROUP a",
        "MQ.MPUSH orders 2 x y",
        "MQ.CONFIG orders DELAY 5",
    ] {
        let error = client.refused(line);
        assert!(error.starts_with("OOM "), "{line}: {error}");
    }
    let first = client.pull("orders");
    client.acknowledge(&first);
    let second = client.pull("orders");
    assert!(client.number(&format!("MQ.EXTEND {} VISIBILITY 5000", second.delivery())) > 0);
    client.nack(&second);
    assert_eq!(client.pull_batch("orders COUNT 10").len(), 4);
    assert_eq!(client.lengths("orders"), [0, 4, 0]);
    assert_eq!(client.queue_info("orders", "inflight"), 4);
    assert_eq!(strings(&client.ask("MQ.QUEUES")), ["orders"]);
}

#[test]
fn a_full_server_can_be_inspected_and_cleared() {
    let server = Server::start();
    let mut client = server.client();
    let ids = strings(&client.ask("MQ.MPUSH orders 3 one two three GROUP a"));
    let delayed = client.text("MQ.PUSH orders delayed DELAY 3600000 TTL 7200000");
    client.push("mails", "x");
    fill_up(&mut client);
    assert_eq!(client.peek_texts("orders"), ["one", "two", "three"]);
    assert!(client.get("orders", &delayed).is_some());
    assert_eq!(client.number(&format!("MQ.RESCHEDULE orders {delayed} DELAY 0")), 1);
    assert_eq!(client.number(&format!("MQ.DEL orders {}", ids[1])), 1);
    client.ask("MQ.PAUSE orders");
    client.ask("MQ.RESUME orders");
    assert_eq!(client.number("MQ.PURGE orders"), 3);
    assert_eq!(client.number("MQ.DROP mails"), 1);
}

#[test]
fn pulls_and_acknowledgments_work_in_a_script_too() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    fill_up(&mut client);
    // Without a declaration of what it does, a script as a whole may be refused: so its commands
    // are allowed to run.
    let script = "local m = redis.call('MQ.PULL', KEYS[1])
                  return redis.call('MQ.ACK', KEYS[1], m[2], m[14])";
    assert_eq!(client.reply(&["EVAL", script, "1", "orders"]), Ok(Value::Int(1)));
    let script = "return redis.call('MQ.PUSH', KEYS[1], 'x')";
    let error = client.reply(&["EVAL", script, "1", "orders"]).expect_err("a refusal");
    assert!(error.contains("OOM"), "{error}");
}

#[test]
fn the_timer_works_and_serves_waiting_clients() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG mails MAXRETRIES 0");
    client.push("orders", "one");
    client.push("mails", "two");
    let first = client.pull("orders VISIBILITY 300");
    client.pull("mails VISIBILITY 300");
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    fill_up(&mut client);
    let (again, mut consumer) = waiting.message();
    assert_eq!(again.id, first.id);
    consumer.acknowledge(&again);
    eventually("the other is dead", || consumer.number("MQ.LEN {mails}:dead READY") == 1);
    let dead = consumer.pull("{mails}:dead");
    consumer.acknowledge(&dead);
    assert_eq!(consumer.number("MQ.LEN {mails}:dead"), 0);
}

#[test]
fn pulls_work_inside_a_transaction_where_the_server_lets_them() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    fill_up(&mut client);
    client.ask("MULTI");
    if facts().refuses_all_commands_in_multi_when_full() {
        let error = client.refused("MQ.PULL orders");
        assert!(error.starts_with("OOM "), "{error}");
        return;
    }
    client.ask("MQ.PULL orders");
    let replies = client.ask("EXEC");
    assert_eq!(Message::from(&items(&replies)[0]).text(), "one");
}

#[test]
fn pulls_acks_and_nacks_work_on_a_full_server() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 4 one two three four");
    fill_up(&mut client);
    let one = Message::from(&client.ask("MQ.MPULL 2 mails orders"));
    let both = client.ask(&format!("MQ.PULL orders ACK 1 {}", one.pair()));
    let [settled, two] = items(&both) else { panic!("two parts: {both:?}") };
    assert_eq!(items(settled), [Value::Int(1)]);
    let two = Message::from(two);
    // It comes back behind what was pushed in an earlier millisecond.
    sleep_until_ms(now_ms() + 2);
    assert_eq!(client.number(&format!("MQ.NACK {} DEAD", two.delivery())), 1);
    assert_eq!(client.number("MQ.REDRIVE {orders}:dead TO orders"), 1);
    assert_eq!(text_of(&entries(&client.ask("MQ.PULL orders NOACK"))[2].1), "three");
    let rest = client.pull_batch("orders COUNT 9");
    assert_eq!([rest[0].text(), rest[1].text()], ["four", "two"]);
    assert_eq!(
        client.numbers(&format!("MQ.ACK orders IDS 2 {} {}", rest[0].pair(), rest[1].pair())),
        [1, 1]
    );
    assert_eq!(client.number("DBSIZE"), 0);
}

const WARNING: &str = "maxmemory-policy lets the server delete queues";

fn warnings(server: &Server) -> usize {
    server.log().matches(WARNING).count()
}

#[test]
fn an_eviction_policy_that_may_delete_queues_is_shown_in_info_and_logged() {
    let server = Server::start();
    let mut client = server.client();
    let mut expected = 0;
    for (limit, policy, may_delete) in [
        ("0", "noeviction", "0"),
        ("100mb", "noeviction", "0"),
        ("100mb", "volatile-lru", "0"),
        ("100mb", "allkeys-lru", "1"),
        ("100mb", "allkeys-random", "1"),
        ("0", "allkeys-random", "0"),
        ("100mb", "allkeys-random", "1"),
        ("100mb", "volatile-ttl", "0"),
    ] {
        let was = client.info("mq")["mq_eviction_may_delete_messages"].clone();
        client.ask(&format!("CONFIG SET maxmemory {limit}"));
        client.ask(&format!("CONFIG SET maxmemory-policy {policy}"));
        let info = client.info("everything");
        assert_eq!(info["mq_eviction_may_delete_messages"], may_delete, "{limit} {policy}");
        // Once each time that it comes to be so; Redis 6.x tells the module nothing of settings.
        let becomes = was == "0" && may_delete == "1" && facts().tells_modules_of_settings();
        expected += usize::from(becomes);
        assert_eq!(warnings(&server), expected, "{limit} {policy}");
    }
}

#[test]
fn an_eviction_policy_that_may_delete_queues_is_logged_at_the_start() {
    let server = Server::start_with(&[("maxmemory", "100mb"), ("maxmemory-policy", "allkeys-lru")]);
    assert_eq!(warnings(&server), 1, "{}", server.log());
    let mut client = server.client();
    assert_eq!(client.info("mq")["mq_eviction_may_delete_messages"], "1");
    client.ask("CONFIG SET maxmemory 200mb");
    client.ask("CONFIG SET timeout 100");
    assert_eq!(warnings(&server), 1, "said once");
    let server = Server::start_with(&[("maxmemory-policy", "allkeys-lru")]);
    assert_eq!(warnings(&server), 0, "without a limit nothing is deleted");
}

#[test]
fn policies_for_volatile_keys_leave_queues_alone_and_those_for_all_keys_do_not() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 3 one two three GROUP a");
    client.ask("MQ.PUSH orders ttl TTL 3600000");
    client.ask("MQ.PUSH orders key DEDUP key");
    client.pull("orders VISIBILITY 3600000");
    for n in 0..20 {
        client.ask(&format!("SET volatile:{n} x EX 3600"));
    }
    let keys_of_the_queue = client.number("DBSIZE") - 20;
    client.ask("CONFIG SET maxmemory-policy volatile-random");
    client.ask("CONFIG SET maxmemory 1");
    eventually("all that may go is gone", || {
        let error = client.refused("MQ.PUSH orders x");
        assert!(error.starts_with("OOM "), "{error}");
        client.number("DBSIZE") == keys_of_the_queue
    });
    assert_eq!(client.lengths("orders"), [4, 1, 0]);
    client.ask("CONFIG SET maxmemory-policy allkeys-random");
    eventually("the queue is gone, as INFO warned", || {
        client.refused("MQ.PUSH orders x");
        client.number("DBSIZE") == 0
    });
}
