"""Reads what was sent: JSON, its codes, its elements.

An element of R4 that is neither taken nor may stand beside it is refused by its name, so that nothing a
sender relies on is dropped in silence; so is everything that a reader must understand
(``modifierExtension``, ``implicitRules``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from server.fhir.codes import wrong_codes
from server.fhir.errors import bad_request, unprocessable
from server.fhir.incoming import EncounterIn, MedicationRequestIn, ObservationIn, Part, PatientIn
from server.sync.sound import check_sound

DEEPEST = 100
"""Levels of a body (proposal); no resource of R4 comes near, and every reader behind this may recurse."""
_UNHEARD = frozenset({"modifierExtension", "implicitRules"})
_BESIDE = frozenset({"text", "language", "extension", "meta"})
BESIDE: Mapping[str, frozenset[str]] = {
    kind: frozenset(words.split())
    for kind, words in {
        "Patient": "telecom address maritalStatus multipleBirthBoolean multipleBirthInteger photo contact "
        "communication generalPractitioner managingOrganization contained",
        "Encounter": "type serviceType priority episodeOfCare basedOn participant appointment length "
        "reasonReference diagnosis account hospitalization serviceProvider classHistory statusHistory "
        "contained",
        "MedicationRequest": "statusReason category supportingInformation performer performerType recorder "
        "reasonCode reasonReference courseOfTherapyType insurance substitution basedOn instantiatesCanonical "
        "instantiatesUri detectedIssue eventHistory",
        "Observation": "issued performer method bodySite note referenceRange basedOn partOf specimen "
        "hasMember derivedFrom contained",
    }.items()
}
"""Elements of R4 that are taken and not kept."""
MODELS: Mapping[str, type[Part]] = {
    "Patient": PatientIn,
    "Encounter": EncounterIn,
    "MedicationRequest": MedicationRequestIn,
    "Observation": ObservationIn,
}
M = TypeVar("M", bound=BaseModel)


def read_json(body: bytes) -> dict[str, Any]:
    """Read a body as one JSON object with exact decimals.

    Raises:
        FhirError: It is not JSON, holds a key twice, is no object, or is nested too deeply.
        BadInputError: A text or number in it cannot be stored.
    """
    try:
        found = json.loads(body, parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_each_once)
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise bad_request("fhir-json", "the body is not JSON, or says something twice") from error
    if not isinstance(found, dict):
        raise bad_request("fhir-json", "the body has to be one resource")
    if _is_too_deep(found):
        raise bad_request("fhir-json", f"the body is nested too deeply; {DEEPEST} levels are read")
    return found


def _is_too_deep(found: Any) -> bool:
    level = [found]
    for _ in range(DEEPEST + 1):
        level = [part for one in level for part in _parts(one)]
        if not level:
            return False
    return True


def _parts(found: Any) -> Iterable[Any]:
    if isinstance(found, Mapping):
        return found.values()
    return found if isinstance(found, list) else ()


def _no_number(word: str) -> None:
    raise ValueError(word)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def read_resource(found: Mapping[str, Any], kind: str) -> Part:
    """Hold a resource against what is taken of its type.

    Raises:
        FhirError: It is of another type, has an element or a code that is not taken, or lacks one.
        BadInputError: A text or number in it cannot be stored.
    """
    if found.get("resourceType") != kind:
        raise unprocessable(
            "fhir-element", "the resource is of another type than its address", element="resourceType"
        )
    must_be_understood(found, kind)
    beside = _BESIDE | BESIDE[kind]
    told = {
        key: _plain(value, key)
        for key, value in found.items()
        if key not in beside and not key.startswith("_") and key != "resourceType"
    }
    if isinstance(told.get("contained"), list):
        told["contained"] = [part for part in told["contained"] if _is_medication(part)]
    check_sound(told)
    wrong = wrong_codes({**told, "resourceType": kind})
    if wrong:
        raise unprocessable("fhir-code", "this code is not one that R4 allows here", element=wrong[0])
    return read_model(MODELS[kind], told, kind)


def _is_medication(part: Any) -> bool:
    return not isinstance(part, Mapping) or part.get("resourceType") == "Medication"


def _plain(value: Any, where: str) -> Any:
    """Leave out extensions, which change no meaning; those of a name say how it is written and stay."""
    if isinstance(value, Mapping):
        kept = {key: part for key, part in value.items() if not key.startswith("_")}
        return {key: _plain(part, key) for key, part in kept.items() if key != "extension" or where == "name"}
    return [_plain(part, where) for part in value] if isinstance(value, list) else value


def read_model(model: type[M], told: Mapping[str, Any], kind: str) -> M:
    """Read one element or resource; the first thing that does not fit is named.

    Raises:
        FhirError: Something in it is not taken, missing, or written wrong.
    """
    try:
        return model.model_validate(told)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        element = ".".join([kind, *(str(part) for part in first["loc"])])[:150]
        code = "fhir-required" if first["type"] == "missing" else "fhir-element"
        raise unprocessable(
            code,
            "this element is missing, is not taken here, or is not written as R4 says",
            element=element.encode("utf-8", "replace").decode(),
            rule=first["type"],
        ) from error


def must_be_understood(found: Any, path: str) -> None:
    """Refuse what changes the meaning of what it stands in, wherever it stands.

    Raises:
        FhirError: There is such a thing.
    """
    if isinstance(found, Mapping):
        for key, part in found.items():
            if key in _UNHEARD:
                raise unprocessable(
                    "fhir-must-understand",
                    "this would change the meaning of what it stands in, and is not understood here",
                    element=f"{path}.{key}"[:150],
                )
            must_be_understood(part, f"{path}.{key}"[:150])
    elif isinstance(found, list):
        for part in found:
            must_be_understood(part, path)


def is_test_data(found: Mapping[str, Any]) -> bool:
    """Whether a resource says of itself that it is not about a real person."""
    meta = found.get("meta")
    tags = meta.get("tag") if isinstance(meta, Mapping) else None
    listed = tags if isinstance(tags, list) else []
    return any(isinstance(tag, Mapping) and tag.get("code") == "HTEST" for tag in listed)
