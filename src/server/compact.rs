//! When hashes and sorted sets leave the server's compact encoding, which it keeps up to 128 or 512 entries as
//! long as all are short: one run of bytes, walked for every change. bench/README.md has the difference.

/// At this number of entries one that is too long for the compact encoding is added and removed again: the
/// content is the same, but from then on the server finds entries directly.
pub const COMPACT: u64 = 16;

/// Longer than what the compact encoding takes (64 bytes, unless the operator raised that limit), and than any
/// entry that is stored: so none is replaced or removed.
pub const TOO_LONG: [u8; 300] = [0; 300];

/// The longest member without a name in it that a client chose. It fits the compact encoding, unless the
/// operator lowered the limit.
pub const SHORT: usize = 24;
