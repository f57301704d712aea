//! The overview: what it shows of one server, several, Sentinel and a cluster, and of servers that come and go.

use crate::world::{Console, Server, cluster, eventually, work};
use serde_json::{Value, json};

#[test]
fn a_queue_of_a_server_is_shown_with_its_figures() {
    let server = Server::start(&[]);
    for payload in ["one", "two", "three"] {
        server.push("orders", payload.as_bytes(), &[]);
    }
    server.push("orders", b"later", &["DELAY", "60000"]);
    server.run_command("MQ.PULL orders");
    server.run_command("MQ.PAUSE orders");
    let console = Console::start(&[server.url()], &[]);
    eventually("the queue is shown", || console.row("orders") != Value::Null);
    let row = console.row("orders");
    assert_eq!(row["server"], server.address());
    for (field, value) in [
        ("ready", json!(2)),
        ("inflight", json!(1)),
        ("delayed", json!(1)),
        ("dead_letters", json!(0)),
        ("blocked_clients", json!(0)),
        ("paused", json!(true)),
    ] {
        assert_eq!(row[field], value, "{field} of {row}");
    }
    let queue = console.json("/api/queue?name=orders");
    assert_eq!(queue["settings"]["deadletter"], "{orders}:dead");
    assert_eq!(queue["counters"]["pushed"], 4);
    assert_eq!(queue["state"]["backlog"], 3);
    assert_eq!(queue["why"][0]["kind"], "paused");
    assert_eq!(console.get("/api/queue?name=none").status, 404);
}

#[test]
fn queues_are_searched_by_a_pattern_sorted_and_summed_up() {
    let server = Server::start(&[]);
    for (queue, messages) in [("mails", 1), ("orders", 3), ("reports", 2)] {
        for _ in 0..messages {
            server.push(queue, b"x", &[]);
        }
    }
    server.push("{orders}:dead", b"dead", &[]);
    server.run_command("MQ.PAUSE mails");
    let console = Console::start(&[server.url()], &[]);
    let names = |parameters: &str| -> Vec<String> {
        let list = console.json(&format!("/api/queues?{parameters}"));
        let rows = list["queues"].as_array().unwrap().iter();
        rows.map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    eventually("all are shown", || names("").len() == 4);
    assert_eq!(names("search=*s&sort=ready"), ["orders", "reports", "mails"]);
    assert_eq!(names("search=*s&sort=ready&reverse=true"), ["mails", "reports", "orders"]);
    assert_eq!(names("search=or&sort=name"), ["orders", "reports", "{orders}:dead"]);
    assert_eq!(names("sort=name&offset=1&limit=2"), ["orders", "reports"]);
    assert_eq!(names("").last().unwrap(), "{orders}:dead", "nobody is meant to pull these");
    let list = console.json("/api/queues?recent=true");
    let totals = &list["totals"];
    assert_eq!((&totals["ready"], &totals["dead_letters"]), (&json!(6), &json!(1)));
    assert_eq!(totals["paused"], 1);
    let row = |name: &str| {
        list["queues"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone()
    };
    assert_eq!(row("mails")["causes"], json!(["paused"]));
    assert_eq!(row("{orders}:dead")["is_dead_letter_queue"], true);
    assert_eq!(row("orders")["recent"]["pushed"].as_array().unwrap().len(), 30);
}

#[test]
fn samples_follow_the_server_and_tell_rates() {
    let server = Server::start(&[]);
    server.push("orders", b"first", &[]);
    let console = Console::start(&[server.url()], &[]);
    let mut events = console.events("/api/events?search=ord").filter_map(|line| {
        serde_json::from_str::<Value>(line.strip_prefix("data: ").or(line.strip_prefix("data:"))?)
            .ok()
    });
    server.push("mails", b"other", &[]);
    let mut pushed = 1;
    let moving = events.find(|list| {
        server.push("orders", b"more", &[]);
        pushed += 1;
        let queue = &list["queues"][0];
        queue["rates"]["pushed"].as_f64() > Some(0.0)
    });
    assert_eq!(moving.unwrap()["queues"][0]["name"], "orders");
    eventually("a sample has all", || console.row("orders")["ready"] == pushed);
    let history = console.json("/api/history?name=orders");
    let points = history["points"].as_array().unwrap();
    assert_eq!(points.last().unwrap()["ready"], pushed);
    assert!(points.len() >= 2);
    let last = points[points.len() - 2]["at_ms"].as_u64().unwrap();
    let newer = console.json(&format!("/api/history?name=orders&since={last}"));
    let newer = newer["points"].as_array().unwrap();
    assert!(newer.iter().all(|point| point["at_ms"].as_u64() > Some(last)) && !newer.is_empty());
    let day = console.json("/api/history?name=orders&range=24h");
    assert_eq!(day["points"].as_array().unwrap().last().unwrap()["ready"], pushed);
}

#[test]
fn how_long_messages_took_is_told_in_all_and_of_late() {
    let server = Server::start(&[]);
    server.push("orders", b"first", &[]);
    let console = Console::start(&[server.url()], &[]);
    eventually("the queue is shown", || console.row("orders") != Value::Null);
    let latencies = || console.json("/api/queue?name=orders")["latencies"].clone();
    let none =
        json!({ "count": 0, "mean_ms": null, "p50_ms": null, "p95_ms": null, "p99_ms": null });
    assert_eq!(latencies(), json!({ "delivery": none, "processing": none }));
    std::thread::sleep(std::time::Duration::from_millis(20)); // which the message waits
    work(&mut server.connection(), "orders");
    server.push("orders", b"second", &[]);
    let last = || {
        let history = console.json("/api/history?name=orders");
        history["points"].as_array().unwrap().last().unwrap().clone()
    };
    eventually("the sample after it has it", || last()["delivery_p50_ms"].is_number());
    for (name, least) in [("delivery", 10.0), ("processing", 0.0)] {
        let all = &latencies()[name];
        assert_eq!(all["count"], 1);
        for figure in ["mean_ms", "p50_ms", "p95_ms", "p99_ms"] {
            assert!(all[figure].as_f64() >= Some(least), "{figure} of {all}");
        }
    }
    eventually("the next sample has none", || last()["delivery_p50_ms"].is_null());
    let day = console.json("/api/history?name=orders&range=24h");
    let points = day["points"].as_array().unwrap();
    assert!(points.iter().any(|minute| minute["processing_p95_ms"].is_number()), "{day}");
}

#[test]
fn a_server_that_dies_and_returns_is_told() {
    let mut server = Server::start(&[]);
    let other = Server::start(&[]);
    server.push("orders", b"one", &[]);
    other.push("mails", b"one", &[]);
    let console = Console::start(&[server.url(), other.url()], &[]);
    eventually("both are shown", || {
        console.row("orders") != Value::Null && console.row("mails") != Value::Null
    });
    server.stop();
    let up = |value: u8| format!("mq_up{{server=\"{}\"}} {value}\n", server.address());
    eventually("it is down", || console.get("/metrics").body.contains(&up(0)));
    assert_ne!(console.row("mails"), Value::Null);
    console.wait_for_log("the server does not answer");
    let (down, back) = (up(0), up(1));
    server.restart();
    server.push("orders", b"two", &[]);
    eventually("it is back", || console.get("/metrics").body.contains(&back));
    assert!(!console.get("/metrics").body.contains(&down));
    eventually("its queue is back", || console.row("orders") != Value::Null);
}

#[test]
fn a_cluster_is_shown_whole() {
    let nodes = cluster();
    // These names are in slots of each of the three.
    let names = ["a", "b", "c", "d", "e", "f"];
    for name in names {
        let moved = |node: &&Server| {
            let mut push = redis::cmd("MQ.PUSH");
            push.arg(name).arg("x");
            push.query::<String>(&mut node.connection()).is_ok()
        };
        assert!(nodes.iter().find(moved).is_some(), "no node takes {name}");
    }
    let url = format!("redis-cluster://{}", nodes[1].address());
    let console = Console::start(&[url], &["--allow-writes"]);
    eventually("all are shown", || names.iter().all(|name| console.row(name) != Value::Null));
    let list = console.json("/api/queues");
    assert_eq!(list["sources"][0]["servers"].as_array().unwrap().len(), 3);
    let servers: std::collections::BTreeSet<String> =
        names.iter().map(|name| console.row(name)["server"].to_string()).collect();
    assert_eq!(servers.len(), 3);
    for name in names {
        assert_eq!(console.act(json!({ "name": name, "action": "pause" })).status, 200);
    }
    eventually("all are paused", || names.iter().all(|name| console.row(name)["paused"] == true));
}

#[test]
fn the_new_master_is_followed_after_a_failover() {
    let mut master = Server::start(&[]);
    let replica = Server::replica(&master);
    let sentinel = Server::sentinel(&master);
    master.push("orders", b"one", &[]);
    let url = format!("redis-sentinel://{}/mymaster", sentinel.address());
    let console = Console::start(&[url], &[]);
    eventually("the master is shown", || console.row("orders")["server"] == master.address());
    eventually("the sentinel knows the replica", || {
        let replicas: Vec<redis::Value> = redis::cmd("SENTINEL")
            .arg("replicas")
            .arg("mymaster")
            .query(&mut sentinel.connection())
            .unwrap();
        replicas.len() == 1 && format!("{:?}", replica.run_command("MQ.LEN orders")) == "int(1)"
    });
    master.stop();
    eventually("the new master is shown", || console.row("orders")["server"] == replica.address());
}

#[test]
fn servers_are_told_in_words_with_their_replicas() {
    let master = Server::start(&[]);
    let replica = Server::replica(&master);
    master.push("orders", b"x", &[]);
    let console = Console::start(&[master.url()], &[]);
    eventually("the replica is told", || {
        console.json("/api/replicas")["replicas"][0]["version"].is_string()
    });
    let told = &console.json("/api/replicas")["replicas"][0];
    assert_eq!(told["address"], replica.address());
    assert_eq!((&told["server"], &told["problem"]), (&json!(master.address()), &Value::Null));
    let server = console.json("/api/servers")["sources"][0]["servers"][0].clone();
    assert_eq!(server["totals"]["pushed"], 1);
    let checks = server["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| check["ok"] == true), "{checks:?}");
    master.run_command("CONFIG SET maxmemory 100mb");
    master.run_command("CONFIG SET maxmemory-policy allkeys-lru");
    eventually("the eviction is told", || {
        let list = console.json("/api/queues");
        list["sources"][0]["servers"][0]["warnings"][0]
            .as_str()
            .is_some_and(|text| text.contains("allkeys-lru"))
    });
}

#[test]
fn of_too_many_queues_some_are_only_counted_and_that_is_said() {
    let server = Server::start(&[]);
    for number in 0..30 {
        server.push(&format!("queue-{number:02}"), b"x", &[]);
    }
    let console = Console::start(&[server.url()], &["--max-queues", "10"]);
    eventually("all are counted", || console.json("/api/queues")["not_sampled"] == 20);
    let list = console.json("/api/queues");
    assert_eq!(list["queues"].as_array().unwrap().len(), 10);
    assert!(console.get("/metrics").body.contains("mq_queues_not_sampled 20\n"));
    console.wait_for_log("too many queues");
    let found = console.json("/api/queues?search=queue-29");
    assert_eq!(found["not_sampled_names"][0]["name"], "queue-29");
    assert_eq!(console.json("/api/queue?name=queue-29")["state"]["ready"], 1);
}

#[test]
fn a_user_who_may_not_ask_for_mq_stats_sees_the_same() {
    let server = Server::start(&[]);
    server.push("orders", b"x", &[]);
    server.push("broken", b"x", &["DELAY", "60000"]);
    server.run_command("SET mq:{broken}:ready x");
    server.run_command("ACL SETUSER old on >secret ~* +info +mq.queues +mq.info");
    server.run_command("ACL SETUSER new on >secret ~* +info +mq.stats +mq.info");
    let row = |user: &str, queue: &str| {
        let url = format!("redis://{user}:secret@{}", server.address());
        let console = Console::start(&[url], &[]);
        eventually("the queue is shown", || console.row(queue) != Value::Null);
        let row = console.row(queue);
        json!([row["ready"], row["inflight"], row["delayed"], row["error"]])
    };
    for queue in ["orders", "broken"] {
        assert_eq!(row("old", queue), row("new", queue));
    }
    assert_eq!(row("new", "orders"), json!([1, 0, 0, null]));
    assert!(row("new", "broken")[3].as_str().unwrap().starts_with("WRONGTYPE "));
}

#[test]
fn a_queue_that_is_empty_now_and_then_keeps_its_counters() {
    let server = Server::start(&[]);
    server.push("orders", b"x", &[]);
    let console = Console::start(&[server.url()], &[]);
    eventually("the queue is shown", || console.row("orders")["ready"] == 1);
    server.run_command("MQ.PULL orders NOACK");
    eventually("it is empty", || console.row("orders")["exists"] == false);
    let counters = console.json("/api/queue?name=orders")["counters"].clone();
    assert_eq!((&counters["pushed"], &counters["pulled"]), (&json!(1), &json!(1)));
    let line = "mq_queue_messages_pulled_total{queue=\"orders\"} 1\n";
    assert!(console.get("/metrics").body.contains(line));
}
