"""When runs happen: some minutes after files land, however many they are, and once a day in any case.

Each new object sends the same message to a FIFO queue, which drops repetitions for five minutes and delivers a message five and a
half minutes after it came. So the message that is delivered stands for every file of those five minutes, all of which have landed by
then; a file that lands later brings a message of its own. No file is overlooked, and at most one run starts in five minutes. Should
a run take longer, the next waits for the writer's lease (`--wait`). No code of ours is between a file and its run.
"""

from __future__ import annotations

import json

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_pipes as pipes
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stedi.contracts import FEEDS

RUN = ["run", "--json", "--wait", "3600"]
MAINTAIN = ["maintain", "--json"]
#: SQS drops a repeated message for five minutes; the delay must be longer, or a file could come after its run has looked.
DELAY_S = 330


class Trigger(Construct):
    """From a landing file to an execution of the state machine.

    Attributes:
        failed: messages that could start no run.
    """

    def __init__(self, scope: Construct, construct_id: str, landing: s3.IBucket, machine: sfn.StateMachine) -> None:
        super().__init__(scope, construct_id)
        self.failed = sqs.Queue(
            self,
            "Failed",
            queue_name="stedi-failed.fifo",
            fifo=True,
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            retention_period=Duration.days(14),
        )
        self._queue = sqs.Queue(
            self,
            "Arrivals",
            queue_name="stedi-arrivals.fifo",
            fifo=True,
            content_based_deduplication=True,
            delivery_delay=Duration.seconds(DELAY_S),
            visibility_timeout=Duration.minutes(2),
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.failed, max_receive_count=5),
        )
        same = targets.SqsQueue(
            self._queue, message=events.RuleTargetInput.from_text("landing"), message_group_id="landing"
        )
        detail = {
            "bucket": {"name": [landing.bucket_name]},
            "object": {"key": [{"prefix": f"{feed}/"} for feed in FEEDS]},
        }
        events.Rule(
            self,
            "NewFile",
            description="A landing file came or changed",
            event_pattern=events.EventPattern(source=["aws.s3"], detail_type=["Object Created"], detail=detail),
            targets=[same],
        )
        events.Rule(
            self,
            "Daily",
            description="A run even if nothing came: it proves that runs work",
            schedule=events.Schedule.cron(hour="4", minute="10"),
            targets=[same],
        )
        self._pipe(machine)
        self._upkeep(machine)

    def _pipe(self, machine: sfn.StateMachine) -> None:
        role = iam.Role(self, "PipeRole", assumed_by=iam.ServicePrincipal("pipes.amazonaws.com"))
        policy = iam.Policy(
            self,
            "PipePolicy",
            roles=[role],
            statements=[
                iam.PolicyStatement(
                    actions=["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
                    resources=[self._queue.queue_arn],
                ),
                iam.PolicyStatement(actions=["states:StartExecution"], resources=[machine.state_machine_arn]),
            ],
        )
        pipe = pipes.CfnPipe(
            self,
            "Pipe",
            description="Messages about landing files start runs",
            role_arn=role.role_arn,
            source=self._queue.queue_arn,
            source_parameters=pipes.CfnPipe.PipeSourceParametersProperty(
                sqs_queue_parameters=pipes.CfnPipe.PipeSourceSqsQueueParametersProperty(batch_size=1)
            ),
            target=machine.state_machine_arn,
            target_parameters=pipes.CfnPipe.PipeTargetParametersProperty(
                input_template=json.dumps({"command": RUN}),
                step_function_state_machine_parameters=pipes.CfnPipe.PipeTargetStateMachineParametersProperty(
                    invocation_type="FIRE_AND_FORGET"
                ),
            ),
        )
        pipe.node.add_dependency(policy)

    def _upkeep(self, machine: sfn.StateMachine) -> None:
        role = iam.Role(self, "UpkeepRole", assumed_by=iam.ServicePrincipal("events.amazonaws.com"))
        events.Rule(
            self,
            "Weekly",
            description="stedi maintain: merge small files, let go of old runs",
            schedule=events.Schedule.cron(week_day="SUN", hour="5", minute="10"),
            targets=[
                targets.SfnStateMachine(
                    machine, input=events.RuleTargetInput.from_object({"command": MAINTAIN}), role=role
                )
            ],
        )
