//! What is done by clicks: each action asks before, does it, and shows the result. Without --allow-writes there are none.

use crate::browser::{Browser, ENTER, ESCAPE};
use crate::world::{Console, Server, eventually};
use serde_json::{Value, json};

fn console(server: &Server, options: &[&str]) -> Console {
    let console = Console::start(&[server.url()], options);
    eventually("the queue is shown", || console.row("orders") != Value::Null);
    console
}

fn state(console: &Console) -> Value {
    console.json("/api/queue?name=orders")["state"].clone()
}

#[test]
fn a_console_that_only_shows_has_no_buttons_and_refuses() {
    let server = Server::start(&[]);
    server.push("orders", b"x", &[]);
    server.push("orders", b"x", &[]);
    server.push("orders", b"later", &["DELAY", "600000"]);
    server.kill("orders", "no stock");
    let mut schedule = redis::cmd("MQ.SCHEDULE");
    schedule
        .arg(&["orders", "daily", "x", "CRON", "@daily"])
        .exec(&mut server.connection())
        .unwrap();
    server.run_command("MQ.PULL orders CONSUMER worker-1");
    let console = console(&server, &[]);
    let browser = Browser::open(&console, "");
    browser.see("#mode", "read only");
    let views = [
        ("", ".figures div"),
        ("&tab=messages&state=delayed", "td a.id"),
        ("&tab=dead", "td a.id"),
        ("&tab=consumers", "td"),
        ("&tab=schedules", "td"),
        ("&tab=settings", "td input"),
    ];
    let looks = [
        "Check the records",
        "10 minutes",
        "24 hours",
        "Reload",
        "Open",
        "Previous",
        "Next",
        "Theme: system",
    ];
    for (tab, shown) in views {
        browser.go(&format!("queue?name=orders{tab}"));
        browser.see(shown, "");
        let buttons = browser.script(
            "return [...document.querySelectorAll('button')].map((one) => one.textContent)",
        );
        for button in buttons.as_array().unwrap() {
            assert!(looks.contains(&button.as_str().unwrap()), "{button} in {tab}");
        }
        assert_eq!(browser.count("input[type=checkbox], td input:not([readonly])"), 0, "{tab}");
    }
    browser.script(
        "fetch(location.origin + location.pathname + 'api/act', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{\"name\":\"orders\",\"action\":\"pause\"}' })
           .then((reply) => { window.answer = reply.status })",
    );
    eventually("it is refused", || browser.script("return window.answer") == 403);
    assert_eq!(state(&console)["paused"], false);
}

#[test]
fn a_queue_is_paused_resumed_purged_and_dropped_by_clicks() {
    let server = Server::start(&[]);
    for _ in 0..3 {
        server.push("orders", b"x", &[]);
    }
    let console = console(&server, &["--allow-writes"]);
    let browser = Browser::open(&console, "queue?name=orders");
    browser.click(".title button", "Pause…");
    browser.click("dialog button", "Cancel");
    assert_eq!(browser.focus(), "Pause…");
    browser.press(&[ENTER]);
    browser.see("dialog", "Pause orders?");
    assert_eq!(browser.focus(), "Pause");
    browser.press(&[ESCAPE]);
    browser.see_no("dialog", "");
    assert_eq!(browser.focus(), "Pause…");
    assert_eq!(state(&console)["paused"], false);
    browser.click(".title button", "Pause…");
    browser.click("dialog option", "for 5 minutes");
    browser.click("dialog button", "Pause");
    browser.see("#toasts", "orders is paused.");
    browser.see(".why li", "The queue is paused for another");
    browser.click(".title button", "Resume");
    browser.click("dialog button", "Resume");
    browser.see_no(".title .badge", "paused");
    assert_eq!(state(&console)["paused"], false);

    browser.click(".title button", "Purge…");
    browser.see("dialog button:disabled", "Purge");
    browser.write("dialog #typed", "order");
    browser.see("dialog button:disabled", "Purge");
    assert_eq!(state(&console)["ready"], 3);
    browser.write("dialog #typed", "s");
    browser.click("dialog button:enabled", "Purge");
    browser.see("#toasts", "Deleted 3 messages.");
    browser.see(".figures div", "Ready0");

    server.push("orders", b"x", &[]);
    browser.click(".title button", "Drop…");
    browser.write("dialog #typed", "orders");
    browser.click("dialog button:enabled", "Drop");
    browser.see("#toasts", "orders is dropped.");
    browser.see("h1", "Queues");
    assert_eq!(state(&console)["exists"], false);
}

#[test]
fn dead_letters_are_redriven_and_deleted_by_clicks() {
    let server = Server::start(&[]);
    for error in ["no stock", "no stock", "no stock", "no address", "no address"] {
        server.push("orders", b"x", &[]);
        server.kill("orders", error);
    }
    // The queue itself has no message left, and is not listed.
    let console = Console::start(&[server.url()], &["--allow-writes"]);
    let browser = Browser::open(&console, "");
    browser.click(".queues th a", "{orders}:dead");
    browser.click("p a", "orders");
    let expect = |ready: u64, dead: u64| {
        eventually(&format!("{ready} ready, {dead} dead"), || {
            let state = state(&console);
            (&state["ready"], &state["dead_letters"]) == (&json!(ready), &json!(dead))
        });
    };
    browser.see("tr", "no stock3");
    // One, by its own page.
    browser.click("td a.id", "");
    browser.see(".history li", "died in orders: rejected");
    browser.click("button", "Redrive…");
    browser.click("dialog button", "Redrive");
    browser.see("#toasts", "Redrove 1 message.");
    expect(1, 4);
    // All of a reason.
    browser.see("tr", "no stock2");
    browser.script("document.querySelectorAll('.tab tbody tr').forEach((row) => { if (row.textContent.includes('no address')) row.querySelector('button')?.click() })");
    browser.see("dialog h2", "all dead letters of orders with the reason or error “no address”");
    browser.click("dialog button", "Redrive");
    browser.see("#toasts", "Redrove 2 messages.");
    browser.see_no("td", "no address");
    expect(3, 2);
    // One that is selected is deleted.
    browser.click("td input[type=checkbox]", "");
    browser.see(".selected", "1 message selected");
    browser.click(".selected button", "Delete selected");
    browser.click("dialog button", "Delete");
    browser.see("#toasts", "Deleted 1 message.");
    expect(3, 1);
    // The rest.
    browser.see("p", "1 dead letter in");
    browser.click("button", "Redrive all…");
    browser.click("dialog button", "Redrive");
    browser.see("p", "No dead letter is in");
    expect(4, 0);
}

#[test]
fn messages_are_made_ready_rescheduled_and_deleted_by_clicks() {
    let server = Server::start(&[]);
    for _ in 0..2 {
        server.push("orders", b"later", &["DELAY", "600000"]);
    }
    let console = console(&server, &["--allow-writes"]);
    let browser = Browser::open(&console, "queue?name=orders&tab=messages&state=delayed");
    browser.see("td", "in 9 min");
    browser.click("td input[type=checkbox]", "");
    browser.click(".selected button", "Retry now");
    browser.click("dialog button", "Retry now");
    browser.see("#toasts", "1 message is ready.");
    browser.click("td a.id", "");
    browser.click("button", "Reschedule…");
    let later = "const input = document.querySelector('#due'); input.value = '2040-01-01T12:00:00'";
    browser.see("#due", "");
    browser.script(later);
    browser.click("dialog button", "Reschedule");
    browser.see(".history li", "2040-01-01 12:00:00");
    browser.click("button", "Delete…");
    browser.click("dialog button", "Delete");
    browser.see("h1", "orders");
    eventually("one is left", || {
        let state = state(&console);
        (&state["ready"], &state["delayed"]) == (&json!(1), &json!(0))
    });
}

#[test]
fn a_refusal_is_shown_and_settings_are_changed_by_clicks() {
    let server = Server::start(&[]);
    server.push("orders", b"x", &[]);
    let console = console(&server, &["--allow-writes"]);
    let browser = Browser::open(&console, "queue?name=orders&tab=settings");
    let settings = || console.json("/api/queue?name=orders")["settings"].clone();
    eventually("they are shown", || {
        browser.script("return document.querySelector('#setting-visibility').value") == "30000"
    });
    browser.clear("#setting-visibility");
    browser.write("#setting-visibility", "0");
    browser.click("button:enabled", "Save changes…");
    browser.see("dialog li", "VISIBILITY 30000 → 0");
    browser.click("dialog button", "Change");
    browser.see("dialog [role=alert]", "VISIBILITY must be an integer");
    browser.click("dialog button", "Cancel");
    assert_eq!(settings()["visibility"], 30000);
    browser.clear("#setting-visibility");
    browser.write("#setting-visibility", "60000");
    browser.see(".hint", "= 1 min");
    browser.write("#setting-maxlen", "5");
    browser.click("button:enabled", "Save changes…");
    browser.click("dialog button", "Change");
    browser.see("#toasts", "The settings are changed.");
    assert_eq!((&settings()["visibility"], &settings()["maxlen"]), (&json!(60000), &json!(5)));
    browser.see("button:disabled", "Save changes…");
}

#[test]
fn what_a_consumer_holds_is_given_back_by_clicks() {
    let server = Server::start(&[]);
    for _ in 0..3 {
        server.push("orders", b"x", &[]);
    }
    server.run_command("MQ.PULL orders CONSUMER worker-1 COUNT 2 VISIBILITY 600000");
    let console = console(&server, &["--allow-writes"]);
    let browser = Browser::open(&console, "queue?name=orders&tab=consumers");
    browser.see("tr", "worker-12");
    browser.click("td button", "Give back…");
    browser.click("dialog button", "Give back");
    browser.see("#toasts", "Gave back 2 messages.");
    browser.see("p", "Nobody holds a message.");
    eventually("they are ready", || state(&console)["ready"] == 3);
}

#[test]
fn schedules_are_triggered_and_removed_and_records_repaired_by_clicks() {
    let server = Server::start(&[]);
    server.push("orders", b"later", &["DELAY", "600000"]);
    let mut schedule = redis::cmd("MQ.SCHEDULE");
    schedule.arg(&["orders", "daily", "x", "CRON", "30 6 1 1 *"]);
    schedule.exec(&mut server.connection()).unwrap();
    let console = console(&server, &["--allow-writes"]);
    let browser = Browser::open(&console, "queue?name=orders&tab=schedules");
    browser.see("td", "30 6 1 1 *");
    assert_eq!(browser.count(".moments li"), 5);
    browser.click("td button", "Trigger…");
    browser.click("dialog button", "Trigger");
    browser.see("#toasts", "A message was pushed.");
    eventually("it is ready", || state(&console)["ready"] == 1);
    browser.click("td button", "Unschedule…");
    browser.click("dialog button", "Unschedule");
    browser.see("p", "The queue has no schedules.");

    browser.go("queue?name=orders");
    browser.click("button", "Check the records");
    browser.see(".check", "All records are consistent.");
    server.run_command("DEL mq:{orders}:delayed");
    browser.click("button", "Check the records");
    browser.see("td", "body_without_place");
    browser.click("button", "Repair…");
    browser.click("dialog button", "Repair");
    browser.see("#toasts", "Repaired 1 record.");
    browser.see(".check", "All records are consistent.");
}
