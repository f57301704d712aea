//! Maps each op to its rule and its outcome.

use super::claim::Settled;
use super::effects::Effects;
use super::error::QueueError;
use super::finding::Finding;
use super::message::Body;
use super::op::{self, BatchMessage, Op};
use super::pull::Pulled;
use super::purge::Purged;
use super::push::Pushed;
use super::redrive::{Redriven, Selection};
use super::small_vec::ShortVec;
use super::store::Store;
use super::times::{self, Time};
use super::{
    acknowledge, configure, extend, pause, pull, purge, push, redrive, remove, repair, reschedule,
    retry, sweep, ticks, unused,
};

/// An op as a type of its own, for callers that need its outcome.
pub trait Request<'a>: Into<Op<'a>> {
    /// The result; `B` is a body as the store holds it.
    type Outcome<B>;

    /// Changes the stored state as the op says and adds to `effects` what it did. On an error nothing
    /// was changed.
    fn apply<S: Store>(
        &self,
        store: &mut S,
        effects: &mut Effects,
    ) -> Result<Self::Outcome<S::Body>, QueueError>;

    /// Hands the times that ended with the op to `count`. Most ops end none, and do not look at the clock, unix ms.
    #[inline]
    fn times<B: Body>(
        &self,
        _outcome: &Self::Outcome<B>,
        _now_ms: impl FnOnce() -> u64,
        _count: impl FnMut(Time),
    ) {
    }
}

/// Defines the outcome and the rule of each op, and which times end with it.
macro_rules! requests {
    ($(
        $op:ty, $outcome:ty: |$this:pat_param, $store:ident, $effects:ident| $rule:expr
        $(, times: $times:path)?;
    )*) => {
        $(impl<'a> Request<'a> for $op {
            type Outcome<B> = $outcome;

            #[inline]
            fn apply<S: Store>(
                &self,
                $store: &mut S,
                $effects: &mut Effects,
            ) -> Result<Self::Outcome<S::Body>, QueueError> {
                let $this = self;
                $rule
            }

            $(
                #[inline]
                fn times<B: Body>(
                    &self,
                    outcome: &Self::Outcome<B>,
                    now_ms: impl FnOnce() -> u64,
                    count: impl FnMut(Time),
                ) {
                    $times(self, outcome, now_ms, count);
                }
            )?
        })*
    };
}

requests! {
    op::Push<'a>, Pushed: |op, store, effects| {
        let messages = [BatchMessage { id: op.id, payload: op.payload }];
        push::push(store, effects, &messages, op.due_at_ms, op.options.as_ref())
    };
    op::PushMany<'a>, Pushed: |op, store, effects| {
        push::push(store, effects, &op.messages, op.due_at_ms, op.options.as_ref())
    };
    op::Pull<'a>, Pulled<B>: |op, store, effects| pull::pull(store, effects, op),
        times: times::of_pull;
    op::Sweep, (): |op, store, effects| sweep::sweep(store, effects, op);
    // One per delivery, in order.
    op::Acknowledge, ShortVec<Settled>: |op, store, effects| {
        acknowledge::acknowledge(store, effects, &op.deliveries, op.now_ms)
    }, times: times::of_acknowledge;
    op::Nack<'a>, ShortVec<Settled>: |op, store, effects| retry::nack(store, effects, op);
    op::Extend, ShortVec<Settled>: |op, store, effects| {
        let end = extend::NewEnd::At(op.now_ms.saturating_add(op.visibility_ms));
        extend::extend(store, effects, &op.deliveries, op.now_ms, end)
    };
    op::Prolong, ShortVec<Settled>: |op, store, effects| {
        let end = extend::NewEnd::NotBefore(op.now_ms.saturating_add(op.visibility_ms));
        extend::extend(store, effects, &op.deliveries, op.now_ms, end)
    };
    op::Configure, (): |op, store, effects| configure::configure(store, effects, &op.changes);
    // The number of messages.
    op::Delete, u64: |op, store, effects| remove::delete(store, effects, &op.ids);
    op::Purge, u64: |_, store, effects| remove::purge(store, effects);
    op::Use, (): |op, store, effects| {
        unused::note_use(store, effects, op.now_ms);
        Ok(())
    };
    // 1, or 0 if the queue stays.
    op::Expire, u64: |op, store, effects| unused::expire(store, effects, op.now_ms);
    op::PurgeState, Purged: |op, store, effects| purge::purge(store, effects, *op);
    // 1 if it is new, 0 if it was changed.
    op::Schedule, u64: |op, store, effects| ticks::set(store, effects, op);
    // 1, or 0 if there was no such schedule.
    op::Unschedule, u64: |op, store, effects| ticks::remove(store, effects, &op.name);
    op::Ticks, (): |op, store, effects| ticks::run(store, effects, op);
    // None if there is no such schedule.
    op::Trigger, Option<Pushed>: |op, store, effects| ticks::trigger(store, effects, op);
    // 1, or 0 if there was no such queue.
    op::Drop, u64: |_, store, effects| remove::drop(store, effects);
    // 1, or 0 if no such message is delayed.
    op::Reschedule, u64: |op, store, effects| {
        reschedule::reschedule(store, effects, op.id, op.due_at_ms, op.now_ms)
    };
    op::Redrive, u64: |op, store, effects| {
        redrive::redrive(store, effects, &Selection::from(op)).map(|redriven| redriven.moved)
    };
    op::RedriveSlice<'a>, Redriven: |op, store, effects| {
        redrive::redrive(store, effects, &Selection::from(op))
    };
    op::Pause, (): |op, store, effects| pause::pause(store, effects, op.until_ms);
    op::Resume, (): |_, store, effects| pause::resume(store, effects);
    // The findings and how often each occurred.
    op::Repair, Vec<(Finding, u64)>: |_, store, effects| repair::repair(store, effects);
    Op<'a>, (): |op, store, effects| apply(store, effects, op);
}

/// Applies an op of another server; nobody needs its outcome.
pub fn apply<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    op: &Op<'_>,
) -> Result<(), QueueError> {
    match op {
        Op::Push(op) => op.apply(store, effects).map(drop),
        Op::PushMany(op) => op.apply(store, effects).map(drop),
        Op::Pull(op) => op.apply(store, effects).map(drop),
        Op::Sweep(op) => op.apply(store, effects),
        Op::Acknowledge(op) => op.apply(store, effects).map(drop),
        Op::Nack(op) => op.apply(store, effects).map(drop),
        Op::Extend(op) => op.apply(store, effects).map(drop),
        Op::Configure(op) => op.apply(store, effects),
        Op::Delete(op) => op.apply(store, effects).map(drop),
        Op::Purge => op::Purge.apply(store, effects).map(drop),
        Op::Drop => op::Drop.apply(store, effects).map(drop),
        Op::Reschedule(op) => op.apply(store, effects).map(drop),
        Op::Redrive(op) => op.apply(store, effects).map(drop),
        Op::Pause(op) => op.apply(store, effects),
        Op::Resume => op::Resume.apply(store, effects),
        Op::Repair => op::Repair.apply(store, effects).map(drop),
        Op::Prolong(op) => op.apply(store, effects).map(drop),
        Op::RedriveSlice(op) => op.apply(store, effects).map(drop),
        Op::Ended(never) => match *never {},
        Op::PurgeState(op) => op.apply(store, effects).map(drop),
        Op::Use(op) => op.apply(store, effects),
        Op::Expire(op) => op.apply(store, effects).map(drop),
        Op::Schedule(op) => op.apply(store, effects).map(drop),
        Op::Unschedule(op) => op.apply(store, effects).map(drop),
        Op::Ticks(op) => op.apply(store, effects),
        Op::Trigger(op) => op.apply(store, effects).map(drop),
    }
}
