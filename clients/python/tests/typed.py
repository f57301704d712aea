"""What a type checker knows of the client: mypy reads this file, nothing runs it."""

from datetime import datetime
from typing import Any, Dict, List, Optional, Tuple, Union

from typing_extensions import assert_type

from redis_mq import AsyncClient, Client, Message, OnDisconnect, Outcome, Schedule, Worker


def client(one: Client, message: Message) -> None:
    assert_type(one.push("orders", b"x", delay=1), str)
    assert_type(one.push_many("orders", ["x"]), List[str])
    assert_type(one.pull("orders"), Optional[Message])
    assert_type(one.pull_many(["orders", "mails"], 5), List[Message])
    assert_type(one.ack_and_pull([message]), Tuple[List[Outcome], Optional[Message]])
    assert_type(one.extend_many([message.delivery]), List[Union[datetime, Outcome]])
    assert_type(one.pull("orders", on_disconnect=OnDisconnect(grace=5)), Optional[Message])
    assert_type(one.get("orders", dedup="k"), Optional[Message])
    assert_type(one.stats("o*"), List[Dict[str, Any]])
    assert_type(one.schedule("reports", "daily", b"", cron="@daily", catchup="none"), bool)
    assert_type(one.schedules("reports"), List[Schedule])
    assert_type(one.next_ticks("reports", "daily"), List[datetime])
    one.schedule("reports", "daily", b"", cron="@daily", catchup="never")  # type: ignore[arg-type]
    one.push("orders", b"x", delya=1)  # type: ignore[call-arg]
    one.ack(message.id)  # type: ignore[arg-type]


async def async_client(one: AsyncClient) -> None:
    assert_type(await one.push("orders", b"x"), str)
    assert_type(await one.pull("orders", block=1), Optional[Message])
    assert_type(await one.trigger("reports", "daily"), str)


async def coroutine(message: Message) -> None:
    assert_type(message.payload, bytes)


def plain(message: Message) -> None:
    assert_type(message.text(), str)


def worker() -> None:
    Worker("redis://localhost", "orders", coroutine, visibility=60).run()
    Worker("redis://localhost", ["orders"], plain).run(until_empty=0)
