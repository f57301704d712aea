//! Threads of the server that read, parse and write for the main thread: nothing of the module may run
//! there.

use crate::harness::*;
use std::{
    thread,
    time::{Duration, Instant},
};

const CLIENTS: usize = 10;
const DURATION: Duration = Duration::from_secs(2);

#[test]
fn all_commands_at_once_with_io_threads() {
    let mut settings = facts().io_threads("4");
    settings.extend([("appendonly", "yes".into()), ("appendfsync", "no".into())]);
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut server = Server::start_with(&settings);
    let end = Instant::now() + DURATION;
    let kept: usize = thread::scope(|scope| {
        let clients: Vec<_> =
            (0..CLIENTS).map(|_| scope.spawn(|| work_until(end, server.client()))).collect();
        clients.into_iter().map(|client| client.join().expect("a client")).sum()
    });
    assert!(kept > CLIENTS, "{kept} rounds");
    let mut client = server.client();
    let called = client.text("INFO commandstats").to_lowercase();
    let called: Vec<&str> = called.lines().filter(|line| line.starts_with("cmdstat_mq.")).collect();
    assert_eq!(called.len(), 29, "{called:#?}");
    assert_eq!(client.number("MQ.LEN kept"), kept as i64);
    server.shut_down("NOSAVE");
    server.start_again();
    assert_eq!(server.client().number("MQ.LEN kept"), kept as i64);
}

/// Sends all commands in one packet, again and again, and how many rounds there were: so many messages
/// are in the queue `kept`.
fn work_until(end: Instant, mut client: Client) -> usize {
    let mut commands = EveryCommand::new("{load}");
    let mut rounds = 0;
    while Instant::now() < end {
        let mut lines = commands.lines();
        lines.push("MQ.PUSH kept x".into());
        let replies = client.pipeline(&lines);
        for (line, reply) in lines.iter().zip(&replies) {
            match reply {
                Ok(reply) => commands.learn(line, reply),
                Err(error) => assert!(is_expected(line, error), "{line}: {error}"),
            }
        }
        rounds += 1;
    }
    rounds
}

fn is_expected(line: &str, error: &str) -> bool {
    let code = error.split(' ').next().unwrap_or_default();
    match line.split(' ').next() {
        Some("MQ.PUSH" | "MQ.MPUSH" | "MQ.TRIGGER") => ["QUEUEFULL", "NOTFOUND"].contains(&code),
        Some("MQ.NACK") => {
            ["NOTFOUND", "BADRECEIPT"].contains(&code) || error.contains("dead letter")
        }
        Some("MQ.REDRIVE") => error.contains("dead letters are in"),
        Some("MQ.APPLY") => error.contains("op"),
        _ => ["NOTFOUND", "BADRECEIPT"].contains(&code),
    }
}
