"""Bad input gets an error with a code, a place and a next step; never a traceback, and nothing half done."""

from __future__ import annotations

import fcntl
import gzip
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import stedi


@pytest.fixture
def lake(tmp_path: Path, small_feeds: Path) -> Path:
    """A lakehouse that a test may damage."""
    stedi.open_lakehouse(tmp_path / "lake").run(small_feeds)
    return tmp_path / "lake"


def assert_told(said, code: str, exit_code: int, *words: str) -> None:
    """The error is told as it should be, and nothing else is printed."""
    assert said.code == exit_code, said.err
    assert said.out == ""
    assert said.err.startswith(f"error {code}: "), said.err
    assert "\n  next: " in said.err
    assert "Traceback" not in said.err
    for word in words:
        assert word in said.err


def assert_nothing_left(lake: Path) -> None:
    """No data file, no scratch, no run."""
    assert list(lake.glob("warehouse/**/*.parquet")) == []
    assert list(lake.glob("staging/*")) == []


# The landing area


def test_landing_folder_is_missing(cli, tmp_path: Path) -> None:
    for arguments in ((), ("--dry-run",)):
        assert_told(cli("run", "--landing", "nowhere", *arguments), "LANDING", 3, "does not exist", "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_landing_folder_is_not_named(cli) -> None:
    assert_told(cli("run"), "CONFIG", 2, "--landing")


def test_landing_folder_is_a_file(cli, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert_told(cli("run", "--landing", "file"), "LANDING", 3)


def test_landing_folder_is_empty_or_holds_other_things(cli, tmp_path: Path) -> None:
    (tmp_path / "feeds" / "customer").mkdir(parents=True)
    (tmp_path / "feeds" / "customer" / "notes.txt").write_text("{}")
    said = cli("run", "--landing", "feeds")
    assert_told(said, "LANDING", 3, "customer/, accelerometer/, step_trainer/", ".jsonl", ".gz")


@pytest.mark.parametrize("feed", ["customer", "accelerometer", "step_trainer"])
def test_a_feed_that_is_missing_is_allowed_and_told(cli, small_feeds: Path, feed: str) -> None:
    shutil.rmtree(small_feeds / feed)
    said = cli("run", "--landing", small_feeds)
    assert said.code == 0
    assert f"no file of the feed {feed}: looked for {feed}/**/*.json" in said.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(cli, small_feeds: Path) -> None:
    (small_feeds / "customer" / "2023" / "customer.json").chmod(0)
    assert_told(cli("run", "--landing", small_feeds), "LANDING", 3, "customer.json")


def _dangling_link(path: Path) -> None:
    path.symlink_to("/nowhere/at/all")


def _link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize("make", [_dangling_link, _link_to_itself, os.mkfifo])
def test_a_file_that_cannot_be_read(program, small_feeds: Path, tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(small_feeds / "customer" / "odd.json")
    assert_told(program("run", "--landing", small_feeds), "LANDING", 3, "odd.json", "nothing was changed")
    assert not (tmp_path / "lakehouse").exists()


def test_a_file_whose_name_is_not_utf_8(cli, small_feeds: Path, tmp_path: Path) -> None:
    """Its rows could not say where they come from."""
    try:
        Path(os.fsdecode(os.fsencode(small_feeds / "customer") + b"/b\xffd.json")).write_text("{}")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert_told(cli("run", "--landing", small_feeds), "LANDING", 3, "not UTF-8", "b\\xffd.json", "nothing was changed")
    assert not (tmp_path / "lakehouse").exists()


@pytest.mark.parametrize("ending", [".json.gz", ".jsonl.zst"])
@pytest.mark.parametrize("harm", ["no such format", "cut short", "empty"])
def test_a_compressed_file_that_is_damaged(cli, small_feeds: Path, tmp_path: Path, ending: str, harm: str) -> None:
    packed = gzip.compress(os.urandom(50_000))
    content = {"no such format": b'{"email": "jane@example.org"}\n', "cut short": packed[:20_000], "empty": b"\x1f"}[
        harm
    ]
    (small_feeds / "customer" / f"bad{ending}").write_bytes(content)
    said = cli("run", "--landing", small_feeds)
    assert_told(said, "LANDING", 3, f"bad{ending}", "deliver it again")
    assert "jane" not in said.err
    assert_nothing_left(tmp_path / "lakehouse")
    (small_feeds / "customer" / f"bad{ending}").unlink()
    assert cli("run", "--landing", small_feeds, "--json").facts["run"] == 1


# The lakehouse


@pytest.mark.parametrize("command", ["tables", "runs", "quarantine", "devices", "show runs", "query SELECT"])
def test_no_lakehouse_here(cli, command: str) -> None:
    assert_told(cli(*command.split()), "LAKEHOUSE", 4, "lakehouse", "stedi run --landing DIR")


def test_the_lakehouse_would_be_a_file(cli, small_feeds: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert_told(cli("run", "--landing", small_feeds, "--lakehouse", "file"), "STORAGE", 9, "file")
    assert_told(cli("run", "--landing", small_feeds, "--lakehouse", "file/x"), "STORAGE", 9, "file/x")
    assert_told(cli("tables", "--lakehouse", "file"), "LAKEHOUSE", 4)


@pytest.mark.parametrize("place", ["customer", "customer/lake"])
def test_the_lakehouse_would_lie_among_the_landing_files(cli, small_feeds: Path, place: str) -> None:
    """The next run would read its metadata as records."""
    before = sorted(small_feeds.rglob("*"))
    for arguments in ((), ("--dry-run",)):
        said = cli("run", "--landing", small_feeds, "--lakehouse", small_feeds / place, *arguments)
        assert_told(said, "CONFIG", 2, "folder of a feed", place)
    assert sorted(small_feeds.rglob("*")) == before
    assert cli("run", "--landing", small_feeds, "--lakehouse", small_feeds / "lake").code == 0


@pytest.fixture
def other_writer(lake: Path) -> Iterator[int]:
    """Another process that holds the lease of `lake`."""
    code = (
        "import sys; from pathlib import Path; from stedi.catalog.lease import writer_lease\n"
        "with writer_lease(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(lake)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process.pid
        process.stdin.close()


def test_a_second_writer_is_sent_away_and_readers_are_not(
    cli, lake: Path, small_feeds: Path, other_writer: int
) -> None:
    said = cli("run", "--landing", small_feeds, "--lakehouse", lake)
    assert_told(said, "LOCKED", 5, f"process {other_writer} is writing")
    assert cli("tables", "--lakehouse", lake).code == 0
    assert cli("query", "FROM customer_trusted", "--lakehouse", lake).code == 0
    assert cli("run", "--landing", small_feeds, "--lakehouse", lake, "--dry-run").code == 0


def test_a_writer_that_died_is_no_obstacle(cli, lake: Path, small_feeds: Path) -> None:
    with (lake / "writer.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4242")
    assert cli("run", "--landing", small_feeds, "--lakehouse", lake).code == 0


COMMANDS = (
    "tables",
    "runs",
    "quarantine",
    "devices",
    "show runs",
    "query SELECT",
    "run --landing feeds",
    "run --landing feeds --dry-run",
)


def test_a_newer_lakehouse(cli, lake: Path) -> None:
    with sqlite3.connect(lake / "catalog.db") as catalog:
        catalog.execute(
            "UPDATE iceberg_namespace_properties SET property_value = '99' WHERE property_key = 'stedi.format-version'"
        )
    catalog.close()
    for command in COMMANDS:
        assert_told(cli(*command.split(), "--lakehouse", lake), "LAKEHOUSE", 4, "format 99", "upgrade")


@pytest.mark.parametrize("harm", ["garbage", "empty", "torn", "later pages"])
def test_a_damaged_catalog(cli, lake: Path, harm: str) -> None:
    path = lake / "catalog.db"
    whole = path.read_bytes()
    damaged = {
        "garbage": os.urandom(9_000),
        "empty": b"",
        "torn": whole[:5_000],
        "later pages": whole[:8192] + b"\xff" * (len(whole) - 8192),
    }[harm]
    # a run finds an empty file as good as none
    for command in COMMANDS[:-2] if harm == "empty" else COMMANDS:
        for name in ("catalog.db-wal", "catalog.db-shm"):
            (lake / name).unlink(missing_ok=True)
        path.write_bytes(damaged)
        said = cli(*command.split(), "--lakehouse", lake)
        assert_told(said, "LAKEHOUSE", 4, "catalog.db", "restore catalog.db from a backup")


def test_a_catalog_that_is_gone_is_not_replaced_by_an_empty_one(cli, lake: Path, small_feeds: Path) -> None:
    """Rows of people would stay in files that no run looks at any more."""
    (lake / "catalog.db").unlink()
    before = sorted(lake.rglob("*.parquet"))
    said = cli("run", "--landing", small_feeds, "--lakehouse", lake)
    assert_told(said, "LAKEHOUSE", 4, "catalog.db", "restore catalog.db from a backup")
    assert sorted(lake.rglob("*.parquet")) == before


def test_a_data_file_that_is_gone(cli, lake: Path) -> None:
    next(lake.glob("warehouse/**/customer_trusted/data/*.parquet")).unlink()
    said = cli("query", "SELECT count(*) FROM customer_trusted", "--lakehouse", lake)
    assert_told(said, "ENGINE", 11, "customer_trusted", "stedi doctor")


def test_a_lakehouse_that_was_copied_does_not_write_to_the_original(
    cli, lake: Path, small_feeds: Path, tmp_path: Path
) -> None:
    shutil.copytree(lake, tmp_path / "copy")
    shutil.copy(tmp_path / "lake.key", tmp_path / "copy.key")
    before = {path: path.read_bytes() for path in lake.rglob("*") if path.is_file()}
    for command in COMMANDS:
        assert_told(cli(*command.split(), "--lakehouse", "copy"), "LAKEHOUSE", 4, "moved or copied")
    assert {path: path.read_bytes() for path in lake.rglob("*") if path.is_file()} == before
    (tmp_path / "link").symlink_to("lake")
    assert cli("tables", "--lakehouse", "link").code == 0


@pytest.mark.parametrize("harm", ["missing", "another one", "open to others", "open to the group", "a folder"])
def test_the_key(cli, lake: Path, small_feeds: Path, harm: str) -> None:
    key = lake.with_name("lake.key")
    {
        "missing": key.unlink,
        "another one": lambda: key.write_text("ab" * 32),
        "open to others": lambda: key.chmod(0o644),
        "open to the group": lambda: key.chmod(0o640),
        "a folder": lambda: (key.unlink(), key.mkdir(mode=0o700)),
    }[harm]()
    said = cli("run", "--landing", small_feeds, "--lakehouse", lake, "--full")
    assert_told(said, "PSEUDONYM_KEY", 10, "lake.key")
    assert len(cli("runs", "--lakehouse", lake, "--json").facts["runs"]) == 1


# Names and settings


def test_unknown_tables_and_runs(cli, lake: Path) -> None:
    assert_told(cli("show", "nosuch", "--lakehouse", lake), "NOT_FOUND", 6, "nosuch", "stedi tables")
    for command in ("tables", "query SELECT", "show runs", "devices"):
        assert_told(cli(*command.split(), "--as-of", 7, "--lakehouse", lake), "NOT_FOUND", 6, "no run 7", "stedi runs")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("policy = ", "TOML"),
        ("\xff", "TOML"),
        ("policy = 'lax'", "policy"),
        ("polici = 'strict'", "polici"),
        ("threads = 0", "threads"),
        ("memory_limit = 'much'", "memory_limit"),
        ("[devices]\nmin_jaccard = 7", "devices.min_jaccard"),
        ("lakehouse = 7", "lakehouse"),
        ("[devices]\nsession_gap_s = inf", "devices.session_gap_s"),
        ("[devices]\nsession_gap_s = 0.0001", "devices.session_gap_s"),
        ("[devices]\nclock_tolerance_ms = 99999999999999999999", "devices.clock_tolerance_ms"),
    ],
)
def test_a_bad_settings_file(cli, tmp_path: Path, small_feeds: Path, content: str, words: str) -> None:
    (tmp_path / "stedi.toml").write_text(content, "latin-1")
    for command in ("tables", "run --landing feeds", "show runs"):
        assert_told(cli(*command.split()), "CONFIG", 2, words, "stedi.toml")


def test_an_unknown_policy_in_python(tmp_path: Path, small_feeds: Path) -> None:
    lake = stedi.open_lakehouse(tmp_path / "new")
    for call in (lake.run, lake.plan):
        with pytest.raises(stedi.ConfigError, match="no such policy"):
            call(small_feeds, policy="lax")  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


def test_an_unknown_policy(cli, small_feeds: Path) -> None:
    assert_told(cli("run", "--landing", small_feeds, "--policy", "lax"), "USAGE", 2, "lax", "strict", "seed")


# A full disk

FULL = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
sys.argv = ["stedi", *sys.argv[2:]]
from stedi.cli import main
main()
"""


@pytest.mark.parametrize("bytes_at_most", [0, 4_096, 20_000, 100_000, 250_000])
def test_no_file_may_grow(stedi_2023: Path, tmp_path: Path, cli, bytes_at_most: int) -> None:
    """A limit on the size of files stands in for a full disk where nothing can be mounted."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(bytes_at_most), "run", "--landing", str(stedi_2023)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    assert done.returncode == 9, done.stderr
    assert done.stderr.startswith("error STORAGE: ")
    assert "\n  next: " in done.stderr
    assert_nothing_left(tmp_path / "lakehouse")
    assert cli("run", "--landing", stedi_2023, "--json").facts["run"] == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mounts a disk of so many KiB; called again, it gets that size."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(kib: int) -> Path:
        option = f"size={kib}k" + (",remount" if os.path.ismount(disk) else "")
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", option, "tmpfs", disk], capture_output=True, check=False)
        if done.returncode:
            pytest.skip("a disk can be mounted by root alone")
        return disk

    try:
        yield mount
    finally:
        subprocess.run(["umount", disk], capture_output=True, check=False)


@pytest.mark.skipif(shutil.which("mount") is None, reason="there is no mount")
@pytest.mark.parametrize("kib", [64, 200, 700, 1_100, 1_400])
def test_a_full_disk(cli, program, stedi_2023: Path, small_disk: Callable[[int], Path], kib: int) -> None:
    """Where the catalog, landing tables, derived tables, or commits find no room: all staged files are removed, and it can be redone."""
    lake = small_disk(kib) / "lake"
    said = program("run", "--landing", stedi_2023, "--lakehouse", lake)
    if said.code == 0:
        pytest.skip("it fits")
    assert_told(said, "STORAGE", 9)
    assert_nothing_left(lake)
    small_disk(50_000)
    assert program("run", "--landing", stedi_2023, "--lakehouse", lake, "--json").facts["run"] == 1


@pytest.mark.skipif(shutil.which("mount") is None, reason="there is no mount")
def test_a_disk_that_fills_up_later_leaves_the_last_run_as_it_was(
    cli, program, stedi_2023: Path, small_disk: Callable[[int], Path]
) -> None:
    lake = small_disk(50_000) / "lake"
    assert program("run", "--landing", stedi_2023, "--lakehouse", lake).code == 0
    used_kib = sum(path.stat().st_size for path in lake.rglob("*") if path.is_file()) // 1024
    before = cli("tables", "--lakehouse", lake, "--json").out
    small_disk(used_kib + 700)
    assert_told(program("run", "--landing", stedi_2023, "--lakehouse", lake, "--policy", "seed"), "STORAGE", 9)
    assert cli("tables", "--lakehouse", lake, "--json").out == before
    assert cli("doctor", "--lakehouse", lake, "--json").facts["checks"]
    small_disk(50_000)
    assert program("run", "--landing", stedi_2023, "--lakehouse", lake, "--policy", "seed", "--json").facts["run"] == 2
