//! The users of examples/acl/users.acl: each can do its job with the queue's name alone, and no more.

use crate::harness::*;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/acl/users.acl");

const USERS: [&str; 5] = ["producer", "consumer", "operator", "monitor", "nobody"];

/// Every command, and who of the users may run it on `orders`.
const COMMANDS: &[(&str, &[&str])] = &[
    ("MQ.PUSH orders x", &["producer"]),
    ("MQ.MPUSH orders 1 x", &["producer"]),
    ("MQ.PULL orders", &["consumer"]),
    ("MQ.MPULL 1 orders", &[]),
    ("MQ.ACK orders x y", &["consumer"]),
    ("MQ.NACK orders x y", &["consumer"]),
    ("MQ.EXTEND orders x y", &["consumer", "operator"]),
    ("MQ.PEEK orders", &["operator"]),
    ("MQ.GET orders x", &["operator"]),
    ("MQ.INFO orders", &["operator", "monitor"]),
    ("MQ.LEN orders", &["operator", "monitor"]),
    ("MQ.QUEUES", &["operator", "monitor"]),
    ("MQ.STATS", &["operator", "monitor"]),
    ("MQ.CHECK orders REPAIR", &["operator"]),
    ("MQ.CONFIG orders VISIBILITY 1000", &["operator"]),
    ("MQ.PAUSE orders", &["operator"]),
    ("MQ.RESUME orders", &["operator"]),
    ("MQ.RESCHEDULE orders x DELAY 0", &["operator"]),
    ("MQ.SCHEDULE orders x y EVERY 1000", &["operator"]),
    ("MQ.SCHEDULES orders", &["operator"]),
    ("MQ.NEXT orders x", &["operator"]),
    ("MQ.TRIGGER orders x", &["operator"]),
    ("MQ.UNSCHEDULE orders x", &["operator"]),
    ("MQ.REDRIVE {orders}:dead TO orders", &["operator"]),
    ("MQ.DEL orders x", &["operator"]),
    ("MQ.PURGE orders", &["operator"]),
    ("MQ.DROP orders", &["operator"]),
    ("MQ.HELP", &["producer", "consumer", "operator", "monitor"]),
    ("MQ.APPLY orders x", &[]),
];

fn server_with_users() -> Server {
    Server::start_with(&[("aclfile", FILE)])
}

/// A client logged in as a user of the file, by its password there.
fn client_of(server: &Server, user: &str) -> Client {
    let file = std::fs::read_to_string(FILE).expect("the file of the users");
    let prefix = format!("user {user} on >");
    let line = file.lines().find_map(|line| line.strip_prefix(&prefix)).expect("the user's line");
    let password = line.split(' ').next().expect("a password");
    let mut client = server.client();
    client.ask(&format!("AUTH {user} {password}"));
    client
}

fn is_refused(client: &mut Client, line: &str) -> bool {
    client.reply_to(line).is_err_and(|error| error.starts_with("NOPERM "))
}

#[test]
fn every_command_is_for_those_whose_job_it_is() {
    let server = server_with_users();
    server.damaged_on_purpose();
    let ours = server.client().module_commands();
    assert_eq!(ours.len(), COMMANDS.len(), "a command is missing here: {ours:?}");
    for user in USERS {
        let mut client = client_of(&server, user);
        for (line, users) in COMMANDS {
            assert_eq!(is_refused(&mut client, line), !users.contains(&user), "{user}: {line}");
        }
        let may_read_all = user == "monitor";
        assert_eq!(is_refused(&mut client, "MQ.LEN secret"), !may_read_all, "{user}");
    }
}

/// What client libraries send for themselves, or is of use beside a queue's commands, and who may.
const OF_CLIENTS: &[(&str, &[&str])] = &[
    ("PING", ALL_JOBS),
    ("SELECT 0", ALL_JOBS),
    ("CLIENT SETNAME x", ALL_JOBS),
    ("CLIENT GETNAME", ALL_JOBS),
    ("CLIENT ID", ALL_JOBS),
    ("COMMAND COUNT", ALL_JOBS),
    ("WAIT 0 1", ALL_JOBS),
    ("READONLY", ALL_JOBS),
    ("ASKING", ALL_JOBS),
    ("CLUSTER SLOTS", ALL_JOBS),
    ("CLUSTER SHARDS", ALL_JOBS),
    ("CLUSTER NODES", ALL_JOBS),
    ("CLUSTER INFO", ALL_JOBS),
    ("WATCH orders", &["producer", "consumer"]),
    ("DISCARD", &["producer", "consumer"]),
    ("INFO", &["operator", "monitor"]),
    ("CLIENT UNBLOCK 9999", &["consumer"]),
    ("CLIENT LIST", &[]),
    ("CLIENT KILL ID 9999", &[]),
    ("CLIENT PAUSE 1", &[]),
    ("CLUSTER RESET", &[]),
    ("CLUSTER FAILOVER", &[]),
    ("CONFIG GET maxmemory", &[]),
    ("ACL LIST", &[]),
    ("MODULE LIST", &[]),
    ("MONITOR", &[]),
    ("SLOWLOG GET", &[]),
    ("KEYS *", &[]),
    ("SCAN 0", &[]),
    ("GET orders", &[]),
    ("EVAL return 0", &[]),
    ("SHUTDOWN NOSAVE", &[]),
];

const ALL_JOBS: &[&str] = &["producer", "consumer", "operator", "monitor"];

#[test]
fn each_may_what_client_libraries_send_and_no_more() {
    let server = server_with_users();
    for user in USERS {
        for (line, users) in OF_CLIENTS {
            let mut client = client_of(&server, user);
            assert_eq!(is_refused(&mut client, line), !users.contains(&user), "{user}: {line}");
        }
    }
    // Libraries name themselves, where the server has a command for that: none before 7.0 has it, which
    // refuse what they don't know.
    for user in ALL_JOBS {
        let line = "CLIENT SETINFO LIB-NAME x";
        let is_denied = is_refused(&mut client_of(&server, user), line);
        assert_eq!(is_denied, !facts().separates_key_permissions(), "{user}");
    }
}

#[test]
fn the_right_to_all_commands_is_none_to_a_queue() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("ACL SETUSER stranger on >x ~mails +@all");
    let mut stranger = server.client();
    stranger.ask("AUTH stranger x");
    const WITHOUT_KEYS: [&str; 3] = ["MQ.QUEUES", "MQ.STATS", "MQ.HELP"];
    for (line, _) in COMMANDS.iter().filter(|(line, _)| !WITHOUT_KEYS.contains(line)) {
        assert!(is_refused(&mut stranger, line), "{line}");
    }
    for line in ["MQ.MPULL 2 mails orders", "MQ.MPULL 2 orders mails", "MQ.REDRIVE mails TO orders"]
    {
        assert!(is_refused(&mut stranger, line), "{line}");
    }
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn a_message_goes_its_way_by_these_users_alone() {
    let server = server_with_users();
    let mut producer = client_of(&server, "producer");
    let mut consumer = client_of(&server, "consumer");
    let mut operator = client_of(&server, "operator");
    operator.ask("MQ.CONFIG orders MAXRETRIES 0");
    producer.push("orders", "one");
    let message = consumer.pull("orders");
    let extend = format!("MQ.EXTEND {} VISIBILITY 60000", message.delivery());
    assert!(consumer.number(&extend) > message.visibility_until);
    // That a message may die needs no right to the dead-letter queue.
    consumer.nack(&message);
    assert_eq!(operator.peek_texts("{orders}:dead"), ["one"]);
    assert_eq!(operator.number("MQ.REDRIVE {orders}:dead TO orders"), 1);
    let message = consumer.pull("orders");
    consumer.acknowledge(&message);
    assert_eq!(operator.number("MQ.LEN orders"), 0);
}

#[test]
fn the_keys_of_a_queue_are_closed_to_its_users() {
    let server = server_with_users();
    let mut admin = server.client();
    admin.push("orders", "one");
    // The key of the queue's name, too, is no way in.
    admin.ask("ACL SETUSER all-but-keys on >x ~orders ~{orders}:dead +@all");
    let mut others = server.client();
    others.ask("AUTH all-but-keys x");
    let mut clients: Vec<Client> = USERS.iter().map(|user| client_of(&server, user)).collect();
    clients.push(others);
    for client in &mut clients {
        for part in
            ["ready", "messages", "notes", "flight", "inflight", "delayed", "config", "damaged"]
        {
            for command in ["GET", "DEL", "TYPE", "DUMP", "LPOP", "HGETALL"] {
                let line = format!("{command} mq:{{orders}}:{part}");
                assert!(is_refused(client, &line), "{line}");
            }
        }
        let line = "RPUSH mq:{orders}:ready x";
        assert!(is_refused(client, line), "{line}");
        assert!(is_refused(client, "RENAME mq:{orders}:ready orders"));
    }
    assert_eq!(admin.number("MQ.LEN orders"), 1);
}

/// In a script older servers say it in words only.
fn is_of_permission(error: &str) -> bool {
    ["NOPERM", "ACL failure in script", "The user executing the script can't"]
        .iter()
        .any(|words| error.contains(words))
}

#[test]
fn scripts_and_transactions_give_no_rights() {
    let server = server_with_users();
    server.client().ask("ACL SETUSER producer +eval +multi +exec");
    let mut producer = client_of(&server, "producer");
    let script = |command: &str| format!("return redis.call('{command}', KEYS[1], 'x')");
    assert!(producer.reply(&["EVAL", &script("MQ.PUSH"), "1", "orders"]).is_ok());
    for (command, key) in
        [("MQ.PUSH", "mails"), ("MQ.GET", "orders"), ("RPUSH", "mq:{orders}:ready")]
    {
        let error = producer.reply(&["EVAL", &script(command), "1", key]).expect_err(command);
        assert!(is_of_permission(&error), "{command} {key}: {error}");
        // A key that is not declared is looked at all the same.
        let undeclared = script(command).replace("KEYS[1]", &format!("'{key}'"));
        let error = producer.reply(&["EVAL", &undeclared, "0"]).expect_err(command);
        assert!(is_of_permission(&error), "{command} {key}: {error}");
    }
    producer.ask("MULTI");
    assert!(is_refused(&mut producer, "MQ.PULL orders"));
    assert!(producer.refused("EXEC").starts_with("EXECABORT "));
}

#[test]
fn the_lines_of_the_file_are_lines_of_the_configuration_too() {
    let file = std::fs::read_to_string(FILE).expect("the file of the users");
    let lines: Vec<(&str, &str)> =
        file.lines().map(|line| line.split_once(' ').expect("two words")).collect();
    let server = Server::start_with(&lines);
    client_of(&server, "producer").push("orders", "one");
    assert_eq!(client_of(&server, "consumer").pull("orders").text(), "one");
    assert!(is_refused(&mut client_of(&server, "nobody"), "MQ.LEN orders"));
}

#[test]
fn a_user_sees_the_names_of_its_queues_only_where_the_server_can_tell() {
    let server = server_with_users();
    let mut client = server.client();
    for queue in ["orders", "{orders}:dead", "mails"] {
        client.push(queue, "x");
    }
    let mut operator = client_of(&server, "operator");
    let seen = strings(&operator.ask("MQ.QUEUES"));
    if !facts().separates_key_permissions() {
        assert_eq!(seen, ["mails", "orders", "{orders}:dead"]);
        return;
    }
    assert_eq!(seen, ["orders", "{orders}:dead"]);
    assert_eq!(strings(&operator.ask("MQ.QUEUES MATCH m*")), [""; 0]);
    let rules: [(&[&str], &[&str]); 5] = [
        (&["%R~mails"], &["mails"]),
        (&["%W~mails"], &["mails"]),
        (&["~mails", "(+mq.len ~orders)"], &["mails", "orders"]),
        (&[], &[]),
        (&["allkeys"], &["mails", "orders", "{orders}:dead"]),
    ];
    for (rules, expected) in rules {
        client.ask("ACL SETUSER observer reset on >x +mq.queues +eval");
        for rule in rules {
            client.reply(&["ACL", "SETUSER", "observer", rule]).expect("the rule");
        }
        let mut observer = server.client();
        observer.ask("AUTH observer x");
        assert_eq!(strings(&observer.ask("MQ.QUEUES")), expected, "{rules:?}");
        let in_script = observer.reply(&["EVAL", "return redis.call('MQ.QUEUES')", "0"]);
        // Where the list is made anew each time, a script sees what is known.
        if facts().tells_modules_of_keys() {
            assert_eq!(strings(&in_script.expect("a list")), expected, "{rules:?}");
        }
    }
}

#[test]
fn the_category_has_all_commands_but_that_of_replication() {
    let server = Server::start();
    let mut client = server.client();
    if !facts().modules_have_their_own_acl_categories() {
        client.refused("ACL SETUSER alice on >x +@mq");
        return;
    }
    assert!(strings(&client.ask("ACL CAT")).contains(&"mq".to_string()));
    server.damaged_on_purpose();
    client.ask("ACL SETUSER alice on >x ~orders ~{orders}:dead +@mq");
    let mut alice = server.client();
    alice.ask("AUTH alice x");
    for (line, _) in COMMANDS {
        assert_eq!(is_refused(&mut alice, line), line.starts_with("MQ.APPLY "), "{line}");
        let name = line.split(' ').next().expect("a name");
        let info = client.ask(&format!("COMMAND INFO {name}"));
        let categories = strings(&items(&items(&info)[0])[6]);
        let is_in = categories.contains(&"@mq".to_string());
        assert_eq!(is_in, name != "MQ.APPLY", "{name}: {categories:?}");
    }
    assert!(is_refused(&mut alice, "GET orders"));
}

#[test]
fn a_client_that_waits_gets_its_message_also_when_its_right_is_gone_meanwhile() {
    let server = server_with_users();
    let mut admin = server.client();
    // Here the waiting client asks for its id first.
    admin.ask("ACL SETUSER consumer +client");
    let waiting = client_of(&server, "consumer").wait_with("MQ.PULL orders BLOCK 0");
    admin.ask("ACL SETUSER consumer -mq.pull resetkeys");
    waiting.still_waits();
    admin.push("orders", "one");
    let (message, mut consumer) = waiting.message();
    assert_eq!(message.text(), "one");
    assert!(is_refused(&mut consumer, "MQ.PULL orders"));
    assert!(is_refused(&mut consumer, &format!("MQ.ACK {}", message.delivery())));
    // Closing the user's connections is the way to end the wait.
    for end in ["CLIENT KILL USER consumer", "ACL DELUSER consumer"] {
        admin.ask("ACL SETUSER consumer +mq.pull ~orders");
        let waiting = client_of(&server, "consumer").wait_with("MQ.PULL orders BLOCK 0");
        admin.ask("ACL SETUSER consumer resetkeys");
        assert!(admin.number(end) >= 1, "{end}");
        eventually("nobody waits", || admin.queue_info("orders", "blocked_clients") == 0);
        drop(waiting);
    }
    admin.push("orders", "two");
    assert_eq!(admin.lengths("orders"), [1, 1, 0]);
}
