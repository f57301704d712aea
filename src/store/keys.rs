//! Names of keys, and the queue of a key.

use crate::queue::name::QueueName;
use crate::queue::part::Part;

/// All keys begin with it.
pub const PREFIX: &[u8] = b"mq:";

/// The key of a part, `mq:{orders}:ready` for queue `orders`.
pub fn key(queue: &QueueName, part: Part) -> Vec<u8> {
    join(queue, part.name())
}

/// The key on which clients of a queue wait. It never exists.
pub fn wait_key(queue: &QueueName) -> Vec<u8> {
    join(queue, "wait")
}

/// A second key that never exists, to ask the server about the queue's slot.
pub fn probe_key(queue: &QueueName) -> Vec<u8> {
    join(queue, "probe")
}

fn join(queue: &QueueName, word: &str) -> Vec<u8> {
    let mut key = PREFIX.to_vec();
    key.extend_from_slice(&queue.tagged());
    key.push(b':');
    key.extend_from_slice(word.as_bytes());
    key
}

/// The queue that a key belongs to, and what of it the key holds; None if it is no key of this module.
pub fn queue_and_part(key: &[u8]) -> Option<(QueueName, Part)> {
    let rest = key.strip_prefix(PREFIX)?;
    let colon = rest.iter().rposition(|&b| b == b':')?;
    let (tagged, last) = rest.split_at_checked(colon)?;
    let last = last.strip_prefix(b":")?;
    let part = Part::ALL.into_iter().find(|part| part.name().as_bytes() == last)?;
    Some((QueueName::from_tagged(tagged)?, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_leads_back_to_its_queue() {
        for name in ["orders", "{acme}.orders", "a:b", "{orders}:dead", "{a}:ready"] {
            let queue = QueueName::new(name.as_bytes()).unwrap();
            for part in Part::ALL {
                assert_eq!(queue_and_part(&key(&queue, part)), Some((queue.clone(), part)));
            }
        }
        let orders = QueueName::new(b"orders").unwrap();
        assert_eq!(key(&orders, Part::Ready), b"mq:{orders}:ready");
        assert_eq!(wait_key(&orders), b"mq:{orders}:wait");
        for other in ["mq:{orders}:wait", "mq:orders:ready", "mq:{orders}", "x:{orders}:ready", ""]
        {
            assert_eq!(queue_and_part(other.as_bytes()), None, "{other}");
        }
    }
}
