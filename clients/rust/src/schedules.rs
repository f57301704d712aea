//! MQ.SCHEDULE and the commands about schedules, which push messages at certain times.

use crate::call::{Call, awaited};
use crate::client::{Client, Connection};
use crate::error::Result;
use crate::message::Headers;
use crate::reply::{FromReply, fields, headers, list};
use bytes::Bytes;
use redis::Value;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

impl<C: Connection> Client<C> {
    /// Sets a schedule, which pushes a message at each of its ticks, and returns whether it is new. What this call
    /// omits has its default, whatever was set before.
    ///
    /// ```no_run
    /// # async fn run(client: redis_mq::Client<redis::aio::ConnectionManager>) -> redis_mq::Result<()> {
    /// use redis_mq::{Overlap, Rhythm};
    /// use std::time::Duration;
    ///
    /// let workdays = Rhythm::cron("30 6 * * MON-FRI", "Europe/Berlin");
    /// client.schedule("reports", "daily", "all", workdays).await?;
    /// client.schedule("reports", "beat", "", Duration::from_secs(10)).overlap(Overlap::Skip).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of every command.
    pub fn schedule(
        &self,
        queue: &str,
        name: &str,
        payload: impl AsRef<[u8]>,
        rhythm: impl Into<Rhythm>,
    ) -> SetSchedule<'_, C> {
        let mut call = self.of_schedule("MQ.SCHEDULE", queue, name);
        call.word(payload.as_ref());
        match rhythm.into() {
            Rhythm::Every(interval) => call.length("EVERY", interval),
            Rhythm::Cron { expression, zone } => {
                call.option("CRON", expression);
                call.option("TZ", zone);
            }
        }
        SetSchedule { call, headers: Vec::new() }
    }

    /// Removes a schedule, and returns whether there was one. Its messages stay.
    ///
    /// # Errors
    /// Those of every command.
    pub async fn unschedule(&self, queue: &str, name: &str) -> Result<bool> {
        FromReply::from_reply(self.of_schedule("MQ.UNSCHEDULE", queue, name).send().await?)
    }

    /// Shows the schedules of a queue, the next tick first: 100 unless told otherwise.
    ///
    /// # Errors
    /// Those of every command.
    pub fn schedules(&self, queue: &str) -> Schedules<'_, C> {
        let mut call = Call::new(self, "MQ.SCHEDULES");
        call.word(queue);
        Schedules { call }
    }

    /// The next ticks of a schedule, without jitter: ten unless told otherwise.
    ///
    /// # Errors
    /// [`Error::MessageNotFound`](crate::Error::MessageNotFound) if the queue has no such schedule.
    pub fn next_ticks(&self, queue: &str, name: &str) -> NextTicks<'_, C> {
        NextTicks { call: self.of_schedule("MQ.NEXT", queue, name) }
    }

    /// Pushes a message of a schedule now, and returns its id. With [`Overlap::Skip`], while an earlier one is in the
    /// queue: the id of that one.
    ///
    /// # Errors
    /// [`Error::MessageNotFound`](crate::Error::MessageNotFound) if the queue has no such schedule,
    /// [`Error::QueueFull`](crate::Error::QueueFull).
    pub async fn trigger(&self, queue: &str, name: &str) -> Result<String> {
        FromReply::from_reply(self.of_schedule("MQ.TRIGGER", queue, name).send().await?)
    }

    fn of_schedule(&self, command: &str, queue: &str, name: &str) -> Call<'_, C> {
        let mut call = Call::new(self, command);
        call.option(queue, name);
        call
    }
}

/// When a schedule has its ticks: made of a [`Duration`], or of a cron expression in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// Each time this has elapsed, 100 milliseconds to 365 days.
    Every(Duration),
    /// In each minute that the expression selects.
    Cron {
        /// Five fields, or a word such as `@daily`.
        expression: String,
        /// The IANA time zone of the expression.
        zone: String,
    },
}

impl Rhythm {
    /// A cron expression in an IANA time zone.
    pub fn cron(expression: impl Into<String>, zone: impl Into<String>) -> Self {
        Self::Cron { expression: expression.into(), zone: zone.into() }
    }
}

impl From<Duration> for Rhythm {
    fn from(interval: Duration) -> Self {
        Self::Every(interval)
    }
}

impl From<&str> for Rhythm {
    fn from(expression: &str) -> Self {
        Self::cron(expression, "UTC")
    }
}

/// An enum whose variants have words on the wire. The first one is the default.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            const ALL: &[Self] = &[$(Self::$variant),*];

            fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            fn of(word: &str) -> Self {
                let is_it = |one: &&Self| one.word().eq_ignore_ascii_case(word);
                *Self::ALL.iter().find(is_it).unwrap_or(&Self::ALL[0])
            }
        }
    };
}

words! {
    /// What happens to ticks that are late, because no server was running.
    Catchup {
        /// The newest of them has a message.
        One = "ONE",
        /// Each of them has one.
        All = "ALL",
        /// None of them has one.
        None = "NONE",
    }
}

words! {
    /// What happens at a tick while an earlier message of the schedule is ready, delayed or in flight.
    Overlap {
        /// It has a message.
        Allow = "ALLOW",
        /// It is skipped.
        Skip = "SKIP",
    }
}

/// A schedule that is being set, sent when it is awaited.
#[derive(Debug)]
#[must_use = "it is sent when it is awaited"]
pub struct SetSchedule<'c, C> {
    call: Call<'c, C>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<C: Connection> SetSchedule<'_, C> {
    /// No tick is earlier. An interval counts from this time, which is itself a tick.
    pub fn start(mut self, moment: SystemTime) -> Self {
        self.call.moment("START", moment);
        self
    }

    /// No tick is later. After the last tick the schedule is removed.
    pub fn end(mut self, moment: SystemTime) -> Self {
        self.call.moment("END", moment);
        self
    }

    /// The schedule is removed after so many messages.
    pub fn limit(mut self, messages: u32) -> Self {
        self.call.option("LIMIT", messages);
        self
    }

    /// Each message is pushed later than its tick by a fixed part of this time.
    pub fn jitter(mut self, longest: Duration) -> Self {
        self.call.length("JITTER", longest);
        self
    }

    /// Which late ticks have a message. Default: the newest.
    pub fn catchup(mut self, catchup: Catchup) -> Self {
        self.call.option("CATCHUP", catchup.word());
        self
    }

    /// Whether a tick has a message while an earlier one is in the queue. Default: it has.
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.call.option("OVERLAP", overlap.word());
        self
    }

    /// There are no ticks until it is set without this.
    pub fn paused(mut self) -> Self {
        self.call.option("PAUSED", 1);
        self
    }

    /// Its messages are not delivered later than this after their push. Zero overrides the queue's setting: no limit.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.call.length("TTL", ttl);
        self
    }

    /// With [`ttl`](Self::ttl): a message whose time ends goes to the dead-letter queue.
    pub fn ttl_dead(mut self) -> Self {
        self.call.word("DEAD");
        self
    }

    /// The priority of its messages, 0 to 9.
    pub fn priority(mut self, priority: u8) -> Self {
        self.call.option("PRIORITY", priority);
        self
    }

    /// The group of its messages.
    pub fn group(mut self, name: &str) -> Self {
        self.call.option("GROUP", name);
        self
    }

    /// A header of its messages. Up to 61 of them; the server adds `mq-schedule`, `mq-tick` and `mq-missed`.
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }
}

impl<'c, C: Connection> IntoFuture for SetSchedule<'c, C> {
    type Output = Result<bool>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'c>>;

    fn into_future(mut self) -> Self::IntoFuture {
        self.call.headers(&self.headers);
        Box::pin(async move { FromReply::from_reply(self.call.send().await?) })
    }
}

/// A look at schedules, sent when it is awaited.
#[derive(Debug)]
#[must_use = "it is sent when it is awaited"]
pub struct Schedules<'c, C> {
    call: Call<'c, C>,
}

impl<C: Connection> Schedules<'_, C> {
    /// Only names that match a pattern as for `KEYS`.
    pub fn matching(mut self, pattern: &str) -> Self {
        self.call.option("MATCH", pattern);
        self
    }

    /// Leaves out the first ones.
    pub fn offset(mut self, number: usize) -> Self {
        self.call.option("OFFSET", number);
        self
    }

    /// At most so many, 1 to 1,000.
    pub fn count(mut self, number: usize) -> Self {
        self.call.option("COUNT", number);
        self
    }
}

awaited!(Schedules<> -> Vec<Schedule>);

/// A look at ticks, sent when it is awaited.
#[derive(Debug)]
#[must_use = "it is sent when it is awaited"]
pub struct NextTicks<'c, C> {
    call: Call<'c, C>,
}

impl<C: Connection> NextTicks<'_, C> {
    /// At most so many, 1 to 1,000.
    pub fn count(mut self, number: usize) -> Self {
        self.call.option("COUNT", number);
        self
    }

    /// Those at or after this time.
    pub fn from(mut self, moment: SystemTime) -> Self {
        self.call.moment("FROM", moment);
        self
    }
}

awaited!(NextTicks<> -> Vec<SystemTime>);

/// A schedule, and what became of its ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Schedule {
    /// Unique in its queue.
    pub name: String,
    /// Of its messages.
    pub payload: Bytes,
    /// When it has its ticks.
    pub rhythm: Rhythm,
    /// No tick is earlier.
    pub start: Option<SystemTime>,
    /// No tick is later.
    pub end: Option<SystemTime>,
    /// It is removed after so many messages.
    pub limit: Option<u32>,
    /// The longest time by which a message is later than its tick.
    pub jitter: Duration,
    /// Which late ticks have a message.
    pub catchup: Catchup,
    /// Whether a tick has a message while an earlier one is in the queue.
    pub overlap: Overlap,
    /// Whether it has no ticks for now.
    pub is_paused: bool,
    /// Without jitter; `None` if it is paused.
    pub next_tick: Option<SystemTime>,
    /// The last one that had a message or was skipped.
    pub last_tick: Option<SystemTime>,
    /// Ticks that had a message.
    pub runs: u64,
    /// Late ticks without a message of their own.
    pub missed: u64,
    /// Ticks without a message, because of an earlier one or a full queue.
    pub skipped: u64,
    /// Messages of [`Client::trigger`].
    pub triggered: u64,
    /// Of its messages.
    pub ttl: Option<Duration>,
    /// Whether those whose time ends go to the dead-letter queue.
    pub ttl_dead: bool,
    /// Of its messages, 1 to 9.
    pub priority: Option<u8>,
    /// Of its messages.
    pub group: Option<String>,
    /// Of its messages.
    pub headers: Headers,
}

impl FromReply for Schedule {
    fn from_reply(reply: Value) -> Result<Self> {
        let mut schedule = Self {
            name: String::new(),
            payload: Bytes::new(),
            rhythm: Rhythm::cron("", ""),
            start: None,
            end: None,
            limit: None,
            jitter: Duration::ZERO,
            catchup: Catchup::One,
            overlap: Overlap::Allow,
            is_paused: false,
            next_tick: None,
            last_tick: None,
            runs: 0,
            missed: 0,
            skipped: 0,
            triggered: 0,
            ttl: None,
            ttl_dead: false,
            priority: None,
            group: None,
            headers: Headers::default(),
        };
        let (mut expression, mut zone) = (String::new(), String::new());
        for (name, value) in fields(reply)? {
            match name.as_str() {
                "name" => schedule.name = String::from_reply(value)?,
                "payload" => schedule.payload = Bytes::from_reply(value)?,
                "every" => schedule.rhythm = Rhythm::Every(Duration::from_reply(value)?),
                "cron" => expression = String::from_reply(value)?,
                "zone" => zone = String::from_reply(value)?,
                "start" => schedule.start = Some(SystemTime::from_reply(value)?),
                "end" => schedule.end = Some(SystemTime::from_reply(value)?),
                "limit" => schedule.limit = Some(u32::from_reply(value)?),
                "jitter" => schedule.jitter = Duration::from_reply(value)?,
                "catchup" => schedule.catchup = Catchup::of(&String::from_reply(value)?),
                "overlap" => schedule.overlap = Overlap::of(&String::from_reply(value)?),
                "paused" => schedule.is_paused = bool::from_reply(value)?,
                "next_tick" => schedule.next_tick = Some(SystemTime::from_reply(value)?),
                "last_tick" => schedule.last_tick = Some(SystemTime::from_reply(value)?),
                "runs" => schedule.runs = u64::from_reply(value)?,
                "missed" => schedule.missed = u64::from_reply(value)?,
                "skipped" => schedule.skipped = u64::from_reply(value)?,
                "triggered" => schedule.triggered = u64::from_reply(value)?,
                "ttl" => schedule.ttl = Some(Duration::from_reply(value)?),
                "dead" => schedule.ttl_dead = bool::from_reply(value)?,
                "priority" => schedule.priority = u8::try_from(u64::from_reply(value)?).ok(),
                "group" => schedule.group = Some(String::from_reply(value)?),
                "headers" => schedule.headers = headers(value)?,
                _ => {} // of a later version
            }
        }
        if !expression.is_empty() {
            schedule.rhythm = Rhythm::Cron { expression, zone };
        }
        Ok(schedule)
    }
}

impl FromReply for Vec<Schedule> {
    fn from_reply(reply: Value) -> Result<Self> {
        list(reply)?.into_iter().map(Schedule::from_reply).collect()
    }
}
