//! The one way in: each op goes to the rule that carries it out.

use super::claim::Settled;
use super::effects::Effects;
use super::error::QueueError;
use super::few::Few;
use super::finding::Finding;
use super::op::{Choice, Numbered, Op};
use super::pull::{self, Pull, Pulled};
use super::push::{self, Pushed};
use super::redrive::{self, Redrive, Redriven};
use super::retry::{self, GiveBack};
use super::store::Store;
use super::{acknowledge, configure, extend, pause, remove, repair, reschedule, sweep};

/// What an op answers.
#[derive(Debug)]
pub enum Outcome<B> {
    /// Of a sweep, new settings, a pause: nothing to say.
    Done,
    /// Of a push.
    Pushed(Pushed),
    /// Of a pull.
    Pulled(Pulled<B>),
    /// Of an acknowledgment, a return or an extension: one per claim, in their order.
    Settled(Few<Settled>),
    /// Of what is done to messages by id or as a whole: their number.
    Count(u64),
    /// Of a slice of a redrive.
    Redriven(Redriven),
    /// Of a repair: what was found, and how often.
    Repaired(Vec<(Finding, u64)>),
}

/// Changes the stored state as `op` says, and adds to `effects` what it did. On an error nothing was
/// changed.
pub fn apply<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    op: &Op<'_>,
) -> Result<Outcome<S::Body>, QueueError> {
    Ok(match op {
        Op::Push { id, due_at_ms, payload, with } => {
            let messages = [Numbered { id: *id, payload }];
            Outcome::Pushed(push::push(store, effects, &messages, *due_at_ms, with.as_ref())?)
        }
        Op::PushMany { messages, due_at_ms, with } => {
            Outcome::Pushed(push::push(store, effects, messages, *due_at_ms, with.as_ref())?)
        }
        Op::Pull { now_ms, count, delivery, base_receipt, sweep, acknowledged } => {
            let request = Pull {
                now_ms: *now_ms,
                count: *count,
                delivery: *delivery,
                base_receipt: *base_receipt,
                sweep: *sweep,
                acknowledged,
            };
            Outcome::Pulled(pull::pull(store, effects, &request)?)
        }
        Op::Sweep { now_ms, sweep } => {
            sweep::sweep(store, effects, *now_ms, *sweep)?;
            Outcome::Done
        }
        Op::Acknowledge { now_ms, deliveries } => {
            Outcome::Settled(acknowledge::acknowledge(store, effects, deliveries, *now_ms)?)
        }
        Op::GiveBack { now_ms, deliveries, delay_ms, same_slot, how, reason } => {
            let (now_ms, delay_ms, same_slot) = (*now_ms, *delay_ms, *same_slot);
            let rule = GiveBack { now_ms, delay_ms, same_slot, how: *how, reason: *reason };
            Outcome::Settled(retry::give_back(store, effects, deliveries, rule)?)
        }
        Op::Extend { now_ms, deliveries, visibility_ms } => {
            let end = extend::End::At(now_ms.saturating_add(*visibility_ms));
            Outcome::Settled(extend::extend(store, effects, deliveries, *now_ms, end)?)
        }
        Op::Prolong { now_ms, deliveries, visibility_ms } => {
            let end = extend::End::NotBefore(now_ms.saturating_add(*visibility_ms));
            Outcome::Settled(extend::extend(store, effects, deliveries, *now_ms, end)?)
        }
        Op::Configure { changes } => {
            configure::configure(store, effects, changes)?;
            Outcome::Done
        }
        Op::Delete { ids } => Outcome::Count(remove::delete(store, effects, ids)?),
        Op::Purge => Outcome::Count(remove::purge(store, effects)?),
        Op::Drop => Outcome::Count(remove::drop(store, effects)?),
        Op::Reschedule { now_ms, id, due_at_ms } => {
            let count = reschedule::reschedule(store, effects, *id, *due_at_ms, *now_ms)?;
            Outcome::Count(count)
        }
        Op::Redrive { now_ms, count, to, same_slot } => {
            let request = Redrive {
                now_ms: *now_ms,
                look: *count,
                count: *count,
                to: to.as_ref(),
                same_slot: *same_slot,
                choice: &Choice::ALL,
                from: None,
                reason: None,
                takes_others: false,
            };
            Outcome::Count(redrive::redrive(store, effects, &request)?.moved)
        }
        Op::Pause { until_ms } => {
            pause::pause(store, effects, *until_ms)?;
            Outcome::Done
        }
        Op::Resume => {
            pause::resume(store, effects)?;
            Outcome::Done
        }
        Op::RedriveSlice(slice) => {
            Outcome::Redriven(redrive::redrive(store, effects, &slice.into())?)
        }
        Op::Repair => Outcome::Repaired(repair::repair(store, effects)?),
    })
}
