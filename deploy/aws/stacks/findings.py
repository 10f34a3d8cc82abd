"""Findings of cdk-nag that stay, each with its reason. One that is not named here makes `cdk synth` fail."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Stack, Validations
from aws_cdk import aws_s3 as s3
from constructs import IConstruct


def accept(construct: IConstruct, rule: str, reason: str) -> None:
    """Let one finding stand for a construct and all that is in it."""
    Validations.of(construct).acknowledge(Acknowledgment(id=f"AwsSolutions-{rule}", reason=reason))


def accept_wildcards(construct: IConstruct, reason: str, *findings: str) -> None:
    """Let policies name more than one resource, where cdk-nag says which: `Resource::*`, `Resource::arn:...:task/*`."""
    for finding in findings:
        accept(construct, f"IAM5[{finding}]", reason)


def objects_of(construct: IConstruct, bucket: s3.Bucket, prefix: str = "") -> str:
    """The finding that a policy names all objects of a bucket below a prefix."""
    home = Stack.of(bucket)
    if home.node.path == Stack.of(construct).node.path:
        resource = bucket.node.default_child
        assert isinstance(resource, s3.CfnBucket)  # noqa: S101 - for types
        return f"Resource::<{home.get_logical_id(resource)}.Arn>/{prefix}*"
    return f"Resource::{home.resolve(home.export_value(bucket.bucket_arn))['Fn::ImportValue']}/{prefix}*"


def resources_of(service: str, resource: str) -> str:
    """The finding that a policy names resources of one service by a pattern."""
    return f"Resource::arn:<AWS::Partition>:{service}:<AWS::Region>:<AWS::AccountId>:{resource}"
