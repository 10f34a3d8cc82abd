"""What must hold of every template: private buckets, TLS only, encryption, and rights that name what they are for."""

from __future__ import annotations

from typing import Any

from aws_cdk.assertions import Match, Template
from deployed import Synthesized
from policies import actions, statements, targets

#: Actions that know no resources, so that AWS takes them for `*` alone; and AWS's default for a key, without which nobody could change it.
WITHOUT_RESOURCES = {
    "ecr:GetAuthorizationToken",
    "lakeformation:GetDataAccess",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
BUCKETS = 7


def test_every_bucket_is_private_encrypted_and_tidied(made: Synthesized) -> None:
    buckets = made.resources("AWS::S3::Bucket")
    assert len(buckets) == BUCKETS - 1
    for bucket in buckets:
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4
        rules = bucket["LifecycleConfiguration"]["Rules"]
        assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)
        assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    with_key = [b for b in buckets if "KMSMasterKeyID" in str(b["BucketEncryption"])]
    assert len(with_key) == len(buckets) - 1, "S3 cannot write access logs into a bucket with a key of ours"
    for bucket in with_key:
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        assert bucket["LoggingConfiguration"]
        assert any("NoncurrentVersionExpiration" in rule for rule in bucket["LifecycleConfiguration"]["Rules"])


def test_only_results_and_access_logs_go_by_themselves(made: Synthesized) -> None:
    days = {
        name: rule["ExpirationInDays"]
        for name, resource in made.templates["stedi-data"]["Resources"].items()
        if resource["Type"] == "AWS::S3::Bucket"
        for rule in resource["Properties"]["LifecycleConfiguration"]["Rules"]
        if "ExpirationInDays" in rule
    }
    assert {name.removeprefix("Storage")[:4]: n for name, n in days.items()} == {"Logs": 365, "Resu": 7}


def test_every_bucket_refuses_plain_http(made: Synthesized) -> None:
    policies = made.resources("AWS::S3::BucketPolicy")
    assert len(policies) == len(made.resources("AWS::S3::Bucket"))
    for policy in policies:
        denied = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        assert any(
            s["Condition"] == {"Bool": {"aws:SecureTransport": "false"}} and s["Action"] == "s3:*" for s in denied
        )


def test_data_key_and_secret_stay_when_the_stack_goes(made: Synthesized) -> None:
    kinds = ("AWS::S3::Bucket", "AWS::KMS::Key", "AWS::SecretsManager::Secret", "AWS::ECR::Repository")
    found = [r for r in made.templates["stedi-data"]["Resources"].values() if r["Type"] in kinds]
    assert len(found) == BUCKETS - 1 + 3
    assert {r["DeletionPolicy"] for r in found} == {"Retain"}


def test_the_key_is_rotated_and_images_cannot_be_moved(made: Synthesized) -> None:
    template = Template.from_json(made.templates["stedi-data"])
    template.has_resource_properties("AWS::KMS::Key", {"EnableKeyRotation": True})
    template.has_resource_properties(
        "AWS::ECR::Repository",
        {"ImageTagMutability": "IMMUTABLE", "ImageScanningConfiguration": {"ScanOnPush": True}},
    )


def test_no_statement_allows_a_wildcard_of_actions(made: Synthesized) -> None:
    """But for AWS's default on a key: the account itself, whose IAM then decides."""
    wide = [s for s in statements(made.resources()) if s["Effect"] == "Allow" and any("*" in a for a in actions(s))]
    assert [(s["Action"], ":root" in str(s["Principal"])) for s in wide] == [("kms:*", True)]


def test_no_statement_allows_every_resource_where_one_can_be_named(made: Synthesized) -> None:
    wide = set()
    for kind in {r["Type"] for t in made.templates.values() for r in t["Resources"].values()} - {"AWS::KMS::Key"}:
        for statement in statements(made.resources(kind)):
            if statement["Effect"] == "Allow" and "*" in targets(statement):
                wide |= set(actions(statement))
    assert wide <= WITHOUT_RESOURCES, wide - WITHOUT_RESOURCES


def test_nobody_outside_the_account_is_let_in(made: Synthesized) -> None:
    """Everybody (`*`) stands in denials, and in the gateway to S3, which narrows what IAM has allowed."""
    for kind in {r["Type"] for t in made.templates.values() for r in t["Resources"].values()} - {
        "AWS::EC2::VPCEndpoint"
    }:
        for statement in statements(made.resources(kind)):
            if statement["Effect"] == "Allow" and "Principal" in statement:
                assert "*" not in str(statement["Principal"]), (kind, statement)


def test_nothing_can_call_the_task(made: Synthesized) -> None:
    groups = made.resources("AWS::EC2::SecurityGroup")
    assert len(groups) == (1 if made.engine == "fargate" else 0)
    for group in groups:
        assert "SecurityGroupIngress" not in group
        assert [(rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupEgress"]] == [(443, 443)]
    assert not made.resources("AWS::EC2::SecurityGroupIngress")
    assert not made.resources("AWS::EC2::NatGateway")


def test_the_container_cannot_change_itself_and_holds_no_secret(made: Synthesized) -> None:
    for task in made.resources("AWS::ECS::TaskDefinition"):
        (container,) = task["ContainerDefinitions"]
        assert container["ReadonlyRootFilesystem"] is True
        assert container["User"] == "10001:10001"
        assert "Secrets" not in container
        assert {e["Name"] for e in container["Environment"]} == {"STEDI_TOML", "AWS_REGION"}
        assert [m["ContainerPath"] for m in container["MountPoints"]] == ["/work"]


def test_runs_read_the_key_of_the_pseudonyms_and_cannot_change_it(made: Synthesized) -> None:
    about_secrets = {a for s in statements(made.resources()) for a in actions(s) if a.startswith("secretsmanager:")}
    assert about_secrets == {"secretsmanager:GetSecretValue"}


def test_glue_encrypts_what_it_keeps(made: Synthesized) -> None:
    if made.engine == "glue":
        template = Template.from_json(made.templates["stedi-pipeline"])
        template.has_resource_properties(
            "AWS::Glue::Job",
            {
                "GlueVersion": "6.0",
                "SecurityConfiguration": Match.any_value(),
                "ExecutionProperty": {"MaxConcurrentRuns": 1},
            },
        )
        (security,) = made.resources("AWS::Glue::SecurityConfiguration")
        modes = security["EncryptionConfiguration"]
        assert modes["CloudWatchEncryption"]["CloudWatchEncryptionMode"] == "SSE-KMS"
        assert modes["S3Encryptions"][0]["S3EncryptionMode"] == "SSE-KMS"


def test_athena_lets_nobody_choose(made: Synthesized) -> None:
    (group,) = made.resources("AWS::Athena::WorkGroup")
    told: dict[str, Any] = group["WorkGroupConfiguration"]
    assert told["EnforceWorkGroupConfiguration"] is True
    assert told["BytesScannedCutoffPerQuery"] == 10 * 1024**3
    assert told["ResultConfiguration"]["EncryptionConfiguration"]["EncryptionOption"] == "SSE_KMS"
