"""The program itself: help, version, usage, exit codes, signals, pipes."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

import stedi
from stedi.cli import COMMANDS, build_app, run_cli
from stedi.lakehouse import Lakehouse

PROGRAM = (sys.executable, "-c", "from stedi.cli import main; main()")
ENDLESS = "SELECT count(*) FROM range(100000000) AS a, range(100000) AS b WHERE a.range * b.range % 7 = 3"


def commands() -> dict[str, typer.core.TyperCommand]:
    """Every command and subcommand by what is typed."""
    found = {}
    for name, command in typer.main.get_command(build_app()).commands.items():
        found[name] = command
        found |= {f"{name} {inner}": sub for inner, sub in getattr(command, "commands", {}).items()}
    return found


def test_help_lists_every_command(cli) -> None:
    for arguments in ((), ("--help",), ("-h",)):
        said = cli(*arguments)
        assert said.code == 0
        for command in COMMANDS:
            assert f"\n  {command} " in said.out


@pytest.mark.parametrize("command", commands())
def test_every_command_has_help_examples_and_json(cli, command: str) -> None:
    said = cli(*command.split(), "--help")
    assert said.code == 0
    assert f"Examples:\n    stedi {command.split()[0]}" in said.out
    assert "--json" in said.out
    assert all(len(line) <= 100 for line in said.out.splitlines())


@pytest.mark.parametrize("command", commands())
def test_every_option_says_what_it_does(command: str) -> None:
    for parameter in commands()[command].params:
        assert parameter.name == "context" or parameter.help, parameter.name


def test_version(cli) -> None:
    assert cli("--version").out == f"stedi {stedi.__version__}\n"


@pytest.mark.parametrize(
    "arguments", [("nosuch",), ("tables", "--nope"), ("show",), ("run", "--policy", "lax"), ("tables", "--as-of", "x")]
)
def test_usage_errors_exit_with_2_and_say_where_help_is(cli, arguments: tuple[str, ...]) -> None:
    said = cli(*arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("error USAGE: ")
    assert "--help" in said.err
    assert cli(*arguments, "--json").error["code"] == "USAGE"


def test_an_unexpected_error_tells_its_kind_and_place_but_not_its_words(
    cli, small_lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Lakehouse) -> None:
        raise ValueError("jane@example.org is not a number")

    monkeypatch.setattr(Lakehouse, "tables", fail)
    said = cli("tables", "--lakehouse", small_lake)
    assert said.code == 70
    assert said.err.startswith("error INTERNAL: ValueError in stedi.cli.tables:")
    assert "STEDI_TRACEBACK=1" in said.err
    assert "jane" not in said.err
    assert cli("tables", "--lakehouse", small_lake, "--json").error["code"] == "INTERNAL"
    monkeypatch.setenv("STEDI_TRACEBACK", "1")
    assert "jane@example.org" in cli("tables", "--lakehouse", small_lake).err


def test_whoever_stops_reading_is_not_bothered(program, strict_lake: stedi.Lakehouse) -> None:
    for how in ("csv", "json", "parquet"):
        said = program(
            "query", "FROM accelerometer_landing", "--format", how, "--lakehouse", strict_lake.folder,
            before=("bash", "-c", '"$0" "$@" | head -c 10; exit ${PIPESTATUS[0]}'),
        )  # fmt: skip
        assert (said.code, said.err) == (141, ""), how


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [("tables",), ("query", "FROM accelerometer_landing", "--json")])
def test_a_full_disk_behind_stdout_is_an_error(
    program, strict_lake: stedi.Lakehouse, arguments: tuple[str, ...], unbuffered: str
) -> None:
    said = program(
        *arguments,
        "--lakehouse",
        strict_lake.folder,
        before=("sh", "-c", '"$0" "$@" > /dev/full'),
        PYTHONUNBUFFERED=unbuffered,
    )
    assert said.code == 9
    assert "no space left on device" in said.err


def test_a_closed_stdout_or_a_plain_ascii_one_is_survived(program, small_lake: Path) -> None:
    assert program("tables", "--lakehouse", small_lake, before=("sh", "-c", '"$0" "$@" >&-')).code == 0
    said = program("devices", "--lakehouse", small_lake, PYTHONIOENCODING="ascii")
    assert (said.code, r"\u2022" in said.out) == (0, True)


def test_a_signal_waits_until_duckdb_is_imported() -> None:
    """In DuckDB 2 whatever is raised while it makes its types aborts the process, with a core dump and half-written files left behind."""
    program = """
import enum, os, signal, sys
from stedi.cli import interrupts
import stedi.aws, stedi.places, stedi.engines.sql

seen = []
def at_a_type(frame, event, _):
    if event == "call" and frame.f_globals.get("__name__") == "enum" and "_duckdb" in sys.modules and not seen:
        seen.append(1)
        os.kill(os.getpid(), signal.SIGTERM)

interrupts.notice_signals()
sys.setprofile(at_a_type)
try:
    import stedi.engines.duckdb
except KeyboardInterrupt:
    sys.setprofile(None)
    print("interrupted after", "duckdb" in sys.modules and hasattr(sys.modules["duckdb"], "connect"), len(seen))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted after True 1\n", "")


@pytest.mark.parametrize("delay_s", [0.1, 0.3, 1.0])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_query_is_interrupted(small_lake: Path, tmp_path: Path, number: int, code: int, delay_s: float) -> None:
    """DuckDB makes an error of its own of Ctrl-C, or does not hear of it at all; neither must show."""
    arguments = ["query", ENDLESS, "--format", "csv", "--output", "out.csv", "--lakehouse", str(small_lake)]
    assert interrupted(arguments, number, lambda: list(tmp_path.glob(".out.csv*")), delay_s) == (
        code,
        "",
        "interrupted\n",
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("delay_s", [0.0, 0.2, 0.5])
def test_a_run_is_interrupted(tmp_path: Path, stedi_2023: Path, cli, delay_s: float) -> None:
    """Wherever it is interrupted: nothing is published, nothing is left, and the next run is the first."""
    lake = tmp_path / "lakehouse"
    code, out, err = interrupted(
        ["run", "--landing", str(stedi_2023)], signal.SIGINT, lambda: list(lake.glob("staging/*")), delay_s
    )
    assert list(lake.glob("staging/*")) == []
    if code == 0:  # it was done before
        pytest.skip("this machine is too quick to be interrupted")
    assert (code, out, err) == (130, "", "interrupted; nothing was published\n")
    assert list(lake.glob("warehouse/**/*.parquet")) == []
    assert cli("run", "--landing", stedi_2023, "--json").facts["run"] == 1


def interrupted(
    arguments: list[str], number: int, started: Callable[[], object], delay_s: float
) -> tuple[int, str, str]:
    """Start a command, send it a signal some time after it has started to work, and return exit code, stdout, stderr."""
    with subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 60
            while not started() and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(delay_s)
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    return process.returncode, out, err


def on_a_terminal(*arguments: str, columns: int = 100) -> str:
    """What a command shows on a terminal, stderr included."""
    pid, terminal = pty.fork()
    if pid == 0:  # pragma: no cover - the child
        os.environ |= {"TERM": "xterm", "COLUMNS": str(columns)}
        os.execv(sys.executable, [*PROGRAM, *arguments])
    shown = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return shown.decode()


def test_bars_are_shown_where_a_person_watches_and_only_there(small_feeds: Path, program, tmp_path: Path) -> None:
    assert "building" in on_a_terminal("run", "--landing", str(small_feeds), "--lakehouse", "watched")
    assert "building" not in on_a_terminal("run", "--landing", str(small_feeds), "--lakehouse", "json", "--json")
    said = program("run", "--landing", small_feeds, "--lakehouse", "piped")
    assert "\x1b" not in said.out + said.err


def test_rows_too_wide_for_a_terminal_are_shown_one_below_the_other(small_lake: Path) -> None:
    shown = on_a_terminal("query", "FROM machine_learning_curated LIMIT 2", "--lakehouse", str(small_lake))
    assert "row 2" in shown
    narrow = on_a_terminal("query", "SELECT 1 AS n", "--lakehouse", str(small_lake))
    assert "row 1" not in narrow


def test_run_cli_returns_and_never_ends_the_process(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["--version"]) == 0
    assert run_cli(["nosuch"]) == 2
