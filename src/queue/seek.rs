//! Splits a merge of ordered sequences after its first n elements, by binary search, without reading
//! what comes before.

use super::message::{Body, MessageId, Rank};
use super::store::Store;

/// The order of a ready message at equal treatment: ready since (unix ms), then rank and id.
pub(super) type Key = (u64, Rank, MessageId);

/// The ready messages of a priority in one source, from `start` on, in order.
pub(super) struct Sequence {
    pub source: Source,
    /// The caller's cursor.
    pub cursor: usize,
    pub priority: u8,
    pub start: u64,
    pub length: u64,
}

/// Where messages of a priority are ready.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The ready list.
    Listed,
    Ranked,
}

impl Sequence {
    /// None for an unreadable record, which sorts first.
    fn key<S: Store>(&self, store: &mut S, index: u64) -> Option<Key> {
        let index = self.start.saturating_add(index);
        let (id, rank) = match self.source {
            Source::Listed => {
                let id = store.ready_at(self.priority, index)??.id();
                (id, Rank::new(self.priority, id.timestamp_ms()))
            }
            Source::Ranked => store.ranked(self.priority, index, 1).pop()?,
        };
        Some((rank.ready_since_ms(), rank, id))
    }

    /// Partition point: how many come before the first one of which `is_first` is false, within the
    /// window.
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

/// How many of each sequence are among the first `count` of all, which exist.
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
                // The pivot is among the first unless they are complete without it.
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

/// The sequence with the widest window. Lists are preferred: they are the most expensive to read, so
/// they are read only to halve their own windows once all others are closed.
fn widest(sequences: &[Sequence], windows: &[[u64; 2]]) -> Option<usize> {
    let widths = sequences.iter().zip(windows).map(|(sequence, [low, high])| {
        (sequence.source == Source::Listed, high.saturating_sub(*low))
    });
    let open = widths.enumerate().filter(|(_, (_, width))| *width > 0);
    open.max_by_key(|(_, width)| *width).map(|(index, _)| index)
}
