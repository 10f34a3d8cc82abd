"""A network in which the task can call out and nobody can call in.

The cheapest network that does this: public subnets, a security group without any inbound rule that lets out HTTPS alone, and a free
gateway to S3 through which all data goes. A NAT gateway, or private subnets with an endpoint for each service that is called (five, in two
zones), would cost more each hour than the task does; a public address costs half a cent an hour, while the task runs.
"""

from __future__ import annotations

from aws_cdk import Aws, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.data import Data

_HTTPS = 443


class Network(Construct):
    """Two zones, no NAT, flow logs for a month."""

    def __init__(self, scope: Construct, construct_id: str, data: Data) -> None:
        super().__init__(scope, construct_id)
        public = ec2.SubnetConfiguration(
            name="public", subnet_type=ec2.SubnetType.PUBLIC, map_public_ip_on_launch=False
        )
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr("10.66.0.0/24"),
            max_azs=2,
            nat_gateways=0,
            subnet_configuration=[public],
        )
        self._gateway(data)
        self._flow_logs(data)
        self.group = ec2.SecurityGroup(
            self, "Task", vpc=self.vpc, description="STEDI task: HTTPS out, nothing in", allow_all_outbound=False
        )
        self.group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(_HTTPS), "AWS APIs")

    def _gateway(self, data: Data) -> None:
        """S3 without leaving AWS's network: to our buckets, and to the one that holds the layers of images."""
        gateway = self.vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        ours = [data.storage.landing, data.storage.lakehouse, data.storage.register]
        gateway.add_to_policy(
            _any(["s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketLocation"], [b.bucket_arn for b in ours])
        )
        gateway.add_to_policy(
            _any(["s3:GetBucketVersioning", "s3:ListBucketMultipartUploads"], [b.bucket_arn for b in ours])
        )
        written = ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"]
        written += ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
        gateway.add_to_policy(_any(written, [b.arn_for_objects("*") for b in ours]))
        layers = f"arn:aws:s3:::prod-{Aws.REGION}-starport-layer-bucket/*"
        gateway.add_to_policy(_any(["s3:GetObject"], [layers]))

    def _flow_logs(self, data: Data) -> None:
        group = logs.LogGroup(
            self,
            "FlowLogs",
            log_group_name="/stedi/network",
            retention=logs.RetentionDays.ONE_MONTH,
            encryption_key=data.storage.key,
            removal_policy=RemovalPolicy.DESTROY,
        )
        writer = iam.Role(self, "FlowLogWriter", assumed_by=iam.ServicePrincipal("vpc-flow-logs.amazonaws.com"))
        self.vpc.add_flow_log("Flows", destination=ec2.FlowLogDestination.to_cloud_watch_logs(group, writer))


def _any(actions: list[str], resources: list[str]) -> iam.PolicyStatement:
    """The gateway narrows what goes through it; who may do it at all, IAM says."""
    return iam.PolicyStatement(principals=[iam.AnyPrincipal()], actions=actions, resources=resources)


def network_configuration(network: Network) -> dict[str, object]:
    """Where a task runs, as ECS wants it."""
    subnets = [subnet.subnet_id for subnet in network.vpc.public_subnets]
    return {
        "AwsvpcConfiguration": {
            "Subnets": subnets,
            "SecurityGroups": [network.group.security_group_id],
            "AssignPublicIp": "ENABLED",
        }
    }


def task_arns(stack: Stack, cluster_name: str) -> str:
    """Every task of one cluster."""
    return stack.format_arn(service="ecs", resource="task", resource_name=f"{cluster_name}/*")
