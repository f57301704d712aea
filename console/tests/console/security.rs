//! Who is let in, what is refused, and that no password and no hostile payload gets where it must not.

use crate::world::{Console, Server, TOKEN, eventually};
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

#[test]
fn everything_but_its_health_needs_the_password_or_the_token() {
    let server = Server::start(&[]);
    let mut console = Console::start(&[server.url()], &[]);
    console.headers.clear();
    for path in ["/", "/page/main.js", "/metrics", "/api/queues", "/api/events", "/none"] {
        let refusal = console.get(path);
        assert_eq!(refusal.status, 401, "{path}");
        assert!(refusal.head.contains("www-authenticate: basic"), "{}", refusal.head);
    }
    assert_eq!(console.get("/healthz").status, 200);
    for (authorization, status) in [
        (format!("Bearer {TOKEN}"), 200),
        (format!("bearer {TOKEN}"), 200),
        ("Bearer the-password".to_owned(), 401),
        (format!("Bearer {TOKEN}x"), 401),
        (basic("me", "the-password"), 200),
        (basic("me", TOKEN), 401),
        (basic("me", ""), 401),
        ("Basic !".to_owned(), 401),
        ("Digest x".to_owned(), 401),
    ] {
        let reply = console.request("GET", "/metrics", &[("Authorization", &authorization)], "");
        assert_eq!(reply.status, status, "{authorization}");
    }
}

#[test]
fn a_password_is_generated_and_printed_once() {
    let server = Server::start(&[]);
    let mut console = Console::with(&[server.url()], &[], &[]);
    let password = console.printed[1].split("password: ").nth(1).unwrap().to_owned();
    assert!(password.len() >= 20);
    assert_eq!(console.get("/").status, 401);
    console.headers.push(("Authorization".to_owned(), basic("me", &password)));
    assert_eq!(console.get("/").status, 200);
    assert!(!console.logged().contains(&password));
    let other = Console::with(&[server.url()], &[], &[]);
    assert_ne!(console.printed[1], other.printed[1]);
}

#[test]
fn without_passwords_names_of_other_sites_are_refused() {
    let server = Server::start(&[]);
    let console = Console::with(&[server.url()], &["--no-auth"], &[]);
    assert_eq!(console.get("/").status, 200);
    let rebound = [("Host", "attacker.example.com")];
    assert_eq!(console.request("GET", "/api/queues", &rebound, "").status, 403);
}

#[test]
fn every_reply_forbids_foreign_scripts_and_frames() {
    let server = Server::start(&[]);
    let console = Console::start(&[server.url()], &[]);
    for path in ["/", "/page/main.js", "/api/queues", "/metrics", "/none"] {
        let head = console.get(path).head;
        for line in [
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "cache-control: no-store",
        ] {
            assert!(head.contains(line), "{path} has no {line}: {head}");
        }
        assert!(!head.contains("unsafe"), "{head}");
    }
    assert_eq!(console.get("/page/none.js").status, 404);
    let page = console.get("/").body;
    assert!(!page.contains("<script>") && !page.contains("onclick") && !page.contains("style="));
}

#[test]
fn what_changes_queues_comes_from_the_consoles_pages_only() {
    let server = Server::start(&[]);
    server.push("orders", b"one", &[]);
    let console = Console::start(&[server.url()], &["--allow-writes"]);
    eventually("the queue is shown", || console.row("orders") != Value::Null);
    let order = json!({ "name": "orders", "action": "pause" }).to_string();
    let kind = ("Content-Type", "application/json");
    for (status, headers) in [
        (403, vec![kind, ("Origin", "http://attacker.example.com")]),
        (403, vec![kind, ("Origin", "null")]),
        (403, vec![kind, ("Sec-Fetch-Site", "cross-site")]),
        (415, vec![("Content-Type", "text/plain")]),
        (200, vec![kind, ("Sec-Fetch-Site", "same-origin")]),
    ] {
        let reply = console.request("POST", "/api/act", &headers, &order);
        assert_eq!(reply.status, status, "{headers:?}: {}", reply.body);
    }
    assert_eq!(console.request("GET", "/api/act", &[], "").status, 405);
}

#[test]
fn a_hostile_payload_is_data_and_never_a_page() {
    let server = Server::start(&[]);
    let script = b"<script>alert(1)</script>";
    let id = server.push("orders", script, &["HEADERS", "1", "<b>", "<i>"]);
    let name = "<img src=x>";
    server.push(name, b"x", &[]);
    let console = Console::start(&[server.url()], &[]);
    eventually("the queue is shown", || console.row(name) != Value::Null);
    let of = format!("name=orders&id={id}");
    let text = console.get(&format!("/api/payload?{of}&view=text"));
    assert!(text.head.contains("content-type: application/json"), "{}", text.head);
    let raw = console.get(&format!("/api/payload?{of}&view=raw"));
    assert!(raw.head.contains("content-type: application/octet-stream"), "{}", raw.head);
    assert!(raw.head.contains("content-disposition: attachment"), "{}", raw.head);
    assert_eq!(raw.body.as_bytes(), script);
    let list = console.get("/api/messages?name=orders");
    assert!(!list.body.contains("alert"), "a list shows no payload: {}", list.body);
    for file in std::fs::read_dir("src/web/assets").unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!text.contains(way), "the page makes elements of text by {way}");
        }
    }
}

#[test]
fn a_payload_of_ten_megabytes_is_cut_and_can_be_downloaded() {
    let server = Server::start(&[]);
    let id = server.push("orders", &vec![b'x'; 10 * 1024 * 1024], &[]);
    let console = Console::start(&[server.url()], &[]);
    eventually("the queue is shown", || console.row("orders") != Value::Null);
    let message = console.json(&format!("/api/message?name=orders&id={id}"));
    assert_eq!(message["payload_bytes"], 10 * 1024 * 1024);
    let shown = console.json(&format!("/api/payload?name=orders&id={id}&view=text"));
    assert_eq!(shown["cut"], true);
    assert_eq!(shown["text"].as_str().unwrap().len(), 64 * 1024);
    let raw = console.get(&format!("/api/payload?name=orders&id={id}&view=raw"));
    assert_eq!(raw.body.len(), 10 * 1024 * 1024);
}

#[test]
fn passwords_of_servers_are_used_and_never_shown() {
    let server = Server::start(&[]);
    server.run_command("ACL SETUSER watcher on >s3cret ~* +info +mq.stats +mq.info");
    server.push("orders", b"one", &[]);
    server.run_command("ACL SETUSER default -@all +acl +mq.push");
    let url = format!("redis://watcher@{}", server.address());
    let environment = [
        ("REDIS_MQ_PASSWORD", "s3cret"),
        ("REDIS_MQ_PAGE_PASSWORD", "the-password"),
        ("RUST_LOG", "trace"),
    ];
    let mut console = Console::with(std::slice::from_ref(&url), &[], &environment);
    console.headers.push(("Authorization".to_owned(), "Bearer the-password".to_owned()));
    eventually("the queue is shown", || console.row("orders") != Value::Null);
    let page = console.get("/api/queues").body + &console.get("/metrics").body;
    assert!(!page.contains("s3cret") && !console.logged().contains("s3cret"));

    let wrong = [("REDIS_MQ_PASSWORD", "wr0ng"), ("REDIS_MQ_PAGE_PASSWORD", "the-password")];
    let mut console = Console::with(&[url], &[], &wrong);
    console.headers.push(("Authorization".to_owned(), "Bearer the-password".to_owned()));
    let line = console.wait_for_log("the server does not answer");
    let page = console.get("/api/queues").body;
    assert!(!line.contains("wr0ng") && !page.contains("wr0ng"), "{line} {page}");
}

#[test]
fn behind_a_proxy_everything_is_under_the_base_path() {
    let server = Server::start(&[]);
    let console = Console::start(&[server.url()], &["--base-path", "/tools/queues/"]);
    for path in ["/", "/page/main.js", "/page/base.css", "/api/queues", "/metrics", "/healthz"] {
        assert_eq!(console.get(path).status, 200, "{path}");
    }
    let redirect = console.get("");
    assert_eq!(redirect.status, 308);
    assert!(redirect.head.contains("location: /tools/queues/\r\n"), "{}", redirect.head);
    assert!(!console.get("/").body.contains("=\"/"), "the page's addresses are relative");
}
