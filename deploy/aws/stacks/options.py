"""What a deployment can choose: the context of the CDK app, checked once."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from constructs import Node

Engine = Literal["fargate", "glue"]
PROJECT = Path(__file__).resolve().parents[3]
_PERIOD = "a whole number of at least"


@dataclass(frozen=True)
class Options:
    """The choices of one deployment. Each field is the context key of the same name: `cdk deploy -c NAME=VALUE`.

    Attributes:
        engine: `fargate` runs DuckDB in one container, `glue` runs Spark.
        release: version of the wheel, and tag of the image in the repository; tags there cannot be moved.
        policy: `strict` or `seed`.
        alert_email: who is told of alarms; nobody where it is empty.
        analysts: ARN of the principal that may take the analysts' role; the account itself where it is empty, which leaves it to IAM.
        cpu: units of 1/1024 processor of the Fargate task.
        memory_mib: its memory, in MiB. The engine gets 60 % of it.
        disk_gib: its disk, in GiB, for what the engine spills.
        workers: workers of the Glue job (G.1X: 4 processors, 16 GB each), the driver included.
        stale_hours: alarm when no run has succeeded for this many hours.
        quarantine_percent: alarm when more than this share of a day's records was quarantined.
        scan_limit_gib: the most that one query in Athena may read, in GiB.
    """

    engine: Engine
    release: str
    policy: str
    alert_email: str
    analysts: str
    cpu: int
    memory_mib: int
    disk_gib: int
    workers: int
    stale_hours: int
    quarantine_percent: int
    scan_limit_gib: int

    @property
    def engine_memory(self) -> str:
        """The setting `memory_limit`: Python, PyArrow and what DuckDB does not count need the rest."""
        return f"{self.memory_mib * 6 // 10}MiB"


def options_of(node: Node) -> Options:
    """Read the context.

    Raises:
        ValueError: a value is not one that can be chosen.
    """
    engine = _text(node, "engine", "fargate")
    if engine not in ("fargate", "glue"):
        raise ValueError("context engine: choose fargate or glue")
    policy = _text(node, "policy", "strict")
    if policy not in ("strict", "seed"):
        raise ValueError("context policy: choose strict or seed")
    return Options(
        engine=engine,  # type: ignore[arg-type]
        release=_text(node, "release", project_version()),
        policy=policy,
        alert_email=_text(node, "alert_email", ""),
        analysts=_text(node, "analysts", ""),
        cpu=_number(node, "cpu", 2048, 256),
        memory_mib=_number(node, "memory_mib", 8192, 1024),
        disk_gib=_number(node, "disk_gib", 50, 21),
        workers=_number(node, "workers", 2, 2),
        stale_hours=_number(node, "stale_hours", 26, 1),
        quarantine_percent=_number(node, "quarantine_percent", 1, 0),
        scan_limit_gib=_number(node, "scan_limit_gib", 10, 1),
    )


def project_version() -> str:
    """The version of the package, from `pyproject.toml`."""
    version: str = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    return version


def _text(node: Node, name: str, default: str) -> str:
    value = node.try_get_context(name)
    return default if value is None else str(value)


def _number(node: Node, name: str, default: int, least: int) -> int:
    text = _text(node, name, str(default))
    if not re.fullmatch(r"\d+", text) or int(text) < least:
        raise ValueError(f"context {name}: give {_PERIOD} {least}")
    return int(text)
