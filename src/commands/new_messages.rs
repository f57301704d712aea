//! What MQ.PUSH and MQ.MPUSH have in common: the options of new messages, and what became of them.

use super::arguments::{DEDUP, GROUP, PRIORITY, RANK, TTL, WHEN, WINDOW, due_at_ms};
use super::headers;
use super::options::Options;
use crate::execute::{Body, settings};
use crate::queue::Outcome;
use crate::queue::op::{Dedup, Line, With};
use crate::queue::push::Pushed;
use crate::queue::settings::Setting;
use crate::queue::store::Store;
use crate::reply::CommandError;
use crate::server::command::Arg;

/// When a new message becomes ready.
pub const WHEN_READY: Arg = Arg::OneOf("when", WHEN);

/// Where it stands among others.
pub const AMONG_OTHERS: Arg = Arg::OneOf("rank", RANK);

/// What was said of new messages.
pub struct Wishes<'a> {
    /// When they become ready, unix ms; None: at once.
    pub due_at_ms: Option<u64>,
    /// All else, if anything.
    pub with: Option<With<'a>>,
}

impl<'a> Wishes<'a> {
    /// Reads options; what they don't say is as the queue's settings say.
    pub fn read<A: AsRef<[u8]>>(
        options: &Options<'a, A>,
        store: &mut impl Store,
        now_ms: u64,
    ) -> Result<Self, CommandError> {
        let defaults = settings(store, &[Setting::Delay, Setting::Ttl])?;
        let due_at_ms = due_at_ms(options, now_ms, defaults.delay_ms);
        if options.is_empty() && defaults.ttl_ms == 0 {
            return Ok(Self { due_at_ms, with: None });
        }
        let ttl_ms = options.number(&TTL).unwrap_or(defaults.ttl_ms);
        let expires_at_ms = (ttl_ms > 0).then(|| now_ms.saturating_add(ttl_ms));
        let with = With {
            expires_at_ms,
            line: line(options),
            dedup: dedup(options, store, now_ms)?,
            headers: headers::read(options)?,
        };
        let is_plain = with.expires_at_ms.is_none()
            && with.line == Line::Priority(0)
            && with.dedup.is_none()
            && with.headers.is_empty();
        Ok(Self { due_at_ms, with: (!is_plain).then_some(with) })
    }
}

fn line<'a, A: AsRef<[u8]>>(options: &Options<'a, A>) -> Line<'a> {
    if let Some(group) = options.text(&GROUP) {
        return Line::Group(group);
    }
    let priority = options.number(&PRIORITY).and_then(|number| u8::try_from(number).ok());
    Line::Priority(priority.unwrap_or(0))
}

fn dedup<'a, A: AsRef<[u8]>>(
    options: &Options<'a, A>,
    store: &mut impl Store,
    now_ms: u64,
) -> Result<Option<Dedup<'a>>, CommandError> {
    let Some(key) = options.text(&DEDUP) else { return Ok(None) };
    if options.has("UNTILDONE") {
        return Ok(Some(Dedup { key, now_ms, until_ms: None }));
    }
    let window_ms = match options.number(&WINDOW) {
        Some(window_ms) => window_ms,
        None => settings(store, &[Setting::DedupWindow])?.dedup_window_ms,
    };
    Ok(Some(Dedup { key, now_ms, until_ms: Some(now_ms.saturating_add(window_ms)) }))
}

/// What became of a push. Error: [`CommandError::QueueFull`].
pub fn outcome(outcome: &Outcome<Body>) -> Result<Pushed, CommandError> {
    match outcome {
        Outcome::Pushed(Pushed::Full) => Err(CommandError::QueueFull),
        Outcome::Pushed(pushed) => Ok(*pushed),
        _ => Ok(Pushed::Added),
    }
}
