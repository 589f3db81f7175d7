from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from server.his.mapping import facts_of
from server.his.message import parse
from server.his.port import PlaceOrder
from server.his.reading import Site
from server.his.refusal import RefusedMessageError
from server.his.timing import frequency_word

Build = Callable[..., bytes]
START = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)


def placed(raw: bytes) -> PlaceOrder:
    (fact,) = facts_of(parse(raw), Site())
    assert isinstance(fact, PlaceOrder)
    return fact


@pytest.mark.parametrize(
    ("written", "word"),
    [
        ("QD", "qd"), ("BID", "bid"), ("Q8H", "q8h"), ("Q6H", "q6h"), ("Every 6 hours", "q6h"),
        ("3 times daily", "tid"), ("PRN", "prn"), ("PRNpain", "prn"), ("ONCE", "once"), ("QHS", "hs"),
        ("Q2D", "qod"), ("Q30M", "q30min"), ("每8小时一次", "q8h"), ("每日三次", "tid"), ("C", "continuous"),
        ("FREQ77", "FREQ77"), ("", ""),
    ],
)  # fmt: skip
@pytest.mark.requirement("R-HIS-08")
def test_repeat_patterns_become_frequency_words(written: str, word: str) -> None:
    assert frequency_word(written, Site()) == word


@pytest.mark.parametrize(
    ("segments", "frequency"),
    [
        ({"TQ1": "TQ1|1||TID", "ORC": "ORC|NW|O1|||||1^QD"}, "tid"),
        ({"TQ1": "", "ORC": "ORC|NW|O1|||||1^QID"}, "qid"),
        ({"TQ1": "", "RXE": "RXE|1^Q12H|DRUG^头孢|2||g"}, "q12h"),
        ({"TQ1": "", "RXE": "RXE|1^^^20261125090000|DRUG^头孢|2||g"}, "once"),
        ({"TQ1": "TQ1|1||||||20261125090000"}, "once"),
    ],
)
def test_tq1_wins_over_the_older_fields_and_no_pattern_means_once(
    order: Build, segments: dict[str, str], frequency: str
) -> None:
    assert placed(order(changes=segments)).frequency == frequency


@pytest.mark.parametrize(
    ("tq1", "frequency"),
    [
        ("TQ1|1||Q24H|0715", "07:15"),
        ("TQ1|1||BID|0800~2000", "08:00,20:00"),
        ("TQ1|1||QOD|0800", "qod"),
    ],
)
def test_explicit_times_of_day_are_kept(order: Build, tq1: str, frequency: str) -> None:
    assert placed(order(changes={"TQ1": tq1})).frequency == frequency


@pytest.mark.parametrize(
    ("change", "end"),
    [
        ({"TQ1": "TQ1|1||BID||||20261125090000|20261127090000"}, START + timedelta(days=2)),
        ({"TQ1": "TQ1|1||BID|||3^d|20261125090000"}, START + timedelta(days=3)),
        ({"TQ1": "", "ORC": "ORC|NW|O1|||||1^BID^D4^20261125090000"}, START + timedelta(days=4)),
        ({"TQ1": "", "ORC": "ORC|NW|O1|||||1^BID^INDEF^20261125090000"}, None),
    ],
)
def test_the_end_comes_from_a_time_or_a_duration(
    order: Build, change: dict[str, str], end: datetime | None
) -> None:
    assert placed(order(changes=change)).end == end


@pytest.mark.parametrize("duration", ["X3", "T", "4"])
@pytest.mark.hazard("H-HIS-05")
def test_a_duration_that_would_be_given_without_end_is_refused(order: Build, duration: str) -> None:
    with pytest.raises(RefusedMessageError) as refused:
        placed(order(changes={"TQ1": "", "ORC": f"ORC|NW|O1|||||1^BID^{duration}"}))
    assert refused.value.where == "ORC-7"


@pytest.mark.parametrize(
    ("letter", "priority", "category"),
    [("S", "stat", "stat"), ("R", "routine", "standing"), ("A", "asap", "standing")],
)
def test_priority_is_read(order: Build, letter: str, priority: str, category: str) -> None:
    fact = placed(order(changes={"TQ1": f"TQ1|1||BID||||20261125090000||{letter}"}))
    assert (fact.priority, fact.category) == (priority, category)


def test_the_reason_for_an_as_needed_order_is_kept(order: Build) -> None:
    fact = placed(order(changes={"TQ1": "TQ1|1||PRN|||||||疼痛评分≥4"}))
    assert (fact.frequency, fact.category, fact.prn_reason) == ("prn", "prn", "疼痛评分≥4")


@pytest.mark.parametrize("tq1", ["TQ1|1||BID|8点", "TQ1|1||BID||||tomorrow", "TQ1|1||BID||||20261399"])
def test_times_that_cannot_be_read_are_refused(order: Build, tq1: str) -> None:
    with pytest.raises(RefusedMessageError):
        placed(order(changes={"TQ1": tq1}))
