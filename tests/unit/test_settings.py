"""Settings: what may stand in `stedi.toml`, and what is said of what may not."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from stedi.config import DeviceSettings, load_settings
from stedi.errors import ConfigError
from stedi.privacy.policy import fingerprint


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"nope": 1}, "setting nope: there is no such setting"),
        ({"devices": {"nope": 0}}, "setting devices.nope: there is no such setting"),
        ({"s3": {"nope": 0}}, "setting s3.nope: there is no such setting"),
        ({"s3": 3}, "setting s3: "),
        ({"devices": {"min_matches": 0}}, "setting devices.min_matches: expected `int` >= 1"),
        ({"devices": DeviceSettings(min_matches=0)}, "setting devices.min_matches: expected `int` >= 1"),
        ({"devices": {"min_jaccard": 0}}, "setting devices.min_jaccard: "),
        ({"devices": {"min_jaccard": 1.001}}, "setting devices.min_jaccard: "),
        ({"devices": {"session_gap_s": math.nan}}, "setting devices.session_gap_s: "),
        ({"devices": {"clock_skew_ms": 5}}, 'setting devices: clock_skew_ms needs identity_rule = "likelihood"'),
        ({"maintenance": {"keep_runs": 0}}, "setting maintenance.keep_runs: "),
        ({"maintenance": {"keep_runs": True}}, "setting maintenance.keep_runs: "),
        ({"memory_limit": "much"}, "setting memory_limit: "),
        ({"memory_limit": "1GB\n"}, "setting memory_limit: "),
        ({"memory_limit": 5}, "setting memory_limit: "),
        ({"memory_limit": "1.2.3GB"}, "setting memory_limit: "),
        ({"threads": 0}, "setting threads: "),
        ({"threads": 1025}, "setting threads: "),
        ({"threads": 2**70}, "setting threads: "),
        ({"athena": {"output": "results"}}, "setting athena.output: "),
        ({"engine": "abacus"}, "setting engine: choose one of duckdb, spark"),
        ({"policy": "loose"}, "setting policy: choose one of strict, seed"),
        ({"devices": {"identity_rule": "guess"}}, "setting devices.identity_rule: choose one of jaccard, likelihood"),
        ({"s3": {"encryption": "rot13"}}, "setting s3.encryption: choose one of AES256, aws:kms"),
        ({"landing": 5}, "setting landing: expected a path"),
        ({"lakehouse": b"lake"}, "setting lakehouse: expected a path"),
    ],
)
def test_what_may_not_be_is_refused_by_its_name(values: dict[str, object], told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load_settings(values, tmp_path)
    assert told in str(raised.value)


def test_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "stedi.toml").write_text("[devices]\nmin_matches = 0\n")
    with pytest.raises(ConfigError) as raised:
        load_settings(folder=tmp_path)
    assert raised.value.where == str(tmp_path / "stedi.toml")


def test_what_is_not_set_has_its_default(tmp_path: Path) -> None:
    settings = load_settings({"devices": {"min_matches": 4}, "threads": None}, tmp_path)
    assert settings.devices == DeviceSettings(min_matches=4)
    assert (settings.policy, settings.engine) == ("strict", "duckdb")  # SPEC 3: strict by default
    assert settings.threads is None


def test_settings_may_be_given_as_objects(tmp_path: Path) -> None:
    assert load_settings({"devices": DeviceSettings(min_matches=4)}, tmp_path).devices.min_matches == 4


def test_a_default_that_is_written_down_changes_nothing(tmp_path: Path) -> None:
    """Else it would mean a full rebuild."""
    written = {"session_gap_s": 60, "min_matches": 3, "min_jaccard": 0.8, "min_evidence": 3, "min_margin": 10}
    settings = load_settings({"devices": written}, tmp_path)
    assert fingerprint(settings, "key") == fingerprint(load_settings(folder=tmp_path), "key")
    other = load_settings({"devices": {"min_matches": 4}}, tmp_path)
    assert fingerprint(other, "key") != fingerprint(settings, "key")
