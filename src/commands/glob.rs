//! Patterns as in KEYS (Redis documentation): `*`, `?`, `[a-c]`, `[^a]`, and a backslash that escapes the next
//! character.

/// True if the whole text matches. O(n m) in both lengths at worst.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // The pattern after the last star, and the text from which to try it next.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', rest @ ..] = pattern {
            retry = Some((rest, text));
            pattern = rest;
            continue;
        }
        let step = match (text, pattern) {
            ([], []) => return true,
            ([byte, rest @ ..], [_, ..]) => one(pattern, *byte).map(|pattern| (pattern, rest)),
            _ => None,
        };
        if let Some(next) = step {
            (pattern, text) = next;
            continue;
        }
        match retry {
            Some((after_star, [_, rest @ ..])) => {
                retry = Some((after_star, rest));
                (pattern, text) = (after_star, rest);
            }
            _ => return false,
        }
    }
}

/// The rest of the pattern after its first element, if that matches the byte.
fn one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [b'?', rest @ ..] => Some(rest),
        [b'\\', literal, rest @ ..] => (*literal == byte).then_some(rest),
        [b'[', rest @ ..] => set(rest, byte),
        [literal, rest @ ..] => (*literal == byte).then_some(rest),
        [] => None,
    }
}

/// The rest of the pattern after a set whose bracket was read, if the set has the byte.
fn set(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    let (is_negated, mut rest) = match pattern {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, pattern),
    };
    let mut is_in = false;
    loop {
        rest = match rest {
            // An unclosed set ends with the pattern.
            [] => break,
            [b']', rest @ ..] => {
                return (is_in != is_negated).then_some(rest);
            }
            [b'\\', literal, rest @ ..] => {
                is_in |= *literal == byte;
                rest
            }
            [from, b'-', to, rest @ ..] => {
                let (low, high) = if from <= to { (from, to) } else { (to, from) };
                is_in |= (low..=high).contains(&&byte);
                rest
            }
            [literal, rest @ ..] => {
                is_in |= *literal == byte;
                rest
            }
        };
    }
    (is_in != is_negated).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_fit_as_in_keys() {
        let cases = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "orders", true),
            ("o*s", "orders", true),
            ("o*x", "orders", false),
            ("*a*b*", "xxaxxbxx", true),
            ("or?ers", "orders", true),
            ("?", "", false),
            ("[abc]", "b", true),
            ("[a-c]x", "cx", true),
            ("[c-a]", "b", true),
            ("[^a]", "a", false),
            ("[^a]", "b", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("[\\]]", "]", true),
            ("[ab", "a", true),
            ("[ab", "c", false),
            ("\\", "\\", true),
            ("ord", "orders", false),
        ];
        for (pattern, text, fits) in cases {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_do_not_take_for_ever() {
        let pattern = b"*a".repeat(200);
        let text = b"a".repeat(199);
        assert!(!matches(&pattern, &text));
    }
}
