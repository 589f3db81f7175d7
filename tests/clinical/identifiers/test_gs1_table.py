"""Every application identifier, stated once more the other way round: by format, check and partner.

Formats are written as in the GS1 General Specifications: ``n`` digits, ``x`` character set 82, ``y`` set 39,
``z`` base64url; two dots are a maximum, brackets a part that may be left out.
"""

from __future__ import annotations

import pytest

from clinical.identifiers.gs1 import GS, parse_elements
from clinical.identifiers.gs1_checks import CHECKS, CSET82
from clinical.identifiers.gs1_table import AI_LENGTH, ISO3166, PREDEFINED, TABLE

pytestmark = [pytest.mark.requirement("R-CLIN-01"), pytest.mark.hazard("H-CLIN-02")]

GTIN = "06931475000124"
FORMATS = """
n18 : 00 8017 8018
n17 : 402
n14 : 01 02 03
n14+n4 : 8006 8026
n13 : 410 411 412 413 414 415 416 417 7001
n13+[x..17] : 253
n13+[n..12] : 255
n1+n13+[x..16] : 8003
n10+n10 : 4309
n8 : 7250
n8+n4 : 7251
n8+[n..4] : 8008
n6 : 11 12 13 15 16 17 310n 311n 312n 313n 314n 315n 316n 320n 321n 322n 323n 324n 325n 326n 327n 328n 329n
n6 : 330n 331n 332n 333n 334n 335n 336n 337n 340n 341n 342n 343n 344n 345n 346n 347n 348n 349n 350n 351n 352n
n6 : 353n 354n 355n 356n 357n 360n 361n 362n 363n 364n 365n 366n 367n 368n 369n 395n 4326 7006 8005
n6+n4 : 4324 4325 7003
n6+[n4] : 7011
n6+[n6] : 7007
n6+[x1] : 4330 4331 4332 4333
n4+n5+n3+n1+n1 : 8001
n4 : 394n 8111
n3 : 422 424 426
n3+n..15 : 391n 393n
n3+x..9 : 421
n3+x..27 : 7030 7031 7032 7033 7034 7035 7036 7037 7038 7039
n2 : 20 7241
n1 : 4321 4322 4323 7252
n1+x1+x1+x1 : 7040
n..15 : 390n 392n 423 425
n..12 : 8011
n..10 : 8019
n..8 : 30 37
n..6 : 242
n..4 : 7004
x..90 : 91 92 93 94 95 96 97 98 99 7256
x..70 : 4302 4303 4304 4305 4306 4312 4313 4314 4315 4316 7257 8110 8112 8200
x..50 : 8009
x..40 : 7253 7254 7259
x..35 : 4300 4301 4310 4311 4320
x..34 : 8007
x..30 : 90 240 241 250 251 400 401 403 4308 4319 7002 7023 8004 8040 8041 8042 8043
x..28 : 235
x..25 : 7242 8013 8014 8020
x..20 : 10 21 22 243 254 420 4318 7020 7021 7022 710 711 712 713 714 715 716 717 7240 8002 8012
x..12 : 7005
x..10 : 7009 7255
x..4 : 7041
x..3 : 427 7008
x..2 : 7010
x3 : 7258
x2 : 4307 4317
x2+x..28 : 7230 7231 7232 7233 7234 7235 7236 7237 7238 7239
y..30 : 8010
z..90 : 8030
"""
CHECKED = """
csum : 00 01 02 03 402 410 411 412 413 414 415 416 417 8017 8018
csum - : 253 255
zero csum - : 8003
csum pieces : 8006 8026
yymmd0 : 11 12 13 15 16 17
yymmd0 hhmm : 4324 4325
yymmdd : 4326 7006
yymmdd hhmm : 7003 7011
yymmdd yymmdd : 7007
yyyymmdd : 7250
yyyymmdd hhmm : 7251
yymmddhh mmss : 8008
key : 401 7023 8004 8010
iso3166 : 422 424 426
iso3166 - : 421
iso3166list : 423 425
iso3166999 - : 7030 7031 7032 7033 7034 7035 7036 7037 7038 7039
alpha : 4307 4317
pcenc : 4300 4301 4302 4303 4304 4305 4306 4310 4311 4312 4313 4314 4315 4316 4320
pcenc : 7253 7254 7255 7256 7257 7259
latitude longitude : 4309
yesno : 4321 4322 4323
- hyphen : 4330 4331 4332 4333
mediatype : 7241
sex : 7252
sequence : 7258
nonzero nonzero nonzero winding - : 8001
iban : 8007
nozero : 8011
pair : 8013 8014
"""
NEEDED = """
00 : 403 4300 4301 4302 4304 4305 4306 4307 4308 4309 4310 4311 4312 4314 4315 4316 4317 4318 4319 4320 4321
00 : 4322 4323 4324 4325 4326 4330 4331 4332 4333 7041
00,01,03 : 8009
00,01,02,03 : 330n 331n 332n 333n 334n 335n 336n 337n 340n 341n 342n 343n 344n 345n 346n 347n 348n 349n 353n
00,01,02,03 : 354n 355n 362n 363n 367n 368n 369n
00 02,8026 : 37
01 : 22 235 243 710 711 712 713 714 715 716 717 8014 8200
01,03 : 8001
01,02,03 : 30 310n 311n 312n 313n 314n 315n 316n 320n 321n 322n 323n 324n 325n 326n 327n 328n 329n 350n 351n
01,02,03 : 352n 356n 357n 360n 361n 364n 365n 366n 423 424 425 426 7002 7003 7005 7006 7007 7008 7009 7010
01,02,03 : 7011 7030 7031 7032 7033 7034 7035 7036 7037 7038 7039 8005 8008
01,02,03 10 : 7004
01,02,03 422 : 427
01,02,03,8006,8026 : 10 11 13 15 16 20 240 241 242 422 7001
01,02,03,8006,8026,255 : 17
01,03,8006 : 21
01,8004 : 7230 7231 7232 7233 7234 7235 7236 7237 7238 7239
01,8006 : 251 7021 7240 8012
01,8006 21 : 250
01,8006 416 : 7020
01 30,31nn,32nn,35nn,36nn : 392n
30,31nn,32nn,35nn,36nn : 393n 395n
21 : 03
37 : 02 8026
255 : 394n 8111
255,8020 : 390n
414 : 254
415 : 8007 8020
4302 : 4303
4312 : 4313
7021 : 7022
8010 : 8011
8017,8018 : 7241 7242 7253 7254 7255 7256 8019
8018 : 7250 7251 7252 7257 7258 7259
8020 : 12 391n 415
00,01+21,253,255,8003,8004,8006+21,8010+8011,8017,8018 : 8030
"""
NEVER_WITH = """
01 : 02 03 255 8006
02 : 03 255 8026
03 : 02 7240 8006
37 : 01 03 8006
235 : 21
255 : 01
391n : 390n
392n : 395n
393n : 392n 395n
394n : 390n
415 : 255
421 : 420
426 : 422 423 424 425
4307 : 421
4330 : 4331
4331 : 4330
4332 : 4333
4333 : 4332
7250 : 7251
7251 : 7250
7256 : 7253 7254 7255 7259
7259 : 7253 7254 7255
8005 : 395n
8006 : 255 8026
8017 : 8018
8018 : 8017
8020 : 255
8026 : 255
8111 : 390n 394n
"""
PATHS = """
01 : 22,10,21 / 235
414 : 254 / 7040
415 : 8020
417 : 7040
8004 : 7040
8006 : 22,10,21
8010 : 8011
8017 : 8019
8018 : 8019
"""
KEYS_ALONE = {"00", "253", "255", "401", "402", "8003", "8013"}
SAMPLES = {"n": "5", "x": "a", "y": "A", "z": "="}


DECIMALS = {"390n": 10, "391n": 10, "392n": 10, "393n": 10, "394n": 4}
"""How many digits may end an identifier of an amount; of a measure or a price by measure six."""


def all_of(name):
    """Return every identifier that ``310n`` stands for, or the one that is named."""
    if not name.endswith("n"):
        return [name]
    return [f"{name[:-1]}{digit}" for digit in range(DECIMALS.get(name, 6))]


def stated(text):
    """Return what a statement says of every AI, in the order of its lines."""
    found = {}
    for left, names in (line.split(" : ") for line in text.strip().splitlines()):
        for name in names.split():
            for ai in all_of(name):
                found.setdefault(ai, []).append(left)
    return found


def longest(part):
    letter, length = part[0], part[1:].removeprefix("..")
    return SAMPLES[letter] * int(length)


def test_there_is_no_other_identifier_and_none_is_missing():
    found = stated(FORMATS)
    assert set(found) == set(TABLE)
    assert all(len(forms) == 1 for forms in found.values())


def test_every_identifier_takes_its_format_and_nothing_longer_or_of_another_kind():
    for ai, (form,) in stated(FORMATS).items():
        accepts = TABLE[ai].pattern.fullmatch
        parts = form.split("+")
        full = "".join(longest(part.strip("[]")) for part in parts)
        least = "".join(
            SAMPLES[part[0]] if ".." in part else longest(part) for part in parts if not part.startswith("[")
        )
        assert TABLE[ai].maximum == len(full), ai
        assert accepts(full), ai
        assert accepts(least), ai
        assert not accepts(full + full[-1]), ai
        assert not accepts(least[:-1]), ai
        if form.startswith("n"):
            assert not accepts("a" + full[1:]), ai


def test_the_character_sets_are_those_of_the_standard():
    kinds = {"n": "0123456789", "x": CSET82, "y": "#-/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
             "z": "-0123456789=ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"}  # fmt: skip
    every = [chr(code) for code in range(32, 256)]
    for ai, letter in (("30", "n"), ("10", "x"), ("8010", "y"), ("8030", "z")):
        assert [one for one in every if TABLE[ai].pattern.fullmatch(one)] == sorted(kinds[letter]), ai


def test_every_identifier_has_its_content_checks():
    expected = {ai: checks[0] for ai, checks in stated(CHECKED).items()}
    for ai, spec in TABLE.items():
        shown = " ".join("+".join(part.checks) or "-" for part in spec.components)
        assert shown == expected.get(ai, " ".join("-" for _ in spec.components)), ai
        assert spec.needs_checks is (ai in expected), ai
    assert {name for line in expected.values() for name in line.split()} - {"-"} <= set(CHECKS)


def test_every_identifier_needs_its_partners():
    expected = {ai: groups[0] for ai, groups in stated(NEEDED).items()}
    for ai, spec in TABLE.items():
        shown = " ".join(",".join("+".join(member).replace(".", "n") for member in group)
                         for group in spec.required)  # fmt: skip
        assert shown == expected.get(ai, ""), ai


def test_every_identifier_excludes_what_must_not_come_with_it():
    expected = {}
    for name, excluded in stated(NEVER_WITH).items():
        expected[name] = set(excluded)
    for ai, spec in TABLE.items():
        own = {f"{ai[:3]}n"} if len(ai) == 4 and ai.startswith("3") else set()
        assert {name.replace(".", "n") for name in spec.excluded} == expected.get(ai, set()) | own, ai


def test_every_key_of_a_web_address_has_its_path():
    expected = {}
    for line in PATHS.strip().splitlines():
        key, paths = line.split(" : ")
        expected[key] = tuple(tuple(path.split(",")) for path in paths.split(" / "))
    expected |= dict.fromkeys(KEYS_ALONE, ((),))
    assert {ai: spec.qualifiers for ai, spec in TABLE.items() if spec.qualifiers is not None} == expected


def test_what_needs_no_separator_has_a_fixed_length():
    lengths = {"00": 18, "01": 14, "02": 14, "03": 14, "04": 16, "20": 2, "41": 13}
    lengths |= {f"{number}": 6 for number in (*range(11, 20), *range(31, 37))}
    assert lengths == PREDEFINED
    for ai, spec in TABLE.items():
        assert spec.predefined == lengths.get(ai[:2], 0), ai


def test_the_first_two_digits_tell_how_long_an_identifier_is():
    three = {"23", "24", "25", "40", "41", "42", "71"}
    four = {"31", "32", "33", "34", "35", "36", "39", "43", "70", "72", "80", "81", "82"}
    two = {f"{number:02}" for number in (*range(23), 30, 37, *range(90, 100))}
    assert dict.fromkeys(three, 3) | dict.fromkeys(four, 4) | dict.fromkeys(two, 2) == AI_LENGTH
    assert all(len(ai) == AI_LENGTH[ai[:2]] for ai in TABLE)


def test_the_countries_are_all_of_iso_3166():
    assert len(ISO3166) == 249
    assert {"004", "100", "156", "158", "276", "344", "446", "470", "566", "643", "702", "756", "840", "894"
            } <= ISO3166  # fmt: skip
    assert not {"000", "157", "999"} & ISO3166


@pytest.mark.parametrize(
    ("parts", "valid"),
    [
        (("8030AA", f"01{GTIN}"), False), (("8030AA", f"01{GTIN}", "21S"), True),
        (("8030AA", f"01{GTIN}", "10L"), False), (("8030AA", "2536931475000124"), True),
        (("8030AA", "80106931AA"), False), (("8030AA", "80106931AA", "801112"), True),
        ((f"01{GTIN}", "3920123", "3102000123"), True), ((f"01{GTIN}", "3920123"), False),
        ((f"01{GTIN}", "3920123", "3930156123", "301"), False),
        (("00369314750000000019", "375"), False), ((f"03{GTIN}", "21S"), True), ((f"03{GTIN}", "10L"), False),
    ],
)  # fmt: skip
def test_partners_that_belong_together_are_asked_for_together(parts, valid):
    assert parse_elements(GS.join(parts)).valid is valid


def test_without_a_separator_a_fixed_length_ends_an_element():
    found = parse_elements("01069314750001241726123110L1")
    assert [(one.ai, one.value) for one in found.elements] == [
        ("01", "06931475000124"), ("17", "261231"), ("10", "L1"),
    ]  # fmt: skip
