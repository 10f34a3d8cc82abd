"""What happens when: files start runs, runs become metrics, metrics become alarms, and the secret has the form that the product reads."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from deployed import Synthesized
from moto import mock_aws

STEDI = str(Path(sys.executable).parent / "stedi")


def test_the_queue_waits_longer_than_it_forgets(made: Synthesized) -> None:
    """SQS drops repetitions for 300 s (a constant of the service): what it dropped has landed when the run starts."""
    (arrivals,) = (q for q in made.resources("AWS::SQS::Queue") if "RedrivePolicy" in q)
    assert arrivals["FifoQueue"] is True
    assert arrivals["ContentBasedDeduplication"] is True
    assert 300 < arrivals["DelaySeconds"] <= 900


def test_every_feed_starts_runs_and_nothing_else_does(made: Synthesized) -> None:
    (rule,) = (r for r in made.resources("AWS::Events::Rule") if "EventPattern" in r)
    keys = rule["EventPattern"]["detail"]["object"]["key"]
    assert keys == [{"prefix": "customer/"}, {"prefix": "accelerometer/"}, {"prefix": "step_trainer/"}]
    assert rule["EventPattern"]["detail-type"] == ["Object Created"]
    assert [t["Input"] for t in rule["Targets"]] == ['"landing"']
    (daily,) = (r for r in made.resources("AWS::Events::Rule") if r.get("ScheduleExpression") == "cron(10 4 * * ? *)")
    assert daily["Targets"][0]["Input"] == '"landing"', "else the daily run would not count as a repetition"


def test_landing_announces_new_objects(made: Synthesized) -> None:
    announcing = [b for b in made.resources("AWS::S3::Bucket") if "NotificationConfiguration" in b]
    assert len(announcing) == 1
    assert announcing[0]["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}


def test_the_command_that_runs_is_one_that_the_product_knows(made: Synthesized) -> None:
    (pipe,) = made.resources("AWS::Pipes::Pipe")
    command = json.loads(pipe["TargetParameters"]["InputTemplate"])["command"]
    assert command == ["run", "--json", "--wait", "3600"]
    (weekly,) = (r for r in made.resources("AWS::Events::Rule") if "maintain" in json.dumps(r))
    for words in (command, json.loads(weekly["Targets"][0]["Input"])["command"]):
        done = subprocess.run([STEDI, *words, "--help"], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_state_machine_runs_the_command_that_it_is_given(made: Synthesized) -> None:
    (machine,) = made.resources("AWS::StepFunctions::StateMachine")
    text = json.dumps(machine["DefinitionString"])
    assert ("ecs:runTask.sync" in text) == (made.engine == "fargate")
    assert ("glue:startJobRun.sync" in text) == (made.engine == "glue")
    assert "$.command" in text


def test_alarms_exist_and_tell_the_topic(made: Synthesized) -> None:
    alarms = made.resources("AWS::CloudWatch::Alarm")
    assert len(alarms) == 4
    assert all(len(a["AlarmActions"]) == 1 for a in alarms)
    (stale,) = (a for a in alarms if a.get("MetricName") == "RunsSucceeded")
    assert (stale["TreatMissingData"], stale["EvaluationPeriods"], stale["Period"]) == ("breaching", 26, 3600)
    (growth,) = (a for a in alarms if "RecordsQuarantined" in json.dumps(a))
    assert growth["Threshold"] == 1
    (failed,) = (a for a in alarms if "ExecutionsFailed" in json.dumps(a))
    assert "ExecutionsTimedOut" in json.dumps(failed)
    assert [s["Endpoint"] for s in made.resources("AWS::SNS::Subscription")] == ["oncall@example.org"]


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What three real runs print with `--json`: the first, one with nothing to do, one that fails (on standard error)."""
    folder = tmp_path_factory.mktemp("runs")
    _stedi(folder, "simulate", "feeds", "--customers", "40", "--seed", "7")
    landing = ("run", "--landing", "feeds", "--json")
    found = {"first": _stedi(folder, *landing).stdout, "idle": _stedi(folder, *landing).stdout}
    found["failed"] = _stedi(folder, "run", "--landing", "missing", "--json").stderr
    return {name: json.loads(text) for name, text in found.items()}


def _stedi(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([STEDI, *words], cwd=folder, capture_output=True, text=True, check=False)


def test_metric_filters_read_what_runs_print(made: Synthesized, documents: dict[str, Any]) -> None:
    counted: dict[str, dict[str, float]] = {name: {} for name in documents}
    for rule in made.resources("AWS::Logs::MetricFilter"):
        (change,) = rule["MetricTransformations"]
        for name, document in documents.items():
            if _matches(rule["FilterPattern"], document):
                value = change["MetricValue"]
                number = _at(value, document) if value.startswith("$") else float(value)
                counted[name][change["MetricName"]] = counted[name].get(change["MetricName"], 0) + number
    feeds = documents["first"]["report"]["feeds"].values()
    assert counted == {
        "first": {
            "RunsSucceeded": 1,
            "RecordsLanded": sum(feed["landed"] for feed in feeds),
            "RecordsQuarantined": sum(feed["quarantined"] for feed in feeds),
        },
        "idle": {"RunsSucceeded": 1},
        "failed": {},
    }


def test_a_document_begins_a_log_event(made: Synthesized) -> None:
    for task in made.resources("AWS::ECS::TaskDefinition"):
        pattern = task["ContainerDefinitions"][0]["LogConfiguration"]["Options"]["awslogs-multiline-pattern"]
        printed = json.dumps({"plan": {"new": [{"a": 1}]}}, indent=2).splitlines()
        assert [bool(re.search(pattern, line)) for line in printed] == [True] + [False] * (len(printed) - 1)


def _at(path: str, document: Any) -> Any:
    """What a JSON path of CloudWatch's filters selects; None where it selects nothing."""
    for name in path.removeprefix("$.").split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _matches(pattern: str, document: Any) -> bool:
    """CloudWatch's filter language, as far as it is used here: `{ PATH >= N }`, `PATH IS TRUE`, joined by `||`."""
    terms = [term.strip(" (){}") for term in pattern.split("||")]
    return any(_term(term, document) for term in terms)


def _term(term: str, document: Any) -> bool:
    if found := re.fullmatch(r"(\S+) IS (TRUE|FALSE)", term):
        return _at(found[1], document) is (found[2] == "TRUE")
    compared = re.fullmatch(r"(\S+) >= (\d+)", term)
    assert compared, term
    value = _at(compared[1], document)
    return type(value) is int and value >= int(compared[2])


def test_the_secret_has_the_form_of_a_key(made: Synthesized) -> None:
    """Secrets Manager generates it from this template; moto draws from the same characters."""
    (secret,) = made.resources("AWS::SecretsManager::Secret")
    told = secret["GenerateSecretString"]
    with mock_aws():
        client = boto3.client("secretsmanager", region_name="us-east-1")
        drawn = [client.get_random_password(**told)["RandomPassword"] for _ in range(20)]
    assert all(len(bytes.fromhex(key)) == 32 for key in drawn)
    assert len(set(drawn)) == len(drawn)
    assert set("".join(drawn)) == set("0123456789abcdef")
    assert secret["Name"] in json.dumps(made.resources())


def test_the_product_takes_the_settings(made: Synthesized, tmp_path: Path) -> None:
    """Every name and form, checked by the product; names of buckets, which CloudFormation fills in, are made up."""
    from stedi.config import load_settings

    if made.engine == "fargate":
        (task,) = made.resources("AWS::ECS::TaskDefinition")
        environment = {e["Name"]: e["Value"] for e in task["ContainerDefinitions"][0]["Environment"]}
        (tmp_path / "stedi.toml").write_text(_filled(environment["STEDI_TOML"]))
        settings = load_settings(folder=tmp_path)
    else:
        (job,) = made.resources("AWS::Glue::Job")
        settings = load_settings(json.loads(_filled(job["DefaultArguments"]["--stedi-settings"])), tmp_path)
    assert settings.engine == ("duckdb" if made.engine == "fargate" else "spark")
    assert (str(settings.landing), settings.catalog, settings.policy) == ("s3://bucket", "glue", "strict")
    assert str(settings.lakehouse) == "s3://bucket/lakehouse"


def _filled(joined: Any) -> str:
    return "".join(part if isinstance(part, str) else "bucket" for part in joined["Fn::Join"][1])
