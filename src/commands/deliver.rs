//! Delivers messages of one or several queues, or blocks until there are some: what MQ.PULL and MQ.MPULL share, and how
//! a waiter is answered.

use std::rc::Rc;

use super::arguments::{CONSUMER, COUNT, GRACE, VISIBILITY};
use super::errors::CommandError;
use super::options::Options;
use super::{claims, handler, reply};
use crate::queue::message::Delivery;
use crate::queue::op::{self, Mode, SweepLimit};
use crate::queue::pull::Pulled;
use crate::queue::settings::Setting;
use crate::queue::small_vec::ShortVec;
use crate::queue::store::Store;
use crate::queue::{QueueError, Settled};
use crate::runtime::disconnect::Parting;
use crate::runtime::entry::Entry;
use crate::runtime::execute::{Body, execute, execute_on};
use crate::runtime::facts::{IS_ACTIVE, IS_CLUSTER};
use crate::runtime::waiting::{self, BlockTimeout, BlockedPull};
use crate::runtime::{disconnect, index, receipts, ticks, turn};
use crate::server::context::Context;
use crate::server::key::Access;

/// A pull sweeps at least this many messages that are due, if there are so many.
const LEAST_SWEEP: u32 = 16;

/// A pull as the client requests it.
#[derive(Debug, Clone)]
pub struct PullRequest {
    /// None: one message, not in an array.
    count: Option<u32>,
    delivery: DeliveryMode,
    /// The outcome of the acknowledgments in the same command; None without ACK.
    settled: Option<ShortVec<Settled>>,
}

/// At least once, with a receipt, or at most once.
#[derive(Debug, Clone)]
enum DeliveryMode {
    AtLeastOnce {
        /// None: the queue's default.
        visibility_ms: Option<u64>,
        consumer: Option<Vec<u8>>,
        /// ONDISCONNECT: the client whose disconnection ends the delivery, and how.
        holder: Option<(u64, Parting)>,
    },
    AtMostOnce,
}

impl PullRequest {
    /// Reads the options. ONDISCONNECT ties the delivery to this `connection`.
    pub fn read<A: AsRef<[u8]>>(
        options: &Options<'_, A>,
        connection: impl FnOnce() -> Result<u64, CommandError>,
    ) -> Result<Self, CommandError> {
        let delivery = if options.has("NOACK") {
            DeliveryMode::AtMostOnce
        } else {
            let client = options.has("ONDISCONNECT").then(connection).transpose()?;
            let parting = || Parting {
                counts: !options.has("NOCOUNT"),
                grace_ms: options.number(&GRACE).unwrap_or(0),
            };
            DeliveryMode::AtLeastOnce {
                visibility_ms: options.number(&VISIBILITY),
                consumer: options.text(&CONSUMER).map(<[u8]>::to_vec),
                holder: client.map(|client| (client, parting())),
            }
        };
        let count = options.number(&COUNT).and_then(|count| u32::try_from(count).ok());
        Ok(Self { count, delivery, settled: None })
    }

    /// The delivery mode, with the queue's settings as defaults.
    pub fn mode(&self, store: &mut impl Store) -> Result<Mode<'_>, QueueError> {
        let DeliveryMode::AtLeastOnce { visibility_ms, consumer, .. } = &self.delivery else {
            return Ok(Mode::AtMostOnce);
        };
        let visibility_ms = match visibility_ms {
            Some(visibility_ms) => *visibility_ms,
            None => store.required_number(Setting::Visibility)?,
        };
        Ok(Mode::AtLeastOnce { visibility_ms, consumer: consumer.as_deref() })
    }

    /// The maximum number of messages.
    pub fn most(&self) -> u32 {
        self.count.unwrap_or(1)
    }

    /// Replies that nothing is ready.
    pub fn reply_empty(&self, context: Context<'_>) {
        self.reply_settled(context);
        match self.count {
            None => context.reply_null_array(),
            Some(_) => context.reply_array(0),
        }
    }

    fn reply(
        &self,
        context: Context<'_>,
        entry: &Entry,
        pulled: &Pulled<Body>,
    ) -> Result<(), CommandError> {
        if let Some(error) = pulled.error {
            return Err(CommandError::At(entry.queue().clone(), error));
        }
        self.reply_settled(context);
        if self.count.is_some() {
            context.reply_array(pulled.messages.len());
        }
        for message in &pulled.messages {
            reply::message(context, entry.queue(), message);
        }
        Ok(())
    }

    /// With ACK the reply is an array of two: the outcome of the acknowledgments, then what was pulled.
    fn reply_settled(&self, context: Context<'_>) {
        if let Some(settled) = &self.settled {
            context.reply_array(2);
            claims::reply_all(context, settled);
        }
    }
}

/// The client to whose connection ONDISCONNECT can tie a delivery.
pub fn connection(context: Context<'_>) -> Result<u64, CommandError> {
    if context.is_script() { Err(CommandError::NoConnection) } else { Ok(context.client_id()) }
}

/// Pulls from the first non-empty one of these queues, or blocks. Acknowledgments are for the first queue.
pub fn deliver_or_wait(
    context: Context<'_>,
    entries: &[Rc<Entry>],
    mut request: PullRequest,
    timeout: Option<BlockTimeout>,
    mut acknowledged: Option<Vec<Delivery>>,
) -> Result<(), CommandError> {
    let is_active = IS_ACTIVE.get();
    if timeout.is_some() && !is_active {
        return Err(CommandError::BlockedOnReplica);
    }
    // A pull that may block queues up behind clients that are already blocked.
    if let Some(timeout) = timeout
        && entries.iter().any(|entry| entry.has_waiters())
        && !context.may_not_block()
    {
        if let (Some(entry), Some(deliveries)) = (entries.first(), acknowledged.take()) {
            request.settled = Some(acknowledge(context, entry, deliveries)?);
        }
        if waiting::wait(context, entries, Box::new(request.clone()), timeout) {
            return Ok(());
        }
    }
    loop {
        let mut more_due = false;
        for entry in entries {
            let has_acknowledged = acknowledged.is_some();
            let deliveries = acknowledged.take().unwrap_or_default();
            let pulled = take(context, entry, &request, deliveries);
            let mut pulled = pulled.map_err(|error| at(entry, error))?;
            if has_acknowledged {
                request.settled = Some(std::mem::take(&mut pulled.settled));
            }
            if !is_empty(&pulled) {
                return request.reply(context, entry, &pulled);
            }
            more_due |= pulled.more_due;
        }
        let has_reason = more_due || timeout.is_some();
        let timeout = timeout.unwrap_or(BlockTimeout::UntilSwept);
        if has_reason
            && is_active
            && !context.may_not_block()
            && waiting::wait(context, entries, Box::new(request.clone()), timeout)
        {
            return Ok(());
        }
        if !more_due {
            request.reply_empty(context);
            return Ok(());
        }
    }
}

fn is_empty(pulled: &Pulled<Body>) -> bool {
    pulled.messages.is_empty() && pulled.error.is_none()
}

fn acknowledge(
    context: Context<'_>,
    entry: &Rc<Entry>,
    deliveries: Vec<Delivery>,
) -> Result<ShortVec<Settled>, CommandError> {
    let deliveries = deliveries.into();
    let now_ms = Some(context.began_ms());
    Ok(execute(context, entry, op::Acknowledge { now_ms, deliveries })?)
}

impl BlockedPull for PullRequest {
    fn count(&self) -> u32 {
        self.most()
    }

    fn deliver(&self, context: Context<'_>, entries: &[&Rc<Entry>]) {
        handler::answer_later(context, deliver(context, entries, self));
    }

    fn reply_empty(&self, context: Context<'_>) {
        Self::reply_empty(self, context);
    }

    fn reply_moved(&self, context: Context<'_>) {
        context.reply_error("UNBLOCKED the queue's slot is not served here any more");
    }
}

fn deliver(
    context: Context<'_>,
    entries: &[&Rc<Entry>],
    request: &PullRequest,
) -> Result<(), CommandError> {
    for entry in entries {
        let pulled = take(context, entry, request, Vec::new());
        let pulled = pulled.map_err(|error| at(entry, error))?;
        if !is_empty(&pulled) {
            return request.reply(context, entry, &pulled);
        }
    }
    request.reply_empty(context);
    Ok(())
}

/// An error of this queue.
#[cold]
fn at(entry: &Entry, error: QueueError) -> CommandError {
    CommandError::At(entry.queue().clone(), error)
}

fn take(
    context: Context<'_>,
    entry: &Rc<Entry>,
    request: &PullRequest,
    acknowledged: Vec<Delivery>,
) -> Result<Pulled<Body>, QueueError> {
    let now_ms = context.began_ms();
    let mut store = entry.open(context, Access::Write);
    let mode = request.mode(&mut store)?;
    let is_due = index::may_be_due(entry, now_ms);
    // After a stall, acknowledgments that were sent in time may not have been read yet, and after a load what
    // ends when is read in slices: so nothing is swept for a while, and a client that may block waits for it.
    let may_wait = || IS_ACTIVE.get() && !context.may_not_block();
    let is_early = is_due && (store.0.has_to_read_deadlines() || turn::is_settling() && may_wait());
    let limit = if is_due && !is_early { request.most().max(LEAST_SWEEP) } else { 0 };
    if limit > 0 && IS_ACTIVE.get() {
        // What fails stays due, and the timer warns of it.
        let _ = ticks::run(context, entry, &mut store, now_ms);
    }
    let ended = if limit > 0 {
        // Some of them may be acknowledged first.
        let acknowledged = u32::try_from(acknowledged.len()).unwrap_or(0);
        store.ended(now_ms, limit.saturating_add(acknowledged))
    } else {
        Vec::new()
    };
    let op = op::Pull {
        now_ms,
        count: request.most(),
        mode,
        base_receipt: receipts::base(now_ms),
        sweep: SweepLimit { limit, same_slot: IS_CLUSTER.get() },
        acknowledged,
        ended,
    };
    let mut result = execute_on(context, entry, &mut store, op);
    if limit > 0 {
        index::keep(context, entry);
    }
    if let Ok(pulled) = &mut result {
        if is_early {
            pulled.more_due = may_wait();
        }
        if let DeliveryMode::AtLeastOnce { holder: Some((client, parting)), .. } = request.delivery
        {
            let claims: Vec<Delivery> = pulled.messages.iter().filter_map(|m| m.claim()).collect();
            disconnect::remember(context, client, entry, &claims, parting);
        }
    }
    result
}
