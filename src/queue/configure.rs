//! Changes of settings.

use super::effects::Effects;
use super::error::QueueError;
use super::group;
use super::part::Part;
use super::settings::Setting;
use super::store::Store;
use super::unused;

/// Stores each value as text; None restores the default. A queue cannot be its own dead-letter queue:
/// the command refuses that, and an op from elsewhere has no effect then.
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
            Some(text) => store.put_config(setting.name(), text),
            None => store.remove_config(setting.name()),
        }
        if *setting == Setting::Expires {
            unused::restart(store);
        }
        effects.changed = true;
        // A limit may have been raised, or a window may end earlier: consumers must look again.
        effects.became_ready = true;
        effects.next_due.add(0);
    }
    if is_about_groups && effects.changed {
        group::settle_all(store, effects);
    }
    Ok(())
}
