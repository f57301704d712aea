//! The last receipt that this process issued or learned from an op, for all queues together.
//!
//! Receipts in the records of a queue never come here: a damaged one must not reach other queues. That the
//! receipts of one message rise is ensured by its state record.

use std::cell::Cell;

use crate::queue::message::Receipt;
use crate::queue::valid::MAX_DURATION_MS;

/// A receipt that is further ahead of this server's clock is not continued: 365 days. Replicas may lag
/// behind their master, and a clock may be set back, but hardly by more.
const MOST_AHEAD_MS: u64 = MAX_DURATION_MS;

struct Receipts {
    last: Cell<Receipt>,
}

thread_local! {
    static RECEIPTS: Receipts = const { Receipts::new() };
}

/// The smallest receipt of a delivery made at that time, unix ms.
pub fn base(now_ms: u64) -> Receipt {
    RECEIPTS.with(|receipts| receipts.base(now_ms))
}

/// This server issued that receipt, from [`base`] on.
pub fn issued(receipt: Receipt) {
    RECEIPTS.with(|receipts| receipts.issued(receipt));
}

/// Another server issued that receipt, or this one before it was restarted.
pub fn learn(receipt: Receipt, now_ms: u64) {
    RECEIPTS.with(|receipts| receipts.learn(receipt, now_ms));
}

impl Receipts {
    const fn new() -> Self {
        Self { last: Cell::new(Receipt::NONE) }
    }

    fn base(&self, now_ms: u64) -> Receipt {
        let (clock, next) = (Receipt::at(now_ms), self.last.get().next());
        if is_near(next, now_ms) { clock.max(next) } else { clock }
    }

    fn issued(&self, receipt: Receipt) {
        self.last.set(receipt);
    }

    fn learn(&self, receipt: Receipt, now_ms: u64) {
        if is_near(receipt, now_ms) {
            self.last.set(receipt.max(self.last.get()));
        }
    }
}

fn is_near(receipt: Receipt, now_ms: u64) -> bool {
    receipt.timestamp_ms() <= now_ms.saturating_add(MOST_AHEAD_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_800_000_000_000;

    /// A delivery at that time, unix ms, of so many messages.
    fn give(receipts: &Receipts, now_ms: u64, count: u64) -> Receipt {
        let base = receipts.base(now_ms);
        receipts.issued(Receipt(base.0 + count - 1));
        base
    }

    #[test]
    fn receipts_rise_within_a_millisecond_and_when_the_clock_is_set_back() {
        let receipts = Receipts::new();
        let first = give(&receipts, NOW_MS, 10);
        assert_eq!(first, Receipt::at(NOW_MS));
        for (number, back_ms) in [(10, 0), (11, 1), (12, 86_400_000), (13, MOST_AHEAD_MS)] {
            assert_eq!(give(&receipts, NOW_MS - back_ms, 1), Receipt(first.0 + number));
        }
        assert_eq!(give(&receipts, NOW_MS + 1, 1), Receipt::at(NOW_MS + 1));
    }

    #[test]
    fn receipts_go_on_with_the_clock_when_it_was_far_ahead() {
        let receipts = Receipts::new();
        give(&receipts, NOW_MS + MOST_AHEAD_MS + 1, 1);
        let first = give(&receipts, NOW_MS, 2);
        assert_eq!(first, Receipt::at(NOW_MS));
        assert_eq!(give(&receipts, NOW_MS, 1), Receipt(first.0 + 2));
    }

    #[test]
    fn what_another_server_issued_is_continued_if_it_is_not_far_ahead() {
        for (ahead_ms, is_learned) in
            [(0, true), (86_400_000, true), (MOST_AHEAD_MS, true), (MOST_AHEAD_MS + 1, false)]
        {
            let receipts = Receipts::new();
            let own = give(&receipts, NOW_MS, 1);
            let other = Receipt(Receipt::at(NOW_MS + ahead_ms).0 + 500);
            receipts.learn(other, NOW_MS);
            receipts.learn(Receipt::at(NOW_MS - 1), NOW_MS);
            let expected = if is_learned { other } else { own };
            assert_eq!(give(&receipts, NOW_MS, 1), expected.next(), "{ahead_ms} ms ahead");
        }
        let receipts = Receipts::new();
        for never in [Receipt(u64::MAX), Receipt(Receipt::LIMIT.0 - 1)] {
            receipts.learn(never, NOW_MS);
            assert_eq!(receipts.base(NOW_MS), Receipt::at(NOW_MS));
        }
    }
}
