"""What a person is told: failed runs, data that gets old, a quarantine that grows, files that start no run.

What `stedi run --json` prints becomes metrics through filters on its log: no code of ours sends any.
"""

from __future__ import annotations

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.options import Options
from stedi.contracts import FEEDS

NAMESPACE = "STEDI"
_OPERATOR = cloudwatch.ComparisonOperator
_QUIET = cloudwatch.TreatMissingData.NOT_BREACHING
_DAY = Duration.days(1)


class Alarms(Construct):
    """Metrics from the log, four alarms, and the topic they go to."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        key: kms.IKey,
        group: logs.ILogGroup,
        machine: sfn.StateMachine,
        failed: sqs.Queue,
        options: Options,
    ) -> None:
        super().__init__(scope, construct_id)
        self.topic = _topic(self, key, options)
        self._group = group
        self._count("Succeeded", "RunsSucceeded", "{ ($.upToDate IS TRUE) || ($.upToDate IS FALSE) }", "1")
        self._records("Quarantined", "quarantine")
        for table in FEEDS.values():
            self._records("Landed", table)
        self._failed_runs(machine)
        self._stale_data(options)
        self._quarantine_growth(options)
        self._unstarted(failed)

    def _count(self, construct_id: str, metric: str, pattern: str, value: str) -> None:
        logs.MetricFilter(
            self,
            construct_id,
            log_group=self._group,
            metric_namespace=NAMESPACE,
            metric_name=metric,
            filter_pattern=logs.FilterPattern.literal(pattern),
            metric_value=value,
        )

    def _records(self, metric: str, table: str) -> None:
        """How many rows a run added to a table. Filters of several tables may add to one metric."""
        path = f"$.report.added.{table}"
        self._count(f"Added-{table}", f"Records{metric}", f"{{ {path} >= 0 }}", path)

    def _failed_runs(self, machine: sfn.StateMachine) -> None:
        each = {
            "failed": machine.metric_failed(statistic="Sum"),
            "late": machine.metric_timed_out(statistic="Sum"),
            "stopped": machine.metric_aborted(statistic="Sum"),
        }
        runs = cloudwatch.MathExpression(
            expression="FILL(failed, 0) + FILL(late, 0) + FILL(stopped, 0)",
            using_metrics=each,
            period=Duration.minutes(5),
        )
        self._alarm("FailedRuns", "A run failed; nothing was published, readers see the state before", runs, 1)

    def _stale_data(self, options: Options) -> None:
        succeeded = _metric("RunsSucceeded", Duration.hours(1))
        alarm = cloudwatch.Alarm(
            self,
            "StaleData",
            alarm_description=f"No run has succeeded for {options.stale_hours} hours",
            metric=succeeded,
            threshold=1,
            comparison_operator=_OPERATOR.LESS_THAN_THRESHOLD,
            evaluation_periods=options.stale_hours,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))

    def _quarantine_growth(self, options: Options) -> None:
        share = cloudwatch.MathExpression(
            expression="100 * FILL(bad, 0) / (FILL(good, 0) + FILL(bad, 0))",
            using_metrics={"bad": _metric("RecordsQuarantined", _DAY), "good": _metric("RecordsLanded", _DAY)},
            period=_DAY,
        )
        text = f"More than {options.quarantine_percent} % of a day's records were quarantined: stedi quarantine list"
        self._alarm("QuarantineGrowth", text, share, options.quarantine_percent, _OPERATOR.GREATER_THAN_THRESHOLD)

    def _unstarted(self, failed: sqs.Queue) -> None:
        waiting = failed.metric_approximate_number_of_messages_visible(statistic="Maximum")
        self._alarm("UnstartedRuns", "Landing files came, but no run could be started", waiting, 1)

    def _alarm(
        self,
        construct_id: str,
        text: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        operator: cloudwatch.ComparisonOperator = _OPERATOR.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            construct_id,
            alarm_description=text,
            metric=metric,
            threshold=threshold,
            comparison_operator=operator,
            evaluation_periods=1,
            treat_missing_data=_QUIET,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))


def _metric(name: str, period: Duration) -> cloudwatch.Metric:
    return cloudwatch.Metric(namespace=NAMESPACE, metric_name=name, statistic="Sum", period=period)


def _topic(scope: Construct, key: kms.IKey, options: Options) -> sns.Topic:
    topic = sns.Topic(scope, "Topic", display_name="STEDI lakehouse", master_key=key, enforce_ssl=True)
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            sid="AlarmsOfThisAccount",
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=["sns:Publish"],
            resources=[topic.topic_arn],
            conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
        )
    )
    if options.alert_email:
        topic.add_subscription(subscriptions.EmailSubscription(options.alert_email))
    return topic
