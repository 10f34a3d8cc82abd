"""No message, report, file name or Iceberg metadata holds a value from the data: what is planted there never comes out unasked.

Every planted value holds the mark `c4n4ry`: in the identifying fields, in fields of the wrong type, in unknown keys, in broken lines.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import stedi
from stedi.contracts import contracts
from stedi.lakehouse import Lakehouse

MARK = re.compile(rb"c4n4ry", re.IGNORECASE)
START_MS = 1_700_000_000_000

PERSON = {
    "customerName": "C4n4ry Bird",
    "email": "C4N4RY.bird@example.org",
    "phone": "c4n4ry-555",
    "birthDay": "c4n4ry-1990",
    "serialNumber": "c4n4ry-registered",
    "registrationDate": START_MS - 9,
    "lastUpdateDate": START_MS - 9,
    "shareWithResearchAsOfDate": START_MS - 9,
}
TWIN = PERSON | {"email": "c4n4ry.twin@example.org"}
LATE = PERSON | {"email": "c4n4ry.late@example.org", "shareWithResearchAsOfDate": START_MS + 2_000}
SILENT = {k: v for k, v in PERSON.items() if k != "shareWithResearchAsOfDate"} | {"email": "c4n4ry.silent@example.org"}

BROKEN = {
    "customer": [
        '{"email": "c4n4ry.cut@example.org", "customerName": "C4n4r',
        "c4n4ry and nothing else",
        json.dumps(PERSON | {"lastUpdateDate": "c4n4ry-number"}),
        json.dumps(PERSON | {"email": {"c4n4ry": 1}}),
        json.dumps(PERSON | {"birthDay": ["c4n4ry"]}),
        '{"email": "c4n4ry-a", "email": "c4n4ry-b", "lastUpdateDate": 1}',
        '{"c4n4ry-key": 1}',
    ],
    "accelerometer": [
        json.dumps({"user": "c4n4ry.bird@example.org", "timestamp": "c4n4ry", "x": 1, "y": 1, "z": 1}),
        json.dumps({"user": "c4n4ry.bird@example.org", "timestamp": 1, "x": "c4n4ry", "y": 1, "z": 1}),
        json.dumps({"user": "c4n4ry.bird@example.org", "timestamp": 1.5, "x": 1, "y": 1, "z": 1}),
    ],
    "step_trainer": [
        json.dumps({"sensorReadingTime": "c4n4ry", "serialNumber": "c4n4ry-device", "distanceFromObject": 1}),
        json.dumps({"sensorReadingTime": 1, "serialNumber": "c4n4ry-device", "distanceFromObject": "c4n4ry"}),
        json.dumps({"sensorReadingTime": 1, "serialNumber": "c4n4ry-device"}),
    ],
}


def plant(folder: Path) -> Path:
    """Feeds full of marks: clean files, files with broken lines, and files that hold nothing else."""
    minute = 60_000
    people = [(PERSON, 0), (TWIN, 0), (LATE, 10), (SILENT, 20)]
    records = {
        "customer": [person for person, _ in people],
        "accelerometer": [
            {"user": person["email"], "timestamp": START_MS + at * minute + i * 1_000, "x": 0.5, "y": 0.5, "z": 0.5}
            for person, at in people
            for i in range(5)
        ],
        "step_trainer": [
            {
                "sensorReadingTime": START_MS + at * minute + i * 1_000,
                "serialNumber": f"c4n4ry-device-{at}",
                "distanceFromObject": 7,
            }
            for at in (0, 10, 20)
            for i in range(5)
        ],
    }
    for feed, rows in records.items():
        (folder / feed).mkdir(parents=True)
        clean = [json.dumps(row) for row in rows]
        (folder / feed / "clean.json").write_text("\n".join(clean) + "\n")
        (folder / feed / "mixed.json").write_text("\n".join([clean[0], *BROKEN[feed], clean[1]]))
        (folder / feed / "array.json").write_text(json.dumps([*rows, {"c4n4ry": "c4n4ry"}]))
        (folder / feed / "broken.jsonl").write_bytes("\n".join(BROKEN[feed]).encode() + b"\nc4n4ry \xff\xfe\n")
    return folder


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a lakehouse that was run over the planted feeds: twice under `strict`, with more files the second time."""
    folder = tmp_path_factory.mktemp("planted")
    feeds = plant(folder / "feeds")
    lake = stedi.open_lakehouse(folder / "lake")
    lake.run(feeds)
    (feeds / "customer" / "later.json").write_text(json.dumps(PERSON | {"lastUpdateDate": START_MS}))
    lake.run(feeds)
    return folder / "lake"


def assert_unmarked(*texts: str | bytes) -> None:
    for text in texts:
        found = MARK.search(text.encode() if isinstance(text, str) else text)
        assert found is None, f"a planted value came out: {text[:200]!r}"


QUIET = (
    "tables",
    "runs",
    "diff 1 2",
    "quarantine",
    "quarantine list",
    "quarantine show --limit 1000",
    "quarantine show --file mixed.json --line 3",
    "devices",
    "devices --all",
    "consent impact --landing FEEDS",
    *(f"consent explain c4n4ry.{who}@example.org" for who in ("bird", "twin", "late", "silent", "cut", "nobody")),
    "subject find c4n4ry.bird@example.org c4n4ry.cut@example.org c4n4ry.nobody@example.org",
    "subject forget c4n4ry.bird@example.org --dry-run",
    "hold c4n4ry.nobody@example.org --reason order",
    "doctor",
    "pin 1 --reason kept",
    "unpin 1",
    "maintain --dry-run",
    *(f"show {name} --rows 100" for name in contracts("strict")),
    "run --landing FEEDS",
    "run --landing FEEDS --dry-run",
    "run --landing FEEDS --full",
    "run --landing FEEDS --policy seed --dry-run",
)


@pytest.mark.parametrize("command", QUIET)
def test_no_command_tells_it_unasked(cli, planted: Path, command: str) -> None:
    words = command.replace("FEEDS", str(planted.parent / "feeds")).split()
    for how in ((), ("--json",)):
        said = cli(*words, *how, "--lakehouse", planted)
        assert said.code == 0, said.err
        assert_unmarked(said.out, said.err)


def test_it_is_there_and_told_when_asked(cli, planted: Path) -> None:
    """Else the other tests would prove nothing."""
    for command in (
        ("query", "FROM customer_trusted"),
        ("query", "FROM device_sessions", "--json"),
        ("show", "customer_landing", "--show-personal"),
        ("devices", "--show-personal"),
        ("consent", "explain", "c4n4ry.late@example.org", "--show-personal"),
        ("quarantine", "show", "--raw"),
        ("subject", "find", "c4n4ry.late@example.org", "--show"),
    ):
        said = cli(*command, "--lakehouse", planted)
        assert said.code == 0
        assert MARK.search(said.out.encode()), command
    facts = cli("tables", "--lakehouse", planted, "--json").facts
    rows = {table["name"]: table["rows"] for table in facts["tables"]}
    assert rows["quarantine"] == 2 * sum(map(len, BROKEN.values())) + 3 + 3
    assert rows["device_sessions"] == 2
    assert rows["machine_learning_curated"] > 0


def test_an_erasure_tells_nothing_of_whom_it_erased(cli, tmp_path: Path) -> None:
    """Not in what it prints, nor in the certificate, the list of erased people, the journal, or the names of files."""
    feeds, lake = plant(tmp_path / "feeds"), tmp_path / "lake"
    assert cli("run", "--landing", feeds, "--lakehouse", lake).code == 0
    people = [f"c4n4ry.{who}@example.org" for who in ("bird", "late", "silent", "cut")]
    journals = set()
    stedi.open_lakehouse(lake).subjects.find(people)

    def look(_step: str, _done: int, _total: int) -> None:
        if (lake / "erasure.jsonl").exists():
            journals.add((lake / "erasure.jsonl").read_bytes())

    done = stedi.open_lakehouse(lake).subjects.forget(people[:1], reason="a request", progress=look)
    assert done.known
    assert journals
    for how in ((), ("--json",)):
        said = cli("subject", "forget", *people, *how, "--lakehouse", lake)
        assert said.code == 0, said.err
        assert_unmarked(said.out, said.err)
    beside = [path for path in tmp_path.iterdir() if path.is_file()]
    assert {path.name for path in beside} >= {"lake.key.erasures.json", "lake.key.erasures.key"}
    assert any(path.name.startswith("lake.erased-") for path in beside)
    assert_unmarked(*(path.read_bytes() for path in beside), *journals, *(str(path) for path in lake.rglob("*")))
    certificate = next(path for path in beside if path.name.startswith("lake.erased-"))
    said = cli("subject", "verify", certificate, "--lakehouse", lake)
    assert_unmarked(said.out, said.err)


def test_the_training_table_names_nobody(cli, planted: Path) -> None:
    for how in ("csv", "json"):
        said = cli("query", "FROM machine_learning_curated", "--format", how, "--lakehouse", planted)
        assert len(said.out.splitlines()) > 1
        assert_unmarked(said.out)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT CAST(email AS INTEGER) FROM customer_landing",
        "SELECT CAST(email AS DATE) FROM customer_trusted",
        "SELECT error(email) FROM customer_landing",
        "SELECT strptime(email, '%Y') FROM customer_landing",
        "SELECT (SELECT email FROM customer_landing)",
        "SELECT CAST(raw AS JSON) FROM quarantine",
        "SELECT regexp_matches('x', '(' || email) FROM customer_landing",
        "SELECT * FROM customer_landing AS c, json_each('{}', '$' || c.email)",
        """SELECT json_deserialize_sql(CAST('{"error": false, "statements": [{"node": {"x": "' || email || '"}}]}' AS JSON))
           FROM customer_landing""",
        "SELECT CAST(CASE WHEN n.range = 40000 THEN c.email ELSE '1' END AS INTEGER) FROM range(50000) AS n, customer_landing AS c",
        "SELECT nosuch FROM customer_landing",
        "SELECT * FROM nosuch",
        "SELEC",
    ],
)
def test_a_query_that_fails_does_not_quote_the_row(cli, planted: Path, sql: str) -> None:
    for how in (("--format", "csv", "--output", "out.csv"), ("--format", "json", "--output", "out.json")):
        said = cli("query", sql, *how, "--lakehouse", planted)
        assert said.code == 7, said.err
        assert_unmarked(said.out, said.err)


@pytest.mark.parametrize("arguments", [("--as-of", "9"), ("--policy", "lax"), ("--landing", "nowhere")])
def test_errors_do_not_tell_it(cli, planted: Path, arguments: tuple[str, ...]) -> None:
    for command in ("tables", "devices", "run", "show customer_trusted"):
        said = cli(*command.split(), *arguments, "--lakehouse", planted)
        assert said.code != 0
        assert_unmarked(said.out, said.err)


def test_an_error_in_the_middle_of_a_run_does_not_tell_it(
    cli, planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that changes while it is read, and a rule that rows break: both fail in the engine, over marked rows."""
    from stedi.runs import stage

    models = {
        "customer_trusted": 'SELECT *, CAST("email" AS BIGINT) AS "customer" FROM customer_landing',
        "sessions": "SELECT error(user) FROM accelerometer_landing",
    }
    real = stage.model
    for name, sql in models.items():
        monkeypatch.setattr(
            stage, "model", lambda asked, *how, name=name, sql=sql: sql if asked == name else real(asked, *how)
        )
        for how in ((), ("--json",)):
            said = cli("run", "--landing", planted.parent / "feeds", "--lakehouse", tmp_path / "lake", *how)
            assert said.code in (11, 12), said.err
            assert_unmarked(said.out, said.err)


def test_an_error_nobody_foresaw_does_not_tell_it(cli, planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError(PERSON["email"])

    for method in ("runs", "tables", "run", "query", "explain_consent"):
        monkeypatch.setattr(Lakehouse, method, fail)
    asked = f"consent explain {PERSON['email']}"
    for command in ("runs", "tables", "devices", "quarantine", "run --landing nowhere", "show customer_trusted", asked):
        for how in ((), ("--json",)):
            said = cli(*command.split(), *how, "--lakehouse", planted)
            assert said.code == 70
            assert_unmarked(said.out, said.err)


def test_no_file_is_named_after_it(planted: Path) -> None:
    names = [str(path.relative_to(planted)) for path in planted.rglob("*")]
    assert len(names) > 50
    assert_unmarked(*names)


def test_no_metadata_holds_it(planted: Path) -> None:
    """Whatever is not a data file: the catalog, Iceberg's metadata and manifests, what is kept for readers."""
    kinds = {".json": 0, ".avro": 0, ".db": 0}
    for path in planted.rglob("*"):
        if path.is_file() and path.suffix != ".parquet":
            kinds[path.suffix] = kinds.get(path.suffix, 0) + 1
            assert_unmarked(path.read_bytes())
            if path.suffix == ".avro":
                assert_unmarked(*avro_blocks(path.read_bytes()))
    assert kinds[".json"] > 10
    assert kinds[".avro"] > 10
    assert kinds[".db"] == 1


def test_manifests_are_read_as_they_should_be(planted: Path) -> None:
    """A column without personal values keeps its bounds, so a personal one's would have been seen."""
    manifests = [
        b"".join(avro_blocks(path.read_bytes()))
        for path in planted.glob("warehouse/**/step_trainer_landing/metadata/*-m*.avro")
    ]
    assert manifests
    assert any((START_MS).to_bytes(8, "little") in manifest for manifest in manifests)


def test_reports_hold_only_what_may_be_told(planted: Path) -> None:
    for run in stedi.open_lakehouse(planted).runs():
        assert_unmarked(json.dumps(run.report))
        assert_unmarked(str(run))


def avro_blocks(content: bytes) -> Iterator[bytes]:
    """The blocks of an Avro file, unpacked."""
    assert content[:4] == b"Obj\x01"
    position, header = 4, {}
    while True:
        entries, position = _long(content, position)
        if entries == 0:
            break
        for _ in range(abs(entries)):
            name, position = _bytes(content, position)
            header[name], position = _bytes(content, position)
    position += 16
    while position < len(content):
        _, position = _long(content, position)
        block, position = _bytes(content, position)
        position += 16
        yield zlib.decompress(block, -15) if header.get(b"avro.codec") == b"deflate" else block


def _long(content: bytes, position: int) -> tuple[int, int]:
    shift = value = 0
    while True:
        byte = content[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), position


def _bytes(content: bytes, position: int) -> tuple[bytes, int]:
    length, position = _long(content, position)
    return content[position : position + length], position + length
