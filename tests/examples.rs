//! Runs the client examples of `examples/` against a real server, with the client libraries that
//! they name (the README shows these files word for word). Libraries go below the target folder.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test that panics is a test that fails"
)]

#[allow(dead_code, unused_imports, reason = "the server tests use the rest of it")]
#[path = "server/harness/mod.rs"]
mod harness;

use harness::Server;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const OUTPUT: &str = "\
pushed one
pushed two
pushed three
done one
gave back two after: no stock
done three
done two
";

/// A folder of ours below the target folder, kept from run to run.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples").join(name);
    fs::create_dir_all(&path).expect("a folder for the example");
    path
}

fn example(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(file)
}

/// Runs a command to its end and returns what it printed; it must succeed.
fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{text}{errors}", output.status);
    text
}

/// The example's command, pointed at a new server, prints what it should and leaves nothing behind.
fn works_through_its_orders(command: &mut Command) {
    let server = Server::start();
    command.env("REDIS_URL", format!("redis://127.0.0.1:{}", server.port()));
    assert_eq!(output_of(command), OUTPUT);
    let mut client = server.client();
    assert_eq!(client.queue_info("orders", "acked"), 3);
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn the_python_example_works() {
    let environment = folder("python");
    let python = environment.join("bin/python");
    if !python.exists() {
        output_of(Command::new("python3").args(["-m", "venv"]).arg(&environment));
    }
    let requirements = example("python/requirements.txt");
    output_of(
        Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(requirements),
    );
    works_through_its_orders(Command::new(&python).arg(example("python/orders.py")));
}

#[test]
fn the_node_example_works() {
    let project = folder("node");
    for file in ["package.json", "orders.mjs"] {
        fs::copy(example("node").join(file), project.join(file)).expect("the example copied");
    }
    let install = ["install", "--no-audit", "--no-fund", "--loglevel", "error"];
    output_of(Command::new("npm").args(install).current_dir(&project));
    works_through_its_orders(Command::new("node").arg("orders.mjs").current_dir(&project));
}
