"""How AWS is reached: one session and one client per process and set of options, and our errors for AWS's.

Credentials come from AWS's standard chain (environment, profile, role) and from nowhere else. Boto3 and cloudpathlib are an extra, and are
imported when something on AWS is first named.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from stedi.errors import ConfigError, StediError, StorageError

RETRY = "run again; if it stays so, look at the bucket and at the status of the service"
_UNREACHABLE = "check the network, AWS_PROFILE, AWS_REGION, and `endpoint` under [s3] in stedi.toml"
_CREDENTIALS = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run under a role"
_PERMISSION = "the role needs s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject there, and kms:GenerateDataKey for its key"
_RIGHTS = "the role lacks a right on it; deploy/aws/stacks/rights.py lists what a run needs"
HINTS = {
    "NoSuchBucket": "make the bucket, or correct its name",
    "AccessDenied": _PERMISSION,
    "AccessDeniedException": _RIGHTS,  # as Glue and Secrets Manager say it
    "403": _PERMISSION,
    "InvalidAccessKeyId": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "ExpiredToken": "the session has expired: sign in again",
    "PermanentRedirect": "the bucket is in another region: set AWS_REGION, or `region` under [s3] in stedi.toml",
}


@dataclass(frozen=True)
class S3Options:
    """What is set about S3 beyond AWS's own chain.

    Attributes:
        endpoint: URL of an S3-compatible server; AWS itself, or what the environment or the profile says, where None.
        region: of the bucket; what the environment or the profile says where None.
        encryption: `AES256` or `aws:kms`, asked for with every object written; the bucket's own default where None.
        kms_key: key for `aws:kms`; the account's default key where None.
    """

    endpoint: str | None = None
    region: str | None = None
    encryption: str | None = None
    kms_key: str | None = None

    def extra_args(self) -> dict[str, str]:
        """What boto3 is to send along with an object that is written."""
        asked = {"ServerSideEncryption": self.encryption, "SSEKMSKeyId": self.kms_key}
        return {name: value for name, value in asked.items() if value is not None}


@cache
def cloud_client(options: S3Options) -> Any:
    """Cloudpathlib's client, which makes places; boto3's own is its attribute `client`, boto3's session `sess`.

    Raises:
        ConfigError: the extra `aws` is not installed, or AWS's own settings are wrong.
    """
    try:
        from boto3.s3.transfer import TransferConfig
        from cloudpathlib import S3Client
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"places on S3 need {error.name}, which is not installed", hint="pip install 'stedi-lakehouse[aws]'"
        ) from None
    endpoint = options.endpoint or os.environ.get("AWS_ENDPOINT_URL_S3")  # cloudpathlib looks at AWS_ENDPOINT_URL alone
    with explained("s3", ConfigError):
        client = S3Client(
            boto3_session=aws_session(options.region),
            endpoint_url=endpoint,
            addressing_style="path" if endpoint or os.environ.get("AWS_ENDPOINT_URL") else None,
            boto3_transfer_config=TransferConfig(multipart_threshold=16 << 20, multipart_chunksize=16 << 20),
            extra_args=options.extra_args(),
            file_cache_mode="close_file",
        )
    client.stedi_options = options
    return client


@dataclass(frozen=True)
class Reach:
    """What another program needs to read objects now: credentials may be of an hour."""

    endpoint: str | None
    region: str
    key: str
    secret: str = field(repr=False)
    token: str | None = field(repr=False)

    @property
    def host(self) -> str | None:
        """The endpoint without its scheme."""
        return self.endpoint.split("://", 1)[1].rstrip("/") if self.endpoint else None

    @property
    def encrypted(self) -> bool:
        """Whether it is reached by TLS."""
        return not (self.endpoint or "").startswith("http://")


def reach(options: S3Options) -> Reach:
    """How to reach S3 now, by AWS's chain and these options; the endpoint is None for AWS itself.

    Raises:
        StorageError: there are no credentials.
    """
    client = cloud_client(options)
    with explained("s3"):
        found = client.sess.get_credentials()
        if found is None:
            raise StorageError("there are no AWS credentials", where="s3", hint=_CREDENTIALS)
        now = found.get_frozen_credentials()
    endpoint = client.client.meta.endpoint_url
    ours = None if ".amazonaws.com" in endpoint else endpoint
    return Reach(ours, client.client.meta.region_name or "us-east-1", now.access_key, now.secret_key, now.token)


def arrow_filesystem(options: S3Options) -> Any:
    """PyArrow's access to S3, with the credentials of now."""
    return _arrow_filesystem(reach(options))


@lru_cache(8)
def _arrow_filesystem(now: Reach) -> Any:
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    return S3FileSystem(
        access_key=now.key,
        secret_key=now.secret,
        session_token=now.token,
        region=now.region,
        endpoint_override=now.host,
        scheme="https" if now.encrypted else "http",
        connect_timeout=10,
        request_timeout=60,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=8),
    )


@cache
def aws_session(region: str | None = None) -> Any:
    """Boto3's session, for clients of S3 and of other services: requests that fail for a passing reason are sent again, ever later."""
    import boto3
    import botocore.session
    from botocore.config import Config

    session = botocore.session.get_session()
    session.set_default_client_config(
        Config(
            retries={"mode": "standard", "total_max_attempts": 8},
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=32,
        )
    )
    chosen = region or os.environ.get("AWS_REGION")  # which other SDKs heed, and AWS sets in its containers
    return boto3.Session(botocore_session=session, region_name=chosen)


@contextmanager
def explained(where: object, kind: type[StediError] = StorageError, service: str = "S3") -> Iterator[None]:
    """Raise our error for AWS's: it tells what to do, and quotes nothing but the place.

    Args:
        where: the place, or the name of the service.
        kind: class of the error, for example `LandingError`.
        service: who answers there.
    """
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "unknown"))
        raise kind(f"{service} refused: {code}", where=str(where), hint=HINTS.get(code, RETRY)) from None
    except (NoCredentialsError, PartialCredentialsError):
        raise kind("there are no AWS credentials", where=str(where), hint=HINTS["InvalidAccessKeyId"]) from None
    except BotoCoreError as error:
        raise kind(
            f"{service} cannot be reached ({type(error).__name__})", where=str(where), hint=_UNREACHABLE
        ) from None
