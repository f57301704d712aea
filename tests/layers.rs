//! Reads the source: dependencies point one way, as ARCHITECTURE.md says, and `unsafe` stays where
//! it belongs. Comments are not looked at.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A line of code: its file below `src/`, its number and its text without comment.
struct Line {
    file: String,
    number: usize,
    code: String,
}

/// All lines of code below a folder of `src/`, or of one file.
fn lines_of(place: &str) -> Vec<Line> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut lines = Vec::new();
    for path in rust_files(&root.join(place)) {
        let text = fs::read_to_string(&path).expect("a source file");
        let file = path.strip_prefix(&root).expect("a path below src").display().to_string();
        let code = |line: &str| line.split("//").next().unwrap_or("").to_string();
        lines.extend(text.lines().enumerate().map(|(index, line)| Line {
            file: file.clone(),
            number: index + 1,
            code: code(line),
        }));
    }
    assert!(!lines.is_empty(), "no source in src/{place}");
    lines
}

fn rust_files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_path_buf()];
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut files: Vec<PathBuf> =
        entries.flat_map(|entry| rust_files(&entry.expect("an entry").path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    files
}

/// Whether the code has this word, not as a part of a longer one.
fn has_word(code: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code.get(..at).and_then(|text| text.chars().next_back());
        let after = code.get(at + word.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// The modules at the root of the crate that a line names (`crate::store` and so on).
fn crate_modules(code: &str) -> Vec<&str> {
    code.split("crate::")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next())
        .filter(|module| !module.is_empty())
        .collect()
}

#[track_caller]
fn none_of(lines: &[Line], what: &str, is_wrong: impl Fn(&Line) -> bool) {
    let wrong = lines.iter().filter(|line| is_wrong(line));
    let wrong: Vec<String> = wrong
        .map(|line| format!("src/{}:{}: {}", line.file, line.number, line.code.trim()))
        .collect();
    assert!(wrong.is_empty(), "{what}:\n{}", wrong.join("\n"));
}

#[test]
fn the_rules_know_nothing_of_the_server_the_store_or_the_commands() {
    let lines = lines_of("queue");
    none_of(&lines, "the rules name another layer", |line| {
        crate_modules(&line.code).iter().any(|module| *module != "queue")
    });
    none_of(&lines, "the rules name the module API", |line| has_word(&line.code, "redis_module"));
}

#[test]
fn the_rules_read_no_clock_no_random_source_and_no_hash_order() {
    let lines = lines_of("queue");
    for word in
        ["SystemTime", "Instant", "HashMap", "HashSet", "now_v7", "rand", "env", "thread_local"]
    {
        none_of(&lines, "the rules depend on more than state and op", |line| {
            has_word(&line.code, word)
        });
    }
}

#[test]
fn the_store_knows_the_rules_words_and_the_server_only() {
    none_of(&lines_of("store"), "the store names an upper layer", |line| {
        let allowed = ["queue", "store", "server"];
        crate_modules(&line.code).iter().any(|module| !allowed.contains(module))
    });
}

#[test]
fn the_wrappers_of_the_module_api_know_nothing_of_queues() {
    none_of(&lines_of("server"), "the wrappers name an upper layer", |line| {
        crate_modules(&line.code).iter().any(|module| *module != "server")
    });
}

#[test]
fn the_commands_touch_no_keys_and_no_module_api() {
    none_of(&lines_of("commands"), "a command names the store's keys or records", |line| {
        crate_modules(&line.code).contains(&"store")
    });
}

#[test]
fn the_module_api_is_named_in_the_wrappers_only() {
    let elsewhere: Vec<Line> = lines_of("")
        .into_iter()
        .filter(|line| !line.file.starts_with("server/") && line.file != "lib.rs")
        .collect();
    none_of(&elsewhere, "the raw module API", |line| has_word(&line.code, "redis_module"));
}

#[test]
fn unsafe_code_is_in_the_wrappers_of_the_module_api_only() {
    let elsewhere: Vec<Line> =
        lines_of("").into_iter().filter(|line| !line.file.starts_with("server/")).collect();
    none_of(&elsewhere, "unsafe code", |line| has_word(&line.code, "unsafe"));
}

#[test]
fn the_encoding_of_records_is_in_one_file() {
    let elsewhere: Vec<Line> =
        lines_of("").into_iter().filter(|line| line.file != "store/record.rs").collect();
    none_of(&elsewhere, "bincode", |line| has_word(&line.code, "bincode"));
}

/// The lines between `[dependencies]` and the next section, without those that are no dependency.
fn dependencies_in(manifest: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(manifest);
    let text = fs::read_to_string(path).expect("a manifest");
    let section = text.split("\n[dependencies]\n").nth(1).expect("dependencies");
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    lines.filter(|line| line.contains(" = ")).map(str::to_string).collect()
}

#[test]
fn the_fuzzers_are_built_with_the_dependencies_of_the_module() {
    let of_fuzzers = dependencies_in("fuzz/Cargo.toml");
    let of_module = dependencies_in("Cargo.toml");
    assert!(!of_module.is_empty());
    for dependency in of_module {
        assert!(of_fuzzers.contains(&dependency), "fuzz/Cargo.toml has no {dependency}");
    }
}

#[test]
fn every_command_is_fuzzed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let names = |folder: &str| -> Vec<PathBuf> {
        let entries = fs::read_dir(root.join(folder)).expect("a folder");
        entries.map(|entry| entry.expect("an entry").path()).collect()
    };
    let seeds = names("fuzz/seeds/arguments").into_iter();
    let seeds: String = seeds.map(|path| fs::read_to_string(path).expect("a seed")).collect();
    let pages = names("docs/commands");
    assert!(pages.len() > 20, "{pages:?}");
    for page in pages {
        let name = page.file_stem().expect("a name").to_string_lossy().to_uppercase();
        let is_there = seeds.lines().any(|line| line.split(' ').next() == Some(name.as_str()));
        assert!(is_there, "fuzz/seeds/arguments has no line with {name}");
    }
}

#[test]
fn these_tests_find_what_they_look_for() {
    assert!(has_word("    unsafe { f() }", "unsafe"));
    assert!(!has_word("#![deny(unsafe_code)]", "unsafe"));
    assert_eq!(crate_modules("use crate::store::keys; crate::timer::arm()"), ["store", "timer"]);
    assert!(lines_of("server").iter().any(|line| has_word(&line.code, "unsafe")));
    assert!(lines_of("store/record.rs").iter().any(|line| has_word(&line.code, "bincode")));
}
