"""Where data lies: one key, and a bucket for each kind of data.

Every bucket is private, encrypted, reached over TLS only, logs who read it, and stays when the stack is deleted. Old versions are
kept for a few days against mistakes. An erasure deletes every version in the lakehouse by itself; it does not wait for that.
"""

from __future__ import annotations

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

#: Log groups of this deployment begin with one of these; the key serves no others.
LOG_GROUPS = ("/stedi/", "/aws/vendedlogs/states/stedi")


class Storage(Construct):
    """The key and the buckets.

    Attributes:
        landing: the feeds, as they arrive.
        lakehouse: the tables.
        register: who was erased (as keyed hashes), so that records delivered again stay out; and the certificates.
        results: what Athena answered; goes after a week.
        artifacts: the wheel and the script of the Glue job.
        logs: who read the other buckets.
    """

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.key = _key(self)
        self.logs = self._logs()
        self.landing = self._bucket("Landing", old_versions_days=30)
        self.lakehouse = self._bucket("Lakehouse", old_versions_days=7)
        self.register = self._bucket("Register", old_versions_days=365)
        self.results = self._bucket("Results", old_versions_days=1, expire_days=7)
        self.artifacts = self._bucket("Artifacts", old_versions_days=90)
        _announce_new_objects(self.landing)

    def _bucket(self, name: str, old_versions_days: int, expire_days: int | None = None) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            name,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self.key,
            bucket_key_enabled=True,
            server_access_logs_bucket=self.logs,
            server_access_logs_prefix=f"{name.lower()}/",
            versioned=True,
            **_PRIVATE,
        )
        _tidy(bucket, expire_days)
        # Only what is no longer current: expired delete markers go with it.
        bucket.add_lifecycle_rule(
            id="old-versions", noncurrent_version_expiration=Duration.days(old_versions_days), **_markers(expire_days)
        )
        CfnOutput(Stack.of(self), f"{name}Bucket", value=bucket.bucket_name)
        return bucket

    def _logs(self) -> s3.Bucket:
        """S3 delivers access logs only into buckets that it encrypts with its own key."""
        bucket = s3.Bucket(self, "Logs", encryption=s3.BucketEncryption.S3_MANAGED, **_PRIVATE)
        _tidy(bucket, expire_days=365)
        return bucket


_PRIVATE = {
    "block_public_access": s3.BlockPublicAccess.BLOCK_ALL,
    "enforce_ssl": True,
    "minimum_tls_version": 1.2,
    "object_ownership": s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
    "removal_policy": RemovalPolicy.RETAIN,
}


def _tidy(bucket: s3.Bucket, expire_days: int | None) -> None:
    expiration = None if expire_days is None else Duration.days(expire_days)
    bucket.add_lifecycle_rule(
        id="leftovers", abort_incomplete_multipart_upload_after=Duration.days(2), expiration=expiration
    )


def _markers(expire_days: int | None) -> dict[str, bool]:
    """S3 takes no rule of its own for delete markers where objects expire anyway."""
    return {} if expire_days else {"expired_object_delete_marker": True}


def _announce_new_objects(bucket: s3.Bucket) -> None:
    """Send events to EventBridge. CDK's own switch would add a Lambda function that may change every bucket's notifications."""
    resource = bucket.node.default_child
    assert isinstance(resource, s3.CfnBucket)  # noqa: S101 - for types
    resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
        event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
    )


def _key(scope: Construct) -> kms.Key:
    """One key for all data of the lakehouse; IAM decides who uses it, and these services, for this deployment only."""
    stack = Stack.of(scope)
    key = kms.Key(
        scope,
        "Key",
        alias="stedi",
        description="STEDI lakehouse: data, logs, alarms, pseudonym key",
        enable_key_rotation=True,
        removal_policy=RemovalPolicy.RETAIN,
    )
    groups = [stack.format_arn(service="logs", resource=f"log-group:{prefix}*") for prefix in LOG_GROUPS]
    logs_use = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey"]
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="LogGroupsOfThisDeployment",
            principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
            actions=[*logs_use, "kms:DescribeKey"],
            resources=["*"],
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
        )
    )
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="AlarmsToTheTopic",
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=["*"],
            conditions={"StringEquals": {"aws:SourceAccount": stack.account}},
        )
    )
    return key
