"""Settings that name places: how S3 is reached, and what a place or a key may be in `stedi.toml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from stedi.aws import S3Options
from stedi.places import Place, is_remote, is_uri, place
from stedi.secret import SCHEME as SECRET


class S3Settings(BaseModel):
    """How places on S3 are reached, beyond what AWS's own chain says (environment, profile, role): credentials come from there alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: str | None = Field(
        None, pattern=r"^https?://[^/]+$", description="URL of an S3-compatible server; AWS itself by default."
    )
    region: str | None = Field(None, description="Region of the buckets; by default as AWS's own chain says.")
    encryption: Literal["AES256", "aws:kms"] | None = Field(
        None, description="Asked for with every object written; the bucket's own default where it is not set."
    )
    kms_key: str | None = Field(None, description="Key for `aws:kms`; the account's default key where it is not set.")

    @model_validator(mode="after")
    def _key_needs_kms(self) -> Self:
        if self.kms_key and self.encryption != "aws:kms":
            raise ValueError('kms_key needs encryption = "aws:kms"')
        return self

    def options(self) -> S3Options:
        """The same, as places take it."""
        return S3Options(**self.model_dump())


def _placed(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """A place on S3 where one is named, else a path. Settings about S3 are declared before."""
    if is_uri(value) and "s3" in info.data:
        return place(value, info.data["s3"].options())
    return value if is_remote(value) else handler(value)


AnyPlace = Annotated[Place, WrapValidator(_placed)]


def secret_name(key: object) -> str | None:
    """The name of the secret that a key is; None where it is a file."""
    return key.removeprefix(SECRET) if isinstance(key, str) else None


def _keyed(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """The name of a secret, or a file."""
    return value if isinstance(value, str) and value.startswith(SECRET) else handler(value)


NoOrAnyKey = Annotated[Path | None, WrapValidator(_keyed)]
NoOrAnyPlace = Annotated[Place | None, WrapValidator(_placed)]
