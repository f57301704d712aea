//! What a search for queues matches: a part of the name, or with `*` or `?` in it the whole name, as in KEYS.

/// Whether a name matches a search.
pub fn matches(search: &str, name: &str) -> bool {
    if !search.contains(['*', '?']) {
        return name.contains(search);
    }
    let pattern: Vec<char> = search.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut at, mut done) = (0, 0);
    // Where the last `*` is, and how much of the name it stands for so far.
    let mut star = None;
    while done < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, done));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == name[done] => {
                at += 1;
                done += 1;
            }
            _ => {
                let Some((place, from)) = star else { return false };
                star = Some((place, from + 1));
                at = place + 1;
                done = from + 1;
            }
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_a_part_of_a_name_or_a_pattern_of_all_of_it() {
        for (found, search, name) in [
            (true, "", "orders"),
            (true, "der", "orders"),
            (false, "ders ", "orders"),
            (true, "*", ""),
            (true, "ord*", "orders"),
            (false, "der*", "orders"),
            (true, "*der*", "orders"),
            (true, "*s", "orders"),
            (true, "o?ders", "orders"),
            (false, "o?ders", "oders"),
            (true, "*:dead", "{orders}:dead"),
            (true, "a*b*c", "a-b-b-c"),
            (false, "a*b*c", "a-b-b-d"),
            (true, "??", "äö"),
        ] {
            assert_eq!(matches(search, name), found, "{search} {name}");
        }
    }
}
