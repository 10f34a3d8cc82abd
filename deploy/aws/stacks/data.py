"""The stack of what stays: data, key, catalog, secret, image repository. Deleting it leaves data, key and secret behind."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_ecr as ecr
from constructs import Construct

from stacks.athena import workgroup
from stacks.catalog import Catalog
from stacks.options import Options
from stacks.secrets import pseudonym_key
from stacks.storage import Storage


class Data(Stack):
    """Everything that outlives a run. The pipeline and the analysts' rights are stacks of their own, and can be replaced."""

    def __init__(self, scope: Construct, construct_id: str, options: Options, **stack: Any) -> None:
        super().__init__(scope, construct_id, termination_protection=True, **stack)
        self.storage = Storage(self, "Storage")
        self.catalog = Catalog(self, "Catalog", self.storage)
        self.secret = pseudonym_key(self, self.storage.key)
        self.workgroup = workgroup(self, self.storage, options)
        self.images = self._images()
        CfnOutput(self, "ImageRepository", value=self.images.repository_uri)
        CfnOutput(self, "KeyArn", value=self.storage.key.key_arn)

    def _images(self) -> ecr.Repository:
        """Images of the task: a tag can be written once, and what it holds is scanned when it comes."""
        return ecr.Repository(
            self,
            "Images",
            repository_name="stedi",
            encryption=ecr.RepositoryEncryption.KMS,
            encryption_key=self.storage.key,
            image_scan_on_push=True,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            lifecycle_rules=[
                ecr.LifecycleRule(tag_status=ecr.TagStatus.UNTAGGED, max_image_age=Duration.days(7), rule_priority=1),
                ecr.LifecycleRule(max_image_count=20, rule_priority=2),
            ],
            removal_policy=RemovalPolicy.RETAIN,
        )
