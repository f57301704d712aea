//! A queue's settings change.

use super::effects::Effects;
use super::error::QueueError;
use super::group;
use super::part::Part;
use super::settings::Setting;
use super::store::Store;

/// Stores each value as text, or, for None, sets the setting back to its default. A queue that is named
/// as its own dead-letter queue has none named: the command refuses it, an op from elsewhere may say it.
pub(super) fn configure<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    changes: &[(Setting, Option<Vec<u8>>)],
) -> Result<(), QueueError> {
    store.require(&[Part::Config])?;
    let is_about_groups = changes.iter().any(|(setting, _)| *setting == Setting::GroupInflight);
    if is_about_groups {
        group::require(store)?;
    }
    for (setting, text) in changes {
        let is_itself = |text: &&Vec<u8>| {
            *setting == Setting::DeadLetter && store.queue().as_bytes() == text.as_slice()
        };
        let text = text.as_ref().filter(|text| !is_itself(text));
        if store.setting(*setting).as_ref() == text {
            continue;
        }
        match text {
            Some(text) => store.put_setting(*setting, text),
            None => store.remove_setting(*setting),
        }
        effects.changed = true;
        // A limit may have been raised, or a window may end earlier: to be looked at.
        effects.became_ready = true;
        effects.next_due.add(0);
    }
    if is_about_groups && effects.changed {
        group::settle_all(store, effects);
    }
    Ok(())
}
