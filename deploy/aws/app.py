"""The deployment to AWS as a CDK app: what stays (`stedi-data`), what runs (`stedi-pipeline`), who may read (`stedi-access`).

`stedi-access` is deployed after the first run, because it tags columns of tables that the first run makes. Until then
Lake Formation lets analysts see nothing. See docs/guides/aws.md.
"""

from __future__ import annotations

from aws_cdk import App, Stack, Tags, Validations
from cdk_nag import AwsSolutionsChecks
from stacks.access import Access
from stacks.data import Data
from stacks.options import options_of
from stacks.pipeline import Pipeline


def build(app: App) -> list[Stack]:
    """Add the three stacks to an app, and the rules of AwsSolutions, whose findings make `synth` fail.

    The templates name no account and no region, so one is as good as another.
    """
    options = options_of(app.node)
    data = Data(app, "stedi-data", options, description="STEDI lakehouse: buckets, key, catalog, tags")
    pipeline = Pipeline(app, "stedi-pipeline", data, options, description="STEDI lakehouse: runs and alarms")
    access = Access(app, "stedi-access", data, options, description="STEDI lakehouse: what analysts may read")
    access.node.add_dependency(pipeline)
    Tags.of(app).add("project", "stedi-lakehouse")
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return [data, pipeline, access]


if __name__ == "__main__":
    main = App()
    build(main)
    main.synth()
