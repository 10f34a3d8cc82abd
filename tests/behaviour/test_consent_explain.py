"""`explain_consent`: why a person's data is in or out, with numbers that are counted by hand or add up to those of the run."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

import stedi
from stedi.privacy.consent import ConsentExplanation, FeedUse
from stedi.simulate import SimulationOptions, simulate

HOUR_MS = 3_600_000
START_MS = 1_700_000_000_000


@pytest.fixture
def lake(small_feeds: Path, tmp_path: Path) -> stedi.Lakehouse:
    """The small feeds, after one run."""
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(small_feeds)
    return lake


def of(name: str) -> str:
    return f"{name}@example.org"


def kept(found: ConsentExplanation) -> dict[str, int]:
    return {feed: use.kept for feed, use in found.feeds.items()}


def test_somebody_who_is_in_with_what_was_taken_before_consent(lake: stedi.Lakehouse, small_feeds: Path) -> None:
    found = lake.explain_consent(" BO@Example.org\n")
    assert (found.run, found.policy, found.known, found.consents, found.quarantined) == (1, "strict", True, True, 0)
    (decision,) = found.decisions
    (run,) = lake.runs()
    assert (decision.decision, decision.since_ms, decision.decided_ms) == (
        "consented",
        START_MS + HOUR_MS + 2_000,
        START_MS - 1_000,
    )
    assert (decision.run, decision.learned_at) == (1, run.started_at)
    assert (decision.file, decision.line) == (str(small_feeds / "customer/2023/customer.json"), 2)
    assert found.feeds == {
        "customer": FeedUse(1, 1, {}),
        "accelerometer": FeedUse(5, 3, {"before consent": 2}),
        "step_trainer": FeedUse(5, 3, {"before consent": 2}),
    }
    (session,) = found.sessions
    assert (session.device, session.status, session.reason) == ("device-b", "assigned", "evidence")
    assert (session.start_ms, session.end_ms) == (START_MS + HOUR_MS, START_MS + HOUR_MS + 4_000)
    assert found.rows == {
        "customer_trusted": 1,
        "accelerometer_trusted": 3,
        "device_sessions": 1,
        "customers_curated": 1,
        "step_trainer_trusted": 3,
        "machine_learning_curated": 3,
    }


def test_somebody_who_never_consented(lake: stedi.Lakehouse) -> None:
    found = lake.explain_consent(of("cleo"))
    assert (found.known, found.consents) == (True, False)
    assert [decision.decision for decision in found.decisions] == ["not given"]
    assert found.feeds == {
        "customer": FeedUse(1, 0, {"no consent": 1}),
        "accelerometer": FeedUse(4, 0, {"no consent": 4}),
        "step_trainer": FeedUse(0, 0, {}),  # whose device it is cannot be known without their readings
    }
    assert not any(found.rows.values())


@pytest.mark.parametrize("name", ["dee", "eve"])
def test_somebody_whose_session_is_ambiguous(lake: stedi.Lakehouse, name: str) -> None:
    found = lake.explain_consent(of(name))
    assert [(s.device, s.status, s.reason) for s in found.sessions] == [("device-d", "ambiguous", "tie")]
    assert found.feeds["step_trainer"] == FeedUse(5, 0, {"ambiguous session": 5})
    assert found.rows["device_sessions"] == 1
    assert found.rows["machine_learning_curated"] == 0


def test_nobody(lake: stedi.Lakehouse) -> None:
    found = lake.explain_consent("nobody@example.org")
    assert (found.known, found.consents, found.decisions, found.sessions) == (False, False, (), ())
    assert found.feeds == dict.fromkeys(("customer", "accelerometer", "step_trainer"), FeedUse(0, 0, {}))
    assert not any(found.rows.values())


def test_somebody_whose_record_could_not_be_read(lake: stedi.Lakehouse) -> None:
    found = lake.explain_consent(of("fay"))
    assert (found.known, found.decisions, found.quarantined) == (True, (), 1)


def test_somebody_who_only_has_a_phone(lake: stedi.Lakehouse, small_feeds: Path) -> None:
    reading = {"user": "Gil@example.org", "timestamp": 1, "x": 0, "y": 0, "z": 0}
    (small_feeds / "accelerometer/gil.json").write_text(json.dumps(reading) + "\n")
    lake.run(small_feeds)
    found = lake.explain_consent(of("gil"))
    assert (found.known, found.decisions) == (True, ())
    assert found.feeds["accelerometer"] == FeedUse(1, 0, {"unknown customer": 1})


def test_a_withdrawal_today_and_as_of_the_run_before(lake: stedi.Lakehouse, small_feeds: Path) -> None:
    withdrawal = small_feeds / "customer/withdrawal.json"
    withdrawal.write_text(json.dumps({"email": of("ana"), "lastUpdateDate": START_MS}) + "\n")
    lake.run(small_feeds)
    now, then = lake.explain_consent(of("ana")), lake.as_of(1).explain_consent(of("ana"))
    assert [(d.decision, d.run) for d in now.decisions] == [("consented", 1), ("withdrew", 2)]
    assert now.decisions[-1].file == str(withdrawal)
    assert now.feeds["customer"] == FeedUse(2, 0, {"superseded": 1, "no consent": 1})
    assert now.feeds["accelerometer"] == FeedUse(5, 0, {"no consent": 5})
    assert not any(now.rows.values())
    assert (then.run, then.consents, kept(then)) == (1, True, {"customer": 1, "accelerometer": 5, "step_trainer": 5})
    assert then.decisions == now.decisions[:1]


@pytest.mark.parametrize("policy", ["strict", "seed"])
def test_all_people_together_are_what_the_run_counted(tmp_path: Path, policy: str) -> None:
    """Withheld and kept, person by person, add up to the report; what no person can be told is the readings of nobody's session."""
    options = SimulationOptions(customers=24, seed=9, dirty_share=0.1, duplicate_rate=0.1, simultaneous_share=0.5)
    simulate(tmp_path / "feeds", options)
    lake = stedi.open_lakehouse(tmp_path / "lake", policy=policy)
    report = lake.run(tmp_path / "feeds").report
    people = lake.query(
        'SELECT lower(trim(email)) AS who FROM customer_landing UNION SELECT lower(trim("user")) FROM accelerometer_landing'
    ).to_arrow()
    found = [lake.explain_consent(who) for who in people["who"].to_pylist()]
    assert len(found) >= 24
    for feed in ("customer", "accelerometer"):
        withheld: Counter[str] = Counter()
        for one in found:
            withheld.update(one.feeds[feed].withheld)
        assert withheld == report["withheld"][feed]
    for table in ("customer_trusted", "accelerometer_trusted", "customers_curated"):
        assert sum(one.rows[table] for one in found) == report["rows"][table], table
    if policy == "strict":
        assert sum(one.rows["machine_learning_curated"] for one in found) == report["rows"]["machine_learning_curated"]
        assert sum(kept(one)["step_trainer"] for one in found) == report["rows"]["step_trainer_trusted"]
        for reason in ("before consent", "duplicate"):
            told = sum(one.feeds["step_trainer"].withheld.get(reason, 0) for one in found)
            assert told == report["withheld"]["step_trainer"].get(reason, 0)


def test_a_device_number_that_many_share_under_seed(small_feeds: Path, tmp_path: Path) -> None:
    """Under `seed` the number in the record says whose a device is, however many carry it."""
    path = small_feeds / "customer/2023/customer.json"
    path.write_text(path.read_text().replace("reused-number", "device-a"))
    lake = stedi.open_lakehouse(tmp_path / "seed", policy="seed")
    lake.run(small_feeds)
    found = lake.explain_consent(of("bo"))
    assert found.feeds["accelerometer"] == FeedUse(5, 5, {})
    assert found.feeds["step_trainer"] == FeedUse(5, 5, {})
    # Five rows of device-a, with ana's movements: bo's own were at other instants.
    assert found.rows["machine_learning_curated"] == 5
    assert found.sessions == ()
