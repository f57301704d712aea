//! What docs/operations.md tells those who run servers: how the module comes to a server that has data, and what
//! a server without it does with what belongs to it.

use crate::harness::*;

/// Text that the page must have.
fn on_the_page(text: &str) -> &str {
    let page = include_str!("../../../docs/operations.md");
    assert!(page.contains(text), "docs/operations.md does not say: {text}");
    text
}

#[test]
fn a_restart_that_switches_on_the_append_only_file_begins_with_an_empty_one() {
    let mut server = Server::start_without_module(&[("save", "3600 1")]);
    server.client().ask("SET before yes");
    server.shut_down("SAVE");
    server.set(on_the_page("appendonly"), "yes");
    server.start_again_with_module();
    assert_eq!(server.client().number("DBSIZE"), 0);
}

#[test]
fn the_append_only_file_is_switched_on_before_the_restart_with_the_module() {
    let mut server = Server::start_without_module(&[("save", "3600 1")]);
    server.client().ask("SET before yes");
    server.client().ask(on_the_page("CONFIG SET appendonly yes"));
    server.wait_for_rewrite();
    for field in ["aof_rewrite_in_progress", "aof_rewrite_scheduled", "aof_last_bgrewrite_status"] {
        on_the_page(field);
    }
    server.shut_down("SAVE");
    server.set("appendonly", "yes");
    server.start_again_with_module();
    let mut client = server.client();
    assert_eq!(client.text("GET before"), "yes");
    client.push("orders", "one");
    server.kill_and_start_again();
    assert_eq!(server.client().pull("orders").text(), "one");
    assert_eq!(server.client().text("GET before"), "yes");
}

#[test]
fn a_running_server_loads_the_module_only_where_it_is_allowed() {
    let load = format!("MODULE LOAD {}", module_path().display());
    on_the_page("MODULE LOAD ");
    if !facts().guards_debug_and_module() {
        let server = Server::start_without_module(&[]);
        assert_eq!(server.client().ask(&load), Value::Okay);
        return;
    }
    let server = Server::start_without_module(&[("enable-module-command", "no")]);
    let mut client = server.client();
    client.ask("SET before yes");
    assert!(client.refused(&load).starts_with(on_the_page("ERR MODULE command not allowed.")));
    client.refused("CONFIG SET enable-module-command local");
    let server = Server::start_without_module(&[("enable-module-command", "local")]);
    on_the_page("enable-module-command local");
    assert_eq!(server.client().ask(&load), Value::Okay);
    server.client().push("orders", "one");
}

/// A replica without the module, which has missed a push.
fn replica_without_module(master: &Server) -> Server {
    let settings = [("replicaof", format!("127.0.0.1 {}", master.port()))];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let replica = Server::start_without_module(&settings);
    replica.wait_until_in_sync();
    let mut client = master.client();
    client.push("orders", "missed");
    client.ask("SET behind yes");
    eventually("the replica goes on", || replica.client().number("EXISTS behind") == 1);
    replica
}

#[test]
fn a_replica_without_the_module_misses_what_changes_and_says_so() {
    let master = Server::start();
    master.client().push("orders", "one");
    let mut replica = replica_without_module(&master);
    assert_eq!(replica.client().number("LLEN mq:{orders}:ready"), 1);
    let log = replica.log();
    on_the_page("This replica is sending an error to its master: 'unknown command 'MQ.APPLY'");
    assert!(log.contains("This replica is sending an error to its "), "{log}");
    assert!(log.contains("unknown command"), "{log}");
    assert!(log.contains("MQ.APPLY"), "{log}");
    let errors = &replica.client().info("stats")[on_the_page("unexpected_error_replies")];
    assert!(errors != "0");

    // What it saves looks complete to the server: it never gets what it missed.
    replica.shut_down("SAVE");
    replica.start_again_with_module();
    replica.wait_until_in_sync();
    assert_eq!(replica.client().lengths("orders"), [1, 0, 0]);
    assert_eq!(master.client().lengths("orders"), [2, 0, 0]);

    // Without its files it asks for everything.
    replica.shut_down("NOSAVE");
    std::fs::remove_file(replica.folder().join("dump.rdb")).expect("its snapshot removed");
    replica.start_again();
    replica.wait_until_in_sync();
    same_data(&mut master.client(), &mut replica.client(), "a full synchronization");
    assert_eq!(replica.client().lengths("orders"), [2, 0, 0]);
}

#[test]
fn an_append_only_file_needs_the_module_and_a_snapshot_does_not() {
    let mut server = Server::start_with(&[("appendonly", "yes"), ("appendfsync", "always")]);
    server.client().push("orders", "one");
    server.kill();
    server.refuses_to_start_without_module();
    let log = server.log();
    on_the_page("Unknown command 'MQ.APPLY' reading the append only file");
    assert!(log.to_lowercase().contains("unknown command 'mq.apply'"), "{log}");
    server.start_again();
    assert_eq!(server.client().pull("orders").text(), "one");

    let mut server = Server::start();
    server.client().push("orders", "one");
    server.shut_down("SAVE");
    server.start_again_without_module();
    assert_eq!(server.client().number("LLEN mq:{orders}:ready"), 1);
    server.shut_down("SAVE");
    server.start_again_with_module();
    assert_eq!(server.client().pull("orders").text(), "one");
}

#[test]
fn a_replica_with_an_append_only_file_has_everything_after_a_full_synchronization() {
    let master = Server::start();
    master.client().push("orders", "one");
    let mut replica = master.start_replica();
    replica.shut_down("SAVE");
    replica.set("appendonly", "yes");
    replica.start_again();
    replica.wait_until_in_sync();
    replica.wait_for_rewrite();
    replica.shut_down("SAVE");
    remove_append_only_files(&replica);
    std::fs::remove_file(replica.folder().join(on_the_page("dump.rdb"))).expect("no snapshot");
    replica.start_again();
    replica.wait_until_in_sync();
    replica.wait_for_rewrite();
    replica.set("replicaof", "no one");
    replica.kill();
    replica.start_again();
    assert_eq!(replica.client().pull("orders").text(), "one");
}

/// Those of a server that does not run.
fn remove_append_only_files(server: &Server) {
    let path = server.folder().join(on_the_page("appendonlydir"));
    if path.is_dir() {
        std::fs::remove_dir_all(path).expect("the folder removed");
    } else {
        let path = server.folder().join(on_the_page("appendonly.aof"));
        std::fs::remove_file(path).expect("the file removed");
    }
}

#[test]
fn a_snapshot_is_restored_before_the_append_only_file_is_switched_on() {
    let mut server = Server::start_with_append_only_file();
    let mut client = server.client();
    let ids = ["one", "two"].map(|payload| client.push("orders", payload));
    let held = client.pull("orders VISIBILITY 60000");
    client.ask(on_the_page("BGSAVE"));
    let section = |client: &mut Client| client.info("persistence");
    eventually("the snapshot is written", || {
        section(&mut client)[on_the_page("rdb_bgsave_in_progress")] == "0"
    });
    assert_eq!(section(&mut client)[on_the_page("rdb_last_bgsave_status")], "ok");
    let [dump, backup] = ["dump.rdb", "backup.rdb"].map(|name| server.folder().join(name));
    std::fs::copy(&dump, &backup).expect("a backup");
    client.acknowledge(&held);
    client.push("orders", "after the backup");

    server.shut_down("NOSAVE");
    remove_append_only_files(&server);
    std::fs::copy(&backup, &dump).expect("the backup put back");
    server.set("appendonly", "no");
    server.start_again();
    server.client().ask("CONFIG SET appendonly yes");
    server.wait_for_rewrite();
    server.set("appendonly", "yes");
    server.kill_and_start_again();
    // What was acknowledged since then is there again, and its receipt is still good.
    let mut client = server.client();
    assert_eq!(client.lengths("orders"), [1, 1, 0]);
    client.acknowledge(&held);
    assert_eq!(client.pull("orders").id, ids[1]);
}

#[test]
fn a_copy_of_the_append_only_files_is_a_backup() {
    let mut server = Server::start_with_append_only_file();
    let mut client = server.client();
    client.push("orders", "one");
    client.ask(on_the_page("CONFIG SET auto-aof-rewrite-percentage 0"));
    server.wait_for_rewrite();
    let folder = server.append_only_file().parent().expect("a folder").to_path_buf();
    let files =
        std::fs::read_dir(&folder).expect("the files").map(|file| file.expect("a file").path());
    let files = files.filter(|path| path.to_string_lossy().contains("appendonly.aof"));
    let copies: Vec<_> =
        files.map(|path| (path.clone(), std::fs::read(path).expect("a copy"))).collect();
    client.ask(on_the_page("CONFIG SET auto-aof-rewrite-percentage 100"));
    client.push("orders", "after the backup");

    server.kill();
    remove_append_only_files(&server);
    std::fs::create_dir_all(folder).expect("the folder");
    for (path, copy) in copies {
        std::fs::write(path, copy).expect("the copy put back");
    }
    server.start_again();
    assert_eq!(server.client().pull("orders").text(), "one");
    assert_eq!(server.client().lengths("orders"), [0, 1, 0]);
}

#[test]
fn where_no_replica_listens_nothing_is_written() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders VISIBILITY 50");
    client.ask("CONFIG SET min-replicas-to-write 1");
    let lines = [
        "MQ.PUSH orders x".to_string(),
        "MQ.PULL orders".to_string(),
        format!("MQ.ACK {}", message.delivery()),
    ];
    for line in lines {
        assert!(client.refused(&line).starts_with("NOREPLICAS "), "{line}");
    }
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert_eq!(client.lengths("orders"), [0, 1, 0]);
    client.ask("CONFIG SET min-replicas-to-write 0");
    assert_eq!(client.pull("orders BLOCK 5000").id, message.id);
}

/// The log lines of the runbook are those of the source.
#[test]
fn the_runbook_has_the_modules_own_words() {
    for words in [
        "the module needs commands that this server has renamed or lacks",
        "the module takes no arguments, see MQ.CONFIG for settings",
        "an op can't be applied",
        "records can't be read, see its damaged key",
        "a key has the wrong type, messages stay due",
        "the dead-letter queue can't take its dead messages, they stay",
        "maxmemory-policy lets the server delete queues when maxmemory is reached",
        "the module can't be unloaded",
    ] {
        on_the_page(words);
        let source = [
            include_str!("../../../src/lib.rs"),
            include_str!("../../../src/runtime/counters.rs"),
            include_str!("../../../src/runtime/turn.rs"),
            include_str!("../../../src/runtime/events.rs"),
            include_str!("../../../src/commands/apply.rs"),
        ];
        assert!(source.iter().any(|text| text.contains(words)), "no log line: {words}");
    }
}
