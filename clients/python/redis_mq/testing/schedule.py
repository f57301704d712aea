"""Which group is served next: docs/storage.md says how, under the schedule of groups. Knows no messages."""

from __future__ import annotations

from typing import Dict, List

UNGROUPED = b""
"""All messages without a group."""


class Schedule:
    """Groups with ready messages: in line those that can be served, and those that have no free slot."""

    def __init__(self) -> None:
        self._line: List[bytes] = []
        self._blocked: Dict[bytes, None] = {}

    def settle(self, group: bytes, waiting: int, used: int, slots: int) -> None:
        """Puts a group where it belongs: `waiting` messages are ready, `used` of its slots are taken."""
        if waiting and used < slots:
            self._blocked.pop(group, None)
            if group not in self._line:
                self._line.append(group)
        else:
            if group in self._line:
                self._line.remove(group)
            self._blocked.pop(group, None)
            if waiting:
                self._blocked[group] = None
        if self._line == [UNGROUPED] and not self._blocked:
            self._line = []

    def next(self, is_ungrouped_waiting: bool) -> bytes:
        """The group to be served."""
        if not self._line:
            return UNGROUPED
        if is_ungrouped_waiting and UNGROUPED not in self._line:
            self._line.append(UNGROUPED)
        if self._line[0] == UNGROUPED and not is_ungrouped_waiting:
            self._line.pop(0)
        return self._line[0] if self._line else UNGROUPED

    def served(self, group: bytes) -> None:
        """It is last in line from now on."""
        if group in self._line:
            self._line.remove(group)
            self._line.append(group)
            if self._line == [UNGROUPED]:
                self._line = []

    def order(self) -> List[bytes]:
        """All groups, in the order in which MQ.PEEK shows them."""
        return [group for group in self._line if group != UNGROUPED] + sorted(self._blocked)
