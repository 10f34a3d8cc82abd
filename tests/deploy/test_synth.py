"""The app synthesizes with both engines, cdk-nag finds nothing (`synth` would raise), and cfn-lint neither."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from deployed import Synthesized, synthesize

#: W3005: CDK's own StateMachine names a dependency twice. That is what it is for CloudFormation: nothing.
LINT = [str(Path(sys.executable).parent / "cfn-lint"), "--ignore-checks", "W3005", "--"]


def test_cfn_lint_is_clean(made: Synthesized) -> None:
    done = subprocess.run([*LINT, *map(str, made.files.values())], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


def test_cfn_lint_would_find_a_mistake(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.template.json"
    wrong.write_text('{"Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": {"Versionning": {}}}}}')
    done = subprocess.run([*LINT, str(wrong)], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Versionning" in done.stdout


def test_cdk_nag_was_asked_and_found_nothing(made: Synthesized) -> None:
    report = json.loads((made.folder / "validation-report.json").read_text())
    assert report.get("pluginReports", []) == [] or all(
        r["summary"]["status"] == "success" and not r["violations"] for r in report["pluginReports"]
    )


def test_cdk_nag_would_find_an_open_bucket(tmp_path: Path) -> None:
    from aws_cdk import App, Stack, Validations
    from aws_cdk import aws_s3 as s3
    from cdk_nag import AwsSolutionsChecks

    app = App(outdir=str(tmp_path))
    s3.Bucket(Stack(app, "open"), "Open")
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    with pytest.raises(RuntimeError, match="AwsSolutions-S1"):
        app.synth()


@pytest.mark.parametrize(
    ("name", "value"),
    [("engine", "emr"), ("policy", "none"), ("stale_hours", "0"), ("memory_mib", "8GB"), ("workers", "1")],
)
def test_a_choice_that_is_none_is_refused(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"context {name}"):
        synthesize(tmp_path, **({"engine": "fargate"} | {name: value}))
