"""What a run may do, and nothing else: read and replace landing files, read and write tables, read the key of the pseudonyms.

Erasures go through the same role, because a run completes an erasure that was cut off: so it may delete versions of objects, too.
"""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.catalog import DATABASE, catalog_arns
from stacks.data import Data
from stacks.findings import accept_wildcards, objects_of, resources_of

_OBJECTS = [
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
]
_BUCKET = [
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:ListBucketMultipartUploads",
    "s3:GetBucketLocation",
    "s3:GetBucketVersioning",
]
_CATALOG = [
    "glue:GetDatabase",
    "glue:GetDatabases",
    "glue:GetTable",
    "glue:GetTables",
    "glue:CreateTable",
    "glue:UpdateTable",
    "glue:DeleteTable",
]


def run_policy(scope: Construct, role: iam.Role, data: Data) -> iam.Policy:
    """Let a role run the lakehouse."""
    storage = data.storage
    written = [storage.landing, storage.lakehouse, storage.register]
    policy = iam.Policy(
        scope,
        "Run",
        roles=[role],
        statements=[
            iam.PolicyStatement(sid="Objects", actions=_OBJECTS, resources=[b.arn_for_objects("*") for b in written]),
            iam.PolicyStatement(sid="Buckets", actions=_BUCKET, resources=[b.bucket_arn for b in written]),
            iam.PolicyStatement(sid="Catalog", actions=_CATALOG, resources=catalog_arns(Stack.of(scope))),
            iam.PolicyStatement(
                sid="PseudonymKey",
                # Scheduled runs read the key. `stedi run --new-key` is for a person, with rights of their own.
                actions=["secretsmanager:GetSecretValue"],
                resources=[data.secret.secret_arn],
            ),
            iam.PolicyStatement(
                sid="Key", actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[storage.key.key_arn]
            ),
        ],
    )
    within = "Runs make the objects and tables below, and name them."
    accept_wildcards(policy, within, *(objects_of(policy, bucket) for bucket in written))
    accept_wildcards(policy, within, resources_of("glue", f"table/{DATABASE}/*"))
    return policy
