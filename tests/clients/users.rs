//! The users of examples/acl/users.acl with client libraries, on one server and in a cluster: nothing
//! that a library sends for itself is refused.

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

/// The server keeps what it refused. Before 7.0 it also refuses parts of CLIENT that it doesn't have.
fn nothing_was_refused(server: &Server) {
    let mut client: Client = server.client();
    let refused = client.ask("ACL LOG");
    let refused = items(&refused).iter().map(strings_of);
    let refused: Vec<_> = refused
        .filter(|entry| facts().separates_key_permissions() || !entry.contains(&"client".into()))
        .collect();
    assert!(refused.is_empty(), "refused: {refused:#?}");
}

/// The texts among the names and values of an entry.
fn strings_of(entry: &Value) -> Vec<String> {
    let texts =
        items(entry).iter().filter(|value| !matches!(value, Value::Int(_) | Value::Double(_)));
    strings(&Value::Array(texts.cloned().collect()))
}
