"""The simulator: same options, same bytes, and its truth is what the specification makes of them."""

import gzip
import hashlib
import json
import math
import re
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from oracle import Settings, expected

from stedi.simulate import SimulationOptions, Truth, simulate

FEEDS = ("customer", "accelerometer", "step_trainer")
BY_EVIDENCE = ("device_sessions", "step_trainer_trusted", "machine_learning_curated")
INSTANT = {"customer": "lastUpdateDate", "accelerometer": "timestamp", "step_trainer": "sensorReadingTime"}
OPTIONS = SimulationOptions(customers=300, dirty_share=0.01, duplicate_rate=0.01, records_per_file=10_000)
CLEAN = SimulationOptions(customers=200, dirty_share=0, duplicate_rate=0, compressed_share=0, shared_device_share=0.2)


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("dirty")
    return folder, simulate(folder, OPTIONS)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("clean")
    return folder, simulate(folder, CLEAN)


def files_of(folder: Path, feed: str) -> list[Path]:
    return sorted(path for path in (folder / feed).rglob("*") if path.is_file())


def content(path: Path) -> bytes:
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zst":
        with pa.CompressedInputStream(str(path), "zstd") as stream:
            return bytes(stream.read())
    return path.read_bytes()


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows(folder: Path, feed: str) -> list[dict[str, Any]]:
    """Read a feed without dirt."""
    return [json.loads(line) for path in files_of(folder, feed) for line in content(path).splitlines()]


def sessions_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "truth" / "sessions.ndjson").read_text().splitlines()]


def oracle_tables(folder: Path, policy: str) -> dict[str, list[Any]]:
    delivery = [(feed, path) for feed in FEEDS for path in files_of(folder, feed)]
    return expected([delivery], Settings(policy=policy))


# --- The truth ----------------------------------------------------------------------------------------------


def is_whole(value: object) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, str) and value.isdigit())


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def is_text(value: object) -> bool:
    return isinstance(value, str) and not any("\udc80" <= letter <= "\udcff" for letter in value)


CONTRACT = {
    "customer": {"email": is_text, "lastupdatedate": is_whole},
    "accelerometer": {"user": is_text, "timestamp": is_whole, "x": is_number, "y": is_number, "z": is_number},
    "step_trainer": {"sensorreadingtime": is_whole, "serialnumber": is_text, "distancefromobject": is_whole},
}


def recount(data: bytes, feed: str) -> Counter[str]:
    """Count read and quarantined records: objects wherever they stand, and the rest of a cut last line."""
    counts: Counter[str] = Counter()
    text, at = data.decode("utf-8-sig", "surrogateescape"), 0
    while (start := text.find("{", at)) >= 0:
        assert set(text[at:start]) <= set(" \r\n,[]")
        try:
            found, at = json.JSONDecoder().raw_decode(text, start)
        except ValueError:
            assert "\n" not in text[start:]
            counts["quarantined"] += 1
            return counts
        record = {key.lower(): value for key, value in found.items()}
        good = all(check(record.get(field)) for field, check in CONTRACT[feed].items())
        counts["read" if good else "quarantined"] += 1
    assert set(text[at:]) <= set(" \r\n,[]")
    return counts


@pytest.mark.parametrize("feed", FEEDS)
def test_read_and_quarantined_are_what_arrived(dirty: tuple[Path, Truth], feed: str) -> None:
    folder, truth = dirty
    counted = sum((recount(content(path), feed) for path in files_of(folder, feed)), Counter())
    assert (counted["read"], counted["quarantined"]) == (truth.read[feed], truth.quarantined[feed])
    assert truth.arrived[feed] == truth.read[feed] + truth.quarantined[feed]
    assert truth.quarantined[feed] > 0


@pytest.mark.parametrize("policy", ["strict", "seed"])
@pytest.mark.parametrize(
    "options",
    [
        OPTIONS,
        SimulationOptions(
            customers=150,
            seed=1,
            reused_serial_share=0.5,
            consent_share=0.9,
            late_consent_share=0.9,
            shared_device_share=0.4,
            second_device_share=0.3,
            withdrawn_share=0.2,
        ),
        # One or two usable readings: only a number that nobody else carries can tell whose they are.
        SimulationOptions(
            customers=60, seed=2, reused_serial_share=0.3, shared_device_share=0.5, readings_per_session=2
        ),
        # More than one chunk: counts that need all of them.
        SimulationOptions(customers=2100, seed=3, reused_serial_share=0.98, readings_per_session=3),
        SimulationOptions(customers=100, interval_ms=3000, dirty_share=0.5, duplicate_rate=1.0),
        SimulationOptions(customers=1),
    ],
    ids=["default", "mixed", "scarce", "chunks", "dirty", "one"],
)
def test_truth_is_what_the_oracle_finds(tmp_path: Path, options: SimulationOptions, policy: str) -> None:
    truth = simulate(tmp_path, options)
    found = {table: len(found) for table, found in oracle_tables(tmp_path, policy).items()}
    assert truth.expected[policy] == {table: found[table] for table in truth.expected[policy]}


@pytest.mark.parametrize(
    "difficulty",
    [{"drop_rate": 0.3}, {"clock_skew_ms": 40}, {"jitter_ms": 5}, {"simultaneous_share": 0.5}],
    ids=lambda difficulty: next(iter(difficulty)),
)
def test_where_sessions_are_hard_to_tell_apart_only_owners_are_known(
    tmp_path: Path, difficulty: dict[str, Any]
) -> None:
    truth = simulate(tmp_path, SimulationOptions(customers=150, **difficulty))
    unknown = {table for table, count in truth.expected["strict"].items() if count is None}
    assert unknown == set(BY_EVIDENCE)
    for policy in ("strict", "seed"):
        found = oracle_tables(tmp_path, policy)
        known = {table: count for table, count in truth.expected[policy].items() if count is not None}
        assert known == {table: len(found[table]) for table in known}


def test_true_owners_are_those_that_the_evidence_finds(dirty: tuple[Path, Truth]) -> None:
    folder, truth = dirty
    found = oracle_tables(folder, "strict")["device_sessions"]
    owners = {
        (one["serialNumber"], one["sessionStart"], one["sessionEnd"]): one["email"].lower()
        for one in sessions_of(folder)
        if one["consents"] and one["usableReadings"] >= 3
    }
    assert {row[:3]: row[4] for row in found} == owners
    assert len(owners) == truth.expected["strict"]["device_sessions"]


def test_truth_file_holds_what_is_returned(dirty: tuple[Path, Truth]) -> None:
    folder, truth = dirty
    assert json.loads((folder / "truth" / "truth.json").read_text()) == truth.as_json()


def test_sessions_are_those_of_the_devices(clean: tuple[Path, Truth]) -> None:
    folder, truth = clean
    instants: dict[str, list[int]] = defaultdict(list)
    for row in rows(folder, "step_trainer"):
        instants[row["serialNumber"]].append(row["sensorReadingTime"])
    sessions = sessions_of(folder)
    assert len(sessions) == truth.facts["sessions"]
    for session in sessions:
        among = [
            instant
            for instant in instants[session["serialNumber"]]
            if session["sessionStart"] <= instant <= session["sessionEnd"]
        ]
        assert len(set(among)) == CLEAN.readings_per_session
        assert {min(among), max(among)} == {session["sessionStart"], session["sessionEnd"]}
        assert max(np.diff(sorted(among))) <= 10_000
    by_device = defaultdict(list)
    for session in sorted(sessions, key=lambda one: one["sessionStart"]):
        by_device[session["serialNumber"]].append(session)
    pairs = [pair for own in by_device.values() for pair in pairwise(own)]
    assert pairs, "no household"
    assert all(after["sessionStart"] - before["sessionEnd"] > 60_000 for before, after in pairs)


# --- The feeds ----------------------------------------------------------------------------------------------


def test_records_look_like_those_of_2023(clean: tuple[Path, Truth]) -> None:
    folder, _ = clean
    lines = {feed: content(files_of(folder, feed)[0]).decode().splitlines() for feed in FEEDS}
    person = (
        r'\{"customerName": "\w+ \w+", "email": "[\w.]+@test\.com", "phone": "\d{10}", '
        r'"birthDay": "\d{4}-\d\d-\d\d", "serialNumber": "[-\da-f]{36}", "registrationDate": \d{13}, '
        r'"lastUpdateDate": \d{13}(, "shareWithResearchAsOfDate": \d{13})?'
        r'(, "shareWithPublicAsOfDate": \d{13})?(, "shareWithFriendsAsOfDate": \d{13})?\}'
    )
    movement = r'\{"user":" *[\w.]+@test\.com *","timestamp":\d{13}(,"[xyz]":-?\d\.\d{1,2}){3}\}'
    step = r'\{"sensorReadingTime":\d{13},"serialNumber":"[-\da-f]{36}","distanceFromObject":\d{3}\}'
    for feed, pattern in zip(FEEDS, (person, movement, step), strict=True):
        assert all(re.fullmatch(pattern, line, re.IGNORECASE) for line in lines[feed])


def test_phone_and_device_stamp_the_same_instants(clean: tuple[Path, Truth]) -> None:
    folder, _ = clean
    movements, steps = rows(folder, "accelerometer"), rows(folder, "step_trainer")
    assert {row["timestamp"] for row in movements} == {row["sensorReadingTime"] for row in steps}
    assert 2.7 < len(movements) / len(steps) < 2.95
    assert len({tuple(row.values()) for row in movements}) == len(movements)


def test_emails_are_spelled_in_several_ways(clean: tuple[Path, Truth]) -> None:
    folder, _ = clean
    known = {row["email"] for row in rows(folder, "customer")}
    spelled = {row["user"] for row in rows(folder, "accelerometer")}
    assert {user.strip().lower() for user in spelled} == {email.lower() for email in known}
    others = spelled - known
    assert all(any(test(user) for user in others) for test in (str.isupper, str.islower, lambda u: u != u.strip()))


def test_thirty_numbers_are_registered_for_all(clean: tuple[Path, Truth]) -> None:
    folder, _ = clean
    assert len({row["serialNumber"] for row in rows(folder, "customer")}) == 30
    assert len({row["serialNumber"] for row in rows(folder, "step_trainer")}) > 150


def correlation(values: np.ndarray[Any, Any], lag: int) -> float:
    return float(np.corrcoef(values[:-lag], values[lag:])[0, 1])


def cadence_hz(series: dict[str, dict[int, float]]) -> float:
    """Return where the sessions' mean autocorrelation peaks, of lags from a quarter of a second to one."""
    step_ms, lags = 20, range(13, 50)
    totals = np.zeros(len(lags))
    for readings in series.values():
        instants = np.array(sorted(readings))
        instants = instants[instants - instants[0] < 60_000]
        at = np.arange(instants[0], instants[-1], step_ms)
        values = np.interp(at, instants, [readings[int(instant)] for instant in instants])
        totals += [correlation(values, lag) for lag in lags]
    assert totals.max() / len(series) > 0.5
    return 1000 / (step_ms * lags[int(totals.argmax())])


def test_steps_are_visible(clean: tuple[Path, Truth]) -> None:
    folder, _ = clean
    distance: dict[str, dict[int, float]] = defaultdict(dict)
    for row in rows(folder, "step_trainer"):
        distance[row["serialNumber"]][row["sensorReadingTime"]] = row["distanceFromObject"]
    upward: dict[str, dict[int, float]] = defaultdict(dict)
    for row in rows(folder, "accelerometer"):
        upward[row["user"].strip().lower()][row["timestamp"]] = row["y"]
    assert 1.6 <= cadence_hz(distance) <= 2.0
    assert 1.6 <= cadence_hz(upward) <= 2.0


# --- Dirt ---------------------------------------------------------------------------------------------------

DIRT = {
    "trailing comma": rb"\},\n",
    "opening bracket": rb"\n\[\n\{",
    "closing bracket": rb"\}\n\]\n",
    "glued": rb"\}\{",
    "key in another case": rb'"(LastUpdateDate|timeStamp|sensorreadingtime)":',
    "BOM": rb"\A\xef\xbb\xbf",
    "CRLF": rb"\}\r\n",
    "blank line": rb"\n\n",
    "cut last line": rb"\n\{[^}]*\Z",
    "not UTF-8": rb"\xff\xfe",
    "fraction": rb":\s?\d{13}\.7",
    "true": rb":\s?true",
    "integer in a string": rb':\s?"\d{13}"',
    "NaN": rb":\s?NaN",
    "extra key": rb'"firmware": \{',
    "several lines": rb'\A\{\n  "',
    "array": rb"\A\[\{",
}


@pytest.mark.parametrize("customers", [100, 300])
@pytest.mark.parametrize("feed", FEEDS)
def test_every_kind_of_dirt_is_there(tmp_path: Path, feed: str, customers: int) -> None:
    simulate(tmp_path, SimulationOptions(customers=customers))
    contents = [content(path) for path in files_of(tmp_path, feed)]
    missing = {kind for kind, pattern in DIRT.items() if not any(re.search(pattern, data) for data in contents)}
    assert not missing
    objects = [one for data in contents for one in re.findall(rb"\{[^{}]*\}", data)]
    assert any(INSTANT[feed].lower().encode() not in one.lower() for one in objects)


def test_array_file_is_one_array(dirty: tuple[Path, Truth]) -> None:
    folder, _ = dirty
    arrays = [path for feed in FEEDS for path in files_of(folder, feed) if path.parent.name == "array"]
    assert len(arrays) == 3
    assert all(isinstance(json.loads(content(path)), list) for path in arrays)


def test_without_dirt_each_line_is_a_record(clean: tuple[Path, Truth]) -> None:
    folder, truth = clean
    assert {feed: len(rows(folder, feed)) for feed in FEEDS} == truth.arrived
    assert set(truth.quarantined.values()) == {0}


def test_records_come_again_in_other_files(dirty: tuple[Path, Truth]) -> None:
    folder, _ = dirty
    again = [path for path in files_of(folder, "accelerometer") if path.parent.name == "redelivered"]
    lines = set(b"".join(content(path) for path in again).splitlines())
    others = b"".join(content(path) for path in files_of(folder, "accelerometer") if path not in again)
    assert sum(line in others for line in lines) > 50


# --- Files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [OPTIONS, SimulationOptions(customers=2100, records_per_file=40_000)])
def test_same_options_give_the_same_bytes(tmp_path: Path, options: SimulationOptions) -> None:
    simulate(tmp_path / "one", options)
    simulate(tmp_path / "other", options)
    assert digest(tmp_path / "one") == digest(tmp_path / "other")


@pytest.mark.parametrize(
    "change",
    [
        {"customers": 121},
        {"seed": 1},
        {"reused_serial_share": 0.0},
        {"consent_share": 1.0},
        {"late_consent_share": 1.0},
        {"withdrawn_share": 1.0},
        {"drop_rate": 0.1},
        {"clock_skew_ms": 100},
        {"jitter_ms": 10},
        {"simultaneous_share": 1.0},
        {"shared_device_share": 1.0},
        {"second_device_share": 1.0},
        {"duplicate_rate": 0.5},
        {"dirty_share": 0.0},
        {"compressed_share": 1.0},
        {"late_share": 0.5},
        {"readings_per_session": 10},
        {"records_per_file": 1000},
        {"interval_ms": 3000},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_option_changes_the_files(tmp_path: Path, change: dict[str, Any]) -> None:
    simulate(tmp_path / "one", SimulationOptions(customers=120))
    simulate(tmp_path / "other", SimulationOptions(**{"customers": 120, **change}))
    one, other = digest(tmp_path / "one"), digest(tmp_path / "other")
    del one["truth/truth.json"], other["truth/truth.json"]
    assert one != other


def test_late_files_are_the_same_files_set_aside(tmp_path: Path) -> None:
    at_once, later = SimulationOptions(customers=120), SimulationOptions(customers=120, late_share=0.5)
    simulate(tmp_path / "one", at_once)
    simulate(tmp_path / "other", later)
    wanted, found = digest(tmp_path / "one"), digest(tmp_path / "other")
    late = {name for name in found if name.startswith("late/")}
    del wanted["truth/truth.json"], found["truth/truth.json"]
    assert len(late) == (len(wanted) - 1) // 2  # of all files but `truth/sessions.ndjson`
    assert {name.removeprefix("late/"): mark for name, mark in found.items()} == wanted


def test_shares_are_kept(tmp_path: Path) -> None:
    facts = simulate(tmp_path, SimulationOptions(customers=4000, readings_per_session=3)).facts
    consenting = facts["consentingCustomers"]
    assert consenting / 4000 == pytest.approx(0.5 * 0.98, abs=0.03)
    assert facts["lateConsents"] / consenting == pytest.approx(0.2, abs=0.03)
    assert facts["withdrawals"] / consenting == pytest.approx(0.02, abs=0.01)
    assert 2 * facts["households"] / 4000 == pytest.approx(0.02, abs=0.01)
    assert facts["secondDevices"] / 4000 == pytest.approx(0.02, abs=0.01)


def test_file_names_hold_feed_and_number_only(dirty: tuple[Path, Truth]) -> None:
    folder, _ = dirty
    assert {path.name for path in folder.iterdir()} == {*FEEDS, "truth"}
    for feed in FEEDS:
        paths = [path.relative_to(folder / feed).as_posix() for path in files_of(folder, feed)]
        place = r"(\d{4}/\d\d/\d\d|array|pretty|redelivered)"
        assert all(re.fullmatch(rf"{place}/{feed}-\d{{4}}\.jsonl?(\.gz|\.zst)?", path) for path in paths)


def test_files_are_bounded_and_some_are_compressed(dirty: tuple[Path, Truth]) -> None:
    folder, _ = dirty
    paths = [path for feed in FEEDS for path in files_of(folder, feed)]
    endings = Counter(path.suffix for path in paths)
    assert endings[".gz"] and endings[".zst"]
    assert (endings[".gz"] + endings[".zst"]) / len(paths) == pytest.approx(0.2, abs=0.1)
    read = [recount(content(path), path.relative_to(folder).parts[0])["read"] for path in paths]
    assert max(read) == OPTIONS.records_per_file


def test_progress_reaches_the_end(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    simulate(tmp_path, SimulationOptions(customers=5000), lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert len(seen) > 1
    assert seen[-1] == (5000, 5000)


def test_an_occupied_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("x")
    with pytest.raises(FileExistsError, match="not an empty folder"):
        simulate(tmp_path, SimulationOptions(customers=1))
    with pytest.raises(FileExistsError, match="not an empty folder"):
        simulate(tmp_path / "kept", SimulationOptions(customers=1))
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_failed_simulation_leaves_nothing(tmp_path: Path) -> None:
    def fail(done: int, total: int) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        simulate(tmp_path, SimulationOptions(customers=5000), fail)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("customers", 0),
        ("customers", 1.5),
        ("customers", True),
        ("seed", -1),
        ("consent_share", 1.1),
        ("consent_share", -0.1),
        ("consent_share", float("nan")),
        ("consent_share", "half"),
        ("drop_rate", 1.0),
        ("dirty_share", 0.6),
        ("clock_skew_ms", 60_000),
        ("readings_per_session", 0),
        ("records_per_file", 0),
        ("interval_ms", 9_000),
    ],
)
def test_impossible_options_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a"):
        SimulationOptions(**{name: value})
