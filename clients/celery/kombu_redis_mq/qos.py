"""Acknowledgments: what a delivery tag means on the server."""

from __future__ import annotations

from kombu.transport import virtual

#: `last_error` of a message that a consumer gave back, or refused.
REQUEUED = "requeued by its consumer"
REJECTED = "rejected by its consumer"


class QoS(virtual.QoS):
    """A delivery that is not held any more (acknowledged before, or taken from us) is done: nothing is sent for it."""

    def room(self) -> int:
        """How many messages to pull. One by one without a limit, and where Celery has a limit of its own: for
        `worker_disable_prefetch` it replaces the method `can_consume`."""
        return 1 if "can_consume" in vars(self) else self.can_consume_max_estimate() or 1

    def ack(self, delivery_tag: str) -> None:
        self.channel.acknowledge(delivery_tag)
        super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        if requeue:
            self.channel.give_back(delivery_tag, "REASON", REQUEUED)
        elif self.channel.dead_letter_rejected:
            self.channel.give_back(delivery_tag, "DEAD", "REASON", REJECTED)
        else:
            self.channel.acknowledge(delivery_tag)
        super().ack(delivery_tag)

    def restore_unacked(self) -> list:
        """Gives back all that is unacknowledged, as never tried."""
        self._flush()
        tags = list(self._delivered)
        self._delivered.clear()
        self.channel.release(tags)
        return []
