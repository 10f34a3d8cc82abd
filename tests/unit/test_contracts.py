"""Contracts as objects: which there are, and when they are read."""

from __future__ import annotations

from typing import get_args

import pytest

from stedi.contracts import Policy, contracts


@pytest.mark.parametrize("policy", get_args(Policy))
def test_a_file_is_named_after_its_table(policy: Policy) -> None:
    known = contracts(policy)
    assert [contract.name for contract in known.values()] == list(known)
    assert len(known) == len(set(known)) == 14  # ten of SPEC 4; session_evidence, consent_history, landed_files, runs


def test_what_is_no_table_has_none() -> None:
    assert "nosuch" not in contracts("strict")
    with pytest.raises(KeyError):
        contracts("strict")["nosuch"]
