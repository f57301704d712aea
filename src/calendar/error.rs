//! What is wrong with a cron expression.

use std::fmt;

use super::field::Field;

/// The longest expression.
pub const MAX_BYTES: usize = 256;

/// Why an expression is refused. Its text continues an error reply: one line, printable ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CronError {
    /// More than [`MAX_BYTES`]: how many.
    TooLong(usize),
    /// Something other than printable ASCII, blanks and tabs.
    NotText,
    /// Not five fields: how many.
    FieldCount(usize),
    /// An unknown word that begins with `@`.
    Shortcut(String),
    /// A value that the field does not have.
    Value(&'static Field, String),
    /// A range that ends before it begins.
    Order(&'static Field, String),
    /// A step after a single value.
    StepOfValue(&'static Field, String),
    /// A step that is zero or longer than the field.
    Step(&'static Field, String),
    /// A day that none of the months has.
    NeverFires,
}

impl fmt::Display for CronError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(len) => {
                write!(f, "the expression has {len} bytes; it must have at most {MAX_BYTES}")
            }
            Self::NotText => write!(f, "the expression must be printable ASCII text"),
            Self::FieldCount(count) => write!(
                f,
                "the expression has {count} field{}; it must have 5: minute, hour, day of month, \
                 month and day of week",
                if *count == 1 { "" } else { "s" }
            ),
            Self::Shortcut(word) => write!(
                f,
                "the expression is {word}; it must be five fields or @hourly, @daily, @midnight, \
                 @weekly, @monthly, @yearly or @annually"
            ),
            Self::Value(field, value) => {
                write!(f, "the {} is {value}; it must be {}", field.name, field.values())
            }
            Self::Order(field, range) => {
                write!(f, "the {} is {range}; a range must not end before it begins", field.name)
            }
            Self::StepOfValue(field, item) => {
                write!(f, "the {} is {item}; only * or a range can have a step", field.name)
            }
            Self::Step(field, step) => {
                let Field { name, max, .. } = field;
                write!(f, "the step of the {name} is {step}; it must be 1 to {max}")
            }
            Self::NeverFires => {
                write!(f, "the expression never fires: none of its months has such a day")
            }
        }
    }
}
