//! `redis-mq get`: JSON for scripts.

use crate::world::{Server, free_port};
use serde_json::Value;
use std::process::{Command, Output};

fn get(url: &str, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redis-mq"));
    command.args(["get", "--url", url]).args(words).output().unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn queues_are_printed_as_json() {
    let server = Server::start(&[]);
    server.push("orders", b"one", &[]);
    server.push("mails", b"one", &[]);
    let all = json(&get(&server.url(), &[]));
    assert_eq!((&all[0]["name"], &all[1]["name"]), (&"mails".into(), &"orders".into()));
    let one = json(&get(&server.url(), &["orders"]));
    assert_eq!(one["state"]["ready"], 1);
    assert_eq!(one["settings"]["maxretries"], 25);
    assert_eq!(one["latencies"]["delivery"]["count"], 0);
}

#[test]
fn what_is_not_there_is_a_failure() {
    let server = Server::start(&[]);
    let nowhere = format!("redis://127.0.0.1:{}", free_port());
    for (url, words, error) in
        [(server.url(), vec!["none"], "there is no queue none"), (nowhere, vec![], "127.0.0.1")]
    {
        let output = get(&url, &words);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains(error), "{told}");
    }
}
