"""Shapes of issuing wristbands."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from clinical.records import Wristband


class WristbandRequest(BaseModel):
    """For whose stay."""

    model_config = ConfigDict(frozen=True)

    encounter_id: str = Field(min_length=1, max_length=96)


class WristbandLabel(BaseModel):
    """The new wristband and the text of its barcode."""

    model_config = ConfigDict(frozen=True)

    wristband: Wristband
    code: str = Field(examples=["WL1:P:P0012345678:1:K"])
