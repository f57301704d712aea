//! The names of a queue's keys, as the server needs them.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use super::deadlines::Deadlines;
use super::keys;
use super::record::Encoded;
use crate::queue::name::QueueName;
use crate::queue::part::Part;
use crate::server::context::Context;
use crate::server::key::{Access, Key, KeyType};
use crate::server::scan::KeyCursor;
use crate::server::string::{ServerString, ValueString};

/// The names of a queue's keys, each created on first use: most queues use few.
pub struct KeyNames {
    queue: QueueName,
    name: ServerString,
    parts: [OnceCell<ServerString>; Part::ALL.len()],
    wait: OnceCell<ServerString>,
    /// One bit per rare part that existed when it was last opened: a guess that saves a lookup.
    found: Cell<u32>,
    /// Cluster mode only.
    probe: OnceCell<ServerString>,
    /// The field or member of each kind that was used last.
    fields: [Cell<Option<ValueString>>; FIELD_KINDS],
    /// The value that was stored last, if it is not large.
    value: Cell<Option<ValueString>>,
    /// The order of `Flight`.
    pub(super) deadlines: Rc<RefCell<Deadlines>>,
    /// How far `Flight` was read for that.
    pub(super) reading: RefCell<Option<KeyCursor>>,
}

impl KeyNames {
    /// Creates the queue's own name only.
    pub fn new(queue: QueueName) -> Self {
        let name = ServerString::new(queue.as_bytes());
        let parts = [const { OnceCell::new() }; Part::ALL.len()];
        Self {
            queue,
            name,
            parts,
            wait: OnceCell::new(),
            found: Cell::new(0),
            probe: OnceCell::new(),
            fields: [const { Cell::new(None) }; FIELD_KINDS],
            value: Cell::new(None),
            deadlines: Rc::new(RefCell::new(Deadlines::UNKNOWN)),
            reading: RefCell::new(None),
        }
    }

    /// Other names of the same keys, to be used once.
    pub fn again(&self) -> Self {
        Self { deadlines: self.deadlines.clone(), ..Self::new(self.queue.clone()) }
    }

    #[inline]
    #[allow(clippy::indexing_slicing, reason = "the array has one entry per part")]
    pub(super) fn part(&self, part: Part) -> &ServerString {
        self.parts[part as usize].get_or_init(|| self.new_part(part))
    }

    #[cold]
    fn new_part(&self, part: Part) -> ServerString {
        ServerString::new(&keys::key(&self.queue, part))
    }

    /// True if one of the queue's keys exists in the selected database. Keeps no names: most of the
    /// queues that are asked for are not used otherwise.
    pub fn has_keys(&self, context: Context<'_>) -> bool {
        let exists = |name: &ServerString| Key::open(context, name, Access::Read).is_some();
        self.parts.iter().zip(Part::ALL).any(|(name, part)| match name.get() {
            Some(name) => exists(name),
            None => exists(&self.new_part(part)),
        })
    }

    pub fn queue(&self) -> &QueueName {
        &self.queue
    }

    /// The queue's name, which is the key that commands declare; it never exists.
    pub fn name(&self) -> &ServerString {
        &self.name
    }

    /// The key on which clients wait; it never exists.
    pub fn wait(&self) -> &ServerString {
        self.wait.get_or_init(|| ServerString::new(&keys::wait_key(&self.queue)))
    }

    /// A string with the name of a field or member. It is made of the last one, if that is as long: to make
    /// and free one costs more than to look it up.
    #[allow(clippy::indexing_slicing, reason = "the array has one entry per kind")]
    pub(super) fn take_field(&self, part: Part, name: &[u8]) -> ValueString {
        match self.fields[field_kind(part)].take() {
            Some(field) => field.renewed(name),
            None => ValueString::new(name),
        }
    }

    /// Gives a string of [`take_field`](Self::take_field) back.
    #[allow(clippy::indexing_slicing, reason = "the array has one entry per kind")]
    pub(super) fn keep_field(&self, part: Part, field: ValueString) {
        self.fields[field_kind(part)].set(Some(field));
    }

    /// A string with a value, which is given in two pieces. It is made of the last one, if that is as long: many
    /// messages of a queue are. A long piece is copied once.
    pub(super) fn take_value(&self, [start, rest]: [&[u8]; 2]) -> ValueString {
        let len = start.len().saturating_add(rest.len());
        if let Some(mut value) = self.value.take()
            && value.as_ref().len() == len
            && let Some((first, second)) = value.as_mut().split_at_mut_checked(start.len())
        {
            first.copy_from_slice(start);
            second.copy_from_slice(rest);
            return value;
        }
        if rest.len() > KEPT_VALUE {
            let mut value = ValueString::new(start);
            value.append(rest);
            return value;
        }
        let mut whole = Encoded::new(len);
        whole.extend(start);
        whole.extend(rest);
        ValueString::new(&whole)
    }

    /// Gives a string of [`take_value`](Self::take_value) back.
    pub(super) fn keep_value(&self, value: ValueString) {
        if value.as_ref().len() <= KEPT_VALUE {
            self.value.set(Some(value));
        }
    }

    pub(super) fn was_found(&self, part: Part) -> bool {
        self.found.get() & bit(part) != 0
    }

    pub(super) fn note_found(&self, part: Part, key: &Key<'_>) {
        let others = self.found.get() & !bit(part);
        let is_there = key.key_type() != KeyType::Absent;
        self.found.set(if is_there { others | bit(part) } else { others });
    }

    /// Other keys may have taken the place of the queue's: nothing is known of what they hold.
    pub fn forget_contents(&self) {
        *self.deadlines.borrow_mut() = Deadlines::UNKNOWN;
    }

    /// Cluster mode: true if the queue's slot is served here and is not being moved. While it moves, a
    /// command would see half of the queue.
    pub fn slot_is_stable(&self, context: Context<'_>) -> bool {
        let probe = self.probe.get_or_init(|| ServerString::new(&keys::probe_key(&self.queue)));
        context.slot_is_stable(self.wait(), probe)
    }
}

const FIELD_KINDS: usize = 3;

/// To make a string longer than that costs little beside copying the bytes.
const KEPT_VALUE: usize = 1024;

/// What the fields or members of a part are: deliveries, of any length, or ids.
fn field_kind(part: Part) -> usize {
    match part {
        Part::Inflight => 0,
        Part::Groups | Part::Turns | Part::Dedup | Part::Deduped | Part::Retries => 1,
        _ => 2,
    }
}

/// The bit of a part in a set of parts.
pub(super) fn bit(part: Part) -> u32 {
    1 << part as u32
}
