"""`stedi run`: new landing files in, every table out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from stedi import signals
from stedi.cli.options import AsJson, LakehouseDir, examples, opened
from stedi.cli.output import Grid, counted, emit, note
from stedi.cli.progress import progress
from stedi.cli.runs import REPORT_FIELDS

if TYPE_CHECKING:
    from stedi.lakehouse import Lakehouse
    from stedi.results import RunResult

#: What `--json` prints.
FIELDS = {
    "lakehouse": "folder of the lakehouse",
    "dryRun": "true with --dry-run: nothing was changed",
    "policy": "strict or seed",
    "plan.new[]": "landing files never read before",
    "plan.touched[]": "landing files whose size or modification time is not what it was",
    "plan.unchanged": "number of landing files that need not be looked at",
    "plan.vanished": "number of landing files that were read once and are gone; what they brought stays",
    "plan.missingFeeds[]": "feeds without any file",
    "plan.otherFiles": "files in the folders of the feeds that have other endings, and are not read",
    "plan.erasureWaits": "whether an erasure is half done, which the run completes first; false once it has",
    "plan.mode": "`nothing`, `incremental` (the tables are brought up to date) or `full` (they are built from all landing rows)",
    "plan.reasons[]": "why there is something to do; empty where the lakehouse is up to date",
    "plan.fullBecause[]": "why the tables are built in full; empty where they are not",
    "upToDate": "true where nothing was to be done",
    "run": "number of the run that was published; null where none was",
    "seconds": "from start to publication; null with --dry-run",
    "completedErasure": "whether an erasure that was half done was completed first",
    "report": "what was done; null where nothing was",
    **{f"report.{name}": meaning for name, meaning in REPORT_FIELDS.items()},
}

Landing = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="Folder, or s3://bucket/prefix, that holds the feeds' folders customer/, accelerometer/ and step_trainer/;"
        " by default `landing` in stedi.toml.",
    ),
]
PolicyOption = Annotated[
    Literal["strict", "seed"] | None,
    typer.Option(
        help="Which readings may be used, and whose they are; by default `policy` in stedi.toml, else strict."
    ),
]
EngineOption = Annotated[
    Literal["duckdb", "spark"] | None,
    typer.Option(help="What runs the models; by default `engine` in stedi.toml, else duckdb."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what a run would do, and change nothing.")]
Full = Annotated[
    bool, typer.Option("--full", help="Build the derived tables from all landing rows, even if nothing changed.")
]
NewKey = Annotated[
    bool,
    typer.Option(
        "--new-key", help="Make a new pseudonym key: everybody gets a new pseudonym. The old key is kept as .old."
    ),
]

Wait = Annotated[
    float,
    typer.Option(
        "--wait",
        metavar="SECONDS",
        min=0,
        help="Wait this long for another run that is at work on the lakehouse, instead of stopping at once.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    epilog = examples(
        "stedi run --landing feeds",
        "stedi run --landing feeds --policy seed --lakehouse seed-lake",
        "stedi run --landing feeds --engine spark",
        "stedi run --landing feeds --dry-run",
        "stedi run --landing feeds --wait 600",
        "stedi run --landing feeds --json | jq .report.withheld",
    )
    app.command("run", short_help="Read what is new, build every table, publish.", epilog=epilog)(run)


def run(
    landing: Landing = None,
    lakehouse: LakehouseDir = None,
    policy: PolicyOption = None,
    engine: EngineOption = None,
    dry_run: DryRun = False,
    full: Full = False,
    new_key: NewKey = False,
    wait_s: Wait = 0,
    as_json: AsJson = False,
) -> None:
    """Read what is new in the landing folder, build every table, audit them, and publish them as one new state.

    Readers see the state before until the run is complete. A run that fails or is stopped publishes nothing.
    """
    lake = opened(lakehouse)
    if dry_run:
        _print_plan(lake, landing, policy, full=full, as_json=as_json)
        return
    with progress(as_json=as_json) as report:
        result = lake.run(
            landing, policy=policy, engine=engine, full=full, new_key=new_key, wait_s=wait_s, progress=report
        )
    with signals.held():  # what is published is told
        _print_result(lake, result, as_json=as_json)


def _print_result(lake: Lakehouse, result: RunResult, *, as_json: bool) -> None:
    facts = _facts(lake, result.policy, result.plan)
    facts |= {
        "upToDate": result.run is None,
        "run": result.run,
        "seconds": result.seconds,
        "report": result.report or None,
        "completedErasure": result.completed_erasure,
    }
    emit(facts, *_text(result), as_json=as_json)
    if not as_json:
        if result.completed_erasure:
            note("note: an erasure that was half done was completed first; ask for it again to have its certificate")
        _tell_missing(result.plan)
        _tell_next(result.report)


def _facts(lake: Lakehouse, policy: str, plan: dict[str, Any]) -> dict[str, Any]:
    return {"lakehouse": str(lake.folder), "dryRun": False, "policy": policy, "plan": plan}


def _print_plan(
    lake: Lakehouse, landing: str | None, policy: Literal["strict", "seed"] | None, *, full: bool, as_json: bool
) -> None:
    plan = lake.plan(landing, policy=policy, full=full)
    told = plan.as_dict()
    facts = _facts(lake, policy or lake.settings.policy, told) | {"dryRun": True, "upToDate": plan.nothing_to_do}
    facts |= {"run": None, "seconds": None, "report": None, "completedErasure": False}
    counts = [
        ("new", len(plan.new)),
        ("touched", len(plan.touched)),
        ("unchanged", plan.unchanged),
        ("vanished", plan.vanished),
    ]
    verdict = {
        "nothing": "up to date: nothing to do",
        "incremental": f"would bring the tables up to date: {_reasons(plan.reasons)}",
        "full": f"would build every table in full: {_reasons(dict.fromkeys([*plan.full_because, *plan.reasons]))}",
    }[plan.mode]
    files = [(kind, file.feed, file.path) for kind in ("new", "touched") for file in getattr(plan, kind)]
    listing = [Grid(("file", "feed", "path"), files)] if files else []
    emit(facts, verdict, Grid(("landing files", ">number"), counts), *listing, as_json=as_json)
    if not as_json:
        _tell_missing(told)
        tell_erasure(waits=plan.erasure_waits)


def tell_erasure(*, waits: bool) -> None:
    """Say that the next run does more than what was rehearsed."""
    if waits:
        note(
            "note: an erasure is half done: the next run completes it first, which takes out rows that are not told here"
        )


def _text(result: RunResult) -> list[Grid | str]:
    if result.run is None:
        unchanged = counted(int(result.plan["unchanged"]), "landing file")
        return [f"up to date: {unchanged}, nothing new, nothing to do"]
    report = result.report
    feeds = [(feed, n["files"], n["landed"], n["quarantined"]) for feed, n in report["feeds"].items()]
    tables = [(name, rows, report["added"][name], report["removed"][name]) for name, rows in report["rows"].items()]
    withheld = [(feed, why, n) for feed, reasons in report["withheld"].items() for why, n in reasons.items()]
    head = f"run {result.run} ({result.policy}) is published after {result.seconds:.1f} s ({report['mode']})"
    return [
        f"{head}; why: {_reasons(report['reasons'])}",
        Grid(("feed", ">files", ">landed", ">quarantined"), feeds, "Read in this run"),
        Grid(("table", ">rows", ">added", ">removed"), tables, "Tables"),
        Grid(("feed", "reason", ">records"), withheld, "Withheld: landed, but in no trusted table"),
    ]


def _reasons(reasons: Any) -> str:
    return ", ".join(reasons)


def _tell_missing(plan: dict[str, Any]) -> None:
    if plan["otherFiles"]:
        note(
            f"note: {counted(plan['otherFiles'], 'file')} in the folders of the feeds have other endings, and are not read"
        )
    for feed in plan["missingFeeds"]:
        note(f"note: no file of the feed {feed}: looked for {feed}/**/*.json, .jsonl, .ndjson, each also .gz or .zst")


def _tell_next(report: dict[str, Any]) -> None:
    if report and report["rows"]["quarantine"]:
        note("note: records were quarantined: `stedi quarantine` says which and why")
    if report and "ambiguous session" in report["withheld"]["step_trainer"]:
        note("note: some sessions need a person's look: `stedi devices` lists them")
