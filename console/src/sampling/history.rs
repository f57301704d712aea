//! What each queue was like: ten minutes by sample, a day by minute. In memory only.

use super::latencies::{Latencies, Times};
use super::snapshot::Queue;
use serde::Serialize;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

const FINE_MS: u64 = 10 * 60 * 1000;
const MINUTE_MS: u64 = 60 * 1000;
const COARSE_MS: u64 = 24 * 60 * MINUTE_MS;

/// A queue at a time. Of a minute: the highest of each depth and age, the mean of each rate. Of the messages that were delivered
/// and acknowledged since the point before: the times within which half and 95 % of them were, NaN without any, which is null
/// in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Point {
    pub at_ms: u64,
    pub ready: u32,
    pub inflight: u32,
    pub delayed: u32,
    pub dead_letters: u32,
    pub oldest_ready_age_ms: u32,
    pub pushed: f32,
    pub pulled: f32,
    pub acked: f32,
    pub delivery_p50_ms: f32,
    pub delivery_p95_ms: f32,
    pub processing_p50_ms: f32,
    pub processing_p95_ms: f32,
}

impl Point {
    fn of(queue: &Queue, at_ms: u64) -> Option<Self> {
        let info = queue.figures.as_ref().ok()?;
        let clamped = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let age = u64::try_from(info.oldest_ready_age.as_millis()).unwrap_or(u64::MAX);
        let point = Self {
            at_ms,
            ready: clamped(info.ready),
            inflight: clamped(info.inflight),
            delayed: clamped(info.delayed),
            dead_letters: clamped(info.deadletter_waiting),
            oldest_ready_age_ms: clamped(age),
            pushed: queue.rates.pushed as f32,
            pulled: queue.rates.pulled as f32,
            acked: queue.rates.acked as f32,
            ..Self::default()
        }
        .with(&queue.latencies);
        Some(point)
    }

    fn with(self, latencies: &Latencies) -> Self {
        let within = |times: &Times, part| times.quantile(part).map_or(f32::NAN, |ms| ms as f32);
        Self {
            delivery_p50_ms: within(&latencies.delivery, 0.5),
            delivery_p95_ms: within(&latencies.delivery, 0.95),
            processing_p50_ms: within(&latencies.processing, 0.5),
            processing_p95_ms: within(&latencies.processing, 0.95),
            ..self
        }
    }
}

/// A minute that has not ended.
#[derive(Clone, Debug, Default)]
struct Minute {
    points: u32,
    sum: Point,
    latencies: Latencies,
}

impl Minute {
    fn add(&mut self, point: &Point, latencies: &Latencies) {
        self.latencies.add(latencies);
        let sum = &mut self.sum;
        self.points += 1;
        sum.at_ms = point.at_ms / MINUTE_MS * MINUTE_MS;
        sum.ready = sum.ready.max(point.ready);
        sum.inflight = sum.inflight.max(point.inflight);
        sum.delayed = sum.delayed.max(point.delayed);
        sum.dead_letters = sum.dead_letters.max(point.dead_letters);
        sum.oldest_ready_age_ms = sum.oldest_ready_age_ms.max(point.oldest_ready_age_ms);
        sum.pushed += point.pushed;
        sum.pulled += point.pulled;
        sum.acked += point.acked;
    }

    fn mean(&self) -> Point {
        let points = self.points.max(1) as f32;
        let Point { pushed, pulled, acked, .. } = self.sum;
        Point {
            pushed: pushed / points,
            pulled: pulled / points,
            acked: acked / points,
            ..self.sum
        }
        .with(&self.latencies)
    }
}

#[derive(Debug, Default)]
struct Ring {
    fine: VecDeque<Point>,
    coarse: VecDeque<Point>,
    minute: Minute,
}

impl Ring {
    fn add(&mut self, point: Point, latencies: &Latencies) {
        if self.minute.points > 0 && point.at_ms / MINUTE_MS * MINUTE_MS != self.minute.sum.at_ms {
            push(&mut self.coarse, self.minute.mean(), COARSE_MS);
            self.minute = Minute::default();
        }
        self.minute.add(&point, latencies);
        push(&mut self.fine, point, FINE_MS);
    }

    fn ended_before(&self, at_ms: u64) -> bool {
        self.fine.back().is_none_or(|point| point.at_ms < at_ms)
    }
}

fn push(ring: &mut VecDeque<Point>, point: Point, kept_ms: u64) {
    while ring.front().is_some_and(|first| first.at_ms + kept_ms < point.at_ms) {
        ring.pop_front();
    }
    ring.push_back(point);
}

/// The rates of the last ten minutes, for a small chart: means of 20 seconds, oldest first, none where nothing is known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recent {
    pub pushed: Vec<Option<f64>>,
    pub acked: Vec<Option<f64>>,
}

const BARS: usize = 30;
const BAR_MS: u64 = FINE_MS / BARS as u64;

impl Recent {
    fn of<'p>(points: impl IntoIterator<Item = &'p Point>, now_ms: u64) -> Self {
        let mut bars = [(0_u16, 0.0, 0.0); BARS];
        for point in points {
            let back = usize::try_from(now_ms.saturating_sub(point.at_ms) / BAR_MS);
            let place = back.ok().and_then(|back| (BARS - 1).checked_sub(back));
            let Some((points, pushed, acked)) = place.map(|place| &mut bars[place]) else {
                continue;
            };
            *points += 1;
            *pushed += f64::from(point.pushed);
            *acked += f64::from(point.acked);
        }
        // To one decimal.
        let mean = |points: u16, sum: f64| {
            (points > 0).then(|| (sum / f64::from(points) * 10.0).round() / 10.0)
        };
        Self {
            pushed: bars.iter().map(|(points, pushed, _)| mean(*points, *pushed)).collect(),
            acked: bars.iter().map(|(points, _, acked)| mean(*points, *acked)).collect(),
        }
    }
}

/// How far back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    TenMinutes,
    Day,
}

/// The history of all queues of all sources.
#[derive(Debug, Default)]
pub struct History {
    /// By source and queue, so that a failover does not end it.
    rings: Mutex<HashMap<String, HashMap<String, Ring>>>,
}

impl History {
    /// Adds a sample of a source, and forgets its queues that have not been seen for ten minutes.
    pub fn add<'q>(&self, source: &str, at_ms: u64, queues: impl IntoIterator<Item = &'q Queue>) {
        let mut sources = self.lock();
        let rings = sources.entry(source.to_owned()).or_default();
        for queue in queues {
            let Some(point) = Point::of(queue, at_ms) else { continue };
            match rings.get_mut(&queue.name) {
                Some(ring) => ring.add(point, &queue.latencies),
                None => rings.entry(queue.name.clone()).or_default().add(point, &queue.latencies),
            }
        }
        rings.retain(|_, ring| !ring.ended_before(at_ms.saturating_sub(FINE_MS)));
    }

    /// The points of a queue, oldest first; none if it is unknown.
    pub fn of(&self, source: &str, queue: &str, range: Range) -> Vec<Point> {
        let sources = self.lock();
        let Some(ring) = sources.get(source).and_then(|rings| rings.get(queue)) else {
            return Vec::new();
        };
        match range {
            Range::TenMinutes => ring.fine.iter().copied().collect(),
            Range::Day => ring.coarse.iter().copied().chain([ring.minute.mean()]).collect(),
        }
    }

    /// The rates of a queue of late; `None` if it is unknown.
    pub fn recent(&self, source: &str, queue: &str, now_ms: u64) -> Option<Recent> {
        let sources = self.lock();
        let ring = sources.get(source)?.get(queue)?;
        Some(Recent::of(&ring.fine, now_ms))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, HashMap<String, Ring>>> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::snapshot::Rates;
    use redis_mq::Info;

    fn queue(name: &str, ready: u64, pushed: f64) -> Queue {
        let mut info = Info::default();
        info.ready = ready;
        let rates = Rates { pushed, ..Rates::default() };
        Queue { name: name.to_owned(), figures: Ok(info), rates, latencies: Latencies::default() }
    }

    #[test]
    fn ten_minutes_of_samples_and_a_day_of_minutes_are_kept() {
        let history = History::default();
        let day: u64 = 24 * 60 * 60 * 1000;
        for at_ms in (0..day + 60 * MINUTE_MS).step_by(2000) {
            history.add("a", at_ms, [&queue("orders", at_ms / 2000 % 30, 3.0)]);
        }
        let fine = history.of("a", "orders", Range::TenMinutes);
        assert_eq!(fine.len(), 301);
        assert_eq!(fine[300].at_ms - fine[0].at_ms, FINE_MS);
        let coarse = history.of("a", "orders", Range::Day);
        assert_eq!(coarse.len(), 24 * 60 + 2);
        assert!(coarse.iter().all(|minute| minute.ready == 29 && minute.pushed == 3.0));
        assert!(coarse.windows(2).all(|pair| pair[1].at_ms - pair[0].at_ms == MINUTE_MS));
    }

    #[test]
    fn the_rates_of_late_are_means_of_twenty_seconds() {
        let history = History::default();
        for (at_ms, pushed) in [(1_000, 9.0), (590_000, 2.0), (592_000, 4.0), (601_000, 1.0)] {
            history.add("a", at_ms, [&queue("orders", 1, pushed)]);
        }
        let recent = history.recent("a", "orders", 602_000).unwrap();
        assert_eq!(recent.pushed.len(), BARS);
        assert_eq!(recent.pushed[BARS - 1], Some(2.3));
        assert!(recent.pushed[..BARS - 1].iter().all(Option::is_none));
        assert_eq!(history.recent("a", "mails", 602_000), None);
    }

    #[test]
    fn a_queue_that_is_gone_is_forgotten_after_ten_minutes() {
        let history = History::default();
        history.add("a", 0, [&queue("orders", 1, 0.0)]);
        history.add("a", FINE_MS, [&queue("mails", 1, 0.0)]);
        assert_eq!(history.of("a", "orders", Range::TenMinutes).len(), 1);
        history.add("a", FINE_MS + 1, [&queue("mails", 1, 0.0)]);
        assert_eq!(history.of("a", "orders", Range::TenMinutes).len(), 0);
        assert_eq!(history.of("b", "mails", Range::TenMinutes).len(), 0);
    }
}
