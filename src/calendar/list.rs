//! The text of a field of a cron expression: a list of values, ranges and steps.

use super::bits::Bits;
use super::error::CronError;
use super::field::{Field, LAST_DAY};

/// The values that a list of values, ranges and steps selects.
pub fn parse(field: &'static Field, list: &str) -> Result<Bits, CronError> {
    let mut selected = Bits::default();
    for item in list.split(',') {
        if item.is_empty() {
            return Err(wrong(field, list));
        }
        selected = selected.or(item_of(field, item)?);
    }
    Ok(selected)
}

fn item_of(field: &'static Field, item: &str) -> Result<Bits, CronError> {
    let (values, step) = match item.split_once('/') {
        Some((values, step)) => (values, Some(step)),
        None => (item, None),
    };
    let (first, last) = match values.split_once('-') {
        _ if values == "*" => (field.min, field.max),
        Some((first, last)) => (value_of(field, first, item)?, value_of(field, last, item)?),
        None if step.is_some() => {
            return Err(CronError::StepOfValue(field, item.to_string()));
        }
        None if field.has_last && values.eq_ignore_ascii_case("L") => (LAST_DAY, LAST_DAY),
        None => value_of(field, values, item).map(|value| (value, value))?,
    };
    if last < first {
        return Err(CronError::Order(field, values.to_string()));
    }
    Ok(Bits::range(first, last, step.map_or(Ok(1), |step| step_of(field, step))?))
}

/// A number or a name in an item.
fn value_of(field: &'static Field, text: &str, item: &str) -> Result<u32, CronError> {
    let named = field.names.iter().position(|name| name.eq_ignore_ascii_case(text));
    let value = match named {
        Some(place) => u32::try_from(place).ok().and_then(|place| place.checked_add(field.min)),
        None => number(text),
    };
    value.filter(|value| (field.min..=field.max).contains(value)).ok_or_else(|| wrong(field, item))
}

fn step_of(field: &'static Field, text: &str) -> Result<u32, CronError> {
    number(text)
        .filter(|step| (1..=field.max).contains(step))
        .ok_or_else(|| CronError::Step(field, text.to_string()))
}

fn wrong(field: &'static Field, value: &str) -> CronError {
    CronError::Value(field, value.to_string())
}

/// Digits only: no sign.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}
