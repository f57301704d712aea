//! The users of examples/acl/users.acl with client libraries, on a single server and in a cluster: no command
//! that a library sends on its own is refused.

use crate::{
    harness::{Client, Cluster, Server, Value, facts, items, strings},
    libraries,
};
use std::process::Command;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/acl/users.acl");

#[test]
fn redis_py_works_as_these_users() {
    let requirements = "examples/python/requirements.txt";
    works_as_these_users(|| libraries::python("tests/clients/users.py", requirements));
}

#[test]
fn node_redis_works_as_these_users() {
    works_as_these_users(|| libraries::node("tests/clients/users-node-redis.mjs"));
}

#[test]
fn ioredis_works_as_these_users() {
    works_as_these_users(|| libraries::node("tests/clients/users-ioredis.mjs"));
}

#[test]
fn go_redis_works_as_these_users() {
    works_as_these_users(|| libraries::go("tests/clients/go"));
}

fn works_as_these_users(command: impl Fn() -> Command) {
    let server = Server::start_with(&[("aclfile", FILE)]);
    work(command().arg("standalone").arg(server.port().to_string()));
    nothing_was_refused(&server);
    let cluster = Cluster::start(&[("aclfile", FILE)]);
    work(command().arg("cluster").arg(cluster.nodes[0].port().to_string()));
    cluster.nodes.iter().for_each(nothing_was_refused);
}

fn work(command: &mut Command) {
    let file = std::fs::read_to_string(FILE).expect("the file of the users");
    let user = |line: &str| {
        let (name, rest) = line.strip_prefix("user ")?.split_once(" on >")?;
        Some(format!("{name}:{}", rest.split(' ').next()?))
    };
    command.args(file.lines().filter_map(user));
    assert_eq!(libraries::output_of(command).trim_end(), "done");
}

/// The refused commands in ACL LOG. Before 7.0 it includes subcommands of CLIENT that do not exist there.
fn nothing_was_refused(server: &Server) {
    let mut client: Client = server.client();
    let refused = client.ask("ACL LOG");
    let refused = items(&refused).iter().map(strings_of);
    let refused: Vec<_> = refused
        .filter(|entry| facts().separates_key_permissions() || !entry.contains(&"client".into()))
        .collect();
    assert!(refused.is_empty(), "refused: {refused:#?}");
}

/// The strings among the names and values of an entry.
fn strings_of(entry: &Value) -> Vec<String> {
    let texts =
        items(entry).iter().filter(|value| !matches!(value, Value::Int(_) | Value::Double(_)));
    strings(&Value::Array(texts.cloned().collect()))
}
