from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.errors import BadInputError
from server.his.administration import COMPLETION, Addresses, control_id, ras_o17
from server.his.message import parse
from server.his.port import AdministrationFact, GivenItem

NOW = datetime(2026, 11, 25, 2, 30, tzinfo=UTC)
FACT = AdministrationFact(
    event_id="0199a1b2-0000-7000-8000-000000000001",
    mrn="P0012345678",
    visit_number="ZY2400101",
    name="张建国",
    placer_id="O-1002",
    filler_id="F-1",
    items=(
        GivenItem(code="NACL09-100", text="0.9% 氯化钠", amount=Decimal("100.0"), unit="mL"),
        GivenItem(code="CEFTRIAXONE-1G", text="头孢曲松 | 钠", amount=Decimal(2), unit="g"),
    ),
    route="IVPB",
    site="左手背",
    start=datetime(2026, 11, 25, 2, 0, tzinfo=UTC),
    end=datetime(2026, 11, 25, 2, 29, tzinfo=UTC),
    operator_id="N20713",
    operator_name="王丽",
    outcome="completed",
    rate_ml_h=Decimal(200),
    witness_id="N20488",
    ward="W1",
    bed="01",
    demo=True,
)


@pytest.mark.requirement("R-HIS-11")
def test_the_message_is_the_one_agreed(request: pytest.FixtureRequest) -> None:
    golden = Path(__file__).resolve().parents[2] / "data" / "hl7_out" / "ras_o17_completed.hl7"
    assert ras_o17(FACT, Addresses(), now=NOW).decode().replace("\r", "\n") == golden.read_text("utf-8")


@pytest.mark.requirement("R-HIS-11")
def test_an_independent_parser_reads_what_was_given() -> None:
    message = hl7.parse(ras_o17(FACT, Addresses(), now=NOW).decode())
    rxa = message.segments("RXA")
    assert [str(one[6]) for one in rxa] == ["100", "2"]
    assert [str(one[20]) for one in rxa] == ["CP", "CP"]
    assert (str(rxa[0][3]), str(rxa[0][4])) == ("20261125100000+0800", "20261125102900+0800")
    assert str(message["ORC"][0][2]) == "O-1002"
    assert message.unescape(str(rxa[1][5][0][1])) == "头孢曲松 | 钠"


@pytest.mark.parametrize("outcome", COMPLETION)
@pytest.mark.requirement("R-HIS-11")
def test_every_outcome_has_its_completion_status_and_a_reason_where_nothing_was_given(outcome: str) -> None:
    raw = ras_o17(replace(FACT, outcome=outcome, reason="患者拒绝"), Addresses(), now=NOW)
    rxa = parse(raw).first("RXA")
    assert rxa is not None
    nothing = COMPLETION[outcome] in {"RE", "NA"}
    assert rxa.value(20) == COMPLETION[outcome]
    assert (rxa.value(6), rxa.value(18, 2), rxa.value(9, 2)) == (
        ("0", "患者拒绝", "") if nothing else ("100", "", "患者拒绝")
    )


def test_an_unknown_amount_is_said_as_the_standard_says_it() -> None:
    fact = replace(FACT, items=(GivenItem(code="X", text="x"),), end=None)
    rxa = parse(ras_o17(fact, Addresses(), now=NOW)).first("RXA")
    assert rxa is not None
    assert (rxa.value(6), rxa.value(7), rxa.value(4)) == ("999", "", rxa.value(3))


def test_a_running_infusion_has_no_end_yet() -> None:
    rxa = parse(ras_o17(replace(FACT, outcome="running"), Addresses(), now=NOW)).first("RXA")
    assert rxa is not None
    assert rxa.value(4) == ""


@pytest.mark.parametrize("change", [{"outcome": "lost"}, {"items": ()}, {"action": "X"}])
def test_a_fact_that_cannot_be_said_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(BadInputError):
        ras_o17(replace(FACT, **change), Addresses(), now=NOW)  # type: ignore[arg-type]


@given(st.uuids(), st.sampled_from("AUD"))
def test_control_ids_fit_the_field_and_are_the_same_for_the_same_act(event: object, action: str) -> None:
    fact = replace(FACT, event_id=str(event), action=action)
    assert control_id(fact) == control_id(fact)
    assert len(control_id(fact)) == 20
    assert control_id(fact) != control_id(replace(fact, event_id=f"{event}x"))


@given(st.text(min_size=1), st.text())
def test_any_name_and_reason_come_through_whole(name: str, reason: str) -> None:
    fact = replace(FACT, name=name, reason=reason, outcome="refused")
    message = parse(ras_o17(fact, Addresses(), now=NOW))
    pid, rxa = message.first("PID"), message.first("RXA")
    assert pid is not None
    assert rxa is not None
    assert pid.value(5) == name.strip() or name.strip() == '""'
    assert rxa.value(18, 2) == reason.strip() or reason.strip() == '""'
