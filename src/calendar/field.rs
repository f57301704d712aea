//! The five fields of a cron expression: what each is called, and which values it has.

/// `L` among the days of a month: the last one, whatever its number.
pub const LAST_DAY: u32 = 32;

/// A field of an expression.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// What it is called in errors.
    pub name: &'static str,
    /// The lowest value.
    pub min: u32,
    /// The highest value.
    pub max: u32,
    /// The names of the values from `min` on, in any case; for most fields none.
    pub names: &'static [&'static str],
    /// True if `L` is a value.
    pub has_last: bool,
}

/// 0 to 59.
pub static MINUTE: Field = Field::numbered("minute", 0, 59);
/// 0 to 23.
pub static HOUR: Field = Field::numbered("hour", 0, 23);
/// 1 to 31, and [`LAST_DAY`].
pub static DAY_OF_MONTH: Field = Field { has_last: true, ..Field::numbered("day of month", 1, 31) };
/// 1 to 12.
pub static MONTH: Field = Field {
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    ..Field::numbered("month", 1, 12)
};
/// 0 to 7, where both 0 and 7 are Sunday.
pub static DAY_OF_WEEK: Field = Field {
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    ..Field::numbered("day of week", 0, 7)
};

impl Field {
    const fn numbered(name: &'static str, min: u32, max: u32) -> Self {
        Self { name, min, max, names: &[], has_last: false }
    }

    /// The valid values, in words.
    pub fn values(&self) -> String {
        let Self { min, max, .. } = self;
        match self.names {
            [first, .., last] => format!("{min} to {max} or {first} to {last}"),
            _ if self.has_last => format!("{min} to {max} or L"),
            _ => format!("{min} to {max}"),
        }
    }
}
