//! The keys of every form of every command, as the server finds them: for COMMAND GETKEYS, for access
//! control, and to route the command in a cluster.

use crate::harness::*;

/// A command, and which of its words are queues.
const FORMS: [(&str, &[usize]); 58] = [
    ("MQ.PUSH a payload", &[1]),
    ("MQ.PUSH a TO DELAY 1", &[1]),
    ("MQ.PUSH a payload DEDUP TO HEADERS 1 TO DEADLETTER", &[1]),
    ("MQ.MPUSH a 2 TO b", &[1]),
    ("MQ.PULL a", &[1]),
    ("MQ.PULL a COUNT 2 CONSUMER TO ACK 1 TO b", &[1]),
    ("MQ.MPULL 1 a", &[2]),
    ("MQ.MPULL 3 a b c", &[2, 3, 4]),
    ("MQ.MPULL 3 a b a COUNT 2", &[2, 3, 4]),
    ("MQ.MPULL 2 COUNT 1 COUNT 1", &[2, 3]),
    ("MQ.MPULL 2 2 a CONSUMER b COUNT 2", &[2, 3]),
    ("MQ.MPULL 2 a b VISIBILITY 100 CONSUMER TO", &[2, 3]),
    ("MQ.ACK a id receipt", &[1]),
    ("MQ.ACK a IDS 2 TO b TO b", &[1]),
    ("MQ.NACK a id receipt REASON TO", &[1]),
    ("MQ.EXTEND a id receipt VISIBILITY 1", &[1]),
    ("MQ.EXTEND a CONSUMER b VISIBILITY 1", &[1]),
    ("MQ.PEEK a READY COUNT 1", &[1]),
    ("MQ.GET a TO", &[1]),
    ("MQ.DEL a TO b", &[1]),
    ("MQ.RESCHEDULE a id DELAY 1", &[1]),
    ("MQ.PURGE a", &[1]),
    ("MQ.PURGE a READY", &[1]),
    ("MQ.GET a DEDUP b", &[1]),
    ("MQ.DEL a DEDUP b", &[1]),
    ("MQ.DROP TO", &[1]),
    ("MQ.PAUSE a FOR 1", &[1]),
    ("MQ.RESUME a", &[1]),
    ("MQ.INFO a", &[1]),
    ("MQ.LEN a READY", &[1]),
    ("MQ.CHECK a REPAIR", &[1]),
    ("MQ.SCHEDULE a b c EVERY 500", &[1]),
    ("MQ.SCHEDULE a TO b CRON @daily TZ UTC GROUP TO HEADERS 1 TO DEADLETTER", &[1]),
    ("MQ.UNSCHEDULE a b", &[1]),
    ("MQ.SCHEDULES a MATCH TO COUNT 5", &[1]),
    ("MQ.NEXT a b COUNT 5", &[1]),
    ("MQ.TRIGGER a TO", &[1]),
    ("MQ.APPLY a op", &[1]),
    ("MQ.REDRIVE a", &[1]),
    ("MQ.REDRIVE TO", &[1]),
    ("MQ.REDRIVE a COUNT 5", &[1]),
    ("MQ.REDRIVE a TO b", &[1, 3]),
    ("MQ.REDRIVE a to b COUNT 5", &[1, 3]),
    ("MQ.REDRIVE a COUNT 5 To b", &[1, 5]),
    ("MQ.REDRIVE TO TO TO-", &[1, 3]),
    ("MQ.REDRIVE a TO TO", &[1, 3]),
    ("MQ.REDRIVE a ALL TO b REASON to", &[1, 4]),
    ("MQ.REDRIVE a FROM b REASON x TO c", &[1, 7]),
    ("MQ.REDRIVE a FROM b ALL", &[1]),
    ("MQ.REDRIVE a IDS 2 x y to b", &[1, 7]),
    ("MQ.CONFIG a", &[1]),
    ("MQ.CONFIG DEADLETTER DELAY 1", &[1]),
    ("MQ.CONFIG a DELAY 1 TTL \"\"", &[1]),
    ("MQ.CONFIG a DEADLETTER b", &[1, 3]),
    ("MQ.CONFIG a deadletter b DELAY 1", &[1, 3]),
    ("MQ.CONFIG a DELAY 1 TTL \"\" DEADLETTER DEADLETTER", &[1, 7]),
    ("MQ.CONFIG DEADLETTER DEADLETTER b", &[1, 3]),
    ("MQ.CONFIG a DELAY 1 DEFAULTDEADLETTER BACKOFF 5", &[1]),
];

/// Forms that the commands refuse, whatever the server takes for their keys.
const REFUSED: [&str; 16] = [
    "MQ.MPULL 0 a",
    "MQ.MPULL -1 a",
    "MQ.MPULL 02 a b",
    "MQ.MPULL 1x a b",
    "MQ.MPULL 3 a b",
    "MQ.MPULL 4294967298 a b",
    "MQ.MPULL 18446744073709551617 a b",
    "MQ.REDRIVE a COUNT TO TO b",
    "MQ.REDRIVE a TO",
    "MQ.REDRIVE a REASON to TO b",
    "MQ.REDRIVE a FROM TO ALL",
    "MQ.REDRIVE a IDS 1 TO TO b",
    "MQ.REDRIVE a TO b TO c",
    "MQ.CONFIG a DEADLETTER \"\"",
    "MQ.CONFIG a DEADLETTER b DEADLETTER c",
    "MQ.CONFIG a DEADLETTER b DEFAULTDEADLETTER",
];

/// The queues of a form.
fn queues_of(line: &'static str, places: &[usize]) -> Vec<&'static str> {
    let words: Vec<&str> = line.split(' ').collect();
    places.iter().map(|place| words[*place]).collect()
}

/// A form, all queues of which are in one slot but the one with this number.
fn with_hash_tags(line: &str, places: &[usize], in_another: Option<usize>) -> String {
    let mut words: Vec<String> = line.split(' ').map(String::from).collect();
    for (number, place) in places.iter().enumerate() {
        let tag = if in_another == Some(number) { "{y}" } else { "{x}" };
        words[*place].insert_str(0, tag);
    }
    words.join(" ")
}

/// Any reply but the error with this code.
fn is_not(client: &mut Client, line: &str, code: &str) {
    if let Err(error) = client.reply_to(line) {
        assert!(!error.starts_with(code), "{line}: {error}");
    }
}

#[test]
fn command_getkeys_shows_the_queues_of_every_form() {
    let server = Server::start();
    let mut client = server.client();
    for (line, places) in FORMS {
        let keys = client.ask(&format!("COMMAND GETKEYS {line}"));
        assert_eq!(strings(&keys), queues_of(line, places), "{line}");
    }
    client.refused("COMMAND GETKEYS MQ.QUEUES MATCH a");
    client.refused("COMMAND GETKEYS MQ.STATS MATCH a");
}

#[test]
fn a_user_needs_each_queue_of_every_form_and_no_other() {
    let server = Server::start();
    let mut client = server.client();
    let mut user = |queues: &[&str]| {
        let patterns = queues.iter().map(|queue| format!("~{queue}")).collect::<Vec<_>>().join(" ");
        client.ask(&format!("ACL SETUSER alice reset on >secret +@all {patterns}"));
        let mut alice = server.client();
        alice.ask("AUTH alice secret");
        alice
    };
    for (line, places) in FORMS {
        let queues = queues_of(line, places);
        is_not(&mut user(&queues), line, "NOPERM");
        for missing in &queues {
            let others: Vec<&str> = queues.iter().filter(|one| *one != missing).copied().collect();
            let error = user(&others).refused(line);
            assert!(error.starts_with("NOPERM "), "{line} without {missing}: {error}");
        }
    }
}

#[test]
fn a_form_whose_keys_the_server_cannot_find_is_refused() {
    let server = Server::start();
    let mut client = server.client();
    for line in REFUSED {
        let error = client.refused(line);
        assert!(error.starts_with("ERR "), "{line}: {error}");
    }
    // The server compares words up to the first zero byte.
    for word in [&b"TO"[..], b"to\0x"] {
        let line: [&[u8]; 6] = [b"MQ.REDRIVE", b"a", word, b"b", b"TO", b"c"];
        assert!(client.reply(&line).is_err_and(|error| error.starts_with("ERR ")));
    }
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn in_a_cluster_the_queues_of_every_form_are_in_one_slot_and_lead_to_its_node() {
    let server = Server::start_in_cluster_mode();
    let mut client = server.client();
    for (line, places) in FORMS {
        is_not(&mut client, &with_hash_tags(line, places, None), "CROSSSLOT");
        for other in 1..places.len() {
            let line = with_hash_tags(line, places, Some(other));
            let error = client.refused(&line);
            assert!(error.starts_with("CROSSSLOT "), "{line}: {error}");
        }
    }
    let slot = client.number("CLUSTER KEYSLOT {x}");
    client.ask(&format!("CLUSTER DELSLOTS {slot}"));
    client.ask("CONFIG SET cluster-require-full-coverage no");
    eventually("the cluster is up", || client.text("CLUSTER INFO").contains("cluster_state:ok"));
    for (line, places) in FORMS {
        let line = with_hash_tags(line, places, None);
        let error = client.refused(&line);
        assert!(error.starts_with("CLUSTERDOWN Hash slot not served"), "{line}: {error}");
    }
}
