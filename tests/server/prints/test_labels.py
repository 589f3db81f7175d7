from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from clinical.errors import BadInputError, UnavailableError
from clinical.identifiers import resolve
from server.prints import labels as module
from server.prints.canvas import px
from server.prints.labels import (
    BagLabel,
    BedLabel,
    DrugLine,
    LabelContent,
    TubeLabel,
    Wristband,
    describe,
    render,
)
from server.prints.symbols import read_all

Labels = dict[str, LabelContent]
NOW = datetime(2026, 11, 25, 1, 50, tzinfo=UTC)
WANTED = {
    "wristband": ("wristband", "P0012345678", "1"),
    "bag": ("bag", "B26112500017", ""),
    "tube": ("tube", "T2611250042", ""),
    "bed": ("bed", "W1", "01"),
    "node": ("node", "wl-edge-0a0001", ""),
    "device": ("device", "ble:c0-00-00-00-01-01", ""),
    "badge": ("badge", "N20713", ""),
    "drug": ("gs1", "06901234567892", "SER77"),
}


def meanings(image: Image.Image) -> set[tuple[str, str, str]]:
    found = [resolve(text) for text in read_all(image)]
    assert all(one.valid for one in found)
    return {(str(one.kind), one.value, one.serial) for one in found}


@pytest.mark.parametrize("kind", WANTED)
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.requirement("R-PRT-01")
def test_each_printed_label_scans_back_as_what_it_is(labels: Labels, kind: str, language: str) -> None:
    picture = Image.open(io.BytesIO(render(labels[kind], language=language).png()))
    assert meanings(picture) == {WANTED[kind]}
    assert round(picture.info["dpi"][0]) == 300


HOW = ("blurred", "tilted", "upside-down", "smaller", "enlarged", "faint", "noisy")


def damaged(image: Image.Image, how: str) -> Image.Image:
    match how:
        case "blurred":
            return image.filter(ImageFilter.GaussianBlur(1.5))
        case "tilted":
            return image.rotate(7, expand=True, fillcolor=255, resample=Image.Resampling.BICUBIC)
        case "upside-down":
            return image.rotate(180)
        case "smaller":
            return image.resize((image.width * 2 // 3, image.height * 2 // 3), Image.Resampling.LANCZOS)
        case "enlarged":
            return image.resize((image.width * 2, image.height * 2), Image.Resampling.BICUBIC)
        case "faint":
            return image.point(lambda value: 120 + value * 100 // 255)
        case _:
            noise = np.random.default_rng(1).normal(0, 22, (image.height, image.width))
            return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("kind", WANTED)
@pytest.mark.parametrize(
    "how", ["blurred", "tilted", "upside-down", "half-size", "enlarged", "faint", "noisy"]
)
@pytest.mark.requirement("R-PRT-01")
def test_a_label_that_is_blurred_tilted_small_faint_or_dirty_still_scans(
    labels: Labels, kind: str, how: str
) -> None:
    assert meanings(damaged(render(labels[kind]).image, how)) == {WANTED[kind]}


@pytest.mark.parametrize("kind", [name for name in WANTED if name != "drug"])
def test_a_second_reader_reads_the_same(labels: Labels, kind: str) -> None:
    pyzbar = pytest.importorskip("pyzbar.pyzbar")
    texts = {one.data.decode() for one in pyzbar.decode(render(labels[kind]).image)}
    assert {resolve(text).value for text in texts} == {WANTED[kind][1]}


def test_the_drug_package_carries_gs1_and_not_a_plain_code(labels: Labels) -> None:
    (found,) = zxingcpp.read_barcodes(render(labels["drug"]).image, text_mode=zxingcpp.TextMode.Plain)
    assert (found.symbology_identifier, found.content_type) == ("]d2", zxingcpp.ContentType.GS1)
    assert found.text == "010690123456789217271231" + "10LOT42A\x1d21SER77"


@pytest.mark.parametrize("kind", WANTED)
@pytest.mark.requirement("R-PRT-02")
@pytest.mark.hazard("H-PRT-01")
def test_modules_and_quiet_zones_are_at_least_what_the_standard_asks(labels: Labels, kind: str) -> None:
    canvas = render(labels[kind])
    for found in zxingcpp.read_barcodes(canvas.image):
        left, right, top, bottom = edges(found)
        module_px, quiet = measured(found, right - left)
        assert module_px >= 2.8
        margin = int(quiet * module_px) - 2
        assert margin <= left <= right <= canvas.image.width - margin
        around = np.asarray(canvas.image)[top:bottom]
        assert around[:, left - margin : left - 1].min() == 255
        assert around[:, right + 2 : right + margin].min() == 255


def edges(found: zxingcpp.Barcode) -> tuple[int, int, int, int]:
    where = found.position
    points = (where.top_left, where.top_right, where.bottom_left, where.bottom_right)
    xs, ys = [point.x for point in points], [point.y for point in points]
    return min(xs), max(xs), min(ys), max(ys)


def measured(found: zxingcpp.Barcode, width: int) -> tuple[float, int]:
    """Module width in pixels, and the quiet zone of the symbology in modules."""
    symbol = np.array(
        zxingcpp.create_barcode(
            resolve(found.text).raw if found.content_type != zxingcpp.ContentType.GS1 else found.text,
            found.format,
            **({"gs1": True} if found.content_type == zxingcpp.ContentType.GS1 else {}),
            **({"ec_level": "M"} if found.format == zxingcpp.BarcodeFormat.QRCode else {}),
        ).to_image(scale=1, add_quiet_zones=False)
    )
    quiet = {zxingcpp.BarcodeFormat.QRCode: 4, zxingcpp.BarcodeFormat.Code128: 10}.get(found.format, 1)
    return width / symbol.shape[1], quiet


@pytest.mark.parametrize("kind", WANTED)
def test_a_pdf_page_has_the_labels_real_size(labels: Labels, kind: str) -> None:
    canvas = render(labels[kind])
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+)", canvas.pdf())
    assert box is not None
    millimetres = [float(side) / 72 * 25.4 for side in box.groups()]
    assert millimetres == pytest.approx([canvas.width, canvas.height], abs=0.1)


@pytest.mark.requirement("R-PRT-03")
@pytest.mark.hazard("H-PRT-02")
def test_a_name_whose_sign_the_font_lacks_is_an_error_and_never_a_box(labels: Labels) -> None:
    with pytest.raises(BadInputError) as refused:
        render(replace(labels["wristband"], name="张\U0001f600"))
    assert (refused.value.code, refused.value.params) == ("glyph-missing", {"code_point": "U+1F600"})
    assert "张" not in refused.value.message


@pytest.mark.parametrize("name", ["刘䶮", "王喆堃", "李㛃", "欧阳镕", "阿卜杜拉·买买提·吐尔逊江"])
@pytest.mark.requirement("R-PRT-03")
def test_rare_and_long_names_are_printed_whole(labels: Labels, name: str) -> None:
    assert meanings(render(replace(labels["wristband"], name=name)).image) == {WANTED["wristband"]}


def test_a_control_character_in_a_name_is_refused(labels: Labels) -> None:
    with pytest.raises(BadInputError):
        render(replace(labels["wristband"], name="张\x07"))


@pytest.mark.requirement("R-PRT-03")
@pytest.mark.hazard("H-PRT-02")
def test_a_text_that_cannot_fit_is_refused_and_never_cut(labels: Labels) -> None:
    with pytest.raises(BadInputError) as refused:
        render(replace(labels["wristband"], name="长" * 60))
    assert refused.value.code == "label-text-too-long"


@pytest.mark.requirement("R-PRT-02")
def test_a_code_that_would_print_too_fine_is_refused(labels: Labels) -> None:
    with pytest.raises(BadInputError) as refused:
        render(replace(labels["bag"], bag_id="0199a1b2-0000-7000-8000-000000000001"))
    assert refused.value.code == "code-too-long"


def test_a_bag_shows_as_many_drugs_as_are_legible_and_refuses_more(labels: Labels) -> None:
    bag = labels["bag"]
    assert isinstance(bag, BagLabel)
    line = DrugLine(text="维生素 C 注射液", amount=Decimal("0.5"), unit="g")
    render(replace(bag, lines=(line,) * 5))
    for lines in ((line,) * 8, ()):
        with pytest.raises(BadInputError):
            render(replace(bag, lines=lines))


@pytest.mark.parametrize("kind", ["wristband", "bag", "bed"])
@pytest.mark.requirement("R-PRT-04")
@pytest.mark.hazard("H-PRT-03")
def test_only_a_demo_label_carries_the_demo_band(labels: Labels, kind: str) -> None:
    """The band is black from edge to edge along the lower border."""

    def has_band(demo: bool) -> bool:
        image = render(replace(labels[kind], demo=demo)).image  # type: ignore[arg-type]
        edge = np.asarray(image)[-px(0.4) :, :]
        return bool((edge == 0).all())

    assert (has_band(True), has_band(False)) == (True, False)


@pytest.mark.requirement("R-PRT-01")
def test_a_bed_label_is_never_taken_for_a_wristband() -> None:
    canvas = render(BedLabel(ward="W1", bed="01"))
    assert describe(canvas)[0]["kind"] == "bed"


@pytest.mark.hazard("H-PRT-01")
def test_a_label_that_does_not_read_back_is_not_given_out(
    labels: Labels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "read_all", lambda _image: ["WL1:P:OTHER:1:X"])
    with pytest.raises(UnavailableError) as refused:
        render(labels["wristband"])
    assert refused.value.code == "label-not-readable"


def test_another_language_is_refused(labels: Labels) -> None:
    with pytest.raises(BadInputError):
        render(labels["bed"], language="fr")


IDS = st.text(alphabet="ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", min_size=1, max_size=14)


@settings(max_examples=25, deadline=None)
@given(
    mrn=IDS,
    serial=st.integers(1, 999).map(str),
    name=st.text(alphabet="王李张刘陈杨赵黄周吴", min_size=1, max_size=6),
)
def test_any_wristband_scans_back_to_its_patient_and_serial(mrn: str, serial: str, name: str) -> None:
    band = Wristband(mrn=mrn, serial=serial, name=name, birth_date=date(2026, 11, 20), printed_at=NOW)
    assert meanings(render(band).image) == {("wristband", mrn, serial)}


@settings(max_examples=25, deadline=None)
@given(tube_id=IDS)
def test_any_tube_scans_back(tube_id: str) -> None:
    tube = TubeLabel(
        tube_id=tube_id, bed="1", name="李", mrn="P1", specimen="血", tests="血常规", collect_at=NOW
    )
    assert meanings(render(tube).image) == {("tube", tube_id, "")}
