"""Numbers, routes and drug names as a nurse reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.infusion.drops import INTERVALS
from clinical.records import Dose, Label, OrderItem
from pda_app.book import Book
from pda_app.i18n import Catalog
from pda_app.presenters import words
from pda_app.presenters.round import _deviation
from pda_app.presenters.states import Tone
from tests.pda_app.test_round_and_alarms import RUNNING, open_round
from tests.support.handheld import Rig, alarm, at, bag, drug_order, flow, wristband

Play = Callable[..., None]
ZH, EN = Catalog("zh"), Catalog("en")


@pytest.mark.requirement("R-PDA-61")
@given(st.floats(-1e6, 1e6), st.integers(0, 3))
def test_no_number_is_a_negative_zero(value: float, decimals: int) -> None:
    for shown in (words.number(value, decimals), words.number(value), words.percent(value).rstrip("%")):
        assert not (shown.startswith(("-", "+")) and not shown.strip("-+0.")), shown


@pytest.mark.requirement("R-PDA-61")
@pytest.mark.parametrize(
    ("percent", "state", "shown", "arrow", "tone"),
    [
        (-0.4, "flowing", "0%", "", Tone.OK),
        (-0.5, "slow", "0%", "", Tone.WARN),
        (0.6, "flowing", "+1%", "", Tone.OK),
        (15.2, "fast", "+15%", "up", Tone.WARN),
        (-14.6, "slow", "-15%", "down", Tone.WARN),
    ],
)
def test_a_deviation_that_rounds_to_nothing_has_no_sign_and_no_arrow(
    percent: float, state: str, shown: str, arrow: str, tone: Tone
) -> None:
    block = _deviation(RUNNING, flow("i1", at(0), state=state, deviation_percent=percent))
    assert (block.percent, block.arrow, block.tone) == (shown, arrow, tone)


@pytest.mark.requirement("R-PDA-50")
def test_the_measured_rate_says_over_how_many_drops_it_is_taken(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await open_round(rig)
        window = rig.app.round.state.rate.window
        assert INTERVALS == 9
        assert (rig.text(window), rig.text(window, "en")) == ("近 9 滴", "9 drops")

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-61")
@pytest.mark.parametrize(
    ("kind", "route", "zh", "en"),
    [
        ("infusion", "IV", "静脉滴注", "IV infusion"),
        ("infusion", "IVPB", "静脉滴注", "IV infusion"),
        ("medication", "IVPB", "静脉滴注", "IV infusion"),
        ("medication", "IV", "静脉注射", "IV push"),
        ("medication", "IVP", "静脉注射", "IV push"),
        ("transfusion", "IV", "静脉输注", "IV transfusion"),
        ("infusion", "SC", "皮下注射", "SC"),
    ],
)
def test_a_drip_is_never_called_a_push(kind: str, route: str, zh: str, en: str) -> None:
    said = words.route_of(drug_order("o1", "p1", "x", at(0), kind=kind), route)
    assert (ZH.text(said), EN.text(said)) == (zh, en)


def item(product: str, zh: str, en: str, amount: str, unit: str, role: str) -> OrderItem:
    dose = Dose(value=Decimal(amount), unit=unit)
    return OrderItem(product_id=product, display=Label(zh=zh, en=en), dose=dose, role=role)


DRUG = item("ceftriaxone", "头孢曲松钠", "Ceftriaxone", "2", "g", "additive")
BASE = item("saline", "0.9% 氯化钠", "0.9% NaCl", "100", "mL", "base")


@pytest.mark.requirement("R-PDA-61")
@pytest.mark.hazard("H-PDA-19")
@pytest.mark.parametrize("items", [(DRUG, BASE), (BASE, DRUG)])
def test_a_mixed_bag_is_named_by_its_base_and_then_every_drug(items: tuple[OrderItem, ...]) -> None:
    order = drug_order("o9", "p3", "saline", at(0), kind="infusion", items=items)
    said = words.order_title(Book(), order)
    assert ZH.text(said) == "0.9% 氯化钠 100 mL + 头孢曲松钠 2 g"
    assert EN.text(said) == "0.9% NaCl 100 mL + Ceftriaxone 2 g"


@pytest.mark.requirement("R-PDA-61")
@pytest.mark.hazard("H-PDA-19")
def test_the_drug_in_the_bag_is_seen_on_every_screen(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        order = replace(rig.server.facts.orders[2], items=(BASE, DRUG))
        said = "0.9% 氯化钠 100 mL + 头孢曲松钠 2 g"
        rig.server.change(orders=(order,))
        await rig.synced()
        assert rig.text(rig.app.today.state.groups[2].rows[0].title) == said
        await rig.scan(wristband("M000003"), bag("b-o3"))
        assert rig.text(rig.app.check.state.title) == said
        rig.app.back()
        wrong = alarm("a1", "03", "no-flow", infusion_id="i1")
        rig.server.change(infusions=(RUNNING,), flows=(flow("i1", at(0)),), alarms=(wrong,))
        await rig.synced()
        assert rig.text(rig.app.alarms.state.current.about) == said
        assert rig.text(rig.app.alarms.state.rows[0].about) == said
        rig.app.open_infusion("i1")
        assert rig.text(rig.app.round.state.title) == said
        assert "静脉滴注" in rig.text(rig.app.round.state.detail)

    signed_in(scenario)
