"""The key of the pseudonyms: 32 random bytes as 64 hexadecimal digits, as `stedi.privacy.pseudonyms` writes them to a file."""

from __future__ import annotations

import string

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.findings import accept

NAME = "stedi/pseudonym-key"


def pseudonym_key(scope: Construct, key: kms.Key) -> secretsmanager.Secret:
    """A secret that Secrets Manager generates: nobody sees the key, not even who deploys.

    It draws from the characters that are not excluded: that leaves the 16 hexadecimal digits, each as likely as any other.
    """
    secret = secretsmanager.Secret(
        scope,
        "PseudonymKey",
        secret_name=NAME,
        description="Key of the STEDI pseudonyms. A lost key cannot be replaced: back it up.",
        # By its ARN: given the key itself, CDK would add rights to it that IAM gives anyway.
        encryption_key=kms.Key.from_key_arn(scope, "PseudonymKeyKey", key.key_arn),
        removal_policy=RemovalPolicy.RETAIN,
        generate_secret_string=secretsmanager.SecretStringGenerator(
            password_length=64,
            exclude_characters="".join(sorted(set(string.ascii_lowercase) - set("abcdef"))),
            exclude_uppercase=True,
            exclude_punctuation=True,
            include_space=False,
            require_each_included_type=False,
        ),
    )
    accept(
        secret,
        "SMG4",
        "A new key gives everybody a new pseudonym and cuts new rows off from old extracts. A person may want that; a timer"
        " must not do it, and runs refuse a key that is not the one they know.",
    )
    return secret
