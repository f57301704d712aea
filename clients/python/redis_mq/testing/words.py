"""The words of commands, read as the server reads them."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Tuple

from .queue import refusal

LONGEST = 31_536_000_000
LATEST = 8_796_093_022_207
MANY = 2_147_483_647

Read = Callable[[str, List[bytes]], Any]
"""Takes the value of an option off the front of the words."""


def number(least: int, most: int) -> Read:
    def read(name: str, words: List[bytes]) -> int:
        value = _next(name, words)
        try:
            found = int(value)
        except ValueError:
            found = least - 1
        if not least <= found <= most:
            raise refusal("ERR", f"{name} must be an integer from {least} to {most}")
        return found

    return read


def name_of(least: int) -> Read:
    def read(name: str, words: List[bytes]) -> bytes:
        value = _next(name, words)
        if not least <= len(value) <= 256:
            raise refusal("ERR", f"{name} must be {least} to 256 bytes")
        return value

    return read


def or_default(read: Read) -> Read:
    """None for the empty word."""

    def empty_or_read(name: str, words: List[bytes]) -> Any:
        if words[:1] == [b""]:
            words.pop(0)
            return None
        return read(name, words)

    return empty_or_read


def flag(name: str, words: List[bytes]) -> bool:
    return True


def any_text(name: str, words: List[bytes]) -> bytes:
    return _next(name, words)


def pairs(most: int) -> Read:
    def read(name: str, words: List[bytes]) -> List[Tuple[bytes, bytes]]:
        count = number(1, most)(name, words)
        return [(_next(name, words), _next(name, words)) for _ in range(count)]

    return read


def several(most: int) -> Read:
    def read(name: str, words: List[bytes]) -> List[bytes]:
        return [_next(name, words) for _ in range(number(1, most)(name, words))]

    return read


def options(words: List[bytes], known: Dict[str, Read], *exclusive: Tuple[str, ...]) -> Dict[str, Any]:
    """What follows, by name. Of the names in each of `exclusive` only one may be there."""
    words, found = list(words), {}
    while words:
        name = words.pop(0).decode("utf-8", "replace").upper()
        if name not in known:
            raise refusal("ERR", f"unknown option '{name}', the options are {' '.join(known) or 'none'}")
        if name in found:
            raise refusal("ERR", f"{name} is given twice")
        found[name] = known[name](name, words)
    for names in exclusive:
        both = [name for name in names if name in found]
        if len(both) > 1:
            raise refusal("ERR", f"{both[0]} and {both[1]} are mutually exclusive")
    return found


def check_only_with(given: Dict[str, Any], needed: str, *names: str) -> None:
    """Refuses options that have no meaning without another."""
    for name in names:
        if name in given and needed not in given:
            raise refusal("ERR", f"{name} can be given only with {needed}")


def _next(name: str, words: List[bytes]) -> bytes:
    if not words:
        raise refusal("ERR", f"{name} needs a value")
    return words.pop(0)


AT = {"DELAY": number(0, LONGEST), "AT": number(0, LATEST)}
MANY_PUSHED: Dict[str, Read] = {
    **AT,
    "TTL": number(0, LONGEST),
    "DEAD": flag,
    "PRIORITY": number(0, 9),
    "GROUP": name_of(1),
    "HEADERS": pairs(64),
}
PUSHED: Dict[str, Read] = {**MANY_PUSHED, "DEDUP": name_of(1), "WINDOW": number(1, LONGEST), "UNTILDONE": flag}
MANY_PULLED: Dict[str, Read] = {
    "COUNT": number(1, 10_000),
    "VISIBILITY": number(1, LONGEST),
    "BLOCK": number(0, LONGEST),
    "CONSUMER": name_of(1),
    "ONDISCONNECT": flag,
    "NOCOUNT": flag,
    "GRACE": number(0, LONGEST),
    "NOACK": flag,
}
PULLED: Dict[str, Read] = {**MANY_PULLED, "ACK": pairs(10_000)}
NACKED: Dict[str, Read] = {
    "DELAY": number(0, LONGEST),
    **dict.fromkeys(("NOCOUNT", "FRONT", "DEAD"), flag),
    "REASON": any_text,
}
EXTENDED: Dict[str, Read] = {"VISIBILITY": number(1, LONGEST)}
CONSUMER_EXTENDED: Dict[str, Read] = {"CONSUMER": name_of(1), **EXTENDED}
PURGED: Dict[str, Read] = {"READY": flag, "DELAYED": flag}
PEEKED: Dict[str, Read] = {
    **dict.fromkeys(("READY", "INFLIGHT", "DELAYED", "DEAD"), flag),
    "OFFSET": number(0, MANY),
    "COUNT": number(1, 1000),
}
REDRIVEN: Dict[str, Read] = {
    "COUNT": number(1, 100_000),
    "ALL": flag,
    "IDS": several(10_000),
    "FROM": any_text,
    "REASON": any_text,
    "TO": any_text,
}
CONFIGURED: Dict[str, Read] = {
    **dict.fromkeys(("DELAY", "TTL", "BACKOFF", "AGING", "EXPIRES"), number(0, LONGEST)),
    **dict.fromkeys(("VISIBILITY", "BACKOFFMAX", "RATEPERIOD", "DEDUPWINDOW"), number(1, LONGEST)),
    **dict.fromkeys(("MAXLEN", "MAXINFLIGHT", "RATE", "MAXDEDUP"), number(0, MANY)),
    "MAXRETRIES": number(-1, MANY),
    "GROUPINFLIGHT": number(1, 10_000),
}
CONFIGURED = {name: or_default(read) for name, read in CONFIGURED.items()}
CONFIGURED.update(DEADLETTER=any_text, DEFAULTDEADLETTER=flag)
