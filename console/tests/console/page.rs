//! The page in a browser: what it shows, that it moves by itself, and that nothing hostile becomes part of it.

use crate::browser::{Browser, ENTER, TAB};
use crate::world::{Console, Server, eventually, work};
use serde_json::{Value, json};

fn console(server: &Server, options: &[&str]) -> Console {
    let console = Console::start(&[server.url()], options);
    eventually("the queue is shown", || console.row("orders") != Value::Null);
    console
}

/// What a cell of the overview says of a queue.
fn cell(browser: &Browser, queue: &str, label: &str) -> String {
    let script = format!(
        "const row = [...document.querySelectorAll('.queues tbody tr')].find((one) => one.querySelector('a')?.textContent === {});
         return row?.querySelector('[data-label=\"{label}\"]')?.textContent || ''",
        json!(queue)
    );
    browser.script(&script).as_str().unwrap().to_owned()
}

#[test]
fn the_overview_follows_the_load_by_itself() {
    let server = Server::start(&[]);
    server.push("orders", b"first", &[]);
    let console = console(&server, &[]);
    let browser = Browser::open(&console, "");
    eventually("the queue is shown", || cell(&browser, "orders", "Ready") == "1");
    browser.script("window.notReloaded = true");
    let mut pushed = 1;
    eventually("a rate and a line are shown", || {
        server.push("orders", b"more", &[]);
        pushed += 1;
        let rate = cell(&browser, "orders", "In /s");
        let line =
            browser.script("return document.querySelector('.spark.in .line').getAttribute('d')");
        !["", "0"].contains(&rate.as_str()) && line.as_str() > Some("")
    });
    eventually("all are counted", || cell(&browser, "orders", "Ready") == pushed.to_string());
    server.push("mails", b"new", &[]);
    browser.see(".queues th a", "mails");
    server.run_command("MQ.PAUSE mails");
    browser.see(".queues .badge", "paused");
    assert_eq!(browser.script("return window.notReloaded"), true);
}

#[test]
fn queues_are_searched_and_sorted() {
    let server = Server::start(&[]);
    for (queue, messages) in [("mails", 3), ("orders", 1), ("reports", 2)] {
        for _ in 0..messages {
            server.push(queue, b"x", &[]);
        }
    }
    let console = console(&server, &[]);
    let browser = Browser::open(&console, "");
    let names = || {
        browser.script("return [...document.querySelectorAll('.queues tbody th')].map((one) => one.textContent)")
    };
    let expect = |wanted: Value| eventually(&wanted.to_string(), || names() == wanted);
    browser.click("thead button", "Ready");
    expect(json!(["mails", "reports", "orders"]));
    browser.see("th[aria-sort=descending]", "Ready");
    browser.click("thead button", "Ready");
    expect(json!(["orders", "reports", "mails"]));
    browser.see("th[aria-sort=ascending]", "Ready");
    browser.click("thead button", "Queue");
    expect(json!(["mails", "orders", "reports"]));
    browser.write("#search", "*o*s");
    expect(json!(["orders", "reports"]));
    browser.click(".queues th a", "reports");
    browser.see("h1", "reports");
    browser.back();
    expect(json!(["orders", "reports"]));
    browser.clear("#search");
    browser.write("#search", "nothing");
    browser.see("tbody td", "No queue matches.");
}

#[test]
fn a_server_that_is_down_is_said_loudly() {
    let mut server = Server::start(&[]);
    server.push("orders", b"first", &[]);
    let console = console(&server, &[]);
    let browser = Browser::open(&console, "");
    browser.see(".queues th a", "orders");
    browser.see_no("[role=alert] .alarm", "");
    server.stop();
    browser.see("[role=alert] .alarm", &server.address());
    browser.see("tbody td", "No queue is known.");
    server.restart();
    server.push("orders", b"first", &[]);
    browser.see_no("[role=alert] .alarm", "");
    console.freeze();
    browser.see(".fresh.bad", "no sample for");
    drop(console);
    browser.see("[role=alert] .alarm", "The console does not answer");
}

#[test]
fn servers_are_shown_in_words() {
    let server = Server::start(&[]);
    let replica = Server::replica(&server);
    server.push("orders", b"first", &[]);
    let console = console(&server, &[]);
    eventually("the replica is known", || {
        console.json("/api/replicas")["replicas"][0]["version"].is_string()
    });
    let browser = Browser::open(&console, "servers");
    browser.see("h3", &format!("{} fine", server.address()));
    browser.see(".checks .ok", "All ops were applied.");
    browser.see("td", &replica.address());
    browser.see("td", "Yes.");
    server.run_command("CONFIG SET maxmemory 100mb");
    server.run_command("CONFIG SET maxmemory-policy allkeys-lru");
    browser.see(".checks .wrong", "The policy allkeys-lru lets the server delete queues");
    browser.see("h3", "needs attention");
    browser.go("");
    browser.see(".notes li", "allkeys-lru");
}

#[test]
fn the_charts_of_a_queue_move() {
    let server = Server::start(&[]);
    server.push("orders", b"first", &[]);
    let console = console(&server, &[]);
    let browser = Browser::open(&console, "queue?name=orders");
    let line = || {
        browser
            .script("return document.querySelector('.chart path.line.s0')?.getAttribute('d') || ''")
    };
    eventually("a line is drawn", || line() != "");
    let before = line();
    let mut pushed = 1;
    eventually("it moves", || {
        server.push("orders", b"more", &[]);
        pushed += 1;
        line() != before
    });
    let shown = format!("ready {pushed}");
    browser.see(".chart li", &shown);
    browser.see(".figures div", &pushed.to_string());
    browser.see("svg[role=img]", "");
    let label = "return document.querySelector('.plot').getAttribute('aria-label')";
    let label = browser.script(label);
    assert!(label.as_str().unwrap().contains(&shown), "{label}");
    browser.click("button", "24 hours");
    browser.see("button[aria-pressed=true]", "24 hours");
    eventually("a line is drawn", || line() != "" && line() != before);
}

#[test]
fn how_long_messages_took_is_shown_as_soon_as_there_are_some() {
    let server = Server::start(&[]);
    server.push("orders", b"first", &[]);
    let console = console(&server, &[]);
    let browser = Browser::open(&console, "queue?name=orders");
    browser.see(".chart li", "ready 1");
    let shown = ".chart:not([hidden]) figcaption";
    browser.see_no(shown, "From push");
    browser.see_no(".figures div", "95 %");
    eventually("they are shown", || {
        server.push("orders", b"more", &[]);
        work(&mut server.connection(), "orders");
        browser.count(shown) == 5
    });
    for (title, figure) in [
        ("From push to delivery", "95 % delivered within"),
        ("From delivery to acknowledgment", "95 % processed within"),
    ] {
        browser.see(shown, title);
        browser.see(".figures div", figure);
        let label =
            format!("return document.querySelector('.plot[aria-label^=\"{title}\"]').ariaLabel");
        eventually("the last point is told", || {
            server.push("orders", b"more", &[]);
            work(&mut server.connection(), "orders");
            browser.script(&label).as_str().unwrap().ends_with(" ms")
        });
    }
    browser.click("button", "24 hours");
    browser.see(shown, "From push to delivery");
}

#[test]
fn why_names_each_cause_in_turn() {
    let server = Server::start(&[]);
    server.push("orders", b"later", &["DELAY", "600000"]);
    let console = console(&server, &[]);
    let browser = Browser::open(&console, "queue?name=orders");
    let expect = |causes: Value| {
        eventually(&causes.to_string(), || {
            browser.script(
                "return [...document.querySelectorAll('.why li')].map((one) => one.dataset.kind)",
            ) == causes
        });
    };
    expect(json!(["nothing-ready"]));
    browser.see(".why li", "1 message is delayed");
    server.push("orders", b"one", &[]);
    server.push("orders", b"two", &[]);
    expect(json!(["no-consumer"]));
    browser.see(".why li", "no consumer waits");
    server.run_command("MQ.PAUSE orders FOR 600000");
    expect(json!(["paused"]));
    browser.see(".title .badge", "paused");
    server.run_command("MQ.RESUME orders");
    server.run_command("MQ.CONFIG orders MAXINFLIGHT 1 RATE 1 RATEPERIOD 600000");
    server.run_command("MQ.PULL orders VISIBILITY 600000");
    expect(json!(["max-inflight", "rate"]));
    server.run_command("MQ.CONFIG orders MAXINFLIGHT 0");
    expect(json!(["rate"]));
    server.run_command("MQ.CONFIG orders RATE 0");
    expect(json!(["no-consumer"]));
    server.run_command("MQ.DROP orders");
    server.push("orders", b"x", &["GROUP", "acme"]);
    server.push("orders", b"y", &["GROUP", "acme"]);
    server.run_command("MQ.PULL orders VISIBILITY 600000");
    let mut connection = server.connection();
    let waiter = std::thread::spawn(move || {
        redis::cmd("MQ.PULL").arg("orders").arg("BLOCK").arg(0).exec(&mut connection)
    });
    expect(json!(["groups-busy"]));
    server.run_command("MQ.DROP orders");
    server.run_command("SET mq:{orders}:ready x");
    expect(json!(["unreadable"]));
    browser.see(".why li", "MQ.CHECK names it");
    drop(server); // which ends the wait
    assert!(waiter.join().unwrap().is_err());
}

#[test]
fn nothing_hostile_becomes_part_of_the_page() {
    let server = Server::start(&[]);
    let script = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>";
    let queue = "<img src=x onerror='window.hacked=1'>";
    server.push("orders", script.as_bytes(), &["HEADERS", "1", script, script, "GROUP", script]);
    server.push(queue, b"x", &[]);
    server.push(queue, b"x", &[]);
    server.kill(queue, script);
    let mut pull = redis::cmd("MQ.PULL");
    pull.arg(queue).arg("CONSUMER").arg(script).exec(&mut server.connection()).unwrap();
    let mut schedule = redis::cmd("MQ.SCHEDULE");
    schedule.arg(queue).arg(script).arg(script).arg("EVERY").arg(3_600_000);
    schedule.exec(&mut server.connection()).unwrap();
    let console = console(&server, &[]);
    let browser = Browser::open(&console, "");
    browser.see(".queues th a", queue);
    browser.click(".queues th a", queue);
    browser.see("h1", queue);
    for (tab, text) in [
        ("Dead letters", script),
        ("Consumers", script),
        ("Schedules", script),
        ("Settings", "Visibility"),
    ] {
        browser.click(".tabs a", tab);
        browser.see(".tab tr", text);
    }
    browser.go("queue?name=orders&tab=messages");
    browser.see("td small", script);
    browser.click("td a.id", "");
    browser.see("td", script);
    browser.see_no("pre.payload", "");
    browser.click("button", "Show, it looks like Text");
    browser.see("pre.payload", script);
    browser.click("button", "Hex");
    browser.see("pre.payload", "3c 73 63 72 69 70 74");
    browser.click("button", "JSON");
    browser.see("[role=alert]", "no JSON");
    assert_eq!(browser.script("return window.hacked"), Value::Null);
    assert_eq!((browser.count("img"), browser.count("body script")), (0, 0));
}

#[test]
fn a_payload_of_ten_megabytes_is_cut_and_can_be_downloaded() {
    let server = Server::start(&[]);
    let id = server.push("orders", &vec![b'x'; 10 * 1024 * 1024], &[]);
    let console = console(&server, &[]);
    let browser = Browser::open(&console, &format!("message?name=orders&id={id}"));
    browser.click("button", "Show, it looks like Text");
    browser.see(".note", "the payload has 10 MB");
    let shown = browser.script("return document.querySelector('pre.payload').textContent.length");
    assert_eq!(shown, 64 * 1024);
    browser.see("a[download]", "Download 10 MB");
    browser.script(
        "fetch(document.querySelector('a[download]').href).then((reply) => reply.blob()).then((file) => { window.bytes = file.size })",
    );
    eventually("all of it is there", || browser.script("return window.bytes") == 10 * 1024 * 1024);
}

#[test]
fn of_ten_thousand_queues_fifty_are_shown_and_each_is_found() {
    let server = Server::start(&[]);
    let mut connection = server.connection();
    for thousand in 0..10 {
        let mut pushes = redis::pipe();
        for number in 0..1000 {
            pushes.cmd("MQ.PUSH").arg(format!("queue-{thousand}{number:03}")).arg("x").ignore();
        }
        pushes.exec(&mut connection).unwrap();
    }
    server.push("orders", b"x", &[]);
    let console = Console::start(&[server.url()], &[]);
    let browser = Browser::open(&console, "");
    browser.see(".notes li", "9,001 more queues are only counted");
    browser.see(".pages", "1–50 of 1,000 queues");
    assert_eq!(browser.count(".queues tbody tr"), 50);
    browser.click(".pages button", "Next");
    browser.see(".pages", "51–100 of 1,000 queues");
    let unknown = console.json("/api/queues?limit=1001")["not_sampled_names"][0]["name"].clone();
    let unknown = unknown.as_str().unwrap();
    browser.write("#search", unknown);
    browser.see("tbody .unknown", "not sampled");
    browser.click("tbody .unknown a", unknown);
    browser.see("h1", unknown);
    browser.see(".figures div", "Ready1");
}

#[test]
fn queues_of_one_name_on_two_servers_are_told_apart() {
    let servers = [Server::start(&[]), Server::start(&[])];
    servers[0].push("orders", b"one", &[]);
    let second = servers[1].push("orders", b"two", &[]);
    servers[1].push("orders", b"two", &[]);
    let console = Console::start(&[servers[0].url(), servers[1].url()], &["--allow-writes"]);
    let browser = Browser::open(&console, "");
    for (server, ready) in servers.iter().zip(1..) {
        browser.see(".queues th", &format!("orders{}", server.address()));
        browser.go(&format!("queue?name=orders&source={}", server.address()));
        browser.see(".figures div", &format!("Ready{ready}"));
        browser.see(".chart li", &format!("ready {ready}"));
        browser.go("");
    }
    let second_link = format!(".queues a[href$=\"%3A{}\"]", servers[1].port);
    browser.click(&second_link, "orders");
    browser.click(".tabs a", "Messages");
    browser.click("td a.id", &second);
    browser.click("button", "Delete…");
    browser.click("dialog button", "Delete");
    browser.see("#toasts", "Deleted 1 message.");
    browser.see(".pages", "1–1 of 1");
    assert_eq!(format!("{:?}", servers[0].run_command("MQ.LEN orders")), "int(1)");
}

#[test]
fn behind_a_proxy_every_view_is_under_the_base_path() {
    let server = Server::start(&[]);
    let id = server.push("orders", b"x", &[]);
    let console = console(&server, &["--base-path", "/tools/queues"]);
    let browser = Browser::open(&console, "");
    browser.click(".queues th a", "orders");
    browser.see(".figures div", "Ready1");
    browser.click(".tabs a", "Messages");
    browser.click("td a.id", &id);
    browser.click("button", "Show");
    browser.see("pre.payload", "x");
    browser.click("nav[aria-label=Main] a", "Servers");
    browser.see(".checks li", "All ops were applied.");
    let path = browser.script("return location.pathname");
    assert_eq!(path, "/tools/queues/");
}

#[test]
fn the_keyboard_reaches_everything_and_keeps_its_place() {
    let server = Server::start(&[]);
    for queue in ["mails", "orders"] {
        server.push(queue, b"x", &[]);
    }
    let console = console(&server, &[]);
    let browser = Browser::open(&console, "");
    browser.see(".queues th a", "orders");
    browser.press(&[TAB]);
    assert_eq!(browser.focus(), "Skip to the content");
    browser.press(&[ENTER]);
    assert_eq!(browser.focus(), "content");
    browser.press(&['/']);
    assert_eq!(browser.focus(), "search");
    let mut steps = 0;
    while browser.focus() != "orders" {
        browser.press(&[TAB]);
        steps += 1;
        assert!(steps < 30, "the row is never reached");
    }
    // Samples come, and the order changes.
    for ready in 2..5 {
        server.push("orders", b"x", &[]);
        eventually("a sample", || cell(&browser, "orders", "Ready") == ready.to_string());
        assert_eq!(browser.focus(), "orders");
    }
    browser.press(&[ENTER]);
    browser.see("h1", "orders");
}

#[test]
fn a_phone_is_wide_enough_and_the_theme_is_chosen() {
    let server = Server::start(&[]);
    server.push("orders", b"x", &[]);
    server.run_command("MQ.PULL orders CONSUMER worker-1");
    server.push("orders", b"x", &[]);
    let console = console(&server, &["--allow-writes"]);
    let browser = Browser::open(&console, "");
    browser.resize(500, 900); // the narrowest window of a browser with a display
    let views = [
        ("", ".queues th a"),
        ("queue?name=orders", ".figures"),
        ("queue?name=orders&tab=messages", "td a.id"),
        ("queue?name=orders&tab=consumers", ".tab tr"),
        ("queue?name=orders&tab=settings", ".tab tr"),
        ("servers", ".checks li"),
    ];
    for (view, shown) in views {
        browser.go(view);
        browser.see(shown, "");
        let over = browser.script("return document.documentElement.scrollWidth - innerWidth");
        assert!(over.as_i64() <= Some(0), "{view} is too wide by {over}");
        let text = browser.script("return document.body.innerText").to_string();
        for slip in ["undefined", "NaN", "[object", "null"] {
            assert!(!text.contains(slip), "{view} says {slip}: {text}");
        }
    }
    let back =
        || browser.script("return getComputedStyle(document.documentElement).backgroundColor");
    browser.click("#theme", "");
    browser.see("#theme", "dark");
    let dark = back();
    browser.click("#theme", "");
    browser.see("#theme", "light");
    assert_ne!(back(), dark);
    browser.script("location.reload()");
    browser.see("#theme", "light");
}
