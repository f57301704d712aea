//! Reading of options: tokens in any case and any order, each at most once, nothing left over.

use crate::queue::settings::{MAX_DURATION_MS, parse_integer};
use crate::reply::CommandError;
use crate::server::command::{Arg, Number, Spec};
use crate::server::string::Argument;

const MAX_MS: i64 = MAX_DURATION_MS as i64;

/// A delay: 0 is none.
pub const DELAY: Number = Number { token: "DELAY", name: "ms", min: 0, max: MAX_MS };

/// A visibility.
pub const VISIBILITY: Number = Number { token: "VISIBILITY", name: "ms", min: 1, max: MAX_MS };

/// The most options with a number that one command has.
const MOST: usize = 4;

/// The numbers that a client gave.
pub struct Numbers([Option<(&'static str, u64)>; MOST]);

impl Numbers {
    /// Reads all of `arguments` as options of `spec` that have a number.
    pub fn read(spec: &Spec, arguments: &[Argument<'_>]) -> Result<Self, CommandError> {
        let mut numbers = Self([None; MOST]);
        let mut pairs = arguments.chunks_exact(2);
        for pair in &mut pairs {
            if let [token, value] = pair {
                numbers.add(option(spec, *token)?, *value)?;
            }
        }
        if pairs.remainder().is_empty() { Ok(numbers) } else { Err(CommandError::Syntax) }
    }

    fn add(&mut self, option: &Number, value: Argument<'_>) -> Result<(), CommandError> {
        let number = parse(option, value.as_bytes())?;
        for place in &mut self.0 {
            match place {
                Some((token, _)) if *token == option.token => break,
                Some(_) => {}
                None => {
                    *place = Some((option.token, number));
                    return Ok(());
                }
            }
        }
        Err(CommandError::Syntax)
    }

    /// The number behind an option, if it was given.
    pub fn get(&self, option: &Number) -> Option<u64> {
        let given = self.0.iter().flatten().find(|(token, _)| *token == option.token);
        given.map(|(_, number)| *number)
    }
}

fn option<'a>(spec: &'a Spec, token: Argument<'_>) -> Result<&'a Number, CommandError> {
    let token = token.as_bytes();
    spec.arguments
        .iter()
        .find_map(|argument| match argument {
            Arg::Number(number) if token.eq_ignore_ascii_case(number.token.as_bytes()) => {
                Some(number)
            }
            _ => None,
        })
        .ok_or(CommandError::Syntax)
}

/// Reads a number of an option whose range has no negative numbers.
pub fn parse(option: &Number, text: &[u8]) -> Result<u64, CommandError> {
    parse_integer(text)
        .filter(|number| (option.min..=option.max).contains(number))
        .and_then(|number| u64::try_from(number).ok())
        .ok_or(CommandError::Number(*option))
}
