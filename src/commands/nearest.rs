//! The word that was meant by a misspelt one.

/// The token that a word was meant to be, if there is one: it differs by a few letters or their order, or one is
/// a prefix of the other.
pub fn nearest(word: &[u8], tokens: &[&'static str]) -> Option<&'static str> {
    const SHORTEST: usize = 2;
    const LONGEST: usize = 20;
    if !(SHORTEST..=LONGEST).contains(&word.len()) {
        return None;
    }
    let near = tokens.iter().filter_map(|token| {
        let allowed = match token.len() {
            ..4 => 1,
            4..8 => 2,
            _ => 3,
        };
        let differ = if letters(word) == letters(token.as_bytes()) {
            1
        } else {
            distance(word, token.as_bytes())
        };
        (differ <= allowed).then_some((differ, *token))
    });
    let begun = tokens.iter().find(|token| {
        let common = word.len().min(token.len());
        let begins = |text: &[u8]| text.get(..common).map(<[u8]>::to_ascii_uppercase);
        common > 2 && begins(word) == begins(token.as_bytes())
    });
    near.min().map(|(_, token)| token).or(begun.copied())
}

fn letters(text: &[u8]) -> Vec<u8> {
    let mut letters = text.to_ascii_uppercase();
    letters.sort_unstable();
    letters
}

/// How many letters must be changed, added or taken away to make one text of the other.
fn distance(one: &[u8], other: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (before, letter) in one.iter().enumerate() {
        let (mut diagonal, mut left) = (before, before.saturating_add(1));
        for (cell, other) in row.iter_mut().skip(1).zip(other) {
            let changed = diagonal.saturating_add((!letter.eq_ignore_ascii_case(other)).into());
            diagonal = *cell;
            left = changed.min(cell.saturating_add(1)).min(left.saturating_add(1));
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_token_is_near_if_a_few_letters_are_wrong() {
        for (word, expected) in [
            ("AT", Some("AT")),
            ("ATT", Some("AT")),
            ("A", None),
            ("XX", None),
            ("DELA", Some("DELAY")),
            ("DELIAS", Some("DELAY")),
            ("DXLXX", None),
            ("TA", Some("AT")),
            ("PRIORITIES", Some("PRIORITY")),
            ("PRIO", Some("PRIORITY")),
            ("PRIORITYLEVEL", Some("PRIORITY")),
            ("PR", None),
            ("", None),
            ("DELAYDELAYDELAYDELAYD", None),
        ] {
            assert_eq!(nearest(word.as_bytes(), &["AT", "DELAY", "PRIORITY"]), expected, "{word}");
        }
    }
}
