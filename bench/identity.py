"""How well devices find their people under difficulty: precision, wrong assignments and recall of `device_sessions` (SPEC 5).

    python -m bench.identity                      every axis, up to 100,000 customers; then the picture
    python -m bench.identity --resume             the same, without the points that bench/out/identity.json holds
    python -m bench.identity --axes customers --most-customers 1000000
    python -m bench.identity --check              three points both ways: by the models alone, by the whole lakehouse
    python -m bench.identity --picture FILE       only draw what bench/out/identity.json holds

From a base case (10,000 customers, clean, nothing lost, clocks right) one axis at a time grows worse; the axis `combined` takes them
together. Each rule judges the same readings.

- **Precision**: of the sessions that were assigned, the share that went to whoever used the device. A wrong assignment is any other, also
  one of a session whose user does not consent. Fewer than 1 in 10,000 may be wrong.
- **Recall**: sessions assigned right, of the sessions of consenting customers with at least three usable readings of the device (taken
  at or after consent): the least that SPEC 5 asks for. A session is one as the device reported it: readings lost may cut it in two.

A rule is told the greatest error of the clocks, as an operator would have to tell it. Points are written to `bench/out/identity.json` one
by one, so that an interruption loses none. The picture needs the dependency group `bench`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.__main__ import HERE
from bench.identity_points import CLEAN, by_lakehouse, by_models
from stedi.simulate import SimulationOptions

OUT = HERE / "out" / "identity.json"
PICTURE = HERE.parent / "docs" / "images" / "identity.png"
BASE_CUSTOMERS = 10_000

Values = dict[str, Any]
Rule = Callable[[SimulationOptions], Values | None]


def _skew_and_jitter(options: SimulationOptions) -> int:
    return options.clock_skew_ms + options.jitter_ms


#: What a rule is told, as settings under `[devices]`; None where it would be the same as another rule.
RULES: dict[str, Rule] = {
    "J >= 0.8, same instants": lambda _: {},
    "J >= 0.8, within tolerance": lambda options: (
        {"clock_tolerance_ms": _skew_and_jitter(options)} if _skew_and_jitter(options) else None
    ),
    "likelihood": lambda options: {
        "identity_rule": "likelihood",
        "clock_skew_ms": options.clock_skew_ms,
        "clock_tolerance_ms": options.jitter_ms,
    },
}
#: Per axis the points: a label, and what is other than in the base case.
AXES: dict[str, list[tuple[str, Values]]] = {
    "drop rate": [(f"{rate:.0%}", {"drop_rate": rate}) for rate in (0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)],
    "clock skew, ms": [(f"{ms}", {"clock_skew_ms": ms}) for ms in (0, 2, 5, 10, 20, 50, 100, 500, 1000, 2000)],
    "jitter, ms": [(f"{ms}", {"jitter_ms": ms}) for ms in (0, 1, 2, 5, 10, 20, 40)],
    "simultaneous": [(f"{share:.0%}", {"simultaneous_share": share}) for share in (0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)],
    "customers": [(f"{number:,}", {"customers": number}) for number in (1_000, 10_000, 100_000, 1_000_000)],
    "customers, 10 % lost": [
        (f"{number:,}", {"customers": number, "drop_rate": 0.1, "simultaneous_share": 0.05})
        for number in (1_000, 10_000, 100_000, 1_000_000)
    ],
    "combined": [
        ("5 % lost\n10 % sim.", {"drop_rate": 0.05, "simultaneous_share": 0.1}),
        ("30 % lost\n30 % sim.", {"drop_rate": 0.3, "simultaneous_share": 0.3}),
        ("30 % lost\n30 % sim.\n2 ms jitter", {"drop_rate": 0.3, "simultaneous_share": 0.3, "jitter_ms": 2}),
        (
            "10 % lost\n10 % sim.\n2 ms jitter\n1 s skew",
            {"drop_rate": 0.1, "simultaneous_share": 0.1, "jitter_ms": 2, "clock_skew_ms": 1000},
        ),
        (
            "30 % lost\n30 % sim.\n2 ms jitter\n2 s skew",
            {"drop_rate": 0.3, "simultaneous_share": 0.3, "jitter_ms": 2, "clock_skew_ms": 2000},
        ),
    ],
    "3 s apart": [
        ("clean", {"interval_ms": 3000}),
        ("30 % lost", {"interval_ms": 3000, "drop_rate": 0.3}),
        ("30 % sim.", {"interval_ms": 3000, "simultaneous_share": 0.3}),
        ("50 ms jitter", {"interval_ms": 3000, "jitter_ms": 50}),
        ("2 s skew", {"interval_ms": 3000, "clock_skew_ms": 2000}),
        (
            "all of them",
            {
                "interval_ms": 3000,
                "drop_rate": 0.3,
                "simultaneous_share": 0.3,
                "jitter_ms": 50,
                "clock_skew_ms": 2000,
            },
        ),
    ],
}


def main() -> None:
    """Measure, print, and keep the figures; draw them."""
    parser = argparse.ArgumentParser(prog="python -m bench.identity", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--axes", nargs="+", choices=AXES, default=list(AXES), metavar="AXIS", help=", ".join(AXES))
    parser.add_argument("--rules", nargs="+", choices=RULES, default=list(RULES), metavar="RULE", help=", ".join(RULES))
    parser.add_argument("--customers", type=int, default=BASE_CUSTOMERS, help="of the base case")
    parser.add_argument("--most-customers", type=int, default=100_000, help="leave out points with more")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="keep what was measured, and go on")
    parser.add_argument("--check", action="store_true", help="compare the models alone with the whole lakehouse")
    parser.add_argument("--memory-limit", default="4GB")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="only draw the picture")
    chosen = parser.parse_args()
    if chosen.check:
        check(chosen.memory_limit)
        return
    if not chosen.picture:
        sweep(chosen)
    draw(json.loads(OUT.read_text()), chosen.picture or PICTURE)


def sweep(chosen: argparse.Namespace) -> None:
    """Measure the points that were asked for, those that are known already left out on request."""
    found: list[Values] = json.loads(OUT.read_text()) if chosen.resume and OUT.is_file() else []
    known = {_key(point) for point in found}
    print("| axis | point | rule | assigned | wrong | wrong share | recall | s |\n|---|---|---|---|---|---|---|---|")
    for point in points(chosen):
        if _key(point) in known:
            continue
        options = SimulationOptions(**point["options"])
        point |= by_models(options, point["devices"], chosen.memory_limit).as_row()
        found.append(point)
        OUT.parent.mkdir(exist_ok=True)
        partial = OUT.with_suffix(".partial")  # a point is there whole or not at all
        partial.write_text(json.dumps(found, indent=1) + "\n")
        partial.replace(OUT)
        print(
            f"| {point['axis']} | {point['label']} | {point['rule']} | {point['assigned']:,} | {point['wrong']:,}"
            f" | {point['wrongShare']:.5f} | {point['recall']:.4f} | {point['seconds']:.1f} |".replace("\n", ", "),
            flush=True,
        )


def points(chosen: argparse.Namespace) -> Iterator[Values]:
    """What to measure: axis, label, rule, options of the simulator, settings of the rule."""
    for axis in chosen.axes:
        for at, (label, changed) in enumerate(AXES[axis]):
            options = {"customers": chosen.customers, "seed": chosen.seed, **CLEAN, **changed}
            if options["customers"] > chosen.most_customers:
                continue
            for rule in chosen.rules:
                devices = RULES[rule](SimulationOptions(**options))
                if devices is not None:
                    yield {"axis": axis, "at": at, "label": label, "rule": rule, "options": options, "devices": devices}


def _key(point: Values) -> str:
    """What makes a point another: everything that decides the figures."""
    return json.dumps([point[name] for name in ("axis", "label", "rule", "options", "devices")], sort_keys=True)


def check(memory_limit: str) -> None:
    """Run a few points both ways; stop with an error where they differ."""
    hard: list[Values] = [
        {},
        {"drop_rate": 0.1, "simultaneous_share": 0.3},
        {"drop_rate": 0.1, "simultaneous_share": 0.3, "clock_skew_ms": 15, "jitter_ms": 3},
    ]
    for changed in hard:
        options = SimulationOptions(customers=4_000, **{**CLEAN, **changed})
        for rule, told in RULES.items():
            if (devices := told(options)) is None:
                continue
            ways = [way(options, devices, memory_limit).as_row() for way in (by_models, by_lakehouse)]
            counts = [{name: number for name, number in way.items() if name != "seconds"} for way in ways]
            if counts[0] != counts[1]:
                raise SystemExit(f"{rule}, {changed}: {counts[0]} by the models, {counts[1]} by the lakehouse")
            print(
                f"{rule}, {changed or 'base case'}: {counts[0]['right']:,} right, {counts[0]['wrong']} wrong, both ways"
            )


def draw(found: list[Values], path: Path) -> None:
    """Small multiples: a column per axis; share of wrong assignments above, recall below."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    axes = [axis for axis in AXES if any(point["axis"] == axis for point in found)]
    across = -(-len(axes) // 2)
    figure, grid = plt.subplots(4, across, figsize=(4.3 * across, 13), squeeze=False, layout="constrained")
    for place in grid.ravel():
        place.set_visible(False)
    for number, axis in enumerate(axes):
        top = 2 * (number // across)
        of_axis = [point for point in found if point["axis"] == axis]
        _panel(grid[top][number % across], of_axis, axis, "wrongShare")
        _panel(grid[top + 1][number % across], of_axis, axis, "recall")
    handles = {
        line.get_label(): line for place in grid.ravel() if place.get_visible() for line in place.get_lines()[:-1]
    }
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=4, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90, metadata={"Software": None})
    plt.close(figure)


_STYLES = dict(zip(RULES, ("o-", "s--", "D-"), strict=False))
_COLOURS = dict(zip(RULES, ("#888888", "#d08030", "#1060b0"), strict=False))
#: Axes whose points have no order: no line joins them.
_UNORDERED = ("combined", "3 s apart")


def _panel(place: Any, points: list[Values], axis: str, value: str) -> None:
    """One axis and one measure. Wrong shares are drawn on a scale of powers of ten, with those of 0 at its foot."""
    place.set_visible(True)
    wrong = value == "wrongShare"
    labels = {point["at"]: point["label"] for point in points}
    for rule in RULES:
        of_rule = sorted((point for point in points if point["rule"] == rule), key=lambda point: point["at"])
        heights = [max(point[value], 1e-6) if wrong else point[value] for point in of_rule]
        where = [point["at"] for point in of_rule]
        style = _STYLES[rule][:1] if axis in _UNORDERED else _STYLES[rule]
        place.plot(where, heights, style, color=_COLOURS[rule], label=rule, markersize=4)
    place.set_title(axis if wrong else "", fontsize=11)
    place.set_ylabel("wrong, of assigned" if wrong else "recall")
    place.set_xticks(sorted(labels), [labels[at] for at in sorted(labels)], fontsize=7)
    if wrong:
        place.set_yscale("log")
        place.set_ylim(6e-7, 1)
        place.set_yticks([1e-6, 1e-4, 1e-2, 1], ["0", "0.01 %", "1 %", "100 %"])
        place.axhline(1e-4, color="#c02020", linewidth=0.8, linestyle=":")
    else:
        place.set_ylim(-0.03, 1.03)
        place.axhline(1, color="#cccccc", linewidth=0.8)
    place.grid(visible=True, axis="y", color="#eeeeee")


if __name__ == "__main__":
    main()
