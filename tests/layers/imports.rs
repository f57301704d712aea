//! Which source files import which: read from their `use` lines and from the paths in their code, without
//! their tests.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The folder of the source.
pub fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The folder below `src` in which a file is; empty for the root.
pub fn folder_of(file: &str) -> &str {
    file.split_once('/').map_or("", |(folder, _)| folder)
}

/// For each file, as its path below `src`, those that it imports.
pub struct Imports {
    files: BTreeSet<String>,
    of: BTreeMap<String, BTreeSet<String>>,
}

impl Imports {
    /// Those of all files that are part of the module.
    pub fn of_sources() -> Self {
        let root = source_root();
        let files: BTreeSet<String> = super::rust_files(&root)
            .iter()
            .map(|path| path.strip_prefix(&root).expect("below src").display().to_string())
            .filter(|file| !["fuzzing", "queue_tests"].contains(&folder_of(file)))
            .filter(|file| !file.ends_with("tests.rs") && !file.ends_with("fuzzing.rs"))
            .filter(|file| !file.contains("/tests/"))
            .collect();
        let mut imports = Self { files, of: BTreeMap::new() };
        for file in imports.files.clone() {
            let text = fs::read_to_string(root.join(&file)).expect("a source file");
            imports.add(&file, &text);
        }
        imports
    }

    /// Adds what a file with this text imports.
    pub fn add(&mut self, file: &str, text: &str) {
        let code: Vec<&str> = text
            .split("#[cfg(test)]\nmod ")
            .next()
            .unwrap_or("")
            .lines()
            .map(|line| line.split("//").next().unwrap_or(""))
            .collect();
        let mut found = BTreeSet::new();
        for path in paths_in(&code.join("\n")) {
            found.extend(self.file_of(file, &path).filter(|other| other != file));
        }
        self.of.entry(file.to_string()).or_default().extend(found);
    }

    /// All pairs of a file and one that it imports.
    pub fn arrows(&self) -> impl Iterator<Item = (&str, &str)> {
        self.of
            .iter()
            .flat_map(|(file, others)| others.iter().map(|other| (file.as_str(), other.as_str())))
    }

    /// The files of each circle, and what leads from one to the next.
    pub fn circles(&self) -> Vec<String> {
        let mut circles = Vec::new();
        for file in self.of.keys() {
            // Each circle is reported once, at the first of its files.
            if let Some(way) = self.way_back(file)
                && way.iter().min() == Some(&file.as_str())
            {
                circles.push(format!("src/{}", way.join(" -> src/")));
            }
        }
        circles
    }

    /// The shortest way along imports from a file to itself.
    fn way_back<'a>(&'a self, start: &'a str) -> Option<Vec<&'a str>> {
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut next = vec![start];
        while !next.is_empty() {
            let mut further = Vec::new();
            for file in next {
                for other in self.of.get(file).into_iter().flatten().map(String::as_str) {
                    if other == start {
                        let mut way = vec![start, file];
                        let mut last = file;
                        while let Some(before) = came_from.get(last).filter(|_| last != start) {
                            way.push(before);
                            last = before;
                        }
                        way.reverse();
                        return Some(way);
                    }
                    if !came_from.contains_key(other) {
                        came_from.insert(other, file);
                        further.push(other);
                    }
                }
            }
            next = further;
        }
        None
    }

    /// The file that a path in another file leads into.
    fn file_of(&self, file: &str, path: &str) -> Option<String> {
        let mut module: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
        if matches!(module.last(), Some(&("mod" | "lib"))) {
            module.pop();
        }
        let mut segments: Vec<&str> = path.split("::").collect();
        match segments.first() {
            Some(&"crate") => {
                module.clear();
                segments.remove(0);
            }
            Some(&"self") => {
                segments.remove(0);
            }
            _ => {
                while segments.first() == Some(&"super") {
                    module.pop();
                    segments.remove(0);
                }
            }
        }
        module.extend(&segments);
        (0..=module.len()).rev().find_map(|length| {
            let path = module.get(..length)?.join("/");
            let names = if path.is_empty() {
                vec!["lib.rs".to_string()]
            } else {
                vec![format!("{path}.rs"), format!("{path}/mod.rs")]
            };
            names.into_iter().find(|name| self.files.contains(name))
        })
    }
}

/// The paths to items of the crate: those of `use` lines, one for each name, and those in the code that
/// begin with `crate` or `super`.
fn paths_in(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for line in code.split(';') {
        let statement = line.rsplit(['\n', '{', '}']).find(|text| !text.trim().is_empty());
        let begin = line.match_indices("use ").find(|(at, _)| {
            let before = line.get(..*at).unwrap_or("").trim_end_matches(' ');
            before.is_empty() || before.ends_with('\n') || before.ends_with("pub")
        });
        if let Some((at, word)) = begin {
            expand("", line.get(at + word.len()..).unwrap_or(""), &mut paths);
        } else if statement.is_some() {
            paths.extend(inline_paths(line));
        }
    }
    paths
}

/// The paths of one `use`, whose braces are expanded.
fn expand(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let tree = tree.trim();
    if let Some((head, inside)) = tree.split_once('{') {
        let inside = inside.rsplit_once('}').map_or(inside, |(inside, _)| inside);
        let mut depth = 0usize;
        let is_between = |c: char| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            c == ',' && depth == 0
        };
        for part in inside.split(is_between).filter(|part| !part.trim().is_empty()) {
            expand(&format!("{prefix}{}", head.trim()), part, paths);
        }
    } else {
        let name = tree.split(" as ").next().unwrap_or("").trim();
        paths.push(format!("{prefix}{name}").trim_end_matches("::self").to_string());
    }
}

fn inline_paths(code: &str) -> Vec<String> {
    let is_in_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = code.split(|c: char| !is_in_path(c));
    words
        .filter(|word| word.starts_with("crate::") || word.starts_with("super::"))
        .map(str::to_string)
        .collect()
}
