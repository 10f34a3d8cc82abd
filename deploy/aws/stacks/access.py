"""What analysts may read: internal columns of the curated zone, through Athena, and nothing else.

Deployed after the first run, because the tables have to be there to be tagged. Zones and columns come from the contracts: a column that
is added to one is closed until this stack is deployed again.
"""

from __future__ import annotations

from typing import Any

from aws_cdk import Aws, CfnOutput, CfnResource, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lakeformation as lf
from constructs import Construct

from stacks import athena
from stacks.catalog import CLASSIFICATION, DATABASE, ZONE, catalog_arns, tag_resource
from stacks.data import Data
from stacks.findings import accept_wildcards, objects_of, resources_of
from stacks.options import Options
from stedi.contracts import Contract, contracts

#: Analysts see this, and only this: columns that carry all of these tags.
READABLE = {CLASSIFICATION: "internal", ZONE: "curated"}
_QUERIES = [
    "StartQueryExecution",
    "StopQueryExecution",
    "GetQueryExecution",
    "GetQueryResults",
    "GetWorkGroup",
    "ListQueryExecutions",
]


class Access(Stack):
    """Tags for every column of every table, and the role `stedi-analyst`."""

    def __init__(self, scope: Construct, construct_id: str, data: Data, options: Options, **stack: Any) -> None:
        super().__init__(scope, construct_id, **stack)
        before: CfnResource | None = None
        for contract in contracts(options.policy).values():  # type: ignore[arg-type]
            before = self._tag_table(contract, before)
        self.role = self._analyst(data, options)
        self._grant()
        CfnOutput(self, "AnalystRole", value=self.role.role_arn)

    def _tag_table(self, contract: Contract, before: CfnResource | None) -> CfnResource | None:
        """One after the other: Lake Formation refuses changes side by side."""
        base = {"catalogId": Aws.ACCOUNT_ID, "databaseName": DATABASE, "name": contract.name}
        wanted: list[tuple[str, dict[str, object], str, str]] = [("Zone", {"table": base}, ZONE, contract.zone)]
        for value in ("personal", "internal"):
            names = [c.name for c in contract.columns if c.personal == (value == "personal")]
            if names:
                columns = {"tableWithColumns": {**base, "columnNames": names}}
                wanted.append((value.title(), columns, CLASSIFICATION, value))
        for label, resource, key, value in wanted:
            made = tag_resource(self, f"{contract.name}-{label}", resource, key, value)
            if before:
                made.node.add_dependency(before)
            before = made
        return before

    def _analyst(self, data: Data, options: Options) -> iam.Role:
        trusted = iam.ArnPrincipal(options.analysts) if options.analysts else iam.AccountRootPrincipal()
        role = iam.Role(
            self,
            "Analyst",
            role_name="stedi-analyst",
            assumed_by=trusted,
            max_session_duration=Duration.hours(8),
            description="Reads internal columns of the curated STEDI tables through Athena",
        )
        policy = iam.Policy(self, "Query", roles=[role], statements=self._statements(data))
        accept_wildcards(
            policy, "lakeformation:GetDataAccess knows no resources: Lake Formation's own grants decide.", "Resource::*"
        )
        below = "Tables that runs make; Lake Formation decides which of them. Results that Athena names."
        tables = resources_of("glue", f"table/{DATABASE}/*")
        accept_wildcards(policy, below, tables, objects_of(policy, data.storage.results, "athena/"))
        return role

    def _statements(self, data: Data) -> list[iam.PolicyStatement]:
        results = data.storage.results
        group = self.format_arn(service="athena", resource="workgroup", resource_name=athena.NAME)
        return [
            iam.PolicyStatement(sid="Queries", actions=[f"athena:{name}" for name in _QUERIES], resources=[group]),
            iam.PolicyStatement(
                sid="Schemas",
                actions=["glue:GetDatabase", "glue:GetDatabases", "glue:GetTable", "glue:GetTables"],
                resources=catalog_arns(self),
            ),
            iam.PolicyStatement(sid="Data", actions=["lakeformation:GetDataAccess"], resources=["*"]),
            iam.PolicyStatement(
                sid="Results",
                actions=["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
                resources=[results.arn_for_objects("athena/*")],
            ),
            iam.PolicyStatement(
                sid="ResultsBucket",
                actions=["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"],
                resources=[results.bucket_arn],
            ),
            iam.PolicyStatement(
                sid="ResultsKey",
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=[data.storage.key.key_arn],
                # The key opens results for analysts, not data: S3 names the bucket that it decrypts for.
                conditions={"StringEquals": {"kms:EncryptionContext:aws:s3:arn": results.bucket_arn}},
            ),
        ]

    def _grant(self) -> None:
        principal = lf.CfnPrincipalPermissions.DataLakePrincipalProperty(
            data_lake_principal_identifier=self.role.role_arn
        )
        expression = [{"tagKey": key, "tagValues": [value]} for key, value in READABLE.items()]
        tagged = {"lfTagPolicy": {"catalogId": Aws.ACCOUNT_ID, "resourceType": "TABLE", "expression": expression}}
        database = {"database": {"catalogId": Aws.ACCOUNT_ID, "name": DATABASE}}
        for name, resource, permissions in (
            ("ReadTagged", tagged, ["SELECT", "DESCRIBE"]),
            ("SeeDatabase", database, ["DESCRIBE"]),
        ):
            lf.CfnPrincipalPermissions(
                self,
                name,
                principal=principal,
                resource=resource,
                permissions=permissions,
                permissions_with_grant_option=[],
            )
