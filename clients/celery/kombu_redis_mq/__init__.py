"""Celery and kombu on redis-mq: importing this package makes URLs with ``redis-mq://`` known to kombu.

kombu has no entry points for transports, so the names are added to its table of aliases; the URLs of a failover list
are looked up there too.
"""

from kombu.transport import TRANSPORT_ALIASES

from .transport import SecureTransport, SentinelTransport, Transport

__all__ = ["SecureTransport", "SentinelTransport", "Transport"]

TRANSPORT_ALIASES.update(
    {
        "redis-mq": "kombu_redis_mq:Transport",
        "rediss-mq": "kombu_redis_mq:SecureTransport",
        "sentinel-mq": "kombu_redis_mq:SentinelTransport",
    }
)
