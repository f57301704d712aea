//! Commands: what the server is told of them, and how it calls them.

use std::ffi::{CString, c_int};
use std::ptr;

use redis_module::raw;

use super::context::Context;
use super::string::Argument;
use super::{api, guard, has};

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
    /// What it does to the queue that its first argument names.
    pub key: Option<KeyUse>,
    /// True if the argument after the word DEADLETTER names a queue too.
    pub names_dead_letter: bool,
    /// In their order.
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

/// An argument or a group of them.
pub enum Arg {
    /// The queue's name.
    Queue,
    /// Bytes.
    Text(&'static str),
    /// `id receipt`, or `IDS n id receipt [id receipt ...]`.
    Claims,
    /// `[TOKEN name]`, an integer of a range.
    Number(Number),
    /// `[TOKEN pattern]`.
    Pattern(&'static str),
    /// `[A | B | C]`.
    OneOf(&'static str, &'static [&'static str]),
    /// `[TOKEN queue]`.
    OtherQueue(&'static str),
}

/// An optional number behind a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    /// In capitals.
    pub token: &'static str,
    /// As it is called in the syntax.
    pub name: &'static str,
    /// The smallest.
    pub min: i64,
    /// The largest.
    pub max: i64,
}

/// A command.
pub trait Command {
    /// Its facts.
    const SPEC: Spec;
    /// Runs it. The number of arguments (the name is the first) fits the arity.
    fn run(context: Context<'_>, arguments: &[Argument<'_>]);
}

impl Spec {
    /// The way it is written, as in the documentation.
    #[cfg(test)]
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
        let mut flags: Vec<&str> =
            self.flags.split(' ').filter(|flag| *flag != "getkeys-api").collect();
        if self.blocking {
            flags.push("blocking");
        }
        flags.join(", ")
    }

    fn fits_arity(&self, count: usize) -> bool {
        let wanted = usize::try_from(self.arity.unsigned_abs()).unwrap_or(usize::MAX);
        if self.arity < 0 { count >= wanted } else { count == wanted }
    }
}

#[cfg(test)]
impl Arg {
    fn syntax(&self) -> String {
        match self {
            Self::Queue => "queue".to_owned(),
            Self::Text(name) => (*name).to_owned(),
            Self::Claims => "(id receipt | IDS n id receipt [id receipt ...])".to_owned(),
            Self::Number(number) => format!("[{} {}]", number.token, number.name),
            Self::Pattern(token) => format!("[{token} pattern]"),
            Self::OneOf(_, tokens) => format!("[{}]", tokens.join(" | ")),
            Self::OtherQueue(token) => format!("[{token} queue]"),
        }
    }
}

/// Registers a command. False if the server refuses.
pub fn register<C: Command>(context: Context<'_>) -> bool {
    let spec = C::SPEC;
    let mut flags = spec.flags.to_owned();
    if spec.blocking && context.is_7_or_later() {
        flags.push_str(" blocking");
    }
    let (Ok(name), Ok(flags)) = (CString::new(spec.name), CString::new(flags)) else {
        return false;
    };
    let (first, last, step) = if spec.key.is_some() { (1, 1, 1) } else { (0, 0, 0) };
    let created = api!(RedisModule_CreateCommand(
        context.raw,
        name.as_ptr(),
        Some(called::<C>),
        flags.as_ptr(),
        first,
        last,
        step
    ));
    created == raw::REDISMODULE_OK as c_int
        && describe(context, &name, &spec)
        && categorize(context, &name, &spec)
}

/// Puts a command into the access control categories that its flags imply, where modules can (7.2,
/// Valkey); before, the server does so itself.
fn categorize(context: Context<'_>, name: &CString, spec: &Spec) -> bool {
    if !has!(RedisModule_SetCommandACLCategories) {
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
    if !categories.contains(&"fast") {
        categories.push("slow");
    }
    let Ok(categories) = CString::new(categories.join(" ")) else { return false };
    let command = api!(RedisModule_GetCommand(context.raw, name.as_ptr()));
    api!(RedisModule_SetCommandACLCategories(command, categories.as_ptr()))
        == raw::REDISMODULE_OK as c_int
}

/// Tells the server what COMMAND INFO and COMMAND DOCS show, where it has them. False if it refuses.
fn describe(context: Context<'_>, name: &CString, spec: &Spec) -> bool {
    if !has!(RedisModule_SetCommandInfo) {
        return true;
    }
    let command = api!(RedisModule_GetCommand(context.raw, name.as_ptr()));
    if command.is_null() {
        return false;
    }
    let mut texts = Texts::default();
    let mut arguments: Vec<_> = spec.arguments.iter().map(|arg| texts.argument(arg)).collect();
    arguments.push(empty_argument());
    let mut key_specs = texts.key_specs(spec);
    let version = raw::RedisModuleCommandInfoVersion {
        version: 1,
        sizeof_historyentry: size_of::<raw::RedisModuleCommandHistoryEntry>(),
        sizeof_keyspec: size_of::<raw::RedisModuleCommandKeySpec>(),
        sizeof_arg: size_of::<raw::RedisModuleCommandArg>(),
    };
    let info = raw::RedisModuleCommandInfo {
        version: &version,
        summary: texts.add(spec.summary),
        complexity: texts.add(spec.complexity),
        since: texts.add(spec.since),
        history: ptr::null_mut(),
        tips: ptr::null(),
        arity: spec.arity,
        key_specs: key_specs.as_mut_ptr(),
        args: arguments.as_mut_ptr(),
    };
    // The server copies all of it.
    api!(RedisModule_SetCommandInfo(command, &info)) == raw::REDISMODULE_OK as c_int
}

unsafe extern "C" fn called<C: Command>(
    raw: *mut raw::RedisModuleCtx,
    argv: *mut *mut raw::RedisModuleString,
    argc: c_int,
) -> c_int {
    // SAFETY: the server's context and the command's arguments, valid during this callback.
    let (context, arguments) = unsafe { (Context::new(raw), Argument::slice(argv, argc)) };
    if C::SPEC.names_dead_letter && api!(RedisModule_IsKeysPositionRequest(raw)) != 0 {
        tell_keys(raw, arguments);
    } else if !C::SPEC.fits_arity(arguments.len()) {
        context.reply_wrong_arity();
    } else if guard(|| C::run(context, arguments)).is_none() {
        context.reply_error("ERR internal error of the module, please report it");
    }
    raw::REDISMODULE_OK as c_int
}

/// The keys of a command that names a dead-letter queue: the queue, and what follows each word
/// DEADLETTER in the place of an option; but not the empty name, which means the default.
fn tell_keys(raw: *mut raw::RedisModuleCtx, arguments: &[Argument<'_>]) {
    let update = raw::REDISMODULE_CMD_KEY_RW
        | raw::REDISMODULE_CMD_KEY_ACCESS
        | raw::REDISMODULE_CMD_KEY_UPDATE;
    let insert = raw::REDISMODULE_CMD_KEY_RW | raw::REDISMODULE_CMD_KEY_INSERT;
    let tell = |position: usize, flags: u32| {
        let position = c_int::try_from(position).unwrap_or(c_int::MAX);
        if has!(RedisModule_KeyAtPosWithFlags) {
            api!(RedisModule_KeyAtPosWithFlags(raw, position, flags as c_int));
        } else {
            api!(RedisModule_KeyAtPos(raw, position));
        }
    };
    if arguments.len() > 1 {
        tell(1, update);
    }
    for (index, pair) in arguments.get(2..).unwrap_or_default().chunks_exact(2).enumerate() {
        if let [option, value] = pair
            && option.as_bytes().eq_ignore_ascii_case(b"DEADLETTER")
            && !value.as_bytes().is_empty()
        {
            tell(index.saturating_mul(2).saturating_add(3), insert);
        }
    }
}

/// The strings and nested arguments of a description, kept until the server has copied them.
#[derive(Default)]
struct Texts {
    strings: Vec<CString>,
    nested: Vec<Vec<raw::RedisModuleCommandArg>>,
}

impl Texts {
    fn add(&mut self, text: &str) -> *const std::ffi::c_char {
        let text = CString::new(text).unwrap_or_default();
        let start = text.as_ptr();
        self.strings.push(text);
        start
    }

    fn nest(
        &mut self,
        mut arguments: Vec<raw::RedisModuleCommandArg>,
    ) -> *mut raw::RedisModuleCommandArg {
        arguments.push(empty_argument());
        let start = arguments.as_mut_ptr();
        self.nested.push(arguments);
        start
    }

    fn argument(&mut self, argument: &Arg) -> raw::RedisModuleCommandArg {
        use raw::{
            RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_BLOCK as BLOCK,
            RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_INTEGER as INTEGER,
            RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_KEY as KEY,
            RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_ONEOF as ONE_OF,
            RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_PATTERN as PATTERN,
            RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_PURE_TOKEN as TOKEN,
            RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_STRING as STRING,
        };
        const OPTIONAL: c_int = 1;
        const MULTIPLE: c_int = 2;
        match argument {
            Arg::Queue => {
                raw::RedisModuleCommandArg { key_spec_index: 0, ..self.named("queue", KEY) }
            }
            Arg::Text(name) => self.named(name, STRING),
            Arg::Claims => {
                let pair = |texts: &mut Self| {
                    let fields = vec![texts.named("id", STRING), texts.named("receipt", STRING)];
                    texts.nest(fields)
                };
                let subargs = pair(self);
                let one = raw::RedisModuleCommandArg { subargs, ..self.named("claim", BLOCK) };
                let subargs = pair(self);
                let more = raw::RedisModuleCommandArg {
                    subargs,
                    flags: MULTIPLE,
                    ..self.named("claims", BLOCK)
                };
                let token = self.add("IDS");
                let count = raw::RedisModuleCommandArg { token, ..self.named("n", INTEGER) };
                let subargs = self.nest(vec![count, more]);
                let many = raw::RedisModuleCommandArg { subargs, ..self.named("batch", BLOCK) };
                let subargs = self.nest(vec![one, many]);
                raw::RedisModuleCommandArg { subargs, ..self.named("deliveries", ONE_OF) }
            }
            Arg::Number(number) => {
                let token = self.add(number.token);
                let name = self.named(&number.token.to_ascii_lowercase(), INTEGER);
                raw::RedisModuleCommandArg { token, flags: OPTIONAL, ..name }
            }
            Arg::Pattern(token) => {
                let token = self.add(token);
                let name = self.named("pattern", PATTERN);
                raw::RedisModuleCommandArg { token, flags: OPTIONAL, ..name }
            }
            Arg::OneOf(name, tokens) => {
                let choices = tokens
                    .iter()
                    .map(|word| {
                        let token = self.add(word);
                        let name = self.named(&word.to_ascii_lowercase(), TOKEN);
                        raw::RedisModuleCommandArg { token, ..name }
                    })
                    .collect();
                let subargs = self.nest(choices);
                raw::RedisModuleCommandArg { subargs, flags: OPTIONAL, ..self.named(name, ONE_OF) }
            }
            Arg::OtherQueue(token) => {
                let name = self.named(&token.to_ascii_lowercase(), KEY);
                let token = self.add(token);
                raw::RedisModuleCommandArg { token, key_spec_index: 1, flags: OPTIONAL, ..name }
            }
        }
    }

    fn named(
        &mut self,
        name: &str,
        type_: raw::RedisModuleCommandArgType,
    ) -> raw::RedisModuleCommandArg {
        raw::RedisModuleCommandArg { name: self.add(name), type_, ..empty_argument() }
    }

    /// The key specs, ended by an empty one.
    fn key_specs(&mut self, spec: &Spec) -> Vec<raw::RedisModuleCommandKeySpec> {
        let mut specs = Vec::new();
        if let Some(key) = spec.key {
            let mut flags = key.flags();
            if spec.names_dead_letter {
                // The server is to ask for the keys: an empty name is none.
                flags |= raw::REDISMODULE_CMD_KEY_INCOMPLETE;
            }
            specs.push(raw::RedisModuleCommandKeySpec {
                flags: u64::from(flags),
                begin_search_type:
                    raw::RedisModuleKeySpecBeginSearchType_REDISMODULE_KSPEC_BS_INDEX,
                bs: raw::RedisModuleCommandKeySpec__bindgen_ty_1 {
                    index: raw::RedisModuleCommandKeySpec__bindgen_ty_1__bindgen_ty_1 { pos: 1 },
                },
                ..one_key()
            });
        }
        if spec.names_dead_letter {
            let keyword = self.add("DEADLETTER");
            specs.push(raw::RedisModuleCommandKeySpec {
                flags: u64::from(KeyUse::Insert.flags()),
                begin_search_type:
                    raw::RedisModuleKeySpecBeginSearchType_REDISMODULE_KSPEC_BS_KEYWORD,
                bs: raw::RedisModuleCommandKeySpec__bindgen_ty_1 {
                    keyword: raw::RedisModuleCommandKeySpec__bindgen_ty_1__bindgen_ty_2 {
                        keyword,
                        startfrom: 2,
                    },
                },
                ..one_key()
            });
        }
        specs.push(raw::RedisModuleCommandKeySpec {
            begin_search_type: raw::RedisModuleKeySpecBeginSearchType_REDISMODULE_KSPEC_BS_INVALID,
            ..one_key()
        });
        specs
    }
}

impl KeyUse {
    fn flags(self) -> u32 {
        match self {
            Self::Insert => raw::REDISMODULE_CMD_KEY_RW | raw::REDISMODULE_CMD_KEY_INSERT,
            Self::AccessAndUpdate => {
                raw::REDISMODULE_CMD_KEY_RW
                    | raw::REDISMODULE_CMD_KEY_ACCESS
                    | raw::REDISMODULE_CMD_KEY_UPDATE
            }
            Self::Update => raw::REDISMODULE_CMD_KEY_RW | raw::REDISMODULE_CMD_KEY_UPDATE,
            Self::Delete => raw::REDISMODULE_CMD_KEY_RW | raw::REDISMODULE_CMD_KEY_DELETE,
            Self::Access => raw::REDISMODULE_CMD_KEY_RO | raw::REDISMODULE_CMD_KEY_ACCESS,
            Self::Count => raw::REDISMODULE_CMD_KEY_RO,
        }
    }
}

fn empty_argument() -> raw::RedisModuleCommandArg {
    raw::RedisModuleCommandArg {
        name: ptr::null(),
        type_: raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_STRING,
        key_spec_index: -1,
        token: ptr::null(),
        summary: ptr::null(),
        since: ptr::null(),
        flags: 0,
        deprecated_since: ptr::null(),
        subargs: ptr::null_mut(),
        display_text: ptr::null(),
    }
}

/// A key spec for one key at the place where the search begins.
fn one_key() -> raw::RedisModuleCommandKeySpec {
    raw::RedisModuleCommandKeySpec {
        notes: ptr::null(),
        flags: 0,
        begin_search_type: raw::RedisModuleKeySpecBeginSearchType_REDISMODULE_KSPEC_BS_UNKNOWN,
        bs: raw::RedisModuleCommandKeySpec__bindgen_ty_1 {
            index: raw::RedisModuleCommandKeySpec__bindgen_ty_1__bindgen_ty_1 { pos: 0 },
        },
        find_keys_type: raw::RedisModuleKeySpecFindKeysType_REDISMODULE_KSPEC_FK_RANGE,
        fk: raw::RedisModuleCommandKeySpec__bindgen_ty_2 {
            range: raw::RedisModuleCommandKeySpec__bindgen_ty_2__bindgen_ty_1 {
                lastkey: 0,
                keystep: 1,
                limit: 0,
            },
        },
    }
}
