//! Tests of the rules without a server: over keys in memory, with the clock as an argument.

#![cfg_attr(fuzzing, allow(dead_code, unused_imports, reason = "only `property` is used"))]

mod asked;
mod consume;
mod damage;
mod dedup;
mod expiry;
mod extend;
mod groups;
mod limits;
mod manage;
mod model;
mod out_of_range;
mod priorities;
pub mod property;
pub mod ranges;
mod redrive;
mod required;
mod retention;
mod returns;
mod rules;
pub mod scheduled;
mod schedules;
mod search;
mod settings;
mod ticks;
mod times;
mod ttl;
mod unused;
mod versions;

use asked::{Asked, Pushed};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::queue::finding::Finding;
use crate::queue::message::{
    Body, Death, DeathReason, Delivery, Expiry, Header, MessageId, Rank, Receipt, StateRecord,
};
use crate::queue::name::QueueName;
use crate::queue::op::{
    self, BatchMessage, Class, Dedup, Mode, Op, PushOptions, Return, SweepLimit,
};
use crate::queue::part::Part;
use crate::queue::push::Pushed as Answer;
use crate::queue::rules::Rules;
use crate::queue::settings::Setting;
use crate::queue::small_vec::ShortVec;
use crate::queue::store::Store;
use crate::queue::{Counts, Effects, QueueError, Request, Settled, apply};
use crate::store::body::StoredBody;
use crate::store::deadlines::Deadlines;
use crate::store::keys;
use crate::store::memory::{Database, MemoryKeyspace};
use crate::store::record;
use crate::store::records::Records;

/// A delivered message.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Got {
    id: MessageId,
    payload: Vec<u8>,
    retry_count: u32,
    /// 0 for at-most-once deliveries, as the receipt.
    visibility_until_ms: u64,
    receipt: Receipt,
    death: Option<Death>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    priority: u8,
    group: Option<Vec<u8>>,
    expires_at_ms: Option<u64>,
    last_error: Option<Vec<u8>>,
    /// The ended deliveries and the start of the first.
    deliveries: Option<(u32, u64)>,
}

impl Got {
    fn claim(&self) -> Delivery {
        Delivery { id: self.id, receipt: self.receipt }
    }
}

/// The outcome of a request, and what else it did.
type Applied<'a, R> = (<R as Request<'a>>::Outcome<StoredBody<Vec<u8>>>, Effects);

/// What a server provides to its queues: a clock, ids, receipts, and a log of the ops that it
/// replicates.
struct Server {
    database: Rc<RefCell<Database>>,
    /// What is remembered of `Flight`, by queue.
    deadlines: RefCell<BTreeMap<QueueName, Rc<RefCell<Deadlines>>>>,
    now_ms: u64,
    /// The release, by its version of ops.
    rules: Rules,
    last_receipt: u64,
    last_id: u64,
    last_id_ms: u64,
    /// The ids generated for the last push, whatever its result.
    last_ids: Vec<MessageId>,
    log: Vec<(QueueName, Vec<u8>)>,
    counts: Counts,
    /// Those of the last op that had some.
    last_effects: Option<(QueueName, Effects)>,
    /// The last pull reported that more is due.
    more_due: bool,
    prints_ops: bool,
    /// The test damages queues by hand: the final check does not apply.
    is_harmed: bool,
}

/// After every test a check finds nothing in its queues.
impl Drop for Server {
    fn drop(&mut self) {
        if self.is_harmed || std::thread::panicking() {
            return;
        }
        let keys = self.database.borrow().keys().cloned().collect::<Vec<_>>();
        let queues = keys.iter().map(|key| keys::queue_and_part(key).unwrap().0);
        for queue in queues.collect::<BTreeSet<_>>() {
            assert_eq!(self.repair(&queue), []);
        }
    }
}

/// Start time, unix ms.
const START_MS: u64 = 1_800_000_000_000;

/// A sweep without an effective limit.
const ALL: SweepLimit = SweepLimit { limit: 1_000_000, same_slot: false };

const DONE: Settled = Settled::Done(0);

fn ids(messages: &[Got]) -> Vec<MessageId> {
    messages.iter().map(|message| message.id).collect()
}

fn queue(name: &str) -> QueueName {
    QueueName::new(name.as_bytes()).unwrap()
}

/// A store with these settings and no messages.
pub fn store_with(settings: &[(Setting, &str)]) -> impl Store + use<> {
    let database: Rc<RefCell<Database>> = Rc::default();
    let mut store = Records::new(MemoryKeyspace::new(&database, &queue("orders")));
    for (setting, text) in settings {
        store.put_config(setting.name(), text.as_bytes());
    }
    store
}

impl Server {
    fn new() -> Self {
        Self {
            database: Rc::default(),
            deadlines: RefCell::default(),
            now_ms: START_MS,
            rules: Rules::V2,
            last_receipt: 0,
            last_id: 0,
            last_id_ms: 0,
            last_ids: Vec::new(),
            log: Vec::new(),
            counts: Counts::default(),
            last_effects: None,
            more_due: false,
            prints_ops: false,
            is_harmed: false,
        }
    }

    /// For tests that damage queues by hand.
    fn to_be_harmed() -> Self {
        let mut server = Self::new();
        server.is_harmed = true;
        server
    }

    fn store(&self, queue: &QueueName) -> Records<MemoryKeyspace> {
        let mut all = self.deadlines.borrow_mut();
        let unknown = || Rc::new(RefCell::new(Deadlines::UNKNOWN));
        let deadlines = all.entry(queue.clone()).or_insert_with(unknown);
        let keyspace = MemoryKeyspace::with_deadlines(&self.database, queue, deadlines);
        Records::with_rules(keyspace, self.rules)
    }

    fn len(&self, queue: &QueueName, part: Part) -> u64 {
        self.store(queue).len(part)
    }

    /// Applies an op and logs it in its replicated form if it changed something.
    fn run<'a, R: Request<'a> + Clone>(
        &mut self,
        queue: &QueueName,
        request: &R,
    ) -> Result<Applied<'a, R>, QueueError> {
        let op = &request.clone().into();
        let before = self.database.borrow().clone();
        if self.prints_ops {
            let name = String::from_utf8_lossy(queue.as_bytes());
            eprintln!("{} {name} {}", self.now_ms as i64 - START_MS as i64, brief(op));
        }
        let mut effects = Effects::none();
        let result = request.apply(&mut self.store(queue), &mut effects);
        let is_same = *self.database.borrow() == before;
        let Ok(outcome) = result else {
            assert!(is_same, "an error changed something: {op:?}");
            return result.map(|outcome| (outcome, effects));
        };
        assert_eq!(effects.changed, !is_same, "changed or not: {op:?}");
        ranges::check_what_was_written(&before, &self.database.borrow());
        if effects.changed {
            let mut bytes = crate::store::op::encode_op(op).to_vec();
            if self.rules == Rules::V1 {
                bytes[0] = 1;
            }
            self.log.push((queue.clone(), bytes));
        }
        if let Some(Receipt(receipt)) = effects.last_receipt {
            self.last_receipt = self.last_receipt.max(receipt);
        }
        self.counts.add(&effects.counts);
        self.last_effects = Some((queue.clone(), effects.clone()));
        Ok((outcome, effects))
    }

    /// A database built from the log alone.
    fn replayed(&self) -> Rc<RefCell<Database>> {
        let database = Rc::default();
        for (queue, bytes) in &self.log {
            let (op, rules) = crate::store::op::decode_op(bytes).unwrap();
            let mut store = Records::with_rules(MemoryKeyspace::new(&database, queue), rules);
            apply(&mut store, &mut Effects::none(), &op).unwrap();
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
        let asked = Asked { delay_ms, ..Asked::default() };
        self.push_with(queue, payload, &asked).id()
    }

    /// A push with an arbitrary payload.
    fn add(&mut self, queue: &QueueName, asked: &Asked<'_>) -> MessageId {
        self.push_with(queue, b"x", asked).id()
    }

    fn push_with(&mut self, queue: &QueueName, payload: &[u8], asked: &Asked<'_>) -> Pushed {
        let id = self.new_id();
        self.last_ids = vec![id];
        let headers = headers(asked);
        let (due_at_ms, with) = self.with(asked, &headers);
        self.run_push(queue, &op::Push { id, due_at_ms, payload, options: with })
    }

    fn push_many(&mut self, queue: &QueueName, payloads: &[Vec<u8>], asked: &Asked<'_>) -> Pushed {
        self.last_ids = payloads.iter().map(|_| self.new_id()).collect();
        let numbered = self.last_ids.iter().zip(payloads);
        let messages = numbered.map(|(id, payload)| BatchMessage { id: *id, payload }).collect();
        let headers = headers(asked);
        let (due_at_ms, with) = self.with(asked, &headers);
        self.run_push(queue, &op::PushMany { messages, due_at_ms, options: with })
    }

    fn with<'a>(
        &self,
        asked: &Asked<'a>,
        headers: &[Header<'a>],
    ) -> (Option<u64>, Option<PushOptions<'a>>) {
        let later = |ms: u64| Some(self.now_ms + ms).filter(|_| ms > 0);
        let is_plain = asked.ttl_ms == 0
            && asked.priority == 0
            && asked.group.is_none()
            && asked.dedup.is_none()
            && headers.is_empty();
        let with = PushOptions {
            expiry: later(asked.ttl_ms).map(match asked.dies {
                true => Expiry::kills,
                false => Expiry::discards,
            }),
            class: match asked.group {
                Some(group) => Class::Group(group.as_bytes()),
                None => Class::Priority(asked.priority),
            },
            dedup: asked.dedup.map(|key| Dedup {
                key: key.as_bytes(),
                now_ms: self.now_ms,
                until_ms: asked.window_ms.map(|ms| self.now_ms + ms),
            }),
            headers: headers.to_vec(),
        };
        (later(asked.delay_ms), Some(with).filter(|_| !is_plain))
    }

    fn run_push<'a, R>(&mut self, queue: &QueueName, op: &R) -> Pushed
    where
        R: Request<'a, Outcome<StoredBody<Vec<u8>>> = Answer> + Clone,
    {
        match self.run(queue, op).unwrap().0 {
            Answer::Added => Pushed::New(self.last_ids.clone()),
            Answer::Duplicate(id) => Pushed::Duplicate(id),
            Answer::Full => Pushed::Full,
            Answer::DedupFull => Pushed::DedupFull,
        }
    }

    /// A pull with all options; returns the results of the acknowledgments and the messages.
    fn pull_as(
        &mut self,
        queue: &QueueName,
        count: u32,
        mode: Mode<'_>,
        sweep: SweepLimit,
        acknowledged: Vec<Delivery>,
    ) -> Result<(Vec<Settled>, Vec<Got>), QueueError> {
        let base_receipt = Receipt::at(self.now_ms).max(Receipt(self.last_receipt + 1));
        let now_ms = self.now_ms;
        let acknowledged_too = sweep.limit.saturating_add(acknowledged.len() as u32);
        let ended = if sweep.limit > 0 { self.ended(queue, acknowledged_too) } else { Vec::new() };
        let op = op::Pull { now_ms, count, mode, base_receipt, sweep, acknowledged, ended };
        let (pulled, _) = self.run(queue, &op)?;
        self.more_due = pulled.more_due;
        if let Some(error) = pulled.error {
            assert!(pulled.messages.is_empty());
            return Err(error);
        }
        let messages = pulled.messages.iter().map(|message| {
            let record = message.record.clone().unwrap_or_default();
            got(&message.body, *record, message.receipt.unwrap_or((Receipt::NONE, 0)))
        });
        Ok((pulled.settled.into_vec(), messages.collect()))
    }

    fn pull_with(
        &mut self,
        queue: &QueueName,
        count: u32,
        visibility_ms: u64,
        sweep: SweepLimit,
    ) -> Result<Vec<Got>, QueueError> {
        let mode = Mode::AtLeastOnce { visibility_ms, consumer: None };
        Ok(self.pull_as(queue, count, mode, sweep, Vec::new())?.1)
    }

    fn pull(&mut self, queue: &QueueName, visibility_ms: u64) -> Option<Got> {
        self.pull_with(queue, 1, visibility_ms, ALL).unwrap().pop()
    }

    /// The ids of everything deliverable, in order.
    fn pull_all(&mut self, queue: &QueueName, visibility_ms: u64) -> Vec<MessageId> {
        let got = self.pull_with(queue, 1_000, visibility_ms, ALL).unwrap();
        got.iter().map(|message| message.id).collect()
    }

    fn settle<'a, R>(&mut self, queue: &QueueName, op: &R) -> Vec<Settled>
    where
        R: Request<'a, Outcome<StoredBody<Vec<u8>>> = ShortVec<Settled>> + Clone,
    {
        self.run(queue, op).unwrap().0.into_vec()
    }

    fn acknowledge(&mut self, queue: &QueueName, deliveries: Vec<Delivery>) -> Vec<Settled> {
        let now_ms = Some(self.now_ms);
        self.settle(queue, &op::Acknowledge { now_ms, deliveries: deliveries.into() })
    }

    fn nack(
        &mut self,
        queue: &QueueName,
        deliveries: Vec<Delivery>,
        delay_ms: Option<u64>,
    ) -> Vec<Settled> {
        self.nack_as(queue, deliveries, delay_ms, Return::Counted, None).unwrap()
    }

    fn nack_as(
        &mut self,
        queue: &QueueName,
        deliveries: Vec<Delivery>,
        delay_ms: Option<u64>,
        how: Return,
        reason: Option<&str>,
    ) -> Result<Vec<Settled>, QueueError> {
        let (now_ms, reason) = (self.now_ms, reason.map(str::as_bytes));
        let deliveries = deliveries.into();
        let op = op::Nack { now_ms, deliveries, delay_ms, same_slot: false, how, reason };
        Ok(self.run(queue, &op)?.0.into_vec())
    }

    fn extend(
        &mut self,
        queue: &QueueName,
        deliveries: Vec<Delivery>,
        visibility_ms: u64,
    ) -> Vec<Settled> {
        let now_ms = self.now_ms;
        let deliveries = deliveries.into();
        self.settle(queue, &op::Extend { now_ms, deliveries, visibility_ms })
    }

    /// The findings of a check, which must be none, so nothing is repaired.
    fn repair(&mut self, queue: &QueueName) -> Vec<(Finding, u64)> {
        self.run(queue, &op::Repair).unwrap().0
    }

    /// Those of the last op that had some.
    fn effects(&self) -> &Effects {
        &self.last_effects.as_ref().unwrap().1
    }

    fn sweep(&mut self, queue: &QueueName, limit: u32) -> Effects {
        let sweep = SweepLimit { limit, same_slot: false };
        let ended = self.ended(queue, limit);
        let op = op::Sweep { now_ms: self.now_ms, sweep, ended };
        self.run(queue, &op).unwrap().1
    }

    fn configure(&mut self, queue: &QueueName, setting: Setting, value: Option<&str>) {
        let changes = vec![(setting, value.map(|value| value.as_bytes().to_vec()))];
        self.run(queue, &op::Configure { changes }).unwrap();
    }

    fn number<'a, R>(&mut self, queue: &QueueName, op: &R) -> u64
    where
        R: Request<'a, Outcome<StoredBody<Vec<u8>>> = u64> + Clone,
    {
        self.run(queue, op).unwrap().0
    }

    fn delete(&mut self, queue: &QueueName, ids: &[MessageId]) -> u64 {
        self.number(queue, &op::Delete { ids: ids.to_vec() })
    }

    /// None: until it is resumed.
    fn pause(&mut self, queue: &QueueName, length_ms: Option<u64>) {
        let until_ms = length_ms.map(|ms| self.now_ms + ms);
        self.run(queue, &op::Pause { until_ms }).unwrap();
    }

    fn resume(&mut self, queue: &QueueName) {
        self.run(queue, &Op::Resume).unwrap();
    }
}

/// An op in readable form: ids by number only, times without their start.
fn brief(op: &Op<'_>) -> String {
    let text = format!("{op:?}").replace(&(START_MS / 100_000).to_string(), "+");
    let mut parts = text.split("MessageId([");
    let mut brief = parts.next().unwrap().to_string();
    for part in parts {
        let (id, rest) = part.split_once("])").unwrap();
        brief.push('#');
        brief.push_str(id.rsplit(", ").next().unwrap());
        brief.push_str(rest);
    }
    brief
}

fn headers<'a>(asked: &Asked<'a>) -> Vec<Header<'a>> {
    let pairs = asked.headers.iter();
    pairs.map(|(name, value)| Header { name: name.as_bytes(), value: value.as_bytes() }).collect()
}

fn got(
    body: &impl Body,
    record: StateRecord,
    (receipt, visibility_until_ms): (Receipt, u64),
) -> Got {
    let headers = body.headers();
    let headers = headers.iter().map(|header| (header.name.to_vec(), header.value.to_vec()));
    Got {
        id: body.id(),
        payload: body.payload().to_vec(),
        retry_count: record.retry_count,
        visibility_until_ms,
        receipt,
        death: record.death,
        headers: headers.collect(),
        priority: record.priority,
        group: record.group.map(|group| group.name.to_vec()),
        expires_at_ms: record.expiry.map(Expiry::at_ms),
        last_error: record.last_error,
        deliveries: record.deliveries.map(|all| (all.count, all.first_at_ms)),
    }
}
