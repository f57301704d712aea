//! While the server refuses the writes of clients (NOREPLICAS, MISCONF) nothing ends by time and no
//! waiting client is served: nobody could acknowledge.

use crate::harness::*;
use std::fs;

/// Starts a server that refuses writes after `refuse`, with two messages: one is in flight and dies
/// when its visibility ends, one is delayed, and a client waits for it.
#[track_caller]
fn nothing_ends_while(
    server: &Server,
    refuse: impl FnOnce(&mut Client),
    code: &str,
    accept: impl FnOnce(&mut Client),
) {
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 0 DEADLETTER dead");
    client.push("orders", "one");
    let held = client.pull("orders VISIBILITY 1500 ONDISCONNECT");
    client.ask("MQ.PUSH later two DELAY 1500");
    let waiting = server.waiting("MQ.PULL later BLOCK 0");
    let mut short = server.waiting("MQ.PULL later BLOCK 1000");
    refuse(&mut client);
    let error = client.refused(&format!("MQ.ACK {}", held.delivery()));
    assert!(error.starts_with(code), "{error}");
    assert!(now_ms() < held.visibility_until, "the machine is too slow for this test");
    assert_eq!(short.reply(), Ok(Value::Nil));
    sleep_until_ms(held.visibility_until + 150);
    assert_eq!(client.lengths("orders"), [0, 1, 0]);
    assert_eq!(client.lengths("later"), [0, 0, 1]);
    waiting.still_waits();

    accept(&mut client);
    assert_eq!(waiting.message().0.text(), "two");
    eventually("it dies", || client.number("MQ.LEN dead READY") == 1);
}

#[test]
fn nothing_ends_while_there_are_too_few_replicas() {
    nothing_ends_while(
        &Server::start(),
        |client| assert_eq!(client.text("CONFIG SET min-replicas-to-write 1"), "OK"),
        "NOREPLICAS ",
        |client| assert_eq!(client.text("CONFIG SET min-replicas-to-write 0"), "OK"),
    );
}

#[test]
fn nothing_ends_after_a_snapshot_that_failed() {
    let server = Server::start_with(&[("dbfilename", "snapshot.rdb")]);
    let folder = server.folder().join("snapshot.rdb");
    nothing_ends_while(
        &server,
        |client| {
            fs::create_dir(&folder).expect("a folder in the way of the snapshot");
            client.reply(&["CONFIG", "SET", "save", "86400 1000000"]).expect("OK");
            client.ask("BGSAVE");
            eventually("the snapshot fails", || {
                client.info("persistence")["rdb_last_bgsave_status"] == "err"
            });
        },
        "MISCONF ",
        |client| assert_eq!(client.text("CONFIG SET stop-writes-on-bgsave-error no"), "OK"),
    );
}

#[test]
fn a_failed_snapshot_does_not_matter_where_writes_go_on() {
    let server = Server::start_with(&[
        ("dbfilename", "snapshot.rdb"),
        ("stop-writes-on-bgsave-error", "no"),
    ]);
    let mut client = server.client();
    fs::create_dir(server.folder().join("snapshot.rdb")).expect("a folder in the way");
    client.reply(&["CONFIG", "SET", "save", "86400 1000000"]).expect("OK");
    client.ask("BGSAVE");
    eventually("it fails", || client.info("persistence")["rdb_last_bgsave_status"] == "err");
    client.ask("MQ.PUSH orders one DELAY 100");
    assert_eq!(client.pull("orders BLOCK 0").text(), "one");
}
