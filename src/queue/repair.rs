//! MQ.CHECK ... REPAIR. What is inconsistent, and how it is repaired, is up to the store, which shares
//! no code with the rules.

use super::deadline;
use super::effects::Effects;
use super::error::QueueError;
use super::finding::Finding;
use super::part::Part;
use super::store::Store;

/// Repairs what a check finds, and returns the findings.
pub(super) fn repair<S: Store>(
    store: &mut S,
    effects: &mut Effects,
) -> Result<Vec<(Finding, u64)>, QueueError> {
    store.require(&Part::ALL)?;
    let damaged = store.len(Part::Damaged);
    let findings = store.repair();
    if findings.is_empty() {
        return Ok(findings);
    }
    effects.changed = true;
    effects.became_ready = true;
    effects.counts.damaged = store.len(Part::Damaged).saturating_sub(damaged);
    let others = [deadline::of_keys(store), store.first_tick()];
    for at_ms in deadline::of_messages(store).into_iter().chain(others.into_iter().flatten()) {
        effects.next_due.add(at_ms);
    }
    Ok(findings)
}
