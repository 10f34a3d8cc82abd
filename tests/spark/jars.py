"""Hadoop's client of S3 for the version of Hadoop in PySpark, fetched once by Maven and kept outside the repository.

Prints the jars as `spark-submit --jars` takes them. AWS's SDK in one piece has 0.6 GB; the modules that Hadoop uses have 20 MB.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from interop.artifacts import Unavailable, alone, cache, run_maven

HADOOP, SDK = "3.4.2", "2.57.8"
_MODULES = ("s3", "s3-transfer-manager", "sts", "apache-client", "apache5-client", "netty-nio-client")
#: What Spark brings along.
_THERE = (
    "commons-codec:commons-codec",
    "commons-logging:commons-logging",
    "io.netty:*",
    "org.apache.httpcomponents:*",
    "org.slf4j:*",
)
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>stedi</groupId><artifactId>jars</artifactId><version>1</version>
<dependencies>{}</dependencies></project>"""
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"


def jars() -> list[Path]:
    """The jars, downloaded where they are missing.

    Raises:
        Unavailable: Maven is missing, or the download fails.
    """
    home = cache() / f"hadoop-aws-{HADOOP}-{SDK}"
    with alone():
        if not home.is_dir():
            _fetch(home)
    return sorted(home.glob("*.jar"))


def _fetch(home: Path) -> None:
    draft = home.with_name(home.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    wanted = [_dependency("org.apache.hadoop", "hadoop-aws", HADOOP, ("*:*",))]
    wanted += [_dependency("software.amazon.awssdk", name, SDK, _THERE) for name in _MODULES]
    (draft / "pom.xml").write_text(_POM.format("".join(wanted)), "utf-8")
    run_maven("hadoop-aws", "-f", str(draft / "pom.xml"), _COPY, f"-DoutputDirectory={draft}")
    draft.rename(home)


def _dependency(group: str, name: str, version: str, without: tuple[str, ...]) -> str:
    left_out = "".join(
        "<exclusion><groupId>{}</groupId><artifactId>{}</artifactId></exclusion>".format(*one.split(":"))
        for one in without
    )
    return (
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version>"
        f"<exclusions>{left_out}</exclusions></dependency>"
    )


if __name__ == "__main__":
    try:
        print(",".join(map(str, jars())))
    except Unavailable as why:
        if os.environ.get("CI"):
            raise
        print(f"tests on S3 are skipped: {why}", file=sys.stderr)
