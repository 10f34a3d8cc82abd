"""Analysts see internal columns of the curated zone. What is personal is said by the contracts, counted here by hand where it matters."""

from __future__ import annotations

from typing import Any

import yaml
from deployed import REPOSITORY, Synthesized
from policies import actions, statements, targets

ZONES = REPOSITORY / "src" / "stedi" / "zones"


def _tags(made: Synthesized) -> list[tuple[dict[str, Any], str, str]]:
    """What is tagged, with which tag and value."""
    found = []
    for tagged in made.resources("AWS::LakeFormation::TagAssociation"):
        (pair,) = tagged["LFTags"]
        (value,) = pair["TagValues"]
        found.append((tagged["Resource"], pair["TagKey"], value))
    return found


def _columns(made: Synthesized, value: str) -> set[tuple[str, str]]:
    return {
        (resource["TableWithColumns"]["Name"], column)
        for resource, key, tagged in _tags(made)
        if "TableWithColumns" in resource and (key, tagged) == ("classification", value)
        for column in resource["TableWithColumns"]["ColumnNames"]
    }


def _contract_columns(classification: str) -> set[tuple[str, str]]:
    """Read from the files, not through the product: table and column."""
    found = set()
    for zone in ("landing", "trusted", "curated", "records"):
        for file in (ZONES / zone).glob("*.yaml"):
            odcs = yaml.safe_load(file.read_text("utf-8"))
            for column in odcs["schema"][0]["properties"]:
                if column["classification"] == classification:
                    found.add((odcs["name"], column["name"]))
    return found


def test_every_column_of_every_contract_is_tagged_as_it_says(made: Synthesized) -> None:
    for value in ("personal", "internal"):
        assert _columns(made, value) == _contract_columns(value)
    assert not _columns(made, "personal") & _columns(made, "internal")


def test_what_nobody_has_tagged_is_personal(made: Synthesized) -> None:
    databases = [(r["Database"]["Name"], key, value) for r, key, value in _tags(made) if "Database" in r]
    assert databases == [("stedi", "classification", "personal")]


def test_new_tables_have_no_default_readers(made: Synthesized) -> None:
    (database,) = made.resources("AWS::Glue::Database")
    assert database["DatabaseInput"]["CreateTableDefaultPermissions"] == []


def _readable(made: Synthesized) -> set[tuple[str, str]]:
    """Columns that the analysts' grant reaches: those whose tags match all that it asks for."""
    zones = {r["Table"]["Name"]: value for r, key, value in _tags(made) if "Table" in r and key == "zone"}
    grants = _grants(made, "stedi-access")
    (grant,) = (g for g in grants if "SELECT" in g["Permissions"])
    asked = {e["TagKey"]: e["TagValues"] for e in grant["Resource"]["LFTagPolicy"]["Expression"]}
    assert set(asked) == {"classification", "zone"}
    return {
        (table, column)
        for value in asked["classification"]
        for table, column in _columns(made, value)
        if zones[table] in asked["zone"]
    }


def _grants(made: Synthesized, stack: str) -> list[dict[str, Any]]:
    resources = made.templates[stack]["Resources"].values()
    return [r["Properties"] for r in resources if r["Type"] == "AWS::LakeFormation::PrincipalPermissions"]


def test_analysts_read_no_personal_column_and_only_the_curated_zone(made: Synthesized) -> None:
    readable = _readable(made)
    assert not readable & _contract_columns("personal")
    assert {table for table, _ in readable} <= {file.stem for file in (ZONES / "curated").glob("*.yaml")}


def test_analysts_read_the_whole_training_table(made: Synthesized) -> None:
    of_training = {column for table, column in _readable(made) if table == "machine_learning_curated"}
    assert of_training == {
        "subjectId",
        "deviceId",
        "sessionId",
        "sensorReadingTime",
        "distanceFromObject",
        "x",
        "y",
        "z",
    }


def test_analysts_are_granted_nothing_else(made: Synthesized) -> None:
    grants = _grants(made, "stedi-access")
    assert sorted((sorted(g["Permissions"]), next(iter(g["Resource"]))) for g in grants) == [
        (["DESCRIBE"], "Database"),
        (["DESCRIBE", "SELECT"], "LFTagPolicy"),
    ]
    assert all(g["PermissionsWithGrantOption"] == [] for g in grants)


def test_analysts_cannot_go_around_lake_formation(made: Synthesized) -> None:
    """No right on any bucket but that of results, and the key opens nothing but these for them."""
    resources = made.templates["stedi-access"]["Resources"].values()
    policies = [r["Properties"] for r in resources if r["Type"] == "AWS::IAM::Policy"]
    for statement in statements(policies):
        for action in actions(statement):
            if action.startswith("s3:"):
                assert all("StorageResults" in target for target in targets(statement))
            if action.startswith("kms:"):
                context = statement["Condition"]["StringEquals"]["kms:EncryptionContext:aws:s3:arn"]
                assert "StorageResults" in str(context)
            assert not action.startswith(("secretsmanager:", "ecs:", "glue:Update", "glue:Create", "glue:Delete"))


def test_under_the_policy_seed_the_training_table_is_not_for_analysts(tmp_path: Any) -> None:
    """It names people there: its personal columns follow the contract of that policy."""
    from deployed import synthesize

    seed = synthesize(tmp_path, engine="fargate", policy="seed")
    readable = {column for table, column in _readable(seed) if table == "machine_learning_curated"}
    odcs = yaml.safe_load((ZONES / "seed" / "machine_learning_curated.yaml").read_text("utf-8"))
    personal = {c["name"] for c in odcs["schema"][0]["properties"] if c["classification"] == "personal"}
    assert personal
    assert not readable & personal
