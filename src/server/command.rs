//! Commands: what the server is told of them, and how it calls them.

use std::ffi::{CString, c_int};

use redis_module::raw;

use super::context::Context;
use super::describe::describe;
use super::string::Argument;
use super::{api, guard, has, keys_of_command, reply};

/// A command's facts: the server, the parser and the documentation take them from here.
pub struct Spec {
    /// `MQ.PUSH`.
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
    /// What it does to the queues that its first arguments name.
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
    /// The queue's name.
    Queue,
    /// `numkeys queue [queue ...]`.
    Queues(Number),
    /// Bytes.
    Text(&'static str),
    /// `[command]`: bytes that may be left out, where nothing follows them.
    Optional(&'static str),
    /// `id [id ...]`: all that follows.
    Texts(&'static str),
    /// `n payload [payload ...]`.
    Counted(Number, &'static str),
    /// `id receipt`, or `IDS n id receipt [id receipt ...]`.
    Claims,

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
    /// `[TOKEN queue]`: a key. A command has at most one; see
    /// [`keys_of_command`](super::keys_of_command).
    OtherQueue(&'static str),
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

/// A command.
pub trait Command {
    /// Its facts.
    const SPEC: Spec;
    /// Runs it. The number of arguments (the name is the first) fits the arity.
    fn run(context: Context<'_>, arguments: &[Argument<'_>]);
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

    /// The token before the name of another queue, if the command names one.
    pub(super) const fn other_queue(&self) -> Option<&'static str> {
        other_queue(self.arguments)
    }

    /// True if the first argument is a number, of queues that follow it.
    pub(super) const fn counts_queues(&self) -> bool {
        matches!(self.arguments, [Arg::Queues(_), ..])
    }

    /// True if some keys have no fixed position.
    pub(super) const fn keys_move(&self) -> bool {
        self.counts_queues() || self.other_queue().is_some()
    }

    /// The position of the first queue, if the command names one.
    pub(super) const fn first_key(&self) -> c_int {
        if self.counts_queues() { 2 } else { 1 }
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

/// The token before the name of another queue, if these arguments have such an option.
pub const fn other_queue(mut arguments: &'static [Arg]) -> Option<&'static str> {
    while let [argument, rest @ ..] = arguments {
        match argument {
            Arg::OtherQueue(token) => return Some(token),
            Arg::OneOf(_, options) => {
                if let Some(token) = other_queue(options) {
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
            | Self::OtherQueue(token)
            | Self::List(Number { token, .. }, _)
            | Self::Pairs(Number { token, .. }, _) => Some(token),
            Self::Queue
            | Self::Queues(_)
            | Self::Text(_)
            | Self::Optional(_)
            | Self::Texts(_)
            | Self::Counted(..)
            | Self::Claims
            | Self::OneOf(..)
            | Self::Required(..)
            | Self::With(..) => None,
        }
    }
}

impl Arg {
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
            Self::Queue => "queue".to_owned(),
            Self::Queues(number) => format!("{} queue [queue ...]", number.name),
            Self::Text(name) => (*name).to_owned(),
            Self::Optional(name) => format!("[{name}]"),
            Self::Texts(name) => format!("{name} [{name} ...]"),
            Self::Counted(number, name) => format!("{} {name} [{name} ...]", number.name),
            Self::Claims => "(id receipt | IDS n id receipt [id receipt ...])".to_owned(),
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
            | Self::Name(Name { token, name, .. }) => format!("{token} {name}"),
            Self::Pattern(token) => format!("{token} pattern"),
            Self::OtherQueue(token) => format!("{token} queue"),
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

/// Registers a command. False if the server refuses.
pub fn register<C: Command>(context: Context<'_>) -> bool {
    let spec = C::SPEC;
    let mut flags = spec.flags.to_owned();
    if spec.blocking && context.is_7_or_later() {
        flags.push_str(" blocking");
    }
    // Later servers have key specs, and may ask for the keys on an I/O thread, where Redis 8.6 does not
    // survive that a module runs.
    if spec.keys_move() && !context.is_7_or_later() {
        flags.push_str(" getkeys-api");
    }
    let (Ok(name), Ok(flags)) = (CString::new(spec.name), CString::new(flags)) else {
        return false;
    };
    let first = if spec.key.is_some() { spec.first_key() } else { 0 };
    let step = first.min(1);
    let created = api!(RedisModule_CreateCommand(
        context.raw,
        name.as_ptr(),
        Some(called::<C>),
        flags.as_ptr(),
        first,
        first,
        step
    ));
    created == raw::REDISMODULE_OK as c_int
        && describe(context, &name, &spec)
        && categorize(context, &name, &spec)
}

/// Puts a command into the access control categories that its flags imply, where modules can (7.2,
/// Valkey); before, the server does so itself.
fn categorize(context: Context<'_>, name: &CString, spec: &Spec) -> bool {
    if !context.has_acl_categories() {
        return true;
    }
    let mut categories = Vec::new();
    for flag in spec.flags.split(' ') {
        match flag {
            "write" | "fast" => categories.push(flag),
            "readonly" => categories.push("read"),
            "admin" => categories.extend(["admin", "dangerous"]),
            _ => {}
        }
    }
    if spec.blocking {
        categories.push("blocking");
    }
    // What no client needs is not for those who get all commands of the module.
    if has!(RedisModule_AddACLCategory) && !categories.contains(&"admin") {
        categories.push("mq");
    }
    if !categories.contains(&"fast") {
        categories.push("slow");
    }
    let Ok(categories) = CString::new(categories.join(" ")) else { return false };
    let command = api!(RedisModule_GetCommand(context.raw, name.as_ptr()));
    api!(RedisModule_SetCommandACLCategories(command, categories.as_ptr()))
        == raw::REDISMODULE_OK as c_int
}

unsafe extern "C" fn called<C: Command>(
    raw: *mut raw::RedisModuleCtx,
    argv: *mut *mut raw::RedisModuleString,
    argc: c_int,
) -> c_int {
    // SAFETY: the server's context and the command's arguments, valid during this callback.
    let (context, arguments) = unsafe { (Context::new(raw), Argument::slice(argv, argc)) };
    if const { C::SPEC.keys_move() } && api!(RedisModule_IsKeysPositionRequest(raw)) != 0 {
        guard(|| keys_of_command::tell(context, &C::SPEC, arguments));
    } else if !C::SPEC.fits_arity(arguments.len()) {
        context.reply_error(&C::SPEC.wrong_arity());
    } else {
        reply::whole(context, || C::run(context, arguments));
    }
    raw::REDISMODULE_OK as c_int
}
