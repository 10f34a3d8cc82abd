"""The Glue job: its script does a run, its list of modules is that of the lock file, and Glue's Python can install them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from deployed import APP, REPOSITORY

SCRIPT = APP / "glue_job.py"
LIST = APP / "glue-modules.txt"
STEDI = str(Path(sys.executable).parent / "stedi")


def _job(folder: Path, command: list[str], **settings: str) -> tuple[int, Any]:
    words = ["--JOB_NAME", "stedi", "--stedi-settings", json.dumps(settings), "--stedi-command", json.dumps(command)]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *words, "--JOB_RUN_ID", "jr_1"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    (line,) = done.stdout.splitlines()
    return done.returncode, json.loads(line)


def test_the_job_runs_the_lakehouse_and_says_what_it_did_in_one_line(tmp_path: Path) -> None:
    subprocess.run(
        [STEDI, "simulate", "feeds", "--customers", "30", "--seed", "7"], cwd=tmp_path, check=True, capture_output=True
    )
    code, told = _job(tmp_path, ["run", "--json", "--wait", "3600"], landing="feeds", lakehouse="lake")
    assert (code, told["run"], told["upToDate"]) == (0, 1, False)
    assert told["report"]["added"]["customer_landing"] > 0
    code, told = _job(tmp_path, ["run", "--json", "--wait", "3600"], landing="feeds", lakehouse="lake")
    assert (code, told["run"], told["upToDate"]) == (0, None, True)
    code, told = _job(tmp_path, ["maintain", "--json"], landing="feeds", lakehouse="lake")
    assert (code, told["expiredRuns"]) == (0, [])


def test_the_job_fails_when_the_run_does(tmp_path: Path) -> None:
    code, told = _job(tmp_path, ["run"], landing="missing", lakehouse="lake")
    assert (code, told["error"]["code"]) == (3, "LANDING")


def test_the_list_of_modules_is_fresh() -> None:
    check = [sys.executable, str(APP / "glue_modules.py"), "--check"]
    assert subprocess.run(check, cwd=REPOSITORY, check=False).returncode == 0, "run deploy/aws/glue_modules.py"


def test_every_module_is_exact_and_spark_is_glues_own() -> None:
    modules = [line for line in LIST.read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9.-]+==[0-9][\w.]*", module) for module in modules)
    names = {module.split("==")[0] for module in modules}
    assert {"boto3", "duckdb", "duckdb-extension-httpfs", "pyarrow", "pyiceberg", "sqlglot"} <= names
    assert "pyspark" not in names


def test_glues_python_can_install_every_module() -> None:
    """Wheels for Python 3.13 on Amazon Linux 2023 (glibc 2.34): Glue compiles nothing. They need each other in these versions."""
    command = [os.environ.get("UV", "uv"), "pip", "compile", str(LIST), "--quiet", "--no-header", "--no-annotate"]
    command += ["--only-binary", ":all:", "--python-version", "3.13", "--python-platform", "x86_64-manylinux_2_34"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    resolved = set(done.stdout.split())
    assert resolved == {line for line in LIST.read_text().splitlines() if not line.startswith("#")}, (
        "something else would be needed"
    )
