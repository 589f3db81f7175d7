"""Labels that tests share: one of each kind."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from clinical.records import Sex
from server.prints.labels import (
    Badge,
    BagLabel,
    BedLabel,
    DeviceLabel,
    DrugLine,
    DrugPackage,
    LabelContent,
    NodeLabel,
    TubeLabel,
    Wristband,
)

NOW = datetime(2026, 11, 25, 1, 50, tzinfo=UTC)
LABELS: dict[str, LabelContent] = {
    "wristband": Wristband(
        mrn="P0012345678", serial="1", name="张建国", name_latin="ZHANG Jianguo", sex=Sex.MALE,
        birth_date=date(1958, 6, 14), ward="W1", bed="01", allergy="青霉素", printed_at=NOW, demo=True,
    ),
    "bag": BagLabel(
        bag_id="B26112500017", bed="01", name="张建国", mrn="P0012345678", sex=Sex.MALE,
        birth_date=date(1958, 6, 14), route="IVPB", frequency="q24h", planned_at=NOW, printed_at=NOW,
        lines=(
            DrugLine(text="0.9% 氯化钠注射液", amount=Decimal(100), unit="mL"),
            DrugLine(text="头孢曲松钠", amount=Decimal(2), unit="g"),
        ),
        rate_ml_h=Decimal(200), drops_per_ml=20, prepared_by="陈静", high_alert=True, demo=True,
    ),
    "tube": TubeLabel(
        tube_id="T2611250042", bed="02", name="李秀兰", mrn="P0012345686", specimen="静脉血 EDTA",
        tests="血常规", collect_at=NOW,
    ),
    "bed": BedLabel(ward="W1", bed="01", ward_name="演示病区", demo=True),
    "node": NodeLabel(node="wl-edge-0a0001", serves="01"),
    "device": DeviceLabel(uid="ble:c0-00-00-00-01-01", label="D-0101", kind="滴速传感器", serial="WLD-0101"),
    "badge": Badge(badge="N20713", name="王丽", name_latin="WANG Li", role="护士", hospital="演示医院"),
    "drug": DrugPackage(
        gtin="06901234567892", lot="LOT42A", expiry=date(2027, 12, 31), serial="SER77", name="头孢曲松钠 1 g"
    ),
}  # fmt: skip


@pytest.fixture
def labels() -> dict[str, LabelContent]:
    return LABELS
