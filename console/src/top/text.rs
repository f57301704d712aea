//! Figures as text.

use crate::why::length;
use std::time::Duration;

/// Up to seven digits in full.
pub fn count(number: u64) -> String {
    let units = [(1_000_000_000_000, "T"), (1_000_000_000, "G"), (10_000_000, "M")];
    for (from, unit) in units {
        if number >= from {
            let size = if unit == "M" { 1_000_000 } else { from };
            return format!("{:.1}{unit}", number as f64 / size as f64);
        }
    }
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Per second.
pub fn rate(number: f64) -> String {
    match number {
        0.0 => "0".to_owned(),
        small if small < 100.0 => format!("{small:.1}"),
        large => count(large as u64),
    }
}

pub fn ms(time: u64) -> String {
    length(Duration::from_millis(time))
}

/// A name of one line; what would control the terminal is a dot.
pub fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '·' } else { c }).collect()
}

const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A chart of one line: the highest values of equal parts of the past, the last one at the right.
pub fn chart(values: &[f32], width: usize) -> String {
    let part = values.len().div_ceil(width.max(1)).max(1);
    let highest = |values: &[f32]| values.iter().copied().fold(0.0, f32::max);
    let top = highest(values);
    let bar = |value: f32| {
        if value <= 0.0 { BARS[0] } else { BARS[((value / top * 8.0).ceil() as usize).min(8)] }
    };
    // The parts end with the last value, so that the first part is the shorter one.
    let bars: Vec<char> = values.rchunks(part).map(|part| bar(highest(part))).collect();
    bars.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (9_999_999, "9,999,999"),
            (10_000_000, "10.0M"),
            (1_500_000_000, "1.5G"),
            (u64::MAX, "18446744.1T"),
        ] {
            assert_eq!(count(number), text);
        }
        for (number, text) in [(0.0, "0"), (0.51, "0.5"), (99.94, "99.9"), (1234.5, "1,234")] {
            assert_eq!(rate(number), text);
        }
    }

    #[test]
    fn a_chart_has_the_highest_of_each_part() {
        assert_eq!(chart(&[], 4), "");
        assert_eq!(chart(&[0.0, 0.0], 4), "  ");
        assert_eq!(chart(&[1.0, 8.0, 4.0], 4), "▁█▄");
        assert_eq!(chart(&[8.0, 1.0, 0.0, 2.0, 4.0], 3), "█▁▄");
    }
}
