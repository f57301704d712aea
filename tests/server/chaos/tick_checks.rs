//! What must hold of the ticks in a journal, whatever was broken: each has one message, as far as it is confirmed.

use super::{
    journal::{Entries, Kept, Tick},
    ticks::{ALL, EVERY, ONE},
};
use std::collections::{BTreeMap, BTreeSet};

/// Everything about ticks that does not fit together, as sentences. No message of a tick is left.
pub fn violations(journal: &Entries) -> Vec<String> {
    let mut schedules: BTreeMap<&str, Vec<&Tick>> = BTreeMap::new();
    for tick in &journal.ticks {
        schedules.entry(&tick.schedule).or_default().push(tick);
    }
    let mut found = Vec::new();
    for (name, ticks) in &schedules {
        let mut say = |what: String| found.push(format!("schedule {name}: {what}"));
        comes_once(ticks, &mut say);
        if [ALL, ONE].contains(name) {
            let skipped = journal.skipped.get(*name).copied().unwrap_or(0);
            none_is_lost(ticks, skipped, &mut say);
        }
        if *name == ALL {
            let stands_for_others = ticks.iter().find(|tick| tick.missed > 0);
            stands_for_others.inspect(|tick| say(format!("it missed ticks: {tick:?}")));
        }
    }
    found
}

fn is_sure(tick: &Tick) -> bool {
    tick.kept == Kept::Surely
}

/// A tick whose message is confirmed has no other one that is: no fault separates these two.
fn comes_once(ticks: &[&Tick], say: &mut dyn FnMut(String)) {
    let mut messages: BTreeMap<i64, &Tick> = BTreeMap::new();
    for tick in ticks.iter().filter(|tick| is_sure(tick)) {
        let first = messages.entry(tick.at_ms).or_insert(tick);
        if first.id != tick.id {
            say(format!("a tick came twice: {first:?}, {tick:?}"));
        }
    }
}

/// Before each confirmed message there is the one that its `mq-missed` says, and no other in between; but for ticks
/// that were skipped. What came before may be unconfirmed: a fault can have undone that, but not that it was pushed.
fn none_is_lost(ticks: &[&Tick], skipped: i64, say: &mut dyn FnMut(String)) {
    let all: BTreeSet<i64> = ticks.iter().map(|tick| tick.at_ms).collect();
    let sure: BTreeMap<i64, &Tick> =
        ticks.iter().filter(|tick| is_sure(tick)).map(|tick| (tick.at_ms, *tick)).collect();
    let mut lost = Vec::new();
    for (at_ms, tick) in sure.iter().skip(1) {
        let before_ms = at_ms - EVERY * (1 + tick.missed);
        if !all.contains(&before_ms) {
            lost.push(format!("a tick is missing at {before_ms}, before {tick:?}"));
        }
        if let Some((_, between)) = sure.range(before_ms + 1..*at_ms).next() {
            say(format!("a tick is counted as missed, but came: {between:?}, then {tick:?}"));
        }
    }
    if lost.len() as i64 > skipped {
        lost.into_iter().for_each(|what| say(format!("{what} ({skipped} were skipped)")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chaos::journal::During;

    const START_MS: i64 = 1_800_000_000_000;

    fn tick(schedule: &str, number: i64, missed: i64) -> Tick {
        let at_ms = START_MS + number * EVERY;
        let during = at_ms as u64 * 1_000;
        let when = During { began_us: during, ended_us: during + 1 };
        let (schedule, id) = (schedule.to_string(), format!("{schedule}-{number}"));
        Tick { schedule, at_ms, missed, id, when, kept: Kept::Surely }
    }

    /// Each tick has its message, but two after a restart, one of which is counted by the next.
    fn sound() -> Entries {
        let all = (0..10).map(|number| tick(ALL, number, 0));
        let one =
            [(0, 0), (1, 0), (4, 2), (5, 0)].map(|(number, missed)| tick(ONE, number, missed));
        let none = [0, 4, 5].map(|number| tick("NONE", number, 0));
        Entries { ticks: all.chain(one).chain(none).collect(), ..Entries::default() }
    }

    #[test]
    fn sound_ticks_have_no_violations() {
        assert_eq!(violations(&sound()), [""; 0]);
    }

    #[test]
    fn whatever_is_wrong_with_ticks_is_found() {
        type Damage = fn(&mut Entries);
        let damages: [(&str, Damage); 6] = [
            ("came twice", |all| all.ticks.push(Tick { id: "other".into(), ..tick(ALL, 3, 0) })),
            ("came twice", |all| all.ticks.push(Tick { id: "other".into(), ..tick("NONE", 4, 0) })),
            ("is missing", |all| drop(all.ticks.remove(5))),
            ("is missing", |all| all.ticks.retain(|one| one.missed == 0)),
            ("counted as missed, but came", |all| all.ticks.push(tick(ONE, 3, 1))),
            ("it missed ticks", |all| all.ticks.push(tick(ALL, 12, 2))),
        ];
        for (expected, damage) in damages {
            let mut journal = sound();
            damage(&mut journal);
            let found = violations(&journal);
            assert!(found.iter().any(|one| one.contains(expected)), "{expected}: {found:#?}");
        }
    }

    #[test]
    fn what_a_fault_may_undo_and_what_is_skipped_is_no_violation() {
        let mut journal = sound();
        let undone = Tick { id: "other".into(), kept: Kept::Perhaps, ..tick(ALL, 3, 0) };
        journal.ticks.push(undone);
        assert_eq!(violations(&journal), [""; 0]);
        // Delivered twice, the same message.
        journal.ticks.push(tick(ALL, 4, 0));
        assert_eq!(violations(&journal), [""; 0]);
        // Its reply may have been lost with the history that it was from.
        journal.ticks[2].kept = Kept::Perhaps;
        assert_eq!(violations(&journal), [""; 0]);
        journal.ticks.remove(5);
        assert_ne!(violations(&journal), [""; 0]);
        journal.skipped.insert(ALL.into(), 1);
        assert_eq!(violations(&journal), [""; 0]);
    }
}
