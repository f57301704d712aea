//! What a client is told of a line that was refused: the wrong word, and what would be right, both by the
//! command's facts. Runs only after a command has failed.

use super::claims;
use super::errors::{CommandError, Fault};
use super::quoted::Quoted;
use crate::queue::settings::parse_integer;
use crate::server::spec::{Arg, Number, Spec};

/// The reply to a line, with the command's name in front, that a command of these facts refused; without
/// what the stored state tells.
#[cfg(any(test, fuzzing))]
pub fn explain<A: AsRef<[u8]>>(
    spec: &'static Spec,
    arguments: &[A],
    error: &CommandError,
) -> String {
    Line { spec, arguments }.tells(error).unwrap_or_else(|| error.to_string())
}

/// A command's arguments, with its name in front.
pub struct Line<'a, A> {
    pub spec: &'static Spec,
    pub arguments: &'a [A],
}

/// What a number counts.
#[derive(Clone, Copy)]
enum Counted {
    Single(&'static str),
    Pairs([&'static str; 2]),
}

impl<A: AsRef<[u8]>> Line<'_, A> {
    /// The reply, if the line tells what is wrong.
    pub fn tells(&self, error: &CommandError) -> Option<String> {
        match error {
            CommandError::Arity => Some(self.spec.wrong_arity()),
            CommandError::Options(fault) => Some(format!("ERR {}", self.fault(*fault))),
            CommandError::Number(number) => {
                self.misses_first_number(number).map(|told| format!("ERR {told}"))
            }
            CommandError::NotFound | CommandError::BadReceipt => self.wrong_claim(error),
            _ => None,
        }
    }

    /// The id and the receipt of the only delivery that the line names.
    pub fn claim(&self) -> Option<(&[u8], &[u8])> {
        let position = self.claims()?;
        Some((self.word(position), self.word(position.saturating_add(1))))
    }

    /// Of an id or a receipt that can't be one.
    fn wrong_claim(&self, error: &CommandError) -> Option<String> {
        let (id, receipt) = self.claim()?;
        let (quoted_id, quoted_receipt) = (Quoted::of(id), Quoted::of(receipt));
        if claims::is_id(receipt) && claims::is_receipt(id) {
            let syntax = self.spec.syntax();
            return Some(format!("NOTFOUND id and receipt are exchanged: {syntax}"));
        }
        match error {
            CommandError::NotFound if !claims::is_id(id) => {
                Some(format!("NOTFOUND {quoted_id} is no message's id, that is a UUID"))
            }
            CommandError::BadReceipt if !claims::is_receipt(receipt) => Some(format!(
                "BADRECEIPT {quoted_receipt} is no receipt, that is 16 hexadecimal digits"
            )),
            _ => None,
        }
    }

    /// Where the deliveries are that the line names.
    fn claims(&self) -> Option<usize> {
        let claims =
            self.spec.arguments.iter().position(|one| matches!(one, Arg::PairOrPairs(..)))?;
        Some(claims.saturating_add(1))
    }

    fn fault(&self, fault: Fault) -> String {
        match fault {
            Fault::Unknown { left, after } => {
                self.unknown(self.arguments.len().saturating_sub(left), after)
            }
            Fault::Twice(token) => format!("{token} is given twice"),
            Fault::Exclude(one, other) => format!("{one} and {other} exclude each other"),
            Fault::NoValue(token) => format!("{token} needs a value: {}", self.value_of(token)),
            Fault::Fewer { token, left } => self.fewer(token, left),
            Fault::OnlyWith(token, needed) => format!("{token} can be given only with {needed}"),
            Fault::Required => format!("an option is missing: {}", self.spec.syntax()),
            Fault::Hidden(token) => {
                format!("no value before the option {token} may be '{token}', give {token} first")
            }
        }
    }

    /// Of a word that is no option.
    fn unknown(&self, position: usize, after: Option<&'static str>) -> String {
        let (word, command) = (self.word(position), self.spec.name);
        let before = position.checked_sub(1).filter(|_| position == self.first_option());
        if let Some(misspelt) = before.and_then(|_| self.misspelt_ids()) {
            return format!("unknown option {misspelt} for {command}, did you mean IDS?");
        }
        let (quoted, options) = (Quoted::of(word), self.tokens());
        if let Some(token) = nearest(word, &options) {
            return format!("unknown option {quoted} for {command}, did you mean {token}?");
        }
        if let Some((option, name)) = before.and_then(|before| self.option_for_argument(before)) {
            let syntax = self.spec.syntax();
            return format!("{option} stands in the place of {name}: {syntax}");
        }
        if let Some((token, count, counted)) = self.counted_before(position, after) {
            let things = counted.number_of(count);
            return format!("{quoted} is no option of {command}: {token} {count} takes {things}");
        }
        if let Some(number) = parse_integer(word)
            && let Some(token) = self.number_without_token(number)
        {
            return format!("'{number}' is no option of {command}, did you mean {token} {number}?");
        }
        let known = match options.as_slice() {
            [] => format!("it has none: {}", self.spec.syntax()),
            [option] => format!("its option is {option}"),
            options => format!("its options are {}", options.join(", ")),
        };
        format!("unknown option {quoted} for {command}, {known}")
    }

    /// Of a number that more arguments should follow.
    fn fewer(&self, token: &str, left: usize) -> String {
        let count = self.arguments.len().saturating_sub(left.saturating_add(1));
        let count = parse_integer(self.word(count)).unwrap_or(0);
        let Some(counted) = self.counted_by(token) else {
            return format!("{token} {count} is too many");
        };
        let (got, more) = match counted {
            Counted::Single(_) => (left, String::new()),
            Counted::Pairs([a, b]) if left % 2 == 1 => {
                (left / 2, format!(" and one {a} without {b}"))
            }
            Counted::Pairs(_) => (left / 2, String::new()),
        };
        format!("{token} {count} needs {}, got {got}{more}", counted.number_of(count))
    }

    /// Where the number should be that says how many arguments follow, something else is.
    fn misses_first_number(&self, number: &Number) -> Option<String> {
        let mut syntax = self.spec.name.to_owned();
        for (position, argument) in (1..).zip(self.spec.arguments) {
            let (counting, name) = match argument {
                Arg::Keys(counting, name) | Arg::Counted(counting, name) => (counting, name),
                placed => {
                    syntax.push(' ');
                    syntax.push_str(&placed.syntax());
                    continue;
                }
            };
            let is_number = parse_integer(self.word(position)).is_some();
            let Number { token, .. } = counting;
            return (counting == number && !is_number)
                .then(|| format!("{token} comes before the {name}s: {syntax} {token} {name} ..."));
        }
        None
    }

    /// The position of the first argument behind those that have their place.
    fn first_option(&self) -> usize {
        let mut position = 1usize;
        for argument in self.spec.arguments {
            let count =
                |at| usize::try_from(parse_integer(self.word(at)).unwrap_or(0)).unwrap_or(0);
            let length = match argument {
                Arg::Key(_) | Arg::Text(_) | Arg::Optional(_) => 1,
                Arg::Texts(_) => self.arguments.len(),
                Arg::Keys(..) | Arg::Counted(..) => count(position).saturating_add(1),
                Arg::PairOrPairs(..) if self.is_batch(position) => {
                    let pairs = count(position.saturating_add(1));
                    pairs.saturating_mul(2).saturating_add(2)
                }
                Arg::PairOrPairs(..) => 2,
                _ => 0,
            };
            position = position.saturating_add(length);
        }
        position
    }

    fn is_batch(&self, position: usize) -> bool {
        self.is(position, "IDS")
    }

    /// In place of an id there is a word that is almost IDS.
    fn misspelt_ids(&self) -> Option<Quoted> {
        let position = self.claims()?;
        if self.is_batch(position) {
            return None;
        }
        let word = self.word(position);
        nearest(word, &["IDS"]).map(|_| Quoted::of(word))
    }

    /// An option where another argument has its place, and the name of that argument.
    fn option_for_argument(&self, position: usize) -> Option<(&'static str, &'static str)> {
        let placed = self.spec.arguments.iter().take_while(|one| one.is_placed());
        let name = match placed.last()? {
            Arg::Key(name) | Arg::Keys(_, name) => name,
            Arg::Text(name) | Arg::Texts(name) | Arg::Counted(_, name) => name,
            Arg::PairOrPairs(_, names) => names.pair.last()?,
            _ => return None,
        };
        let mut tokens = self.tokens().into_iter();
        Some((tokens.find(|token| self.is(position, token))?, name))
    }

    /// What the number behind a token counts, or one that has its place and is called so.
    fn counted_by(&self, token: &str) -> Option<Counted> {
        let options = self.spec.options();
        self.spec.arguments.iter().chain(options).find_map(|argument| {
            let (counting, counted) = Counted::of(argument)?;
            (counting == token).then_some(counted)
        })
    }

    /// The number that says how many arguments are before this position, where a number is the last option
    /// before it, or there is none.
    fn counted_before(
        &self,
        position: usize,
        after: Option<&'static str>,
    ) -> Option<(&'static str, i64, Counted)> {
        let (token, counted, places) = match after {
            Some(token) => {
                let places = (1..position).filter(|at| self.is(at.saturating_sub(1), token));
                (token, self.counted_by(token)?, places.collect())
            }
            None => {
                let mut placed = (1usize..).zip(self.spec.arguments);
                let (place, (token, counted)) =
                    placed.find_map(|(place, one)| Some((place, Counted::of(one)?)))?;
                // Behind IDS.
                (token, counted, vec![place.saturating_add(self.is(place, token).into())])
            }
        };
        let mut counts = places.into_iter().filter_map(|at| {
            let count = parse_integer(self.word(at))?;
            let arguments = usize::try_from(count).ok()?.saturating_mul(counted.arguments());
            let ends = at.saturating_add(1).saturating_add(arguments);
            (ends == position).then_some(count)
        });
        counts.next().map(|count| (token, count, counted))
    }

    /// The option whose value a number may be, if its token was forgotten.
    fn number_without_token(&self, number: i64) -> Option<&'static str> {
        let mut fitting = Vec::new();
        for option in self.spec.options() {
            if let Arg::Number(Number { token, min, max, .. }) = option
                && (*min..=*max).contains(&number)
            {
                fitting.push(*token);
            }
        }
        let count = fitting.iter().find(|token| **token == "COUNT");
        count.or(fitting.first()).copied()
    }

    /// What follows a token.
    fn value_of(&self, token: &str) -> String {
        let options = self.spec.options();
        let option = options.iter().find(|option| option.token() == Some(token));
        match option {
            Some(Arg::Number(number) | Arg::Setting(number)) if number.name == "n" => {
                format!("an integer from {}", number.range())
            }
            Some(option) => option.syntax_inside().split_off(token.len().saturating_add(1)),
            None => String::new(),
        }
    }

    fn tokens(&self) -> Vec<&'static str> {
        self.spec.options().into_iter().filter_map(Arg::token).collect()
    }

    fn word(&self, position: usize) -> &[u8] {
        self.arguments.get(position).map_or(b"", AsRef::as_ref)
    }

    /// True if this is there, in any case.
    fn is(&self, position: usize, token: &str) -> bool {
        self.word(position).eq_ignore_ascii_case(token.as_bytes())
    }
}

impl Counted {
    /// What an argument counts, and what its number is called.
    fn of(argument: &'static Arg) -> Option<(&'static str, Self)> {
        Some(match argument {
            Arg::Keys(number, name) | Arg::Counted(number, name) | Arg::List(number, name) => {
                (number.token, Self::Single(name))
            }
            Arg::Pairs(number, names) => (number.token, Self::Pairs(*names)),
            Arg::PairOrPairs(number, names) => (number.token, Self::Pairs(names.pair)),
            _ => return None,
        })
    }

    /// How many arguments each of them has.
    fn arguments(self) -> usize {
        match self {
            Self::Single(_) => 1,
            Self::Pairs(_) => 2,
        }
    }

    /// So many of them, in words.
    fn number_of(self, count: i64) -> String {
        let s = if count == 1 { "" } else { "s" };
        match self {
            Self::Single(name) => format!("{count} {name}{s}"),
            Self::Pairs([a, b]) => format!("{count} pair{s} of {a} and {b}"),
        }
    }
}

/// The token that a word was meant to be, if there is one: it differs by a few letters or their order, or
/// one is the beginning of the other.
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
    use super::*;
    use crate::commands::claims;
    use crate::commands::help::all;
    use crate::commands::options::{Options, counted};

    /// Reads a line as its command does; the reply if it is refused.
    fn refused(line: &[&'static [u8]]) -> Option<String> {
        let spec = all().find(|known| known.spec.name.as_bytes() == line[0])?.spec;
        read(spec, line).err().map(|error| explain(spec, line, &error))
    }

    fn read(spec: &'static Spec, line: &[&'static [u8]]) -> Result<(), CommandError> {
        if !spec.fits_arity(line.len()) {
            return Err(CommandError::Arity);
        }
        let mut rest = &line[1..];
        for argument in spec.arguments {
            rest = match argument {
                Arg::Key(_) | Arg::Text(_) => &rest[1..],
                Arg::Texts(_) => &[],
                Arg::Optional(_) => rest.get(1..).unwrap_or_default(),
                Arg::Keys(number, _) | Arg::Counted(number, _) => counted(number, rest)?.1,
                Arg::PairOrPairs(..) => claims::read(rest)?.1,
                _ => rest,
            };
        }
        Options::read_as(spec.arguments, rest).map(|_| ())
    }

    fn words(line: &'static str) -> Vec<&'static [u8]> {
        line.split(' ').map(str::as_bytes).collect()
    }

    /// Each line is refused with this reply.
    #[track_caller]
    fn table(cases: &[(&'static str, &str)]) {
        for (line, expected) in cases {
            assert_eq!(refused(&words(line)).as_deref(), Some(*expected), "{line}");
        }
    }

    #[test]
    fn a_word_that_is_no_option_is_named_with_the_one_that_was_meant() {
        table(&[
            (
                "MQ.PUSH q x DELAYS 5",
                "ERR unknown option 'DELAYS' for MQ.PUSH, did you mean DELAY?",
            ),
            ("MQ.PUSH q x dealy 5", "ERR unknown option 'dealy' for MQ.PUSH, did you mean DELAY?"),
            ("MQ.PULL q VIS 5", "ERR unknown option 'VIS' for MQ.PULL, did you mean VISIBILITY?"),
            (
                "MQ.PULL q BLOCKING 5",
                "ERR unknown option 'BLOCKING' for MQ.PULL, did you mean BLOCK?",
            ),
            ("MQ.ACK q ID 1 a b", "ERR unknown option 'ID' for MQ.ACK, did you mean IDS?"),
            ("MQ.NACK q idss 1 a b", "ERR unknown option 'idss' for MQ.NACK, did you mean IDS?"),
        ]);
    }

    #[test]
    fn where_nothing_is_near_all_options_are_named() {
        table(&[
            (
                "MQ.MPULL 1 q COUNT 1 z",
                "ERR unknown option 'z' for MQ.MPULL, its options are COUNT, VISIBILITY, BLOCK, \
                 CONSUMER, ONDISCONNECT, NOACK",
            ),
            (
                "MQ.ACK q a b c",
                "ERR unknown option 'c' for MQ.ACK, it has none: MQ.ACK queue (id receipt | IDS n id \
                 receipt [id receipt ...])",
            ),
            (
                "MQ.LEN q 7",
                "ERR unknown option '7' for MQ.LEN, its options are READY, INFLIGHT, DELAYED, DEAD",
            ),
        ]);
    }

    #[test]
    fn a_number_may_lack_its_token() {
        table(&[
            ("MQ.PULL q 10", "ERR '10' is no option of MQ.PULL, did you mean COUNT 10?"),
            ("MQ.PEEK q 10", "ERR '10' is no option of MQ.PEEK, did you mean COUNT 10?"),
            ("MQ.PEEK q 0", "ERR '0' is no option of MQ.PEEK, did you mean OFFSET 0?"),
            ("MQ.PUSH q x 5", "ERR '5' is no option of MQ.PUSH, did you mean DELAY 5?"),
            ("MQ.EXTEND q a b 5", "ERR '5' is no option of MQ.EXTEND, did you mean VISIBILITY 5?"),
            ("MQ.PAUSE q 5", "ERR '5' is no option of MQ.PAUSE, did you mean FOR 5?"),
        ]);
    }

    #[test]
    fn an_option_may_stand_where_another_argument_has_its_place() {
        table(&[
            (
                "MQ.EXTEND q a VISIBILITY 5",
                "ERR VISIBILITY stands in the place of receipt: MQ.EXTEND queue (id receipt | IDS n id \
                 receipt [id receipt ...]) [VISIBILITY milliseconds]",
            ),
            (
                "MQ.MPULL 2 q COUNT 5",
                "ERR COUNT stands in the place of queue: MQ.MPULL numkeys queue [queue ...] [COUNT n] \
                 [VISIBILITY milliseconds] [BLOCK milliseconds] [CONSUMER name] [ONDISCONNECT] [NOACK]",
            ),
        ]);
        assert!(refused(&words("MQ.PUSH q delay 5")).unwrap().starts_with("ERR DELAY stands in"));
    }

    #[test]
    fn what_a_number_counts_is_named() {
        table(&[
            ("MQ.PUSH q x HEADERS 2 a b", "ERR HEADERS 2 needs 2 pairs of name and value, got 1"),
            (
                "MQ.PUSH q x HEADERS 2 a b c",
                "ERR HEADERS 2 needs 2 pairs of name and value, got 1 and one name without value",
            ),
            (
                "MQ.PUSH q x HEADERS 1 a b c d",
                "ERR 'c' is no option of MQ.PUSH: HEADERS 1 takes 1 pair of name and value",
            ),
            ("MQ.ACK q IDS 3 a b", "ERR IDS 3 needs 3 pairs of id and receipt, got 1"),
            ("MQ.ACK q IDS 1", "ERR IDS 1 needs 1 pair of id and receipt, got 0"),
            (
                "MQ.ACK q IDS 1 a b 1 d",
                "ERR '1' is no option of MQ.ACK: IDS 1 takes 1 pair of id and receipt",
            ),
            ("MQ.REDRIVE q IDS 2 a", "ERR IDS 2 needs 2 ids, got 1"),
            ("MQ.REDRIVE q IDS 1 a b", "ERR 'b' is no option of MQ.REDRIVE: IDS 1 takes 1 id"),
            ("MQ.MPUSH q 3 a b", "ERR n 3 needs 3 payloads, got 2"),
            ("MQ.MPUSH q 2 1 b c d", "ERR 'c' is no option of MQ.MPUSH: n 2 takes 2 payloads"),
            ("MQ.MPUSH q a b", "ERR n comes before the payloads: MQ.MPUSH queue n payload ..."),
            ("MQ.MPUSH q 0 b", "ERR n must be an integer from 1 to 10000"),
            ("MQ.MPULL q r", "ERR numkeys comes before the queues: MQ.MPULL numkeys queue ..."),
            ("MQ.MPULL 3 q r", "ERR numkeys 3 needs 3 queues, got 2"),
            ("MQ.MPULL 1 q 1 s", "ERR '1' is no option of MQ.MPULL: numkeys 1 takes 1 queue"),
        ]);
    }

    #[test]
    fn what_is_wrong_with_known_options_is_named() {
        table(&[
            ("MQ.PUSH q x DELAY", "ERR DELAY needs a value: milliseconds"),
            ("MQ.PUSH q x AT", "ERR AT needs a value: unix-time-milliseconds"),
            ("MQ.PULL q COUNT", "ERR COUNT needs a value: an integer from 1 to 10000"),
            ("MQ.CONFIG q MAXLEN", "ERR MAXLEN needs a value: an integer from 0 to 2147483647"),
            ("MQ.PUSH q x GROUP", "ERR GROUP needs a value: name"),
            ("MQ.PUSH q x HEADERS", "ERR HEADERS needs a value: n name value [name value ...]"),
            ("MQ.CONFIG q DEADLETTER", "ERR DEADLETTER needs a value: queue"),
            ("MQ.QUEUES MATCH", "ERR MATCH needs a value: pattern"),
            ("MQ.PUSH q x DELAY 1 AT 1", "ERR DELAY and AT exclude each other"),
            ("MQ.PULL q COUNT 1 NOACK VISIBILITY 1", "ERR NOACK and VISIBILITY exclude each other"),
            ("MQ.PUSH q x DELAY 1 DELAY 1", "ERR DELAY is given twice"),
            ("MQ.PUSH q x WINDOW 1", "ERR WINDOW can be given only with DEDUP"),
            ("MQ.QUEUES COUNT 1", "ERR COUNT can be given only with CURSOR"),
            (
                "MQ.REDRIVE q REASON to",
                "ERR no value before the option TO may be 'TO', give TO first",
            ),
            ("MQ.GET q", "ERR wrong number of arguments for 'mq.get' command: MQ.GET queue id"),
        ]);
    }

    /// Lines of a few words, right ones and wrong ones: what is said is one line, and never nothing.
    #[test]
    fn every_line_that_is_refused_is_answered_with_one_sentence() {
        const WORDS: [&[u8]; 12] = [
            b"IDS",
            b"COUNT",
            b"TO",
            b"1",
            b"2",
            b"x",
            b"HEADERS",
            b"",
            b"DELAYS",
            b"\r\n\xff",
            b"DEDUP",
            b"99999999999999999999",
        ];
        for known in all() {
            for number in 0..WORDS.len().pow(4) {
                let digit = |place: u32| WORDS[number / WORDS.len().pow(place) % WORDS.len()];
                let line =
                    [known.spec.name.as_bytes(), b"q", digit(0), digit(1), digit(2), digit(3)];
                let Some(told) = refused(&line) else { continue };
                assert!(told.starts_with("ERR ") && told.len() > 20, "{told}");
                assert!(!told.contains(|c: char| c.is_control()), "{told:?}");
                assert!(!told.contains("syntax error") && !told.contains("Unknown {"), "{told}");
            }
        }
    }

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
