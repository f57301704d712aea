//! Cron expressions: which local minutes they select. Knows no time zones: see `ticks.rs`.

use jiff::civil::{Date, DateTime};

use super::bits::Bits;
use super::error::{CronError, MAX_BYTES};
use super::field::{DAY_OF_MONTH, DAY_OF_WEEK, HOUR, LAST_DAY, MINUTE, MONTH};
use super::list;

/// The search for the next day looks at the months of this many years. The rarest day is a 29 February on a certain
/// day of the week (`0 0 29 2 */7`): 28 years apart, and 40 where a year that is divisible by 100 is no leap year.
const SEARCHED_MONTHS: u32 = 40 * 12 + 1;

/// An expression of five fields, as in Vixie cron (crontab(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cron {
    minutes: Bits,
    hours: Bits,
    /// 1 to 31, and [`LAST_DAY`].
    days: Bits,
    months: Bits,
    /// 0, Sunday, to 6.
    weekdays: Bits,
    days_must_match: DayMatch,
    has_any_hour: bool,
}

/// Which of its two day fields a day must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DayMatch {
    /// Both: one of them begins with `*`.
    Both,
    /// Either: both are restricted.
    Either,
}

impl Cron {
    /// Reads five fields, or a word such as `@daily`.
    pub fn parse(expression: &[u8]) -> Result<Self, CronError> {
        if expression.len() > MAX_BYTES {
            return Err(CronError::TooLong(expression.len()));
        }
        let is_text = |byte: &u8| byte.is_ascii_graphic() || is_blank(char::from(*byte));
        let text = match str::from_utf8(expression) {
            Ok(text) if expression.iter().all(is_text) => text.trim_matches(is_blank),
            _ => return Err(CronError::NotText),
        };
        let fields = match text.split(is_blank).next() {
            Some(word) if word.starts_with('@') => {
                let fields = shortcut(word)?;
                if word == text { fields } else { text }
            }
            _ => text,
        };
        let mut parts = fields.split(is_blank).filter(|part| !part.is_empty());
        let mut part = || parts.next();
        let (Some(minute), Some(hour), Some(day), Some(month), Some(weekday), None) =
            (part(), part(), part(), part(), part(), part())
        else {
            let count = fields.split(is_blank).filter(|part| !part.is_empty()).count();
            return Err(CronError::FieldCount(count));
        };
        let has_any_day = [day, weekday].iter().any(|field| field.starts_with('*'));
        let cron = Self {
            minutes: list::parse(&MINUTE, minute)?,
            hours: list::parse(&HOUR, hour)?,
            days: list::parse(&DAY_OF_MONTH, day)?,
            months: list::parse(&MONTH, month)?,
            weekdays: weekdays(list::parse(&DAY_OF_WEEK, weekday)?),
            days_must_match: if has_any_day { DayMatch::Both } else { DayMatch::Either },
            has_any_hour: hour.starts_with('*'),
        };
        if cron.never_fires() { Err(CronError::NeverFires) } else { Ok(cron) }
    }

    /// True if the hour field begins with `*`: such an expression means a distance in time, not a time of day.
    pub(super) const fn has_any_hour(&self) -> bool {
        self.has_any_hour
    }

    /// The first selected minute that is strictly later. None if it is in none of the next 40 years.
    pub(super) fn next_minute(&self, after: DateTime) -> Option<DateTime> {
        let date = after.date();
        let today = self.days_of(date.first_of_month()).has(number(date.day()));
        if today && let Some(minute) = self.minute_of_day(after) {
            return Some(minute);
        }
        let date = self.next_day(date)?;
        at(date, self.hours.first_from(0)?, self.minutes.first_from(0)?)
    }

    /// The first selected minute of the same day that is strictly later.
    fn minute_of_day(&self, after: DateTime) -> Option<DateTime> {
        let (hour, minute) = (number(after.hour()), number(after.minute()));
        if self.hours.has(hour)
            && let Some(minute) = self.minutes.first_from(minute.saturating_add(1))
        {
            return at(after.date(), hour, minute);
        }
        let hour = self.hours.first_from(hour.saturating_add(1))?;
        at(after.date(), hour, self.minutes.first_from(0)?)
    }

    /// The first selected day that is strictly later.
    fn next_day(&self, after: Date) -> Option<Date> {
        let (mut year, mut month) = (after.year(), number(after.month()));
        let mut least_day = number(after.day()).saturating_add(1);
        for _ in 0..SEARCHED_MONTHS {
            if self.months.has(month) {
                let first = date(year, month, 1)?;
                if let Some(day) = self.days_of(first).first_from(least_day) {
                    return date(year, month, day);
                }
            }
            least_day = 1;
            (year, month) = if month == 12 {
                (year.saturating_add(1), 1)
            } else {
                (year, month.saturating_add(1))
            };
        }
        None
    }

    /// The selected days of the month that begins on this day.
    fn days_of(&self, first: Date) -> Bits {
        if !self.months.has(number(first.month())) {
            return Bits::default();
        }
        let len = number(first.days_in_month());
        let last = if self.days.has(LAST_DAY) { Bits::range(len, len, 1) } else { Bits::default() };
        let days = self.days.or(last);
        // The first week begins before the month, on a Sunday; the sixth may be needed to fill it.
        let weeks = [0, 7, 14, 21, 28, 35].map(|week| self.weekdays.raised(week));
        let weeks = weeks.into_iter().fold(Bits::default(), Bits::or);
        let weekdays = weeks.lowered(number(first.weekday().to_sunday_zero_offset())).raised(1);
        let selected = match self.days_must_match {
            DayMatch::Both => days.and(weekdays),
            DayMatch::Either => days.or(weekdays),
        };
        selected.and(Bits::range(1, len, 1))
    }

    /// True if none of its months ever has one of its days. Every day of the year, the 29 February too, is on every
    /// day of the week in some year.
    fn never_fires(&self) -> bool {
        const LONGEST: [u32; 13] = [0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let longest = LONGEST.iter().zip(0..).filter(|(_, month)| self.months.has(*month));
        let longest = longest.map(|(days, _)| *days).max().unwrap_or(0);
        self.days_must_match == DayMatch::Both
            && !self.days.has(LAST_DAY)
            && self.days.first_from(1).is_none_or(|first| first > longest)
    }
}

/// Days of the week without 7, which is Sunday too.
fn weekdays(selected: Bits) -> Bits {
    selected.or(selected.lowered(7)).and(Bits::range(0, 6, 1))
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t')
}

/// The fields that a word stands for.
fn shortcut(word: &str) -> Result<&'static str, CronError> {
    match word.to_ascii_lowercase().as_str() {
        "@hourly" => Ok("0 * * * *"),
        "@daily" | "@midnight" => Ok("0 0 * * *"),
        "@weekly" => Ok("0 0 * * 0"),
        "@monthly" => Ok("0 0 1 * *"),
        "@yearly" | "@annually" => Ok("0 0 1 1 *"),
        _ => Err(CronError::Shortcut(word.to_string())),
    }
}

/// A part of a date or time, which is never negative.
fn number(part: i8) -> u32 {
    u32::from(part.unsigned_abs())
}

fn date(year: i16, month: u32, day: u32) -> Option<Date> {
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

fn at(date: Date, hour: u32, minute: u32) -> Option<DateTime> {
    let (hour, minute) = (i8::try_from(hour).ok()?, i8::try_from(minute).ok()?);
    DateTime::new(date.year(), date.month(), date.day(), hour, minute, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(expression: &str) -> Cron {
        Cron::parse(expression.as_bytes()).unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    #[test]
    fn the_next_minutes_are_those_that_the_fields_select() {
        for (expression, after, expected) in [
            ("* * * * *", "2026-01-01T00:00:59", ["2026-01-01T00:01", "2026-01-01T00:02"]),
            ("*/15 9-10 * * *", "2026-01-01T09:44", ["2026-01-01T09:45", "2026-01-01T10:00"]),
            ("1-59/29,3 8 * * *", "2026-01-01T08:01", ["2026-01-01T08:03", "2026-01-01T08:30"]),
            ("30 6 * * MON-FRI", "2026-01-02T06:30", ["2026-01-05T06:30", "2026-01-06T06:30"]),
            ("0 0 * * 7", "2026-01-01T00:00", ["2026-01-04T00:00", "2026-01-11T00:00"]),
            ("0 0 * * 5-7", "2026-01-02T00:00", ["2026-01-03T00:00", "2026-01-04T00:00"]),
            ("0 0 31 * *", "2026-01-31T00:00", ["2026-03-31T00:00", "2026-05-31T00:00"]),
            ("0 0 L * *", "2026-01-31T00:00", ["2026-02-28T00:00", "2026-03-31T00:00"]),
            ("0 0 15,l 2 *", "2028-02-15T00:00", ["2028-02-29T00:00", "2029-02-15T00:00"]),
            ("0 0 1 jan,JUL *", "2026-01-01T00:00", ["2026-07-01T00:00", "2027-01-01T00:00"]),
            ("0 0 29 2 *", "2096-02-29T00:00", ["2104-02-29T00:00", "2108-02-29T00:00"]),
            // Either day field, if both are restricted.
            ("0 0 13 * FRI", "2026-02-06T00:00", ["2026-02-13T00:00", "2026-02-20T00:00"]),
            ("0 0 1 * MON", "2026-01-26T00:00", ["2026-02-01T00:00", "2026-02-02T00:00"]),
            // Both, if one begins with `*`.
            ("0 0 */2 * MON", "2026-01-01T00:00", ["2026-01-05T00:00", "2026-01-19T00:00"]),
            ("0 0 13 * */5", "2026-01-01T00:00", ["2026-02-13T00:00", "2026-03-13T00:00"]),
            ("\t@Hourly ", "2026-12-31T22:59", ["2026-12-31T23:00", "2027-01-01T00:00"]),
            ("@daily", "2026-12-31T00:00", ["2027-01-01T00:00", "2027-01-02T00:00"]),
            ("@midnight", "2026-12-31T00:00", ["2027-01-01T00:00", "2027-01-02T00:00"]),
            ("@weekly", "2026-01-01T00:00", ["2026-01-04T00:00", "2026-01-11T00:00"]),
            ("@monthly", "2026-01-31T23:59", ["2026-02-01T00:00", "2026-03-01T00:00"]),
            ("@yearly", "2026-01-01T00:00", ["2027-01-01T00:00", "2028-01-01T00:00"]),
            ("@annually", "2026-01-01T00:00", ["2027-01-01T00:00", "2028-01-01T00:00"]),
        ] {
            let cron = parse(expression);
            let mut moment: DateTime = after.parse().unwrap();
            for expected in expected {
                moment = cron.next_minute(moment).unwrap();
                assert_eq!(moment, expected.parse().unwrap(), "{expression} after {after}");
            }
        }
    }

    #[test]
    fn a_wrong_expression_is_told_by_field_value_and_range() {
        for (expression, expected) in [
            ("0 25 * * *", "the hour is 25; it must be 0 to 23"),
            ("0 25 32 13 8", "the hour is 25; it must be 0 to 23"),
            ("60 * * * *", "the minute is 60; it must be 0 to 59"),
            ("0 20-25/2 * * *", "the hour is 20-25/2; it must be 0 to 23"),
            ("-1 * * * *", "the minute is -1; it must be 0 to 59"),
            ("+1 * * * *", "the minute is +1; it must be 0 to 59"),
            ("0 0 0 * *", "the day of month is 0; it must be 1 to 31 or L"),
            ("0 0 32 * *", "the day of month is 32; it must be 1 to 31 or L"),
            ("0 0 L-3 * *", "the day of month is L-3; it must be 1 to 31 or L"),
            ("0 0 1-L * *", "the day of month is 1-L; it must be 1 to 31 or L"),
            ("0 0 ? * *", "the day of month is ?; it must be 1 to 31 or L"),
            ("0 0 1 13 *", "the month is 13; it must be 1 to 12 or JAN to DEC"),
            ("0 0 1 MONDAY *", "the month is MONDAY; it must be 1 to 12 or JAN to DEC"),
            ("0 0 * * 8", "the day of week is 8; it must be 0 to 7 or SUN to SAT"),
            ("0 0 * * 5L", "the day of week is 5L; it must be 0 to 7 or SUN to SAT"),
            ("99999999999 * * * *", "the minute is 99999999999; it must be 0 to 59"),
            ("1,,2 * * * *", "the minute is 1,,2; it must be 0 to 59"),
            ("1- * * * *", "the minute is 1-; it must be 0 to 59"),
            ("1-2-3 * * * *", "the minute is 1-2-3; it must be 0 to 59"),
            ("30-10 * * * *", "the minute is 30-10; a range must not end before it begins"),
            ("5/10 * * * *", "the minute is 5/10; only * or a range can have a step"),
            ("0 0 L/2 * *", "the day of month is L/2; only * or a range can have a step"),
            ("*/0 * * * *", "the step of the minute is 0; it must be 1 to 59"),
            ("0 */24 * * *", "the step of the hour is 24; it must be 1 to 23"),
            ("0 0 1 1-6/ *", "the step of the month is ; it must be 1 to 12"),
            ("0 0 30 2 *", "the expression never fires: none of its months has such a day"),
            ("0 0 31 4,6,9,11 *", "the expression never fires: none of its months has such a day"),
            (
                "0 0 * *",
                "the expression has 4 fields; it must have 5: minute, hour, day of month, \
              month and day of week",
            ),
            (
                "0",
                "the expression has 1 field; it must have 5: minute, hour, day of month, month and \
              day of week",
            ),
            (
                "0 0 * * * 2026",
                "the expression has 6 fields; it must have 5: minute, hour, day of \
              month, month and day of week",
            ),
            (
                "@daily\t1",
                "the expression has 2 fields; it must have 5: minute, hour, day of month, \
              month and day of week",
            ),
            (
                " ",
                "the expression has 0 fields; it must have 5: minute, hour, day of month, \
              month and day of week",
            ),
            (
                "@every 5m",
                "the expression is @every; it must be five fields or @hourly, @daily, \
              @midnight, @weekly, @monthly, @yearly or @annually",
            ),
            (
                "@reboot",
                "the expression is @reboot; it must be five fields or @hourly, @daily, \
              @midnight, @weekly, @monthly, @yearly or @annually",
            ),
            ("0 0 * *\n*", "the expression must be printable ASCII text"),
            ("0 0 * * \u{661}", "the expression must be printable ASCII text"),
        ] {
            let told = Cron::parse(expression.as_bytes()).map_err(|error| error.to_string());
            assert_eq!(told, Err(expected.to_string()), "{expression}");
        }
        assert_eq!(Cron::parse(b"\xff * * * *"), Err(CronError::NotText));
    }

    #[test]
    fn an_expression_has_at_most_256_bytes() {
        let padded = |len: usize| format!("{:len$}", "@daily");
        assert_eq!(Cron::parse(padded(256).as_bytes()), Cron::parse(b"@daily"));
        assert_eq!(Cron::parse(padded(257).as_bytes()), Err(CronError::TooLong(257)));
    }

    #[test]
    fn two_restricted_day_fields_fire_although_no_month_has_the_day() {
        let cron = parse("0 0 30 2 MON");
        let after = "2026-02-02T00:00".parse().unwrap();
        assert_eq!(cron.next_minute(after), Some("2026-02-09T00:00".parse().unwrap()));
    }
}
