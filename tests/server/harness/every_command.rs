//! All 29 commands, again and again, on three queues that nobody else uses. What came of one round is
//! used by the next: messages that were delivered are acknowledged, nacked, killed, extended.

use super::{
    Value,
    message::{Message, items, text_of},
};

/// What a client remembers from round to round.
pub struct EveryCommand {
    /// The queues' names begin with this, a hash tag.
    tag: &'static str,
    ids: Vec<String>,
    /// `queue id receipt` of each.
    deliveries: Vec<String>,
}

/// Of a message that never was.
const NO_ID: &str = "00000000-0000-7000-8000-000000000000";
const NO_RECEIPT: &str = "0000000000000001";

impl EveryCommand {
    pub fn new(tag: &'static str) -> EveryCommand {
        EveryCommand { tag, ids: Vec::new(), deliveries: Vec::new() }
    }

    /// The commands of the next round.
    pub fn lines(&mut self) -> Vec<String> {
        let [a, b, c] = ["a", "b", "c"].map(|name| format!("{}.{name}", self.tag));
        let mut lines = vec![
            format!("MQ.CONFIG {a} VISIBILITY 50 MAXLEN 500 DEADLETTER {b} EXPIRES 86400000"),
            format!("MQ.CONFIG {b} MAXRETRIES 3 MAXLEN 500 DEFAULTDEADLETTER"),
            format!("MQ.CONFIG {a}"),
            format!("MQ.PUSH {a} plain"),
            format!("MQ.PUSH {a} later DELAY 5"),
            format!("MQ.PUSH {a} once DEDUP key WINDOW 10 HEADERS 1 name value"),
            format!("MQ.PUSH {b} first PRIORITY 3 TTL 50"),
            format!("MQ.PUSH {a} dies TTL 20 DEAD"),
            format!("MQ.MPUSH {b} 2 one two GROUP tenant"),
            format!("MQ.PULL {a} COUNT 2 ONDISCONNECT NOCOUNT GRACE 10"),
            format!("MQ.PULL {a} COUNT 5 CONSUMER worker ONDISCONNECT"),
            format!("MQ.EXTEND {a} CONSUMER worker VISIBILITY 30"),
            format!("MQ.MPULL 2 {a} {b} COUNT 5 BLOCK 1"),
            format!("MQ.PEEK {a} READY COUNT 5"),
            format!("MQ.INFO {a}"),
            format!("MQ.LEN {b}"),
            format!("MQ.REDRIVE {b} COUNT 10 TO {a}"),
            format!("MQ.PAUSE {b} FOR 2"),
            format!("MQ.RESUME {b}"),
            format!("MQ.CHECK {a}"),
            format!("MQ.APPLY {a} nonsense"),
            format!("MQ.PUSH {c} purged"),
            format!("MQ.PURGE {c} READY"),
            format!("MQ.PURGE {c}"),
            format!("MQ.GET {a} DEDUP key"),
            format!("MQ.PUSH {c} dropped"),
            format!("MQ.DROP {c}"),
            format!("MQ.SCHEDULE {a} each tick EVERY 100 LIMIT 5 CATCHUP ALL OVERLAP SKIP TTL 500"),
            format!(
                "MQ.SCHEDULE {b} daily tick CRON @daily TZ Europe/Berlin JITTER 1000 GROUP tenant"
            ),
            format!("MQ.SCHEDULES {a} MATCH e*"),
            format!("MQ.NEXT {b} daily COUNT 3"),
            format!("MQ.TRIGGER {b} daily"),
            format!("MQ.UNSCHEDULE {b} daily"),
            "MQ.QUEUES".into(),
            "MQ.STATS".into(),
            "MQ.HELP push".into(),
        ];
        self.ids.push(NO_ID.into());
        for (number, id) in self.ids.drain(..).enumerate() {
            lines.push(match number % 3 {
                0 => format!("MQ.GET {a} {id}"),
                1 => format!("MQ.RESCHEDULE {a} {id} DELAY 2"),
                _ => format!("MQ.DEL {a} {id} {NO_ID}"),
            });
        }
        self.deliveries.extend([(); 5].map(|()| format!("{a} {NO_ID} {NO_RECEIPT}")));
        for (number, delivery) in self.deliveries.drain(..).enumerate() {
            lines.push(match number % 5 {
                0 => format!("MQ.EXTEND {delivery} VISIBILITY 20"),
                1 => format!("MQ.NACK {delivery} DEAD REASON broken"),
                2 if number % 2 == 0 => format!("MQ.NACK {delivery} NOCOUNT FRONT"),
                2 => format!("MQ.NACK {delivery} DELAY 2"),
                _ => format!("MQ.ACK {delivery}"),
            });
        }
        lines
    }

    /// Remembers what one of these commands replied.
    pub fn learn(&mut self, line: &str, reply: &Value) {
        match line.split(' ').next() {
            Some("MQ.PUSH" | "MQ.TRIGGER") => self.ids.push(text_of(reply)),
            Some("MQ.MPUSH") => self.ids.extend(items(reply).iter().map(text_of)),
            Some("MQ.PULL" | "MQ.MPULL") if *reply != Value::Nil => {
                let messages = items(reply).iter().map(Message::from);
                self.deliveries.extend(messages.map(|message| message.delivery()));
            }
            _ => {}
        }
    }
}
