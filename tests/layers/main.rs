//! Reads the source: imports go one way, as ARCHITECTURE.md says, and `unsafe` stays where it belongs.
//! Comments are not read, except for words that `src/server` must not use.

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

mod imports;

use imports::{Imports, folder_of, source_root};

/// A line of code: its file below `src/`, its number and its text without comment.
struct Line {
    file: String,
    number: usize,
    code: String,
}

/// All lines of code below a folder of `src/`, or of one file.
fn lines_of(place: &str) -> Vec<Line> {
    let root = source_root();
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

#[track_caller]
fn none_of(lines: &[Line], what: &str, is_wrong: impl Fn(&Line) -> bool) {
    let wrong = lines.iter().filter(|line| is_wrong(line));
    let wrong: Vec<String> = wrong
        .map(|line| format!("src/{}:{}: {}", line.file, line.number, line.code.trim()))
        .collect();
    assert!(wrong.is_empty(), "{what}:\n{}", wrong.join("\n"));
}

/// The folders of `src` from top to bottom, and what the files of each may import beside their own.
const FLOORS: [(&str, &[&str]); 7] = [
    ("", &["commands", "runtime", "store", "queue", "server"]),
    ("commands", &["runtime", "queue", "server", "calendar"]),
    ("runtime", &["store", "queue", "server", "calendar"]),
    ("store", &["queue", "server"]),
    ("queue", &[]),
    ("server", &[]),
    ("calendar", &[]),
];

#[test]
fn imports_go_down_from_floor_to_floor() {
    let imports = Imports::of_sources();
    let mut wrong = Vec::new();
    for (file, other) in imports.arrows() {
        let [from, to] = [file, other].map(folder_of);
        let (_, allowed) =
            FLOORS.iter().find(|(folder, _)| *folder == from).expect("a folder with a floor");
        if from != to && !allowed.contains(&to) {
            wrong.push(format!("src/{file} imports src/{other}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_of_the_runtime_import_only_those_that_are_listed_before_them() {
    let list = fs::read_to_string(source_root().join("runtime/mod.rs")).expect("a source file");
    let listed: Vec<String> = list
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(|name| format!("runtime/{name}.rs"))
        .collect();
    assert!(listed.len() > 10, "{listed:?}");
    let place = |file: &str| listed.iter().position(|name| name == file);
    let mut wrong = Vec::new();
    for (file, other) in Imports::of_sources().arrows() {
        let (Some(own), Some(place)) = (place(file), place(other)) else { continue };
        if place > own {
            wrong.push(format!("src/{file} imports src/{other}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let circles = Imports::of_sources().circles();
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn the_root_of_the_source_has_only_the_file_that_loads_the_module() {
    let files =
        fs::read_dir(source_root()).expect("a folder").map(|entry| entry.expect("an entry"));
    let files = files.filter(|entry| entry.path().is_file()).map(|entry| entry.file_name());
    assert_eq!(files.collect::<Vec<_>>(), ["lib.rs"]);
}

#[test]
fn planted_arrows_and_circles_are_found() {
    let mut imports = Imports::of_sources();
    imports.add("runtime/facts.rs", "use super::{ids, turn::take};\n");
    imports.add("queue/message.rs", "fn f() { crate::queue::op::g() }\n#[cfg(test)]\nmod tests {}");
    let arrows: Vec<_> = imports.arrows().collect();
    for arrow in [
        ("runtime/facts.rs", "runtime/ids.rs"),
        ("runtime/facts.rs", "runtime/turn.rs"),
        ("queue/message.rs", "queue/op.rs"),
    ] {
        assert!(arrows.contains(&arrow), "{arrow:?}");
    }
    let circles = imports.circles();
    assert!(circles.iter().any(|circle| circle.contains("runtime/facts.rs")), "{circles:?}");
    assert!(circles.iter().any(|circle| circle.contains("queue/message.rs")), "{circles:?}");
}

#[test]
fn the_rules_know_no_module_api() {
    none_of(&lines_of("queue"), "the rules name the module API", |line| {
        has_word(&line.code, "redis_module")
    });
}

#[test]
fn the_rules_and_the_calendar_read_no_clock_no_random_source_and_no_hash_order() {
    let lines: Vec<Line> = ["queue", "calendar"].into_iter().flat_map(lines_of).collect();
    for word in
        ["SystemTime", "Instant", "HashMap", "HashSet", "now_v7", "rand", "env", "thread_local"]
    {
        none_of(&lines, "they depend on more than their arguments", |line| {
            has_word(&line.code, word)
        });
    }
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
fn the_wrappers_of_the_module_api_use_no_words_of_queues() {
    for path in rust_files(&source_root().join("server")) {
        // Comments included.
        let text = fs::read_to_string(&path).expect("a source file").to_lowercase();
        for word in ["queue", "queues", "message", "messages", "receipt", "visibility", "delivery"]
        {
            assert!(!has_word(&text, word), "{}: {word}", path.display());
        }
    }
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
    assert!(lines_of("server").iter().any(|line| has_word(&line.code, "unsafe")));
    assert!(lines_of("store/record.rs").iter().any(|line| has_word(&line.code, "bincode")));
}
