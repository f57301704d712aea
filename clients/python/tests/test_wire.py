from datetime import datetime, timedelta, timezone

import pytest

from redis_mq import Delivery, Message, OnDisconnect, Outcome, commands, wire


@pytest.mark.parametrize(
    "duration, ms",
    [
        (0, 0),
        (1, 1000),
        (0.05, 50),
        (1.0005, 1000),
        (timedelta(milliseconds=7), 7),
        (timedelta(days=365), 31_536_000_000),
    ],
)
def test_durations_are_seconds_or_timedeltas(duration, ms):
    assert wire.milliseconds(duration) == ms


def test_a_short_time_is_not_no_time():
    assert wire.milliseconds(0.0001) == wire.milliseconds(timedelta(microseconds=1)) == 1


def test_moments_survive_both_ways_to_the_millisecond():
    for ms in (0, 1, 1_795_418_862_271, 8_796_093_022_207):
        assert wire.unix_milliseconds(wire.moment(ms)) == ms


def test_a_moment_without_a_time_zone_is_local_time():
    assert wire.unix_milliseconds(datetime.fromtimestamp(1_700_000_000)) == 1_700_000_000_000


REPLY = {b"id": b"x", b"queue": b"orders", b"payload": b"\xff", b"timestamp": 1000, b"retry_count": 0}


def test_a_message_is_read_from_a_map_and_from_a_flat_array():
    flat = [item for pair in REPLY.items() for item in pair]
    expected = Message("x", "orders", b"\xff", datetime(1970, 1, 1, 0, 0, 1, tzinfo=timezone.utc), 0)
    assert wire.message(REPLY) == wire.message(flat) == expected


def test_fields_of_later_servers_are_left_out():
    assert wire.message({**REPLY, b"colour": b"red"}) == wire.message(REPLY)


def test_names_and_headers_that_are_not_utf8_survive():
    message = wire.message({**REPLY, b"queue": b"\xff", b"headers": [b"n\xfe", b"v\xfd"]})
    assert message.queue.encode("utf-8", "surrogateescape") == b"\xff"
    assert commands.push(message.queue, b"", headers=message.headers).words[-2:] == [b"n\xfe", b"v\xfd"]


def test_the_payload_is_read_where_it_is_used():
    message = wire.message(REPLY)
    with pytest.raises(UnicodeDecodeError):
        message.text()
    assert Message("x", "q", b'{"a": [1]}', message.timestamp, 0).json() == {"a": [1]}


def test_extensions_are_moments_or_outcomes():
    assert wire.extensions([1000, 0, -1]) == [wire.moment(1000), Outcome.NOT_FOUND, Outcome.INVALID_RECEIPT]


def test_one_queue_is_a_pull_and_several_are_an_mpull():
    assert commands.pull("a", visibility=1).words == ["MQ.PULL", b"a", b"VISIBILITY", 1000]
    assert commands.pull(["a"]).words == ["MQ.PULL", b"a"]
    assert commands.pull_many(["a", "b"], 3).words == ["MQ.MPULL", 2, b"a", b"b", b"COUNT", 3]


def test_what_happens_when_the_connection_closes():
    assert commands.pull("a", on_disconnect=True).words[2:] == [b"ONDISCONNECT"]
    words = commands.pull("a", on_disconnect=OnDisconnect(no_count=True, grace=2)).words
    assert words[2:] == [b"ONDISCONNECT", b"NOCOUNT", b"GRACE", 2000]
    assert commands.pull("a", on_disconnect=OnDisconnect()).words[2:] == [b"ONDISCONNECT"]


def test_ids_and_a_key_exclude_each_other():
    with pytest.raises(ValueError, match="exclude"):
        commands.delete("a", ["1"], dedup="k")


def test_a_batch_of_several_queues_is_refused():
    with pytest.raises(ValueError, match="one queue"):
        commands.ack_many([Delivery("a", "1", "r"), Delivery("b", "1", "r")])
    with pytest.raises(ValueError, match="one queue"):
        commands.ack_many([])


def test_a_message_without_a_receipt_can_not_be_acknowledged():
    with pytest.raises(ValueError, match="no receipt"):
        commands.ack(wire.message(REPLY))


def test_settings_get_their_defaults_back():
    words = commands.configure("a", maxlen=5, reset=["deadletter", "backoff"]).words
    assert words == ["MQ.CONFIG", b"a", b"MAXLEN", 5, b"DEFAULTDEADLETTER", b"backoff", b""]
    with pytest.raises(ValueError):
        commands.configure("a")


def test_the_target_of_a_redrive_comes_first():
    words = commands.redrive("a:dead", ids=["1"], reason="to", to="b").words
    assert words == ["MQ.REDRIVE", b"a:dead", b"TO", b"b", b"IDS", 1, b"1", b"REASON", b"to"]
