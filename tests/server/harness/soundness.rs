//! The last look at a server: MQ.CHECK finds nothing in any of its queues.

use super::{
    Client, Server, Value,
    message::{entries, items, text_of},
};

/// What MQ.CHECK finds in the queues of all databases, as sentences. A replica is made a master
/// first, unless it is part of a cluster: what it holds is checked then, too.
pub fn problems(server: &Server) -> Vec<String> {
    let mut client = server.client();
    if client.reply_to("COMMAND INFO MQ.CHECK").is_ok_and(|reply| is_nothing(&reply)) {
        return Vec::new();
    }
    client.reply_to("REPLICAOF NO ONE").ok();
    client.ask("CONFIG SET min-replicas-to-write 0");
    let databases: Vec<String> = client.info("keyspace").into_keys().collect();
    databases.iter().flat_map(|database| problems_of(&mut client, database)).collect()
}

/// `database` as INFO names it: `db0`.
fn problems_of(client: &mut Client, database: &str) -> Vec<String> {
    client.ask(&format!("SELECT {}", database.trim_start_matches("db")));
    let queues = match client.reply_to("MQ.QUEUES") {
        Ok(queues) => items(&queues).to_vec(),
        Err(error) => return vec![format!("MQ.QUEUES in {database}: {error}")],
    };
    let mut problems = Vec::new();
    for queue in queues {
        let name = text_of(&queue);
        let Value::BulkString(queue) = queue else { continue };
        match client.reply(&[b"MQ.CHECK".as_slice(), &queue]) {
            Ok(findings) if entries(&findings).is_empty() => {}
            Ok(findings) => problems.push(format!("{name} in {database}: {findings:?}")),
            Err(error) if is_elsewhere(&error) => {}
            Err(error) => problems.push(format!("{name} in {database}: {error}")),
        }
    }
    problems
}

/// In a cluster: the slot is another node's, or on its way there.
fn is_elsewhere(error: &str) -> bool {
    ["MOVED ", "ASK ", "TRYAGAIN ", "CLUSTERDOWN "].iter().any(|code| error.starts_with(code))
}

/// The reply of COMMAND INFO for a command that is not there.
fn is_nothing(reply: &Value) -> bool {
    items(reply).iter().all(|info| match info {
        Value::Nil => true,
        Value::Array(facts) => facts.is_empty(),
        _ => false,
    })
}
