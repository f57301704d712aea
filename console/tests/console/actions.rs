//! What changes queues: each action does what its command does, is refused without --allow-writes, and is logged.

use crate::world::{Console, Server, eventually};
use serde_json::{Value, json};

fn console(server: &Server, options: &[&str]) -> Console {
    let console = Console::start(&[server.url()], options);
    eventually("the queue is shown", || console.row("orders") != Value::Null);
    console
}

fn changed(console: &Console, order: Value) -> u64 {
    let reply = console.act(order.clone());
    assert_eq!(reply.status, 200, "{order}: {}", reply.body);
    serde_json::from_str::<Value>(&reply.body).unwrap()["changed"].as_u64().unwrap()
}

fn state(console: &Console) -> Value {
    console.json("/api/queue?name=orders")["state"].clone()
}

#[test]
fn without_allow_writes_nothing_changes() {
    let server = Server::start(&[]);
    let id = server.push("orders", b"one", &[]);
    let console = console(&server, &[]);
    for order in [
        json!({ "name": "orders", "action": "pause" }),
        json!({ "name": "orders", "action": "purge", "confirm": "orders" }),
        json!({ "name": "orders", "action": "drop", "confirm": "orders" }),
        json!({ "name": "orders", "action": "delete", "ids": [id] }),
        json!({ "name": "orders", "action": "give-back", "consumer": "worker-1" }),
        json!({ "name": "orders", "action": "unschedule", "schedule": "daily" }),
        json!({ "name": "orders", "action": "repair" }),
        json!({ "name": "orders", "action": "configure", "settings": { "maxlen": 1 } }),
    ] {
        assert_eq!(console.act(order.clone()).status, 403, "{order}");
    }
    let state = state(&console);
    assert_eq!((&state["ready"], &state["paused"]), (&json!(1), &json!(false)));
    assert_eq!(console.json("/api/queues")["writes"], false);
    console.wait_for_log("no --allow-writes");
}

#[test]
fn a_queue_is_paused_and_resumed_and_the_log_says_who_did_it() {
    let server = Server::start(&[]);
    server.push("orders", b"one", &[]);
    let console = console(&server, &["--allow-writes"]);
    changed(&console, json!({ "name": "orders", "action": "pause", "for_ms": 60000 }));
    assert_eq!(state(&console)["paused"], true);
    assert!(state(&console)["paused_until"].as_u64().is_some());
    let line = console.wait_for_log("done");
    for part in ["token", "127.0.0.1", "orders", "Pause"] {
        assert!(line.contains(part), "{line} has no {part}");
    }
    changed(&console, json!({ "name": "orders", "action": "resume" }));
    assert_eq!(state(&console)["paused"], false);
}

/// Holds writes back, as if they took long, and MQ.CHECK, which is one if it repairs.
fn hold_writes(server: &Server) {
    server.run_command("CLIENT PAUSE 60000 WRITE");
}

fn wait_for_held(server: &Server, clients: usize) {
    let held = format!("\r\nblocked_clients:{clients}\r\n");
    eventually("the server has them", || {
        let info: String =
            redis::cmd("INFO").arg("clients").query(&mut server.connection()).unwrap();
        info.contains(&held)
    });
}

#[test]
fn what_takes_long_keeps_nobody_else_waiting() {
    let server = Server::start(&[]);
    for payload in [b"one", b"two"] {
        server.push("orders", payload, &[]);
    }
    server.kill("orders", "no such address");
    let console = console(&server, &["--allow-writes"]);
    hold_writes(&server);
    let check = console.begin("/api/check", &json!({ "name": "orders" }));
    let redrive = console.begin("/api/act", &json!({ "name": "orders", "action": "redrive" }));
    wait_for_held(&server, 2);
    assert_eq!(state(&console)["ready"], 1);
    assert_eq!(console.json("/api/messages?name=orders")["total"], 1);
    server.run_command("CLIENT UNPAUSE");
    assert_eq!(check.reply().body, r#"{"findings":{}}"#);
    assert_eq!(redrive.reply().body, r#"{"changed":1}"#);
    assert_eq!(state(&console)["ready"], 2);
}

#[test]
fn an_action_goes_on_and_is_logged_if_its_visitor_leaves() {
    let server = Server::start(&[]);
    server.push("orders", b"one", &[]);
    let console = console(&server, &["--allow-writes"]);
    hold_writes(&server);
    let pause = console.begin("/api/act", &json!({ "name": "orders", "action": "pause" }));
    wait_for_held(&server, 1);
    drop(pause);
    assert_eq!(state(&console)["paused"], false);
    server.run_command("CLIENT UNPAUSE");
    let line = console.wait_for_log("done");
    assert!(line.contains("Pause"), "{line}");
    assert_eq!(state(&console)["paused"], true);
}

#[test]
fn purge_and_drop_want_the_name_typed() {
    let server = Server::start(&[]);
    for payload in [b"one", b"two"] {
        server.push("orders", payload, &[]);
    }
    server.push("orders", b"later", &["DELAY", "60000"]);
    let console = console(&server, &["--allow-writes"]);
    for action in ["purge", "drop"] {
        let order = json!({ "name": "orders", "action": action, "confirm": "order" });
        assert_eq!(console.act(order).status, 400);
    }
    let purge = |state: Value| json!({ "name": "orders", "action": "purge", "confirm": "orders", "state": state });
    assert_eq!(changed(&console, purge(json!("delayed"))), 1);
    assert_eq!(state(&console)["ready"], 2);
    assert_eq!(changed(&console, purge(json!(null))), 2);
    server.push("orders", b"three", &[]);
    let drop = json!({ "name": "orders", "action": "drop", "confirm": "orders" });
    assert_eq!(changed(&console, drop), 1);
    eventually("the queue is gone", || console.row("orders")["exists"] == false);
}

#[test]
fn messages_are_listed_shown_deleted_and_rescheduled() {
    let server = Server::start(&[]);
    let first = server.push("orders", b"{\"number\":1}", &["HEADERS", "1", "type", "order"]);
    for _ in 0..4 {
        server.push("orders", b"more", &[]);
    }
    let later = server.push("orders", b"later", &["DELAY", "3600000"]);
    let console = console(&server, &["--allow-writes"]);
    let page = console.json("/api/messages?name=orders&offset=1&count=3");
    assert_eq!(page["messages"].as_array().unwrap().len(), 3);
    assert_eq!(page["total"], 5);
    let message = console.json(&format!("/api/message?name=orders&id={first}"));
    assert_eq!(message["headers"], json!([{ "name": "type", "value": "order" }]));
    assert_eq!(message["looks_like"], "json");
    let shown = console.json(&format!("/api/payload?name=orders&id={first}&view=json"));
    assert_eq!(shown["text"], "{\n  \"number\": 1\n}");
    let none = json!({ "name": "orders", "action": "delete", "ids": [] });
    assert_eq!(console.act(none).status, 400);
    assert_eq!(
        changed(&console, json!({ "name": "orders", "action": "delete", "ids": [first] })),
        1
    );
    assert_eq!(console.get(&format!("/api/message?name=orders&id={first}")).status, 404);
    let at = 2_000_000_000_000_u64;
    let order = json!({ "name": "orders", "action": "reschedule", "id": later, "at_ms": at });
    assert_eq!(changed(&console, order), 1);
    let delayed = console.json("/api/messages?name=orders&state=delayed");
    assert_eq!(delayed["messages"][0]["due_at"], at);
    let order = json!({ "name": "orders", "action": "retry-now", "ids": [later] });
    assert_eq!(changed(&console, order), 1);
    assert_eq!(state(&console)["ready"], 5);
}

#[test]
fn dead_letters_are_summed_up_and_redriven() {
    let server = Server::start(&[]);
    for _ in 0..5 {
        server.push("orders", b"x", &[]);
    }
    for error in ["no stock", "no stock", "no stock", "no address"] {
        server.kill("orders", error);
    }
    let console = console(&server, &["--allow-writes"]);
    let letters = console.json("/api/dead-letters?name=orders");
    assert_eq!(letters["total"], 4);
    let sums = letters["sums"].as_array().unwrap();
    assert_eq!(sums[1]["last_error"], "no stock");
    assert_eq!((&sums[1]["count"], &sums[1]["reason"]), (&json!(3), &json!("rejected")));
    let dead = console.json("/api/messages?name=orders&state=dead");
    let id = &dead["messages"][0]["id"];
    assert_eq!(dead["messages"][0]["death"]["from"], "orders");
    assert_eq!(changed(&console, json!({ "name": "orders", "action": "redrive", "ids": [id] })), 1);
    let reason = json!({ "name": "orders", "action": "redrive", "reason": "no address" });
    assert_eq!(changed(&console, reason), 1);
    assert_eq!(changed(&console, json!({ "name": "orders", "action": "redrive" })), 2);
    assert_eq!(state(&console)["ready"], 5);
}

#[test]
fn consumers_are_shown_with_what_they_hold() {
    let server = Server::start(&[]);
    for _ in 0..3 {
        server.push("orders", b"x", &[]);
    }
    server.run_command("MQ.PULL orders CONSUMER worker-1 COUNT 2");
    server.run_command("MQ.PULL orders");
    let console = console(&server, &[]);
    let consumers = console.json("/api/consumers?name=orders");
    assert_eq!(consumers["total"], 3);
    let held = consumers["consumers"].as_array().unwrap();
    assert_eq!((&held[0]["consumer"], &held[0]["messages"]), (&json!(null), &json!(1)));
    assert_eq!((&held[1]["consumer"], &held[1]["messages"]), (&json!("worker-1"), &json!(2)));
}

#[test]
fn what_a_consumer_holds_is_given_back() {
    let server = Server::start(&[]);
    for _ in 0..3 {
        server.push("orders", b"x", &[]);
    }
    server.run_command("MQ.PULL orders CONSUMER worker-1 COUNT 2 VISIBILITY 600000");
    server.run_command("MQ.PULL orders VISIBILITY 600000");
    let console = console(&server, &["--allow-writes"]);
    let give_back =
        |consumer: &str| json!({ "name": "orders", "action": "give-back", "consumer": consumer });
    assert_eq!(changed(&console, give_back("worker-2")), 0);
    assert_eq!(changed(&console, give_back("worker-1")), 2);
    eventually("they are back", || state(&console)["ready"] == 2);
    assert_eq!(state(&console)["inflight"], 1);
}

#[test]
fn schedules_are_shown_with_their_next_ticks_triggered_and_removed() {
    let server = Server::start(&[]);
    let schedule = |words: &[&str]| {
        redis::cmd("MQ.SCHEDULE").arg("orders").arg(words).exec(&mut server.connection()).unwrap();
    };
    schedule(&[
        "daily",
        "payload",
        "CRON",
        "30 6 * * *",
        "TZ",
        "Europe/Berlin",
        "HEADERS",
        "1",
        "type",
        "report",
    ]);
    schedule(&["beat", "", "EVERY", "3600000", "PAUSED", "1"]);
    let console = console(&server, &["--allow-writes"]);
    let list = console.json("/api/schedules?name=orders");
    assert_eq!(list["total"], 2);
    let daily = &list["schedules"][0];
    for (field, value) in [
        ("name", json!("daily")),
        ("cron", json!("30 6 * * *")),
        ("zone", json!("Europe/Berlin")),
        ("payload_bytes", json!(7)),
        ("header_count", json!(1)),
        ("paused", json!(false)),
    ] {
        assert_eq!(daily[field], value, "{field} of {daily}");
    }
    assert!(!list.to_string().contains("payload\""), "a list shows no payload");
    let ticks = daily["next_ticks"].as_array().unwrap();
    assert_eq!((ticks.len(), &ticks[0]), (5, &daily["next_tick"]));
    assert_eq!(list["schedules"][1]["paused"], true);
    let order = |action: &str| json!({ "name": "orders", "action": action, "schedule": "daily" });
    assert_eq!(changed(&console, order("trigger")), 1);
    assert_eq!(state(&console)["ready"], 1);
    assert_eq!(changed(&console, order("unschedule")), 1);
    assert_eq!(changed(&console, order("unschedule")), 0);
    assert_eq!(state(&console)["schedules"], 1);
    assert_eq!(console.act(order("trigger")).status, 404);
}

#[test]
fn records_are_checked_and_repaired() {
    let server = Server::start(&[]);
    server.push("orders", b"later", &["DELAY", "600000"]);
    let console = console(&server, &["--allow-writes"]);
    let findings = || {
        let kind = [("Content-Type", "application/json")];
        let reply = console.request("POST", "/api/check", &kind, "{\"name\":\"orders\"}");
        assert_eq!(reply.status, 200, "{}", reply.body);
        serde_json::from_str::<Value>(&reply.body).unwrap()["findings"].clone()
    };
    assert_eq!(findings(), json!({}));
    server.run_command("DEL mq:{orders}:delayed");
    assert_eq!(findings(), json!({ "body_without_place": 1 }));
    assert_eq!(changed(&console, json!({ "name": "orders", "action": "repair" })), 1);
    assert_eq!(findings(), json!({}));
}

#[test]
fn settings_are_changed_and_reset_all_or_none() {
    let server = Server::start(&[]);
    server.push("orders", b"one", &[]);
    let console = console(&server, &["--allow-writes"]);
    let before = console.json("/api/queue?name=orders")["settings"].clone();
    let values = json!({
        "visibility": 1000, "maxretries": -1, "deadletter": "{orders}:failed", "backoff": 10, "backoffmax": 20,
        "delay": 5, "ttl": 60000, "maxlen": 100, "maxinflight": 7, "rate": 8, "rateperiod": 2000, "aging": 9,
        "groupinflight": 2, "dedupwindow": 1000, "maxdedup": 3, "expires": 3600000,
    });
    let configure =
        |settings: &Value| json!({ "name": "orders", "action": "configure", "settings": settings });
    changed(&console, configure(&values));
    let now = || console.json("/api/queue?name=orders")["settings"].clone();
    assert_eq!(now(), values);
    for wrong in [
        json!({ "maxlen": 1, "visibility": 0 }),
        json!({ "maxlen": 1, "rate": "many" }),
        json!({ "maxlen": 1, "none": 1 }),
    ] {
        assert_eq!(console.act(configure(&wrong)).status, 400, "{wrong}");
    }
    assert_eq!(now(), values);
    let resets: Value =
        values.as_object().unwrap().keys().map(|name| (name.clone(), Value::Null)).collect();
    changed(&console, configure(&resets));
    assert_eq!(now(), before);
}
