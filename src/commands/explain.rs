//! Explains why a command line was refused: the wrong argument, and what would be right, both by the facts of the
//! command. Runs only after a command has failed, and knows no stored state.

use super::claims;
use super::errors::{CommandError, Fault};
use super::nearest::nearest;
use super::quoted::Quoted;
use crate::queue::settings::parse_integer;
use crate::server::spec::{Arg, Name, Number, Spec};

/// The error reply to a command line.
#[cfg(any(test, fuzzing))]
pub fn explain<A: AsRef<[u8]>>(
    spec: &'static Spec,
    arguments: &[A],
    error: &CommandError,
) -> String {
    CommandLine { spec, arguments }.explanation(error).unwrap_or_else(|| error.to_string())
}

/// The arguments of a command, with its name first.
pub struct CommandLine<'a, A> {
    pub spec: &'static Spec,
    pub arguments: &'a [A],
}

/// What a number counts.
#[derive(Clone, Copy)]
enum Counted {
    Single(&'static str),
    Pairs([&'static str; 2]),
}

impl<A: AsRef<[u8]>> CommandLine<'_, A> {
    /// The reply, if the command line alone explains the error.
    pub fn explanation(&self, error: &CommandError) -> Option<String> {
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

    /// Id and receipt of the first delivery that is claimed.
    pub fn claim(&self) -> Option<(&[u8], &[u8])> {
        let position = self.claims()?;
        Some((self.word(position), self.word(position.saturating_add(1))))
    }

    /// Explains an id or a receipt that can't be one.
    fn wrong_claim(&self, error: &CommandError) -> Option<String> {
        let (id, receipt) = self.claim()?;
        let (quoted_id, quoted_receipt) = (Quoted::of(id), Quoted::of(receipt));
        if claims::is_id(receipt) && claims::is_receipt(id) {
            let syntax = self.spec.syntax();
            return Some(format!("NOTFOUND id and receipt are swapped: {syntax}"));
        }
        match error {
            CommandError::NotFound if !claims::is_id(id) => {
                Some(format!("NOTFOUND {quoted_id} is not a message id, which is a UUID"))
            }
            CommandError::BadReceipt if !claims::is_receipt(receipt) => Some(format!(
                "BADRECEIPT {quoted_receipt} is not a receipt, which is 16 hexadecimal digits"
            )),
            _ => None,
        }
    }

    /// The position of the claims.
    fn claims(&self) -> Option<usize> {
        let claims = self
            .spec
            .arguments
            .iter()
            .position(|one| matches!(one.placed(), Arg::PairOrPairs(..)))?;
        Some(claims.saturating_add(1))
    }

    fn fault(&self, fault: Fault) -> String {
        match fault {
            Fault::Unknown { left, after } => {
                self.unknown(self.arguments.len().saturating_sub(left), after)
            }
            Fault::Twice(token) => format!("{token} is given twice"),
            Fault::Exclude(one, other) => format!("{one} and {other} are mutually exclusive"),
            Fault::NoValue(token) => format!("{token} needs a value: {}", self.value_of(token)),
            Fault::Fewer { token, left } => self.fewer(token, left),
            Fault::OnlyWith(token, needed) => format!("{token} can be given only with {needed}"),
            Fault::Required => format!("an option is missing: {}", self.spec.syntax()),
            Fault::Hidden(token) => {
                format!("no value before the option {token} may be '{token}', give {token} first")
            }
        }
    }

    /// Explains an argument that is not an option.
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
            return format!("{option} is in the place of {name}: {syntax}");
        }
        if let Some((token, count, counted)) = self.counted_before(position, after) {
            let things = counted.number_of(count);
            return format!(
                "{quoted} is not an option of {command}: {token} {count} takes {things}"
            );
        }
        if let Some(token) = after.filter(|token| self.is_torn(token, position)) {
            return format!(
                "{quoted} is not an option of {command}: put the value of {token} in quotes"
            );
        }
        if let Some(number) = parse_integer(word)
            && let Some(token) = self.number_without_token(number)
        {
            return format!(
                "'{number}' is not an option of {command}, did you mean {token} {number}?"
            );
        }
        let known = match options.as_slice() {
            [] => format!("it has none: {}", self.spec.syntax()),
            [option] => format!("its option is {option}"),
            options => format!("its options are {}", options.join(", ")),
        };
        format!("unknown option {quoted} for {command}, {known}")
    }

    /// Explains a number that too few arguments follow.
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

    /// Explains that something else is where a number of arguments should be.
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

    /// The position of the first argument after the positional ones.
    fn first_option(&self) -> usize {
        let mut position = 1usize;
        for argument in self.spec.arguments {
            let count =
                |at| usize::try_from(parse_integer(self.word(at)).unwrap_or(0)).unwrap_or(0);
            let length = match argument.placed() {
                _ if self.is_named(argument, position) => 2,
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

    /// True if a name is there in the place of the argument.
    fn is_named(&self, argument: &Arg, position: usize) -> bool {
        matches!(argument, Arg::Or(_, Name { token, .. }) if self.is(position, token))
    }

    fn is_batch(&self, position: usize) -> bool {
        self.is(position, "IDS")
    }

    /// A misspelt IDS in the position of an id.
    fn misspelt_ids(&self) -> Option<Quoted> {
        let position = self.claims()?;
        if self.is_batch(position) {
            return None;
        }
        let word = self.word(position);
        nearest(word, &["IDS"]).map(|_| Quoted::of(word))
    }

    /// An option in the position of another argument, and the name of that argument.
    fn option_for_argument(&self, position: usize) -> Option<(&'static str, &'static str)> {
        let placed = self.spec.arguments.iter().take_while(|one| one.is_positional());
        let name = match placed.last()?.placed() {
            Arg::Key(name) | Arg::Keys(_, name) => name,
            Arg::Text(name) | Arg::Texts(name) | Arg::Counted(_, name) => name,
            Arg::PairOrPairs(_, names) => names.pair.last()?,
            _ => return None,
        };
        let mut tokens = self.tokens().into_iter();
        Some((tokens.find(|token| self.is(position, token))?, name))
    }

    /// What the number after a token counts, or a positional one with this name.
    fn counted_by(&self, token: &str) -> Option<Counted> {
        let options = self.spec.options();
        self.spec.arguments.iter().chain(options).find_map(|argument| {
            let (counting, counted) = Counted::of(argument)?;
            (counting == token).then_some(counted)
        })
    }

    /// The number of arguments that end before this position, if such a number is the last option, or no option
    /// was given.
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
                // After IDS.
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

    /// The option whose token may be missing before a number.
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

    /// True if the value after a token, which usually has blanks, seems to go on at this position: it lacks quotes.
    fn is_torn(&self, token: &str, position: usize) -> bool {
        let value = self.word(position.saturating_sub(1));
        let is_whole = value.contains(&b' ') || value.starts_with(b"@");
        let has_blanks =
            |name: &Name| name.token == token && matches!(name.name, "expression" | "text");
        let mut options = self.spec.options().into_iter();
        !is_whole && options.any(|option| matches!(option, Arg::Name(name) if has_blanks(name)))
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
            None => self.name_of(token).unwrap_or_default().to_owned(),
        }
    }

    /// What a token in the place of an argument names.
    fn name_of(&self, token: &str) -> Option<&'static str> {
        self.spec.arguments.iter().find_map(|argument| match argument {
            Arg::Or(_, instead) if instead.token == token => Some(instead.name),
            _ => None,
        })
    }

    fn tokens(&self) -> Vec<&'static str> {
        self.spec.options().into_iter().filter_map(Arg::token).collect()
    }

    fn word(&self, position: usize) -> &[u8] {
        self.arguments.get(position).map_or(b"", AsRef::as_ref)
    }

    /// True if this token is at the position, in any case.
    fn is(&self, position: usize, token: &str) -> bool {
        self.word(position).eq_ignore_ascii_case(token.as_bytes())
    }
}

impl Counted {
    /// The name of the number in an argument, and what it counts.
    fn of(argument: &'static Arg) -> Option<(&'static str, Self)> {
        Some(match argument.placed() {
            Arg::Keys(number, name) | Arg::Counted(number, name) | Arg::List(number, name) => {
                (number.token, Self::Single(name))
            }
            Arg::Pairs(number, names) => (number.token, Self::Pairs(*names)),
            Arg::PairOrPairs(number, names) => (number.token, Self::Pairs(names.pair)),
            _ => return None,
        })
    }

    /// How many arguments each one takes.
    fn arguments(self) -> usize {
        match self {
            Self::Single(_) => 1,
            Self::Pairs(_) => 2,
        }
    }

    /// A number of them, in words.
    fn number_of(self, count: i64) -> String {
        let s = if count == 1 { "" } else { "s" };
        match self {
            Self::Single(name) => format!("{count} {name}{s}"),
            Self::Pairs([a, b]) => format!("{count} pair{s} of {a} and {b}"),
        }
    }
}

#[cfg(test)]
mod tests;
