//! Spreads what is due at the same moment.

/// How much later than its tick a schedule acts, in ms: below `jitter_ms`, 0 without jitter. Always the same for
/// the same arguments, in every version of the module, and unrelated for different names or ticks.
pub fn jitter(name: &[u8], tick_ms: u64, jitter_ms: u64) -> u64 {
    // FNV-1a (draft-eastlake-fnv), then the finalizer of SplitMix64: the last bytes change the high bits too.
    let tick = tick_ms.to_le_bytes();
    let hash = name.iter().chain(&tick).fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (hash ^ (hash >> 31)).checked_rem(jitter_ms).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDNIGHT_MS: u64 = 1_767_225_600_000;

    #[test]
    fn the_values_never_change() {
        for (name, tick_ms, jitter_ms, expected) in [
            (&b"report"[..], MIDNIGHT_MS, 60_000, 7_101),
            (b"report", MIDNIGHT_MS + 86_400_000, 60_000, 50_421),
            (b"reporu", MIDNIGHT_MS, 60_000, 28_416),
            (b"", 0, u64::MAX, 9_313_164_154_874_788_883),
            (b"\x00\xff", (1 << 43) - 1, 3_600_000, 2_820_603),
            (b"report", MIDNIGHT_MS, 1, 0),
            (b"report", MIDNIGHT_MS, 0, 0),
        ] {
            assert_eq!(jitter(name, tick_ms, jitter_ms), expected, "{name:?} at {tick_ms}");
        }
    }

    #[test]
    fn a_thousand_names_spread_evenly_over_a_minute() {
        let mut seconds = [0; 60];
        for number in 0..6_000 {
            let name = format!("schedule-{number}");
            seconds[(jitter(name.as_bytes(), MIDNIGHT_MS, 60_000) / 1_000) as usize] += 1;
        }
        assert!(seconds.iter().all(|count| (60..140).contains(count)), "{seconds:?}");
    }

    #[test]
    fn the_ticks_of_a_name_spread_too() {
        let tick = |day: u64| jitter(b"report", MIDNIGHT_MS + day * 86_400_000, 10_000) / 1_000;
        let mut counts = [0; 10];
        (0..1_000).for_each(|day| counts[tick(day) as usize] += 1);
        assert!(counts.iter().all(|count| (60..140).contains(count)), "{counts:?}");
    }
}
