"""Reading JSON from stdin and writing one JSON document, for the commands whose answer is data."""

from __future__ import annotations

import json
import sys
from typing import Any

from clinical.errors import BadInputError


def read_items() -> list[Any]:
    """Read one JSON array from stdin.

    Raises:
        BadInputError: Not UTF-8, not JSON, or not an array.
    """
    try:
        document = json.loads(sys.stdin.buffer.read())
    except ValueError as error:
        raise BadInputError("stdin-json", "stdin must hold one JSON array in UTF-8") from error
    if not isinstance(document, list):
        raise BadInputError("stdin-array", "stdin must hold one JSON array")
    return document


def write(document: Any) -> None:
    """Print one JSON document in ASCII: separators and broken characters of a scan survive any terminal."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
