//! Queues in memory, and the invariants of every op, whatever the queues hold.

use std::cell::RefCell;
use std::rc::Rc;

use crate::calendar::zones_version;
use crate::queue::inspect::{self, Which};
use crate::queue::message::{Body, MessageId, Receipt};
use crate::queue::name::QueueName;
use crate::queue::op::{self, Mode, Op, SweepLimit};
use crate::queue::part::Part;
use crate::queue::rules::Rules;
use crate::queue::store::{Schedules, Store};
use crate::queue::{Effects, NextDue, QueueError, Request, apply, limits};
use crate::queue_tests::ranges::check_what_was_written;
use crate::runtime::due;
use crate::store::keys;
use crate::store::memory::{Database, MemoryKeyspace, Value};
use crate::store::op::{decode_op, encode_op};
use crate::store::records::Records;

/// Start time, unix ms.
pub const START_MS: u64 = 1_800_000_000_000;

/// See the top of this file.
#[derive(Default)]
pub struct World {
    database: Rc<RefCell<Database>>,
}

impl World {
    pub fn keys(&self, queue: &QueueName) -> MemoryKeyspace {
        MemoryKeyspace::new(&self.database, queue)
    }

    pub fn open(&self, queue: &QueueName) -> Records<MemoryKeyspace> {
        Records::new(self.keys(queue))
    }

    /// Gives the key of a part another type.
    pub fn spoil(&self, queue: &QueueName, part: Part) {
        self.database.borrow_mut().insert(keys::key(queue, part), Value::Text);
    }

    /// Applies an op. An error changes nothing; a change is reported; a repair leaves nothing to repair;
    /// what must be repeated until it finds nothing has made progress; nothing out of range is written.
    pub fn apply(&self, queue: &QueueName, op: &Op<'_>, rules: Rules) -> Result<(), QueueError> {
        let before = self.database.borrow().clone();
        let mut effects = Effects::none();
        let mut store = Records::with_rules(self.keys(queue), rules);
        let op = &self.decided(queue, op.clone(), rules);
        let result = match op {
            Op::Pull(pull) => pull.apply(&mut store, &mut effects).map(Some),
            _ => apply(&mut store, &mut effects, op).map(|()| None),
        };
        let is_same = *self.database.borrow() == before;
        let pulled = match result {
            Ok(pulled) => pulled,
            Err(error) => {
                assert!(is_same, "an error changed something: {op:?}");
                return Err(error);
            }
        };
        // An op with a duplicate id may write what is there already.
        assert!(effects.changed || is_same, "it does not say that it changed something: {op:?}");
        check_what_was_written(&before, &self.database.borrow());
        assert!(effects.last_receipt.is_none_or(|last| last < Receipt::LIMIT), "{effects:?}");
        // Ops of version 1 don't end deliveries that began under version 2: no server has both.
        let ends_all = rules == Rules::V2;
        match (op, pulled) {
            (Op::Repair, _) => assert_eq!(self.open(queue).check(), [], "left by a repair"),
            (Op::Pull(op::Pull { now_ms, sweep, .. }), Some(pulled)) => {
                // Where a client cannot block, the pull is repeated until no more is due.
                let sweeps_next = match effects.next_due {
                    NextDue::AtMost(at_ms) => sweep.limit == 0 && at_ms <= *now_ms,
                    _ => false,
                };
                let goes_on = pulled.more_due && is_same && !sweeps_next && ends_all;
                assert!(!goes_on, "a pull that goes on for ever: {op:?}");
                let is_corrupt = matches!(pulled.error, Some(QueueError::Corrupt(_)));
                assert!(!(is_corrupt && is_same), "the next pull meets it again: {op:?}");
            }
            (Op::Sweep(op::Sweep { now_ms, sweep, .. }), _)
                if sweep.limit > 0 && is_same && ends_all =>
            {
                let NextDue::Exactly(next) = effects.next_due else { panic!("{effects:?}") };
                // Ticks are ops of their own.
                let tick = self.open(queue).first_tick().filter(|tick| *tick <= *now_ms);
                let is_over = next.is_none_or(|next| next > *now_ms || tick == Some(next));
                assert!(is_over, "a sweep that goes on for ever");
            }
            _ => {}
        }
        Ok(())
    }

    /// The op as a server decides it that knows what has ended.
    fn decided<'a>(&self, queue: &QueueName, mut op: Op<'a>, rules: Rules) -> Op<'a> {
        let (Op::Pull(op::Pull { now_ms, sweep, ended, .. })
        | Op::Sweep(op::Sweep { now_ms, sweep, ended, .. })) = &op
        else {
            return op;
        };
        if rules == Rules::V2 && ended.is_empty() && sweep.limit > 0 {
            let ended = self.open(queue).ended(*now_ms, sweep.limit.saturating_add(1_000));
            op.set_ended(ended);
        }
        op
    }

    /// Reads everything, which changes nothing.
    pub fn inspect(&self, queue: &QueueName, now_ms: u64) {
        let before = self.database.borrow().clone();
        let mut store = self.open(queue);
        for which in [Which::Ready(now_ms), Which::Inflight, Which::Delayed] {
            let Ok(seen) = inspect::peek(&mut store, which, 0, 1_000) else { break };
            for message in seen {
                let _ = inspect::find(&mut store, message.body.id());
            }
        }
        inspect::priorities(&mut store);
        inspect::oldest(&mut store);
        limits::deliverable(&mut store, now_ms);
        limits::len(&mut store);
        store.check();
        assert_eq!(*self.database.borrow(), before, "looking changed something");
    }

    /// A slice of the ticks that are due, as a master decides it. Every slice goes on.
    pub fn tick(&self, queue: &QueueName, now_ms: u64) {
        let mut store = self.open(queue);
        if store.require(&[Part::Schedules, Part::Ticks]).is_err() {
            return;
        }
        let mut number = u64::MAX >> 2;
        let ticks = due::decide(&mut store, now_ms, |_| {
            number -= 1;
            id(now_ms, number)
        });
        if ticks.is_empty() {
            return;
        }
        let before = self.database.borrow().clone();
        let op = Op::Ticks(op::Ticks { now_ms, ticks, zones: zones_version().into() });
        assert_eq!(decode_op(&encode_op(&op)), Ok((op.clone(), Rules::V2)), "a replica refuses it");
        let ticked = self.apply(queue, &op, Rules::V2);
        let is_same = *self.database.borrow() == before;
        assert!(ticked.is_err() || !is_same, "ticks that go on for ever: {op:?}");
    }

    /// Sweeps until nothing is due. It terminates.
    pub fn sweep(&self, queue: &QueueName, now_ms: u64) {
        self.tick(queue, now_ms);
        let sweep = SweepLimit { limit: 100, same_slot: false };
        for _ in 0..1_000 {
            let before = self.database.borrow().clone();
            let swept = self.apply(
                queue,
                &Op::Sweep(op::Sweep { now_ms, sweep, ended: Vec::new() }),
                Rules::V2,
            );
            if swept.is_err() || *self.database.borrow() == before {
                return;
            }
        }
        panic!("the sweeps of {queue} go on for ever");
    }

    /// Pulls until the queue is empty. It terminates.
    pub fn drain(&self, queue: &QueueName, now_ms: u64) {
        let pull = Op::Pull(op::Pull {
            now_ms,
            count: 100,
            mode: Mode::AtMostOnce,
            base_receipt: Receipt::at(now_ms),
            sweep: SweepLimit { limit: 100, same_slot: false },
            acknowledged: Vec::new(),
            ended: Vec::new(),
        });
        for _ in 0..1_000 {
            let before = self.database.borrow().clone();
            let pulled = self.apply(queue, &pull, Rules::V2);
            if pulled.is_err() || *self.database.borrow() == before {
                return;
            }
        }
        panic!("the pulls of {queue} go on for ever");
    }
}

/// An id with this push time, unix ms.
pub fn id(pushed_ms: u64, number: u64) -> MessageId {
    let mut id = (u128::from(pushed_ms) << 80 | u128::from(number)).to_be_bytes();
    id[6] = 0x70;
    id[8] = 0x80;
    MessageId(id)
}
