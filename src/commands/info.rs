//! MQ.INFO, the state of a queue, and the module's section of INFO.

use std::ffi::CStr;
use std::rc::Rc;

use super::arguments::QUEUE;
use super::config::reply_settings;
use super::errors::CommandError;
use super::{handler, reply};
use crate::queue::part::Part;
use crate::queue::records::StoredNumber;
use crate::queue::settings::{Setting, Settings};
use crate::queue::store::Store;
use crate::queue::{Counts, QueueError, deadline, inspect, limits};
use crate::runtime::entry::Entry;
use crate::runtime::execute::OP_VERSION;
use crate::runtime::facts::{EVICTS_ANY_KEY, IS_CLUSTER};
use crate::runtime::histogram::Histogram;
use crate::runtime::{counters, index, scan, waiting};
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::info::{self, InfoSection};
use crate::server::key::Access;
use crate::server::spec::{KeyUse, Spec};
use crate::server::string::Argument;

/// `MQ.INFO queue`
pub struct Info;

impl Command for Info {
    const SPEC: Spec = Spec {
        name: "MQ.INFO",
        summary: "Returns the settings, the state and the counters of a queue.",
        complexity: "O(log n) with n messages in the queue.",
        since: "0.1.0",
        flags: "readonly",
        blocking: false,
        arity: 2,
        key: Some(KeyUse::Access),
        arguments: &[QUEUE],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, info);
    }
}

fn info(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue] = arguments else { return Err(CommandError::Arity) };
    let entry = handler::entry_to_read(context, *queue)?;
    let state = QueueState::read(context, &entry, entry.open(context, Access::Read))?;
    context.reply_map(state.len());
    state.reply(context);
    Ok(())
}

/// What MQ.INFO and MQ.STATS show of a queue.
pub struct QueueState {
    entry: Rc<Entry>,
    settings: Settings,
    lengths: [(&'static str, u64); 5],
    priorities: Vec<(u8, u64)>,
    state: [(&'static str, u64); 15],
}

impl QueueState {
    /// Reads the records of this queue.
    pub fn read(
        context: Context<'_>,
        entry: &Rc<Entry>,
        mut store: impl Store,
    ) -> Result<Self, QueueError> {
        store.require(&Part::ALL)?;
        let settings = store.settings(&Setting::ALL);
        let exists = Part::ALL.into_iter().any(|part| store.len(part) > 0);
        let lengths = [
            ("exists", exists.into()),
            ("deadletter_waiting", dead_letters(context, entry, &settings)),
            ("ready", limits::waiting(&mut store)),
            ("inflight", store.count_inflight()),
            ("delayed", store.len(Part::Delayed)),
        ];
        let priorities = inspect::priorities(&mut store);
        let state = state_fields(context, entry, &mut store);
        Ok(Self { entry: entry.clone(), settings, lengths, priorities, state })
    }

    /// The number of fields.
    pub fn len(&self) -> usize {
        let fields = [Setting::ALL.len(), self.lengths.len(), 1, self.state.len(), COUNTERS, 2];
        fields.into_iter().fold(0, usize::saturating_add)
    }

    /// Replies the fields.
    pub fn reply(&self, context: Context<'_>) {
        reply_settings(context, &self.entry, &self.settings);
        for (name, number) in self.lengths {
            reply::field(context, name, number);
        }
        context.reply_bytes(b"priorities");
        context.reply_map(self.priorities.len());
        for (priority, waiting) in &self.priorities {
            reply::field(context, &priority.to_string(), *waiting);
        }
        for (name, number) in self.state {
            reply::field(context, name, number);
        }
        for (name, number) in counters(&self.entry.counts.get()) {
            context.reply_bytes(name.to_bytes());
            reply::count(context, number);
        }
        let times = self.entry.times();
        reply_times(context, "delivery_times", times.map(|times| &times.delivery));
        reply_times(context, "processing_times", times.map(|times| &times.processing));
    }
}

/// A field with a map, as LATENCY HISTOGRAM of Redis has them: what fell into the buckets is cumulative.
fn reply_times(context: Context<'_>, name: &str, times: Option<&Histogram>) {
    context.reply_bytes(name.as_bytes());
    context.reply_map(3);
    reply::field(context, "count", times.map_or(0, Histogram::count));
    reply::field(context, "sum_ms", times.map_or(0, Histogram::sum_ms));
    context.reply_bytes(b"buckets");
    let buckets = || times.into_iter().flat_map(Histogram::buckets);
    context.reply_map(buckets().count());
    for (bound_ms, count) in buckets() {
        reply::field(context, &bound_ms.to_string(), count);
    }
}

/// The number of messages that wait in the dead-letter queue.
fn dead_letters(context: Context<'_>, entry: &Entry, settings: &Settings) -> u64 {
    let Some(name) = settings.dead_letter_of(entry.queue()) else { return 0 };
    if IS_CLUSTER.get() && !name.shares_slot_with(entry.queue()) {
        return 0;
    }
    // Most of these queues are used as well, and their keys have names that need not be made anew.
    let Ok(entry) = index::entry(context, name.as_bytes()) else { return 0 };
    let mut dead = entry.open(context, Access::Read);
    if limits::require_ready(&mut dead).is_err() {
        return 0;
    }
    limits::waiting(&mut dead)
}

fn state_fields(
    context: Context<'_>,
    entry: &Entry,
    store: &mut impl Store,
) -> [(&'static str, u64); 15] {
    let now_ms = context.now_ms();
    let next_due_at = deadline::of_messages(store).unwrap_or(0);
    let since = inspect::oldest(store);
    let is_paused = limits::is_paused(store, now_ms);
    // It may be over, and the timer not yet have removed it.
    let paused_until = store.stored_number(StoredNumber::PausedUntil).filter(|_| is_paused);
    let age = |since_ms: Option<u64>| since_ms.map_or(0, |ms| now_ms.saturating_sub(ms));
    [
        ("groups", store.len(Part::Groups)),
        ("dedup_keys", store.len(Part::Dedup)),
        ("paused", is_paused.into()),
        ("paused_until", paused_until.unwrap_or(0)),
        ("rate_window_start", store.stored_number(StoredNumber::RateWindowStart).unwrap_or(0)),
        ("rate_window_count", store.stored_number(StoredNumber::RateWindowCount).unwrap_or(0)),
        ("oldest_ready_age_ms", age(since.ready_ms)),
        ("oldest_inflight_age_ms", age(since.inflight_ms)),
        ("oldest_delayed_age_ms", age(since.delayed_ms)),
        ("next_due_at", next_due_at),
        ("highest_retry_count", store.highest_retry_count().into()),
        ("blocked_clients", entry.waiters.borrow().len() as u64),
        ("damaged", store.len(Part::Damaged)),
        ("schedules", store.len(Part::Schedules)),
        ("next_tick_at", store.first_tick().unwrap_or(0)),
    ]
}

const COUNTERS: usize = 17;

/// The counters that exist per queue and for the whole server.
fn counters(counts: &Counts) -> [(&'static CStr, u64); COUNTERS] {
    [
        (c"pushed", counts.pushed),
        (c"pulled", counts.pulled),
        (c"acked", counts.acked),
        (c"late_acks", counts.late_acks),
        (c"nacked", counts.nacked),
        (c"expired", counts.expired),
        (c"dead", counts.dead),
        (c"dead_discarded", counts.dead_discarded),
        (c"bad_receipts", counts.bad_receipts),
        (c"ttl_expired", counts.ttl_expired),
        (c"deduplicated", counts.deduplicated),
        (c"redriven", counts.redriven),
        (c"refused_full", counts.refused_full),
        (c"deleted", counts.deleted),
        (c"ticks", counts.ticks),
        (c"ticks_missed", counts.ticks_missed),
        (c"ticks_skipped", counts.ticks_skipped),
    ]
}

/// Brings the number of queues up to date: of those that changed, some may no longer exist. What is beyond this
/// limit, the timer checks.
fn check_queues(context: Context<'_>) {
    const MOST: usize = 2_048;
    // Inside a transaction in cluster mode newer servers only find keys of its slot.
    if !IS_CLUSTER.get() || !context.may_not_block() {
        let _ = (0..MOST).take_while(|_| index::check_one(context)).count();
    }
}

/// The `mq` section of INFO.
pub struct Section;

impl InfoSection for Section {
    const VERSION: &'static CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => c"",
        };

    fn fields(context: Option<Context<'_>>) -> Vec<(&'static CStr, u64)> {
        let known = EVICTS_ANY_KEY.get();
        let evicts = if context.is_some() { info::evicts_any_key() } else { known };
        context.into_iter().for_each(check_queues);
        let totals = counters::totals();
        let mut fields = vec![(c"op_version", u64::from(OP_VERSION))];
        fields.extend(counters(&totals.counts));
        fields.extend([
            (c"queues", index::with(|index| index.existing()) as u64),
            (c"blocked_clients", waiting::count() as u64),
            (c"damaged", totals.counts.damaged),
            (c"dead_letters_refused", totals.counts.dead_letters_refused),
            (c"apply_errors", totals.apply_errors),
            (c"apply_refused", totals.apply_refused),
            (c"sweep_errors", totals.sweep_errors),
            (c"scan_in_progress", u64::from(scan::is_under_way())),
            (c"eviction_may_delete_messages", evicts.into()),
        ]);
        fields
    }
}
