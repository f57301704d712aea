//! Describes a command to the server, for COMMAND INFO, COMMAND DOCS and its key specs: Redis 7.0, Valkey.

use std::ffi::{CStr, CString, c_int};
use std::ptr;

use raw::{
    RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_BLOCK as BLOCK,
    RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_INTEGER as INTEGER,
    RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_KEY as KEY,
    RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_ONEOF as ONE_OF,
    RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_PATTERN as PATTERN,
    RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_PURE_TOKEN as TOKEN,
    RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_STRING as STRING,
};
use redis_module::raw;

use super::api::{function, has};
use super::context::Context;
use super::keys_of_command::FIRST_OPTION;
use super::spec::{Arg, Choice, KeyUse, Name, Number, Spec};

/// Flags of an argument.
const OPTIONAL: c_int = 1;
const MULTIPLE: c_int = 2;

/// Describes a command, if the server supports that. False if the server refuses.
pub fn describe(context: Context<'_>, name: &CStr, spec: &Spec) -> bool {
    if !has!(RedisModule_SetCommandInfo) {
        return true;
    }
    // SAFETY: the context of the callback that loads the module.
    let command = unsafe { function!(RedisModule_GetCommand)(context.raw, name.as_ptr()) };
    if command.is_null() {
        return false;
    }
    let mut description = Description::default();
    let mut arguments: Vec<_> =
        spec.arguments.iter().flat_map(|argument| description.arguments(argument)).collect();
    arguments.push(empty_argument());
    let mut key_specs = description.key_specs(spec);
    let version = raw::RedisModuleCommandInfoVersion {
        version: 1,
        sizeof_historyentry: size_of::<raw::RedisModuleCommandHistoryEntry>(),
        sizeof_keyspec: size_of::<raw::RedisModuleCommandKeySpec>(),
        sizeof_arg: size_of::<raw::RedisModuleCommandArg>(),
    };
    let info = raw::RedisModuleCommandInfo {
        version: &version,
        summary: description.add(spec.summary),
        complexity: description.add(spec.complexity),
        since: description.add(spec.since),
        history: ptr::null_mut(),
        tips: ptr::null(),
        arity: spec.arity,
        key_specs: key_specs.as_mut_ptr(),
        args: arguments.as_mut_ptr(),
    };
    // SAFETY: the module's command, not NULL. The server copies the description. Arrays end with an empty
    // entry; what they lead to is alive: `version`, `arguments` and `key_specs` above, and all in `description`.
    let set = unsafe { function!(RedisModule_SetCommandInfo)(command, &info) };
    set == raw::REDISMODULE_OK as c_int
}

/// Owns the strings and nested arguments of a description until the server has copied them.
#[derive(Default)]
struct Description {
    strings: Vec<CString>,
    nested: Vec<Vec<raw::RedisModuleCommandArg>>,
}

impl Description {
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

    /// An argument of the facts as the server has it: one, or a number and what it counts.
    fn arguments(&mut self, argument: &Arg) -> Vec<raw::RedisModuleCommandArg> {
        match argument {
            Arg::Key(name) => vec![with_key(0, self.named(name, KEY))],
            Arg::Keys(number, name) => {
                let keys = with_key(0, self.named(name, KEY));
                vec![self.named(number.name, INTEGER), with_flags(MULTIPLE, keys)]
            }
            Arg::Text(name) => vec![self.named(name, STRING)],
            Arg::Optional(name) => vec![with_flags(OPTIONAL, self.named(name, STRING))],
            Arg::Texts(name) => vec![with_flags(MULTIPLE, self.named(name, STRING))],
            Arg::Counted(number, name) => {
                let texts = self.named(name, STRING);
                vec![self.named(number.name, INTEGER), with_flags(MULTIPLE, texts)]
            }
            Arg::PairOrPairs(_, names) => {
                let forms = self.forms(argument);
                vec![self.one_of(names.argument, forms)]
            }
            Arg::Or(placed, Name { name, .. }) => {
                let forms = self.forms(argument);
                let name = match placed {
                    Arg::PairOrPairs(_, names) => names.argument,
                    _ => name,
                };
                vec![self.one_of(name, forms)]
            }
            Arg::Required(name, options) => vec![self.alternatives(name, options)],
            option => {
                let option = self.option(option);
                vec![with_flags(OPTIONAL, option)]
            }
        }
    }

    /// An option, not marked as optional.
    fn option(&mut self, option: &Arg) -> raw::RedisModuleCommandArg {
        match option {
            Arg::Flag(token) | Arg::FlagWithout(token, _) => {
                self.after(token, &token.to_ascii_lowercase(), TOKEN)
            }
            Arg::Number(Number { token, name, .. }) | Arg::Setting(Number { token, name, .. }) => {
                self.after(token, name, INTEGER)
            }
            Arg::Name(Name { token, name, .. }) => self.after(token, name, STRING),
            Arg::Choice(Choice { token, words }) => {
                let name = token.to_ascii_lowercase();
                let words = words.iter().map(|word| self.option(&Arg::Flag(word))).collect();
                let words = self.one_of(&name, words);
                let token = self.add(token);
                raw::RedisModuleCommandArg { token, ..words }
            }
            Arg::Pattern(token) => self.after(token, "pattern", PATTERN),
            Arg::OtherKey(token, name) => with_key(1, self.after(token, name, KEY)),
            Arg::List(Number { token, name, .. }, element) => {
                let counted = self.after(token, name, INTEGER);
                let elements = with_flags(MULTIPLE, self.named(element, STRING));
                self.block(&token.to_ascii_lowercase(), vec![counted, elements])
            }
            Arg::Pairs(number, pair) => {
                let pairs = self.pairs(number, *pair);
                self.block(&number.token.to_ascii_lowercase(), pairs)
            }
            Arg::OneOf(name, options) | Arg::Required(name, options) => {
                self.alternatives(name, options)
            }
            Arg::Nested(option, more) => {
                let mut all = vec![self.option(option)];
                all.extend(more.iter().map(|more| with_flags(OPTIONAL, self.option(more))));
                let name = option.token().unwrap_or_default().to_ascii_lowercase();
                self.block(&format!("{name}-block"), all)
            }
            Arg::Key(_)
            | Arg::Keys(..)
            | Arg::Text(_)
            | Arg::Optional(_)
            | Arg::Texts(_)
            | Arg::Counted(..)
            | Arg::PairOrPairs(..)
            | Arg::Or(..) => empty_argument(),
        }
    }

    /// The forms of a positional argument that has several.
    fn forms(&mut self, argument: &Arg) -> Vec<raw::RedisModuleCommandArg> {
        match argument {
            Arg::PairOrPairs(number, names) => {
                let fields = names.pair.map(|name| self.named(name, STRING)).to_vec();
                let single = self.block(names.single, fields);
                let pairs = self.pairs(number, names.pair);
                vec![single, self.block(names.batch, pairs)]
            }
            Arg::Or(placed, Name { token, name, .. }) => {
                let mut forms = self.forms(placed);
                forms.push(self.after(token, name, STRING));
                forms
            }
            placed => self.arguments(placed),
        }
    }

    fn one_of(
        &mut self,
        name: &str,
        forms: Vec<raw::RedisModuleCommandArg>,
    ) -> raw::RedisModuleCommandArg {
        let subargs = self.nest(forms);
        raw::RedisModuleCommandArg { subargs, ..self.named(name, ONE_OF) }
    }

    /// A number after a token, and so many pairs.
    fn pairs(&mut self, number: &Number, pair: [&str; 2]) -> Vec<raw::RedisModuleCommandArg> {
        let fields = pair.map(|name| self.named(name, STRING)).to_vec();
        let pairs = with_flags(MULTIPLE, self.block("pair", fields));
        vec![self.after(number.token, number.name, INTEGER), pairs]
    }

    fn alternatives(&mut self, name: &str, options: &[Arg]) -> raw::RedisModuleCommandArg {
        let options = options.iter().map(|option| self.option(option)).collect();
        self.one_of(name, options)
    }

    fn block(
        &mut self,
        name: &str,
        arguments: Vec<raw::RedisModuleCommandArg>,
    ) -> raw::RedisModuleCommandArg {
        let subargs = self.nest(arguments);
        raw::RedisModuleCommandArg { subargs, ..self.named(name, BLOCK) }
    }

    /// An argument after a token.
    fn after(
        &mut self,
        token: &str,
        name: &str,
        type_: raw::RedisModuleCommandArgType,
    ) -> raw::RedisModuleCommandArg {
        raw::RedisModuleCommandArg { token: self.add(token), ..self.named(name, type_) }
    }

    fn named(
        &mut self,
        name: &str,
        type_: raw::RedisModuleCommandArgType,
    ) -> raw::RedisModuleCommandArg {
        raw::RedisModuleCommandArg { name: self.add(name), type_, ..empty_argument() }
    }

    /// The key specs, terminated by an empty one.
    fn key_specs(&mut self, spec: &Spec) -> Vec<raw::RedisModuleCommandKeySpec> {
        let mut specs = Vec::new();
        if let Some(key) = spec.key {
            let keys = if spec.has_key_count() { counted_keys() } else { one_key() };
            specs.push(at_index(1, key.flags(), keys));
            if spec.has_key_count() {
                // In a cluster, all servers but Redis 8.6 route a command by the keys that have a fixed
                // position, and by no others. This one is counted above, and so is no key once more.
                let flags = key.flags() | raw::REDISMODULE_CMD_KEY_NOT_KEY;
                specs.push(at_index(spec.first_key(), flags, one_key()));
            }
        }
        if let Some(token) = spec.other_key() {
            let keyword = self.add(token);
            specs.push(raw::RedisModuleCommandKeySpec {
                flags: u64::from(KeyUse::Insert.flags()),
                begin_search_type:
                    raw::RedisModuleKeySpecBeginSearchType_REDISMODULE_KSPEC_BS_KEYWORD,
                bs: raw::RedisModuleCommandKeySpec__bindgen_ty_1 {
                    keyword: raw::RedisModuleCommandKeySpec__bindgen_ty_1__bindgen_ty_2 {
                        keyword,
                        startfrom: FIRST_OPTION as c_int,
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
    /// The flags of a key spec.
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

fn with_flags(flags: c_int, argument: raw::RedisModuleCommandArg) -> raw::RedisModuleCommandArg {
    raw::RedisModuleCommandArg { flags, ..argument }
}

/// A key that the key spec with this index finds.
fn with_key(
    key_spec_index: c_int,
    argument: raw::RedisModuleCommandArg,
) -> raw::RedisModuleCommandArg {
    raw::RedisModuleCommandArg { key_spec_index, ..argument }
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

/// A key spec that begins its search at this position.
fn at_index(
    pos: c_int,
    flags: u32,
    keys: raw::RedisModuleCommandKeySpec,
) -> raw::RedisModuleCommandKeySpec {
    raw::RedisModuleCommandKeySpec {
        flags: u64::from(flags),
        begin_search_type: raw::RedisModuleKeySpecBeginSearchType_REDISMODULE_KSPEC_BS_INDEX,
        bs: raw::RedisModuleCommandKeySpec__bindgen_ty_1 {
            index: raw::RedisModuleCommandKeySpec__bindgen_ty_1__bindgen_ty_1 { pos },
        },
        ..keys
    }
}

/// A key spec for one key where the search begins.
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

/// A key spec for a number where the search begins, and so many keys after it.
fn counted_keys() -> raw::RedisModuleCommandKeySpec {
    raw::RedisModuleCommandKeySpec {
        find_keys_type: raw::RedisModuleKeySpecFindKeysType_REDISMODULE_KSPEC_FK_KEYNUM,
        fk: raw::RedisModuleCommandKeySpec__bindgen_ty_2 {
            keynum: raw::RedisModuleCommandKeySpec__bindgen_ty_2__bindgen_ty_2 {
                keynumidx: 0,
                firstkey: 1,
                keystep: 1,
            },
        },
        ..one_key()
    }
}
