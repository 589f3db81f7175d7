"""GS1 application identifiers as data: format, required and excluded partners, Digital Link qualifiers.

Facts of the GS1 General Specifications and the GS1 Syntax Dictionary, written here in this product's own
compact form: ``ai[-last] | format | required | excluded | qualifiers``.

* Format: components ``N`` digits, ``X`` character set 82, ``Y`` set 39, ``Z`` base64url; a length or
  ``..maximum``; ``[ ]`` optional; content checks follow the component after commas.
* Required: every group (space-separated) needs one of its members; ``+`` joins members needed together.
* ``n`` in an AI stands for any digit. Qualifiers: paths allowed after a Digital Link key, in order;
  alternatives are separated by ``/`` and a lone ``.`` is a key without qualifiers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ITEM = "01,02,03,8006,8026"
_MEASURE = "01,02,03"
_LOGISTIC = "00,01,02,03"
_PRICED = "30,31nn,32nn,35nn,36nn"

_TABLE = f"""
00      | N18,csum        |           |                | .
01      | N14,csum        |           | 255,37         | 22,10,21/235
02      | N14,csum        | 37        | 01,03          |
03      | N14,csum        | 21        | 01,02,37       |
10      | X..20           | {_ITEM}   |                |
11      | N6,yymmd0       | {_ITEM}   |                |
12      | N6,yymmd0       | 8020      |                |
13      | N6,yymmd0       | {_ITEM}   |                |
15      | N6,yymmd0       | {_ITEM}   |                |
16      | N6,yymmd0       | {_ITEM}   |                |
17      | N6,yymmd0       | {_ITEM},255 |              |
20      | N2              | {_ITEM}   |                |
21      | X..20           | 01,03,8006 | 235           |
22      | X..20           | 01        |                |
235     | X..28           | 01        |                |
240-241 | X..30           | {_ITEM}   |                |
242     | N..6            | {_ITEM}   |                |
243     | X..20           | 01        |                |
250     | X..30           | 01,8006 21 |               |
251     | X..30           | 01,8006   |                |
253     | N13,csum [X..17] |          |                | .
254     | X..20           | 414       |                |
255     | N13,csum [N..12] |          | 01,02,415,8006,8020,8026 | .
30      | N..8            | {_MEASURE} |               |
310n-316n | N6            | {_MEASURE} |               |
320n-329n | N6            | {_MEASURE} |               |
330n-337n | N6            | {_LOGISTIC} |              |
340n-349n | N6            | {_LOGISTIC} |              |
350n-352n | N6            | {_MEASURE} |               |
353n-355n | N6            | {_LOGISTIC} |              |
356n-357n | N6            | {_MEASURE} |               |
360n-361n | N6            | {_MEASURE} |               |
362n-363n | N6            | {_LOGISTIC} |              |
364n-366n | N6            | {_MEASURE} |               |
367n-369n | N6            | {_LOGISTIC} |              |
37      | N..8            | 00 02,8026 |               |
390n    | N..15           | 255,8020  | 391n,394n,8111 |
391n    | N3 N..15        | 8020      |                |
392n    | N..15           | 01 {_PRICED} | 393n        |
393n    | N3 N..15        | {_PRICED} |                |
3940-3943 | N4            | 255       | 8111           |
395n    | N6              | {_PRICED} | 392n,393n,8005 |
400     | X..30           |           |                |
401     | X..30,key       |           |                | .
402     | N17,csum        |           |                | .
403     | X..30           | 00        |                |
410-413 | N13,csum        |           |                |
414     | N13,csum        |           |                | 254/7040
415     | N13,csum        | 8020      |                | 8020
416     | N13,csum        |           |                |
417     | N13,csum        |           |                | 7040
420     | X..20           |           | 421            |
421     | N3,iso3166 X..9 |           | 4307           |
422     | N3,iso3166      | {_ITEM}   | 426            |
423     | N..15,iso3166list | {_MEASURE} | 426          |
424     | N3,iso3166      | {_MEASURE} | 426           |
425     | N..15,iso3166list | {_MEASURE} | 426          |
426     | N3,iso3166      | {_MEASURE} |               |
427     | X..3            | {_MEASURE} 422 |           |
4300-4301 | X..35,pcenc   | 00        |                |
4302    | X..70,pcenc     | 00        |                |
4303    | X..70,pcenc     | 4302      |                |
4304-4306 | X..70,pcenc   | 00        |                |
4307    | X2,alpha        | 00        |                |
4308    | X..30           | 00        |                |
4309    | N10,latitude N10,longitude | 00 |            |
4310-4311 | X..35,pcenc   | 00        |                |
4312    | X..70,pcenc     | 00        |                |
4313    | X..70,pcenc     | 4312      |                |
4314-4316 | X..70,pcenc   | 00        |                |
4317    | X2,alpha        | 00        |                |
4318    | X..20           | 00        |                |
4319    | X..30           | 00        |                |
4320    | X..35,pcenc     | 00        |                |
4321-4323 | N1,yesno      | 00        |                |
4324-4325 | N6,yymmd0 N4,hhmm | 00    |                |
4326    | N6,yymmdd       | 00        |                |
4330    | N6 [X1],hyphen  | 00        | 4331           |
4331    | N6 [X1],hyphen  | 00        | 4330           |
4332    | N6 [X1],hyphen  | 00        | 4333           |
4333    | N6 [X1],hyphen  | 00        | 4332           |
7001    | N13             | {_ITEM}   |                |
7002    | X..30           | {_MEASURE} |               |
7003    | N6,yymmdd N4,hhmm | {_MEASURE} |             |
7004    | N..4            | {_MEASURE} 10 |            |
7005    | X..12           | {_MEASURE} |               |
7006    | N6,yymmdd       | {_MEASURE} |               |
7007    | N6,yymmdd [N6],yymmdd | {_MEASURE} |         |
7008    | X..3            | {_MEASURE} |               |
7009    | X..10           | {_MEASURE} |               |
7010    | X..2            | {_MEASURE} |               |
7011    | N6,yymmdd [N4],hhmm | {_MEASURE} |           |
7020    | X..20           | 01,8006 416 |              |
7021    | X..20           | 01,8006   |                |
7022    | X..20           | 7021      |                |
7023    | X..30,key       |           |                |
7030-7039 | N3,iso3166999 X..27 | {_MEASURE} |         |
7040    | N1 X1 X1 X1     |           |                |
7041    | X..4            | 00        |                |
710-717 | X..20           | 01        |                |
7230-7239 | X2 X..28      | 01,8004   |                |
7240    | X..20           | 01,8006   | 03             |
7241    | N2,mediatype    | 8017,8018 |                |
7242    | X..25           | 8017,8018 |                |
7250    | N8,yyyymmdd     | 8018      | 7251           |
7251    | N8,yyyymmdd N4,hhmm | 8018  | 7250           |
7252    | N1,sex          | 8018      |                |
7253-7254 | X..40,pcenc   | 8017,8018 | 7256,7259      |
7255    | X..10,pcenc     | 8017,8018 | 7256,7259      |
7256    | X..90,pcenc     | 8017,8018 |                |
7257    | X..70,pcenc     | 8018      |                |
7258    | X3,sequence     | 8018      |                |
7259    | X..40,pcenc     | 8018      | 7256           |
8001    | N4,nonzero N5,nonzero N3,nonzero N1,winding N1 | 01,03 |  |
8002    | X..20           |           |                |
8003    | N1,zero N13,csum [X..16] |  |                | .
8004    | X..30,key       |           |                | 7040
8005    | N6              | {_MEASURE} |               |
8006    | N14,csum N4,pieces |        | 01,03,37       | 22,10,21
8007    | X..34,iban      | 415       |                |
8008    | N8,yymmddhh [N..4],mmss | {_MEASURE} |       |
8009    | X..50           | 00,01,03  |                |
8010    | Y..30,key       |           |                | 8011
8011    | N..12,nozero    | 8010      |                |
8012    | X..20           | 01,8006   |                |
8013    | X..25,pair      |           |                | .
8014    | X..25,pair      | 01        |                |
8017    | N18,csum        |           | 8018           | 8019
8018    | N18,csum        |           | 8017           | 8019
8019    | N..10           | 8017,8018 |                |
8020    | X..25           | 415       |                |
8026    | N14,csum N4,pieces | 37     | 02,8006        |
8030    | Z..90           | 00,01+21,253,255,8003,8004,8006+21,8010+8011,8017,8018 |  |
8040-8043 | X..30         |           |                |
8110    | X..70           |           |                |
8111    | N4              | 255       |                |
8112    | X..70           |           |                |
8200    | X..70           | 01        |                |
90      | X..30           |           |                |
91-99   | X..90           |           |                |
"""

PREDEFINED: dict[str, int] = {
    "00": 18, "01": 14, "02": 14, "03": 14, "04": 16,
    **{f"{prefix}": 6 for prefix in range(11, 20)},
    "20": 2,
    **{f"{prefix}": 6 for prefix in range(31, 37)},
    "41": 13,
}  # fmt: skip
"""Value length by the first two digits of the AI; every other element ends with FNC1 or the data."""

_THREE, _FOUR = ("23", "24", "25", "40", "41", "42", "71"), ("31", "32", "33", "34", "35", "36", "39")
AI_LENGTH: dict[str, int] = {
    **{f"{number:02}": 2 for number in (*range(23), 30, 37, *range(90, 100))},
    **dict.fromkeys(_THREE, 3),
    **dict.fromkeys((*_FOUR, "43", "70", "72", "80", "81", "82"), 4),
}
"""How many digits an AI has, by its first two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One part of a value: its place in the pattern and the content checks it must pass."""

    optional: bool
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ai:
    """One application identifier, ready to be applied."""

    ai: str
    pattern: re.Pattern[str]
    maximum: int
    components: tuple[Component, ...]
    needs_checks: bool
    predefined: int  # 0: a separator must follow
    required: tuple[tuple[tuple[str, ...], ...], ...]
    excluded: tuple[str, ...]
    qualifiers: tuple[tuple[str, ...], ...] | None


_CLASSES = {
    "N": "0-9",
    "X": "!\"%&'()*+,\\-./0-9:;<=>?A-Z_a-z",
    "Y": "#\\-/0-9A-Z",
    "Z": "A-Za-z0-9_=\\-",
}
_COMPONENT = re.compile(r"(\[)?([NXYZ])(\.\.)?(\d+)\]?((?:,\w+)*)")


def _format(text: str) -> tuple[re.Pattern[str], int, tuple[Component, ...]]:
    pattern, maximum, components = "", 0, []
    for match in _COMPONENT.finditer(text):
        optional, letter, variable, length, checks = match.groups()
        piece = f"([{_CLASSES[letter]}]{{{'1,' if variable else ''}{length}}})"
        pattern += piece + "?" if optional else piece
        maximum += int(length)
        components.append(Component(optional=bool(optional), checks=tuple(checks.split(",")[1:])))
    return re.compile(pattern), maximum, tuple(components)


def _expand(text: str) -> list[str]:
    """Return every AI of ``91-99`` or ``310n-316n``."""
    first, _, last = text.partition("-")
    last = last or first
    if first.endswith("n"):
        low, high = int(first[:-1]), int(last[:-1])
        places = 10 if first in {"390n", "391n", "392n", "393n"} else 6
        return [f"{number}{digit}" for number in range(low, high + 1) for digit in range(places)]
    return [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]


def _wild(names: str) -> tuple[str, ...]:
    return tuple(name.replace("n", ".") for name in names.split(",") if name)


def _rows() -> dict[str, Ai]:
    table: dict[str, Ai] = {}
    for line in _TABLE.strip().splitlines():
        names, form, required, excluded, qualifiers = (cell.strip() for cell in line.split("|"))
        pattern, maximum, components = _format(form)
        groups = tuple(
            tuple(tuple(_wild(part)[0] for part in member.split("+")) for member in group.split(","))
            for group in required.split()
        )
        paths = tuple(
            tuple(name for name in path.split(",") if name != ".") for path in qualifiers.split("/") if path
        )
        for ai in _expand(names):
            siblings = (f"{ai[:3]}.",) if len(ai) == 4 and ai[0] == "3" else ()
            table[ai] = Ai(
                ai=ai, pattern=pattern, maximum=maximum, components=components,
                needs_checks=any(component.checks for component in components),
                predefined=PREDEFINED.get(ai[:2], 0), required=groups,
                excluded=_wild(excluded) + siblings, qualifiers=paths or None,
            )  # fmt: skip
    return table


TABLE: dict[str, Ai] = _rows()
"""Every application identifier by its digits."""

_COUNTRIES = """
004 008 010 012 016 020 024 028 031 032 036 040 044 048 050 051 052 056 060 064 068 070 072 074 076
084 086 090 092 096 100 104 108 112 116 120 124 132 136 140 144 148 152 156 158 162 166 170 174 175
178 180 184 188 191 192 196 203 204 208 212 214 218 222 226 231 232 233 234 238 239 242 246 248 250
254 258 260 262 266 268 270 275 276 288 292 296 300 304 308 312 316 320 324 328 332 334 336 340 344
348 352 356 360 364 368 372 376 380 384 388 392 398 400 404 408 410 414 417 418 422 426 428 430 434
438 440 442 446 450 454 458 462 466 470 474 478 480 484 492 496 498 499 500 504 508 512 516 520 524
528 531 533 534 535 540 548 554 558 562 566 570 574 578 580 581 583 584 585 586 591 598 600 604 608
612 616 620 624 626 630 634 638 642 643 646 652 654 659 660 662 663 666 670 674 678 682 686 688 690
694 702 703 704 705 706 710 716 724 728 729 732 740 744 748 752 756 760 762 764 768 772 776 780 784
788 792 795 796 798 800 804 807 818 826 831 832 833 834 840 850 854 858 860 862 876 882 887 894
"""

ISO3166 = frozenset(_COUNTRIES.split())
"""Numeric country codes of ISO 3166-1."""
