//! New ids: UUIDs of version 7, each greater than all that this process made before, whatever the clock
//! does.

use std::cell::Cell;

use uuid::{NoContext, Timestamp, Uuid};

use crate::queue::message::MessageId;

/// Within a millisecond ids rise by this. The bits below are random, as is the first value.
const STEP: u128 = 1 << 32;

/// The bits behind the variant: the rising ones and those below them.
const COUNTER: u32 = 62;

struct Ids {
    last: Cell<u128>,
}

thread_local! {
    static IDS: Ids = const { Ids::new() };
}

/// A new id at that time, unix ms.
#[inline]
pub fn next(now_ms: u64) -> MessageId {
    IDS.with(|ids| ids.next(now_ms))
}

impl Ids {
    const fn new() -> Self {
        Self { last: Cell::new(0) }
    }

    #[inline]
    fn next(&self, now_ms: u64) -> MessageId {
        let last = self.last.get();
        let next = last.wrapping_add(STEP);
        let last_ms = MessageId(last.to_be_bytes()).timestamp_ms();
        let id = if last_ms >= now_ms && next >> COUNTER == last >> COUNTER {
            next
        } else {
            first(now_ms.max(last_ms.saturating_add(1)))
        };
        self.last.set(id);
        MessageId(id.to_be_bytes())
    }
}

/// The first id of a millisecond, with room for 2^29 behind it.
#[inline(never)]
fn first(now_ms: u64) -> u128 {
    let nanoseconds = (now_ms % 1_000).saturating_mul(1_000_000) as u32;
    let id = Uuid::new_v7(Timestamp::from_unix(NoContext, now_ms / 1_000, nanoseconds));
    id.as_u128() & !(1 << (COUNTER - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_800_000_000_000;

    #[test]
    fn ids_rise_whatever_the_clock_does() {
        let ids = Ids::new();
        let mut last = ids.next(NOW_MS);
        assert_eq!(last.timestamp_ms(), NOW_MS);
        for (now_ms, expected_ms) in [
            (NOW_MS, NOW_MS),
            (NOW_MS - 86_400_000, NOW_MS),
            (NOW_MS + 1, NOW_MS + 1),
            (NOW_MS, NOW_MS + 1),
            (NOW_MS + 1_000, NOW_MS + 1_000),
        ] {
            for _ in 0..1_000 {
                let id = ids.next(now_ms);
                assert!(id > last && id.is_valid(), "{id:?} behind {last:?}");
                assert_eq!(id.timestamp_ms(), expected_ms);
                last = id;
            }
        }
    }

    #[test]
    fn a_millisecond_without_room_is_followed_by_the_next_one() {
        let ids = Ids::new();
        ids.next(NOW_MS);
        ids.last.set(ids.last.get() | ((1 << COUNTER) - 1));
        let full = MessageId(ids.last.get().to_be_bytes());
        let id = ids.next(NOW_MS);
        assert!(id > full && id.is_valid());
        assert_eq!(id.timestamp_ms(), NOW_MS + 1);
    }

    #[test]
    fn processes_make_different_ids_at_the_same_time() {
        let all: std::collections::BTreeSet<_> =
            (0..10_000).map(|_| Ids::new().next(NOW_MS)).collect();
        assert_eq!(all.len(), 10_000);
    }
}
