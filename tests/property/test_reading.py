"""Whatever a landing file holds: every record is read as the oracle reads it, or quarantined; none is dropped (SPEC 1)."""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from oracle import read_records
from product import CUSTOMER, PLACE, READING, STEP, in_order

import stedi

FIELDS = {"customer": CUSTOMER, "accelerometer": READING, "step_trainer": STEP}

words = st.text(st.sampled_from('ab@. é\u4e2d{}[],:"\\\t'), min_size=1, max_size=6)
integers = st.one_of(
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.integers(0, 2_000_000_000_000).map(str),
    st.integers(0, 10**12).map(lambda n: f'"{n}"'),
    st.sampled_from(
        [
            "123.7",
            "true",
            "false",
            "1e3",
            "123.0",
            '"123.0"',
            '" 7 "',
            '""',
            "null",
            "[1]",
            "{}",
            '"1e3"',
            "9e99",
            '"abc"',
        ]
    ),
)
doubles = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(json.dumps),
    st.sampled_from(["1", "-0.5", '"1.5"', "NaN", "true", '"x"', "null", "1e400", '""', "{}", '"-2e-3"']),
)
texts = st.one_of(
    words.map(lambda text: json.dumps(text, ensure_ascii=False)),
    words.map(json.dumps),
    st.sampled_from(["5", "8015551212", "1.5", "true", "null", '""', '" "', "[]", '{"a":1}', '"\\u00e9"']),
)
KINDS = {
    "customer": [texts] * 5 + [integers] * 5,
    "accelerometer": [texts, integers, doubles, doubles, doubles],
    "step_trainer": [integers, texts, integers],
}


@st.composite
def records(draw: st.DrawFn, feed: str) -> str:
    """One record as text: mostly clean, sometimes with a key missing, doubled, extra or in another case."""
    pairs = [(name, draw(kind)) for name, kind in zip(FIELDS[feed], KINDS[feed], strict=True)]
    if draw(st.integers(0, 9)) < 7:  # a clean record
        pairs = [(name, _clean(name)) for name, _ in pairs]
    damage = draw(st.sampled_from(["", "", "", "case", "missing", "extra", "double"]))
    at = draw(st.integers(0, len(pairs) - 1))
    if damage == "case":
        pairs[at] = (pairs[at][0].upper(), pairs[at][1])
    elif damage == "missing":
        del pairs[at]
    elif damage == "extra":
        pairs.insert(at, ("extra", draw(st.sampled_from(["1", '"x"', '{"user":"a","timestamp":1}', "[true]"]))))
    elif damage == "double":
        pairs.append(pairs[at])
    space = draw(st.sampled_from(["", " "]))
    return "{" + f",{space}".join(f'"{name}":{space}{value}' for name, value in pairs) + "}"


def _clean(name: str) -> str:
    if name in ("x", "y", "z"):
        return "0.5"
    return "1655564444103" if name.endswith(("Date", "Time", "timestamp", "Object")) else '"a@test.com"'


@st.composite
def files(draw: st.DrawFn, feed: str) -> bytes:
    """A landing file: lines of records, glued, cut, spread and broken, or one JSON array."""
    found = draw(st.lists(records(feed), max_size=6))
    if draw(st.integers(0, 9)) == 0:
        return ("[" + ",\n".join(found) + "]").encode()
    lines: list[bytes] = []
    for record in found:
        shape = draw(
            st.sampled_from(
                ["plain"] * 8 + ["comma", "glued", "cut", "spread", "crlf", "blank", "bytes", "bracket", "junk"]
            )
        )
        text = {
            "comma": record + ",",
            "glued": record + record,
            "cut": record[: len(record) // 2],
            "spread": record.replace("{", "{\n", 1).replace("}", "\n}"),
            "crlf": record + "\r",
            "blank": record + "\n  \n",
            "bracket": "[\n" + record,
            "junk": "no json",
        }.get(shape, record)
        lines.append(b"\xff" + text.encode() if shape == "bytes" else text.encode())
    end = draw(st.sampled_from([b"\n", b"", b"\n\n", b"\n]"]))
    return draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf"])) + b"\n".join(lines) + end


def check(feed: str, contents: list[bytes]) -> None:
    """Ingest files and compare every row, landed and quarantined, with the oracle."""
    folder = Path(tempfile.mkdtemp())
    try:
        (folder / "feeds" / feed).mkdir(parents=True)
        paths = []
        for number, content in enumerate(contents):
            packed = number % 2 == 1
            path = folder / "feeds" / feed / (f"{number}.json.gz" if packed else f"{number}.json")
            path.write_bytes(gzip.compress(content) if packed else content)
            paths.append(path)
        lake = stedi.open_lakehouse(folder / "lake")
        result = lake.run(folder / "feeds")
        wanted = [read_records(path, feed) for path in paths]
        landed = in_order([(*r.values.values(), r.file, r.line) for w in wanted for r in w.records])
        kept_out = in_order([(q.file, q.line) for w in wanted for q in w.quarantined])
        found = lake.table(f"{feed}_landing").to_arrow().to_pylist()
        assert in_order([tuple(row[name] for name in (*FIELDS[feed], *PLACE)) for row in found]) == landed
        assert (
            in_order([tuple(row[name] for name in PLACE) for row in lake.table("quarantine").to_arrow().to_pylist()])
            == kept_out
        )
        assert result.report["feeds"][feed]["arrived"] == len(landed) + len(kept_out)
    finally:
        shutil.rmtree(folder)


@given(st.lists(files("customer"), min_size=1, max_size=3))
def test_customer_files(contents: list[bytes]) -> None:
    check("customer", contents)


@given(st.lists(files("accelerometer"), min_size=1, max_size=3))
def test_accelerometer_files(contents: list[bytes]) -> None:
    check("accelerometer", contents)


@given(st.lists(files("step_trainer"), min_size=1, max_size=3))
def test_step_trainer_files(contents: list[bytes]) -> None:
    check("step_trainer", contents)
