//! Where the first so many of several ordered sequences end when they are merged: found by halving,
//! without reading what is before.

use super::message::{Body, MessageId, Rank};
use super::store::Store;

/// The place of a waiting message in a lane: since when it is ready, unix ms, then its rank and its id.
pub(super) type Key = (u64, Rank, MessageId);

/// The messages of a priority that wait in one place, from `start` on, in their order.
pub(super) struct Sequence {
    /// Where they wait.
    pub kind: Kind,
    /// The lane of the priority, as the caller counts them.
    pub lane: usize,
    /// The priority.
    pub priority: u8,
    /// How many are before the first.
    pub start: u64,
    /// How many there are.
    pub length: u64,
}

/// Where messages of a priority wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// In the list.
    Listed,
    /// In `Ranked`.
    Ranked,
}

impl Sequence {
    /// None for a record that can't be read: it counts as the first.
    fn key<S: Store>(&self, store: &mut S, index: u64) -> Option<Key> {
        let index = self.start.saturating_add(index);
        let (id, rank) = match self.kind {
            Kind::Listed => {
                let id = store.ready_at(self.priority, index)??.id();
                (id, Rank::new(self.priority, id.timestamp_ms()))
            }
            Kind::Ranked => store.ranked(self.priority, index, 1).pop()?,
        };
        Some((rank.ready_since_ms(), rank, id))
    }

    /// How many are before the first one of which `is_first` is not true, if that is in the window.
    pub(super) fn count_first<S: Store>(
        &self,
        store: &mut S,
        [mut low, mut high]: [u64; 2],
        is_first: impl Fn(Option<Key>) -> bool,
    ) -> u64 {
        while low < high {
            let middle = middle(low, high);
            if is_first(self.key(store, middle)) {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        low
    }
}

fn middle(low: u64, high: u64) -> u64 {
    low.saturating_add(high.saturating_sub(low) / 2)
}

/// How many of each sequence are among the first `count` of all; there are so many.
pub(super) fn split<S: Store>(store: &mut S, sequences: &[Sequence], count: u64) -> Vec<u64> {
    let mut windows: Vec<[u64; 2]> =
        sequences.iter().map(|sequence| [0, sequence.length.min(count)]).collect();
    if let [window] = windows.as_mut_slice() {
        return vec![window[1]];
    }
    while let Some(widest) = widest(sequences, &windows) {
        let (Some(sequence), Some([low, high])) = (sequences.get(widest), windows.get(widest))
        else {
            break;
        };
        let pivot = middle(*low, *high);
        let key = sequence.key(store, pivot);
        let before: Vec<u64> = sequences
            .iter()
            .zip(&windows)
            .enumerate()
            .map(|(index, (other, window))| {
                if index == widest {
                    return pivot;
                }
                other.count_first(store, *window, |other| other < key)
            })
            .collect();
        let total = before.iter().fold(0u64, |sum, one| sum.saturating_add(*one));
        for (index, ([low, high], before)) in windows.iter_mut().zip(&before).enumerate() {
            if total > count {
                *high = *before;
            } else {
                // The pivot itself is one of the first, if they are not complete without it.
                let is_pivot = index == widest && total < count;
                *low = before.saturating_add(is_pivot.into());
                if total == count {
                    *high = *low;
                }
            }
        }
    }
    windows.into_iter().map(|[low, _]| low).collect()
}

/// The sequence of which the least is known. Lists go first: to look into one costs most, and they are
/// looked into only to halve their own windows once those of the others are all that is left.
fn widest(sequences: &[Sequence], windows: &[[u64; 2]]) -> Option<usize> {
    let widths = sequences
        .iter()
        .zip(windows)
        .map(|(sequence, [low, high])| (sequence.kind == Kind::Listed, high.saturating_sub(*low)));
    let open = widths.enumerate().filter(|(_, (_, width))| *width > 0);
    open.max_by_key(|(_, width)| *width).map(|(index, _)| index)
}
