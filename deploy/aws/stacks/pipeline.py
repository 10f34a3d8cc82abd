"""The stack of what runs: the task or job, the state machine around it, what starts it, and the alarms."""

from __future__ import annotations

from typing import Any

from aws_cdk import Aws, CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lakeformation as lf
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.alarms import Alarms
from stacks.catalog import DATABASE
from stacks.data import Data
from stacks.fargate import FargatePipeline
from stacks.findings import accept_wildcards
from stacks.glue_job import LOG_PREFIX, GluePipeline
from stacks.options import Options
from stacks.trigger import Trigger

_LOGS = {"fargate": "/stedi/pipeline", "glue": f"{LOG_PREFIX}/output"}
_TIMEOUT = Duration.hours(8)


class Pipeline(Stack):
    """Runs of the lakehouse. Holds no data: it can be deleted and deployed again at any time."""

    def __init__(self, scope: Construct, construct_id: str, data: Data, options: Options, **stack: Any) -> None:
        super().__init__(scope, construct_id, **stack)
        group = self._log_group("Log", _LOGS[options.engine], data)
        kind = FargatePipeline if options.engine == "fargate" else GluePipeline
        work = kind(self, "Work", data, options, group)
        _allow_tables(self, work.role, data)
        machine = self._machine(work, data)
        trigger = Trigger(self, "Trigger", data.storage.landing, machine)
        Alarms(self, "Alarms", data.storage.key, group, machine, trigger.failed, options)
        CfnOutput(self, "StateMachine", value=machine.state_machine_arn)

    def _log_group(self, construct_id: str, name: str, data: Data) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            construct_id,
            log_group_name=name,
            retention=logs.RetentionDays.THREE_MONTHS,
            encryption_key=data.storage.key,
            removal_policy=RemovalPolicy.DESTROY,
        )

    def _machine(self, work: FargatePipeline | GluePipeline, data: Data) -> sfn.StateMachine:
        """One state: run, and once more if that failed for a reason that may have passed."""
        retry = {"ErrorEquals": list(work.transient), "IntervalSeconds": 120, "MaxAttempts": 2, "BackoffRate": 2}
        definition = {"StartAt": "Run", "States": {"Run": {**work.state, "Retry": [retry], "End": True}}}
        role = iam.Role(self, "MachineRole", assumed_by=iam.ServicePrincipal("states.amazonaws.com"))
        policy = iam.Policy(self, "MachinePolicy", roles=[role], statements=work.statements)
        machine = sfn.StateMachine(
            self,
            "Machine",
            definition_body=sfn.DefinitionBody.from_string(self.to_json_string(definition)),
            role=role,
            timeout=_TIMEOUT,
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=self._log_group("MachineLog", "/aws/vendedlogs/states/stedi", data),
                level=sfn.LogLevel.ALL,
                include_execution_data=False,
            ),
        )
        machine.node.add_dependency(policy)
        accept_wildcards(policy, "Tasks of one cluster; ECS names them when they start.", *work.wildcards)
        none = "Delivery of logs and traces knows no resources: AWS offers these actions for `*` alone."
        accept_wildcards(role, none, "Resource::*")
        return machine


def _allow_tables(scope: Construct, role: iam.IRole, data: Data) -> None:
    """What Lake Formation must allow beside IAM: make tables in the database, and read and write every one."""
    _grant(
        scope,
        "MakeTables",
        role,
        {"database": {"catalogId": Aws.ACCOUNT_ID, "name": DATABASE}},
        ["CREATE_TABLE", "DESCRIBE"],
    )
    every = {"table": {"catalogId": Aws.ACCOUNT_ID, "databaseName": DATABASE, "tableWildcard": {}}}
    _grant(scope, "WriteTables", role, every, ["ALL"])
    place = {"dataLocation": {"catalogId": Aws.ACCOUNT_ID, "resourceArn": data.storage.lakehouse.bucket_arn}}
    _grant(scope, "UseLocation", role, place, ["DATA_LOCATION_ACCESS"])


def _grant(
    scope: Construct, construct_id: str, role: iam.IRole, resource: dict[str, object], permissions: list[str]
) -> None:
    lf.CfnPrincipalPermissions(
        scope,
        construct_id,
        principal=lf.CfnPrincipalPermissions.DataLakePrincipalProperty(data_lake_principal_identifier=role.role_arn),
        resource=resource,
        permissions=permissions,
        permissions_with_grant_option=[],
    )
