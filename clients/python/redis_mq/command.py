"""What a command is, before it is sent: its words, and how its reply is read."""

from __future__ import annotations

from typing import Any, Callable, Generic, Iterable, Sequence, TypeVar, Union

from .wire import Duration, Word, text_word

T = TypeVar("T", covariant=True)


class Command(Generic[T]):
    """The words of a command, name first, and how its reply is read.

    patience: for how long it may be repeated until there is a reply. has_key: whether one server has all that it asks
    for; if not, a cluster's reply is a map from each server to its reply.
    """

    __slots__ = ("has_key", "patience", "read", "words")

    def __init__(
        self,
        words: Sequence[Union[str, Word]],
        read: Callable[[Any], T],
        *,
        patience: Duration = 0,
        has_key: bool = True,
    ) -> None:
        self.words = words
        self.read = read
        self.patience = patience
        self.has_key = has_key


def encoded(words: Iterable[Any], read: Callable[[Any], T]) -> Command[T]:
    name, *rest = words
    return Command([name, *(text_word(word) if isinstance(word, str) else word for word in rest)], read)
