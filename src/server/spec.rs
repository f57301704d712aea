//! The facts of a command as plain data: name, flags, keys, arguments. Registration, parser, help and the
//! documentation read them, so they can't disagree. Nothing here calls the server.

/// The facts of a command.
pub struct Spec {
    /// In capitals.
    pub name: &'static str,
    /// One line.
    pub summary: &'static str,
    /// One line.
    pub complexity: &'static str,
    /// The version of the module that introduced it.
    pub since: &'static str,
    /// As CreateCommand takes them: "write deny-oom fast".
    pub flags: &'static str,
    /// True if the command can block its client.
    pub blocking: bool,
    /// The number of arguments including the name; if negative, the minimum.
    pub arity: i32,
    /// What it does to the keys in its first arguments; None: it has none.
    pub key: Option<KeyUse>,
    /// The positional ones in their order, then the options.
    pub arguments: &'static [Arg],
}

/// What a command does to a key, for access control.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum KeyUse {
    /// Adds data.
    Insert,
    /// Returns data and changes it.
    AccessAndUpdate,
    /// Changes data.
    Update,
    /// Removes data.
    Delete,
    /// Returns data.
    Access,
    /// Returns metadata only, such as a length.
    Count,
}

/// An argument or a group of arguments. The first ones are positional; the options follow in any order, each at
/// most once, their tokens in any case.
#[derive(Debug)]
pub enum Arg {
    /// A key, and what it is called in the syntax.
    Key(&'static str),
    /// `numkeys key [key ...]`.
    Keys(Number, &'static str),
    /// One argument, any bytes.
    Text(&'static str),
    /// `[a]`: an optional last argument.
    Optional(&'static str),
    /// `a [a ...]`: all arguments that follow.
    Texts(&'static str),
    /// `n a [a ...]`.
    Counted(Number, &'static str),
    /// `(a b | TOKEN n a b [a b ...])`: one pair, or as many as the number says.
    PairOrPairs(Number, &'static PairNames),
    /// `(a | TOKEN name)`: a positional argument, or a name in its place.
    Or(&'static Arg, Name),

    /// `[TOKEN]`.
    Flag(&'static str),
    /// `[TOKEN]`, which excludes these tokens.
    FlagWithout(&'static str, &'static [&'static str]),
    /// `[TOKEN name]`, an integer in a range without negative values.
    Number(Number),
    /// `[TOKEN name]`, an integer in a range, or empty for the default.
    Setting(Number),
    /// `[TOKEN name]`, bytes.
    Name(Name),
    /// `[TOKEN A | B | C]`: one of these words.
    Choice(Choice),
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
    /// `(A | B | C)`: exactly one of these options, anywhere among the others.
    Required(&'static str, &'static [Arg]),
    /// `[A [B] [C]]`: an option, and others that require it. They need not be adjacent.
    Nested(&'static Arg, &'static [Arg]),
}

/// A number: after a token, or positional.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    /// In capitals; the name of a positional one.
    pub token: &'static str,
    /// In the syntax.
    pub name: &'static str,
    pub min: i64,
    pub max: i64,
}

/// One of several words after a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// In capitals, as the words are.
    pub token: &'static str,
    pub words: &'static [&'static str],
}

/// Bytes after a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// In capitals.
    pub token: &'static str,
    /// In the syntax.
    pub name: &'static str,
    /// In bytes.
    pub min: usize,
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

/// The name of a duration in the syntax.
pub const MILLISECONDS: &str = "milliseconds";

/// The name of a timestamp in the syntax.
pub const UNIX_TIME: &str = "unix-time-milliseconds";

impl Number {
    /// Its range, with the unit.
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
    /// The syntax, as in the documentation.
    pub fn syntax(&self) -> String {
        let mut syntax = self.name.to_owned();
        for argument in self.arguments {
            syntax.push(' ');
            syntax.push_str(&argument.syntax());
        }
        syntax
    }

    /// The flags, as the documentation lists them.
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
    pub(super) const fn has_key_count(&self) -> bool {
        matches!(self.arguments, [Arg::Keys(..), ..])
    }

    /// True if some keys have no fixed position in the arguments.
    pub(super) const fn has_movable_keys(&self) -> bool {
        self.has_key_count() || self.other_key().is_some()
    }

    /// The position of the first key, if the command names one.
    pub(super) const fn first_key(&self) -> i32 {
        if self.has_key_count() { 2 } else { 1 }
    }

    /// All options, without the groups.
    pub fn options(&self) -> Vec<&'static Arg> {
        self.arguments.iter().flat_map(Arg::options).collect()
    }

    /// The error for a wrong number of arguments: the server's words, and the syntax.
    pub fn wrong_arity(&self) -> String {
        let name = self.name.to_ascii_lowercase();
        format!("ERR wrong number of arguments for '{name}' command: {}", self.syntax())
    }

    /// True if the command takes this number of arguments.
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
    /// The token of a single option; None for a positional argument or a group.
    pub const fn token(&self) -> Option<&'static str> {
        match self {
            Self::Flag(token)
            | Self::FlagWithout(token, _)
            | Self::Number(Number { token, .. })
            | Self::Setting(Number { token, .. })
            | Self::Name(Name { token, .. })
            | Self::Choice(Choice { token, .. })
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
            | Self::Or(..)
            | Self::OneOf(..)
            | Self::Required(..)
            | Self::Nested(..) => None,
        }
    }

    /// The options in a group, or the option itself.
    fn options(&self) -> Vec<&Self> {
        match self {
            Self::OneOf(_, options) | Self::Required(_, options) => {
                options.iter().flat_map(Self::options).collect()
            }
            Self::Nested(option, more) => {
                let more = more.iter().flat_map(Self::options);
                option.options().into_iter().chain(more).collect()
            }
            single => single.token().map(|_| single).into_iter().collect(),
        }
    }

    /// A positional argument, without the name that may be in its place.
    pub const fn placed(&self) -> &Self {
        match self {
            Self::Or(placed, _) => placed,
            placed => placed,
        }
    }

    /// True if it is positional, and so comes before all options.
    pub fn is_positional(&self) -> bool {
        self.options().is_empty()
    }

    /// The syntax, as in the documentation.
    pub fn syntax(&self) -> String {
        match self {
            Self::Keys(number, name) | Self::Counted(number, name) => {
                format!("{} {name} [{name} ...]", number.name)
            }
            Self::Key(name) | Self::Text(name) => (*name).to_owned(),
            Self::Optional(name) => format!("[{name}]"),
            Self::Texts(name) => format!("{name} [{name} ...]"),
            Self::PairOrPairs(..) | Self::Or(..) => format!("({})", self.syntax_inside()),
            Self::Required(_, options) => format!("({})", alternatives(options)),
            option => format!("[{}]", option.syntax_inside()),
        }
    }

    /// The same, without the brackets around it.
    pub fn syntax_inside(&self) -> String {
        match self {
            Self::Flag(token) | Self::FlagWithout(token, _) => (*token).to_owned(),
            Self::Number(Number { token, name, .. })
            | Self::Setting(Number { token, name, .. })
            | Self::Name(Name { token, name, .. })
            | Self::OtherKey(token, name) => format!("{token} {name}"),
            Self::Choice(Choice { token, words }) => format!("{token} {}", words.join(" | ")),
            Self::Pattern(token) => format!("{token} pattern"),
            Self::List(Number { token, name, .. }, a) => format!("{token} {name} {a} [{a} ...]"),
            Self::Pairs(Number { token, name, .. }, [a, b]) => {
                format!("{token} {name} {a} {b} [{a} {b} ...]")
            }
            Self::PairOrPairs(Number { token, name, .. }, PairNames { pair: [a, b], .. }) => {
                format!("{a} {b} | {token} {name} {a} {b} [{a} {b} ...]")
            }
            Self::Or(placed, Name { token, name, .. }) => {
                format!("{} | {token} {name}", placed.syntax_inside())
            }
            Self::OneOf(_, options) => alternatives(options),
            Self::Nested(option, more) => {
                let more = more.iter().map(|option| format!(" {}", option.syntax()));
                more.fold(option.syntax_inside(), |syntax, option| syntax + &option)
            }
            placed => placed.syntax(),
        }
    }
}

fn alternatives(options: &[Arg]) -> String {
    options.iter().map(Arg::syntax_inside).collect::<Vec<_>>().join(" | ")
}
