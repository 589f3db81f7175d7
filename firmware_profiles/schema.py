"""The profile language, typed: what may stand in ``devices/<kind>/<name>.toml``.

A stream has two layers. *Fields* say how the bytes lie; *values* say what they mean (unit, code, scale,
plausible range). Both are data only: conditions are ``name.bit``, ``!name.bit``, ``name==n``,
``name!=n``, there is no expression language and nothing is evaluated. Unknown keys are errors.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from clinical.records import Validity

Word = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=64)]
Hex = Annotated[str, Meta(pattern=r"^([0-9A-Fa-f]{2}\s*)*$")]
Uuid = Annotated[str, Meta(pattern=r"^([0-9A-Fa-f]{4}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$")]
Condition = Annotated[str, Meta(pattern=r"^(!?\w+\.\d+|\w+[!=]=[^\s]+)$")]
# A string with a pattern must never share a union with a list, dict or tuple: msgspec 0.22 then frees the
# pattern as if it were a type, and the interpreter dies in a later collection. A test walks every type.
Conditions = str | list[str]
Count = Annotated[int, Meta(ge=1, le=65536)]
Revision = Annotated[str, Meta(pattern=r"^((>=|<=|==|<|>)\d+(\.\d+)*(,|$))*$")]

BinaryType = Literal[
    "u8", "u16", "u24", "u32", "u64", "i8", "i16", "i24", "i32",
    "sfloat", "float", "datetime7", "bcd", "ascii", "bytes", "uint_rest", "utf8_rest", "bytes_rest",
]  # fmt: skip
TextType = Literal["int", "decimal", "text", "hex"]
Algorithm = Literal[
    "sum8", "inverted-sum8", "xor8", "sum16", "sum32", "crc8", "crc8-maxim",
    "crc16-ccitt-false", "crc16-mcrf4xx", "crc16-x25", "crc16-xmodem",
]  # fmt: skip


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every table in a profile."""


class Device(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[profile]``: which model this is, and how far its bytes may be trusted."""

    id: Word
    vendor: str
    model: str
    kind: Annotated[str, Meta(pattern=r"^[a-z][a-z-]*$", description="also the folder it lies in")]
    transport: Literal["ble-gatt", "ble-advert", "serial"]
    trust: Literal["standard", "own", "vendor-doc", "public-driver", "reverse"]
    sources: Annotated[list[str], Meta(min_length=1)]
    version: Count = 1
    aliases: list[str] = []
    regulatory_use: Literal["clinical", "wellness", "lab"] = "clinical"
    read_only: Annotated[
        bool,
        Meta(description="nothing on the device is changed, not its clock either; always for pumps"),
    ] = True
    enabled: bool = True
    note: str = ""


class MatchRule(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[match]]``: every key that is given must hold; the highest priority wins.

    What of an advert's data is the frame of the stream: all of it, or ``frame_length`` bytes from
    ``frame_at``. ``with_id`` first puts the two bytes of the manufacturer id in front, as they are on the
    air: some makers write a mark or a counter of their own there, whose fixed bits are in
    ``manufacturer_mask``.
    """

    service_uuid: Uuid | None = None
    service_data_uuid: Uuid | None = None
    manufacturer_id: Annotated[int, Meta(ge=0, le=0xFFFF)] | None = None
    manufacturer_mask: Annotated[int, Meta(ge=1, le=0xFFFF)] = 0xFFFF
    data_prefix: Hex = ""
    data_mask: Hex = ""
    data_length: Count | None = None
    with_id: bool = False
    frame_at: Annotated[int, Meta(ge=0)] = 0
    frame_length: Count | None = None
    name_regex: str = ""
    model_regex: str = ""
    firmware: Revision = ""
    hardware: Revision = ""
    priority: Annotated[int, Meta(ge=0, le=100)] = 10


class Link(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[link]``: how a session with this device is kept.

    A device of mode ``on-advert`` is there only while it has something to tell, so its going is no loss.
    ``max_quiet_s`` of silence end a link in every mode. ``bond`` says what becomes of the keys of a pairing.
    """

    mode: Literal["broadcast", "on-advert", "persistent", "poll"] = "persistent"
    pairing: Literal["none", "just-works", "passkey"] = "none"
    bond: Literal["reuse", "per-session"] = "reuse"
    connect_timeout_s: Annotated[float, Meta(gt=0, le=120)] = 20.0
    max_quiet_s: Annotated[float, Meta(gt=0)] = 10.0
    write_gap_ms: Annotated[
        int, Meta(ge=0, le=1000, description="pause after each byte on a cable, after each write on the air")
    ] = 0


class SerialLine(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[serial]``: line settings."""

    baud: Annotated[int, Meta(ge=50, le=4_000_000)]
    bits: Literal[7, 8] = 8
    parity: Literal["N", "E", "O"] = "N"
    stop: Literal[1, 2] = 1
    rts: bool | None = None
    dtr: bool | None = None
    flow: Literal["none", "rtscts", "xonxoff"] = "none"


class Clock(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[clock]``: what the device's own clock is worth.

    ``record``: each stored result bears its time. ``cts`` and ``datetime``: characteristics 2A2B and 2A08;
    ``any``: the first of these that the device has. ``stream``: a frame of ``read_stream`` tells what the
    clock shows now, or one of ``set_stream`` (source ``host``) sets it.
    It is set only when it is more than ``max_drift_s`` wrong, and only from a node whose own clock is right.
    """

    read: Literal["none", "record", "cts", "datetime", "any", "stream"] = "none"
    set: Literal["never", "cts", "datetime", "any", "stream"] = "never"
    zone: Literal["local", "utc", "unknown"] = "unknown"
    max_drift_s: Annotated[int, Meta(ge=0)] = 30
    read_stream: str = ""
    set_stream: str = ""


class Command(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[allow_send.NAME]``: bytes that may go to the device. Nothing else ever does."""

    text: str | None = None
    hex: Hex | None = None
    characteristic: Uuid | None = None
    write: Literal["request", "command"] = "request"


class Step(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[[handshake]]`` step or ``[[poll]]``.

    ``send`` names an entry of ``allow_send``; without it the characteristic of ``stream`` is read. The answer
    is a frame of ``stream``, or bytes that begin with ``expect``; with neither, none is waited for.
    A poll without ``every_s`` is asked once, after the handshake.
    """

    send: str = ""
    expect: Hex = ""
    timeout_ms: Count = 1000
    retries: Annotated[int, Meta(ge=0, le=10)] = 2
    every_s: Annotated[float, Meta(ge=0.05, le=86400)] | None = None
    stream: str = ""


class Racp(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[racp]``: download of stored records through 2A52; nothing is ever deleted on the meter."""

    mode: Literal["since-sequence", "all"] = "since-sequence"
    complete_codes: list[int] = msgspec.field(default_factory=lambda: [1, 6])
    timeout_s: Annotated[float, Meta(gt=0)] = 30.0


class Checksum(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Over ``frame[start:stop]``, found at ``frame[at]``; negative numbers count from the end."""

    alg: Algorithm
    start: int = 0
    stop: int = -1
    at: int = -1
    endian: Literal["little", "big"] = "little"
    optional: bool = False  # present only when exactly its bytes are left over
    when: Conditions = []


class Blocks(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A packet of equal blocks whose first one is marked (Nonin: 25 frames of 5 bytes)."""

    count: Count
    first_mask: Hex
    first_value: Hex


class Framing(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one frame is found in a stream, and found again after noise.

    Either ``length`` (fixed), ``start`` + ``length_at`` (counted), ``start`` + ``end`` (delimited). With
    ``escape`` the bytes after the start mark are first freed of it: the byte that follows an escape is
    combined with ``escape_xor``. All other keys speak of the frame without escapes.
    """

    length: Count | None = None
    mask: Hex = ""
    value: Hex = ""
    start: Hex = ""
    end: Hex = ""
    tail: Annotated[int, Meta(ge=0, le=8, description="bytes after the end mark")] = 0
    length_at: Annotated[int, Meta(ge=0)] | None = None
    length_size: Literal[1, 2] = 1
    length_endian: Literal["little", "big"] = "big"
    length_add: int = 0
    escape: Annotated[str, Meta(pattern=r"^([0-9A-Fa-f]{2})?$")] = ""
    escape_xor: Annotated[int, Meta(ge=1, le=255)] = 0x20
    max_length: Count = 256
    checksum: Checksum | None = None
    blocks: Blocks | None = None


class Line(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text line: a regular expression with named groups, and a template for the way back.

    In a stream with ``framing`` the frame is found first, and the text is what stands before its end mark.
    """

    regex: str
    template: str
    end: Annotated[str, Meta(min_length=1)] = "\r\n"
    max_length: Count = 512
    checksum: Algorithm | None = None
    over: Name = "body"
    at: Name = "check"


class Records(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Several records in one notification, each beginning with (or of) its own size."""

    size_at: Annotated[int, Meta(ge=0)] | None = None
    size: Count | None = None
    checksum: Checksum | None = None


class Field(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where some bytes (or a group of a line) are, and what they may be."""

    name: Name
    type: BinaryType | TextType
    offset: Annotated[int, Meta(ge=0)] | None = None
    length: Count | None = None
    endian: Literal["little", "big"] | None = None
    when: Conditions = []
    split: dict[Name, tuple[int, int]] = {}
    one_of: list[int | str] = []
    min: int | None = None
    max: int | None = None
    reserved: Annotated[int, Meta(ge=0, description="bits that must be 0")] = 0
    default: int = 0
    repeat: Count | Literal["rest"] | None = None
    at_least: Annotated[int, Meta(ge=0)] = 0
    stride: Count | None = None
    fold: Literal["or"] | None = None
    sizes: list[int] = []
    wide_when: Condition | None = None  # then twice as many bytes
    lookup: dict[str, int] = {}
    absent: str = ""  # what a line writes where there is no number, such as ---


class Case(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to read a value; the first whose conditions hold is taken."""

    when: Conditions = []
    scale: Decimal | None = None
    unit: str | None = None


class DateParts(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A date composed of fields or their parts."""

    year: Name
    month: Name
    day: Name
    hour: Name | None = None
    minute: Name | None = None
    second: Name | None = None
    year_base: Annotated[int, Meta(ge=0)] = 0


class ValueRule(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One value a stream yields: taken from a field, a part of one, or several joined by bits.

    Several rules may bear one name where formats write a value in several sizes: the first that is present
    is read, the last is written, so the widest stands last.
    """

    name: Name
    source: Annotated[str, Meta(pattern=r"^\w+(<<\d+)?(\|\w+(<<\d+)?)*$")] | None = None
    date: DateParts | None = None
    when: Conditions = []
    absent_is_null: bool = False
    scale: Decimal = Decimal(1)
    add: Decimal = Decimal(0)
    step: Decimal | None = None  # what the device shows is a multiple of this, to the nearest
    unit: str = ""
    cases: list[Case] = []
    map: dict[str, str] = {}
    bits: dict[str, str] = {}
    flag: bool = False
    invalid: list[int] = []
    code: Annotated[str, Meta(pattern=r"^(MDC[A-Z]*_[A-Z0-9_]+)?$")] = ""
    code_from: Name | None = None
    codes: dict[str, str] = {}  # raw word of code_from → code, where the site or specimen decides
    plausible: tuple[Decimal, Decimal] | None = None
    stale_s: Annotated[float, Meta(gt=0)] | None = None
    rate_hz: Annotated[float, Meta(gt=0, le=1000)] | None = None
    role: Literal["", "device_time", "clock", "time_offset_min", "sequence"] = ""  # of a record, or now


class Quality(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When these conditions hold, these values (all when none is named) have this validity."""

    when: Conditions
    validity: Validity | None = None
    reason: str
    values: list[Name] = []
    demo: bool = False


class ObjectRule(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One object of a tag-value stream such as BTHome: its fixed size and the field it fills."""

    tag: Annotated[int, Meta(ge=0, le=0xFFFF)]
    field: Name


class Tags(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """After the plain fields: tag, value, tag, value … until the end."""

    object: Annotated[list[ObjectRule], Meta(min_length=1)]


class Stream(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[stream]]``: one kind of frame this device sends, or (source ``host``) one that sets its clock."""

    id: Word
    source: Literal["gatt", "advert", "serial", "memory", "host"]
    field: list[Field]
    value: Annotated[list[ValueRule], Meta(min_length=1)]
    service: Uuid | None = None
    characteristic: Uuid | None = None
    mode: Literal["notify", "indicate", "read", "service-data", "manufacturer-data"] | None = None
    endian: Literal["little", "big"] = "little"
    length: Count | None = None
    lengths: list[int] = []
    trailing: Literal["error", "ignore"] = "error"
    framing: Framing | None = None
    line: Line | None = None
    records: Records | None = None
    checksum: Checksum | None = None
    tags: Tags | None = None
    decrypt: Literal["bthome-v2", "mibeacon", "laica"] | None = None
    unpack: Literal["intellivue-numerics", "dexcom-backfill", "mmc-t201"] | None = None
    not_all_same: bool = False
    quality: list[Quality] = []


class AlarmRule(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[alarm]]``: a condition this device's own values raise on the node."""

    value: Name
    kind: Literal["limit", "technical", "absence"]
    priority: Literal["Lo", "Me", "Hi"]
    lo: Decimal | None = None
    hi: Decimal | None = None


class Vector(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[test]]``: bytes (or a line) and what must come out; the source is outside our own encoder."""

    stream: Word
    source: Annotated[str, Meta(min_length=3)]
    hex: Hex | None = None
    text: str | None = None
    expect: dict[str, Any] | None = None
    records: list[dict[str, Any]] = []
    reject: str | None = None
    origin: Literal["captured", "likely-captured", "unit-test", "constructed", "constant"] = "unit-test"
    mac: str = ""
    key: Hex = ""
    note: str = ""


class ProfileFile(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole profile."""

    schema: Literal[1]
    profile: Device
    stream: Annotated[list[Stream], Meta(min_length=1)]
    test: list[Vector] = []
    match: list[MatchRule] = []
    link: Link = Link()
    serial: SerialLine | None = None
    clock: Clock = Clock()
    handshake: list[Step] = []
    poll: list[Step] = []
    allow_send: dict[Word, Command] = {}
    racp: Racp | None = None
    alarm: list[AlarmRule] = []


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a profile, for editors and for reviewers."""
    schema = msgspec.json.schema(ProfileFile)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Wardlink device profile"}
    return {**head, **schema}
