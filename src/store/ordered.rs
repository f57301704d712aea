//! A sorted set for entries that come almost in order: sorted runs of up to [`MOST`], one after the other. An
//! entry takes its own size and hardly more, and one that comes last is only appended.

use std::collections::VecDeque;

/// The most entries of a run.
const MOST: usize = 128;

/// See the top of this file.
#[derive(Debug)]
pub struct Ordered<T> {
    /// None is empty.
    runs: VecDeque<Vec<T>>,
    len: usize,
}

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: PartialEq> PartialEq for Ordered<T> {
    fn eq(&self, other: &Self) -> bool {
        self.runs.iter().flatten().eq(other.runs.iter().flatten())
    }
}

impl<T: Eq> Eq for Ordered<T> {}

impl<T> Ordered<T> {
    pub const fn new() -> Self {
        Self { runs: VecDeque::new(), len: 0 }
    }
}

impl<T: Ord + Copy> Ordered<T> {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn iter(&self) -> impl Iterator<Item = T> {
        self.runs.iter().flatten().copied()
    }

    /// Adds an entry, unless it is there.
    pub fn insert(&mut self, entry: T) {
        if let Some(last) = self.runs.back_mut()
            && last.last() < Some(&entry)
            && last.len() < MOST
        {
            last.push(entry);
        } else {
            let index = self.run_of(entry);
            let Some(run) = self.runs.get_mut(index) else {
                self.runs.push_back(vec![entry]);
                self.len = self.len.saturating_add(1);
                return;
            };
            let Err(at) = run.binary_search(&entry) else { return };
            if at == run.len() && run.len() >= MOST {
                self.runs.insert(index.saturating_add(1), vec![entry]);
            } else {
                run.insert(at, entry);
                if run.len() > MOST {
                    let behind = run.split_off(run.len() / 2);
                    self.runs.insert(index.saturating_add(1), behind);
                }
            }
        }
        self.len = self.len.saturating_add(1);
    }

    /// Removes an entry. True if it was there.
    pub fn remove(&mut self, entry: T) -> bool {
        let index = self.run_of(entry);
        let Some(run) = self.runs.get_mut(index) else { return false };
        let Ok(at) = run.binary_search(&entry) else { return false };
        run.remove(at);
        let left = run.len();
        self.len = self.len.saturating_sub(1);
        let next = self.runs.get(index.saturating_add(1)).map_or(MOST, Vec::len);
        if left == 0 {
            self.runs.remove(index);
        } else if left.saturating_add(next) <= MOST / 2
            && let Some(next) = self.runs.remove(index.saturating_add(1))
            && let Some(run) = self.runs.get_mut(index)
        {
            // Runs that are almost empty would keep their memory.
            run.extend(next);
            run.shrink_to(MOST / 2);
        }
        true
    }

    /// The run in which an entry is, or belongs.
    fn run_of(&self, entry: T) -> usize {
        let behind = self.runs.partition_point(|run| run.first() <= Some(&entry));
        behind.saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_holds_what_a_sorted_set_holds() {
        for seed in 0..20 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut ordered, mut expected) = (Ordered::new(), BTreeSet::new());
            let range = [10, 1_000, 1_000_000][random.usize(..3)];
            let mut last = 0u64;
            for _ in 0..3_000 {
                last += random.u64(0..3);
                let entry = if random.u8(..4) > 0 { last } else { random.u64(..range) };
                if random.u8(..3) > 0 {
                    ordered.insert(entry);
                    expected.insert(entry);
                } else {
                    let entry = if random.bool() { expected.first().copied() } else { None }
                        .unwrap_or(entry);
                    assert_eq!(ordered.remove(entry), expected.remove(&entry));
                }
                assert_eq!(ordered.len(), expected.len());
                assert!(ordered.runs.iter().all(|run| (1..=MOST).contains(&run.len())));
            }
            assert!(ordered.iter().eq(expected.iter().copied()), "seed {seed}");
            while let Some(entry) = expected.pop_first() {
                assert!(ordered.remove(entry));
            }
            assert_eq!((ordered.len(), ordered.runs.len()), (0, 0));
        }
    }
}
