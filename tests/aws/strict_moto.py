"""Moto's server, which locks as Glue does: an update that names another version of a table than the current one is refused.

Moto itself takes any update. Run as `python -m aws.strict_moto -H 127.0.0.1 -p PORT`.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from moto.glue.exceptions import GlueClientError
from moto.glue.responses import GlueResponse
from moto.server import main

_LOCK = threading.Lock()
_update_table = GlueResponse.update_table


class ConcurrentModification(GlueClientError):
    def __init__(self) -> None:
        super().__init__("ConcurrentModificationException", "Update table failed due to concurrent modifications.")


def update_table(self: GlueResponse) -> Any:
    """As moto does it, if the version is the current one; nobody else updates meanwhile."""
    asked = self.parameters
    with _LOCK:
        table = self.glue_backend.get_table(asked["DatabaseName"], asked["TableInput"]["Name"])
        if "VersionId" in asked and asked["VersionId"] != table.as_dict()["VersionId"]:
            raise ConcurrentModification
        return _update_table(self)


if __name__ == "__main__":
    GlueResponse.update_table = update_table  # type: ignore[method-assign]
    main(sys.argv[1:])
