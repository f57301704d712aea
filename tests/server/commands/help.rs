//! MQ.HELP: how the commands are written.

use crate::harness::*;

fn lines(client: &mut Client, line: &str) -> Vec<String> {
    let reply = client.ask(line);
    let line_of = |one: &Value| match one {
        Value::SimpleString(line) => line.clone(),
        other => panic!("{line}: {other:?}"),
    };
    items(&reply).iter().map(line_of).collect()
}

#[test]
fn it_shows_all_commands_as_their_pages_do() {
    let server = Server::start();
    let mut client = server.client();
    let all = lines(&mut client, "MQ.HELP");
    for name in client.module_commands() {
        let path = format!("{}/docs/commands/{name}.md", env!("CARGO_MANIFEST_DIR"));
        let page = std::fs::read_to_string(&path).expect("a page");
        let mut page = page.lines().filter(|line| !line.is_empty()).skip(1);
        let (syntax, summary) =
            (page.next().expect("syntax").trim(), page.next().expect("summary"));
        let place = all.iter().position(|line| line.trim() == syntax);
        let place = place.unwrap_or_else(|| panic!("{name} is missing: {all:#?}"));
        assert_eq!(all[place + 1].trim(), summary);
        for command in [name.as_str(), &name[3..], &name.to_uppercase()] {
            assert_eq!(lines(&mut client, &format!("MQ.HELP {command}"))[0], syntax);
        }
    }
}

#[test]
fn it_shows_the_options_of_a_command_with_their_ranges_and_units() {
    let server = Server::start();
    let shown = lines(&mut server.client(), "MQ.HELP push");
    for expected in [
        "  DELAY milliseconds: an integer from 0 to 31536000000 milliseconds; not with AT",
        "  PRIORITY n: an integer from 0 to 9; not with GROUP",
        "  GROUP name: 1 to 256 bytes; not with PRIORITY",
        "  WINDOW milliseconds: an integer from 1 to 31536000000 milliseconds; not with UNTILDONE; \
         only with DEDUP",
        "  HEADERS n name value [name value ...]: n from 1 to 64",
        "Since: 0.1.0",
    ] {
        assert!(shown.iter().any(|line| line == expected), "{expected}: {shown:#?}");
    }
}

#[test]
fn it_needs_no_key_and_no_data() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("ACL SETUSER stranger on >x +mq.help");
    let mut stranger = server.client();
    stranger.ask("AUTH stranger x");
    assert!(lines(&mut stranger, "MQ.HELP").len() > 40);
    client.ask("CONFIG SET replica-serve-stale-data no");
    client.ask("REPLICAOF 127.0.0.1 1");
    assert!(client.refused("MQ.LEN orders").starts_with("MASTERDOWN "));
    assert!(lines(&mut client, "MQ.HELP get").len() > 3);
    client.ask("REPLICAOF NO ONE");
    client.ask("MULTI");
    client.ask("MQ.HELP get");
    assert_eq!(items(&client.ask("EXEC")).len(), 1);
}
