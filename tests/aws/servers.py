"""Servers that tests talk to as to AWS: a real S3 server (SeaweedFS), and moto's for the Glue API and Secrets Manager.

Both come from PyPI, listen on free ports of this machine alone, keep everything in one folder, and are ended with it.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

REGION = "eu-central-1"
#: Who may do everything, and who may do everything but delete. The secrets open nothing but a server of this run.
ACCESS_KEY, READER_KEY = "tests", "tests-reader"
SECRET_KEY = secrets.token_hex(16)
_STARTS_WITHIN_S = 60
_BIN = Path(sys.executable).parent


@contextmanager
def aws_servers(folder: Path) -> Iterator[dict[str, str]]:
    """Start both servers; yields the environment variables that lead every AWS SDK to them."""
    with ExitStack() as stack:
        s3 = stack.enter_context(_seaweedfs(folder))
        moto = stack.enter_context(_moto(folder))
        environment = {
            "AWS_ENDPOINT_URL_S3": s3,
            "AWS_ENDPOINT_URL_GLUE": moto,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": moto,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        _wait_for_s3(s3)
        _wait_for_port(moto)
        yield environment


@contextmanager
def _seaweedfs(folder: Path) -> Iterator[str]:
    """A SeaweedFS of one node: versions, conditional requests, object lock, server-side encryption."""
    data, config = folder / "seaweedfs", folder / "s3.json"
    data.mkdir(parents=True)
    everything = ["Admin", "Read", "Write", "List", "Tagging"]
    config.write_text(
        json.dumps({"identities": [_identity(ACCESS_KEY, everything), _identity(READER_KEY, ["Read", "List"])]})
    )
    master, master_rpc, volume, volume_rpc, filer, filer_rpc, s3, s3_rpc = _free_ports(8)
    command = [
        *(_BIN / "weed", "-logtostderr=true", "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *(f"-master.port={master}", f"-master.port.grpc={master_rpc}", "-master.volumeSizeLimitMB=64"),
        *("-master.telemetry=false", "-metricsPort=0"),
        *(f"-volume.port={volume}", f"-volume.port.grpc={volume_rpc}", "-volume.max=5000", "-volume.minFreeSpace=1"),
        *("-filer", f"-filer.port={filer}", f"-filer.port.grpc={filer_rpc}"),
        *("-s3", f"-s3.port={s3}", f"-s3.port.grpc={s3_rpc}", f"-s3.config={config}"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false"),
    ]
    with _running(
        command,
        folder / "seaweedfs.log",
        {"WEED_S3_SSE_KEY": "of tests alone", "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"},
    ):
        yield f"http://127.0.0.1:{s3}"


@contextmanager
def _moto(folder: Path) -> Iterator[str]:
    (port,) = _free_ports(1)
    command = [sys.executable, "-m", "aws.strict_moto", "-H", "127.0.0.1", "-p", str(port)]
    with _running(command, folder / "moto.log", {"PYTHONPATH": str(Path(__file__).parents[1])}):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _running(command: list[Path | str], log: Path, environment: dict[str, str]) -> Iterator[None]:
    """A process for as long as the block lasts. What it keeps is thrown away with the folder, so it need not say goodbye."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, cwd=log.parent, env=os.environ | environment)
    try:
        yield
        if process.poll() is not None:
            raise RuntimeError(f"{Path(command[0]).name} ended by itself: {log.read_text()[-2000:]}")
    finally:
        process.kill()
        process.wait()


def s3_client(environment: dict[str, str]):  # type: ignore[no-untyped-def] # the stubs of boto3 are no dependency of these tests
    """A client of the S3 server."""
    return boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL_S3"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_DEFAULT_REGION"],
        config=Config(retries={"mode": "standard", "max_attempts": 4}),
    )


def _wait_for_s3(url: str) -> None:
    """Until an object can be written and read: the gateway listens before the volumes are there."""
    environment = {
        "AWS_ENDPOINT_URL_S3": url,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": REGION,
    }
    _wait_for_port(url)
    client, until = s3_client(environment), time.monotonic() + _STARTS_WITHIN_S
    while True:
        try:
            client.create_bucket(Bucket="warm-up")
            client.put_object(Bucket="warm-up", Key="object", Body=b"warm")
            return
        except (ClientError, BotoCoreError):
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def _wait_for_port(url: str) -> None:
    port, until = int(url.rpartition(":")[2]), time.monotonic() + _STARTS_WITHIN_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def _free_ports(number: int) -> list[int]:
    """Ports that nobody listens on, each another one."""
    with ExitStack() as stack:
        ports = []
        for _ in range(number):
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            ports.append(listener.getsockname()[1])
        return ports


def _identity(key: str, actions: list[str]) -> dict[str, object]:
    return {"name": key, "credentials": [{"accessKey": key, "secretKey": SECRET_KEY}], "actions": actions}
