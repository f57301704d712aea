//! What MQ.PUSH and MQ.MPUSH share: the options of new messages, and the outcome of a push.

use super::arguments::{DEDUP, GROUP, PRIORITY, RANK, TTL, WHEN, WINDOW, due_at_ms};
use super::errors::CommandError;
use super::headers;
use super::options::Options;
use crate::queue::message::{Expiry, MessageId};
use crate::queue::op::{Class, Dedup, PushOptions};
use crate::queue::push::Pushed;
use crate::queue::settings::Setting;
use crate::queue::store::Store;
use crate::server::spec::Arg;

/// When a new message becomes ready.
pub const WHEN_READY: Arg = Arg::OneOf("when", WHEN);

/// How long it may wait, and what becomes of it then.
pub const TIME_TO_LIVE: Arg = Arg::Nested(&Arg::Number(TTL), &[Arg::Flag("DEAD")]);

/// What decides its order of delivery.
pub const ORDER: Arg = Arg::OneOf("rank", RANK);

/// The options of new messages, completed by the queue's settings.
pub struct PushRequest<'a> {
    /// When the messages become ready, unix ms; None: at once.
    pub due_at_ms: Option<u64>,
    /// Everything else; None for plain messages.
    pub options: Option<PushOptions<'a>>,
}

impl<'a> PushRequest<'a> {
    /// Reads the options; the queue's settings supply defaults.
    pub fn read<A: AsRef<[u8]>>(
        options: &Options<'a, A>,
        store: &mut impl Store,
        now_ms: u64,
    ) -> Result<Self, CommandError> {
        let due_at_ms = due_at_ms(options, now_ms, store.required_number(Setting::Delay)?)?;
        let default_ttl_ms = store.number(Setting::Ttl);
        if options.is_empty() && default_ttl_ms == 0 {
            return Ok(Self { due_at_ms, options: None });
        }
        let ttl_ms = options.number(&TTL).unwrap_or(default_ttl_ms);
        let end = if options.has("DEAD") { Expiry::kills } else { Expiry::discards };
        let expiry = (ttl_ms > 0).then(|| end(now_ms.saturating_add(ttl_ms)));
        let push = PushOptions {
            expiry,
            class: class(options),
            dedup: dedup(options, store, now_ms)?,
            headers: headers::read(options)?,
        };
        let is_plain = push.expiry.is_none()
            && push.class == Class::Priority(0)
            && push.dedup.is_none()
            && push.headers.is_empty();
        Ok(Self { due_at_ms, options: (!is_plain).then_some(push) })
    }
}

fn class<'a, A: AsRef<[u8]>>(options: &Options<'a, A>) -> Class<'a> {
    if let Some(group) = options.text(&GROUP) {
        return Class::Group(group);
    }
    let priority = options.number(&PRIORITY).and_then(|number| u8::try_from(number).ok());
    Class::Priority(priority.unwrap_or(0))
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
        None => store.required_number(Setting::DedupWindow)?,
    };
    Ok(Some(Dedup { key, now_ms, until_ms: Some(now_ms.saturating_add(window_ms)) }))
}

/// None, or the id of the message that holds the deduplication key. Error: [`CommandError::QueueFull`] or
/// [`CommandError::DedupFull`].
pub fn check(pushed: Pushed) -> Result<Option<MessageId>, CommandError> {
    match pushed {
        Pushed::Added => Ok(None),
        Pushed::Duplicate(first) => Ok(Some(first)),
        Pushed::Full => Err(CommandError::QueueFull),
        Pushed::DedupFull => Err(CommandError::DedupFull),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::mpush::Mpush;
    use crate::commands::push::Push;
    use crate::queue_tests::store_with;

    const NOW_MS: u64 = 1_800_000_000_000;

    /// Options, settings of the queue, and a timestamp, unix ms.
    type Case<'a> = (&'a [&'a str], &'a [(Setting, &'a str)], Option<u64>);

    fn request<'a>(line: &'a [&'a str], settings: &[(Setting, &str)]) -> PushRequest<'a> {
        let options = Options::read::<Push>(line).unwrap();
        PushRequest::read(&options, &mut store_with(settings), NOW_MS).unwrap()
    }

    #[test]
    fn delay_and_at_say_when_it_is_due_and_else_the_queue_does() {
        let delay = [(Setting::Delay, "500")];
        let cases: [Case<'_>; 9] = [
            (&[], &[], None),
            (&[], &delay, Some(NOW_MS + 500)),
            (&["DELAY", "7"], &delay, Some(NOW_MS + 7)),
            (&["DELAY", "0"], &delay, None),
            (&["AT", "1800000000001"], &delay, Some(NOW_MS + 1)),
            (&["AT", "1800000000000"], &delay, None),
            (&["AT", "100000000001"], &delay, None),
            (&["AT", "0"], &delay, None),
            (&["AT", "8796093022207"], &[], Some(8_796_093_022_207)),
        ];
        for (line, settings, due_at_ms) in cases {
            assert_eq!(request(line, settings).due_at_ms, due_at_ms, "{line:?} {settings:?}");
        }
    }

    #[test]
    fn an_at_in_seconds_is_refused() {
        for at in ["1", "1800000000", "100000000000"] {
            let line = ["AT", at];
            let options = Options::read::<Push>(&line).unwrap();
            let refused = PushRequest::read(&options, &mut store_with(&[]), NOW_MS);
            assert_eq!(
                refused.err(),
                Some(CommandError::InSeconds("AT", at.parse().unwrap())),
                "{at}"
            );
        }
    }

    #[test]
    fn ttl_says_how_long_it_lives_and_else_the_queue_does() {
        let ttl = [(Setting::Ttl, "500")];
        let cases: [Case<'_>; 5] = [
            (&[], &[], None),
            (&[], &ttl, Some(NOW_MS + 500)),
            (&["TTL", "7"], &ttl, Some(NOW_MS + 7)),
            (&["TTL", "0"], &ttl, None),
            (&["DELAY", "7"], &ttl, Some(NOW_MS + 500)),
        ];
        for (line, settings, expires_at_ms) in cases {
            let push = request(line, settings).options;
            assert_eq!(
                push.and_then(|push| push.expiry),
                expires_at_ms.map(Expiry::discards),
                "{line:?}"
            );
        }
    }

    #[test]
    fn a_key_holds_for_its_window_or_that_of_the_queue_or_until_its_message_is_gone() {
        let window = [(Setting::DedupWindow, "500")];
        let cases: [Case<'_>; 4] = [
            (&["DEDUP", "k"], &[], Some(NOW_MS + 300_000)),
            (&["DEDUP", "k"], &window, Some(NOW_MS + 500)),
            (&["DEDUP", "k", "WINDOW", "7"], &window, Some(NOW_MS + 7)),
            (&["DEDUP", "k", "UNTILDONE"], &window, None),
        ];
        for (line, settings, until_ms) in cases {
            let dedup = request(line, settings).options.and_then(|push| push.dedup);
            assert_eq!(dedup, Some(Dedup { key: b"k", now_ms: NOW_MS, until_ms }), "{line:?}");
        }
    }

    #[test]
    fn what_says_nothing_of_its_own_is_plain() {
        for line in [&["PRIORITY", "0"][..], &["TTL", "0"], &["DELAY", "5"], &["AT", "0"]] {
            assert_eq!(request(line, &[]).options, None, "{line:?}");
        }
        let line = |line| request(line, &[]).options.map(|push| push.class);
        assert_eq!(line(&["PRIORITY", "9"]), Some(Class::Priority(9)));
        assert_eq!(line(&["GROUP", "g"]), Some(Class::Group(b"g")));
        let many = Options::read::<Mpush>(&["GROUP", "g"]).unwrap();
        let push = PushRequest::read(&many, &mut store_with(&[]), NOW_MS).unwrap().options;
        assert_eq!(push.map(|push| push.class), Some(Class::Group(b"g")));
    }
}
