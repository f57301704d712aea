//! How often which times occurred since the server started. Only the process knows: it is not stored, and a replica,
//! which decides nothing, counts nothing.

use std::cell::Cell;

use crate::queue::times::Time;

/// One for each power of two up to 2^30 ms, twelve days, and one for all that takes longer.
const BUCKETS: usize = 32;

/// How many times were how long.
#[derive(Default)]
pub struct Histogram {
    sum_ms: Cell<u64>,
    /// Of the bucket with index n the upper bound, which is part of it, is 2^n ms.
    buckets: [Cell<u64>; BUCKETS],
}

impl Histogram {
    fn add(&self, ms: u64) {
        let bits = u64::BITS.wrapping_sub(ms.saturating_sub(1).leading_zeros());
        let index = (bits as usize).min(BUCKETS - 1);
        if let Some(bucket) = self.buckets.get(index) {
            bucket.set(bucket.get().saturating_add(1));
        }
        self.sum_ms.set(self.sum_ms.get().saturating_add(ms));
    }

    pub fn count(&self) -> u64 {
        self.buckets.iter().fold(0, |sum, bucket| sum.saturating_add(bucket.get()))
    }

    pub fn sum_ms(&self) -> u64 {
        self.sum_ms.get()
    }

    /// Of each bucket in use but the last its upper bound, in milliseconds, and how many times were at most as long.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        let (bounded, _) = self.buckets.split_at(BUCKETS - 1);
        let mut total = 0u64;
        bounded.iter().zip(0..).filter(|(bucket, _)| bucket.get() > 0).map(
            move |(bucket, power)| {
                total = total.saturating_add(bucket.get());
                (1 << power, total)
            },
        )
    }
}

/// The times of a queue.
#[derive(Default)]
pub struct Times {
    pub delivery: Histogram,
    pub processing: Histogram,
}

impl Times {
    pub fn count(&self, time: Time) {
        match time {
            Time::Delivery(ms) => self.delivery.add(ms),
            Time::Processing(ms) => self.processing.add(ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_the_first_bucket_that_is_long_enough() {
        const YEAR_MS: u64 = 31_536_000_000;
        for (ms, bound) in [
            (0, Some(1)),
            (1, Some(1)),
            (2, Some(2)),
            (3, Some(4)),
            (4, Some(4)),
            (5, Some(8)),
            (1_024, Some(1_024)),
            (1_025, Some(2_048)),
            (1 << 30, Some(1 << 30)),
            ((1 << 30) + 1, None),
            (YEAR_MS, None),
            (u64::MAX, None),
        ] {
            let histogram = Histogram::default();
            histogram.add(ms);
            let buckets: Vec<_> = histogram.buckets().collect();
            assert_eq!(buckets, bound.map(|bound| (bound, 1)).as_slice(), "{ms}");
            assert_eq!((histogram.count(), histogram.sum_ms()), (1, ms));
        }
    }

    #[test]
    fn buckets_are_cumulative_and_empty_ones_are_omitted() {
        let histogram = Histogram::default();
        assert_eq!(histogram.buckets().count(), 0);
        for ms in [3, 100, 0, 4, 100, 1, u64::MAX] {
            histogram.add(ms);
        }
        assert_eq!(histogram.buckets().collect::<Vec<_>>(), [(1, 2), (4, 4), (128, 6)]);
        assert_eq!((histogram.count(), histogram.sum_ms()), (7, u64::MAX));
    }
}
