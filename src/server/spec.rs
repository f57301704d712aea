//! What a command is: its name, flags, keys and arguments, as plain data. The server, the parser and the
//! documentation all read it from here. Nothing here calls the server.

/// A command's facts: the server, the parser and the documentation take them from here.
pub struct Spec {
    /// In capitals.
    pub name: &'static str,
    /// One line.
    pub summary: &'static str,
    /// One line.
    pub complexity: &'static str,
    /// The version of the module that brought it.
    pub since: &'static str,
    /// As the server understands them: "write deny-oom fast".
    pub flags: &'static str,
    /// True if it can wait.
    pub blocking: bool,
    /// The number of arguments with the name; negative: at least so many.
    pub arity: i32,
    /// What it does to the keys that its first arguments name.
    pub key: Option<KeyUse>,
    /// In their order: those that have a place, then the options.
    pub arguments: &'static [Arg],
}

/// What a command does to a key, for access control.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum KeyUse {
    /// Adds data.
    Insert,
    /// Returns data and changes them.
    AccessAndUpdate,
    /// Changes data.
    Update,
    /// Removes data.
    Delete,
    /// Returns data.
    Access,
    /// Returns nothing but how much there is.
    Count,
}

/// An argument or a group of them. The first ones have their place; the options follow them in any
/// order, each at most once, their tokens in any case.
#[derive(Debug)]
pub enum Arg {
    /// A key, and what it is called in the syntax.
    Key(&'static str),
    /// `numkeys key [key ...]`.
    Keys(Number, &'static str),
    /// Bytes.
    Text(&'static str),
    /// `[command]`: bytes that may be left out, where nothing follows them.
    Optional(&'static str),
    /// `a [a ...]`: all that follows.
    Texts(&'static str),
    /// `n a [a ...]`.
    Counted(Number, &'static str),
    /// `(a b | TOKEN n a b [a b ...])`: one pair, or as many as the number says.
    PairOrPairs(Number, &'static PairNames),

    /// `[TOKEN]`.
    Flag(&'static str),
    /// `[TOKEN]`, but not together with these tokens.
    FlagWithout(&'static str, &'static [&'static str]),
    /// `[TOKEN name]`, an integer of a range that has no negative numbers.
    Number(Number),
    /// `[TOKEN name]`, an integer of a range, or empty for the default.
    Setting(Number),
    /// `[TOKEN name]`, bytes.
    Name(Name),
    /// `[TOKEN pattern]`.
    Pattern(&'static str),
    /// `[TOKEN key]`. A command has at most one: `keys_of_command.rs` says why.
    OtherKey(&'static str, &'static str),
    /// `[TOKEN n a [a ...]]`.
    List(Number, &'static str),
    /// `[TOKEN n a b [a b ...]]`.
    Pairs(Number, [&'static str; 2]),
    /// `[A | B | C]`: at most one of these options.
    OneOf(&'static str, &'static [Arg]),
    /// `(A | B | C)`: one of these options, in any place among the others.
    Required(&'static str, &'static [Arg]),
    /// `[A [B]]`: an option, and one that is only together with it. They need not be neighbours.
    With(&'static Arg, &'static Arg),
}

/// A number: that behind a token, or one that has its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    /// In capitals; of one that has its place, the name.
    pub token: &'static str,
    /// As it is called in the syntax.
    pub name: &'static str,
    /// The smallest.
    pub min: i64,
    /// The largest.
    pub max: i64,
}

/// Bytes behind a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// In capitals.
    pub token: &'static str,
    /// As they are called in the syntax.
    pub name: &'static str,
    /// The fewest bytes.
    pub min: usize,
    /// The most bytes.
    pub max: usize,
}

/// Names of pairs, as the syntax and COMMAND DOCS show them.
#[derive(Debug)]
pub struct PairNames {
    /// Of the argument as a whole.
    pub argument: &'static str,
    /// Of its form with one pair.
    pub single: &'static str,
    /// Of its form with a number of pairs.
    pub batch: &'static str,
    /// Of the two in a pair.
    pub pair: [&'static str; 2],
}

/// As a length of time is called.
pub const MILLISECONDS: &str = "milliseconds";

/// As a timestamp is called.
pub const UNIX_TIME: &str = "unix-time-milliseconds";

impl Number {
    /// The range that it must be in, with the unit.
    pub fn range(&self) -> String {
        let Self { min, max, .. } = self;
        let unit = match self.name {
            MILLISECONDS => " milliseconds",
            UNIX_TIME => " milliseconds of unix time",
            _ => "",
        };
        format!("{min} to {max}{unit}")
    }
}

impl Spec {
    /// The way it is written, as in the documentation.
    pub fn syntax(&self) -> String {
        let mut syntax = self.name.to_owned();
        for argument in self.arguments {
            syntax.push(' ');
            syntax.push_str(&argument.syntax());
        }
        syntax
    }

    /// The flags as the documentation lists them.
    #[cfg(test)]
    pub fn flags_text(&self) -> String {
        let mut flags: Vec<&str> = self.flags.split(' ').collect();
        if self.blocking {
            flags.push("blocking");
        }
        flags.join(", ")
    }

    /// The token before another key, if the command has such an option.
    pub(super) const fn other_key(&self) -> Option<&'static str> {
        other_key(self.arguments)
    }

    /// True if the first argument is the number of keys that follow it.
    pub(super) const fn counts_keys(&self) -> bool {
        matches!(self.arguments, [Arg::Keys(..), ..])
    }

    /// True if some keys have no fixed position.
    pub(super) const fn keys_move(&self) -> bool {
        self.counts_keys() || self.other_key().is_some()
    }

    /// The position of the first key, if the command names one.
    pub(super) const fn first_key(&self) -> i32 {
        if self.counts_keys() { 2 } else { 1 }
    }

    /// The options, taken out of their groups.
    pub fn options(&self) -> Vec<&'static Arg> {
        self.arguments.iter().flat_map(Arg::options).collect()
    }

    /// What a client is told that gave too few arguments, or too many: the server's words, and the way the
    /// command is written.
    pub fn wrong_arity(&self) -> String {
        let name = self.name.to_ascii_lowercase();
        format!("ERR wrong number of arguments for '{name}' command: {}", self.syntax())
    }

    /// True if it takes so many arguments.
    pub fn fits_arity(&self, count: usize) -> bool {
        let wanted = usize::try_from(self.arity.unsigned_abs()).unwrap_or(usize::MAX);
        if self.arity < 0 { count >= wanted } else { count == wanted }
    }
}

/// The token before another key, if these arguments have such an option.
pub const fn other_key(mut arguments: &'static [Arg]) -> Option<&'static str> {
    while let [argument, rest @ ..] = arguments {
        match argument {
            Arg::OtherKey(token, _) => return Some(token),
            Arg::OneOf(_, options) => {
                if let Some(token) = other_key(options) {
                    return Some(token);
                }
            }
            _ => {}
        }
        arguments = rest;
    }
    None
}

impl Arg {
    /// The token of a single option; None of what is no option, or several.
    pub const fn token(&self) -> Option<&'static str> {
        match self {
            Self::Flag(token)
            | Self::FlagWithout(token, _)
            | Self::Number(Number { token, .. })
            | Self::Setting(Number { token, .. })
            | Self::Name(Name { token, .. })
            | Self::Pattern(token)
            | Self::OtherKey(token, _)
            | Self::List(Number { token, .. }, _)
            | Self::Pairs(Number { token, .. }, _) => Some(token),
            Self::Key(_)
            | Self::Keys(..)
            | Self::Text(_)
            | Self::Optional(_)
            | Self::Texts(_)
            | Self::Counted(..)
            | Self::PairOrPairs(..)
            | Self::OneOf(..)
            | Self::Required(..)
            | Self::With(..) => None,
        }
    }

    /// The options in it: itself, if it is one.
    fn options(&self) -> Vec<&Self> {
        match self {
            Self::OneOf(_, options) | Self::Required(_, options) => {
                options.iter().flat_map(Self::options).collect()
            }
            Self::With(option, more) => [option.options(), more.options()].concat(),
            single => single.token().map(|_| single).into_iter().collect(),
        }
    }

    /// True if it has its place, before all options.
    pub fn is_placed(&self) -> bool {
        self.options().is_empty()
    }

    /// As it is written in the documentation.
    pub fn syntax(&self) -> String {
        match self {
            Self::Keys(number, name) | Self::Counted(number, name) => {
                format!("{} {name} [{name} ...]", number.name)
            }
            Self::Key(name) | Self::Text(name) => (*name).to_owned(),
            Self::Optional(name) => format!("[{name}]"),
            Self::Texts(name) => format!("{name} [{name} ...]"),
            Self::PairOrPairs(Number { token, name, .. }, PairNames { pair: [a, b], .. }) => {
                format!("({a} {b} | {token} {name} {a} {b} [{a} {b} ...])")
            }
            Self::Required(_, options) => format!("({})", alternatives(options)),
            option => format!("[{}]", option.syntax_inside()),
        }
    }

    /// Without the brackets around it.
    pub fn syntax_inside(&self) -> String {
        match self {
            Self::Flag(token) | Self::FlagWithout(token, _) => (*token).to_owned(),
            Self::Number(Number { token, name, .. })
            | Self::Setting(Number { token, name, .. })
            | Self::Name(Name { token, name, .. })
            | Self::OtherKey(token, name) => format!("{token} {name}"),
            Self::Pattern(token) => format!("{token} pattern"),
            Self::List(Number { token, name, .. }, a) => format!("{token} {name} {a} [{a} ...]"),
            Self::Pairs(Number { token, name, .. }, [a, b]) => {
                format!("{token} {name} {a} {b} [{a} {b} ...]")
            }
            Self::OneOf(_, options) => alternatives(options),
            Self::With(option, more) => format!("{} {}", option.syntax_inside(), more.syntax()),
            placed => placed.syntax(),
        }
    }
}

fn alternatives(options: &[Arg]) -> String {
    options.iter().map(Arg::syntax_inside).collect::<Vec<_>>().join(" | ")
}
