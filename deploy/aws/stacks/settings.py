"""The settings of the lakehouse that a run in AWS gets: places and names, no secret."""

from __future__ import annotations

import json

from stacks.data import Data
from stacks.options import Options
from stacks.secrets import NAME


def settings(data: Data, options: Options) -> dict[str, str]:
    """Settings by name. Names of buckets are filled in when the stack is deployed."""
    storage = data.storage
    chosen = {
        "landing": f"s3://{storage.landing.bucket_name}",
        "lakehouse": f"s3://{storage.lakehouse.bucket_name}/lakehouse",
        "erasure_register": f"s3://{storage.register.bucket_name}/register",
        "pseudonym_key": f"secretsmanager:{NAME}",
        "catalog": "glue",
        "policy": options.policy,
    }
    if options.engine == "fargate":
        return chosen | {"memory_limit": options.engine_memory}
    return chosen | {"engine": "spark"}


def as_toml(chosen: dict[str, str]) -> str:
    """The text of `stedi.toml`. A string is written in TOML as in JSON."""
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in chosen.items())
