//! MQ.SCHEDULE: sets a schedule.

use super::arguments::{GROUP, HEADERS, PRIORITY, QUEUE, TTL, UNIX_TIME_MS, milliseconds, moment};
use super::errors::CommandError;
use super::new_messages::{ORDER, TIME_TO_LIVE};
use super::options::Options;
use super::quoted::Quoted;
use super::{handler, headers, reply};
use crate::calendar::{Cron, Zone};
use crate::queue::message::Header;
use crate::queue::part::Part;
use crate::queue::schedule::{
    ADDED_HEADER_BYTES, ADDED_HEADERS, CatchUp, Definition, Life, MISSED_HEADER, NAME_HEADER,
    Overlap, Rhythm, TICK_HEADER, Template, Text, Timing,
};
use crate::queue::store::{Schedules, Store};
use crate::queue::valid::{
    MAX_COUNT, MAX_DURATION_MS, MAX_EXPRESSION_BYTES, MAX_HEADER_BYTES, MAX_HEADERS,
    MAX_SCHEDULED_BYTES, MAX_SCHEDULES, MAX_ZONE_BYTES, MIN_EVERY_MS,
};
use crate::runtime::due::{self, NoTick};
use crate::runtime::execute::execute_on;
use crate::runtime::facts::IS_ACTIVE;
use crate::runtime::ticks;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::key::Access;
use crate::server::spec::{Arg, Choice, KeyUse, MILLISECONDS, Name, Number, Spec, UNIX_TIME};
use crate::server::string::Argument;

/// The name of a schedule.
pub const NAME: Name = Name { token: "name", name: "name", min: 1, max: 256 };

const PAYLOAD: Name = Name { token: "payload", name: "payload", min: 0, max: MAX_SCHEDULED_BYTES };

const EVERY: Number = Number {
    token: "EVERY",
    name: MILLISECONDS,
    min: MIN_EVERY_MS as i64,
    max: MAX_DURATION_MS as i64,
};
const CRON: Name = Name { token: "CRON", name: "expression", min: 1, max: MAX_EXPRESSION_BYTES };
const TZ: Name = Name { token: "TZ", name: "zone", min: 1, max: MAX_ZONE_BYTES };
const START: Number = Number { token: "START", name: UNIX_TIME, min: 0, max: UNIX_TIME_MS };
const END: Number = Number { token: "END", name: UNIX_TIME, min: 0, max: UNIX_TIME_MS };
const LIMIT: Number = Number { token: "LIMIT", name: "n", min: 1, max: MAX_COUNT };
const JITTER: Number = milliseconds("JITTER", 0);
const CATCHUP: Choice = Choice { token: "CATCHUP", words: &["NONE", "ONE", "ALL"] };
const OVERLAP: Choice = Choice { token: "OVERLAP", words: &["ALLOW", "SKIP"] };
const PAUSED: Number = Number { token: "PAUSED", name: "0 | 1", min: 0, max: 1 };

/// Metadata beside the payload; the schedule adds some.
const OWN_HEADERS: Number = Number { max: (MAX_HEADERS - ADDED_HEADERS) as i64, ..HEADERS };

/// `MQ.SCHEDULE queue name payload (EVERY milliseconds | CRON expression)`, and options.
pub struct Schedule;

impl Command for Schedule {
    const SPEC: Spec = Spec {
        name: "MQ.SCHEDULE",
        summary: "Sets a schedule, which pushes a message at each of its ticks.",
        complexity: "O(log n) with n schedules in the queue.",
        since: "0.2.0",
        flags: "write deny-oom",
        blocking: false,
        arity: -6,
        key: Some(KeyUse::Insert),
        arguments: &[
            QUEUE,
            Arg::Text("name"),
            Arg::Text("payload"),
            Arg::Required(
                "rhythm",
                &[Arg::Number(EVERY), Arg::Nested(&Arg::Name(CRON), &[Arg::Name(TZ)])],
            ),
            Arg::Number(START),
            Arg::Number(END),
            Arg::Number(LIMIT),
            Arg::Number(JITTER),
            Arg::Choice(CATCHUP),
            Arg::Choice(OVERLAP),
            Arg::Number(PAUSED),
            TIME_TO_LIVE,
            ORDER,
            Arg::Pairs(OWN_HEADERS, ["name", "value"]),
        ],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, schedule);
    }
}

fn schedule(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, name, payload, options @ ..] = arguments else {
        return Err(CommandError::Arity);
    };
    let name = check_name(name.as_bytes())?;
    let options = Options::read::<Schedule>(options)?;
    let definition = definition(&options, payload.as_bytes())?;
    let entry = handler::entry(context, *queue)?;
    let now_ms = context.began_ms();
    let mut store = entry.open(context, Access::Write);
    if IS_ACTIVE.get() {
        // A tick that is due already is not affected by the change.
        ticks::run(context, &entry, &mut store, now_ms)?;
    }
    store.require(&[Part::Schedules, Part::Ticks])?;
    let old = store.schedule(name).unwrap_or(None);
    if old.is_none() && store.len(Part::Schedules) >= MAX_SCHEDULES {
        return Err(CommandError::TooManySchedules);
    }
    let op = due::set(name, definition, old.as_ref(), now_ms);
    let Some(op) = op.map_err(|NoTick| CommandError::NoTick)? else {
        reply::count(context, 0);
        return Ok(());
    };
    reply::count(context, execute_on(context, &entry, &mut store, op)?);
    Ok(())
}

/// Checks the name of a schedule.
pub fn check_name(name: &[u8]) -> Result<&[u8], CommandError> {
    if (NAME.min..=NAME.max).contains(&name.len()) {
        Ok(name)
    } else {
        Err(CommandError::Length(NAME))
    }
}

/// What the options say.
pub fn definition<A: AsRef<[u8]>>(
    options: &Options<'_, A>,
    payload: &[u8],
) -> Result<Definition, CommandError> {
    if payload.len() > PAYLOAD.max {
        return Err(CommandError::Length(PAYLOAD));
    }
    let limit = options.number(&LIMIT).and_then(|limit| u32::try_from(limit).ok());
    let jitter_ms = options.number(&JITTER).unwrap_or(0);
    let rhythm = rhythm(options)?;
    if matches!(rhythm, Rhythm::Every { ms } if jitter_ms >= ms) {
        return Err(CommandError::JitterTooLong);
    }
    let (start_ms, end_ms) = (moment(options, &START)?, moment(options, &END)?);
    Ok(Definition {
        timing: Timing { rhythm, start_ms, end_ms, limit, jitter_ms },
        catch_up: match options.word(&CATCHUP) {
            Some("NONE") => CatchUp::None,
            Some("ALL") => CatchUp::All,
            _ => CatchUp::One,
        },
        overlap: match options.word(&OVERLAP) {
            Some("SKIP") => Overlap::Skip,
            _ => Overlap::Allow,
        },
        is_paused: options.number(&PAUSED) == Some(1),
        message: template(options, payload)?,
    })
}

fn rhythm<A: AsRef<[u8]>>(options: &Options<'_, A>) -> Result<Rhythm, CommandError> {
    if let Some(ms) = options.number(&EVERY) {
        return Ok(Rhythm::Every { ms });
    }
    let expression = options.text(&CRON).unwrap_or_default();
    Cron::parse(expression).map_err(CommandError::Expression)?;
    let zone = match options.text(&TZ) {
        Some(name) => Zone::named(name).ok_or_else(|| CommandError::Zone(Quoted::of(name)))?,
        None => Zone::utc(),
    };
    Ok(Rhythm::Cron { expression: expression.to_vec(), zone: zone.name().into() })
}

fn template<A: AsRef<[u8]>>(
    options: &Options<'_, A>,
    payload: &[u8],
) -> Result<Template, CommandError> {
    let headers = headers::read(options)?;
    let own = [NAME_HEADER, TICK_HEADER, MISSED_HEADER];
    if let Some(header) = headers.iter().find(|header| own.contains(&header.name)) {
        return Err(CommandError::OwnHeader(Quoted::of(header.name)));
    }
    let sizes = headers.iter().flat_map(|header| [header.name.len(), header.value.len()]);
    let bytes = sizes.fold(ADDED_HEADER_BYTES, usize::saturating_add);
    if bytes > MAX_HEADER_BYTES {
        return Err(CommandError::ScheduleHeadersTooLong);
    }
    let text = |bytes: &[u8]| Text(bytes.to_vec());
    let life = options.number(&TTL);
    let priority = options.number(&PRIORITY).and_then(|number| u8::try_from(number).ok());
    Ok(Template {
        payload: payload.to_vec(),
        life: life.map(|ttl_ms| Life { ttl_ms, ends_in_death: options.has("DEAD") }),
        priority: priority.unwrap_or(0),
        group: options.text(&GROUP).map(text),
        headers: headers.iter().map(|Header { name, value }| (text(name), text(value))).collect(),
    })
}
