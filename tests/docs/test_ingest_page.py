"""The page on ingest says of every kind of damage what happens to it; here it happens."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from docs.snippets import REPOSITORY

import stedi

TEXT = (REPOSITORY / "docs" / "concepts" / "ingest.md").read_text("utf-8")
SERIAL = "11111111-0000-4000-8000-000000000001"


def step(instant: str = "1", serial: str = f'"{SERIAL}"') -> str:
    return f'{{"sensorReadingTime":{instant},"serialNumber":{serial},"distanceFromObject":200}}'


ONE, TWO = step("1"), step("2")


@dataclass(frozen=True)
class Sample:
    """A file with one kind of damage: how many records are read, and the reasons of those that are not."""

    content: str | bytes
    landed: int
    reasons: tuple[str, ...] = ()
    feed: str = "step_trainer"


NOT_JSON = ("not JSON",)
NOT_AN_INTEGER = ("sensorReadingTime: not an integer",)
SAMPLES = {
    "a comma after an object": Sample(f"{ONE},\n{TWO}\n", 2),
    "array brackets on lines of their own": Sample(f"[\n{ONE},\n{TWO}\n]\n", 2),
    "two objects glued on one line (`}{`)": Sample(f"{ONE}{TWO}\n", 2),
    "a record spread over several lines": Sample(ONE.replace(",", ",\n") + "\n" + TWO + "\n", 2),
    "a key in another case (`timeStamp`)": Sample(ONE.replace("sensorReadingTime", "SensorreadingTime") + "\n", 1),
    "a BOM at the start of the file": Sample(b"\xef\xbb\xbf" + f"{ONE}\n{TWO}\n".encode(), 2),
    "CRLF line ends": Sample(f"{ONE}\r\n{TWO}\r\n", 2),
    "blank lines": Sample(f"\n{ONE}\n\n   \n{TWO}\n", 2),
    "an empty file": Sample("", 0),
    "no newline at the end of the file": Sample(f"{ONE}\n{TWO}", 2),
    "a last line that was cut": Sample(f"{ONE}\n{TWO[:30]}", 1, NOT_JSON),
    "a line that is not JSON": Sample(f"{ONE}\nsensor offline\n", 1, NOT_JSON),
    "a line that is JSON, but no object": Sample(f"{ONE}\n42\n", 1, NOT_JSON),
    "text before an object on the same line": Sample(f"debug {ONE}\n", 0, NOT_JSON),
    "text after an object on the same line": Sample(f"{ONE} debug\n", 1, NOT_JSON),
    "bytes that are not UTF-8": Sample(
        f"{ONE}\n".encode() + TWO.encode().replace(b"111", b"\xff\xfe"), 1, ("not UTF-8",)
    ),
    "an extra key": Sample(ONE[:-1] + ',"firmware":{"build":7}}\n', 1),
    "a required key is missing, or null": Sample(
        '{"sensorReadingTime":1,"serialNumber":"x"}\n' + ONE.replace("200", "null"),
        0,
        ("distanceFromObject: missing",) * 2,
    ),
    "a required text of white space only": Sample(step(serial='"  "'), 0, ("serialNumber: blank",)),
    "the same key twice": Sample(ONE[:-1] + ',"sensorReadingTime":5}\n', 0, ("sensorReadingTime: duplicate key",)),
    'an integer in a string (`"123"`)': Sample(step('"123"'), 1),
    "an integer written as `123.0` or `1.23e2`": Sample(step("123.0") + "\n" + step("1.23e2"), 2),
    "an integer with a fraction (`123.7`)": Sample(step("123.7"), 0, NOT_AN_INTEGER),
    "`true` for an integer": Sample(step("true"), 0, NOT_AN_INTEGER),
    "an integer that does not fit 64 bits": Sample(step("99999999999999999999"), 0, NOT_AN_INTEGER),
    '`""` for a number': Sample(step('""'), 0, NOT_AN_INTEGER),
    "`NaN` or `Infinity`": Sample(
        "".join(f'{{"user":"a@test.com","timestamp":1,"x":{value},"y":0,"z":0}}\n' for value in ("NaN", "Infinity")),
        0,
        ("x: not a finite number",) * 2,
        "accelerometer",
    ),
    "a whole number for a text": Sample(step(serial="12345"), 1),
    "`true`, an object or an array for a text": Sample(
        "\n".join(step(serial=value) for value in ("true", '{"a":1}', "[1]")), 0, ("serialNumber: not a text",) * 3
    ),
}


def told() -> dict[str, str]:
    """What the page says: damage, and what happens."""
    table = TEXT.partition("| damage | what happens |\n|---|---|\n")[2].partition("\n\n")[0]
    rows = (re.fullmatch(r"\| (.*?) \| (.*) \|", line) for line in table.splitlines())
    return {row[1]: row[2] for row in rows if row}


def test_every_kind_of_damage_is_told_and_tried() -> None:
    assert told().keys() == SAMPLES.keys()


def test_what_happens_is_what_is_told(tmp_path: Path) -> None:
    names = {}
    for number, (damage, sample) in enumerate(SAMPLES.items()):
        path = tmp_path / "feeds" / sample.feed / f"{number:02}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sample.content if isinstance(sample.content, bytes) else sample.content.encode())
        names[str(path)] = damage
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(tmp_path / "feeds")
    files = lake.table("landed_files").to_arrow().to_pylist()
    quarantined = lake.query('SELECT "_source_file" AS path, reason FROM quarantine').to_arrow().to_pylist()
    happened = {
        names[file["path"]]: (
            file["landed"],
            sorted(row["reason"] for row in quarantined if row["path"] == file["path"]),
        )
        for file in files
    }
    assert happened == {damage: (sample.landed, list(sample.reasons)) for damage, sample in SAMPLES.items()}


def test_the_page_names_the_reasons() -> None:
    for damage, words in told().items():
        for reason in SAMPLES[damage].reasons:
            assert f"quarantined: `{reason}`" in words or f"quarantined: `{reason.split(',')[0]}`" in words
        if not SAMPLES[damage].reasons:
            assert "quarantined" not in words


def test_the_reasons_of_withheld_records_are_told() -> None:
    consent = (REPOSITORY / "docs" / "concepts" / "consent.md").read_text("utf-8")
    models = [*REPOSITORY.glob("src/stedi/zones/*/withheld_*.sql")]
    assert len(models) == 4
    for model in models:
        feed = model.stem.removeprefix("withheld_")
        reasons = set(re.findall(r"(?:THEN|ELSE|SELECT) '([a-z ]+)'", model.read_text("utf-8")))
        assert reasons
        for reason in reasons:
            assert f"| {feed} | `{reason}` |" in consent


def test_the_required_fields_are_told() -> None:
    from stedi.contracts import FEEDS, contracts

    table = TEXT.partition("| feed | field | type | required |\n")[2].partition("\n\n")[0]
    told_fields = {
        (row.split("|")[1].strip(), field): row.split("|")[4].strip() == "yes"
        for row in table.splitlines()[1:]
        for field in re.findall(r"`(\w+)`", row)
    }
    known = {
        (feed, column.name): column.required
        for feed, name in FEEDS.items()
        for column in contracts("strict")[name].source_columns
    }
    assert json.dumps(sorted((*pair, required) for pair, required in told_fields.items())) == json.dumps(
        sorted((*pair, required) for pair, required in known.items())
    )
