"""One SELECT in Athena.

1. `start_query_execution` in the workgroup and database of the settings; nothing but a SELECT is sent.
2. `get_query_execution` is asked, ever less often, until the query has ended. Who gives up waiting (Ctrl-C) stops the query, which costs
   by what it has scanned.
3. What was scanned, and what that costs by the list price, is told.
4. `get_query_results` brings the rows, 1000 at a time, as text; `types` turns it into Arrow.

Athena's own words for a failure may quote a value, so only the name of the error, and line and column, are shown.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stedi.athena.types import batch_of, schema_of
from stedi.config import AthenaSettings
from stedi.errors import ConfigError, EngineError, QueryError, StediError
from stedi.results import Rows

if TYPE_CHECKING:
    import pyarrow as pa

_FIRST_WAIT_S, _LONGEST_WAIT_S, _SLOWER = 0.2, 5.0, 1.5
_MB, _TB = 10**6, 10**12
#: Athena charges for at least so many MB, and rounds up to whole ones.
LEAST_MB = 10
_READS = {"SELECT", "WITH", "VALUES", "L_PAREN"}
_HINTS = {
    "AccessDeniedException": "the role needs athena:StartQueryExecution, GetQueryExecution, GetQueryResults and StopQueryExecution in the"
    " workgroup, reading in Glue and S3, and writing to the output location",
    "InvalidRequestException": "check `workgroup`, `output`, `database` and `catalog` under [athena] in stedi.toml: a workgroup without an"
    " output location of its own needs `output`",
    "TooManyRequestsException": "too many queries run in this account: run it again later",
}
_NO_CREDENTIALS = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run under a role"


@dataclass(frozen=True)
class Spent:
    """What a query took: bytes scanned, dollars by the list price, seconds in Athena."""

    scanned_bytes: int
    usd: float
    seconds: float


def query_athena(settings: AthenaSettings, sql: str, tell: Callable[[Spent], None] = lambda _: None) -> Rows:
    """The rows of one SELECT in Athena's dialect. It is sent when the rows are read, each time anew.

    Args:
        settings: where it runs.
        sql: the SELECT.
        tell: called with what it took, before its first row.

    Raises (when the rows are read):
        QueryError: it is no SELECT, or Athena cannot run it.
        EngineError: Athena failed, or somebody stopped the query.
        ConfigError: the extra `aws` is missing, or AWS refuses what the settings or the credentials say.
    """
    return Rows(lambda: _reader(settings, sql, tell))


@contextmanager
def _reader(settings: AthenaSettings, sql: str, tell: Callable[[Spent], None]) -> Iterator[pa.RecordBatchReader]:
    import pyarrow as pa

    check_select(sql)
    client = _client(settings.region)
    with _explained():
        number = client.start_query_execution(**_request(settings, sql))["QueryExecutionId"]
        try:
            about = _wait(client, number)
        except BaseException:  # whoever gives up, for whatever reason, must not leave a query that costs
            _stop(client, number)
            raise
        if about["Status"]["State"] != "SUCCEEDED":
            raise failure(about["Status"])
        tell(spent(about.get("Statistics", {}), settings.usd_per_tb))
        first = client.get_query_results(QueryExecutionId=number, MaxResults=1000)
    columns = first["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    schema = schema_of(columns)
    pages = _pages(client, number, first, [column["Name"] for column in columns])
    yield pa.RecordBatchReader.from_batches(schema, (batch_of(page, schema) for page in pages))


def check_select(sql: str) -> None:
    """Refuse what is no SELECT: Athena itself would also write, drop and unload.

    Raises:
        QueryError: it is empty, no SELECT, or more than one statement.
    """
    import sqlglot

    try:
        kinds = [token.token_type.name for token in sqlglot.tokenize(sql, read="athena")]
    except sqlglot.errors.SqlglotError:
        raise QueryError("the query cannot be read", hint="look at its quotes and comments") from None
    while kinds and kinds[-1] == "SEMICOLON":
        kinds.pop()
    if not kinds or kinds[0] not in _READS or "SEMICOLON" in kinds:
        raise QueryError("only one SELECT can be run", hint="begin with SELECT or WITH; write with Athena's own tools")


def spent(statistics: dict[str, Any], usd_per_tb: float) -> Spent:
    """What a query took, by Athena's own figures."""
    scanned = int(statistics.get("DataScannedInBytes", 0))
    charged_mb = max(LEAST_MB, math.ceil(scanned / _MB))
    milliseconds = statistics.get("TotalExecutionTimeInMillis", 0)
    return Spent(scanned, charged_mb * _MB / _TB * usd_per_tb, milliseconds / 1000)


def _request(settings: AthenaSettings, sql: str) -> dict[str, Any]:
    output = {"ResultConfiguration": {"OutputLocation": settings.output}} if settings.output else {}
    return {
        "QueryString": sql,
        "QueryExecutionContext": {"Database": settings.database, "Catalog": settings.catalog},
        "WorkGroup": settings.workgroup,
        **output,
    }


def _wait(client: Any, number: str) -> dict[str, Any]:
    """What Athena says of a query that has ended, well or not."""
    pause = _FIRST_WAIT_S
    while True:
        about: dict[str, Any] = client.get_query_execution(QueryExecutionId=number)["QueryExecution"]
        if about["Status"]["State"] in ("SUCCEEDED", "FAILED", "CANCELLED"):
            return about
        time.sleep(pause)
        pause = min(pause * _SLOWER, _LONGEST_WAIT_S)


def _stop(client: Any, number: str) -> None:
    """Stop a query. Where that fails, too, what made us stop it is what is told."""
    from botocore.exceptions import BotoCoreError, ClientError

    with suppress(BotoCoreError, ClientError):
        client.stop_query_execution(QueryExecutionId=number)


def failure(status: dict[str, Any]) -> StediError:
    """Our error for a query that did not end well."""
    if status["State"] == "CANCELLED":
        hint = "somebody stopped it, or it scanned more than the workgroup allows: select fewer columns, or less time"
        return EngineError("the query was stopped in Athena", where="athena", hint=hint)
    found = re.match(
        r"(?:line (\d+:\d+): )?([A-Z][A-Z_]{3,})\b(?:: line (\d+:\d+))?", status.get("StateChangeReason", "")
    )
    name = found[2] if found else "no known error"
    place = (found[1] or found[3]) if found else None
    message = f"Athena cannot run it: {name}" + (f" at line {place}" if place else "")
    if status.get("AthenaError", {}).get("ErrorCategory") == 2 or (found and not name.startswith("GENERIC_INTERNAL")):
        hint = "it speaks Trino's SQL: docs/guides/athena.md has examples; the console of Athena tells more"
        return QueryError(message, where="athena", hint=hint)
    return EngineError(message, where="athena", hint="run it again; the console of Athena tells more")


def _pages(client: Any, number: str, page: dict[str, Any], names: list[str]) -> Iterator[list[dict[str, Any]]]:
    """The rows page by page. The first row of the first page is a header, which a SELECT always has."""
    rows = page["ResultSet"]["Rows"]
    yield rows[1:] if rows and [datum.get("VarCharValue") for datum in rows[0]["Data"]] == names else rows
    while token := page.get("NextToken"):
        with _explained():
            page = client.get_query_results(QueryExecutionId=number, MaxResults=1000, NextToken=token)
        yield page["ResultSet"]["Rows"]


def _client(region: str | None) -> Any:
    try:
        from stedi.aws import aws_session

        with _explained():
            return aws_session(region).client("athena")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"Athena needs {error.name}, which is not installed", hint="pip install 'stedi-lakehouse[aws]'"
        ) from None


@contextmanager
def _explained() -> Iterator[None]:
    """Raise our errors for AWS's."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "unknown"))
        hint = _HINTS.get(code, "check the credentials and [athena] in stedi.toml, then run it again")
        raise ConfigError(f"Athena refused: {code}", where="athena", hint=hint) from None
    except (NoCredentialsError, PartialCredentialsError):
        raise ConfigError("there are no AWS credentials", where="athena", hint=_NO_CREDENTIALS) from None
    except BotoCoreError as error:
        hint = "check the network, AWS_REGION, and `region` under [athena] in stedi.toml"
        raise ConfigError(f"Athena cannot be reached ({type(error).__name__})", where="athena", hint=hint) from None
