//! Tests of the rules without a server: over keys in memory, with the clock as an argument.

mod model;
mod property;
mod rules;

use std::cell::RefCell;
use std::rc::Rc;

use crate::queue::message::{Body, Death, MessageId, Receipt};
use crate::queue::name::QueueName;
use crate::queue::op::{Claim, Op, Sweep};
use crate::queue::settings::Setting;
use crate::queue::store::{Part, Store};
use crate::queue::{Counts, Effects, Outcome, QueueError, Settled, apply};
use crate::store::memory::{Database, MemoryKeyspace};
use crate::store::record;
use crate::store::records::Records;

/// A delivered message, as far as tests look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Got {
    id: MessageId,
    payload: Vec<u8>,
    retry_count: u32,
    visibility_until_ms: u64,
    receipt: Receipt,
    death: Option<Death>,
}

impl Got {
    fn claim(&self) -> Claim {
        Claim { id: self.id, receipt: self.receipt }
    }
}

/// What a server is to its queues: a clock, ids, receipts, and a log of the ops it sends on.
struct Server {
    database: Rc<RefCell<Database>>,
    now_ms: u64,
    last_receipt: u64,
    last_id: u64,
    last_id_ms: u64,
    log: Vec<(QueueName, Vec<u8>)>,
    counts: Counts,
}

/// A moment to begin with.
const START_MS: u64 = 1_800_000_000_000;

/// A sweep without a bound that matters.
const ALL: Sweep = Sweep { limit: 1_000_000, same_slot: false };

fn queue(name: &str) -> QueueName {
    QueueName::new(name.as_bytes()).unwrap()
}

impl Server {
    fn new() -> Self {
        Self {
            database: Rc::default(),
            now_ms: START_MS,
            last_receipt: 0,
            last_id: 0,
            last_id_ms: 0,
            log: Vec::new(),
            counts: Counts::default(),
        }
    }

    fn store(&self, queue: &QueueName) -> Records<MemoryKeyspace> {
        Records(MemoryKeyspace::new(&self.database, queue))
    }

    fn len(&self, queue: &QueueName, part: Part) -> u64 {
        self.store(queue).len(part)
    }

    /// Applies an op and logs it, as it is sent, if it changed something.
    fn run(
        &mut self,
        queue: &QueueName,
        op: &Op<'_>,
    ) -> Result<(Outcome<impl Body + use<>>, Effects), QueueError> {
        let before = self.database.borrow().clone();
        let result = apply(&mut self.store(queue), op);
        let is_same = *self.database.borrow() == before;
        match &result {
            Ok((_, effects)) => {
                assert_eq!(effects.changed, !is_same, "changed or not: {op:?}");
                if effects.changed {
                    self.log.push((queue.clone(), record::encode_op(op).to_vec()));
                }
                if let Some(Receipt(receipt)) = effects.last_receipt {
                    self.last_receipt = self.last_receipt.max(receipt);
                }
                self.counts.add(&effects.counts);
            }
            Err(_) => assert!(is_same, "an error changed something: {op:?}"),
        }
        result
    }

    /// A database that has seen only the log.
    fn replayed(&self) -> Rc<RefCell<Database>> {
        let database = Rc::default();
        for (queue, bytes) in &self.log {
            let op = record::decode_op(bytes).unwrap();
            apply(&mut Records(MemoryKeyspace::new(&database, queue)), &op).unwrap();
        }
        database
    }

    fn new_id(&mut self) -> MessageId {
        self.last_id += 1;
        self.last_id_ms = self.last_id_ms.max(self.now_ms);
        let mut id = [0u8; 16];
        id[..6].copy_from_slice(&self.last_id_ms.to_be_bytes()[2..]);
        id[6] = 0x70;
        id[8..].copy_from_slice(&self.last_id.to_be_bytes());
        id[8] = 0x80;
        MessageId(id)
    }

    fn push(&mut self, queue: &QueueName, payload: &[u8], delay_ms: u64) -> MessageId {
        let id = self.new_id();
        let due_at_ms = (delay_ms > 0).then(|| self.now_ms + delay_ms);
        self.run(queue, &Op::Push { id, due_at_ms, payload }).unwrap();
        id
    }

    fn pull_with(
        &mut self,
        queue: &QueueName,
        count: u32,
        visibility_ms: u64,
        sweep: Sweep,
    ) -> Result<Vec<Got>, QueueError> {
        let base_receipt = Receipt::at(self.now_ms).max(Receipt(self.last_receipt + 1));
        let op = Op::Pull { now_ms: self.now_ms, count, visibility_ms, base_receipt, sweep };
        let (outcome, _) = self.run(queue, &op)?;
        let Outcome::Pulled(pulled) = outcome else { panic!("a pull has another outcome") };
        if let Some(error) = pulled.error {
            assert!(pulled.messages.is_empty());
            return Err(error);
        }
        let messages = pulled.messages.iter().map(|message| Got {
            id: message.body.id(),
            payload: message.body.payload().to_vec(),
            retry_count: message.note.as_ref().map_or(0, |note| note.retry_count),
            visibility_until_ms: message.visibility_until_ms,
            receipt: message.receipt,
            death: message.note.as_ref().and_then(|note| note.death.clone()),
        });
        Ok(messages.collect())
    }

    fn pull(&mut self, queue: &QueueName, visibility_ms: u64) -> Option<Got> {
        self.pull_with(queue, 1, visibility_ms, ALL).unwrap().pop()
    }

    fn settle(&mut self, queue: &QueueName, op: &Op<'_>) -> Vec<Settled> {
        match self.run(queue, op).unwrap().0 {
            Outcome::Settled(settled) => settled,
            _ => panic!("{op:?} has another outcome"),
        }
    }

    fn acknowledge(&mut self, queue: &QueueName, deliveries: Vec<Claim>) -> Vec<Settled> {
        let now_ms = Some(self.now_ms);
        self.settle(queue, &Op::Acknowledge { now_ms, deliveries })
    }

    fn give_back(
        &mut self,
        queue: &QueueName,
        deliveries: Vec<Claim>,
        delay_ms: Option<u64>,
    ) -> Vec<Settled> {
        let now_ms = self.now_ms;
        self.settle(queue, &Op::GiveBack { now_ms, deliveries, delay_ms, same_slot: false })
    }

    fn extend(
        &mut self,
        queue: &QueueName,
        deliveries: Vec<Claim>,
        visibility_ms: u64,
    ) -> Vec<Settled> {
        let now_ms = self.now_ms;
        self.settle(queue, &Op::Extend { now_ms, deliveries, visibility_ms })
    }

    fn sweep(&mut self, queue: &QueueName, limit: u32) -> Effects {
        let op = Op::Sweep { now_ms: self.now_ms, sweep: Sweep { limit, same_slot: false } };
        self.run(queue, &op).unwrap().1
    }

    fn configure(&mut self, queue: &QueueName, setting: Setting, value: Option<&str>) {
        let changes = vec![(setting, value.map(|value| value.as_bytes().to_vec()))];
        self.run(queue, &Op::Configure { changes }).unwrap();
    }
}
