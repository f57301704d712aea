//! For fuzzing: parses the arguments of each command with the functions that its handler calls, but without a
//! server.

use super::ack::Ack;
use super::arguments::{ACK, CONSUMER, VISIBILITY};
use super::check::Check;
use super::config::{self, Config};
use super::deliver::PullRequest;
use super::errors::CommandError;
use super::explain::explain;
use super::extend::{self, Extend, Extension};
use super::len::Len;
use super::mpull::{Mpull, NUMKEYS};
use super::mpush::Mpush;
use super::nack::{self, Nack};
use super::new_messages::PushRequest;
use super::next::Next;
use super::options::{Options, counted, name_instead};
use super::pause::{self, Pause};
use super::peek::Peek;
use super::pull::Pull;
use super::purge::{self, Purge};
use super::push::Push;
use super::queues::Queues;
use super::reschedule::{self, Reschedule};
use super::schedule::{self, Schedule};
use super::schedules::Schedules;
use super::stats::Stats;
use super::{claims, del, glob, help, payloads, redrive};
use crate::calendar::zones_version;
use crate::queue::message::{MessageId, Receipt};
use crate::queue::name::QueueName;
use crate::queue::op::{self, BatchMessage, Choice, Op, SweepLimit};
use crate::queue::store::{Schedules as _, Store};
use crate::runtime::due::{self, NoTick};
use crate::server::keys_of_command::positions;
use crate::server::spec::Spec;

/// The double of a server.
pub trait Server {
    type Store: Store;

    fn open(&self, queue: &QueueName) -> Self::Store;
    fn now_ms(&self) -> u64;
    fn new_id(&mut self) -> MessageId;
    fn base_receipt(&self) -> Receipt;
    fn is_cluster(&self) -> bool;
    /// Runs the op that a command decided.
    fn run(&mut self, queue: &QueueName, op: &Op<'_>);
}

/// Runs a command line: a name and arguments. Error: the reply.
pub fn run(server: &mut impl Server, line: &[&[u8]]) -> Result<(), String> {
    let [name, arguments @ ..] = line else { return Ok(()) };
    let known = help::all().find(|known| known.spec.name.as_bytes() == *name);
    let Some(spec) = known.map(|known| known.spec) else { return Ok(()) };
    run_known(server, spec, line, arguments).map_err(|error| explain(spec, line, &error))
}

fn run_known(
    server: &mut impl Server,
    spec: &Spec,
    line: &[&[u8]],
    arguments: &[&[u8]],
) -> Result<(), CommandError> {
    positions(spec, line, |position| assert!(position < line.len(), "a key is no argument"));
    if !spec.fits_arity(line.len()) {
        return Err(CommandError::Arity);
    }
    match spec.name {
        "MQ.MPULL" => {
            let (names, options) = counted(&NUMKEYS, arguments)?;
            let request = PullRequest::read(&Options::read::<Mpull>(options)?, || Ok(1))?;
            for name in names {
                pull(server, &QueueName::new(name)?, &request, &[])?;
            }
        }
        "MQ.HELP" => {
            if let [command, ..] = arguments {
                help::find(command)?;
            }
        }
        "MQ.QUEUES" => {
            let options = Options::read::<Queues>(arguments)?;
            options.value("MATCH").map(|pattern| glob::matches(pattern, b"{orders}:dead"));
        }
        "MQ.STATS" => {
            Options::read::<Stats>(arguments)?;
        }
        command => {
            let [queue, arguments @ ..] = arguments else { return Err(CommandError::Arity) };
            run_on(server, command, &QueueName::new(queue)?, arguments)?;
        }
    }
    Ok(())
}

/// Runs a command whose first argument is a queue.
fn run_on(
    server: &mut impl Server,
    command: &str,
    queue: &QueueName,
    arguments: &[&[u8]],
) -> Result<(), CommandError> {
    let (now_ms, same_slot) = (server.now_ms(), server.is_cluster());
    let op = match (command, arguments) {
        ("MQ.PUSH", [payload, options @ ..]) => {
            let options = Options::read::<Push>(options)?;
            payloads::check(payload)?;
            let request = PushRequest::read(&options, &mut server.open(queue), now_ms)?;
            let PushRequest { due_at_ms, options } = request;
            Op::Push(op::Push { id: server.new_id(), due_at_ms, payload, options })
        }
        ("MQ.MPUSH", _) => {
            let (payloads, options) = payloads::read(arguments)?;
            let options = Options::read::<Mpush>(options)?;
            let request = PushRequest::read(&options, &mut server.open(queue), now_ms)?;
            let PushRequest { due_at_ms, options } = request;
            let payloads = payloads.iter();
            let messages = payloads.map(|payload| BatchMessage { id: server.new_id(), payload });
            Op::PushMany(op::PushMany { messages: messages.collect(), due_at_ms, options })
        }
        ("MQ.PULL", _) => {
            let options = Options::read::<Pull>(arguments)?;
            let request = PullRequest::read(&options, || Ok(1))?;
            return pull(server, queue, &request, options.pairs(&ACK).unwrap_or_default());
        }
        ("MQ.ACK", _) => {
            let (claims, rest) = claims::read(arguments)?;
            Options::read::<Ack>(rest)?;
            Op::Acknowledge(op::Acknowledge { now_ms: Some(now_ms), deliveries: claims.claims })
        }
        ("MQ.NACK", _) => {
            let (claims, options) = claims::read(arguments)?;
            nack::op(&Options::read::<Nack>(options)?, claims.claims, now_ms, same_slot).into()
        }
        ("MQ.EXTEND", _) => {
            let (consumer, rest) = name_instead(&CONSUMER, arguments)?;
            let (deliveries, rest) = match consumer {
                Some(_) => (Default::default(), rest),
                None => claims::read(rest).map(|(claims, rest)| (claims.claims, rest))?,
            };
            let visibility_ms = Options::read::<Extend>(rest)?.number(&VISIBILITY);
            match extend::op(visibility_ms, &mut server.open(queue), deliveries, now_ms)? {
                Extension::Extend(op) => op.into(),
                Extension::Prolong(op) => op.into(),
            }
        }
        ("MQ.DEL", rest) => del::op(rest, &mut server.open(queue), now_ms)?.into(),
        ("MQ.RESCHEDULE", [id, options @ ..]) => {
            reschedule::op(&Options::read::<Reschedule>(options)?, id, now_ms)?.into()
        }
        ("MQ.REDRIVE", options) => {
            let request = redrive::RedriveRequest::read(options)?;
            server.run(queue, &request.op(Choice::ALL, 100, 100, now_ms, same_slot).into());
            return Ok(());
        }
        ("MQ.PAUSE", options) => pause::op(&Options::read::<Pause>(options)?, now_ms).into(),
        ("MQ.CONFIG", options) => {
            let options = Options::read::<Config>(options)?;
            config::op(&options, &mut server.open(queue), same_slot)?.into()
        }
        ("MQ.CHECK", options) => {
            if !Options::read::<Check>(options)?.has("REPAIR") {
                return Ok(());
            }
            Op::Repair
        }
        ("MQ.PURGE", options) => match purge::state(&Options::read::<Purge>(options)?) {
            Some(state) => Op::PurgeState(op::PurgeState { state, limit: 100 }),
            None => Op::Purge,
        },
        ("MQ.SCHEDULE", [name, payload, options @ ..]) => {
            let name = schedule::check_name(name)?;
            let definition = schedule::definition(&Options::read::<Schedule>(options)?, payload)?;
            go_on_with_ticks(server, queue);
            let old = server.open(queue).schedule(name).unwrap_or(None);
            match due::set(name, definition, old.as_ref(), now_ms) {
                Ok(Some(op)) => op.into(),
                Ok(None) => return Ok(()),
                Err(NoTick) => return Err(CommandError::NoTick),
            }
        }
        ("MQ.UNSCHEDULE", [name]) => {
            Op::Unschedule(op::Unschedule { name: schedule::check_name(name)?.to_vec() })
        }
        ("MQ.TRIGGER", [name]) => {
            let name = schedule::check_name(name)?.to_vec();
            Op::Trigger(op::Trigger { now_ms, id: server.new_id(), name })
        }
        ("MQ.DROP", _) => Op::Drop,
        ("MQ.RESUME", _) => Op::Resume,
        // These only read, or take bytes that another fuzzer generates.
        ("MQ.SCHEDULES", options) => return Options::read::<Schedules>(options).map(|_| ()),
        ("MQ.NEXT", [name, options @ ..]) => {
            schedule::check_name(name)?;
            return Options::read::<Next>(options).map(|_| ());
        }
        ("MQ.PEEK", options) => return Options::read::<Peek>(options).map(|_| ()),
        ("MQ.LEN", options) => return Options::read::<Len>(options).map(|_| ()),
        ("MQ.GET" | "MQ.INFO" | "MQ.APPLY", _) => return Ok(()),
        (command, _) => unreachable!("{command} is not known here"),
    };
    server.run(queue, &op);
    Ok(())
}

/// Ticks that are due go first, as in the module.
fn go_on_with_ticks(server: &mut impl Server, queue: &QueueName) {
    let now_ms = server.now_ms();
    let ticks = due::decide(&mut server.open(queue), now_ms, |_| server.new_id());
    if !ticks.is_empty() {
        server.run(queue, &Op::Ticks(op::Ticks { now_ms, ticks, zones: zones_version().into() }));
    }
}

fn pull(
    server: &mut impl Server,
    queue: &QueueName,
    request: &PullRequest,
    acknowledged: &[&[u8]],
) -> Result<(), CommandError> {
    go_on_with_ticks(server, queue);
    let op = Op::Pull(op::Pull {
        now_ms: server.now_ms(),
        count: request.most(),
        mode: request.mode(&mut server.open(queue))?,
        base_receipt: server.base_receipt(),
        sweep: SweepLimit { limit: request.most(), same_slot: server.is_cluster() },
        acknowledged: claims::of_pairs(acknowledged),
        ended: Vec::new(),
    });
    server.run(queue, &op);
    Ok(())
}
