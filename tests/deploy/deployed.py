"""The app, synthesized: what `cdk synth` would write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
APP = REPOSITORY / "deploy" / "aws"
ENGINES = ("fargate", "glue")
STACKS = ("stedi-data", "stedi-pipeline", "stedi-access")


class Synthesized:
    """The templates of one deployment, by stack, and the folder that they are in."""

    def __init__(self, engine: str, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.files = {stack: folder / f"{stack}.template.json" for stack in STACKS}
        self.templates: dict[str, dict[str, Any]] = {s: json.loads(f.read_text()) for s, f in self.files.items()}

    def resources(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The properties of all resources of a type, over all stacks; those of every resource where it is None."""
        found = [r for t in self.templates.values() for r in t["Resources"].values()]
        return [r.get("Properties", {}) for r in found if kind in (None, r["Type"])]


def synthesize(folder: Path, **context: str) -> Synthesized:
    """What `cdk synth -c NAME=VALUE ...` writes; raises where cdk-nag finds anything."""
    from app import build
    from aws_cdk import App

    given = json.loads((APP / "cdk.json").read_text())["context"] | context
    app = App(context=given, outdir=str(folder))
    build(app)
    app.synth()
    return Synthesized(context["engine"], folder)
