//! The examples of the README, which are the files in `examples`, work on a server.

#![cfg(unix)]

mod server;

use server::Server;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

#[test]
fn the_readme_has_the_examples() {
    let readme = include_str!("../README.md");
    for example in [
        include_str!("../examples/push.rs"),
        include_str!("../examples/worker.rs"),
        include_str!("../examples/fake.rs"),
    ] {
        assert!(
            readme.contains(&format!("```rust\n{example}```\n")),
            "the README lacks\n{example}"
        );
    }
}

#[test]
fn a_package_with_its_dependencies_resolves() {
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    let (dependencies, _) = rest.split_once("```").unwrap();
    let here = env!("CARGO_MANIFEST_DIR");
    let package = "[package]\nname = \"orders\"\nedition = \"2024\"\n";
    let manifest = format!("{package}{}", dependencies.replace("../redis-mq/clients/rust", here));
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("src/main.rs"), "").unwrap();
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    let resolved =
        Command::new(env!("CARGO")).arg("generate-lockfile").current_dir(&folder).output().unwrap();
    assert!(resolved.status.success(), "{}", String::from_utf8_lossy(&resolved.stderr));
}

#[test]
fn what_one_example_pushes_the_other_processes() {
    let server = Server::start(&[]);
    let push = example("push").env("REDIS_URL", server.url()).output().unwrap();
    assert!(push.status.success(), "{push:?}");
    let mut worker =
        example("worker").env("REDIS_URL", server.url()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(worker.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "processed order 17\n");
    let kill = Command::new("kill").args(["-TERM", &worker.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert!(worker.wait().unwrap().success(), "SIGTERM is an orderly end");
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let left: u64 = redis::cmd("MQ.LEN").arg("orders").query(&mut connection).unwrap();
    assert_eq!(left, 0, "it was acknowledged");
}

#[test]
fn the_example_with_the_fake_succeeds() {
    assert!(example("fake").status().unwrap().success());
}

/// A program that `cargo test` has built beside this one.
fn example(name: &str) -> Command {
    let mut folder: PathBuf = std::env::current_exe().unwrap();
    folder.pop();
    folder.pop();
    Command::new(folder.join("examples").join(name))
}
