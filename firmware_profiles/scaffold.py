"""A first file for a new device model: whole, commented, and failing until it is filled in."""

from __future__ import annotations

import re
from pathlib import Path

from clinical.errors import BadInputError, ConflictError

TEMPLATE = """\
# {id}: describe the device, and where its bytes are documented.
schema = 1

[profile]
id = "{id}"
vendor = "Vendor"
model = "Model"
kind = "{kind}"
transport = "ble-gatt"
trust = "reverse" # standard, own, vendor-doc, public-driver, reverse
sources = ["owner/repository:path, or manual and page"]

[[match]]
name_regex = "^{id}"

[[stream]]
id = "measurement"
source = "gatt"
characteristic = "0000fff1-0000-1000-8000-00805f9b34fb"
mode = "notify"
field = [
  {{ name = "flags", type = "u8" }},
  {{ name = "f_value", type = "u16" }},
]
value = [
  {{ name = "value", source = "f_value", unit = "1" }},
]

# One real frame and what the device showed: this one fails until it is yours.
[[test]]
stream = "measurement"
hex = "00 00 00"
expect = {{ value = 1 }}
source = "captured at the bedside: device, firmware, date"
origin = "captured"

[[test]]
stream = "measurement"
hex = "00"
reject = "short"
source = "the frame above, cut"
origin = "constructed"
"""


def write(directory: Path, profile_id: str, *, kind: str) -> Path:
    """Write ``<id>.toml`` and return its path.

    Raises:
        BadInputError: The id or kind cannot stand in a profile.
        ConflictError: There is such a file already.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,63}", profile_id):
        raise BadInputError("profile-id", "a profile id has lower-case letters, digits and underscores")
    if not re.fullmatch(r"[a-z][a-z-]*", kind):
        raise BadInputError("profile-kind", "a kind has lower-case letters and dashes")
    path = directory / f"{profile_id}.toml"
    if path.exists():
        raise ConflictError("profile-exists", f"{path} exists; it is not overwritten")
    path.write_text(TEMPLATE.format(id=profile_id, kind=kind), encoding="utf-8")
    return path
