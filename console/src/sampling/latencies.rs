//! How long messages took: from their push to their first delivery, and from there to their acknowledgment. The module counts
//! in buckets of powers of two, so what is told of them is an estimate, as histogram_quantile of Prometheus makes it.

use redis_mq::{Histogram, Info};

/// The bucket with index n has times up to 2^n ms, the last one all that are longer.
const BUCKETS: usize = 32;
const LAST: usize = BUCKETS - 1;

/// How many messages took how long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    buckets: [u64; BUCKETS],
}

impl Times {
    pub fn of(histogram: &Histogram) -> Self {
        let mut times = Self::default();
        let mut counted = 0;
        for (bound, count) in &histogram.buckets {
            let place = bound.as_millis().checked_ilog2().unwrap_or(0) as usize;
            times.buckets[place.min(LAST)] += count.saturating_sub(counted);
            counted = *count;
        }
        times.buckets[LAST] += histogram.count.saturating_sub(counted);
        times
    }

    /// Those that are not in `before`. A count that is lower than before began anew with its server.
    fn since(mut self, before: &Self) -> Self {
        let mut both = self.buckets.iter().zip(&before.buckets);
        if both.all(|(after, before)| after >= before) {
            self.buckets
                .iter_mut()
                .zip(before.buckets)
                .for_each(|(after, before)| *after -= before);
        }
        self
    }

    fn add(&mut self, more: &Self) {
        self.buckets.iter_mut().zip(more.buckets).for_each(|(sum, more)| *sum += more);
    }

    /// The time within which this part of them was, in milliseconds to one decimal, taken as spread evenly over a bucket.
    pub fn quantile(&self, part: f64) -> Option<f64> {
        let all: u64 = self.buckets.iter().sum();
        let rank = all as f64 * part;
        let mut below = 0;
        for (place, count) in self.buckets.iter().enumerate() {
            if *count > 0 && (below + count) as f64 >= rank {
                let bound = |place: usize| (1_u64 << place) as f64;
                let from = place.checked_sub(1).map_or(0.0, bound);
                // Of the last one nobody knows where it ends.
                let to = if place == LAST { from } else { bound(place) };
                let ms = from + (to - from) * (rank - below as f64) / *count as f64;
                return Some((ms * 10.0).round() / 10.0);
            }
            below += count;
        }
        None
    }
}

/// Of a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    pub delivery: Times,
    pub processing: Times,
}

impl Latencies {
    pub fn between(before: &Info, after: &Info) -> Self {
        let since = |before, after| Times::of(after).since(&Times::of(before));
        Self {
            delivery: since(&before.delivery_times, &after.delivery_times),
            processing: since(&before.processing_times, &after.processing_times),
        }
    }

    pub fn add(&mut self, more: &Self) {
        self.delivery.add(&more.delivery);
        self.processing.add(&more.processing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Of cumulative counts by milliseconds.
    fn histogram(count: u64, buckets: &[(u64, u64)]) -> Histogram {
        let mut histogram = Histogram::default();
        histogram.count = count;
        histogram.buckets =
            buckets.iter().map(|(ms, count)| (Duration::from_millis(*ms), *count)).collect();
        histogram
    }

    #[test]
    fn a_part_of_them_was_within_a_time() {
        let within =
            |count, buckets: &[_], part| Times::of(&histogram(count, buckets)).quantile(part);
        for (count, buckets, part, ms) in [
            (0, &[][..], 0.5, None),
            (1, &[(1, 1)], 0.5, Some(0.5)),
            (4, &[(8, 4)], 0.5, Some(6.0)),
            (4, &[(8, 4)], 1.0, Some(8.0)),
            (100, &[(1, 50), (1024, 100)], 0.5, Some(1.0)),
            (100, &[(1, 50), (1024, 100)], 0.75, Some(768.0)),
            // Beyond the last bound nothing is known.
            (2, &[(1 << 30, 1)], 0.95, Some((1_u64 << 30) as f64)),
        ] {
            assert_eq!(within(count, buckets, part), ms, "{part} of {count}, {buckets:?}");
        }
    }

    #[test]
    fn only_those_since_the_sample_before_are_told() {
        let mut before = Info::default();
        before.delivery_times = histogram(10, &[(2, 10)]);
        let mut after = Info::default();
        after.delivery_times = histogram(12, &[(2, 10), (64, 12)]);
        let between =
            |before: &Info, after: &Info| Latencies::between(before, after).delivery.quantile(0.5);
        assert_eq!(between(&before, &after), Some(48.0));
        assert_eq!(between(&after, &after), None);
        // The server was restarted.
        after.delivery_times = histogram(4, &[(8, 4)]);
        assert_eq!(between(&before, &after), Some(6.0));
    }

    #[test]
    fn the_times_of_a_minute_are_added_up() {
        let mut after = Info::default();
        after.processing_times = histogram(2, &[(2, 2)]);
        let mut minute = Latencies::between(&Info::default(), &after);
        after.processing_times = histogram(2, &[(512, 2)]);
        minute.add(&Latencies::between(&Info::default(), &after));
        assert_eq!(minute.processing.quantile(0.5), Some(2.0));
        assert_eq!(minute.processing.quantile(1.0), Some(512.0));
        assert_eq!(minute.delivery.quantile(1.0), None);
    }
}
