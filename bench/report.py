"""The rounds of `bench.compare`: where they are kept, their figures and ratios, the README's table and the plot."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.__main__ import HERE, Figure

#: One round: size, customers, and by name what was measured.
Round = dict[str, Any]

OUT = HERE / "out"
KEPT = OUT / "compare.json"
PLOT = OUT / "compare.png"
REPOSITORY = HERE.resolve().parent
IMAGE = REPOSITORY / "docs" / "images" / "compare.png"
BEGIN, END = "<!-- compare:begin -->", "<!-- compare:end -->"
NAMES = {
    "a": "`stedi run`",
    "b": "the floor: its SQL in bare DuckDB",
    "b2": "usual chain, bare DuckDB",
    "c": "usual chain, PySpark",
    "d": "usual chain, Polars",
    "e": "usual chain, pandas",
}
#: Whose wall time is divided by whose, and what is aimed at: at most or at least that.
RATIOS: tuple[tuple[str, str, str], ...] = (
    ("a", "b", "at most 1.3"),
    ("a", "b2", "at most 1.8"),
    ("c", "a", "at least 4"),
    ("d", "a", ""),
    ("e", "a", ""),
)
_COLOURS = {"a": "#c8102e", "b": "#1f4e79", "b2": "#2a9d8f", "c": "#e07b00", "d": "#6a4c93", "e": "#6c757d"}
_MARKERS = {"a": "o", "b": "s", "b2": "D", "c": "^", "d": "v", "e": "P"}


def rounds() -> list[Round]:
    """The rounds that are kept."""
    found: list[Round] = json.loads(KEPT.read_text()) if KEPT.exists() else []
    return found


def add(one: Round) -> None:
    """Keep one more round; a bench that is interrupted leaves those that it finished."""
    _keep([*rounds(), one])


def forget(sizes: Sequence[str]) -> None:
    """Keep the rounds of these sizes no longer."""
    _keep([one for one in rounds() if one["size"] not in sizes])


def _keep(found: list[Round]) -> None:
    OUT.mkdir(exist_ok=True)
    draft = KEPT.with_suffix(".draft")
    draft.write_text(json.dumps(found, indent=1) + "\n")
    draft.replace(KEPT)


def by_size(found: Iterable[Round]) -> dict[str, list[Round]]:
    """Rounds by size, the smallest first."""
    sizes: dict[str, list[Round]] = {}
    for one in sorted(found, key=lambda one: one["customers"]):
        sizes.setdefault(one["size"], []).append(one)
    return sizes


def figure(found: Iterable[Round], name: str, what: str) -> Figure | None:
    """A figure of one command over some rounds; None where it finished in none."""
    values = [one["measured"][name][what] for one in found if what in one["measured"].get(name, {})]
    return Figure.of(values) if values else None


def ratio(found: Iterable[Round], above: str, below: str, what: str = "wall_s") -> Figure | None:
    """How many times as much one command takes as another, each time within a round; None where no round has both."""
    pairs = [(one["measured"].get(above, {}), one["measured"].get(below, {})) for one in found]
    values = [first[what] / second[what] for first, second in pairs if what in first and what in second]
    return Figure.of(values) if values else None


def tables(found: Sequence[Round]) -> str:
    """Both tables, in Markdown: what each command takes, and the ratios."""
    sizes = by_size(found)
    lines = [
        "| customers | command | wall, s: median (min to max) | processor, s | peak memory, MB | written, MB |",
        "|---:|---|---:|---:|---:|---:|",
    ]
    for size, mine in sizes.items():
        lines += [_row(_title(size), mine, name) for name in NAMES if any(name in one["measured"] for one in mine)]
    lines += ["", "| wall time | aimed at | " + " | ".join(map(_title, sizes)) + " |"]
    lines.append("|---|---|" + "---:|" * len(sizes))
    for above, below, aim in RATIOS:
        cells = [_spread(ratio(mine, above, below), 2) for mine in sizes.values()]
        lines.append(f"| {_short(above)} / {_short(below)} | {aim} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _row(title: str, found: list[Round], name: str) -> str:
    wall = figure(found, name, "wall_s")
    if wall is None:
        return f"| {title} | {NAMES[name]} | did not finish | | | |"
    median = {what: figure(found, name, what) for what in ("processor_s", "peak_mb", "written_mb")}
    cells = [f"{one.median:,.{2 - number if number < 2 else 1}f}" for number, one in enumerate(median.values()) if one]
    return f"| {title} | {NAMES[name]} | {_spread(wall, 2)} | {cells[0]} | {cells[1]} | {cells[2]} |"


def _spread(one: Figure | None, digits: int) -> str:
    if one is None:
        return "-"
    low, middle, high = (f"{value:,.{digits}f}" for value in (one.lowest, one.median, one.highest))
    return f"{middle} ({low} to {high})"


def _title(size: str) -> str:
    return "956 (`stedi-2023`)" if size == "stedi-2023" else f"{int(size):,}"


def _short(name: str) -> str:
    return NAMES[name].removeprefix("usual chain, ").split(":")[0]


def about(found: Sequence[Round]) -> str:
    """Where, how often and with what was measured, in a sentence."""
    last = found[-1]
    machine = last["machine"]
    often = sorted({len(mine) for mine in by_size(found).values()})
    versions = {"duckdb": "DuckDB", "pyspark": "PySpark", "polars": "Polars", "pandas": "pandas"}
    used = ", ".join(f"{name} {machine[key]}" for key, name in versions.items() if key in machine)
    times = f"{often[0]}" if len(often) == 1 else f"{often[0]} to {often[-1]}"
    load = max(one.get("load", 0) for one in found)
    busy = (
        f" The machine had other work besides (load average up to {load:.1f})." if load > 2 * machine["cores"] else ""
    )
    limits: dict[str, list[str]] = {}
    for size, mine in by_size(found).items():
        limits.setdefault(" or ".join(sorted({one["memoryLimit"] for one in mine})), []).append(_title(size))
    limit = ", ".join(kept if len(limits) == 1 else f"{kept} for {' and '.join(of)}" for kept, of in limits.items())
    return (
        f"Measured on {machine['cores']} cores, Python {machine['python']}, {used}; `memory_limit` {limit};"
        f" rounds of each size: {times}.{busy}"
    )


def write_readme(readme: Path = REPOSITORY / "README.md") -> None:
    """Write the tables between the README's markers, and put the plot where the README shows it."""
    found = rounds()
    if not found:
        raise SystemExit("nothing was measured yet: run `python -m bench.compare` first")
    text = readme.read_text("utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    shown = "![Wall time and peak memory by number of customers](docs/images/compare.png)"
    readme.write_text(f"{before}{BEGIN}\n{about(found)}\n\n{tables(found)}\n\n{shown}\n{END}{after}", "utf-8")
    IMAGE.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PLOT, IMAGE)


def draw() -> None:
    """Draw wall time and peak memory over the number of customers, both on logarithmic scales; a bar reaches from min to max."""
    if importlib.util.find_spec("matplotlib") is None:
        print("no plot: matplotlib is not installed; `make bench-compare` installs it")
        return
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FuncFormatter

    plt.switch_backend("agg")
    sizes = by_size(rounds())
    drawing, panels = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
    plain = FuncFormatter(lambda value, _: f"{value:,.10g}")
    for panel, what, title in zip(panels, ("wall_s", "peak_mb"), ("wall time, s", "peak memory, MB"), strict=True):
        for name, label in NAMES.items():
            points = [(mine[0]["customers"], figure(mine, name, what)) for mine in sizes.values()]
            _line(panel, name, label, [(at, one) for at, one in points if one is not None])
        panel.set(xscale="log", yscale="log", xlabel="customers", title=title)
        panel.xaxis.set_major_formatter(plain)
        panel.yaxis.set_major_formatter(plain)
        panel.grid(which="major", color="#dddddd", linewidth=0.6)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    drawing.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    OUT.mkdir(exist_ok=True)
    drawing.savefig(PLOT, dpi=130)
    plt.close(drawing)


def _line(panel: Any, name: str, label: str, points: list[tuple[int, Figure]]) -> None:
    if not points:
        return
    below = [one.median - one.lowest for _, one in points]
    above = [one.highest - one.median for _, one in points]
    panel.errorbar(
        [at for at, _ in points],
        [one.median for _, one in points],
        yerr=[below, above],
        label=label.replace("`", ""),
        color=_COLOURS[name],
        marker=_MARKERS[name],
        markersize=5,
        linewidth=2.4 if name == "a" else 1.4,
        capsize=2,
        elinewidth=0.8,
    )
