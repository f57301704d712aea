"""Waits for the sockets of all channels of a connection: by itself in drain_events, or in the event loop of a worker.
Takes the place of the cycle that kombu's virtual transports poll with."""

from __future__ import annotations

from queue import Empty
from typing import Any, Protocol

from kombu.utils.eventio import ERR, READ, poll

#: Seconds between two looks at the channels while nothing happens.
TICK = 1.0


class Source(Protocol):
    """Something with a socket, which can be closed and made again at any time."""

    sock: Any


class Poller:
    def __init__(self) -> None:
        self.channels: list[Any] = []
        self.hub: Any = None
        self._own = poll()
        self._watched: dict[Source, tuple[Any, int, Any]] = {}

    def register_with(self, hub: Any) -> None:
        """From now on the event loop waits, and calls the channels."""
        self._forget_all()
        self.hub = hub
        hub.on_tick.add(self.prepare)

    def prepare(self) -> None:
        """Lets every channel send what it waits for, and watches the sockets of all."""
        for channel in list(self.channels):
            channel.prepare()
            for source, callback in channel.sources():
                self._watch(source, callback)

    def get(self, _callback: Any, timeout: float | None = None) -> None:
        """Delivers one message. Empty: nothing came in time."""
        if any(channel.deliver_one() for channel in list(self.channels)):
            return
        self.prepare()
        readable = {fd for fd, _ in self._own.poll(TICK if timeout is None else min(timeout, TICK)) or ()}
        for _, fd, callback in list(self._watched.values()):
            if fd in readable:
                callback()
        if not any(channel.deliver_one() for channel in list(self.channels)):
            raise Empty

    def discard(self, channel: Any) -> None:
        if channel in self.channels:
            self.channels.remove(channel)
        for source, _ in channel.sources():
            self._forget(source)

    def close(self) -> None:
        self._forget_all()
        if self.hub is not None:
            self.hub.on_tick.discard(self.prepare)
            self.hub = None

    def _watch(self, source: Source, callback: Any) -> None:
        sock = source.sock
        watched = self._watched.get(source)
        # A new socket may have the number of the one before.
        if watched and watched[0] is sock:
            return
        self._forget(source)
        if sock is None:
            return
        fd = sock.fileno()
        self._watched[source] = sock, fd, callback
        if self.hub is None:
            self._own.register(fd, READ | ERR)
        else:
            self.hub.add_reader(fd, callback)

    def _forget(self, source: Source) -> None:
        watched = self._watched.pop(source, None)
        if watched is None:
            return
        fd = watched[1]
        if self.hub is not None:
            self.hub.remove(fd)
            return
        try:
            self._own.unregister(fd)
        except OSError:  # closed already
            pass

    def _forget_all(self) -> None:
        for source in list(self._watched):
            self._forget(source)
