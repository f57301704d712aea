//! Deadlines that are far away cost nothing until then.

use std::thread::sleep;
use std::time::Duration;

use crate::harness::*;

/// The server's CPU in a second in which nobody sends anything, in seconds.
fn idle_cpu(client: &mut Client) -> f64 {
    let used = |client: &mut Client| -> f64 {
        let info = client.info("cpu");
        let of = |name: &str| info[name].parse::<f64>().expect("seconds");
        of("used_cpu_sys") + of("used_cpu_user")
    };
    let before = used(client);
    sleep(Duration::from_secs(1));
    used(client) - before
}

/// Redis 6.2 and 7.0 looked for a timer all the time that was set for more than 36 minutes.
#[test]
fn a_server_whose_next_deadline_is_far_away_is_idle() {
    let server = Server::start();
    let mut client = server.client();
    let without = idle_cpu(&mut client);
    client.ask("MQ.PUSH orders later DELAY 3600000");
    client.ask("MQ.SCHEDULE orders yearly x CRON @yearly");
    // The timer rings, and is set anew.
    assert_eq!(client.ask("MQ.PULL mails BLOCK 20"), Value::Nil);
    let with = idle_cpu(&mut client);
    assert!(with < without + 0.15, "{with} s of CPU in an idle second, {without} s before");
}
