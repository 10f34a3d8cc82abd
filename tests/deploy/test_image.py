"""The image, as far as it can be tested without a container engine: hadolint, and the same steps in a folder, run as the user it names."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from deployed import APP, REPOSITORY

DOCKERFILE = APP / "Dockerfile"
HADOLINT = str(Path(sys.executable).parent / "hadolint")
USER = 10001
AS_USER = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs"]


def _interpreter() -> tuple[str, list[str]]:
    """A Python that the user of the image can reach, and how to become that user; this Python and nothing where there is none."""
    if os.getuid() == 0:
        for python in (os.path.realpath(sys.executable), "/usr/bin/python3.11", "/usr/bin/python3"):
            # A shell between: the new user must be able to start it, too.
            again = ["sh", "-c", 'exec "$0" -c "import ensurepip, tomllib, venv"', python]
            tried = subprocess.run([*AS_USER, *again], capture_output=True, check=False)
            if tried.returncode == 0:
                return python, AS_USER
    return sys.executable, []


PYTHON, BECOME = _interpreter()


def test_hadolint_is_clean() -> None:
    done = subprocess.run([HADOLINT, str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_would_find_a_mistake(tmp_path: Path) -> None:
    wrong = tmp_path / "Dockerfile"
    wrong.write_text(DOCKERFILE.read_text().replace("python:3.11-slim", "python:latest"))
    assert subprocess.run([HADOLINT, str(wrong)], capture_output=True, check=False).returncode != 0


def test_the_image_gets_the_wheel_and_the_lock_and_no_source() -> None:
    copied = re.findall(r"^COPY (?!--from)(?:--\S+ )*(.*) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
    assert copied == ["dist/requirements.txt", "dist/*.whl", "deploy/aws/entrypoint.sh"]
    allowed = [line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert sorted(allowed) == sorted(copied)


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """What the first stage builds, under a folder instead of `/`: its RUN lines, word for word but for that."""
    # Not in pytest's folder, which nobody else may enter.
    with tempfile.TemporaryDirectory(prefix="stedi-image-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        _build(root)
        yield root


def _build(root: Path) -> None:
    context = root / "context"
    shutil.copytree(REPOSITORY, context, ignore=shutil.ignore_patterns(".*", "tests", "docs", "demo", "bench"))
    path = f"{Path(os.environ.get('UV') or shutil.which('uv') or 'uv').parent}:{os.environ['PATH']}"
    subprocess.run(["make", "release"], cwd=context, check=True, capture_output=True, env={**os.environ, "PATH": path})
    build = root / "build"
    build.mkdir()
    for file in (context / "dist").iterdir():
        shutil.copy(file, build)
    stage = DOCKERFILE.read_text().split("\nFROM ")[1]
    for command in re.findall(r"^RUN ((?:.*\\\n)*.*)$", stage, re.MULTILINE):
        line = (
            command.replace("\\\n", " ")
            .replace("/opt/stedi", f"{root}/opt/stedi")
            .replace("python -m venv", f"{PYTHON} -m venv")
        )
        done = subprocess.run(["sh", "-ec", line], cwd=build, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def _task(image: Path, work: Path, toml: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The entry point in a work folder, as the user of the image where the tests may change users: it can write nowhere else."""
    environment = {
        "PATH": f"{image}/opt/stedi/bin:/usr/bin:/bin",
        "HOME": str(work),
        "TMPDIR": str(work),
        "STEDI_TOML": toml,
    }
    environment |= {"PYTHONDONTWRITEBYTECODE": "1"}
    script = image / "entrypoint.sh"
    shutil.copy(APP / "entrypoint.sh", script)
    script.chmod(0o755)
    return subprocess.run(
        [*BECOME, str(script), *words], cwd=work, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def work(image: Path) -> Path:
    """The volume `/work`, which belongs to the user of the image."""
    folder = Path(tempfile.mkdtemp(prefix="work-", dir=image))
    if BECOME:
        os.chown(folder, USER, USER)
    return folder


def test_the_task_runs_with_the_settings_that_it_is_given(image: Path, work: Path) -> None:
    toml = 'landing = "feeds"\nlakehouse = "lake"\nmemory_limit = "500MiB"\n'
    assert _task(image, work, toml, "simulate", "feeds", "--customers", "30", "--seed", "7").returncode == 0
    done = _task(image, work, toml, "run", "--json", "--wait", "10")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["run"], told["upToDate"]) == (1, False)
    if BECOME:
        assert {file.stat().st_uid for file in (work / "lake").rglob("*")} == {USER}


def test_the_task_exits_as_stedi_does(image: Path, work: Path) -> None:
    done = _task(image, work, 'landing = "missing"\nlakehouse = "lake"\n', "run", "--json")
    assert (done.returncode, json.loads(done.stderr)["error"]["code"]) == (3, "LANDING")


def test_the_image_reads_s3_without_a_download(image: Path) -> None:
    """DuckDB's reader of S3 is in the image, for the version of DuckDB that is there; and boto3 for the catalog and the secret."""
    code = (
        "import boto3, duckdb, importlib.metadata as m; print(duckdb.__version__, m.version('duckdb-extension-httpfs'))"
    )
    done = subprocess.run([f"{image}/opt/stedi/bin/python", "-c", code], capture_output=True, text=True, check=True)
    assert len(set(done.stdout.split())) == 1
