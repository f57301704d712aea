//! A queue's settings change.

use super::settings::Setting;
use super::store::{Part, Store};
use super::{Effects, QueueError};

/// Stores each value as text, or, for None, sets the setting back to its default.
pub fn configure<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    changes: &[(Setting, Option<Vec<u8>>)],
) -> Result<(), QueueError> {
    store.require(&[Part::Config])?;
    for (setting, text) in changes {
        let stored = store.setting(*setting);
        if stored == *text {
            continue;
        }
        match text {
            Some(text) => store.put_setting(*setting, text),
            None => store.remove_setting(*setting),
        }
        effects.changed = true;
    }
    Ok(())
}
