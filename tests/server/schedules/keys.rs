//! Databases other than 0, and keys that come and go by the server's own commands.

use super::{HOUR, HOUR_S, hourly, hours, with_clock};
use crate::harness::*;

const PARTS: [&str; 2] = ["schedules", "ticks"];

/// Lets a server look at its keys where it is told nothing of them.
fn look(client: &mut Client) {
    if !facts().tells_modules_of_keys() {
        client.ask("MQ.QUEUES");
    }
}

#[test]
fn queues_of_the_same_name_in_two_databases_have_their_own_schedules() {
    let (server, clock, start) = with_clock(&[]);
    let (mut first, mut ninth) = (server.client(), server.client_of_database(9));
    hourly(&mut first, "each", start, "");
    hourly(&mut ninth, "other", start, "CATCHUP ALL");
    assert_eq!(first.schedule_names("orders"), ["each"]);
    assert_eq!(ninth.number("MQ.UNSCHEDULE orders each"), 0);
    clock.set(2 * HOUR_S + 60);
    first.wait_for_ready("orders", 1);
    ninth.wait_for_ready("orders", 2);
    assert_eq!(first.ticks("orders"), hours(start, &[2]));
    assert_eq!(ninth.ticks("orders"), hours(start, &[1, 2]));
}

#[test]
fn schedules_follow_swapped_databases() {
    let (server, clock, start) = with_clock(&[]);
    let (mut client, mut third) = (server.client(), server.client_of_database(3));
    hourly(&mut client, "each", start, "");
    client.ask("SWAPDB 0 3");
    assert_eq!(client.schedule_names("orders"), [""; 0]);
    clock.set(HOUR_S + 60);
    third.wait_for_ready("orders", 1);
    assert_eq!(third.ticks("orders"), hours(start, &[1]));
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn schedules_follow_renamed_and_moved_keys() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    hourly(&mut client, "each", start, "");
    for part in PARTS {
        client.ask(&format!("RENAME mq:{{orders}}:{part} mq:{{mails}}:{part}"));
    }
    look(&mut client);
    clock.set(HOUR_S + 60);
    client.wait_for_ready("mails", 1);
    assert_eq!(client.ticks("mails"), hours(start, &[1]));
    for part in PARTS {
        assert_eq!(client.number(&format!("MOVE mq:{{mails}}:{part} 6")), 1);
        client.ask("SELECT 0");
    }
    let mut sixth = server.client_of_database(6);
    look(&mut sixth);
    clock.set(2 * HOUR_S + 60);
    sixth.wait_for_ready("mails", 1);
    assert_eq!(sixth.ticks("mails"), hours(start, &[2]));
}

#[test]
fn schedules_follow_restored_keys() {
    let (server, clock, start) = with_clock(&[]);
    let (mut client, other) = (server.client(), Server::start());
    hourly(&mut client, "each", start - 100 * HOUR, "");
    let next = client.schedule_number("orders", "each", "next_tick");
    let mut target = other.client();
    for part in PARTS {
        let key = format!("mq:{{orders}}:{part}");
        let dump = client.ask(&format!("DUMP {key}"));
        let restore: [&[u8]; 4] = [b"RESTORE", key.as_bytes(), b"0", bulk(&dump)];
        assert_eq!(target.reply(&restore), Ok(Value::Okay));
    }
    look(&mut target);
    assert_eq!(target.schedule_number("orders", "each", "next_tick"), next);
    assert_eq!(strings(&target.ask("MQ.QUEUES")), ["orders"]);
    clock.set(2 * HOUR_S);
    client.wait_for_ready("orders", 1);
}

#[test]
fn deleted_keys_take_their_schedules_with_them() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    for line in ["FLUSHALL", "FLUSHDB", "DEL mq:{orders}:schedules mq:{orders}:ticks"] {
        hourly(&mut client, "each", start, "");
        client.ask(line);
        assert_eq!(client.schedule_names("orders"), [""; 0], "{line}");
        clock.set(2 * HOUR_S);
        sleep_until_ms(now_ms() + 200);
        assert_eq!(client.number("DBSIZE"), 0, "{line}");
        clock.set(0);
    }
}

#[test]
fn a_reload_keeps_schedules() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    hourly(&mut client, "each", start, "CATCHUP ALL");
    hourly(&mut client, "paused", start, "PAUSED 1");
    let before = client.ask("MQ.SCHEDULES orders");
    client.ask("DEBUG RELOAD");
    assert_eq!(client.ask("MQ.SCHEDULES orders"), before);
    clock.set(2 * HOUR_S + 60);
    client.wait_for_ready("orders", 2);
    assert_eq!(client.ticks("orders"), hours(start, &[1, 2]));
}
