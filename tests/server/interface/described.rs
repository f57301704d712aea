//! What the server says of our commands: COMMAND INFO and COMMAND DOCS.

use crate::harness::*;

struct Expected {
    name: &'static str,
    arity: i64,
    flags: &'static [&'static str],
    without_flags: &'static [&'static str],
    /// Position of the first key.
    key: i64,
    /// Names and tokens of its arguments, in any order.
    arguments: &'static str,
}

const fn expected(
    name: &'static str,
    arity: i64,
    flags: &'static [&'static str],
    without_flags: &'static [&'static str],
    arguments: &'static str,
) -> Expected {
    let key = if arity == -1 { 0 } else { 1 };
    Expected { name, arity, flags, without_flags, key, arguments }
}

const COMMANDS: [Expected; 29] = [
    expected(
        "mq.push",
        -3,
        &["write", "denyoom", "fast"],
        &["readonly", "admin"],
        "queue payload DELAY AT TTL DEAD PRIORITY GROUP DEDUP WINDOW UNTILDONE HEADERS name value",
    ),
    expected(
        "mq.mpush",
        -4,
        &["write", "denyoom"],
        &["readonly", "admin", "fast"],
        "queue n payload DELAY AT TTL DEAD PRIORITY GROUP HEADERS name value",
    ),
    expected(
        "mq.pull",
        -2,
        &["write"],
        &["denyoom", "readonly", "admin"],
        "queue COUNT VISIBILITY BLOCK CONSUMER ONDISCONNECT NOCOUNT GRACE NOACK ACK id receipt",
    ),
    expected(
        "mq.mpull",
        -3,
        &["write"],
        &["denyoom", "readonly", "admin"],
        "numkeys queue COUNT VISIBILITY BLOCK CONSUMER ONDISCONNECT NOCOUNT GRACE NOACK",
    ),
    expected(
        "mq.ack",
        -4,
        &["write", "fast"],
        &["denyoom", "readonly", "admin"],
        "queue id receipt IDS",
    ),
    expected(
        "mq.nack",
        -4,
        &["write", "fast"],
        &["denyoom", "readonly", "admin"],
        "queue id receipt IDS DELAY NOCOUNT FRONT DEAD REASON",
    ),
    expected(
        "mq.extend",
        -4,
        &["write"],
        &["denyoom", "readonly", "admin", "fast"],
        "queue id receipt IDS CONSUMER VISIBILITY",
    ),
    expected(
        "mq.peek",
        -2,
        &["readonly"],
        &["write", "denyoom", "admin"],
        "queue READY INFLIGHT DELAYED DEAD OFFSET COUNT",
    ),
    expected("mq.get", -3, &["readonly"], &["write", "denyoom", "admin"], "queue id DEDUP"),
    expected("mq.del", -3, &["write"], &["denyoom", "readonly", "admin"], "queue id DEDUP"),
    expected(
        "mq.reschedule",
        5,
        &["write", "fast"],
        &["denyoom", "readonly", "admin"],
        "queue id DELAY AT",
    ),
    expected(
        "mq.schedule",
        -6,
        &["write", "denyoom"],
        &["readonly", "admin", "fast"],
        "queue name payload EVERY CRON TZ START END LIMIT JITTER CATCHUP NONE ONE ALL OVERLAP ALLOW SKIP PAUSED TTL DEAD PRIORITY GROUP HEADERS value",
    ),
    expected(
        "mq.unschedule",
        3,
        &["write", "fast"],
        &["denyoom", "readonly", "admin"],
        "queue name",
    ),
    expected(
        "mq.schedules",
        -2,
        &["readonly"],
        &["write", "denyoom", "admin"],
        "queue MATCH OFFSET COUNT",
    ),
    expected("mq.next", -3, &["readonly"], &["write", "denyoom", "admin"], "queue name COUNT FROM"),
    expected("mq.trigger", 3, &["write", "denyoom", "fast"], &["readonly", "admin"], "queue name"),
    expected(
        "mq.redrive",
        -2,
        &["write"],
        &["denyoom", "readonly", "admin"],
        "queue COUNT ALL IDS id FROM REASON TO",
    ),
    expected(
        "mq.purge",
        -2,
        &["write"],
        &["denyoom", "readonly", "admin", "fast"],
        "queue READY DELAYED",
    ),
    expected("mq.drop", 2, &["write", "fast"], &["denyoom", "readonly", "admin"], "queue"),
    expected("mq.pause", -2, &["write", "fast"], &["denyoom", "readonly", "admin"], "queue FOR"),
    expected("mq.resume", 2, &["write", "fast"], &["denyoom", "readonly", "admin"], "queue"),
    expected(
        "mq.config",
        -2,
        &["write", "denyoom"],
        &["readonly", "admin"],
        "queue VISIBILITY MAXRETRIES DEADLETTER DEFAULTDEADLETTER BACKOFF BACKOFFMAX DELAY TTL MAXLEN MAXINFLIGHT RATE RATEPERIOD AGING GROUPINFLIGHT DEDUPWINDOW MAXDEDUP EXPIRES",
    ),
    expected("mq.info", 2, &["readonly"], &["write", "denyoom", "admin"], "queue"),
    expected(
        "mq.len",
        -2,
        &["readonly", "fast"],
        &["write", "denyoom", "admin"],
        "queue READY INFLIGHT DELAYED DEAD",
    ),
    expected("mq.check", -2, &["write"], &["denyoom", "readonly", "admin"], "queue REPAIR"),
    expected("mq.queues", -1, &["readonly"], &["write", "denyoom", "admin"], "MATCH CURSOR COUNT"),
    expected("mq.stats", -1, &["readonly"], &["write", "denyoom", "admin"], "MATCH CURSOR COUNT"),
    expected(
        "mq.help",
        -1,
        &["fast", "loading", "stale"],
        &["write", "readonly", "denyoom", "admin"],
        "command",
    ),
    expected("mq.apply", -3, &["write", "admin"], &["readonly"], "queue op payload"),
];

#[test]
fn these_are_all_commands() {
    let server = Server::start();
    let mut ours = server.client().module_commands();
    ours.sort();
    let mut expected: Vec<&str> = COMMANDS.iter().map(|command| command.name).collect();
    expected.sort();
    assert_eq!(ours, expected);
}

#[test]
fn command_info_tells_the_truth() {
    let server = Server::start();
    let mut client = server.client();
    for command in &COMMANDS {
        let reply = client.ask(&format!("COMMAND INFO {}", command.name));
        let info = items(&items(&reply)[0]);
        assert_eq!(text_of(&info[0]).to_lowercase(), command.name);
        if facts().documents_module_commands() {
            assert_eq!(integer(&info[1]), command.arity, "arity of {}", command.name);
        }
        let flags = strings(&info[2]);
        for flag in command.flags {
            assert!(
                flags.iter().any(|one| one == flag),
                "{} is not {flag}: {flags:?}",
                command.name
            );
        }
        for flag in command.without_flags {
            assert!(!flags.iter().any(|one| one == flag), "{} is {flag}", command.name);
        }
        // From 7.0 on the server may ask on a thread of its own, which Redis 8.6 does not survive.
        let asks_the_module =
            flags.iter().any(|flag| flag == "getkeys-api" || flag == "module_getkeys");
        assert!(!asks_the_module || !facts().documents_module_commands(), "{}", command.name);
        let key = if command.name == "mq.mpull" { 2 } else { command.key };
        assert_eq!(integer(&info[3]), key, "first key of {}", command.name);
        assert_eq!(integer(&info[4]), key, "last key of {}", command.name);
        let moves = ["mq.config", "mq.mpull", "mq.redrive"].contains(&command.name);
        assert_eq!(flags.iter().any(|flag| flag == "movablekeys"), moves, "{}", command.name);
    }
}

#[test]
fn key_specifications_say_what_is_done_to_the_key() {
    let server = Server::start();
    let mut client = server.client();
    if !facts().documents_module_commands() {
        assert_eq!(items(&items(&client.ask("COMMAND INFO mq.push"))[0]).len(), 7);
        return;
    }
    for command in &COMMANDS {
        let reply = client.ask(&format!("COMMAND INFO {}", command.name));
        let info = items(&items(&reply)[0]);
        let specifications = items(&info[8]);
        if command.key == 0 {
            assert!(specifications.is_empty(), "{}: {specifications:?}", command.name);
            continue;
        }
        let first = entries(&specifications[0]);
        let flags = strings(&first.iter().find(|(name, _)| name == "flags").expect("flags").1);
        let reads_only = command.flags.contains(&"readonly");
        assert_eq!(
            flags.iter().any(|flag| flag == "RO"),
            reads_only,
            "{}: {flags:?}",
            command.name
        );
    }
}

/// All names and tokens of arguments, at any depth.
fn argument_names(arguments: &Value) -> Vec<String> {
    let mut names = Vec::new();
    for argument in items(arguments) {
        for (field, value) in entries(argument) {
            match field.as_str() {
                "name" | "token" => names.push(text_of(&value)),
                "arguments" => names.extend(argument_names(&value)),
                _ => {}
            }
        }
    }
    names
}

/// The names of the arguments that have their place in the command line and no token.
fn positional(arguments: &Value) -> Vec<String> {
    let name = |argument: &Value| {
        let fields = entries(argument);
        let field = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, v)| v);
        let is_group = ["oneof", "block"].contains(&text_of(field("type")?).as_str());
        if is_group || field("token").is_some() { None } else { field("name").map(text_of) }
    };
    items(arguments).iter().filter_map(name).collect()
}

#[test]
fn command_docs_tell_the_truth() {
    let server = Server::start();
    let mut client = server.client();
    if !facts().documents_module_commands() {
        client.refused("COMMAND DOCS mq.push");
        return;
    }
    for command in &COMMANDS {
        let reply = client.ask(&format!("COMMAND DOCS {}", command.name));
        let docs = entries(&entries(&reply)[0].1);
        let field =
            |name: &str| docs.iter().find(|(field, _)| field == name).map(|(_, value)| value);
        for name in ["summary", "complexity"] {
            let text =
                text_of(field(name).unwrap_or_else(|| panic!("no {name} of {}", command.name)));
            assert!(text.len() > 3, "{name} of {}: {text}", command.name);
        }
        assert_eq!(field("module").map(text_of).as_deref(), Some("mq"));
        let arguments =
            field("arguments").unwrap_or_else(|| panic!("no arguments of {}", command.name));
        let names = argument_names(arguments);
        // Units, as Redis names those of its own commands.
        if ["mq.push", "mq.reschedule", "mq.schedule"].contains(&command.name) {
            for unit in ["milliseconds", "unix-time-milliseconds"] {
                assert!(names.iter().any(|name| name == unit), "{}: {names:?}", command.name);
            }
        }
        for expected in command.arguments.split(' ') {
            assert!(
                names.iter().any(|name| name.eq_ignore_ascii_case(expected)),
                "{expected} is missing in {}: {names:?}",
                command.name
            );
        }
        let tokens = names.into_iter().filter(|name| name.chars().all(|c| c.is_ascii_uppercase()));
        for name in tokens.chain(positional(arguments)) {
            let is_known = command.arguments.split(' ').any(|known| known == name);
            assert!(is_known, "{} has no {name}", command.name);
        }
    }
}

#[test]
fn the_module_names_itself() {
    let server = Server::start();
    let reply = server.client().ask("MODULE LIST");
    let modules: Vec<_> = items(&reply).iter().map(entries).collect();
    let ours = modules.iter().find(|module| text_of(&module[0].1) == "mq").expect("the module");
    let version = env!("CARGO_PKG_VERSION").split('.').map(|part| part.parse().expect("a number"));
    let listed = version.fold(0, |number: i64, part: i64| number * 100 + part);
    assert_eq!(integer(&ours[1].1), listed, "its version");
}
