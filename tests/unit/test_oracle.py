"""The oracle itself, on cases small enough to count by hand: sections 1 to 5 of the specification.

Every expected number is counted from the case or stands in the specification; none is copied from output.
"""

import gzip
import importlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from oracle import (
    FIELDS,
    Row,
    Settings,
    Step,
    Withheld,
    cut_sessions,
    expected,
    in_order,
    match_instants,
    read_records,
    withheld,
)

Fields = dict[str, object]
Tables = dict[str, list[Row]]

ANN, BOB, CY = "ann@test.com", "bob@test.com", "cy@test.com"
D1, D2 = "device-1", "device-2"


def person(email: str, consent: int | None = 1, serial: str | None = None, **more: object) -> Fields:
    """Return a customer record; `consent=None` leaves the field out."""
    fields: Fields = {"email": email, "lastUpdateDate": 1, **more}
    if consent is not None:
        fields["shareWithResearchAsOfDate"] = consent
    if serial is not None:
        fields["serialNumber"] = serial
    return fields


def moves(user: str, *instants: int) -> list[Fields]:
    """Return one accelerometer reading per instant."""
    return [{"user": user, "timestamp": instant, "x": 0.5, "y": -1, "z": 2.0} for instant in instants]


def steps(serial: str, *instants: int) -> list[Fields]:
    """Return one step trainer reading per instant."""
    return [{"sensorReadingTime": at, "serialNumber": serial, "distanceFromObject": 250} for at in instants]


def put(path: Path, records: Sequence[Fields]) -> Path:
    """Write records as newline-delimited JSON."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


class House:
    """A landing area of one file per feed, all of them delivered in one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def tables(
        self, people: Sequence[Fields], movement: Sequence[Fields], step: Sequence[Fields], **settings: int
    ) -> Tables:
        """Return the tables under `strict`."""
        return self._tables(people, movement, step, Settings(**settings))  # type: ignore[arg-type]

    def seed(self, people: Sequence[Fields], movement: Sequence[Fields], step: Sequence[Fields]) -> Tables:
        """Return the tables under `seed`."""
        return self._tables(people, movement, step, Settings(policy="seed"))

    def _tables(
        self, people: Sequence[Fields], movement: Sequence[Fields], step: Sequence[Fields], settings: Settings
    ) -> Tables:
        feeds = zip(FIELDS, (people, movement, step), strict=True)
        delivery = [(feed, put(self.folder / f"{feed}.json", records)) for feed, records in feeds]
        return expected([delivery], settings)


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Return an empty landing area."""
    return House(tmp_path)


def assigned(
    serial: str,
    start: int,
    end: int,
    email: str,
    m: int,
    d: int,
    a: int,
    registered: bool = False,
) -> Row:
    """Return the row of an assigned session."""
    return (serial, start, end, "assigned", email, m, d, a, registered)


def ambiguous(serial: str, start: int, end: int) -> Row:
    """Return the row of an ambiguous session."""
    return (serial, start, end, "ambiguous", None, None, None, None, None)


# --- Section 1: lines. A case is the file, the lines that are read and the lines that are quarantined -----

ONE = b'{"user":"a","timestamp":1,"x":1,"y":2,"z":3}'
TWO = b'{"user":"b","timestamp":2,"x":1,"y":2,"z":3}'
CUT = b'{"user":"c","timest'
SPREAD = b'{\n  "user": "d",\n  "timestamp": 4,\n  "x": 1, "y": 2,\n  "z": 3\n}'  # 6 lines
BAD_UTF8 = b'{"user":"\xff","timestamp":1,"x":1,"y":2,"z":3}'

LINES: dict[str, tuple[bytes, list[int], list[int]]] = {
    "empty file": (b"", [], []),
    "two lines": (ONE + b"\n" + TWO + b"\n", [1, 2], []),
    "unfinished but whole last line": (ONE + b"\n" + TWO, [1, 2], []),
    "cut last line": (ONE + b"\n" + CUT, [1], [2]),
    "cut line in the middle": (ONE + b"\n" + CUT + b"\n" + TWO, [1, 3], [2]),
    "cut line, blank line, record": (CUT + b"\n\n" + TWO, [3], [1]),
    "BOM": (b"\xef\xbb\xbf" + ONE + b"\n" + TWO, [1, 2], []),
    "BOM before an array": (b"\xef\xbb\xbf[" + ONE + b"]", [1], []),
    "CRLF": (ONE + b"\r\n" + TWO + b"\r\n", [1, 2], []),
    "blank lines": (b"\n \t\n" + ONE + b"\n\n\n" + TWO + b"\n\n", [3, 6], []),
    "comma after an object": (ONE + b",\n" + TWO + b" ,\n", [1, 2], []),
    "brackets on their own, last comma": (b"[\n" + ONE + b",\n" + TWO + b",\n]", [2, 3], []),
    "brackets and commas on their own": (b"[\n" + ONE + b"\n,\n" + TWO + b"\n],\n", [2, 4], []),
    "array with a cut record": (b"[" + ONE + b",\n" + CUT + b"\n" + TWO + b"]", [1, 3], [2]),
    "valid array over lines: positions": (b"[\n" + ONE + b",\n" + TWO + b"\n]\n", [1, 2], []),
    "valid array on one line: positions": (b"[" + ONE + b"," + TWO + b"]", [1, 2], []),
    "valid spread array: positions": (b"[" + SPREAD + b",\n" + SPREAD + b"]", [1, 2], []),
    "array that holds no object": (b"[" + ONE + b",7,null]", [1], [2, 3]),
    "empty array": (b"[]", [], []),
    "glued": (ONE + TWO + b"\n" + ONE, [1, 1, 2], []),
    "glued with a comma": (ONE + b", " + TWO, [1, 1], []),
    "glued with a cut one": (ONE + TWO + CUT + b"\n" + TWO, [1, 1, 2], [1]),
    "glued with words": (ONE + b" and so on", [1], [1]),
    "glued, one breaks its contract": (ONE + b'{"user":"b"}', [1], [1]),
    "words": (b"hello\n" + ONE + b"\n42\nnull\n", [2], [1, 3, 4]),
    "not UTF-8": (ONE + b"\n" + BAD_UTF8 + b"\n" + TWO, [1, 3], [2]),
    "spread": (SPREAD + b"\n" + ONE + b"\n" + SPREAD, [1, 7, 8], []),
    "spread, with commas and brackets": (b"[\n" + SPREAD + b",\n" + SPREAD + b",\n]\n", [2, 8], []),
    "spread, with a blank line": (SPREAD.replace(b",\n", b",\n\n"), [1], []),
    "spread and cut": (SPREAD[:-2] + b"\n" + ONE, [6], [1, 2, 3, 4, 5]),
    "spread and broken by words": (SPREAD + b"\nhello\n" + ONE, [8], [1, 2, 3, 4, 5, 6, 7]),
    "spread, then not UTF-8": (SPREAD + b"\n" + BAD_UTF8, [1], [7]),
    "a closing brace alone": (ONE + b"\n}\n" + TWO, [1, 3], [2]),
}


@pytest.mark.parametrize("case", LINES)
def test_every_record_of_a_dirty_file_is_read_or_quarantined(tmp_path: Path, case: str) -> None:
    data, read, kept_out = LINES[case]
    path = tmp_path / "feed.json"
    path.write_bytes(data)
    result = read_records(path, "accelerometer")
    assert [record.line for record in result.records] == read
    assert [one.line for one in result.quarantined] == kept_out
    assert {record.file for record in result.records} <= {str(path)}
    assert {one.file for one in result.quarantined} <= {str(path)}


@pytest.mark.parametrize("packing", ["", ".gz", ".zst"])
@pytest.mark.parametrize("ending", [".json", ".jsonl", ".ndjson"])
def test_files_come_plain_or_packed(tmp_path: Path, ending: str, packing: str) -> None:
    data = ONE + b"\n" + TWO + b"\n"
    if packing == ".gz":
        data = gzip.compress(data)
    if packing == ".zst":
        pytest.importorskip("zstandard", reason="zstandard is not installed: no .zst file can be written")
        data = importlib.import_module("zstandard").ZstdCompressor().compress(data)
    path = tmp_path / f"feed{ending}{packing}"
    path.write_bytes(data)
    assert [record.values["user"] for record in read_records(path, "accelerometer").records] == ["a", "b"]


# --- Section 1: values ------------------------------------------------------------------------------------


def read_one(folder: Path, feed: str, text: str) -> dict[str, str | int | float | None] | None:
    """Return the values of a file's only record, or `None` when it is quarantined."""
    path = folder / "feed.json"
    path.write_text(text + "\n", encoding="utf-8")
    result = read_records(path, feed)
    assert len(result.records) + len(result.quarantined) == 1
    return result.records[0].values if result.records else None


INTEGERS: dict[str, int | None] = {
    "123": 123,
    "-5": -5,
    '"123"': 123,
    '" 123 "': 123,
    '"123.0"': 123,
    "123.0": 123,
    "1.23e2": 123,
    "1E3": 1000,
    "1230e-1": 123,
    "1e18": None,  # beyond 2**53 a double no longer holds every integer
    "9223372036854775807": 2**63 - 1,
    "-9223372036854775808": -(2**63),
    "9223372036854775808": None,
    "1e19": None,
    "1e999999999": None,
    "1e-400": 0,  # the double that JSON makes of it
    "123456789012345.0": 123456789012345,
    "12345678901234.0": 12345678901234,  # 15 digits
    "123.7": None,
    '"123.7"': None,
    '"1e3"': None,
    '"12 3"': None,
    '""': None,
    '"  "': None,
    "true": None,
    "null": None,
    "[1]": None,
    "{}": None,
    "NaN": None,
}

DOUBLES: dict[str, float | None] = {
    "1": 1.0,
    "-0.25": -0.25,
    "1e-3": 0.001,
    '"1.5"': 1.5,
    '"-2e3"': -2000.0,
    "NaN": None,
    "-Infinity": None,
    "1e400": None,
    '"1e400"': None,
    '"NaN"': None,
    '".5"': None,
    '"0x1"': None,
    '""': None,
    "true": None,
    "null": None,
    "[]": None,
}

TEXTS: dict[str, str | None] = {
    '" Home "': " Home ",
    '""': "",
    "8015551212": "8015551212",
    "123456789012345678901234567890": "123456789012345678901234567890",
    "1.5": None,
    "true": None,
    "{}": None,
    "[]": None,
    '"\\ud800"': None,
}


@pytest.mark.parametrize("written", INTEGERS)
def test_integer_fields(tmp_path: Path, written: str) -> None:
    values = read_one(
        tmp_path,
        "step_trainer",
        f'{{"sensorReadingTime":1,"serialNumber":"s","distanceFromObject":{written}}}',
    )
    assert (None if values is None else values["distanceFromObject"]) == INTEGERS[written]


@pytest.mark.parametrize("written", DOUBLES)
def test_double_fields(tmp_path: Path, written: str) -> None:
    values = read_one(tmp_path, "accelerometer", f'{{"user":"a","timestamp":1,"x":{written},"y":0,"z":0}}')
    assert (None if values is None else values["x"]) == DOUBLES[written]


@pytest.mark.parametrize("written", TEXTS)
def test_text_fields(tmp_path: Path, written: str) -> None:
    values = read_one(tmp_path, "customer", f'{{"email":"a","lastUpdateDate":1,"phone":{written}}}')
    assert (None if values is None else values["phone"]) == TEXTS[written]


def test_only_the_fields_of_the_feed_are_kept(tmp_path: Path) -> None:
    text = '{"EMAIL":"a","lastupdatedate":"7","extra":[{"email":1,"email":2}],"n":NaN,"phone":null}'
    values = read_one(tmp_path, "customer", text)
    assert values is not None
    assert tuple(values) == tuple(FIELDS["customer"])
    assert {field: value for field, value in values.items() if value is not None} == {
        "email": "a",
        "lastUpdateDate": 7,
    }


@pytest.mark.parametrize(
    ("keys", "user"),
    [
        ('"User":"a"', "a"),
        ('"USER":"b","user":"a","User":"c"', "a"),
        ('"user":"a","user":"a"', None),
        ('"User":"a","USER":"a"', None),
        ('"user":" "', None),
        ('"user":null', None),
        ('"name":"a"', None),
    ],
)
def test_keys_compare_without_case_and_an_exact_one_wins(tmp_path: Path, keys: str, user: str | None) -> None:
    values = read_one(tmp_path, "accelerometer", f'{{{keys},"timeStamp":1,"x":1,"y":2,"z":3}}')
    assert (None if values is None else values["user"]) == user


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('{"email":"a","lastUpdateDate":1}', True),
        ('{"email":"a","lastUpdateDate":1,"registrationDate":1.5}', False),
        ('{"email":"a","lastUpdateDate":1,"shareWithPublicAsOfDate":"soon"}', False),
        ('{"email":" ","lastUpdateDate":1}', False),
        ('{"email":"a"}', False),
    ],
)
def test_optional_customer_fields_may_be_missing_but_not_wrong(tmp_path: Path, text: str, read: bool) -> None:
    assert (read_one(tmp_path, "customer", text) is not None) is read


# --- Section 2: who is who --------------------------------------------------------------------------------


def test_landing_keeps_duplicates_and_trusted_holds_equal_records_once(house: House) -> None:
    tables = house.tables([person(ANN), person(ANN)], moves(ANN, 1, 2, 2, 2) + moves(BOB, 5), steps(D1, 1, 1))
    assert len(tables["customer_landing"]) == 2
    assert len(tables["accelerometer_landing"]) == 5
    assert len(tables["step_trainer_landing"]) == 2
    assert tables["customer_trusted"] == [(None, ANN, None, None, None, None, 1, 1, None, None)]
    assert tables["accelerometer_trusted"] == [(ANN, 1, 0.5, -1.0, 2.0), (ANN, 2, 0.5, -1.0, 2.0)]
    assert withheld(tables) == {"accelerometer": Withheld(5, 2, 2, 1), "step_trainer": Withheld(2, 1, 0, 1)}


def test_landing_rows_end_with_file_and_line(house: House) -> None:
    tables = house.tables([person(ANN), {"email": BOB}], moves(ANN, 7), steps(D1, 8))
    file = str(house.folder / "accelerometer.json")
    assert tables["accelerometer_landing"] == [(ANN, 7, 0.5, -1.0, 2.0, file, 1)]
    assert tables["step_trainer_landing"] == [(8, D1, 250, str(house.folder / "step_trainer.json"), 1)]
    assert tables["quarantine"] == [("customer", str(house.folder / "customer.json"), 2)]


def test_emails_compare_trimmed_and_in_lower_case(house: House) -> None:
    people = [person(" Ann@Test.com", None, lastUpdateDate=1), person("ANN@test.com ", 1, lastUpdateDate=2)]
    tables = house.tables(people, moves("Ann@TEST.com", 10, 20, 30), steps(D1, 10, 20, 30))
    assert [row[1] for row in tables["customer_trusted"]] == ["ANN@test.com "]
    assert {row[0] for row in tables["accelerometer_trusted"]} == {"Ann@TEST.com"}
    assert tables["device_sessions"] == [assigned(D1, 10, 30, ANN, 3, 3, 3)]
    assert tables["customers_curated"] == [("ANN@test.com ", None, D1, 1)]


@pytest.mark.parametrize("not_given", [None, 0, -1])
def test_a_later_record_without_consent_withdraws(house: House, not_given: int | None) -> None:
    withdrawal = {"email": ANN, "lastUpdateDate": 2, "shareWithResearchAsOfDate": not_given}
    tables = house.tables([withdrawal, person(ANN)], moves(ANN, 10, 20, 30), steps(D1, 10, 20, 30))
    assert len(tables["customer_landing"]) == 2
    assert len(tables["accelerometer_landing"]) == 3
    learned = [
        (ANN, "not given", None, 2, str(house.folder / "customer.json"), 1, 0)
    ]  # both at once: she never consented
    assert tables.pop("consent_history") == learned
    for name in tables.keys() - {"customer_landing", "accelerometer_landing", "step_trainer_landing"}:
        assert tables[name] == []


def test_the_history_of_decisions_is_what_was_known_after_each_run(tmp_path: Path) -> None:
    deliveries = [
        [person(ANN, 10), person(BOB, None)],
        [person("Ann@TEST.com ", 10, lastUpdateDate=2)],  # the same decision, said again
        [{"email": ANN, "lastUpdateDate": 4}, person(ANN, 99, lastUpdateDate=3), person(BOB, 5, lastUpdateDate=2)],
        [person(ANN, 20, lastUpdateDate=3)],  # late: what was known already is newer
        [person(ANN, 30, lastUpdateDate=5)],
        [person(ANN, 31, lastUpdateDate=5)],  # a tie goes to the later run
    ]
    files = [put(tmp_path / f"{number}.json", records) for number, records in enumerate(deliveries)]
    history = expected([[("customer", file)] for file in files], Settings())["consent_history"]
    assert [(*row[:4], Path(str(row[4])).name, *row[5:]) for row in history] == in_order(
        [
            (ANN, "consented", 10, 1, "0.json", 1, 0),
            (ANN, "withdrew", None, 4, "2.json", 1, 2),
            (ANN, "consented", 30, 5, "4.json", 1, 4),
            (ANN, "instant changed", 31, 5, "5.json", 1, 5),
            (BOB, "not given", None, 1, "0.json", 2, 0),
            (BOB, "consented", 5, 2, "2.json", 3, 2),
        ]
    )


def holding_consent(deliveries: Sequence[Sequence[Path]]) -> list[Row]:
    """Return the consent of the only customer's holding record, if it consents."""
    runs = [[("customer", path) for path in delivery] for delivery in deliveries]
    return [row[7:8] for row in expected(runs, Settings())["customer_trusted"]]


def test_of_several_records_the_latest_holds(tmp_path: Path) -> None:
    def hold(first: Fields, second: Fields) -> list[Row]:
        return holding_consent([[put(tmp_path / "one.json", [first, second])]])

    # lastUpdateDate, then registrationDate (a missing one is smallest), then the greater line.
    older = person(ANN, 12, lastUpdateDate=2, registrationDate=9)
    assert hold(person(ANN, 11, lastUpdateDate=3), older) == [(11,)]
    assert hold(person(ANN, 11, registrationDate=5), person(ANN, 12, registrationDate=4)) == [(11,)]
    assert hold(person(ANN, 11, registrationDate=-5), person(ANN, 12)) == [(11,)]
    assert hold(person(ANN, 12, registrationDate=5), person(ANN, 11, registrationDate=5)) == [(11,)]
    assert hold(person(ANN, 11), person(ANN, None)) == []


def test_of_records_of_the_same_dates_the_last_landed_holds(tmp_path: Path) -> None:
    a = put(tmp_path / "a.json", [{"email": CY}, person(ANN, 12)])
    b = put(tmp_path / "b.json", [person(ANN, 11)])
    assert holding_consent([[a, b]]) == [(11,)]  # one run: the greater path, before the greater line
    assert holding_consent([[b, a]]) == [(11,)]
    assert holding_consent([[b], [a]]) == [(12,)]  # the later run, before the greater path


@pytest.mark.parametrize(
    ("left", "right", "holds"), [(11, None, []), (None, 11, []), (11, 12, [(12,)]), (12, 11, [(12,)])]
)
def test_of_records_glued_on_one_line_the_one_that_shares_less_holds(
    tmp_path: Path, left: int | None, right: int | None, holds: list[Row]
) -> None:
    path = tmp_path / "glued.json"
    path.write_text(json.dumps(person(ANN, left)) + json.dumps(person(ANN, right)), encoding="utf-8")
    assert holding_consent([[path]]) == holds


def test_a_file_that_is_delivered_again_lands_once(tmp_path: Path) -> None:
    path = put(tmp_path / "a.json", [person(ANN, 11)])
    tables = expected([[("customer", path)], [("customer", path)]], Settings())
    assert len(tables["customer_landing"]) == 1


# --- Section 3: policy ------------------------------------------------------------------------------------


def test_strict_uses_readings_at_or_after_the_consent_instant(house: House) -> None:
    instants = (1999, 2000, 3000, 4000)
    tables = house.tables([person(ANN, 2000)], moves(ANN, *instants), steps(D1, *instants))
    assert [row[1] for row in tables["accelerometer_trusted"]] == [2000, 3000, 4000]
    assert [row[0] for row in tables["step_trainer_trusted"]] == [2000, 3000, 4000]
    assert tables["device_sessions"] == [assigned(D1, 1999, 4000, ANN, 3, 3, 3)]


def test_seed_uses_the_recorded_serial_number_and_the_instant_alone(house: House) -> None:
    people = [person(ANN, 2000, D1), person(BOB, 1, D2), person(CY, None, "device-3")]
    movement = moves(ANN, 1000) + moves("Bob@test.com", 1000, 5000) + moves(CY, 1000)
    step = steps(D1, 1000, 2000) + steps("device-3", 1000) + steps("other", 1000)
    tables = house.seed(people, movement, step)
    assert [row[:2] for row in tables["accelerometer_trusted"]] == [
        ("Bob@test.com", 1000),
        ("Bob@test.com", 5000),
        (ANN, 1000),
    ]
    assert [row[1] for row in tables["customers_curated"]] == [ANN, BOB]
    assert tables["customers_curated"] == tables["customer_trusted"]
    assert tables["step_trainer_trusted"] == [(1000, D1, 250), (2000, D1, 250)]
    assert tables["machine_learning_curated"] == [
        (1000, D1, 250, "Bob@test.com", 1000, 0.5, -1.0, 2.0),
        (1000, D1, 250, ANN, 1000, 0.5, -1.0, 2.0),
    ]
    assert tables["device_sessions"] == []


def test_strict_pairs_the_same_person_only(house: House) -> None:
    people = [person(ANN), person(BOB)]
    twice: list[Fields] = [{"user": ANN, "timestamp": 1000, "x": 9, "y": 9, "z": 9}]
    movement = moves(ANN, 1000, 2000, 3000) + twice + moves(BOB, 1000)
    tables = house.tables(people, movement, steps(D1, 1000, 2000, 3000))
    assert tables["machine_learning_curated"] == [
        (ANN, D1, 1000, 1000, 250, 0.5, -1.0, 2.0),
        (ANN, D1, 1000, 1000, 250, 9.0, 9.0, 9.0),
        (ANN, D1, 1000, 2000, 250, 0.5, -1.0, 2.0),
        (ANN, D1, 1000, 3000, 250, 0.5, -1.0, 2.0),
    ]
    assert tables["customers_curated"] == [(ANN, None, D1, 1), (BOB, None, None, 0)]


def test_equal_training_rows_are_kept_as_often_as_they_are_made(house: House) -> None:
    movement = moves(ANN, 1000, 2000, 3000) + moves("ANN@test.com", 1000)  # not equal in every source field
    tables = house.tables([person(ANN)], movement, steps(D1, 1000, 2000, 3000))
    assert len(tables["accelerometer_trusted"]) == 4
    assert len(tables["machine_learning_curated"]) == 4
    assert tables["device_sessions"] == [assigned(D1, 1000, 3000, ANN, 3, 3, 3)]


def test_settings_refuse_an_unknown_policy() -> None:
    with pytest.raises(ValueError, match="policy"):
        Settings(policy="loose")


# --- Section 5: whose device is it ------------------------------------------------------------------------


def test_a_gap_of_exactly_60_seconds_does_not_end_a_session(house: House) -> None:
    together = (1000, 2000, 3000, 63_000, 64_000, 65_000)
    tables = house.tables([person(ANN)], moves(ANN, *together), steps(D1, *together))
    assert tables["device_sessions"] == [assigned(D1, 1000, 65_000, ANN, 6, 6, 6)]
    apart = (1000, 2000, 3000, 63_001, 64_000, 65_000)
    tables = house.tables([person(ANN)], moves(ANN, *apart), steps(D1, *apart))
    assert tables["device_sessions"] == [
        assigned(D1, 1000, 3000, ANN, 3, 3, 3),
        assigned(D1, 63_001, 65_000, ANN, 3, 3, 3),
    ]
    assert tables["customers_curated"] == [(ANN, None, D1, 1)]


def test_sessions_are_cut_per_device_at_a_configurable_gap() -> None:
    readings = [Step(at, D1, 1) for at in (10, 30, 20, 20)] + [Step(25, D2, 1)]
    assert cut_sessions(readings, 10) == [(D1, (10, 20, 30)), (D2, (25,))]
    assert cut_sessions(readings, 9) == [(D1, (10,)), (D1, (20,)), (D1, (30,)), (D2, (25,))]


def test_two_customers_alike_make_a_session_ambiguous(house: House) -> None:
    movement = moves(ANN, 1000, 2000, 3000) + moves(BOB, 1000, 2000, 3000)
    tables = house.tables([person(ANN), person(BOB)], movement, steps(D1, 1000, 2000, 3000))
    assert tables["device_sessions"] == [ambiguous(D1, 1000, 3000)]
    assert tables["step_trainer_trusted"] == []
    assert tables["machine_learning_curated"] == []
    assert tables["customers_curated"] == [(ANN, None, None, 0), (BOB, None, None, 0)]


def test_a_registered_serial_number_breaks_the_tie(house: House) -> None:
    movement = moves(ANN, 1000, 2000, 3000) + moves(BOB, 1000, 2000, 3000)
    tables = house.tables([person(ANN, 1, D1), person(BOB, 1, D2)], movement, steps(D1, 1000, 2000, 3000))
    assert tables["device_sessions"] == [assigned(D1, 1000, 3000, ANN, 3, 3, 3, registered=True)]
    assert tables["customers_curated"] == [(ANN, D1, D1, 1), (BOB, D2, None, 0)]


@pytest.mark.parametrize("other", [BOB, CY])
def test_a_serial_number_that_two_customers_carry_breaks_no_tie(house: House, other: str) -> None:
    people = [person(ANN, 1, D1), person(BOB, 1, D1 if other == BOB else None)]
    people += [person(CY, None, D1 if other == CY else None)]  # Cy does not consent, and counts all the same
    movement = moves(ANN, 1000, 2000, 3000) + moves(BOB, 1000, 2000, 3000)
    tables = house.tables(people, movement, steps(D1, 1000, 2000, 3000))
    assert tables["device_sessions"] == [ambiguous(D1, 1000, 3000)]


def test_only_holding_records_carry_a_serial_number(house: House) -> None:
    people = [person(ANN, 1, D1), person(BOB, 1, D1), person(BOB, 1, None, lastUpdateDate=2)]
    movement = moves(ANN, 1000, 2000, 3000) + moves(BOB, 1000, 2000, 3000)
    tables = house.tables(people, movement, steps(D1, 1000, 2000, 3000))
    assert tables["device_sessions"] == [assigned(D1, 1000, 3000, ANN, 3, 3, 3, registered=True)]


def test_serial_numbers_compare_as_they_are(house: House) -> None:
    movement = moves(ANN, 1000, 2000, 3000) + moves(BOB, 1000, 2000, 3000)
    tables = house.tables([person(ANN, 1, D1.upper()), person(BOB)], movement, steps(D1, 1000, 2000, 3000))
    assert tables["device_sessions"] == [ambiguous(D1, 1000, 3000)]


def test_a_registered_serial_number_stands_in_for_too_little_evidence(house: House) -> None:
    readings = moves(ANN, 1000, 2000), steps(D1, 1000, 2000)
    tables = house.tables([person(ANN, 1, D1)], *readings)
    assert tables["device_sessions"] == [assigned(D1, 1000, 2000, ANN, 2, 2, 2, registered=True)]
    assert len(tables["machine_learning_curated"]) == 2
    assert house.tables([person(ANN)], *readings)["device_sessions"] == []
    assert house.tables([person(ANN, 1, D1), person(CY, None, D1)], *readings)["device_sessions"] == []


def test_one_match_may_stand_in_but_none_may_not(house: House) -> None:
    tables = house.tables([person(ANN, 1, D1)], moves(ANN, 1000), steps(D1, 1000))
    assert tables["device_sessions"] == [assigned(D1, 1000, 1000, ANN, 1, 1, 1, registered=True)]
    assert house.tables([person(ANN, 1, D1)], moves(ANN, 1001), steps(D1, 1000))["device_sessions"] == []


def test_a_stand_in_needs_the_jaccard_index_too(house: House) -> None:
    # M = 2, D = 3, A = 2: J = 2/3.
    tables = house.tables([person(ANN, 1, D1)], moves(ANN, 1000, 2000), steps(D1, 1000, 2000, 3000))
    assert tables["device_sessions"] == []


def test_a_session_with_an_eligible_pair_needs_no_stand_in(house: House) -> None:
    # Ann: M = 4, D = 5, A = 4, J = 0.8. Bob, registered, consents late: M = D = A = 2, J = 1.
    movement = moves(ANN, 1000, 2000, 3000, 4000) + moves(BOB, 4000, 5000)
    people = [person(ANN), person(BOB, 4000, D1)]
    tables = house.tables(people, movement, steps(D1, 1000, 2000, 3000, 4000, 5000))
    assert tables["device_sessions"] == [assigned(D1, 1000, 5000, ANN, 4, 5, 4)]


def test_a_jaccard_index_of_exactly_the_limit_is_enough(house: House) -> None:
    device = steps(D1, 1000, 2000, 3000, 4000, 5000)
    # M = 4, D = 5, A = 4: J = 4/5.
    tables = house.tables([person(ANN)], moves(ANN, 1000, 2000, 3000, 5000), device)
    assert tables["device_sessions"] == [assigned(D1, 1000, 5000, ANN, 4, 5, 4)]
    assert len(tables["step_trainer_trusted"]) == 5
    assert len(tables["machine_learning_curated"]) == 4
    # M = 4, D = 5, A = 5: J = 4/6.
    tables = house.tables([person(ANN)], moves(ANN, 1000, 2000, 3000, 4500, 5000), device)
    assert tables["device_sessions"] == []
    assert tables["step_trainer_trusted"] == []


def test_three_matches_are_enough_and_two_are_not(house: House) -> None:
    assert house.tables([person(ANN)], moves(ANN, 1, 2), steps(D1, 1, 2))["device_sessions"] == []
    tables = house.tables([person(ANN)], moves(ANN, 1, 2), steps(D1, 1, 2), min_matches=2)
    assert tables["device_sessions"] == [assigned(D1, 1, 2, ANN, 2, 2, 2)]


def test_instants_outside_the_session_do_not_count(house: House) -> None:
    tables = house.tables([person(ANN)], moves(ANN, 999, 1000, 2000, 3000, 3001), steps(D1, 1000, 2000, 3000))
    assert tables["device_sessions"] == [assigned(D1, 1000, 3000, ANN, 3, 3, 3)]
    assert len(tables["accelerometer_trusted"]) == 5


def test_the_window_begins_with_a_late_consent(house: House) -> None:
    instants = (1000, 2000, 3000, 4000, 5000, 6000)
    tables = house.tables([person(ANN, 4000)], moves(ANN, *instants), steps(D1, *instants))
    assert tables["device_sessions"] == [assigned(D1, 1000, 6000, ANN, 3, 3, 3)]
    assert [row[0] for row in tables["step_trainer_trusted"]] == [4000, 5000, 6000]
    assert [row[2:4] for row in tables["machine_learning_curated"]] == [
        (1000, 4000),
        (1000, 5000),
        (1000, 6000),
    ]
    too_late = house.tables([person(ANN, 6001)], moves(ANN, *instants), steps(D1, *instants))
    assert too_late["device_sessions"] == []


def test_nobody_is_linked_by_what_they_did_not_share(house: House) -> None:
    people = [person(ANN, None), person(BOB)]
    movement = moves(ANN, 1000, 2000, 3000) + moves(BOB, 9000)
    tables = house.tables(people, movement, steps(D1, 1000, 2000, 3000))
    assert tables["device_sessions"] == []
    assert withheld(tables)["step_trainer"] == Withheld(arrived=3, duplicates=0, kept=0, withheld=3)


def test_more_alike_wins_then_more_matches(house: House) -> None:
    device = steps(D1, 1000, 2000, 3000, 4000, 5000)
    # Ann: J = 4/5; Bob, who consents late: M = D = A = 3, J = 1.
    movement = moves(ANN, 1000, 2000, 3000, 4000) + moves(BOB, 3000, 4000, 5000)
    tables = house.tables([person(ANN), person(BOB, 3000)], movement, device)
    assert tables["device_sessions"] == [assigned(D1, 1000, 5000, BOB, 3, 3, 3)]
    # Ann: J = 1 and M = 5; Bob: J = 1 and M = 3.
    movement = moves(ANN, 1000, 2000, 3000, 4000, 5000) + moves(BOB, 3000, 4000, 5000)
    tables = house.tables([person(ANN), person(BOB, 3000)], movement, device)
    assert tables["device_sessions"] == [assigned(D1, 1000, 5000, ANN, 5, 5, 5)]


def test_a_choice_that_is_not_mutual_is_ambiguous(house: House) -> None:
    # Device 1: M = 4, D = 5, A = 4 (its session ends before 5000). Device 2: J = 1. Ann's best is device 2.
    step = steps(D1, 1000, 2000, 3000, 4000, 4500) + steps(D2, 1000, 2000, 3000, 4000, 5000)
    tables = house.tables([person(ANN)], moves(ANN, 1000, 2000, 3000, 4000, 5000), step)
    assert tables["device_sessions"] == [ambiguous(D1, 1000, 4500), assigned(D2, 1000, 5000, ANN, 5, 5, 5)]


def test_two_sessions_alike_for_one_customer_are_both_ambiguous(house: House) -> None:
    step = steps(D1, 1000, 2000, 3000) + steps(D2, 1000, 2000, 3000)
    tables = house.tables([person(ANN)], moves(ANN, 1000, 2000, 3000), step)
    assert tables["device_sessions"] == [ambiguous(D1, 1000, 3000), ambiguous(D2, 1000, 3000)]
    tables = house.tables([person(ANN, 1, D2)], moves(ANN, 1000, 2000, 3000), step)
    assert tables["device_sessions"] == [
        ambiguous(D1, 1000, 3000),
        assigned(D2, 1000, 3000, ANN, 3, 3, 3, registered=True),
    ]


def test_an_eligible_session_comes_before_one_that_stands_in(house: House) -> None:
    # Device 1, registered: M = D = A = 2, J = 1. Device 2: M = 4, D = 5, A = 4, J = 0.8.
    step = steps(D1, 1000, 2000) + steps(D2, 1000, 2000, 3000, 4000, 5000)
    tables = house.tables([person(ANN, 1, D1)], moves(ANN, 1000, 2000, 3000, 4000), step)
    assert tables["device_sessions"] == [ambiguous(D1, 1000, 2000), assigned(D2, 1000, 5000, ANN, 4, 5, 4)]


def test_sessions_that_share_one_instant_overlap(house: House) -> None:
    step = steps(D1, 1000, 2000, 3000) + steps(D2, 3000, 4000, 5000)
    tables = house.tables([person(ANN)], moves(ANN, 1000, 2000, 3000, 4000, 5000), step)
    assert tables["device_sessions"] == [ambiguous(D1, 1000, 3000), ambiguous(D2, 3000, 5000)]
    step = steps(D1, 1000, 2000, 3000) + steps(D2, 3001, 4000, 5000)
    tables = house.tables([person(ANN)], moves(ANN, 1000, 2000, 3000, 3001, 4000, 5000), step)
    assert [row[3] for row in tables["device_sessions"]] == ["assigned", "assigned"]


def test_a_customer_with_two_devices_gets_both(house: House) -> None:
    step = steps(D2, 1000, 2000, 3000) + steps(D1, 100_000, 101_000, 102_000)
    movement = moves(ANN, 1000, 2000, 3000, 100_000, 101_000, 102_000)
    tables = house.tables([person(ANN, 1, "wrong")], movement, step)
    assert tables["device_sessions"] == [
        assigned(D1, 100_000, 102_000, ANN, 3, 3, 3),
        assigned(D2, 1000, 3000, ANN, 3, 3, 3),
    ]
    assert tables["customers_curated"] == [(ANN, "wrong", D1, 2)]
    assert len(tables["machine_learning_curated"]) == 6


def test_a_device_shared_by_two_people_belongs_to_each_in_turn(house: House) -> None:
    movement = moves(ANN, 1000, 2000, 3000) + moves(BOB, 100_000, 101_000, 102_000)
    step = steps(D1, 1000, 2000, 3000, 100_000, 101_000, 102_000)
    tables = house.tables([person(ANN), person(BOB)], movement, step)
    assert tables["device_sessions"] == [
        assigned(D1, 1000, 3000, ANN, 3, 3, 3),
        assigned(D1, 100_000, 102_000, BOB, 3, 3, 3),
    ]
    assert tables["customers_curated"] == [(ANN, None, D1, 1), (BOB, None, D1, 1)]


@pytest.mark.parametrize(
    ("device", "customer", "tolerance", "matched"),
    [
        ([1, 2, 3], [2, 3, 4], 0, [(2, 2), (3, 3)]),
        ([0, 10], [5], 5, [(0, 5)]),
        ([0, 10], [5, 15], 5, [(0, 5), (10, 15)]),
        ([0, 4], [4, 8], 4, [(0, 4), (4, 8)]),  # pairing 4 with 4 first would leave one match, not two
        ([0, 100], [6, 95], 5, [(100, 95)]),
        ([], [1], 5, []),
    ],
)
def test_matching_is_one_to_one_and_as_large_as_possible(
    device: list[int], customer: list[int], tolerance: int, matched: list[tuple[int, int]]
) -> None:
    assert match_instants(device, customer, tolerance) == matched


def test_a_tolerance_matches_clocks_that_differ(house: House) -> None:
    readings = moves(ANN, 1005, 2005, 2995), steps(D1, 1000, 2000, 3000)
    assert house.tables([person(ANN)], *readings, tolerance_ms=4)["device_sessions"] == []
    tables = house.tables([person(ANN)], *readings, tolerance_ms=5)
    assert tables["device_sessions"] == [assigned(D1, 1000, 3000, ANN, 3, 3, 3)]
    assert [row[3] for row in tables["machine_learning_curated"]] == [1000, 2000, 3000]


def test_a_tolerance_does_not_widen_the_window(house: House) -> None:
    # 3005 lies outside the session: M = 2, D = 3, A = 2.
    readings = moves(ANN, 1005, 2005, 3005), steps(D1, 1000, 2000, 3000)
    tables = house.tables([person(ANN)], *readings, tolerance_ms=5)
    assert tables["device_sessions"] == []


def test_rows_with_absent_values_can_be_sorted() -> None:
    assert in_order([("b", 1), (None, 2), ("a", None)]) == [(None, 2), ("a", None), ("b", 1)]


# --- Section 4: the numbers of the specification ----------------------------------------------------------

STEDI_2023 = Path(__file__).parents[3] / "shared" / "data" / "stedi-2023"

ROWS = {
    "customer_landing": (956, 956),
    "accelerometer_landing": (81_273, 81_273),
    "step_trainer_landing": (28_680, 28_680),
    "quarantine": (0, 0),
    "consent_history": (956, 956),
    "customer_trusted": (482, 482),
    "accelerometer_trusted": (40_981, 32_025),
    "device_sessions": (0, 464),
    "customers_curated": (482, 464),
    "step_trainer_trusted": (14_460, 11_297),
    "machine_learning_curated": (43_681, 32_025),
}


@cache
def stedi_2023(policy: str) -> Tables:
    """Return the tables of stedi-2023."""
    delivery = [(feed, path) for feed in FIELDS for path in sorted((STEDI_2023 / feed).rglob("*.json"))]
    return expected([delivery], Settings(policy=policy))


needs_stedi_2023 = pytest.mark.skipif(
    not STEDI_2023.is_dir(),
    reason="the data is not there: ../shared/data/stedi-2023, seen from the root of the repository",
)


@needs_stedi_2023
@pytest.mark.parametrize(("policy", "column"), [("seed", 0), ("strict", 1)])
def test_stedi_2023_has_the_rows_of_section_4(policy: str, column: int) -> None:
    tables = stedi_2023(policy)
    rows = {name: counts[column] for name, counts in ROWS.items()}
    assert {name: len(tables[name]) for name in rows} == rows
    assert {row[3] for row in tables["device_sessions"]} <= {"assigned"}


@needs_stedi_2023
def test_stedi_2023_strict_gives_nobody_a_wrong_device_and_seed_the_wrong_movement() -> None:
    strict, seed = stedi_2023("strict"), stedi_2023("seed")
    # In this data the serial numbers as recorded are right: they say which device is whose.
    assert all(row[1] == row[2] and row[3] == 1 for row in strict["customers_curated"])
    owner = {row[1]: row[4] for row in seed["customers_curated"]}
    assert len(set(owner.values())) == len(owner)
    assert sum(owner[row[3]] != row[1] for row in seed["machine_learning_curated"]) == 2_700
