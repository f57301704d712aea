"""The Redis client of a kombu connection: address, credentials, TLS and Sentinel from its URL and options. Knows no
command of the queue."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kombu import Connection
from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

#: Options that redis-py takes under the same name.
PASSED_ON = (
    "client_name",
    "health_check_interval",
    "max_connections",
    "protocol",
    "socket_connect_timeout",
    "socket_keepalive",
    "socket_keepalive_options",
    "socket_timeout",
)
DEFAULTS = {"health_check_interval": 25, "socket_connect_timeout": 5, "socket_keepalive": True, "socket_timeout": 10}


def connect(connection: Connection, port: int, secure: bool = False) -> Redis:
    """The client for a URL ``redis-mq://``, ``rediss-mq://`` or ``redis-mq+socket:///path?virtual_host=database``."""
    keywords = _keywords(connection, secure)
    host = connection.hostname or "127.0.0.1"
    if host.startswith("socket://"):
        url = urlsplit(host)
        database = parse_qs(url.query).get("virtual_host", ["0"])[0]
        return Redis(unix_socket_path=url.path, **{**keywords, "db": int(database)})
    return Redis(host=host, port=connection.port or port, **keywords)


def connect_by_sentinel(connection: Connection, port: int) -> Redis:
    """The client for a URL ``sentinel-mq://``, whose alternatives are other Sentinels. The option ``master_name`` says
    which server is wanted, ``sentinel_kwargs`` what the Sentinels need (password ...)."""
    options = connection.transport_options
    urls = [urlsplit(url) for url in connection.alt or ()]
    sentinels = [(url.hostname, url.port or port) for url in urls if url.hostname]
    if not sentinels:
        sentinels = [(connection.hostname or "127.0.0.1", connection.port or port)]
    try:
        name = options["master_name"]
    except KeyError:
        raise ValueError("sentinel-mq:// needs the transport option 'master_name'") from None
    keywords = _keywords(connection, secure=False)
    return Sentinel(sentinels, sentinel_kwargs=options.get("sentinel_kwargs")).master_for(name, Redis, **keywords)


def _keywords(connection: Connection, secure: bool) -> dict[str, Any]:
    options = connection.transport_options
    keywords: dict[str, Any] = {
        "db": int((connection.virtual_host or "/").strip("/") or 0),
        "username": connection.userid,
        "password": connection.password,
        # Every command of the transport but a pull may be sent twice; pulls are not sent through this client.
        "retry": Retry(ExponentialBackoff(cap=1, base=0.05), 2),
        **DEFAULTS,
    }
    keywords.update((name, options[name]) for name in PASSED_ON if name in options)
    if getattr(connection, "credential_provider", None):
        keywords.update(username=None, password=None, credential_provider=connection.credential_provider)
    if secure or connection.ssl:
        keywords.update(ssl=True, ssl_cert_reqs=ssl.CERT_REQUIRED)
        keywords.update(connection.ssl if isinstance(connection.ssl, dict) else {})
    return keywords
