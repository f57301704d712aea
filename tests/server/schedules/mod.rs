//! Schedules: MQ.SCHEDULE, MQ.UNSCHEDULE, MQ.SCHEDULES, MQ.NEXT, MQ.TRIGGER, and their ticks.

mod cluster;
mod crashes;
mod daylight;
mod ends;
mod errors;
mod full;
mod hostile;
mod keys;
mod many;
mod missed;
mod options;
mod order;
mod replies;
mod roles;
mod stream;
mod ticks;
mod transactions;

use crate::harness::*;
use std::thread;

const HOUR: i64 = 3_600_000;
const HOUR_S: i64 = 3_600;

/// A server with a clock of its own, and the time at which it started, unix ms.
fn with_clock(settings: &[(&str, &str)]) -> (Server, Clock, i64) {
    let (server, clock) = Server::start_with_clock(settings);
    let start = clock.now_ms();
    (server, clock, start)
}

/// Sets a schedule of `orders` that ticks every hour, an hour after this time first.
fn hourly(client: &mut Client, name: &str, start: i64, options: &str) {
    let first = start + HOUR;
    let line = format!("MQ.SCHEDULE orders {name} x EVERY {HOUR} START {first} {options}");
    assert_eq!(client.number(&line), 1, "{line}");
}

/// Sets a schedule of `orders` by an expression.
fn cron(client: &mut Client, name: &str, expression: &str, options: &str) {
    let line = ["MQ.SCHEDULE", "orders", name, "x", "CRON", expression];
    let line: Vec<&str> = line.into_iter().chain(options.split_whitespace()).collect();
    assert_eq!(client.reply(&line), Ok(Value::Int(1)), "{line:?}");
}

/// Waits until the timer has taken all ticks of `orders` that are due.
#[track_caller]
fn wait_for_ticks(client: &mut Client, clock: &Clock) {
    eventually("no tick is due", || {
        let next = client.queue_info("orders", "next_tick_at");
        next == 0 || next > clock.now_ms()
    });
}

/// Sets the clock so many seconds forward while the server stands still, and lets it run these commands next, before
/// its timer learns of the time.
fn at_once(server: &Server, clock: &Clock, offset_s: i64, lines: &[&str]) -> Vec<Value> {
    let all = [&["DEBUG SLEEP 1"], lines].concat();
    let all: Vec<String> = all.into_iter().map(String::from).collect();
    let mut client = server.client();
    let replies = thread::scope(|scope| {
        let asking = scope.spawn(|| client.pipeline(&all));
        sleep_until_ms(now_ms() + 300);
        clock.set(offset_s);
        asking.join().expect("the replies")
    });
    replies.into_iter().skip(1).map(|reply| reply.expect("no error")).collect()
}

/// The ticks of an hourly schedule, by their numbers.
fn hours(start: i64, numbers: &[i64]) -> Vec<i64> {
    numbers.iter().map(|number| start + number * HOUR).collect()
}
