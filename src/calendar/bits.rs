//! Sets of small numbers: the values that a field of a cron expression selects.

/// A set of numbers from 0 to 63.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bits(u64);

impl Bits {
    /// Every `step`th number from `first` to `last`, both included. Numbers above 63 are left out.
    pub fn range(first: u32, last: u32, step: u32) -> Self {
        let numbers = (first..=last).step_by(step.max(1) as usize);
        Self(numbers.fold(0, |bits, number| bits | 1u64.unbounded_shl(number)))
    }

    /// The numbers in this set or in the other.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The numbers in both sets.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// All numbers increased by `by`; those that exceed 63 are lost.
    pub const fn raised(self, by: u32) -> Self {
        Self(self.0.unbounded_shl(by))
    }

    /// All numbers decreased by `by`, without those that were smaller.
    pub const fn lowered(self, by: u32) -> Self {
        Self(self.0.unbounded_shr(by))
    }

    /// True if the number is in the set.
    pub const fn has(self, number: u32) -> bool {
        self.0.unbounded_shr(number) & 1 == 1
    }

    /// The smallest number in the set that is not below `least`.
    pub fn first_from(self, least: u32) -> Option<u32> {
        let rest = self.0 & u64::MAX.unbounded_shl(least);
        (rest != 0).then(|| rest.trailing_zeros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(bits: Bits) -> Vec<u32> {
        (0..64).filter(|number| bits.has(*number)).collect()
    }

    #[test]
    fn sets_are_made_combined_and_moved() {
        let odd = Bits::range(1, 7, 2);
        assert_eq!(numbers(odd), [1, 3, 5, 7]);
        assert_eq!(numbers(Bits::range(62, 70, 1)), [62, 63]);
        assert_eq!(numbers(Bits::range(4, 4, 0)), [4]);
        assert_eq!(numbers(odd.or(Bits::range(2, 3, 1))), [1, 2, 3, 5, 7]);
        assert_eq!(numbers(odd.and(Bits::range(2, 5, 1))), [3, 5]);
        assert_eq!(numbers(odd.raised(57)), [58, 60, 62]);
        assert_eq!(numbers(odd.lowered(3)), [0, 2, 4]);
        assert_eq!([odd.raised(64), odd.lowered(64)], [Bits::default(); 2]);
        assert!(!odd.has(64));
    }

    #[test]
    fn the_next_number_is_found_from_every_place() {
        let bits = Bits::range(3, 63, 60);
        for (least, expected) in
            [(0, Some(3)), (3, Some(3)), (4, Some(63)), (63, Some(63)), (64, None)]
        {
            assert_eq!(bits.first_from(least), expected, "from {least}");
        }
    }
}
