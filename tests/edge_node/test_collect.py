from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.messages import Readings, Wave
from clinical.codes import CODES
from clinical.records import Generation, Validity
from edge_node.collect import Collector, WaveAssembler, pack
from edge_node.outbox import Outbox
from edge_node.ports import Frame, RowClass
from edge_node.settings import DripPeripheral
from edge_node.simulators.drip_sensor import DripSensor
from firmware_profiles import registry
from firmware_profiles.decode import Context
from firmware_profiles.encode import encode
from firmware_profiles.framing import Framer
from firmware_profiles.hooks import seal_bthome_v2
from tests.support.edge_bench import START, Time

NONIN = registry.load().get("nonin_oem3")
DRIP = registry.load().get("wardlink_drip")
ENVELOPE = {"node": "node-1", "boot": "b", "outbox": "o", "seq": 1, "sent": START}
PLETH = [128 + int(100 * math.sin(i / 4)) for i in range(25)]


def packet(spo2: int = 97, pulse: int = 72) -> bytes:
    return encode(NONIN, "packet", {"spo2": spo2, "pr": pulse, "pleth": PLETH})


@pytest.fixture
def collector(outbox: Outbox) -> Collector:
    return Collector(outbox.envelope, Generation.DEMO)


@pytest.fixture
def frame(time: Time) -> Callable[[bytes, str], Frame]:
    return lambda data, stream: Frame(stream=stream, data=data, stamp=time.clock().now())


def test_the_ecg_of_a_belt_becomes_chunks_of_a_second_under_the_code_of_an_unnamed_lead(
    collector: Collector, time: Time, frame: Callable[[bytes, str], Frame]
) -> None:
    chunks: list[Wave] = []
    for _ in range(8):  # a belt sends 73 samples at once
        data = bytes(9) + b"\x00" + b"".join(n.to_bytes(3, "little", signed=True) for n in range(-36, 37))
        _, waves = collector.decode("ble:x", registry.load().get("polar_h10"), frame(data, "ecg"))
        chunks += [wave.message for wave in waves if isinstance(wave.message, Wave)]
        time.pass_s(73 / 130)
    assert [one.code for one in chunks] == ["MDC_ECG_ELEC_POTL"] * 4
    assert {(one.unit, one.rate_hz, len(one.samples) // 2) for one in chunks} == {("uV", 130.0, 146)}
    assert CODES[chunks[0].code].mdc == 2 * 65536 + 256  # IEEE 11073-10101: partition 2, code 256


def test_three_packets_a_second_become_one_reading_a_second_with_the_newest_value(
    collector: Collector, time: Time, frame: Callable[[bytes, str], Frame]
) -> None:
    drafts = []
    for _ in range(30):
        samples, _ = collector.decode("serial:x", NONIN, frame(packet(), "packet"))
        drafts += [collector.reading(one, (), None, {}) for one in samples if collector.due(one)]
        time.pass_s(1 / 3)
    assert 9 <= len(drafts) <= 11
    message = drafts[0].message if drafts[0] else None
    assert isinstance(message, Readings)
    assert {value.code: str(value.n) for value in message.values} == {
        "MDC_PULS_OXIM_SAT_O2": "97",
        "MDC_PULS_OXIM_PULS_RATE": "72",
    }
    assert (message.generation, message.clock.state) == (Generation.DEMO, "synchronised")


def test_the_pulse_wave_becomes_chunks_of_a_second_without_gap_or_overlap(
    collector: Collector, time: Time, frame: Callable[[bytes, str], Frame]
) -> None:
    chunks: list[Wave] = []
    for _ in range(30):
        _, waves = collector.decode("serial:x", NONIN, frame(packet(), "packet"))
        chunks += [wave.message for wave in waves if isinstance(wave.message, Wave)]
        time.pass_s(1 / 3)
    assert len(chunks) == 10
    assert all(len(chunk.samples) == 150 for chunk in chunks)
    gaps = [(b.effective - a.effective).total_seconds() for a, b in pairwise(chunks)]
    assert gaps == pytest.approx([1.0] * 9, abs=1e-4)
    assert np.frombuffer(chunks[0].samples, "<i2")[:25].tolist() == PLETH


def test_a_rejected_frame_is_counted_and_gives_no_value(
    collector: Collector, frame: Callable[[bytes, str], Frame]
) -> None:
    broken = bytearray(
        DripSensor(DripPeripheral(kind="wardlink_drip", address="C0:00:00:00:01:01"), lambda: 1.0).frame()
    )
    broken[4] ^= 1
    assert collector.decode("ble:x", DRIP, frame(bytes(broken), "drops")) == ([], [])
    assert collector.rejected == {("ble:x", "checksum"): 1}


@given(cut=st.integers(0, 18), flip=st.integers(0, 151))
def test_no_truncated_or_flipped_drip_frame_ever_counts(cut: int, flip: int) -> None:
    good = DripSensor(DripPeripheral(kind="wardlink_drip", address="C0:00:00:00:01:01"), lambda: 9.0).frame()
    collector = Collector(lambda: ENVELOPE, Generation.DEMO)
    flipped = bytearray(good)
    flipped[flip // 8] ^= 1 << flip % 8
    for data in (good[:cut], bytes(flipped)):
        samples, _ = collector.decode(
            "ble:x", DRIP, Frame(stream="drops", data=data, stamp=Time().clock().now())
        )
        assert samples == []


@given(noise=st.binary(max_size=200), pieces=st.lists(st.integers(1, 60), min_size=1, max_size=40))
def test_noise_and_odd_pieces_on_the_line_never_make_a_wrong_value(noise: bytes, pieces: list[int]) -> None:
    framer = Framer(NONIN, "packet")
    collector = Collector(lambda: ENVELOPE, Generation.DEMO)
    line = packet(97) + noise + packet(96) + packet(95)
    at = 0
    found = []
    for size in [*pieces, *[60] * 20]:
        for one in framer.feed(line[at : at + size]):
            samples, _ = collector.decode(
                "serial:x", NONIN, Frame(stream="packet", data=one, stamp=Time().clock().now())
            )
            found += [str(sample.values[0].n) for sample in samples]
        at += size
    assert set(found) <= {"97", "96", "95"}
    assert found[-1] == "95"


def test_a_drop_report_names_the_sample_by_the_sensors_own_bytes(
    collector: Collector, time: Time, frame: Callable[[bytes, str], Frame]
) -> None:
    sensor = DripSensor(DripPeripheral(kind="wardlink_drip", address="C0:00:00:00:01:01"), lambda: 5.0)
    data = sensor.frame()
    first = collector.decode("ble:x", DRIP, frame(data, "drops"))[0][0]
    time.pass_s(3)
    heard_by_another_node = collector.decode("ble:x", DRIP, frame(data, "drops"))[0][0]
    assert first.id == heard_by_another_node.id
    assert first.drops is not None
    assert first.drops.last_drop_ms is None


def test_a_sensor_that_reports_a_fault_gives_no_drops(
    collector: Collector, frame: Callable[[bytes, str], Frame]
) -> None:
    data = encode(DRIP, "drops", {"drops": 7, "last_drop": 1, "now": 2, "battery": 50, "fault": True})
    sample = collector.decode("ble:x", DRIP, frame(data, "drops"))[0][0]
    assert sample.drops is None
    assert sample.values[0].validity is Validity.INVALID


def test_a_spot_measurement_with_a_time_of_its_own_is_never_thinned_and_never_evicted(
    collector: Collector, frame: Callable[[bytes, str], Frame]
) -> None:
    profile = registry.load().get("sig_thermometer")
    stream = next(one for one in profile.streams.values() if one.mode == "indicate")
    vector = next(
        one
        for one in profile.vectors
        if one.stream == stream.id
        and one.expect
        and collector.decode("x", profile, frame(bytes.fromhex(one.hex or ""), stream.id))[0]
        and collector.decode("x", profile, frame(bytes.fromhex(one.hex or ""), stream.id))[0][0].stands_alone
    )
    sample = collector.decode("x", profile, frame(bytes.fromhex(vector.hex or ""), stream.id))[0][0]
    assert [collector.due(sample) for _ in range(3)] == [True, True, True]
    draft = collector.reading(sample, (), None, {})
    assert draft is not None
    assert draft.row_class is RowClass.ALARM


def test_a_pause_on_the_line_begins_a_new_chunk_in_time() -> None:
    assembler = WaveAssembler(75)
    assembler.add(tuple([1.0] * 50), START)
    done = assembler.add(tuple([2.0] * 75), START + timedelta(seconds=30))
    assert [len(chunk) for _, chunk in done] == [50, 75]
    assert (done[1][0] - done[0][0]).total_seconds() > 28


@given(st.lists(st.integers(0, 65_535), min_size=1, max_size=80))
def test_unsigned_samples_are_packed_exactly(samples: list[int]) -> None:
    data, gain, offset = pack([float(one) for one in samples])
    assert (np.frombuffer(data, "<i2") * gain + offset).tolist() == samples


@given(st.lists(st.floats(-5, 5, allow_nan=False), min_size=2, max_size=80))
def test_fractions_are_packed_to_within_a_step(samples: list[float]) -> None:
    data, gain, offset = pack(samples)
    back = np.frombuffer(data, "<i2") * gain + offset
    assert np.max(np.abs(back - np.array(samples))) <= max(gain, 1e-9)


KEY, MAC = bytes(range(16)), "C0:00:00:00:03:01"
ADVERT = registry.load().get("wardlink_drip_advert")


def sealed(count: int, drops: int = 7) -> bytes:
    objects = bytes((0x40, 0x01, 90, 0x0F, 0, 0x26, 0, 0x3E)) + drops.to_bytes(4, "little")
    return seal_bthome_v2(objects + b"\x42\xe8\x03\x00", MAC, KEY, count)


@pytest.mark.requirement("R-EDGE-22")
def test_an_advert_counts_once_and_an_old_one_is_refused_as_replayed(
    collector: Collector, time: Time, frame: Callable[[bytes, str], Frame]
) -> None:
    collector.contexts["ble:x"] = Context(mac=MAC, key=KEY)
    got = [len(collector.decode("ble:x", ADVERT, frame(sealed(count), "drops"))[0]) for count in (5, 5, 6, 4)]
    assert got == [1, 0, 1, 0]
    assert collector.rejected == {("ble:x", "replayed"): 1}
    assert collector.counters == {"ble:x": 6}


def test_an_advert_without_its_key_gives_nothing(
    collector: Collector, frame: Callable[[bytes, str], Frame]
) -> None:
    assert collector.decode("ble:x", ADVERT, frame(sealed(1), "drops")) == ([], [])
    assert collector.rejected[("ble:x", "no-address")] == 1


def test_the_age_of_the_last_drop_is_placed_on_the_hosts_clock_and_two_nodes_name_it_alike(
    collector: Collector, time: Time, frame: Callable[[bytes, str], Frame]
) -> None:
    collector.contexts["ble:x"] = Context(mac=MAC, key=KEY)
    samples, _ = collector.decode("ble:x", ADVERT, frame(sealed(1), "drops"))
    drops = samples[0].drops
    assert drops is not None
    assert drops.last_drop_ms is not None
    assert (drops.total, drops.now_ms - drops.last_drop_ms) == (7, 1000)
    other = Collector(lambda: ENVELOPE, Generation.DEMO)
    other.contexts["ble:x"] = Context(mac=MAC, key=KEY)
    time.pass_s(0.3)
    assert other.decode("ble:x", ADVERT, frame(sealed(1), "drops"))[0][0].id == samples[0].id
