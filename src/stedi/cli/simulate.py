"""`stedi simulate`: feeds to try everything with, and the truth about them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stedi.cli.options import AsJson, examples
from stedi.cli.output import Grid, emit, note
from stedi.cli.progress import progress
from stedi.errors import ConfigError

if TYPE_CHECKING:
    from stedi.simulate import Truth

#: What `--json` prints.
FIELDS = {
    "directory": "the folder that was written",
    "options.OPTION": "every option, as it was used",
    "arrived.FEED": "records written: read and quarantined",
    "read.FEED": "records that can be read, those delivered twice counted twice",
    "quarantined.FEED": "records that cannot be read",
    "expected.POLICY.TABLE": "rows that the table must hold when all files, late ones too, were read; null where unknowable",
    "facts.FACT": "numbers of customers, sessions and the like",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    epilog = examples(
        "stedi simulate feeds --customers 1000 --seed 7",
        "stedi simulate clean --customers 50 --dirty-share 0 --duplicate-rate 0 --compressed-share 0",
        "stedi simulate hard --clock-skew-ms 40 --drop-rate 0.1 --simultaneous-share 0.3",
        "stedi simulate feeds --customers 200 --late-share 0.3",
        "stedi run --landing feeds",
    )
    app.command("simulate", short_help="Write feeds to try everything with.", epilog=epilog)(simulate)


def _share(meaning: str) -> Any:
    return typer.Option(metavar="SHARE", help=f"Share (0 to 1) of {meaning}.")


def _number(meaning: str) -> Any:
    return typer.Option(metavar="N", help=meaning)


def _ms(meaning: str) -> Any:
    return typer.Option(metavar="MS", help=f"{meaning}, in ms.")


def simulate(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write; it must be empty or absent.")],
    customers: Annotated[int, _number("Number of customers.")] = 1000,
    seed: Annotated[int, _number("Start of all randomness: the same options give the same bytes.")] = 0,
    reused_serial_share: Annotated[float, _share("customers registered with one of the same 30 numbers")] = 1.0,
    consent_share: Annotated[float, _share("customers who share with research")] = 0.5,
    late_consent_share: Annotated[float, _share("those who consent only after some of their readings")] = 0.2,
    withdrawn_share: Annotated[float, _share("those who withdraw later")] = 0.02,
    drop_rate: Annotated[float, _share("readings lost, on either side on its own; at most 0.99")] = 0.0,
    clock_skew_ms: Annotated[int, _ms("How far a phone's clock may be off")] = 0,
    jitter_ms: Annotated[int, _ms("How far each instant of a phone may be off besides")] = 0,
    simultaneous_share: Annotated[float, _share("sessions that begin in the same second as another")] = 0.0,
    shared_device_share: Annotated[float, _share("customers in a household of two with one device")] = 0.02,
    second_device_share: Annotated[float, _share("customers with a later session on a second device")] = 0.02,
    duplicate_rate: Annotated[float, _share("records delivered twice")] = 0.002,
    dirty_share: Annotated[float, _share("records that get dirt; at most 0.5")] = 0.002,
    compressed_share: Annotated[float, _share("files that are .gz or .zst")] = 0.2,
    late_share: Annotated[
        float, _share("files that come later: they lie in DIR/late until they are copied to DIR")
    ] = 0.0,
    readings_per_session: Annotated[int, _number("Step trainer readings per session.")] = 30,
    records_per_file: Annotated[int, _number("Records of a file before the next begins.")] = 250_000,
    interval_ms: Annotated[int, _ms("Time between two readings; the feeds of 2023 have 3000")] = 140,
    as_json: AsJson = False,
) -> None:
    """Write feeds with every defect of the real ones, and what a lakehouse must make of them (truth/truth.json).

    Reused serial numbers, dirty files, duplicates, late consent, withdrawals, shared devices, and steps that can be seen in the signals.
    """
    options = {name: value for name, value in locals().items() if name not in ("directory", "as_json")}
    truth = _simulate(directory, options, as_json=as_json)
    told = truth.as_json()
    told["options"] = {_camel(name): value for name, value in told["options"].items()}
    feeds = [(feed, truth.arrived[feed], truth.read[feed], truth.quarantined[feed]) for feed in truth.arrived]
    emit(
        {"directory": str(directory), **told},
        f"{directory} holds the feeds of {customers:,} simulated customers; {directory / 'truth'} the truth about them",
        Grid(("feed", ">records", ">can be read", ">cannot be read"), feeds),
        as_json=as_json,
    )
    if not as_json:
        note(f"next: stedi run --landing {directory}")
        if late_share:
            note(f"later: cp -r {directory}/late/. {directory}/, and run again")


def _simulate(directory: Path, values: dict[str, Any], *, as_json: bool) -> Truth:
    from stedi.simulate import SimulationOptions
    from stedi.simulate import simulate as write_feeds

    try:
        options = SimulationOptions(**values)
    except ValueError as error:
        raise ConfigError(str(error), hint="stedi simulate --help") from None
    try:
        with progress(as_json=as_json) as report:
            return write_feeds(directory, options, lambda done, total: report("simulating customers", done, total))
    except FileExistsError:
        raise ConfigError(
            "the folder exists and is not empty", where=str(directory), hint="name another, or remove it"
        ) from None


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
