//! Where random ops take their choices from: bytes, which a seed fills or a fuzzer makes up. Equal
//! bytes give an equal run. When they are used up, every choice is the first one.

use std::ops::{Bound, RangeBounds};

/// See the top of this file.
pub struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// True if all bytes are used up.
    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub fn u8(&mut self, range: impl RangeBounds<u8>) -> u8 {
        self.within(range, u8::MAX) as u8
    }

    pub fn u32(&mut self, range: impl RangeBounds<u32>) -> u32 {
        self.within(range, u32::MAX) as u32
    }

    pub fn u64(&mut self, range: impl RangeBounds<u64>) -> u64 {
        self.within(range, u64::MAX)
    }

    pub fn usize(&mut self, range: impl RangeBounds<usize>) -> usize {
        self.within(range, usize::MAX) as usize
    }

    pub fn bool(&mut self) -> bool {
        self.below(2) == 1
    }

    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for left in (1..values.len()).rev() {
            values.swap(left, self.usize(..=left));
        }
    }

    fn within<T: Copy + TryInto<u64>>(&mut self, range: impl RangeBounds<T>, max: T) -> u64 {
        let number = |value: T| value.try_into().unwrap_or(u64::MAX);
        let first = match range.start_bound() {
            Bound::Included(first) => number(*first),
            Bound::Excluded(before) => number(*before) + 1,
            Bound::Unbounded => 0,
        };
        let last = match range.end_bound() {
            Bound::Included(last) => number(*last),
            Bound::Excluded(end) => number(*end) - 1,
            Bound::Unbounded => number(max),
        };
        first + self.below(u128::from(last - first) + 1)
    }

    /// Each number below this is as likely as the others, as far as the fewest bytes allow that have
    /// enough values.
    fn below(&mut self, end: u128) -> u64 {
        let (mut value, mut values) = (0u128, 1u128);
        while values < end {
            let byte = self.0.split_off_first().copied().unwrap_or_default();
            value = value << 8 | u128::from(byte);
            values <<= 8;
        }
        ((value * end) >> values.trailing_zeros()) as u64
    }
}

#[test]
fn every_choice_of_a_range_comes_up_and_no_other() {
    let bytes: Vec<u8> = (0..=255).collect();
    let mut choices = Choices::new(&bytes);
    let mut counts = [0; 5];
    while !choices.is_over() {
        counts[choices.usize(2..=4)] += 1;
    }
    assert_eq!(counts, [0, 0, 86, 85, 85]);
    assert_eq!(choices.u64(7..9), 7, "the first one at the end");
    assert_eq!(Choices::new(&[128, 0, 7]).u64(..300), 150, "two bytes for more than 256");
    assert_eq!(Choices::new(&[255]).u8(..), 255);
    assert_eq!(Choices::new(&[255; 8]).u64(..), u64::MAX);
    let mut values = [1, 2, 3, 4];
    Choices::new(&[0, 1, 2]).shuffle(&mut values);
    values.sort();
    assert_eq!(values, [1, 2, 3, 4]);
}
