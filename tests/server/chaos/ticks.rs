//! Schedules of a load, on a queue of their own, and the consumer of their messages.

use super::{
    journal::{Kept, Tick},
    load::{Line, Shared},
};
use crate::harness::*;
use std::{collections::BTreeMap, sync::Arc, thread, time::Duration};

/// From a tick to the next, in milliseconds.
pub const EVERY: i64 = 100;

/// The schedules are named by what becomes of their late ticks.
pub const ALL: &str = "ALL";
pub const ONE: &str = "ONE";
const CATCH_UPS: [&str; 3] = [ALL, ONE, "NONE"];

const PACE: Duration = Duration::from_millis(5);

/// Their queue, in the slot of the load's.
pub fn queue(shared: &Shared) -> String {
    format!("{{{}}}.ticks", shared.plan.queue)
}

/// Sets the schedules, and lets no message of theirs die.
pub fn set(client: &mut Client, shared: &Shared) {
    let queue = queue(shared);
    client.ask(&format!("MQ.CONFIG {queue} MAXRETRIES -1"));
    for name in CATCH_UPS {
        client.ask(&format!("MQ.SCHEDULE {queue} {name} x EVERY {EVERY} CATCHUP {name}"));
    }
}

/// Commands that reply 0 once the schedules are removed and their messages taken.
pub fn ending(shared: &Shared) -> Vec<String> {
    let queue = queue(shared);
    let remove = |name| format!("MQ.UNSCHEDULE {queue} {name}");
    CATCH_UPS.into_iter().map(remove).chain([format!("MQ.LEN {queue}")]).collect()
}

/// How many ticks of each schedule have no message because the server was full. None: it can't be asked now.
pub fn skipped(client: &mut Client, shared: &Shared) -> Option<Vec<(String, i64)>> {
    let shown = client.reply_to(&format!("MQ.SCHEDULES {}", queue(shared))).ok()?;
    let skipped = |one: &Value| {
        let fields: BTreeMap<String, Value> = entries(one).into_iter().collect();
        (text_of(&fields["name"]), integer(&fields["skipped"]))
    };
    Some(items(&shown).iter().map(skipped).collect())
}

/// Takes the messages of ticks, and writes down which there are.
pub fn take(shared: &Arc<Shared>, _: u64) {
    let mut line = Line::new(shared);
    let queue = queue(shared);
    let pull = format!("MQ.PULL {queue} COUNT 50 VISIBILITY 500");
    while shared.is_consuming() {
        let (when, reply) = line.call(&pull.split(' ').collect::<Vec<_>>());
        let connections = line.connections;
        let messages = reply.map_or_else(|_| Vec::new(), |reply| items(&reply).to_vec());
        if messages.is_empty() {
            thread::sleep(PACE);
            continue;
        }
        // Whoever has this pull has the ticks before it. Another connection would not wait for it.
        let confirmed = line.confirm();
        let kept = if line.connections == connections { confirmed } else { Kept::Perhaps };
        let mut acknowledge = vec!["MQ.ACK".into(), queue.clone(), "IDS".into()];
        acknowledge.push(messages.len().to_string());
        for reply in &messages {
            let run = Run::of(reply).expect("the message of a schedule");
            let message = Message::from(reply);
            let (at_ms, missed) = (run.tick.expect("a tick"), run.missed.unwrap_or(0));
            let schedule = run.schedule;
            acknowledge.extend([message.id.clone(), message.receipt]);
            let tick = Tick { schedule, at_ms, missed, id: message.id, when, kept };
            shared.journal.write().ticks.push(tick);
        }
        // What comes of it shows in the end: a message that is not acknowledged comes back.
        drop(line.call(&acknowledge));
    }
}
