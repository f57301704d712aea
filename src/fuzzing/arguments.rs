//! Command lines as a client may send them.

use super::world::{START_MS, World, id};
use crate::commands::fuzzing::{Server, run};
use crate::queue::QueueError;
use crate::queue::message::{MessageId, Receipt};
use crate::queue::name::QueueName;
use crate::queue::op::Op;
use crate::queue::rules::Rules;
use crate::store::memory::MemoryKeyspace;
use crate::store::op::{decode_op, encode_op};
use crate::store::records::Records;

/// The input is lines, one per second, with a space between two arguments; a first line `cluster`
/// selects cluster mode. Each command is refused with one line of text, or is an op that a replica
/// accepts and that can be applied.
pub fn arguments(bytes: &[u8]) {
    let (is_cluster, lines) = match bytes.strip_prefix(b"cluster\n") {
        Some(lines) => (true, lines),
        None => (false, bytes),
    };
    let mut server =
        Memory { world: World::default(), now_ms: START_MS, last_number: 0, is_cluster };
    for line in lines.split(|byte| *byte == b'\n') {
        let arguments: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        if let Err(told) = run(&mut server, &arguments) {
            assert!(!told.contains(char::is_control), "an error reply is one line: {told:?}");
        }
        server.now_ms += 1_000;
    }
}

struct Memory {
    world: World,
    now_ms: u64,
    last_number: u64,
    is_cluster: bool,
}

impl Server for Memory {
    type Store = Records<MemoryKeyspace>;

    fn open(&self, queue: &QueueName) -> Self::Store {
        self.world.open(queue)
    }

    fn now_ms(&self) -> u64 {
        self.now_ms
    }

    fn new_id(&mut self) -> MessageId {
        self.last_number += 1;
        id(self.now_ms, self.last_number)
    }

    fn base_receipt(&self) -> Receipt {
        Receipt::at(self.now_ms)
    }

    fn is_cluster(&self) -> bool {
        self.is_cluster
    }

    fn run(&mut self, queue: &QueueName, op: &Op<'_>) {
        let bytes = encode_op(op);
        assert_eq!(decode_op(&bytes), Ok((op.clone(), Rules::V2)), "a replica refuses it");
        // An undamaged queue refuses to kill a dead letter, and nothing else.
        if let Err(error) = self.world.apply(queue, op, Rules::V2) {
            assert_eq!(error, QueueError::AlreadyDead);
        }
        self.world.inspect(queue, self.now_ms);
        assert_eq!(self.open(queue).check(), [], "after {op:?}");
    }
}
