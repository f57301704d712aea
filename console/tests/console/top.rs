//! `redis-mq top` in a terminal, with real servers.

use crate::terminal::{DOWN, ESCAPE, Terminal};
use crate::world::{Server, eventually};
use redis::Value;
use std::collections::HashMap;
use std::process::Command;

fn top(url: &str, options: &[&str]) -> Terminal {
    sized(url, options, 140, 40)
}

fn sized(url: &str, options: &[&str], columns: u16, rows: u16) -> Terminal {
    let arguments = [&["top", "--url", url], options].concat();
    Terminal::run(env!("CARGO_BIN_EXE_redis-mq"), &arguments, columns, rows)
}

/// The numbers of a line.
fn numbers(line: &str) -> Vec<u64> {
    line.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

fn fill(server: &Server, queue: &str, messages: usize) {
    for _ in 0..messages {
        server.push(queue, b"x", &[]);
    }
}

/// Whether the server says that `orders` is paused.
fn paused(server: &Server) -> bool {
    let info: HashMap<String, Value> =
        redis::from_redis_value(server.run_command("MQ.INFO orders")).unwrap();
    info["paused"] == Value::Int(1)
}

/// The names of queues from top to bottom.
fn order(screen: &str, names: &[&str]) -> Vec<String> {
    let names_of = |line: &str| names.iter().find(|name| line.starts_with(**name)).copied();
    screen.lines().filter_map(names_of).map(str::to_owned).collect()
}

#[test]
fn rows_appear_and_move() {
    let server = Server::start(&[]);
    fill(&server, "orders", 3);
    server.run_command("MQ.PULL orders");
    let terminal = top(&server.url(), &[]);
    terminal.wait_for_text("orders");
    assert_eq!(numbers(&terminal.line("orders"))[..2], [2, 1], "{}", terminal.screen());
    assert!(terminal.screen().contains("servers: 1  queues: 1"));
    fill(&server, "orders", 5);
    terminal.wait_for("five more", |screen| {
        let line = screen.lines().find(|line| line.starts_with("orders")).unwrap_or_default();
        numbers(line).first() == Some(&7) && line.contains('█')
    });
    fill(&server, "mails", 1);
    terminal.wait_for_text("mails");
}

#[test]
fn queues_are_sorted_and_filtered() {
    let server = Server::start(&[]);
    let names = ["aa", "bb", "cc"];
    fill(&server, "aa", 2);
    fill(&server, "bb", 3);
    server.push("bb", b"later", &["DELAY", "60000"]);
    fill(&server, "cc", 1);
    server.push("cc", b"later", &["DELAY", "60000"]);
    server.push("cc", b"later", &["DELAY", "60000"]);
    let mut terminal = top(&server.url(), &[]);
    terminal.wait_for("three queues", |screen| order(screen, &names).len() == 3);
    for (key, expected) in [
        ("1", ["aa", "bb", "cc"]),
        ("r", ["cc", "bb", "aa"]),
        ("r", ["aa", "bb", "cc"]),
        ("s", ["bb", "aa", "cc"]), // after the name: ready
        ("4", ["cc", "bb", "aa"]), // delayed
        ("S", ["aa", "bb", "cc"]), // in flight: all the same, so by name
    ] {
        terminal.press(key);
        terminal.wait_for(key, |screen| order(screen, &names) == expected);
    }
    terminal.press("/b");
    terminal.wait_for("bb alone", |screen| order(screen, &names) == ["bb"]);
    terminal.press("\r");
    terminal.wait_for_text("filter: b ");
    terminal.press(ESCAPE);
    terminal.wait_for("all", |screen| order(screen, &names).len() == 3);
}

#[test]
fn the_page_of_a_queue_says_why_nothing_is_delivered_and_what_died() {
    let server = Server::start(&[]);
    fill(&server, "aaa", 1);
    fill(&server, "orders", 4);
    for error in ["no stock", "no stock", "no address"] {
        server.kill("orders", error);
    }
    server.run_command("MQ.PAUSE orders");
    server.run_command("MQ.CONFIG orders MAXRETRIES 7");
    let mut terminal = top(&server.url(), &[]);
    terminal.press("1");
    terminal.wait_for("both", |screen| order(screen, &["aaa", "orders"]) == ["aaa", "orders"]);
    assert!(terminal.line("orders").contains("paused"), "{}", terminal.screen());
    terminal.press(&format!("{DOWN}\r"));
    terminal.wait_for_text("The queue is paused until somebody resumes it.");
    terminal.wait_for_text("3 in {orders}:dead");
    let screen = terminal.screen();
    for text in [
        "from push to delivery: half within ",
        "2  rejected in orders: no stock",
        "1  rejected in orders: no address",
    ] {
        assert!(screen.contains(text), "{text} is not in\n{screen}");
    }
    assert!(numbers(&terminal.line("dead letters ")).contains(&3), "{screen}");
    terminal.press("\x1b[F"); // End
    terminal.wait_for_text("maxretries               7");
    terminal.press(ESCAPE);
    terminal.wait_for("the list", |screen| order(screen, &["aaa", "orders"]).len() == 2);
}

#[test]
fn a_queue_is_paused_and_resumed_by_keys() {
    let server = Server::start(&[]);
    fill(&server, "orders", 1);
    let mut terminal = top(&server.url(), &["--allow-writes"]);
    terminal.wait_for_text("orders");
    terminal.press("p");
    terminal.wait_for_text("Pause orders on");
    terminal.press("n");
    terminal.wait_for_text("Nothing was changed.");
    assert!(!paused(&server));
    terminal.press("p");
    terminal.wait_for_text("Pause orders on");
    terminal.press("y");
    terminal.wait_for_text("orders is paused.");
    assert!(paused(&server));
    terminal.press("\r");
    terminal.wait_for_text("The queue is paused until somebody resumes it.");
    terminal.press("p");
    terminal.wait_for_text("Resume orders on");
    terminal.press("y");
    terminal.wait_for_text("orders is resumed.");
    assert!(!paused(&server));
}

#[test]
fn without_allow_writes_nothing_is_paused() {
    let server = Server::start(&[]);
    fill(&server, "orders", 1);
    let mut terminal = top(&server.url(), &[]);
    terminal.wait_for_text("orders");
    terminal.press("p");
    terminal.wait_for_text("start it with --allow-writes");
    terminal.press("y");
    terminal.wait_for_text("q quit");
    assert!(!paused(&server));
}

#[test]
fn a_narrow_terminal_and_one_that_changes_show_what_fits() {
    let server = Server::start(&[]);
    fill(&server, "orders", 2);
    let mut terminal = sized(&server.url(), &[], 30, 8);
    terminal.wait_for_text("orders");
    assert_eq!(numbers(&terminal.line("orders")), [2], "{}", terminal.screen());
    terminal.resize(140, 30);
    terminal.wait_for_text("Waiting");
    terminal.resize(1, 1);
    terminal.resize(60, 10);
    terminal.wait_for("fewer columns", |screen| {
        screen.contains("Oldest") && !screen.contains("Waiting")
    });
}

#[test]
fn servers_that_are_down_are_told_and_no_password_is_shown() {
    let mut server = Server::start(&[]);
    server.run_command("CONFIG SET requirepass the-secret");
    let url = format!("redis://:the-secret@127.0.0.1:{}", server.port);
    let other = Server::start(&[]);
    fill(&other, "mails", 1);
    let terminal = top(&url, &["--url", &other.url()]);
    terminal.wait_for_text("servers: 2  queues: 1");
    server.stop();
    terminal.wait_for_text("servers: 2, 1 down");
    terminal.wait_for_text(&format!("{} is down: ", server.address()));
    assert!(terminal.screen().contains("mails"));
    assert!(!terminal.screen().contains("the-secret"), "{}", terminal.screen());
    let wrong = format!("redis://:the-wrong-secret@127.0.0.1:{}", other.port);
    let refused = top(&wrong, &[]);
    refused.wait_for_text("is down: ");
    assert!(!refused.screen().contains("wrong-secret"), "{}", refused.screen());
}

#[test]
fn names_and_errors_of_others_do_not_control_the_terminal() {
    let server = Server::start(&[]);
    server.push("bad\x1b[2J\x07\r\nname", b"x", &[]);
    fill(&server, "good", 1);
    let mut terminal = top(&server.url(), &[]);
    terminal.press("1");
    terminal.wait_for("both", |screen| order(screen, &["bad·[2J···name", "good"]).len() == 2);
    assert!(terminal.screen().starts_with("redis-mq"), "{}", terminal.screen());
}

#[test]
fn a_key_and_a_signal_end_it_and_give_the_terminal_back() {
    let server = Server::start(&[]);
    for end in ["q", "\x03", "TERM", "HUP"] {
        let mut terminal = top(&server.url(), &[]);
        terminal.wait_for_text("servers: 1");
        match end {
            "TERM" | "HUP" => {
                let process = terminal.process().to_string();
                let sent = Command::new("kill").args(["-s", end, &process]).status();
                assert!(sent.unwrap().success());
            }
            key => terminal.press(key),
        }
        assert!(terminal.ended().success(), "{end}");
        terminal.assert_restored();
    }
}

#[test]
fn it_wants_a_terminal() {
    let output = Command::new(env!("CARGO_BIN_EXE_redis-mq")).arg("top").output().unwrap();
    assert!(!output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("top needs a terminal"), "{told}");
}

#[test]
fn with_a_file_for_its_log_an_action_leaves_a_line() {
    let server = Server::start(&[]);
    fill(&server, "orders", 1);
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let program = env!("CARGO_BIN_EXE_redis-mq");
    let command =
        format!("{program} top --url {} --allow-writes 2> {}", server.url(), log.display());
    let mut terminal = Terminal::run("sh", &["-c", &command], 100, 20);
    terminal.wait_for_text("orders");
    terminal.press("p");
    terminal.wait_for_text("Pause orders on");
    terminal.press("y");
    eventually("the line", || {
        let text = std::fs::read_to_string(&log).unwrap();
        text.lines().any(|line| ["done", "orders", "Pause"].iter().all(|part| line.contains(part)))
    });
}
