"""What readers ask of a lakehouse in Glue: whether it is there, and where the metadata of `runs` is. It loads no PyIceberg."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from stedi.aws import aws_session, explained
from stedi.errors import LakehouseError
from stedi.home import MARKER, Home
from stedi.places import read_whole


def glue_client(home: Home) -> Any:
    """Boto3's client of Glue."""
    return _client(home.options.region)


@cache
def _client(region: str | None) -> Any:
    return aws_session(region).client("glue")


def marked(home: Home) -> dict[str, str] | None:
    """What the lakehouse says of itself; None where there is none.

    Raises:
        LakehouseError: its tables are in another database than the settings say.
    """
    content = read_whole(home.folder / MARKER)
    if content is None:
        return None
    told: dict[str, str] = json.loads(content)
    if told["database"] != home.database:
        raise LakehouseError(
            f"the tables of this lakehouse are in the Glue database {told['database']}, not {home.database}",
            where=str(home.folder),
            hint=f'set glue_database = "{told["database"]}"',
        )
    return told


def pointer(home: Home) -> str | None:
    """Where the metadata of `runs` is now; None where nothing was ever published."""
    glue = glue_client(home)
    with explained("glue", LakehouseError, "Glue"):
        try:
            table = glue.get_table(DatabaseName=home.database, Name="runs")["Table"]
        except glue.exceptions.EntityNotFoundException:
            return None
    location: str | None = table["Parameters"].get("metadata_location")
    return location
