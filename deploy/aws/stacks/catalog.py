"""The Glue database, and Lake Formation as its gate: nothing in it can be read until it is tagged.

The database carries `classification = personal`, and every table and column inherits that. Columns that the contracts call
internal are tagged as such by `stedi-access`. So a new table or column is closed to analysts until somebody has said what it is.
"""

from __future__ import annotations

from aws_cdk import Aws, CfnOutput, Stack
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lakeformation as lf
from constructs import Construct

from stacks.findings import accept_wildcards, objects_of
from stacks.storage import Storage

DATABASE = "stedi"
CLASSIFICATION = "classification"
CLASSES = ("internal", "personal")
ZONE = "zone"
ZONES = ("landing", "trusted", "curated", "records")


class Catalog(Construct):
    """The database `stedi`, its tags, and the lakehouse bucket registered with Lake Formation."""

    def __init__(self, scope: Construct, construct_id: str, storage: Storage) -> None:
        super().__init__(scope, construct_id)
        self._settings = self._data_lake_settings()
        self.database = self._database(storage)
        self.tags = [self._tag(CLASSIFICATION, CLASSES), self._tag(ZONE, ZONES)]
        self.location = self._register(storage)
        closed = tag_resource(
            self, "Closed", {"database": {"catalogId": Aws.ACCOUNT_ID, "name": DATABASE}}, CLASSIFICATION, "personal"
        )
        closed.node.add_dependency(self.database)
        closed.node.add_dependency(self.tags[0])
        CfnOutput(Stack.of(self), "Database", value=DATABASE)

    def _data_lake_settings(self) -> lf.CfnDataLakeSettings:
        """CloudFormation needs to be an administrator of Lake Formation to tag and to grant. Adds to those who are."""
        return lf.CfnDataLakeSettings(
            self,
            "Settings",
            admins=[_principal(deployer_arn(Stack.of(self)))],
            mutation_type="APPEND",
        )

    def _database(self, storage: Storage) -> glue.CfnDatabase:
        """No default permissions: else everybody with IAM rights on Glue could read every new table."""
        database = glue.CfnDatabase(
            self,
            "Database",
            catalog_id=Aws.ACCOUNT_ID,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=DATABASE,
                description="STEDI lakehouse: landing, trusted and curated tables (Apache Iceberg)",
                location_uri=storage.lakehouse.s3_url_for_object("lakehouse/warehouse/stedi"),
                create_table_default_permissions=[],
            ),
        )
        database.node.add_dependency(self._settings)
        return database

    def _tag(self, key: str, values: tuple[str, ...]) -> lf.CfnTag:
        tag = lf.CfnTag(self, f"Tag-{key}", catalog_id=Aws.ACCOUNT_ID, tag_key=key, tag_values=list(values))
        tag.node.add_dependency(self._settings)
        return tag

    def _register(self, storage: Storage) -> lf.CfnResource:
        """Lake Formation reads the lakehouse for those whom it lets; so analysts need no right on the bucket."""
        role = iam.Role(
            self,
            "Reader",
            assumed_by=iam.ServicePrincipal("lakeformation.amazonaws.com"),
            description="Lake Formation reads STEDI tables on behalf of those it allows to",
        )
        read = iam.Policy(self, "ReaderPolicy", roles=[role], statements=_read_statements(storage))
        accept_wildcards(read, "All tables lie in this bucket.", objects_of(read, storage.lakehouse))
        resource = lf.CfnResource(
            self,
            "Location",
            resource_arn=storage.lakehouse.bucket_arn,
            role_arn=role.role_arn,
            use_service_linked_role=False,
        )
        resource.node.add_dependency(self._settings)
        resource.node.add_dependency(read)
        return resource


def _read_statements(storage: Storage) -> list[iam.PolicyStatement]:
    return [
        iam.PolicyStatement(actions=["s3:GetObject"], resources=[storage.lakehouse.arn_for_objects("*")]),
        iam.PolicyStatement(
            actions=["s3:ListBucket", "s3:GetBucketLocation"], resources=[storage.lakehouse.bucket_arn]
        ),
        iam.PolicyStatement(actions=["kms:Decrypt"], resources=[storage.key.key_arn]),
    ]


def tag_resource(
    scope: Construct, construct_id: str, resource: dict[str, object], key: str, value: str
) -> lf.CfnTagAssociation:
    """Attach one value of one tag to a database, a table or columns."""
    pair = lf.CfnTagAssociation.LFTagPairProperty(catalog_id=Aws.ACCOUNT_ID, tag_key=key, tag_values=[value])
    return lf.CfnTagAssociation(scope, construct_id, resource=resource, lf_tags=[pair])


def deployer_arn(stack: Stack) -> str:
    """The role with which CloudFormation deploys this stack (made by `cdk bootstrap`)."""
    qualifier = stack.synthesizer.bootstrap_qualifier or "hnb659fds"
    name = f"cdk-{qualifier}-cfn-exec-role-{stack.account}-{stack.region}"
    return stack.format_arn(service="iam", region="", resource="role", resource_name=name)


def _principal(arn: str) -> lf.CfnDataLakeSettings.DataLakePrincipalProperty:
    return lf.CfnDataLakeSettings.DataLakePrincipalProperty(data_lake_principal_identifier=arn)


def catalog_arns(stack: Stack) -> list[str]:
    """The catalog, the database and its tables, as IAM names them."""
    named = {"catalog": None, "database": DATABASE, "table": f"{DATABASE}/*"}
    return [stack.format_arn(service="glue", resource=kind, resource_name=name) for kind, name in named.items()]
