"""`stedi query --on athena` speaks Athena's protocol: with moto's server for the way through it, and with answers in the shapes that
boto3 knows for what moto never says (pages, failures, bytes scanned). The real service is nowhere in these tests.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import stedi
from stedi.config import AthenaSettings

boto3 = pytest.importorskip("boto3")
pytest.importorskip("moto")
REGION = "eu-central-1"


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of moto's, to which AWS's own variables lead."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    program = Path(sys.executable).with_name("moto_server")
    log = (tmp_path_factory.mktemp("moto") / "log").open("wb")
    with log, subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log) as server:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
        server.kill()


@pytest.fixture
def aws(moto: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a program that finds moto's server, and a folder with settings."""
    from stedi.aws import aws_session

    environment = {
        "AWS_ENDPOINT_URL_ATHENA": moto,
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.chdir(tmp_path)
    aws_session.cache_clear()
    (tmp_path / "stedi.toml").write_text('[athena]\noutput = "s3://results/athena/"\ndatabase = "stedi"\n')
    return environment


def column(name: str, kind: str, precision: int = 0, scale: int = 0) -> dict[str, Any]:
    return {"Name": name, "Label": name, "Type": kind, "Precision": precision, "Scale": scale, "Nullable": "UNKNOWN"}


def rows_of(*rows: tuple[str | None, ...]) -> list[dict[str, Any]]:
    return [{"Data": [{} if value is None else {"VarCharValue": value} for value in row]} for row in rows]


def queue(moto: str, columns: list[dict[str, Any]], *rows: tuple[str | None, ...]) -> None:
    """Tell moto what its next query answers; the header is the first row, as Athena has it."""
    result = {"rows": rows_of(tuple(c["Name"] for c in columns), *rows), "column_info": columns}
    request = urllib.request.Request(
        f"{moto}/moto-api/static/athena/query-results",
        data=json.dumps({"region": REGION, "results": [result]}).encode(),
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request).close()


EVERY_TYPE = [
    (column("b", "boolean"), "true", True, pa.bool_()),
    (column("ti", "tinyint"), "-7", -7, pa.int8()),
    (column("si", "smallint"), "300", 300, pa.int16()),
    (column("i", "integer"), "70000", 70_000, pa.int32()),
    (column("l", "bigint"), "9007199254740993", 9_007_199_254_740_993, pa.int64()),
    (column("f", "float"), "0.5", 0.5, pa.float32()),
    (column("d", "double"), "1.0E-5", 1e-5, pa.float64()),
    (column("inf", "double"), "-Infinity", float("-inf"), pa.float64()),
    (column("dec", "decimal", 10, 2), "1234.50", Decimal("1234.50"), pa.decimal128(10, 2)),
    (column("s", "varchar"), "", "", pa.string()),
    (column("day", "date"), "2023-11-14", date(2023, 11, 14), pa.date32()),
    (
        column("t", "timestamp"),
        "2023-11-14 22:13:20.123",
        datetime(2023, 11, 14, 22, 13, 20, 123_000),
        pa.timestamp("us"),
    ),
    (
        column("tz", "timestamp with time zone"),
        "2023-11-14 23:13:20.123 Europe/Berlin",
        datetime(2023, 11, 14, 22, 13, 20, 123_000, UTC),
        pa.timestamp("us", "UTC"),
    ),
    (
        column("off", "timestamp with time zone"),
        "2023-11-15 00:13:20.123456 +02:00",
        datetime(2023, 11, 14, 22, 13, 20, 123_456, UTC),
        pa.timestamp("us", "UTC"),
    ),
    (column("bin", "varbinary"), "de ad be ef", b"\xde\xad\xbe\xef", pa.binary()),
    (column("list", "array"), "[1, 2]", "[1, 2]", pa.string()),
]


def test_every_type_and_null(moto: str, aws: dict[str, str]) -> None:
    from stedi.athena.query import query_athena

    columns = [one[0] for one in EVERY_TYPE]
    queue(moto, columns, tuple(one[1] for one in EVERY_TYPE), (None,) * len(columns))
    table = query_athena(AthenaSettings(output="s3://results/"), "SELECT * FROM t").to_arrow()
    assert table.schema.types == [one[3] for one in EVERY_TYPE]
    first, second = table.to_pylist()
    assert list(first.values()) == [one[2] for one in EVERY_TYPE]
    assert set(second.values()) == {None}


def stedi_program(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from stedi.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, timeout=120)


@pytest.mark.parametrize("form", ["table", "csv", "json", "parquet"])
def test_every_format(moto: str, aws: dict[str, str], tmp_path: Path, form: str) -> None:
    queue(moto, [column("day", "date"), column("n", "bigint")], ("2023-11-14", "12"), ("2023-11-15", None))
    output = [] if form in ("table", "json") else ["--output", f"rows.{form}"]
    said = stedi_program("query", "--on", "athena", "SELECT day, n FROM t", "--format", form, *output, environment=aws)
    assert said.returncode == 0, said.stderr
    if form == "table":
        assert said.stdout.split() == ["day", "n", "2023-11-14", "12", "2023-11-15", "NULL"]
    elif form == "json":
        assert [json.loads(line) for line in said.stdout.splitlines()] == [
            {"day": "2023-11-14", "n": 12},
            {"day": "2023-11-15", "n": None},
        ]
    elif form == "csv":
        assert (tmp_path / "rows.csv").read_text() == '"day","n"\n2023-11-14,12\n2023-11-15,\n'
    else:
        assert pq.read_table(tmp_path / "rows.parquet").to_pylist()[0] == {"day": date(2023, 11, 14), "n": 12}
    assert "athena: 0.0 s, 0 bytes scanned, about 0.00005 USD" in said.stderr  # 10 MB at 5 USD per TB


def test_what_moto_was_asked(moto: str, aws: dict[str, str]) -> None:
    from stedi.athena.query import query_athena

    client = boto3.client("athena", endpoint_url=moto, region_name=REGION)
    before = set(client.list_query_executions()["QueryExecutionIds"])
    queue(moto, [column("n", "bigint")], ("1",))
    assert query_athena(
        AthenaSettings(output="s3://results/", database="other"), "SELECT 1 AS n"
    ).to_arrow().to_pylist() == [{"n": 1}]
    (number,) = set(client.list_query_executions()["QueryExecutionIds"]) - before
    about = client.get_query_execution(QueryExecutionId=number)["QueryExecution"]
    assert about["Query"] == "SELECT 1 AS n"
    assert about["QueryExecutionContext"] == {"Database": "other", "Catalog": "AwsDataCatalog"}
    assert about["ResultConfiguration"]["OutputLocation"].startswith("s3://results/")
    assert about["WorkGroup"] == "primary"


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE t",
        "INSERT INTO t SELECT 1",
        "SELECT 1; DROP TABLE t",
        "",
        "/* nothing */",
        "UNLOAD (SELECT 1) TO 's3://x/'",
    ],
)
def test_nothing_but_a_select_is_sent(moto: str, aws: dict[str, str], sql: str) -> None:
    client = boto3.client("athena", endpoint_url=moto, region_name=REGION)
    before = client.list_query_executions()["QueryExecutionIds"]
    said = stedi_program("query", "--on", "athena", sql, "--json", environment=aws)
    assert said.returncode == 7
    assert json.loads(said.stderr)["error"]["code"] == "QUERY"
    assert client.list_query_executions()["QueryExecutionIds"] == before


def test_a_workgroup_that_is_not_there(aws: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "stedi.toml").write_text('[athena]\nworkgroup = "nobody"\n')
    said = stedi_program("query", "--on", "athena", "SELECT 1", "--json", environment=aws)
    error = json.loads(said.stderr)["error"]
    assert (said.returncode, error["code"]) == (2, "CONFIG")


def test_athena_that_is_not_there(aws: dict[str, str]) -> None:
    nowhere = {**aws, "AWS_ENDPOINT_URL_ATHENA": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    said = stedi_program("query", "--on", "athena", "SELECT 1", "--json", environment=nowhere)
    assert said.returncode == 2
    assert "cannot be reached" in json.loads(said.stderr)["error"]["message"]


def test_as_of_is_for_the_lakehouse(aws: dict[str, str]) -> None:
    said = stedi_program("query", "--on", "athena", "SELECT 1", "--as-of", "1", environment=aws)
    assert said.returncode == 2
    assert "FOR VERSION AS OF" in said.stderr


@pytest.fixture
def stubbed(aws: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Boto3's client with answers that its own service model checks; it fails where they are not all asked for, in their order."""
    from botocore.stub import Stubber

    from stedi.athena import query

    client = boto3.client("athena", region_name=REGION)
    monkeypatch.setattr(query, "_client", lambda region: client)
    monkeypatch.setattr(query, "_FIRST_WAIT_S", 0.01)
    with Stubber(client) as stub:
        stub.add_response("start_query_execution", {"QueryExecutionId": "one"})
        yield stub
        stub.assert_no_pending_responses()


def state(name: str, **more: Any) -> dict[str, Any]:
    statistics = {"DataScannedInBytes": 123_456_789, "TotalExecutionTimeInMillis": 1500}
    return {"QueryExecution": {"Status": {"State": name, **more}, "Statistics": statistics}}


def page(*rows: tuple[str | None, ...], token: str | None = None) -> dict[str, Any]:
    result = {"ResultSet": {"Rows": rows_of(*rows), "ResultSetMetadata": {"ColumnInfo": [column("n", "bigint")]}}}
    return result | ({"NextToken": token} if token else {})


def test_pages_are_fetched_when_they_are_read(stubbed: Any) -> None:
    from stedi.athena.query import Spent, query_athena

    for name in ("QUEUED", "RUNNING", "RUNNING", "SUCCEEDED"):
        stubbed.add_response("get_query_execution", state(name), {"QueryExecutionId": "one"})
    asked = {"QueryExecutionId": "one", "MaxResults": 1000}
    stubbed.add_response("get_query_results", page(("n",), ("1",), ("2",), token="more"), asked)
    told: list[Spent] = []
    with query_athena(AthenaSettings(), "SELECT n FROM t", told.append).reader() as reader:
        assert reader.read_next_batch().to_pydict() == {"n": [1, 2]}
        stubbed.assert_no_pending_responses()
        stubbed.add_response("get_query_results", page(token="last"), {**asked, "NextToken": "more"})
        stubbed.add_response("get_query_results", page(("3",)), {**asked, "NextToken": "last"})
        assert reader.read_all().to_pydict() == {"n": [3]}
    assert told == [Spent(123_456_789, 124 / 1_000_000 * 5, 1.5)]  # 124 MB begun


@pytest.mark.parametrize(
    ("bytes_scanned", "usd"), [(0, 0.00005), (10_000_000, 0.00005), (10_000_001, 0.000055), (10**12, 5.0)]
)
def test_the_cost(bytes_scanned: int, usd: float) -> None:
    from stedi.athena.query import spent

    assert spent({"DataScannedInBytes": bytes_scanned}, 5.0).usd == pytest.approx(usd)


CANARY = "ana.canary@example.org"


CAST = f"INVALID_CAST_ARGUMENT: Cannot cast '{CANARY}' to BIGINT"
COLUMN = f"COLUMN_NOT_FOUND: line 1:8: Column '{CANARY}' cannot be resolved"
GRAMMAR = f"line 2:5: mismatched input '{CANARY}'"
INTERNAL = f"GENERIC_INTERNAL_ERROR: {CANARY}"
LIMIT = f"Bytes scanned limit was exceeded {CANARY}"


def failed(reason: str, **error: int) -> dict[str, Any]:
    return {"State": "FAILED", "StateChangeReason": reason} | ({"AthenaError": error} if error else {})


@pytest.mark.parametrize(
    ("status", "kind", "shown"),
    [
        (failed(CAST, ErrorCategory=2), stedi.QueryError, "INVALID_CAST_ARGUMENT"),
        (failed(COLUMN), stedi.QueryError, "COLUMN_NOT_FOUND at line 1:8"),
        (failed(GRAMMAR, ErrorCategory=2), stedi.QueryError, "Athena cannot run it"),
        (failed(INTERNAL, ErrorCategory=1), stedi.EngineError, "GENERIC_INTERNAL_ERROR"),
        ({"State": "FAILED"}, stedi.EngineError, "no known error"),
        ({"State": "CANCELLED", "StateChangeReason": LIMIT}, stedi.EngineError, "stopped"),
    ],
)
def test_failures_tell_their_name_and_no_value(
    stubbed: Any, status: dict[str, Any], kind: type[stedi.StediError], shown: str
) -> None:
    from stedi.athena.query import query_athena

    stubbed.add_response("get_query_execution", {"QueryExecution": {"Status": status}})
    with pytest.raises(kind) as raised, query_athena(AthenaSettings(), "SELECT 1").reader():
        pass
    told = f"{raised.value.message} {raised.value.where} {raised.value.hint}"
    assert shown in told
    assert CANARY not in told


def test_a_value_of_another_type(stubbed: Any) -> None:
    from stedi.athena.query import query_athena

    stubbed.add_response("get_query_execution", state("SUCCEEDED"))
    stubbed.add_response("get_query_results", page(("n",), (CANARY,)))
    with pytest.raises(stedi.DataError) as raised:
        query_athena(AthenaSettings(), "SELECT n FROM t").to_arrow()
    assert CANARY not in str(raised.value)


def test_who_gives_up_stops_the_query(stubbed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from stedi.athena import query

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(query.time, "sleep", interrupted)
    stubbed.add_response("get_query_execution", state("RUNNING"))
    stubbed.add_response("stop_query_execution", {}, {"QueryExecutionId": "one"})
    with pytest.raises(KeyboardInterrupt), query.query_athena(AthenaSettings(), "SELECT 1").reader():
        pass


def test_ctrl_c_stops_the_query_at_moto(moto: str, aws: dict[str, str]) -> None:
    """Moto's queries stay QUEUED for as many looks as it is told to."""
    change = {"model_name": "athena::execution", "transition": {"progression": "manual", "times": 10_000}}
    set_transition(moto, change)
    client = boto3.client("athena", endpoint_url=moto, region_name=REGION)
    before = set(client.list_query_executions()["QueryExecutionIds"])
    command = [sys.executable, "-c", "from stedi.cli import main; main()", "query", "--on", "athena", "SELECT 1"]
    with subprocess.Popen(command, env=os.environ | aws, stderr=subprocess.PIPE, text=True) as program:
        for _ in range(300):
            if begun := set(client.list_query_executions()["QueryExecutionIds"]) - before:
                break
            time.sleep(0.1)
        time.sleep(0.5)
        program.send_signal(signal.SIGINT)
        _, told = program.communicate(timeout=60)
    set_transition(moto, {"model_name": "athena::execution", "transition": {"progression": "immediate"}})
    assert program.returncode == 130, told
    (number,) = begun
    assert client.get_query_execution(QueryExecutionId=number)["QueryExecution"]["Status"]["State"] == "CANCELLED"


def set_transition(moto: str, change: dict[str, Any]) -> None:
    request = urllib.request.Request(
        f"{moto}/moto-api/state-manager/set-transition",
        data=json.dumps(change).encode(),
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request).close()
