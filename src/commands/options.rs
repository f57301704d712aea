//! Parses arguments as a command's facts describe them. Options: tokens in any case and any order, each at most
//! once, nothing left over. Nothing is copied, and nothing here knows what an option means.

use std::iter;

use super::errors::{CommandError, Fault};
use crate::queue::settings::parse_integer;
use crate::server::command::Command;
use crate::server::keys_of_command::is_taken_for;
use crate::server::spec::{Arg, Choice, Name, Number, other_key};

/// The maximum number of options of a command; each alternative counts.
const MOST: usize = 17;

/// The options that a client gave.
#[derive(Debug)]
pub struct Options<'a, A> {
    arguments: &'a [A],
    table: &'static Table,
    /// A bit for each option of the table.
    given: u32,
    /// For each option of the table: the number, or where in `arguments` the value begins.
    values: [u64; MOST],
}

/// All options of a command, taken out of their groups.
#[derive(Debug, Clone, Copy)]
struct Table {
    places: [Place; MOST],
    len: usize,
    /// The bits of the options of which one is required; 0: none.
    required: u32,
    /// The token before another key.
    other_key: Option<&'static str>,
}

/// An option.
#[derive(Debug, Clone, Copy)]
struct Place {
    option: &'static Arg,
    token: &'static str,
    bit: u32,
    /// The bits of the options that it excludes.
    excludes: u32,
    /// The bits of the options that it requires.
    needs: u32,
}

impl<'a, A: AsRef<[u8]>> Options<'a, A> {
    /// Reads all of `arguments` as options of a command.
    #[inline]
    pub fn read<C: Command>(arguments: &'a [A]) -> Result<Self, CommandError> {
        Self::read_by(const { &Table::of(C::SPEC.arguments) }, arguments)
    }

    /// The same, with the arguments of a command's facts.
    #[cfg(test)]
    pub fn read_as(facts: &'static [Arg], arguments: &'a [A]) -> Result<Self, CommandError> {
        Self::read_by(Box::leak(Box::new(Table::of(facts))), arguments)
    }

    #[inline]
    fn read_by(table: &'static Table, arguments: &'a [A]) -> Result<Self, CommandError> {
        let mut options = Self { arguments, table, given: 0, values: [0; MOST] };
        if !arguments.is_empty() || table.required != 0 {
            options.read_all()?;
        }
        Ok(options)
    }

    #[inline(never)]
    fn read_all(&mut self) -> Result<(), CommandError> {
        let mut rest = self.arguments;
        let mut after = None;
        while let [token, more @ ..] = rest {
            let token = token.as_ref();
            let mut places = self.table.places().zip(&mut self.values);
            let (place, value) = places
                .find(|(place, _)| token.eq_ignore_ascii_case(place.token.as_bytes()))
                .ok_or(Fault::Unknown { left: rest.len(), after })?;
            if self.given & (place.bit | place.excludes) != 0 {
                return Err(self.clash(place).into());
            }
            after = Some(place.token);
            self.given |= place.bit;
            *value = self.arguments.len().saturating_sub(more.len()) as u64;
            rest = match (place.option, more) {
                (Arg::Flag(_) | Arg::FlagWithout(..), _) => more,
                (_, []) => return Err(Fault::NoValue(place.token).into()),
                (Arg::Number(number), [text, more @ ..]) => {
                    *value = parse(number, text.as_ref())?;
                    more
                }
                (Arg::Setting(number), [text, more @ ..]) => {
                    check_setting(number, text.as_ref())?;
                    more
                }
                (Arg::Name(name), [text, more @ ..]) => {
                    check_length(name, text.as_ref())?;
                    more
                }
                (Arg::Choice(choice), [text, more @ ..]) => {
                    *value = position_of(choice, text.as_ref())?;
                    more
                }
                (Arg::List(number, _), _) => counted(number, more)?.1,
                (Arg::Pairs(number, _), _) => pairs(number, more)?.1,
                (_, [_, more @ ..]) => more,
            };
        }
        self.check()
    }

    /// Why an option can't be given after these.
    fn clash(&self, place: &'static Place) -> Fault {
        let mut given = self.given();
        match given.find(|(other, _)| place.excludes & other.bit != 0) {
            Some((other, _)) => Fault::Exclude(other.token, place.token),
            None => Fault::Twice(place.token),
        }
    }

    /// Checks what is only known once all options are read.
    fn check(&self) -> Result<(), CommandError> {
        let required = self.table.required;
        if required != 0 && self.given & required == 0 {
            return Err(Fault::Required.into());
        }
        for (place, _) in self.given() {
            if let Arg::FlagWithout(token, others) = place.option
                && let Some(other) = others.iter().find(|other| self.has(other))
            {
                return Err(Fault::Exclude(token, other).into());
            }
            let missing = place.needs & !self.given;
            let mut places = self.table.places();
            if let Some(needed) = places.find(|other| missing & other.bit != 0) {
                return Err(Fault::OnlyWith(place.token, needed.token).into());
            }
        }
        match self.table.other_key {
            Some(token) if !self.shows_other_key(token) => Err(Fault::Hidden(token).into()),
            _ => Ok(()),
        }
    }

    /// True if the server finds the other key where these options have it: see
    /// [`keys_of_command`](crate::server::keys_of_command).
    fn shows_other_key(&self, token: &str) -> bool {
        let mut arguments = (1..).zip(self.arguments);
        let seen = arguments.find(|(_, argument)| is_taken_for(argument.as_ref(), token));
        seen.map(|(value, _)| value) == self.find(token)
    }

    /// True if no option was given.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.given == 0
    }

    /// True if this option was given.
    #[inline]
    pub fn has(&self, token: &str) -> bool {
        self.find(token).is_some()
    }

    /// The number after an option, if it was given.
    #[inline]
    pub fn number(&self, option: &Number) -> Option<u64> {
        self.find(option.token)
    }

    /// The word after an option, as the facts spell it, if it was given.
    pub fn word(&self, option: &Choice) -> Option<&'static str> {
        option.words.get(usize::try_from(self.find(option.token)?).ok()?).copied()
    }

    /// The bytes after an option, if it was given.
    #[inline]
    pub fn text(&self, option: &Name) -> Option<&'a [u8]> {
        self.value(option.token)
    }

    /// The pattern or the name after an option, if it was given.
    #[inline]
    pub fn value(&self, token: &str) -> Option<&'a [u8]> {
        self.bytes_at(self.find(token)?)
    }

    /// The arguments of an option that counts them, if it was given.
    pub fn list(&self, option: &Number) -> Option<&'a [A]> {
        let begin = usize::try_from(self.find(option.token)?).ok()?;
        let (list, _) = counted(option, self.arguments.get(begin..)?).ok()?;
        Some(list)
    }

    /// The pairs of an option that counts them, flat, if it was given.
    pub fn pairs(&self, option: &Number) -> Option<&'a [A]> {
        let begin = usize::try_from(self.find(option.token)?).ok()?;
        let (pairs, _) = pairs(option, self.arguments.get(begin..)?).ok()?;
        Some(pairs)
    }

    /// The options that were given with a single value, and that value, in the order of the facts. Not for
    /// numbers, which are parsed already.
    pub fn values(&self) -> impl Iterator<Item = (&'static str, &'a [u8])> {
        let with_value = self.given().filter(|(place, _)| !matches!(place.option, Arg::Flag(_)));
        with_value.filter_map(|(place, value)| Some((place.token, self.bytes_at(value)?)))
    }

    /// The options that were given, and their numbers or where their values begin.
    fn given(&self) -> impl Iterator<Item = (&'static Place, u64)> {
        let mut left = self.given;
        iter::from_fn(move || {
            let index = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            Some((self.table.places.get(index)?, *self.values.get(index)?))
        })
    }

    #[inline]
    fn find(&self, token: &str) -> Option<u64> {
        self.given().find(|(place, _)| place.token == token).map(|(_, value)| value)
    }

    fn bytes_at(&self, position: u64) -> Option<&'a [u8]> {
        self.arguments.get(usize::try_from(position).ok()?).map(AsRef::as_ref)
    }
}

impl Table {
    fn places(&self) -> impl Iterator<Item = &Place> {
        self.places.iter().take(self.len)
    }

    const fn of(mut arguments: &'static [Arg]) -> Self {
        let nothing = Place { option: &Arg::Flag(""), token: "", bit: 0, excludes: 0, needs: 0 };
        let other_key = other_key(arguments);
        let mut table = Self { places: [nothing; MOST], len: 0, required: 0, other_key };
        while let [argument, rest @ ..] = arguments {
            table.add(argument);
            arguments = rest;
        }
        table
    }

    /// Adds the options in an argument, and returns their bits.
    #[allow(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "runs only when the module is compiled"
    )]
    const fn add(&mut self, argument: &'static Arg) -> u32 {
        match argument {
            Arg::OneOf(_, options) => return self.add_alternatives(options),
            Arg::Required(_, options) => {
                self.required = self.add_alternatives(options);
                return self.required;
            }
            Arg::Nested(option, more) => {
                let needed = self.add(option);
                let mut place = self.len;
                let mut bits = needed;
                let mut more = *more;
                while let [option, rest @ ..] = more {
                    bits |= self.add(option);
                    more = rest;
                }
                while place < self.len {
                    self.places[place].needs |= needed;
                    place += 1;
                }
                return bits;
            }
            _ => {}
        }
        let Some(token) = argument.token() else { return 0 };
        let bit = 1 << self.len;
        self.places[self.len] = Place { option: argument, token, bit, excludes: 0, needs: 0 };
        self.len += 1;
        bit
    }

    #[allow(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "runs only when the module is compiled"
    )]
    const fn add_alternatives(&mut self, mut options: &'static [Arg]) -> u32 {
        let first = self.len;
        let mut bits = 0;
        while let [option, rest @ ..] = options {
            let begin = self.len;
            let own = self.add(option);
            let mut place = first;
            while place < self.len {
                // One of the others, or of this one.
                self.places[place].excludes |= if place < begin { own } else { bits };
                place += 1;
            }
            bits |= own;
            options = rest;
        }
        bits
    }
}

/// Parses a number whose range has no negative values.
pub fn parse(option: &Number, text: &[u8]) -> Result<u64, CommandError> {
    parse_integer(text)
        .filter(|number| (option.min..=option.max).contains(number))
        .and_then(|number| u64::try_from(number).ok())
        .ok_or(CommandError::Number(*option))
}

/// The position of a word among those of a choice.
fn position_of(option: &Choice, text: &[u8]) -> Result<u64, CommandError> {
    let position = option.words.iter().position(|word| text.eq_ignore_ascii_case(word.as_bytes()));
    position.map(|position| position as u64).ok_or(CommandError::Choice(*option))
}

/// Checks a number in a range, or an empty value.
fn check_setting(option: &Number, text: &[u8]) -> Result<(), CommandError> {
    let is_good = parse_integer(text).is_some_and(|n| (option.min..=option.max).contains(&n));
    if is_good || text.is_empty() { Ok(()) } else { Err(CommandError::Number(*option)) }
}

fn check_length(option: &Name, text: &[u8]) -> Result<(), CommandError> {
    let is_good = (option.min..=option.max).contains(&text.len());
    if is_good { Ok(()) } else { Err(CommandError::Length(*option)) }
}

/// Reads a name that is after its token in the place of another argument, and returns it and the rest; all of
/// the arguments if it is not there.
pub fn name_instead<'a, A: AsRef<[u8]>>(
    name: &Name,
    arguments: &'a [A],
) -> Result<(Option<&'a [u8]>, &'a [A]), CommandError> {
    match arguments {
        [token, rest @ ..] if token.as_ref().eq_ignore_ascii_case(name.token.as_bytes()) => {
            let [text, rest @ ..] = rest else { return Err(Fault::NoValue(name.token).into()) };
            check_length(name, text.as_ref())?;
            Ok((Some(text.as_ref()), rest))
        }
        _ => Ok((None, arguments)),
    }
}

/// Reads a number and so many arguments, and returns them and the rest.
pub fn counted<'a, A: AsRef<[u8]>>(
    number: &Number,
    arguments: &'a [A],
) -> Result<(&'a [A], &'a [A]), CommandError> {
    take(number, 1, arguments)
}

/// Reads a number and so many pairs of arguments, and returns them and the rest.
pub fn pairs<'a, A: AsRef<[u8]>>(
    number: &Number,
    arguments: &'a [A],
) -> Result<(&'a [A], &'a [A]), CommandError> {
    take(number, 2, arguments)
}

fn take<'a, A: AsRef<[u8]>>(
    number: &Number,
    each: usize,
    arguments: &'a [A],
) -> Result<(&'a [A], &'a [A]), CommandError> {
    let [count, rest @ ..] = arguments else { return Err(CommandError::Arity) };
    let count = usize::try_from(parse(number, count.as_ref())?).unwrap_or(usize::MAX);
    let fewer = Fault::Fewer { token: number.token, left: rest.len() };
    Ok(rest.split_at_checked(count.saturating_mul(each)).ok_or(fewer)?)
}

/// Checks that there are not too many of these.
pub fn at_most<'a, A>(number: &Number, arguments: &'a [A]) -> Result<&'a [A], CommandError> {
    let is_good = i64::try_from(arguments.len()).is_ok_and(|count| count <= number.max);
    if is_good { Ok(arguments) } else { Err(CommandError::TooMany(*number)) }
}

#[cfg(test)]
pub mod tests;
