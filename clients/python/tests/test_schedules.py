"""Schedules, on a server."""

import asyncio
from datetime import datetime, timedelta, timezone

import pytest
import redis

from redis_mq import AsyncClient, Client, InvalidArgumentError, NotFoundError, Schedule
from redis_mq.testing import FakeRedisMQ

ANY_TIME = {"runs": 0, "missed": 0, "skipped": 0, "triggered": 0}


def may(day, hour):
    return datetime(2050, 5, day, hour, tzinfo=timezone.utc)


@pytest.mark.parametrize("protocol", [2, 3])
def test_schedules(url, protocol):
    client = Client.from_url(url, protocol=protocol)
    daily = {
        "cron": "0 6 * * *",
        "zone": "Europe/Berlin",
        "start": may(1, 0),
        "end": may(3, 12),
        "limit": 7,
        "jitter": timedelta(minutes=1),
        "catchup": "all",
        "overlap": "skip",
        "ttl": timedelta(hours=1),
        "priority": 3,
        "headers": {"kind": "daily"},
    }
    hourly = {
        "every": timedelta(hours=1),
        "start": datetime.fromtimestamp(0, timezone.utc),
        "paused": True,
        "group": "a",
    }
    for is_new in (True, False):
        assert client.schedule("reports", "daily", b"\xff", ttl_dead=True, **daily) is is_new
        assert client.schedule("reports", "hourly", "", ttl=0, **hourly) is is_new
    assert client.schedules("reports") == [
        Schedule("daily", b"\xff", paused=False, dead=True, next_tick=may(1, 4), **daily, **ANY_TIME),
        Schedule("hourly", b"", timedelta(0), "one", "allow", ttl=timedelta(0), **hourly, **ANY_TIME),
    ]
    assert [one.name for one in client.schedules("reports", "*ly", offset=1, count=1)] == ["hourly"]
    assert client.next_ticks("reports", "daily") == [may(1, 4), may(2, 4), may(3, 4)]
    assert client.next_ticks("reports", "daily", since=may(1, 5), count=1) == [may(2, 4)]

    id = client.trigger("reports", "daily")
    assert client.trigger("reports", "daily") == id
    message = client.pull("reports")
    assert (message.id, message.payload, message.priority) == (id, b"\xff", 3)
    assert message.headers == {"kind": "daily", "mq-schedule": "daily"}

    assert client.unschedule("reports", "daily") is True
    assert client.unschedule("reports", "daily") is False
    for missing in (client.trigger, client.next_ticks):
        with pytest.raises(NotFoundError):
            missing("reports", "daily")
    with pytest.raises(InvalidArgumentError, match="the hour is 25"):
        client.schedule("reports", "daily", "", cron="0 25 * * *")


def test_schedules_with_asyncio(url):
    async def main():
        async with AsyncClient.from_url(url) as client:
            assert await client.schedule("reports", "hourly", "x", every=3600)
            (schedule,) = await client.schedules("reports")
            assert await client.next_ticks("reports", "hourly", count=1) == [schedule.next_tick]
            assert await client.trigger("reports", "hourly")
            assert await client.unschedule("reports", "hourly")

    asyncio.run(main())


def test_the_fake_has_none():
    with pytest.raises(redis.ResponseError, match="unknown command"):
        FakeRedisMQ().client().schedule("reports", "hourly", "", every=3600)
