//! A client beside a load: all commands on queues of its own, whatever comes of them.

use super::load::Shared;
use crate::harness::*;
use std::{sync::Arc, thread, time::Duration};

/// In the slot of the load's queue.
const TAG: &str = "{orders}";

const PACE: Duration = Duration::from_millis(5);

pub fn stand_by(shared: &Arc<Shared>, _: u64) {
    let mut commands = EveryCommand::new(TAG);
    while shared.is_producing() {
        let port = shared.address.port();
        if let Some(client) = Client::try_connect_within(port, shared.plan.patience) {
            run_at(shared, port, client, &mut commands);
        }
        thread::sleep(PACE);
    }
    // What is left in the queues would change them after the load has ended.
    if let Some(mut client) = Client::try_connect(shared.address.port()) {
        for name in ["a", "b", "b:dead", "c"] {
            client.reply_to(&format!("MQ.DROP {TAG}.{name}")).ok();
        }
    }
}

/// Runs the commands at the master at this port, until it is no longer there.
fn run_at(shared: &Shared, port: u16, mut client: Client, commands: &mut EveryCommand) {
    while shared.is_producing() && shared.address.port() == port {
        for line in commands.lines() {
            match shared.while_not_quiet(|| client.reply_to(&line)) {
                Ok(reply) => commands.learn(&line, &reply),
                Err(error) if error.starts_with("the connection failed") => return,
                Err(_) => {}
            }
        }
        thread::sleep(PACE);
    }
}
