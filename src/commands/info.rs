//! MQ.INFO: whether a queue is healthy, and the module's section of INFO.

use std::ffi::CStr;

use super::config::reply_settings;
use crate::execute::open;
use crate::index::Entry;
use crate::queue::settings::{Setting, Settings};
use crate::queue::store::{Part, Store};
use crate::reply::{self, CommandError};
use crate::server::command::{Arg, Command, KeyUse, Spec};
use crate::server::context::Context;
use crate::server::info::Inform;
use crate::server::key::Access;
use crate::server::string::Argument;
use crate::state;

/// `MQ.INFO queue`
pub struct Info;

impl Command for Info {
    const SPEC: Spec = Spec {
        name: "MQ.INFO",
        summary: "Returns the settings, the state and the counters of a queue.",
        complexity: "O(1).",
        since: "0.1.0",
        flags: "readonly",
        blocking: false,
        arity: 2,
        key: Some(KeyUse::Access),
        names_dead_letter: false,
        arguments: &[Arg::Queue],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        super::answer(context, || info(context, arguments));
    }
}

fn info(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue] = arguments else { return Err(CommandError::Syntax) };
    let entry = super::entry(context, *queue)?;
    let mut store = open(context, &entry, Access::Read);
    store.require(&Part::ALL)?;
    let settings = store.settings(&Setting::ALL);
    let dead_letters = dead_letters(&store, &settings);
    let state = state_fields(context, &entry, &mut store, dead_letters);
    let counts = entry.counts.get();
    let counters = [
        ("pushed", counts.pushed),
        ("pulled", counts.pulled),
        ("acked", counts.acked),
        ("late_acks", counts.late_acks),
        ("nacked", counts.nacked),
        ("expired", counts.expired),
        ("dead", counts.dead),
        ("bad_receipts", counts.bad_receipts),
    ];
    let fields = Setting::ALL.len().saturating_add(state.len()).saturating_add(counters.len());
    context.reply_map(fields);
    reply_settings(context, &entry, &settings);
    for (name, number) in state.into_iter().chain(counters) {
        reply::field(context, name, number);
    }
    Ok(())
}

/// How many messages wait in the dead-letter queue.
fn dead_letters(store: &impl Store, settings: &Settings) -> u64 {
    let Some(name) = settings.dead_letter_of(store.queue()) else { return 0 };
    if super::is_same_slot_only() && !name.shares_slot_with(store.queue()) {
        return 0;
    }
    let mut dead = store.other(&name);
    if dead.require(&[Part::Ready, Part::Ranked]).is_err() {
        return 0;
    }
    dead.len(Part::Ready).saturating_add(dead.len(Part::Ranked))
}

fn state_fields(
    context: Context<'_>,
    entry: &Entry,
    store: &mut impl Store,
    dead_letters: u64,
) -> [(&'static str, u64); 9] {
    let ready = store.len(Part::Ready).saturating_add(store.len(Part::Ranked));
    let expiry = store.first_inflight().map(|(_, until_ms)| until_ms);
    let release = store.first_delayed().map(|(_, due_at_ms)| due_at_ms);
    let next_due_at = expiry.into_iter().chain(release).min().unwrap_or(0);
    [
        ("deadletter_waiting", dead_letters),
        ("ready", ready),
        ("inflight", store.len(Part::Inflight)),
        ("delayed", store.len(Part::Delayed)),
        ("oldest_ready_age_ms", oldest_ready_age_ms(context, store)),
        ("next_due_at", next_due_at),
        ("highest_retry_count", store.highest_retry_count().into()),
        ("blocked_clients", entry.waiting.borrow().len() as u64),
        ("damaged", store.len(Part::Damaged)),
    ]
}

fn oldest_ready_age_ms(context: Context<'_>, store: &mut impl Store) -> u64 {
    let ranked = store.first_ranked().map(|(_, rank)| rank.ready_since_ms());
    let ready = store.first_ready().ok().flatten().map(|id| id.timestamp_ms());
    let oldest_ms = ranked.into_iter().chain(ready).min();
    oldest_ms.map_or(0, |since_ms| context.now_ms().saturating_sub(since_ms))
}

/// The `mq` section of INFO.
pub struct Section;

impl Inform for Section {
    fn fields() -> Vec<(&'static CStr, u64)> {
        state::with(|state| {
            let totals = state.totals.get();
            let counts = totals.counts;
            let queues = state.index.borrow().all().count() as u64;
            vec![
                (c"pushed", counts.pushed),
                (c"pulled", counts.pulled),
                (c"acked", counts.acked),
                (c"late_acks", counts.late_acks),
                (c"nacked", counts.nacked),
                (c"expired", counts.expired),
                (c"dead", counts.dead),
                (c"bad_receipts", counts.bad_receipts),
                (c"queues", queues),
                (c"blocked_clients", state.waiting_at.borrow().len() as u64),
                (c"damaged", counts.damaged),
                (c"dead_letters_refused", counts.dead_letters_refused),
                (c"apply_errors", totals.apply_errors),
                (c"sweep_errors", totals.sweep_errors),
                (c"scan_in_progress", u64::from(state.scan.borrow().is_some())),
            ]
        })
    }
}
