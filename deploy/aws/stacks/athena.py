"""The workgroup `stedi` in Athena: who queries cannot choose where results go, whether they are encrypted, or to read without limit."""

from __future__ import annotations

from aws_cdk import aws_athena as athena
from constructs import Construct

from stacks.options import Options
from stacks.storage import Storage

NAME = "stedi"
_GIB = 1024**3


def workgroup(scope: Construct, storage: Storage, options: Options) -> athena.CfnWorkGroup:
    """The workgroup, on engine version 3 (Trino)."""
    group = athena.CfnWorkGroup
    return group(
        scope,
        "WorkGroup",
        name=NAME,
        description="Queries of the STEDI lakehouse",
        recursive_delete_option=True,
        work_group_configuration=group.WorkGroupConfigurationProperty(
            enforce_work_group_configuration=True,
            publish_cloud_watch_metrics_enabled=True,
            bytes_scanned_cutoff_per_query=options.scan_limit_gib * _GIB,
            engine_version=group.EngineVersionProperty(selected_engine_version="Athena engine version 3"),
            result_configuration=group.ResultConfigurationProperty(
                output_location=storage.results.s3_url_for_object("athena/"),
                encryption_configuration=group.EncryptionConfigurationProperty(
                    encryption_option="SSE_KMS", kms_key=storage.key.key_arn
                ),
            ),
        ),
    )
