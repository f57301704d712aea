//! Schedules as MQ.SCHEDULES shows them, and what the headers of their messages say.

use super::{
    Value,
    client::Client,
    message::{entries, items, text_of},
    shown::{Shown, headers_of},
};

/// What a message of a schedule says of itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    pub schedule: String,
    /// None: it was triggered.
    pub tick: Option<i64>,
    /// None: there is no such header.
    pub missed: Option<i64>,
}

impl Run {
    /// Of a message with the header of a schedule.
    pub fn of(message: &Value) -> Option<Run> {
        let headers = headers_of(message)?;
        let header = |name: &str| {
            let header = headers.iter().find(|(one, _)| one == name.as_bytes());
            header.map(|(_, value)| String::from_utf8(value.clone()).expect("a header of text"))
        };
        let number = |name| header(name).map(|text| text.parse().expect("a number in a header"));
        let schedule = header("mq-schedule")?;
        Some(Run { schedule, tick: number("mq-tick"), missed: number("mq-missed") })
    }
}

impl Client {
    /// MQ.SCHEDULES; `arguments` are the queue's name and options.
    #[track_caller]
    pub fn schedules(&mut self, arguments: &str) -> Vec<Shown> {
        let reply = self.ask(&format!("MQ.SCHEDULES {arguments}"));
        let shown = |schedule: &Value| {
            entries(schedule).into_iter().map(|(name, value)| (name, text_of(&value))).collect()
        };
        items(&reply).iter().map(shown).collect()
    }

    /// The names that MQ.SCHEDULES shows.
    #[track_caller]
    pub fn schedule_names(&mut self, arguments: &str) -> Vec<String> {
        self.schedules(arguments).into_iter().map(|schedule| schedule["name"].clone()).collect()
    }

    /// A schedule, which must be there.
    #[track_caller]
    pub fn schedule(&mut self, queue: &str, name: &str) -> Shown {
        let all = self.schedules(&format!("{queue} COUNT 1000"));
        let found = all.iter().find(|schedule| schedule["name"] == name);
        found.unwrap_or_else(|| panic!("no schedule {name} among {all:?}")).clone()
    }

    /// A number of a schedule.
    #[track_caller]
    pub fn schedule_number(&mut self, queue: &str, name: &str, field: &str) -> i64 {
        let shown = self.schedule(queue, name);
        let value = shown.get(field).unwrap_or_else(|| panic!("no {field} in {shown:?}"));
        value.parse().unwrap_or_else(|_| panic!("{field} is no number: {value}"))
    }

    /// What the ready messages of a queue say, in the order of their delivery; each must be of a schedule.
    #[track_caller]
    pub fn runs(&mut self, queue: &str) -> Vec<Run> {
        let reply = self.ask(&format!("MQ.PEEK {queue} READY COUNT 1000"));
        let run =
            |message| Run::of(message).unwrap_or_else(|| panic!("of no schedule: {message:?}"));
        items(&reply).iter().map(run).collect()
    }

    /// The ticks of the ready messages of a queue, in the order of their delivery.
    #[track_caller]
    pub fn ticks(&mut self, queue: &str) -> Vec<i64> {
        self.runs(queue).iter().map(|run| run.tick.expect("the message of a tick")).collect()
    }

    /// Waits until a queue has so many ready messages.
    #[track_caller]
    pub fn wait_for_ready(&mut self, queue: &str, count: i64) {
        let line = format!("MQ.LEN {queue} READY");
        super::eventually(&format!("{count} messages are ready"), || self.number(&line) >= count);
    }
}
