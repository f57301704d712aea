//! The arguments of a command, taken one after the other. Refuses what the server refuses.

use super::Refusal;
use std::collections::VecDeque;

pub const YEAR_MS: i64 = 31_536_000_000;
pub const LATEST_MS: i64 = (1 << 43) - 1;
pub const LARGEST: i64 = (1 << 31) - 1;

#[derive(Debug)]
pub struct Arguments {
    words: VecDeque<Vec<u8>>,
    /// The options so far.
    options: Vec<String>,
}

impl Arguments {
    pub fn new(words: impl Iterator<Item = Vec<u8>>) -> Self {
        Self { words: words.collect(), options: Vec::new() }
    }

    pub fn bytes(&mut self) -> Result<Vec<u8>, Refusal> {
        self.words.pop_front().ok_or_else(|| "ERR wrong number of arguments".to_owned())
    }

    pub fn text(&mut self) -> Result<String, Refusal> {
        Ok(String::from_utf8_lossy(&self.bytes()?).into_owned())
    }

    /// The name of a queue.
    pub fn queue(&mut self) -> Result<String, Refusal> {
        let name = self.text()?;
        let is_tag_only = name.starts_with('{') && name.find('}') == Some(name.len() - 1);
        if name.is_empty() || name.len() > 512 || is_tag_only {
            return Err("ERR invalid queue name".to_owned());
        }
        Ok(name)
    }

    pub fn integer(&mut self, least: i64, most: i64) -> Result<i64, Refusal> {
        let number = self.text()?.parse().ok().filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| format!("ERR must be an integer from {least} to {most}"))
    }

    /// The same, where a length of time or a moment is meant.
    pub fn milliseconds(&mut self, least: i64, most: i64) -> Result<u64, Refusal> {
        self.integer(least, most).map(i64::unsigned_abs)
    }

    /// The same, or `None` for no bytes.
    pub fn integer_or_none(&mut self, least: i64, most: i64) -> Result<Option<i64>, Refusal> {
        if self.words.front().is_some_and(Vec::is_empty) {
            self.words.pop_front();
            return Ok(None);
        }
        self.integer(least, most).map(Some)
    }

    /// A number up to this one, and so many of something.
    pub fn list<T>(
        &mut self,
        most: i64,
        read: impl Fn(&mut Self) -> Result<T, Refusal>,
    ) -> Result<Vec<T>, Refusal> {
        (0..self.integer(1, most)?).map(|_| read(self)).collect()
    }

    /// An id with its receipt, or after IDS a number of them; the first tells whether it is the latter.
    pub fn pairs(&mut self) -> Result<(bool, Vec<(String, String)>), Refusal> {
        let first = self.text()?;
        if first.eq_ignore_ascii_case("IDS") {
            return Ok((true, self.list(10_000, Self::pair)?));
        }
        Ok((false, vec![(first, self.text()?)]))
    }

    pub fn pair(&mut self) -> Result<(String, String), Refusal> {
        Ok((self.text()?, self.text()?))
    }

    /// The name after this word, if that comes next instead of something else.
    pub fn name_instead(&mut self, word: &str) -> Result<Option<String>, Refusal> {
        let is_word = |next: &Vec<u8>| next.eq_ignore_ascii_case(word.as_bytes());
        if !self.words.front().is_some_and(is_word) {
            return Ok(None);
        }
        self.words.pop_front();
        self.name().map(Some)
    }

    /// 1 to 256 bytes.
    pub fn name(&mut self) -> Result<String, Refusal> {
        let name = self.text()?;
        if name.is_empty() || name.len() > 256 {
            return Err("ERR must be 1 to 256 bytes".to_owned());
        }
        Ok(name)
    }

    /// The name of the next option, in upper case, if there is one.
    pub fn option(&mut self) -> Result<Option<String>, Refusal> {
        if self.words.is_empty() {
            return Ok(None);
        }
        let name = self.text()?.to_uppercase();
        if self.options.contains(&name) {
            return Err(format!("ERR {name} is given twice"));
        }
        self.options.push(name.clone());
        Ok(Some(name))
    }

    /// Whether this option was given.
    pub fn has(&self, name: &str) -> bool {
        self.options.iter().any(|option| option == name)
    }

    /// At most one of these options may have been given.
    pub fn exclusive(&self, names: &[&str]) -> Result<(), Refusal> {
        if names.iter().filter(|name| self.has(name)).count() > 1 {
            return Err(format!("ERR {} are mutually exclusive", names.join(" and ")));
        }
        Ok(())
    }

    /// These options may be given only with this one.
    pub fn only_with(&self, names: &[&str], needed: &str) -> Result<(), Refusal> {
        match names.iter().find(|name| self.has(name)) {
            Some(name) if !self.has(needed) => {
                Err(format!("ERR {name} can be given only with {needed}"))
            }
            _ => Ok(()),
        }
    }

    pub fn end(mut self) -> Result<(), Refusal> {
        self.option()?.map_or(Ok(()), |name| unknown(&name))
    }
}

pub fn unknown<T>(option: &str) -> Result<T, Refusal> {
    Err(format!("ERR unknown option '{option}'"))
}
