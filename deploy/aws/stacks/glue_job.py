"""The pipeline as a Glue 6.0 job: Spark 4.1, for when one machine is not enough."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.data import Data
from stacks.findings import accept_wildcards, objects_of, resources_of
from stacks.options import Options
from stacks.rights import run_policy
from stacks.settings import settings

#: One exact requirement a line, made from `uv.lock` by `glue_modules.py`; a test checks that it is fresh.
MODULES = Path(__file__).parents[1] / "glue-modules.txt"
NAME = "stedi"
LOG_PREFIX = "/stedi/glue"
_MINUTES = 240


class GluePipeline(Construct):
    """The job. The wheel and the script lie in the bucket of artifacts, under the release.

    Attributes:
        role: what a run may do.
        state: the Task state that runs `$.command` to its end.
        statements: what the state machine needs for that.
    """

    def __init__(self, scope: Construct, construct_id: str, data: Data, options: Options, group: logs.LogGroup) -> None:
        super().__init__(scope, construct_id)
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("glue.amazonaws.com"),
            description="Runs of the STEDI lakehouse",
        )
        self.policy = run_policy(self, self.role, data)
        self._read_artifacts(data, options, group)
        self._job = self._define(data, options)

    def _read_artifacts(self, data: Data, options: Options, group: logs.LogGroup) -> None:
        artifacts = data.storage.artifacts.arn_for_objects(f"{options.release}/*")
        group_arn = Stack.of(self).format_arn(service="logs", resource=f"log-group:{LOG_PREFIX}/*")
        self.policy.add_statements(
            iam.PolicyStatement(sid="Artifacts", actions=["s3:GetObject"], resources=[artifacts]),
            iam.PolicyStatement(
                sid="Logs",
                actions=["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:AssociateKmsKey"],
                resources=[group_arn],
            ),
        )
        self.policy.node.add_dependency(group)
        accept_wildcards(
            self.policy,
            "What belongs to one release; the log groups that Glue makes below our prefix.",
            objects_of(self.policy, data.storage.artifacts, f"{options.release}/"),
            resources_of("logs", f"log-group:{LOG_PREFIX}/*"),
        )

    def _define(self, data: Data, options: Options) -> glue.CfnJob:
        artifacts = data.storage.artifacts.s3_url_for_object(options.release)
        wheel = f"{artifacts}/stedi_lakehouse-{options.release}-py3-none-any.whl"
        return glue.CfnJob(
            self,
            "Job",
            name=NAME,
            description="STEDI lakehouse: new landing files in, every table out",
            role=self.role.role_arn,
            glue_version="6.0",
            worker_type="G.1X",
            number_of_workers=options.workers,
            max_retries=0,
            timeout=_MINUTES,
            execution_property=glue.CfnJob.ExecutionPropertyProperty(max_concurrent_runs=1),
            security_configuration=self._encryption(data).ref,
            command=glue.CfnJob.JobCommandProperty(
                name="glueetl", python_version="3", script_location=f"{artifacts}/glue_job.py"
            ),
            default_arguments={
                "--additional-python-modules": ",".join([*modules(), wheel]),
                # What the list names, and nothing that it would bring along.
                "--python-modules-installer-option": "--no-deps",
                "--custom-logGroup-prefix": LOG_PREFIX,
                "--enable-job-insights": "false",
                "--stedi-settings": Stack.of(self).to_json_string(settings(data, options)),
            },
        )

    def _encryption(self, data: Data) -> glue.CfnSecurityConfiguration:
        key = data.storage.key.key_arn
        kind = glue.CfnSecurityConfiguration
        return kind(
            self,
            "Encryption",
            name="stedi",
            encryption_configuration=kind.EncryptionConfigurationProperty(
                cloud_watch_encryption=kind.CloudWatchEncryptionProperty(
                    cloud_watch_encryption_mode="SSE-KMS", kms_key_arn=key
                ),
                job_bookmarks_encryption=kind.JobBookmarksEncryptionProperty(
                    job_bookmarks_encryption_mode="CSE-KMS", kms_key_arn=key
                ),
                s3_encryptions=[kind.S3EncryptionProperty(s3_encryption_mode="SSE-KMS", kms_key_arn=key)],
            ),
        )

    @property
    def state(self) -> dict[str, Any]:
        """Starts the job, waits for it, fails when it does."""
        return {
            "Type": "Task",
            "Resource": "arn:aws:states:::glue:startJobRun.sync",
            "Parameters": {"JobName": NAME, "Arguments": {"--stedi-command.$": "States.JsonToString($.command)"}},
            "ResultPath": None,
        }

    #: One run at a time: the next one waits its turn here.
    transient = ("Glue.ConcurrentRunsExceededException", "States.TaskFailed")

    #: Findings about the statements: none.
    wildcards = ()

    @property
    def statements(self) -> list[iam.PolicyStatement]:
        """Start, watch and stop this job."""
        job = Stack.of(self).format_arn(service="glue", resource="job", resource_name=NAME)
        actions = ["glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"]
        return [iam.PolicyStatement(actions=actions, resources=[job])]


def modules() -> list[str]:
    """The exact requirements beside what Glue has."""
    return [line for line in MODULES.read_text("utf-8").splitlines() if line and not line.startswith("#")]
