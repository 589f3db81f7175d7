from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_node.adapters import kernel
from edge_node.clock import DeviceClock
from tests.support.edge_bench import Time


def test_a_disciplined_clock_is_synchronised_and_one_left_alone_grows_uncertain(time: Time) -> None:
    clock = time.clock()
    assert clock.now().clock.state == "synchronised"
    time.synchronised = False
    time.pass_s(3600)
    clock.look()
    held = clock.now().clock
    assert (held.state, held.uncertainty_ms > 500) == ("holdover", True)


def test_a_wall_clock_from_before_the_product_was_never_set(time: Time) -> None:
    time.wall_ns = 1_000_000_000
    assert time.clock().now().clock.state == "unset"


@pytest.mark.requirement("R-EDGE-09")
@pytest.mark.parametrize("jump_s", [86_400.0, -86_400.0, 1.5])
def test_a_step_of_the_wall_clock_is_noticed_and_monotonic_time_does_not_care(
    time: Time, jump_s: float
) -> None:
    clock = time.clock()
    before = clock.now()
    time.pass_s(1)
    time.wall_ns += int(jump_s * 1e9)
    assert clock.look() == pytest.approx(jump_s)
    assert clock.now().mono_s - before.mono_s == pytest.approx(1)
    assert clock.look() == 0


def test_slewing_is_no_step(time: Time) -> None:
    clock = time.clock()
    for _ in range(100):
        time.pass_s(1)
        time.wall_ns += 500_000
        assert clock.look() == 0


@given(st.lists(st.floats(0.001, 0.4), min_size=2, max_size=60), st.integers(0, 1_000_000))
def test_radio_latency_never_moves_a_device_time_later_than_it_arrived(
    delays: list[float], start_ms: int
) -> None:
    clock = DeviceClock()
    for second, delay in enumerate(delays):
        device_ms = start_ms + second * 1000
        arrived = 500.0 + second + delay
        clock.synchronise(device_ms, arrived)
        assert clock.host_s(device_ms) <= arrived + 1e-6
        assert clock.host_s(device_ms) >= 500.0 + second - 1e-6


def test_a_device_that_was_switched_off_and_on_is_placed_anew() -> None:
    clock = DeviceClock()
    clock.synchronise(100_000, 1000.0)
    clock.synchronise(2_000, 1010.0)
    assert clock.host_s(2_000) == pytest.approx(1010.0)


def test_nothing_can_be_placed_before_the_first_report() -> None:
    with pytest.raises(ValueError, match="synchronise"):
        DeviceClock().host_s(1)


def test_the_kernel_says_which_boot_this_is_and_whether_its_clock_is_disciplined() -> None:
    assert kernel.boot_id() == kernel.boot_id()
    assert kernel.clock_synchronised() in {True, False, None}
    assert kernel.process_figures()["descriptors"] > 0
