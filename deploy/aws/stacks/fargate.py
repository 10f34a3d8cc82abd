"""The pipeline as a task on Fargate: one container with DuckDB, which exists while a run does."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.data import Data
from stacks.findings import accept, accept_wildcards, resources_of
from stacks.network import Network, network_configuration, task_arns
from stacks.options import Options
from stacks.rights import run_policy
from stacks.settings import as_toml, settings

#: Its output is one JSON document over many lines: a new log event begins where a line begins with a brace.
_DOCUMENT = r"^\{"
_USER = "10001:10001"
_WORK = "/work"


class FargatePipeline(Construct):
    """Cluster, task definition and network.

    Attributes:
        role: what a run may do.
        state: the Task state that runs `$.command` to its end.
        statements: what the state machine needs for that.
    """

    def __init__(self, scope: Construct, construct_id: str, data: Data, options: Options, group: logs.LogGroup) -> None:
        super().__init__(scope, construct_id)
        self._network = Network(self, "Network", data)
        self._cluster = ecs.Cluster(
            self, "Cluster", vpc=self._network.vpc, container_insights_v2=ecs.ContainerInsights.ENABLED
        )
        self._task = self._definition(data, options, group)
        self.role = self._task.task_role
        assert isinstance(self.role, iam.Role)  # noqa: S101 - for types
        self.policy = run_policy(self, self.role, data)

    def _definition(self, data: Data, options: Options, group: logs.LogGroup) -> ecs.FargateTaskDefinition:
        task = ecs.FargateTaskDefinition(
            self,
            "Task",
            family="stedi",
            cpu=options.cpu,
            memory_limit_mib=options.memory_mib,
            ephemeral_storage_gib=options.disk_gib,
            volumes=[ecs.Volume(name="work")],
        )
        container = task.add_container(
            "stedi",
            container_name="stedi",
            image=ecs.ContainerImage.from_ecr_repository(data.images, options.release),
            environment={"STEDI_TOML": as_toml(settings(data, options)), "AWS_REGION": Stack.of(self).region},
            logging=ecs.LogDriver.aws_logs(stream_prefix="run", log_group=group, multiline_pattern=_DOCUMENT),
            readonly_root_filesystem=True,
            user=_USER,
            # A run that is asked to stop publishes nothing and tidies up; the next one would, too.
            stop_timeout=Duration.seconds(120),
        )
        container.add_mount_points(ecs.MountPoint(container_path=_WORK, source_volume="work", read_only=False))
        accept(task, "ECS2", "Names of buckets and services. The one secret is read from Secrets Manager by the run.")
        accept_wildcards(
            task, "ecr:GetAuthorizationToken knows no resources; pulling is limited to one repository.", "Resource::*"
        )
        return task

    @property
    def state(self) -> dict[str, Any]:
        """Runs the task, waits for it, fails when it exits with another code than 0."""
        return {
            "Type": "Task",
            "Resource": "arn:aws:states:::ecs:runTask.sync",
            "Parameters": {
                "LaunchType": "FARGATE",
                "Cluster": self._cluster.cluster_arn,
                "TaskDefinition": self._task.task_definition_arn,
                "NetworkConfiguration": network_configuration(self._network),
                "Overrides": {"ContainerOverrides": [{"Name": "stedi", "Command.$": "$.command"}]},
                "PropagateTags": "TASK_DEFINITION",
            },
            "ResultPath": None,
        }

    #: Busy hours of AWS, and a run that failed for a reason that passes.
    transient = ("ECS.ServerException", "ECS.ThrottlingException", "ECS.AmazonECSException", "States.TaskFailed")

    @property
    def wildcards(self) -> list[str]:
        """Findings about the statements."""
        resource = self._cluster.node.default_child
        assert isinstance(resource, ecs.CfnCluster)  # noqa: S101 - for types
        return [resources_of("ecs", f"task/<{Stack.of(self).get_logical_id(resource)}>/*")]

    @property
    def statements(self) -> list[iam.PolicyStatement]:
        """Start this task in this cluster, watch and stop its tasks."""
        stack = Stack.of(self)
        assert self._task.execution_role is not None  # noqa: S101 - a container with logs has one
        rule = stack.format_arn(service="events", resource="rule", resource_name="StepFunctionsGetEventsForECSTaskRule")
        return [
            iam.PolicyStatement(
                actions=["ecs:RunTask"],
                resources=[self._task.task_definition_arn],
                conditions={"ArnEquals": {"ecs:cluster": self._cluster.cluster_arn}},
            ),
            iam.PolicyStatement(
                actions=["ecs:StopTask", "ecs:DescribeTasks"],
                resources=[task_arns(stack, self._cluster.cluster_name)],
            ),
            iam.PolicyStatement(
                actions=["ecs:TagResource"],
                resources=[task_arns(stack, self._cluster.cluster_name)],
                conditions={"StringEquals": {"ecs:CreateAction": "RunTask"}},
            ),
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=[self._task.task_role.role_arn, self._task.execution_role.role_arn],
                conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            ),
            iam.PolicyStatement(
                actions=["events:PutRule", "events:PutTargets", "events:DescribeRule"], resources=[rule]
            ),
        ]
