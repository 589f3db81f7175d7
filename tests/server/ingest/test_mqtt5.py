"""MQTT 5 packets as the server reads and writes them: any cut of the stream, any size, nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.ingest import mqtt5

pytestmark = [pytest.mark.requirement("R-SRV-63"), pytest.mark.hazard("H-SRV-01")]
TOPICS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=60)
MESSAGES = st.lists(st.tuples(TOPICS, st.binary(max_size=400), st.integers(0, 65_535)), max_size=12)


@given(MESSAGES, st.lists(st.integers(1, 700), max_size=30))
def test_messages_come_back_however_the_stream_is_cut(
    messages: list[tuple[str, bytes, int]], cuts: list[int]
) -> None:
    stream = b"".join(mqtt5.publish(topic, payload, mid=mid) for topic, payload, mid in messages)
    frames, found = mqtt5.Frames(), []
    for size in [*cuts, len(stream) + 1]:
        part, stream = stream[:size], stream[size:]
        found += [mqtt5.read_publish(flags, body) for _kind, flags, body in frames.feed(part)]
    assert found == [(topic.encode(), payload, mid, False) for topic, payload, mid in messages]


@given(st.binary(max_size=300))
def test_any_bytes_are_packets_or_a_broken_protocol(data: bytes) -> None:
    readers = {
        mqtt5.CONNACK: mqtt5.read_connack,
        mqtt5.PUBACK: mqtt5.read_answer,
        mqtt5.SUBACK: mqtt5.read_suback,
    }
    try:
        for kind, flags, body in mqtt5.Frames().feed(data):
            if kind == mqtt5.PUBLISH:
                mqtt5.read_publish(flags, body)
            elif kind in readers:
                readers[kind](body)
    except mqtt5.ProtocolError:
        return


@pytest.mark.parametrize("size", [0, 127, 128, 16_383, 16_384, 65_000])
def test_a_length_has_as_many_bytes_as_it_needs(size: int) -> None:
    packet = mqtt5.publish("t", b"x" * size, mid=7)
    [(kind, flags, body)] = list(mqtt5.Frames().feed(packet))
    assert (kind, mqtt5.read_publish(flags, body)) == (mqtt5.PUBLISH, (b"t", b"x" * size, 7, False))
    assert mqtt5.again(packet)[0] == packet[0] | 0x08


@pytest.mark.parametrize(
    ("flags", "body"),
    [
        (0x04, b"\x00\x01t\x00\x01\x00"),  # QoS 2
        (0x02, b"\x00\x01t\x00\x00\x00"),  # QoS 1 without a number
        (0x02, b"\x00\x00\x00\x01\x00"),  # no topic: an alias we never allowed
        (0x02, b"\x00\x09t"),
        (0x00, b"\x00\x01t\x09\x00"),  # properties longer than the packet
        (0x00, b""),
    ],
)
def test_what_was_never_subscribed_to_or_is_cut_short_breaks_the_protocol(flags: int, body: bytes) -> None:
    with pytest.raises(mqtt5.ProtocolError):
        mqtt5.read_publish(flags, body)


def test_message_properties_are_passed_over_whatever_their_length() -> None:
    user = b"\x26" + mqtt5.text("k") + mqtt5.text("v" * 200)
    length = bytes([len(user) & 127 | 128, len(user) >> 7])
    body = mqtt5.text("t") + length + user + b"payload"
    assert mqtt5.read_publish(1, body) == (b"t", b"payload", 0, True)


def test_a_length_of_five_bytes_or_beyond_all_measure_breaks_the_protocol() -> None:
    for data in (b"\x30\xff\xff\xff\xff\x01", b"\x30\xff\xff\xff\x7f"):
        with pytest.raises(mqtt5.ProtocolError):
            list(mqtt5.Frames().feed(data))


def test_connack_tells_session_reason_and_how_many_may_be_under_way() -> None:
    said = (
        b"\x12"
        + mqtt5.text("name")
        + b"\x21\x00\x14"
        + b"\x26"
        + mqtt5.text("a")
        + mqtt5.text("b")
        + b"\x24\x01"
    )
    assert mqtt5.read_connack(b"\x01\x00" + bytes([len(said)]) + said) == (0, True, 20)
    assert mqtt5.read_connack(b"\x00\x87\x00") == (0x87, False, 65_535)
    with pytest.raises(mqtt5.ProtocolError):
        mqtt5.read_connack(b"\x00")


def test_answers_carry_number_and_reason() -> None:
    assert mqtt5.read_answer(b"\x01\x02") == (258, 0)
    assert mqtt5.read_answer(b"\x00\x05\x97\x00") == (5, 0x97)
    assert mqtt5.read_suback(b"\x00\x01\x00\x01\x87") == [1, 0x87]
    assert mqtt5.pubacks([1, 258]) == b"\x40\x02\x00\x01\x40\x02\x01\x02"
