//! MQ.STATS: what MQ.INFO tells, of many queues.

use crate::harness::*;

/// The maps of a reply without a cursor, each with the name of its queue.
fn maps(reply: &Value) -> Vec<(String, Vec<(String, Value)>)> {
    let map = |map: &Value| {
        let mut fields = entries(map);
        let (name, queue) = fields.remove(0);
        assert_eq!(name, "queue");
        (text_of(&queue), fields)
    };
    items(reply).iter().map(map).collect()
}

fn queues_of(reply: &Value) -> Vec<String> {
    maps(reply).into_iter().map(|(queue, _)| queue).collect()
}

/// All parts, and how many queues each had.
fn parts(client: &mut Client, options: &str) -> (Vec<String>, Vec<usize>) {
    let (mut names, mut cursor, mut sizes) = (Vec::new(), "0".to_owned(), Vec::new());
    loop {
        let reply = client.ask(&format!("MQ.STATS CURSOR {cursor} {options}"));
        let [next, part] = items(&reply) else { panic!("not two: {reply:?}") };
        let part = queues_of(part);
        sizes.push(part.len());
        names.extend(part);
        cursor = text_of(next);
        if cursor == "0" {
            return (names, sizes);
        }
    }
}

fn queue(number: usize) -> String {
    format!("queue-{number:05}")
}

fn push_to(client: &mut Client, numbers: std::ops::Range<usize>) {
    let pushes: Vec<String> = numbers.map(|n| format!("MQ.PUSH {} x", queue(n))).collect();
    for chunk in pushes.chunks(1_000) {
        for reply in client.pipeline(chunk) {
            reply.expect("a push");
        }
    }
}

#[test]
fn each_map_is_that_of_info_with_the_name_of_the_queue() {
    let server = Server::start();
    let mut client = server.client();
    assert_eq!(client.ask("MQ.STATS"), Value::Array(vec![]));
    client.ask("MQ.CONFIG orders MAXRETRIES 2 DEADLETTER graveyard");
    client.ask("MQ.MPUSH orders 3 x x x PRIORITY 4");
    client.ask("MQ.PUSH orders x GROUP g");
    client.ask("MQ.PUSH orders x DELAY 3600000");
    client.ask("MQ.SCHEDULE orders each x EVERY 3600000");
    let batch = client.pull_batch("orders COUNT 2");
    client.acknowledge(&batch[0]);
    client.push("graveyard", "by hand");
    client.ask("MQ.PAUSE mails");
    for mut client in [client, server.resp3_client()] {
        let listed = maps(&client.ask("MQ.STATS"));
        let names: Vec<&str> = listed.iter().map(|(queue, _)| queue.as_str()).collect();
        assert_eq!(names, ["graveyard", "mails", "orders"]);
        for (queue, fields) in &listed {
            let told = entries(&client.ask(&format!("MQ.INFO {queue}")));
            assert_eq!(fields.len(), told.len());
            for (one, other) in fields.iter().zip(&told) {
                assert_eq!(one.0, other.0);
                if !one.0.ends_with("_age_ms") {
                    assert_eq!(one, other, "{queue}");
                }
            }
        }
        let info = client.map("MQ.INFO orders");
        assert_eq!((info["deadletter_waiting"].as_str(), info["acked"].as_str()), ("1", "1"));
    }
}

#[test]
fn a_map_is_a_map_in_resp3_where_modules_can_reply_with_one() {
    let server = Server::start();
    push_to(&mut server.client(), 0..300);
    let mut client = server.resp3_client();
    for line in ["MQ.STATS MATCH queue-00001", "MQ.STATS"] {
        for map in items(&client.ask(line)) {
            assert_eq!(matches!(map, Value::Map(_)), facts().modules_reply_with_maps(), "{line}");
        }
    }
}

#[test]
fn queues_are_found_as_by_their_list() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "x");
    client.ask("MQ.CONFIG mails DELAY 1");
    client.push("gone", "x");
    client.ask("MQ.PULL gone NOACK");
    server.client_of_database(3).push("elsewhere", "x");
    assert_eq!(queues_of(&client.ask("MQ.STATS")), ["mails", "orders"]);
    assert_eq!(queues_of(&client.ask("MQ.STATS MATCH o*")), ["orders"]);
    assert_eq!(queues_of(&client.ask("MQ.STATS MATCH x*")), [""; 0]);
    assert_eq!(queues_of(&server.client_of_database(3).ask("MQ.STATS")), ["elsewhere"]);
    assert_eq!(parts(&mut client, "MATCH m*").0, ["mails"]);
}

#[test]
fn a_thousand_queues_come_in_parts_or_in_one_reply() {
    let server = Server::start();
    let mut client = server.client();
    push_to(&mut client, 0..1_000);
    let all: Vec<_> = (0..1_000).map(queue).collect();
    assert_eq!(parts(&mut client, ""), (all.clone(), vec![100; 10]));
    assert_eq!(parts(&mut client, "COUNT 1000"), (all.clone(), vec![1_000]));
    assert_eq!(parts(&mut client, "COUNT 600 MATCH *7"), {
        let matching = all.iter().filter(|name| name.ends_with('7')).cloned().collect();
        (matching, vec![60, 40])
    });
    assert_eq!(queues_of(&client.ask("MQ.STATS")), all);
    let in_script = client.reply(&["EVAL", "return redis.call('MQ.STATS')", "0"]);
    assert_eq!(queues_of(&in_script.expect("a list")), all);
    client.ask("MULTI");
    client.ask("MQ.STATS CURSOR 0 COUNT 250");
    let reply = client.ask("EXEC");
    assert_eq!(queues_of(&items(&items(&reply)[0])[1]), all[..250]);
    for line in ["CURSOR x", "CURSOR", "COUNT 5", "CURSOR 0 COUNT 0", "CURSOR 0 COUNT 1001"] {
        client.refused(&format!("MQ.STATS {line}"));
    }
}

#[test]
fn other_clients_are_served_during_a_long_reply() {
    const QUEUES: usize = 20_000;
    let server = Server::start();
    let mut client = server.client();
    push_to(&mut client, 0..QUEUES);
    let listing = server.waiting("MQ.STATS");
    listing.still_waits();
    listing.hang_up();
    let mut listing = server.waiting("MQ.STATS");
    assert_eq!(client.number(&format!("CLIENT UNBLOCK {}", listing.id())), 1);
    assert_eq!(items(&listing.reply().expect("what is known")).len(), QUEUES);
    let mut listing = server.waiting("MQ.STATS");
    listing.still_waits();
    // A queue that goes meanwhile may be in it, as one that does not exist.
    client.ask(&format!("MQ.DROP {}", queue(QUEUES - 1)));
    assert_eq!(client.text("PING"), "PONG");
    let listed = queues_of(&listing.reply().expect("a list"));
    assert_eq!(listed[..QUEUES - 1], (0..QUEUES - 1).map(queue).collect::<Vec<_>>());
    let mut client = listing.client();
    assert_eq!(client.text("PING"), "PONG");
}

#[test]
fn a_queue_that_cannot_be_read_does_not_hide_the_others() {
    let server = Server::start();
    server.damaged_on_purpose();
    let mut client = server.client();
    push_to(&mut client, 0..150);
    client.ask("SET mq:{queue-00001}:config x");
    let error = client.refused("MQ.INFO queue-00001");
    assert!(
        error.starts_with("WRONGTYPE ") && error.contains("mq:{queue-00001}:config"),
        "{error}"
    );
    for reply in [client.ask("MQ.STATS"), items(&client.ask("MQ.STATS CURSOR 0"))[1].clone()] {
        let listed = maps(&reply);
        assert_eq!(
            listed[1].1,
            [("error".to_owned(), Value::BulkString(error.clone().into_bytes()))]
        );
        let whole = listed.iter().filter(|(_, fields)| fields.len() > 50).count();
        assert_eq!(whole, listed.len() - 1);
    }
}

#[test]
fn a_replica_tells_the_state_of_its_copy() {
    let server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    client.ask("MQ.MPUSH orders 3 x x x");
    client.pull("orders");
    assert_eq!(client.number("WAIT 1 10000"), 1);
    let listed = maps(&copy.ask("MQ.STATS"));
    let [(queue, fields)] = &listed[..] else { panic!("not one: {listed:?}") };
    let number =
        |name: &str| integer(&fields.iter().find(|(field, _)| field == name).expect(name).1);
    assert_eq!((queue.as_str(), number("ready"), number("inflight")), ("orders", 2, 1));
}

#[test]
fn a_user_gets_what_it_may_read() {
    let server = Server::start();
    let mut client = server.client();
    for queue in ["orders", "mails"] {
        client.push(queue, "x");
    }
    let rules: [(&[&str], &[&str]); 5] = [
        (&["%R~mails"], &["mails"]),
        (&["%W~mails"], &[]),
        (&["~mails", "(+mq.stats ~orders)"], &["mails", "orders"]),
        (&[], &[]),
        (&["allkeys"], &["mails", "orders"]),
    ];
    if !facts().separates_key_permissions() {
        client.ask("ACL SETUSER observer reset on >x +mq.stats ~mails");
        let mut observer = server.client();
        observer.ask("AUTH observer x");
        assert_eq!(queues_of(&observer.ask("MQ.STATS")), ["mails", "orders"]);
        return;
    }
    for (rules, expected) in rules {
        client.ask("ACL SETUSER observer reset on >x +mq.stats");
        for rule in rules {
            client.reply(&["ACL", "SETUSER", "observer", rule]).expect("the rule");
        }
        let mut observer = server.client();
        observer.ask("AUTH observer x");
        assert_eq!(queues_of(&observer.ask("MQ.STATS")), expected, "{rules:?}");
    }
}

#[test]
fn a_node_of_a_cluster_tells_of_its_queues() {
    let server = Server::start_in_cluster_mode();
    let mut client = server.client();
    push_to(&mut client, 0..250);
    assert_eq!(queues_of(&client.ask("MQ.STATS")), (0..250).map(queue).collect::<Vec<_>>());
    assert_eq!(parts(&mut client, "").1, [100, 100, 50]);
    client.ask("MULTI");
    client.ask("MQ.STATS");
    let reply = client.reply_to("EXEC");
    assert!(format!("{reply:?}").contains("TRYAGAIN"), "{reply:?}");
}
