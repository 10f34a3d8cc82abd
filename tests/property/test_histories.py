"""Small random lakehouses: devices, consents and readings of few people, where ties and overlaps abound (SPEC 2 to 5)."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from oracle import expected
from product import differences, tables_of
from small_feeds import feeds, identities, oracle_settings

import stedi


def write(folder: Path, found: dict[str, list[dict[str, Any]]], files: int = 2) -> list[tuple[str, Path]]:
    """Write feeds as landing files, the records of each dealt out in turns."""
    delivery = []
    for feed, records in found.items():
        (folder / feed).mkdir(parents=True, exist_ok=True)
        for number in range(files):
            path = folder / feed / f"{number}.json"
            path.write_text("".join(json.dumps(record) + "\n" for record in records[number::files]))
            delivery.append((feed, path))
    return delivery


@given(feeds(), st.sampled_from(["strict", "strict", "strict", "seed"]), st.sampled_from([0, 0, 1, 2]), identities)
def test_every_table_is_what_the_specification_says(
    found: dict[str, list[dict[str, Any]]], policy: str, tolerance_ms: int, identity: dict[str, Any]
) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        delivery = write(folder / "feeds", found)
        lake = stedi.open_lakehouse(
            folder / "lake", policy=policy, devices={"clock_tolerance_ms": tolerance_ms, **identity}
        )
        result = lake.run(folder / "feeds")
        wanted = expected([delivery], oracle_settings(policy, tolerance_ms, identity))
        assert differences(tables_of(lake, policy), wanted) == {}
        for feed, trusted in (
            ("customer", "customer_trusted"),
            ("accelerometer", "accelerometer_trusted"),
            ("step_trainer", "step_trainer_trusted"),
        ):
            kept, withheld = result.report["rows"][trusted], sum(result.report["withheld"][feed].values())
            assert kept + withheld == len(found[feed])
    finally:
        shutil.rmtree(folder)


@given(feeds(), st.data())
def test_the_order_of_arrival_does_not_matter(found: dict[str, list[dict[str, Any]]], data: st.DataObject) -> None:
    """The trusted and curated zones are the same whichever way the same records were dealt out to files."""
    unordered = {"customer": [{**r, "registrationDate": n} for n, r in enumerate(found["customer"])]}  # no ties on time
    found = found | unordered
    folder = Path(tempfile.mkdtemp())
    try:
        write(folder / "feeds", found, files=1)
        shuffled = {feed: data.draw(st.permutations(records)) for feed, records in found.items()}
        write(folder / "other", shuffled, files=3)
        (folder / "a.key").write_text("11" * 32)
        (folder / "a.key").chmod(0o600)
        lakes = []
        for name in ("feeds", "other"):
            lakes.append(stedi.open_lakehouse(folder / f"{name}-lake", pseudonym_key=folder / "a.key"))
            lakes[-1].run(folder / name)
        for info in lakes[0].tables():
            if info.zone in ("trusted", "curated"):
                one, other = (sorted(map(repr, lake.table(info.name).to_arrow().to_pylist())) for lake in lakes)
                assert one == other, info.name
    finally:
        shutil.rmtree(folder)
