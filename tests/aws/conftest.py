"""Fixtures of the tests on S3 and Glue: real servers, one of each per process of tests, and a bucket per test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

if find_spec("boto3") is None:  # they need the dependency group `aws`, which `make test-aws` sets up
    collect_ignore_glob = ["test_*.py"]

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def aws_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment variables that lead every AWS SDK, in this process and below, to the servers."""
    from aws.servers import aws_servers

    with aws_servers(tmp_path_factory.mktemp("aws")) as environment, pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        for name, value in environment.items():
            patch.setenv(name, value)
        yield environment


@pytest.fixture(scope="session")
def s3(aws_environment: dict[str, str]) -> Any:
    """A client of the S3 server that shares nothing with the product."""
    from aws.servers import s3_client

    return s3_client(aws_environment)


@pytest.fixture
def bucket(s3: Any) -> str:
    """A new bucket without versions."""
    name = f"plain-{next(_NUMBERS)}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def versioned_bucket(s3: Any) -> str:
    """A new bucket that keeps every version."""
    name = f"versioned-{next(_NUMBERS)}"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name
