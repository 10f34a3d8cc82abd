"""The templates deploy into moto's CloudFormation, as far as it knows the types; what it lacks is listed, so that a change shows."""

from __future__ import annotations

import copy
import json
import os
from typing import Any

import boto3
import pytest
from deployed import STACKS, Synthesized
from moto import mock_aws
from moto.cloudformation.parsing import get_model_map

#: Types in our templates that moto 5.2 makes nothing of: these are checked by cfn-lint, cdk-nag and the other tests here alone.
NOT_IN_MOTO = {
    "AWS::Athena::WorkGroup",
    "AWS::CloudWatch::Alarm",
    "AWS::Glue::Database",
    "AWS::Glue::Job",
    "AWS::Glue::SecurityConfiguration",
    "AWS::LakeFormation::DataLakeSettings",
    "AWS::LakeFormation::PrincipalPermissions",
    "AWS::LakeFormation::Resource",
    "AWS::LakeFormation::Tag",
    "AWS::LakeFormation::TagAssociation",
    "AWS::Logs::MetricFilter",
    "AWS::Pipes::Pipe",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::SecretsManager::Secret",
}
ONLY_WITH = {"glue": {"AWS::Glue::Job", "AWS::Glue::SecurityConfiguration"}, "fargate": set()}


def test_the_list_of_what_moto_lacks_is_exact(made: Synthesized) -> None:
    used = {r["Type"] for t in made.templates.values() for r in t["Resources"].values()}
    others = set().union(*(types for engine, types in ONLY_WITH.items() if engine != made.engine))
    assert used - set(get_model_map()) == NOT_IN_MOTO - others


def _within_moto(template: dict[str, Any]) -> dict[str, Any]:
    """The template without the types that moto lacks, and without references to them."""
    known = copy.deepcopy(template)
    gone = {name for name, r in template["Resources"].items() if r["Type"] in NOT_IN_MOTO}
    for name in gone:
        del known["Resources"][name]
    for resource in known["Resources"].values():
        depends = resource.get("DependsOn", [])
        resource["DependsOn"] = [d for d in ([depends] if isinstance(depends, str) else depends) if d not in gone]
        if resource["Type"] == "AWS::KMS::Key":
            del resource["Properties"][
                "Tags"
            ]  # moto 5.2 reads tags of keys in the form of the KMS API, not of CloudFormation
    named: dict[str, Any] = _replace(known, gone)
    return named


def _replace(node: Any, gone: set[str]) -> Any:
    if isinstance(node, dict):
        reference = node.get("Ref") or (node.get("Fn::GetAtt") or [None])[0]
        if reference in gone:
            return f"arn:aws:none:::{reference}"
        return {key: _replace(value, gone) for key, value in node.items()}
    if isinstance(node, list):
        return [_replace(value, gone) for value in node]
    return node


@pytest.fixture
def in_aws(monkeypatch: pytest.MonkeyPatch) -> Any:
    """moto's AWS, where `cdk bootstrap` was run."""
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        name = "/cdk-bootstrap/hnb659fds/version"
        boto3.client("ssm").put_parameter(Name=name, Value="30", Type="String")
        yield


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.usefixtures("in_aws")
def test_the_stacks_deploy(made: Synthesized) -> None:
    client = boto3.client("cloudformation")
    for name in STACKS:
        template = _within_moto(made.templates[name])
        client.create_stack(StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"])
        (stack,) = client.describe_stacks(StackName=name)["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        there = {r["LogicalResourceId"] for r in client.describe_stack_resources(StackName=name)["StackResources"]}
        assert set(template["Resources"]) <= there
    _check_buckets()
    _check_machine(made)


def _check_buckets() -> None:
    s3 = boto3.client("s3")
    names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert len(names) == 6
    algorithms = []
    for name in names:
        (rule,) = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
        algorithms.append(rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"])
    assert sorted(algorithms) == ["AES256"] + ["aws:kms"] * 5


def _check_machine(made: Synthesized) -> None:
    client = boto3.client("stepfunctions")
    (machine,) = client.list_state_machines()["stateMachines"]
    definition = json.loads(client.describe_state_machine(stateMachineArn=machine["stateMachineArn"])["definition"])
    assert definition["StartAt"] == "Run"
    kind = "ecs:runTask" if made.engine == "fargate" else "glue:startJobRun"
    assert kind in definition["States"]["Run"]["Resource"]
