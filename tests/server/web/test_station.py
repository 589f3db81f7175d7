"""The central screen in a real browser: what a nurse sees, and what she can do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.server.web.feed import Feed
from tests.server.web.scenario import iso

CLIPPED = """() => [...document.querySelectorAll('.n')]
  .filter((cell) => cell.offsetParent && cell.scrollWidth > cell.clientWidth + 1)
  .map((cell) => cell.parentElement.className + ' ' + cell.textContent)"""
FLASHES = """(ms) => new Promise((done) => {
  const seen = { high: 0, medium: 0 };
  const color = (selector) => getComputedStyle(document.querySelector(selector)).backgroundColor;
  let high = color('.tile.flash-hi .tile-head');
  let medium = color('.tile.flash-me .tile-head');
  const started = performance.now();
  const look = () => {
    const h = color('.tile.flash-hi .tile-head');
    const m = color('.tile.flash-me .tile-head');
    if (h !== high) seen.high += 1;
    if (m !== medium) seen.medium += 1;
    [high, medium] = [h, m];
    const span = performance.now() - started;
    if (span < ms) setTimeout(look, 15);
    else done([seen.high / 2 / (span / 1000), seen.medium / 2 / (span / 1000)]);
  };
  look();
})"""

Open = Callable[..., Any]
Shoot = Callable[[Any, str], None]
Ward = tuple[str, Feed]

pytestmark = pytest.mark.slow


def tile(page: Any, bed: str) -> Any:
    return page.locator(f'.tile[data-bed="{bed}"]')


def ink(page: Any, view: str = "wall") -> int:
    """Count the coloured pixels inside the lanes; the canvas belongs to the worker, so a picture is asked."""
    box = page.locator(f".{view} .lane").first.bounding_box()
    shot = page.screenshot(clip=box)
    code = """async (bytes) => {
      const picture = await createImageBitmap(new Blob([Uint8Array.from(bytes)], { type: 'image/png' }));
      const canvas = new OffscreenCanvas(picture.width, picture.height);
      const context = canvas.getContext('2d');
      context.drawImage(picture, 0, 0);
      const data = context.getImageData(0, 0, picture.width, picture.height).data;
      let ink = 0;
      for (let i = 0; i < data.length; i += 4) ink += Math.abs(data[i] - data[i + 2]) > 60;
      return ink;
    }"""
    return int(page.evaluate(code, list(shot)))


def wait_for_ink(page: Any, view: str = "wall", least: int = 100) -> None:
    deadline = time.monotonic() + 8
    while ink(page, view) < least:
        assert time.monotonic() < deadline, "no waveform was drawn"
        page.wait_for_timeout(150)


LOOKS = (("zh", 1920, 1080), ("en", 1920, 1080), ("en", 1280, 800), ("zh", 1280, 800))


def each_look(page: Any, looks: Iterable[tuple[str, int, int]] = LOOKS) -> Iterator[str]:
    """Show a page in both languages at both sizes, switched while it runs."""
    for lang, width, height in looks:
        page.set_viewport_size({"width": width, "height": height})
        page.locator(f".station [data-lang={lang}]").click()
        page.wait_for_timeout(300)
        yield f"{lang}_{width}"


@pytest.mark.requirement("R-WEB-01")
@pytest.mark.requirement("R-WEB-02")
@pytest.mark.requirement("R-WEB-14")
def test_eight_beds_show_without_a_cut_number(small: Ward, open_page: Open, shoot: Shoot) -> None:
    page = open_page(small[0])
    for look in each_look(page):
        assert page.locator(".tile:visible").count() == 8
        assert page.evaluate(CLIPPED) == [], look
        wait_for_ink(page)
        shoot(page, f"wall_8_{look}")
    assert page.watch.complaints == []
    assert page.watch.hosts == {small[0].removeprefix("http://")}


@pytest.mark.requirement("R-WEB-01")
@pytest.mark.requirement("R-WEB-02")
def test_twenty_four_beds_show_without_a_cut_number(large: Ward, open_page: Open, shoot: Shoot) -> None:
    page = open_page(large[0])
    for look in each_look(page):
        assert page.locator(".tile").count() == 24
        assert page.evaluate(CLIPPED) == [], look
        wait_for_ink(page)
        shoot(page, f"wall_24_{look}")
    assert page.locator(".bed-chip").count() == 24
    assert page.locator(".off-screen").is_visible()
    assert page.watch.complaints == []


@pytest.mark.requirement("R-WEB-03")
@pytest.mark.requirement("R-WEB-05")
@pytest.mark.requirement("R-WEB-11")
@pytest.mark.hazard("H-WEB-02")
def test_each_kind_of_bed_looks_like_what_it_is(small: Ward, open_page: Open) -> None:
    page = open_page(small[0])
    page.wait_for_function(
        "() => document.querySelector('.tile[data-bed=\"01\"] .time-left').textContent === '1h26'"
    )
    kinds = {bed: tile(page, bed).get_attribute("class").split()[1] for bed in ("01", "06", "07", "08")}
    assert kinds == {"01": "live", "06": "empty", "07": "offline", "08": "no-device"}
    first = tile(page, "01").inner_text()
    for words in ("陈*兰", "97", "76", "硝酸甘油", "40", "/40", "172", "/ 250 ml", "1h26", "演示"):
        assert words in first
    offline = tile(page, "07")
    assert offline.locator(".time-left").inner_text() == "– –"
    assert "≤ 77" in offline.inner_text()
    assert "min" not in offline.inner_text()
    assert "stale" in offline.locator(".cell-spo2").get_attribute("class")
    assert tile(page, "04").locator(".panel").inner_text().split() != []
    assert page.locator(".tile .demo:visible").count() == 7
    assert page.locator(".top .demo").is_visible()


@pytest.mark.requirement("R-WEB-04")
@pytest.mark.hazard("H-WEB-01")
def test_a_value_that_stops_coming_turns_stale_by_itself(small: Ward, open_page: Open) -> None:
    url, feed = small
    page = open_page(url)
    feed.scenario.silent.add("01")
    seven_s_ago = iso(datetime.now(UTC) - timedelta(seconds=7))
    for kind, key in (("vital", "01/MDC_PULS_OXIM_SAT_O2"), ("infusion", "inf-01")):
        held = feed.scenario.state[f"{kind}s"][key]
        feed.put(kind, key, {**held, "effective": seven_s_ago})
    assert page.locator('.tile[data-bed="01"] .cell-spo2.live').count() == 1
    page.wait_for_selector('.tile[data-bed="01"] .cell-spo2.stale', timeout=6_000)
    assert page.locator('.tile[data-bed="01"] .cell-spo2 .when').inner_text().count(":") == 2
    assert tile(page, "01").locator(".time-left").inner_text() == "– –"
    assert tile(page, "01").locator(".rate").is_hidden()


@pytest.mark.requirement("R-WEB-06")
def test_high_flashes_at_two_hertz_and_medium_at_half_a_hertz(small: Ward, open_page: Open) -> None:
    page = open_page(small[0])
    high, medium = page.evaluate(FLASHES, 4200)
    assert 1.4 <= high <= 2.8
    assert 0.4 <= medium <= 0.8


@pytest.mark.requirement("R-WEB-06")
@pytest.mark.requirement("R-WEB-08")
def test_f2_acknowledges_the_highest_alarm_and_it_stops_flashing(small: Ward, open_page: Open) -> None:
    url, feed = small
    page = open_page(url)
    assert "SpO₂ 过低" in page.locator(".banner-line").inner_text()
    page.keyboard.press("F2")
    page.wait_for_selector('.tile[data-bed="02"].seen')
    assert feed.acknowledged == ["a-spo2"]
    assert "林晓燕" in page.locator(".side .alarm-row.hi").inner_text()
    assert "fill-hi" not in page.locator(".banner-line").get_attribute("class")
    assert "flash-hi" not in tile(page, "02").locator(".cell-spo2").get_attribute("class")
    assert "fill-hi" in tile(page, "02").locator(".cell-spo2").get_attribute("class")
    page.locator(".side .alarm-row.lo .ack").click()
    page.wait_for_selector('.tile[data-bed="07"].seen')
    assert feed.acknowledged == ["a-spo2", "a-node"]


@pytest.mark.requirement("R-WEB-08")
def test_an_acknowledgement_that_fails_is_told_and_the_alarm_goes_on(small: Ward, open_page: Open) -> None:
    url, feed = small
    page = open_page(url)
    refused = {"status": 403, "json": {"code": "role"}, "content_type": "application/problem+json"}
    page.route("**/acknowledge", lambda route: route.fulfill(**refused))
    page.keyboard.press("F2")
    page.wait_for_selector(".toast:visible")
    assert "角色" in page.locator(".toast").inner_text()
    assert feed.acknowledged == []
    assert "fill-hi" in page.locator(".banner-line").get_attribute("class")


@pytest.mark.requirement("R-WEB-08")
def test_f3_pauses_the_sound_with_a_countdown_and_a_new_high_alarm_breaks_through(
    small: Ward, open_page: Open
) -> None:
    url, feed = small
    page = open_page(url)
    page.keyboard.press("F3")
    page.wait_for_selector(".pause-state:visible")
    assert page.locator(".pause-state b").inner_text() in {"2:00", "1:59"}
    page.wait_for_function("() => /^1:5[0-8]$/.test(document.querySelector('.pause-state b').textContent)")
    template = feed.scenario.state["alarms"]["a-spo2"]
    feed.put("alarm", "a-new", {**template, "id": "a-new", "bed": "03"})
    page.wait_for_selector(".pause-state", state="hidden", timeout=2500)


@pytest.mark.requirement("R-WEB-09")
@pytest.mark.hazard("H-WEB-03")
@pytest.mark.parametrize("way", ["cut", "freeze"])
def test_the_veil_falls_within_three_seconds_and_lifts_when_data_comes_again(
    small: Ward, open_page: Open, shoot: Shoot, way: str
) -> None:
    url, feed = small
    page = open_page(url)
    page.wait_for_timeout(1500)
    assert page.locator(".veil").is_hidden()
    before = time.monotonic()
    getattr(feed, way)()
    page.wait_for_selector(".veil:visible", timeout=4000)
    assert time.monotonic() - before <= 3.0
    words = page.locator(".veil").inner_text()
    assert "数据未更新" in words
    assert "NOT LIVE" in words
    shoot(page, f"notlive_{way}")
    late = {"id": "t9", "text": {"zh": "断线时来的", "en": "late"}}
    feed.put("task", "t9", {**feed.scenario.state["tasks"]["t1"], **late})
    snapshots = feed.snapshots
    feed.restore()
    page.wait_for_selector(".veil", state="hidden", timeout=8000)
    page.wait_for_selector(".task-row:has-text('断线时来的')")
    assert feed.snapshots == snapshots
    assert feed.resumed == (1 if way == "cut" else 0)


@pytest.mark.requirement("R-WEB-13")
def test_a_restarted_server_gives_a_new_picture(small: Ward, open_page: Open) -> None:
    url, feed = small
    page = open_page(url)
    feed.cut()
    feed.epoch = "e2"
    feed.scenario.state["tasks"].clear()
    feed.restore()
    page.wait_for_selector(".side .task-list .none-line:visible", timeout=8000)


@pytest.mark.requirement("R-WEB-10")
def test_language_and_theme_switch_while_the_ward_runs(small: Ward, open_page: Open, shoot: Shoot) -> None:
    page = open_page(small[0])
    assert "当前报警" in page.locator(".side").inner_text()
    page.locator(".station [data-lang=en]").click()
    text = page.locator(".station").inner_text()
    for words in ("Active alarms", "Demo ward", "DEMO", "No device", "nitroglycerin", "Secondary display"):
        assert words in text
    assert page.title() == "Wardlink central station"
    assert page.evaluate("() => document.documentElement.lang") == "en"
    dark = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    page.locator(".station .theme").click()
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") != dark
    page.wait_for_timeout(1500)
    shoot(page, "wall_8_en_light")
    assert page.evaluate(CLIPPED) == []


@pytest.mark.requirement("R-WEB-16")
@pytest.mark.parametrize(("lang", "size"), [("zh", (1920, 1080)), ("en", (1280, 800))])
def test_the_screen_always_says_that_it_is_secondary(
    small: Ward, open_page: Open, lang: str, size: tuple[int, int]
) -> None:
    page = open_page(small[0], lang=lang, size=size)
    for key in ("F1", "F4", "F5", "F7", "F8"):
        page.keyboard.press(key)
        note = page.locator(".secondary")
        assert note.is_visible()
        assert note.evaluate("(e) => e.scrollHeight <= e.clientHeight + 1") is True
        assert note.evaluate("(e) => e.scrollWidth <= e.clientWidth + 1") is True


@pytest.mark.requirement("R-WEB-07")
@pytest.mark.requirement("R-WEB-20")
def test_every_page_opens_by_its_key_and_the_board_has_the_urgent_drip_first(
    large: Ward, open_page: Open, shoot: Shoot
) -> None:
    page = open_page(large[0])
    page.keyboard.press("F7")
    page.wait_for_selector(".board-row")
    beds = page.locator(".board-row .col-bed").all_inner_texts()
    assert beds[:3] == ["20", "13", "01"]
    assert len(beds) == 17
    for key, name in (("F7", "infusions"), ("F4", "bed"), ("F5", "alarms"), ("F8", "tasks")):
        page.keyboard.press(key)
        for look in each_look(page, LOOKS[::2]):
            assert page.evaluate(CLIPPED) == [], look
            shoot(page, f"{name}_{look}")
    assert page.watch.complaints == []


@pytest.mark.requirement("R-WEB-17")
def test_the_bed_page_shows_waves_numbers_and_the_drip_against_its_order(
    large: Ward, open_page: Open
) -> None:
    page = open_page(large[0])
    page.locator('.tile[data-bed="08"]').click()
    wait_for_ink(page, "bed-page", 200)
    assert page.locator(".bed-head .head-no").inner_text() == "08"
    assert page.locator(".bed-number:visible").count() == 5
    assert page.locator(".curve-expected").first.get_attribute("d").startswith("M")
    assert page.locator(".curve-measured").first.get_attribute("d").startswith("M")
    page.keyboard.press("ArrowRight")
    assert page.locator(".bed-head .head-no").inner_text() == "09"
    page.keyboard.press("Escape")
    assert page.locator(".wall").is_visible()


@pytest.mark.requirement("R-WEB-18")
def test_nobody_signed_in_sees_no_patient(small: Ward, open_page: Open, shoot: Shoot) -> None:
    page = open_page(small[0], code="")
    assert page.locator(".start").is_visible()
    assert page.locator(".tile").count() == 0
    page.wait_for_timeout(800)
    shoot(page, "start_zh")
    page.fill("#badge", "N20713")
    page.fill("#pin", "1111")
    page.keyboard.press("Enter")
    page.wait_for_selector(".refusal:visible")
    assert "PIN" in page.locator(".refusal").inner_text()
    page.fill("#pin", "2580")
    page.keyboard.press("Enter")
    page.wait_for_selector(".tile")
    assert page.locator(".person").inner_text() == "林晓燕"
    kept = page.evaluate("() => [localStorage, sessionStorage].flatMap((store) => Object.values(store))")
    assert "t" not in kept


@pytest.mark.requirement("R-WEB-18")
def test_a_one_time_code_signs_in_and_leaves_the_address(small: Ward, open_page: Open) -> None:
    page = open_page(small[0])
    assert "code" not in page.url
    page.reload()
    page.wait_for_selector(".tile")


@pytest.mark.requirement("R-WEB-19")
@pytest.mark.hazard("H-WEB-04")
def test_the_sound_is_unchecked_until_somebody_says_heard(small: Ward, open_page: Open) -> None:
    page = open_page(small[0])
    page.wait_for_selector(".sound-chip:visible")
    page.locator(".sound-chip").click()
    page.keyboard.press("p")
    page.wait_for_selector(".sound-card.hi:has-text('播放中')")
    page.keyboard.press("h")
    page.locator(".signed-in .primary").click()
    page.wait_for_selector(".sound-chip", state="hidden")


@pytest.mark.requirement("R-SRV-66")
@pytest.mark.hazard("H-SRV-20")
def test_a_wall_screen_gives_its_name_answers_and_shows_another_one_that_is_silent(
    small: Ward, open_page: Open
) -> None:
    url, feed = small
    page = open_page(url, lang="en&screen=wall-1")
    page.wait_for_timeout(2200)
    assert feed.heard["wall-1"] >= 1
    silent = dict(next(iter(feed.scenario.state["alarms"].values())))
    silent |= {"id": "quiet", "bed": "", "priority": "Hi", "condition": "screen-silent", "signal": "on"}
    silent |= {"acknowledged_at": None, "present": True, "started_at": iso(datetime.now(UTC))}
    silent["params"] = {"screen": "w2", "zh": "东墙", "en": "East wall"}
    feed.put("alarm", "quiet", silent)
    page.get_by_text("WALL SCREEN SILENT").filter(visible=True).first.wait_for()
    assert "East wall" in page.locator("body").inner_text()


@pytest.mark.requirement("R-SRV-66")
@pytest.mark.hazard("H-SRV-20")
def test_a_wall_screen_with_a_name_nobody_registered_says_so_and_shows_the_ward(
    small: Ward, open_page: Open
) -> None:
    page = open_page(small[0], lang="en&screen=nobody")
    page.wait_for_selector(".toast:visible")
    assert "not registered" in page.locator(".toast").inner_text()
