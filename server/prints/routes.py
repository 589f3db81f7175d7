"""``/labels``: print the label of a wristband, a bag, a dose, a tube or a bed; each print is a fact."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response

from server.dependencies import Ctx, SignedInAs
from server.prints.service import Kind, Wish, print_label

router = APIRouter(tags=["labels"])
_NURSES = ("nurse", "charge-nurse")
_PREPARERS = (*_NURSES, "pharmacist")
_PLACES = (*_NURSES, "manager", "engineer")


class Form(StrEnum):
    """As what a label comes."""

    PDF = "pdf"
    PNG = "png"


_ANSWER: dict[int | str, dict[str, Any]] = {
    201: {"description": "The label", "content": {"application/pdf": {}, "image/png": {}}}
}
_SERIAL = "Label-Serial"


class Printer:
    """Prints for the person who is signed in, in the language and form that are asked for."""

    def __init__(
        self,
        session: SignedInAs,
        context: Ctx,
        language: Annotated[Literal["zh", "en"], Query(description="of the fixed words")] = "zh",
        form: Annotated[
            Form, Query(alias="format", description="a page of the label's real size, or an image")
        ] = Form.PDF,
    ) -> None:
        self.session, self.context = session, context
        self._language, self._form = language, form

    def answer(self, kind: Kind, subject: str, roles: tuple[str, ...]) -> Response:
        """Print one label; its serial stands in a header."""
        self.session.require(*roles)
        wish = Wish(kind=kind, subject=subject, by=self.session.practitioner.id, language=self._language)
        made = print_label(self.context.store, self.context.site, wish)
        is_pdf = self._form is Form.PDF
        headers = {
            _SERIAL: str(made.print.serial),
            "Content-Disposition": f'inline; filename="{kind}-{made.print.serial}.{self._form}"',
        }
        return Response(
            made.canvas.pdf() if is_pdf else made.canvas.png(),
            status_code=201,
            media_type="application/pdf" if is_pdf else "image/png",
            headers=headers,
        )


Prints = Annotated[Printer, Depends()]
_post = partial(router.post, status_code=201, response_class=Response, responses=_ANSWER)


@_post("/labels/wristband/{encounter_id}")
def wristband(encounter_id: Annotated[str, Path(max_length=200)], printer: Prints) -> Response:
    """Print the wristband that identifies a patient now; a new one is issued by ``/wristbands``."""
    return printer.answer(Kind.WRISTBAND, encounter_id, _NURSES)


@_post("/labels/bag/{bag_id}")
def bag(bag_id: Annotated[str, Path(max_length=96)], printer: Prints) -> Response:
    """Print the label of a bag or syringe that is being made up."""
    return printer.answer(Kind.BAG, bag_id, _PREPARERS)


@_post("/labels/oral/{bag_id}")
def oral(bag_id: Annotated[str, Path(max_length=96)], printer: Prints) -> Response:
    """Print the small label of a dose to be swallowed."""
    return printer.answer(Kind.ORAL, bag_id, _PREPARERS)


@_post("/labels/tube/{specimen_id}")
def tube(specimen_id: Annotated[str, Path(max_length=96)], printer: Prints) -> Response:
    """Print the label of a tube that waits to be filled."""
    return printer.answer(Kind.TUBE, specimen_id, _NURSES)


@_post("/labels/bed/{ward}")
def bed(
    ward: Annotated[str, Path(max_length=64)],
    printer: Prints,
    bed: Annotated[str, Query(max_length=64, description="the bed, as the ward names it")],
) -> Response:
    """Print the label of a bed."""
    return printer.answer(Kind.BED, f"{printer.context.site.ward(ward).id}/{bed}", _PLACES)
