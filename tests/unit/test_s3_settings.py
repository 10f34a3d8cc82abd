"""Settings about S3, Glue and the key: what fits together, and what is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from stedi.config import load_settings
from stedi.errors import ConfigError, PseudonymKeyError
from stedi.secret import key_of


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"catalog": "glue"}, "needs a lakehouse on S3"),
        ({"s3": {"kms_key": "alias/x"}}, "kms_key needs encryption"),
        ({"s3": {"encryption": "rot13"}}, "s3.encryption"),
        ({"s3": {"endpoint": "localhost:9000"}}, "s3.endpoint"),
        ({"pseudonym_key": "secretsmanager:x"}, "need each other"),
        ({"glue_database": "With-Dash"}, "glue_database"),
    ],
)
def test_what_does_not_fit_is_refused(values: dict[str, object], told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=told):
        load_settings(values, tmp_path)


def test_a_local_lakehouse_is_at_home_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "stedi.toml").write_text('lakehouse = "lake"\n')
    home = load_settings(folder=tmp_path).home
    assert (home.folder, home.warehouse, home.catalog) == (tmp_path / "lake", tmp_path / "lake" / "warehouse", "sqlite")
    assert home.scratch("token") == tmp_path / "lake" / "staging" / "token"


def test_the_value_of_a_secret_is_a_key() -> None:
    key = bytes(range(32))
    assert key_of(key, "x") == key_of(key.hex(), "x") == key_of(key.hex().encode() + b"", "x") == key
    made_up = "k" * 43  # what Secrets Manager makes up is longer, and of letters and digits
    assert key_of(made_up, "x") == hashlib.sha256(b"k" * 43).digest()
    for short in ("", "k" * 42, b"k" * 31, "ab" * 16):
        with pytest.raises(PseudonymKeyError, match="too short"):
            key_of(short, "x")
