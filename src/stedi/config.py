"""Settings: defaults, then `stedi.toml` in the working folder, then `STEDI_LAKEHOUSE` and `STEDI_ENGINE`, then what the caller says."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, Struct
from msgspec.structs import asdict, replace

from stedi.checked import checked
from stedi.contracts import IdentityRule, Policy
from stedi.errors import ConfigError
from stedi.home import DATABASE, CatalogKind, Home
from stedi.place_settings import PLACES, AnyPlace, NoOrAnyKey, NoOrAnyPlace, S3Settings, secret_name, with_places
from stedi.places import is_remote, is_uri
from stedi.secret import SCHEME as SECRET
from stedi.secret import SecretKey

FILE_NAME = "stedi.toml"
EngineName = Literal["duckdb", "spark"]
_Bucket = Annotated[str, Meta(pattern=r"^s3://.+")]
_Memory = Annotated[str, Meta(pattern=r"^[0-9]+(\.[0-9]+)? ?[KMGT]i?B\Z")]
_Threads = Annotated[int, Meta(ge=1, le=1024)]  # DuckDB starts as many as it is told


class DeviceSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How much evidence links a device to a person (SPEC 5)."""

    session_gap_s: Annotated[
        float, Meta(ge=0.001, le=86_400), "A session ends where a device is silent for longer than this, in seconds."
    ] = 60.0
    min_matches: Annotated[int, Meta(ge=1), "M: instants that device and phone must both report."] = 3
    min_jaccard: Annotated[
        float, Meta(gt=0, le=1), "J: share of instants that both report, of all that either reports."
    ] = 0.8
    clock_tolerance_ms: Annotated[
        int, Meta(ge=0, le=3_600_000), "Two instants match when they differ by at most this, in ms."
    ] = 0
    identity_rule: Annotated[
        IdentityRule,
        "`jaccard`: J must reach `min_jaccard`. `likelihood`: chance must not explain the matches, nor luck the lead over"
        " any other candidate; see docs/decisions/0002.",
    ] = "jaccard"
    clock_skew_ms: Annotated[
        int,
        Meta(ge=0, le=60_000),
        "`likelihood` only: a phone's clock may be off by up to this, in ms; by how much is found for each session.",
    ] = 0
    min_evidence: Annotated[
        float,
        Meta(gt=0, le=100),
        "`likelihood` only: zeros in the odds that another phone matches as well by chance; 3 is 1 in 1000.",
    ] = 3.0
    min_margin: Annotated[
        float, Meta(gt=0, le=1000), "`likelihood` only: chi-square by which a candidate must outdo every other."
    ] = 10.0

    def __post_init__(self) -> None:
        """With its offset free, a session of few readings finds somebody whose J is high: only `likelihood` counts the offsets tried."""
        if self.clock_skew_ms and self.identity_rule != "likelihood":
            raise ValueError('clock_skew_ms needs identity_rule = "likelihood"')


class MaintenanceSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long earlier runs can be read, and how files are kept in shape."""

    automatic: Annotated[bool, "Whether a run does light upkeep where files or runs have piled up."] = True
    keep_runs: Annotated[int, Meta(ge=1), "The last so many runs stay readable."] = 30
    keep_days: Annotated[
        int, Meta(ge=0), "Besides, the last run of each of the last so many days (UTC) stays readable."
    ] = 30
    min_age_s: Annotated[
        float,
        Meta(ge=0),
        "A file that nothing refers to is deleted when that has been so for this long, in seconds:"
        " longer than any reader takes.",
    ] = 3600.0
    target_file_mb: Annotated[int, Meta(ge=1), "Size to which `stedi maintain` merges small files, in MB."] = 128


class AthenaSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where `stedi query --on athena` runs. Credentials come from AWS's standard chain alone."""

    workgroup: Annotated[str, "Workgroup that runs the queries; it may set limits and the output."] = "primary"
    output: Annotated[
        _Bucket | None, "Where Athena writes results, such as `s3://bucket/athena/`; that of the workgroup by default."
    ] = None
    database: Annotated[str, "Database in which names of tables are looked up."] = "stedi"
    catalog: Annotated[str, "Data catalog that holds the database."] = "AwsDataCatalog"
    region: Annotated[str | None, "AWS region; that of the environment or the profile by default."] = None
    usd_per_tb: Annotated[
        float,
        Meta(ge=0),
        "Price of a TB (10^12 bytes) scanned, in US dollars, for the cost that is shown; the list price of most regions.",
    ] = 5.0


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that can be set. Unknown names are refused."""

    s3: Annotated[S3Settings, "Places on S3."] = S3Settings()
    lakehouse: Annotated[AnyPlace, 'Folder of the lakehouse; with `catalog = "glue"` s3://bucket/prefix.'] = Path(
        "lakehouse"
    )
    warehouse: Annotated[
        NoOrAnyPlace, "Where the tables are: a folder, or s3://bucket/prefix; by default `warehouse` in the lakehouse."
    ] = None
    catalog: Annotated[
        CatalogKind, "Who knows the tables: `sqlite`, a file in the lakehouse; or `glue`, the AWS Glue Data Catalog."
    ] = "sqlite"
    glue_database: Annotated[
        str, Meta(pattern=r"^[a-z0-9_]{1,255}\Z"), "Database of the tables in the Glue Data Catalog."
    ] = DATABASE
    landing: Annotated[
        NoOrAnyPlace, "Folder of the landing area, or s3://bucket/prefix, for `stedi run` without --landing."
    ] = None
    policy: Annotated[Policy, "`strict` (default) or `seed`; see the concepts."] = "strict"
    pseudonym_key: Annotated[
        NoOrAnyKey,
        "File of the pseudonym key, outside the lakehouse; by default beside it: `<lakehouse>.key`."
        " Or `secretsmanager:NAME`, a secret by its name or ARN.",
    ] = None
    erasure_register: Annotated[
        NoOrAnyPlace,
        "With a key in Secrets Manager: s3://bucket/prefix outside the lakehouse, for what lies beside a key file"
        " otherwise: the list of erased people, certificates.",
    ] = None
    engine: Annotated[
        EngineName,
        "What runs the models: `duckdb` (default), inside the program; or `spark`, which needs Java and the extra `spark`:"
        " see docs/guides/spark.md. Reads use DuckDB either way.",
    ] = "duckdb"
    memory_limit: Annotated[
        _Memory | None, 'Memory that the engine may use, such as "1GB"; it spills to disk beyond.'
    ] = None
    threads: Annotated[_Threads | None, "Threads that the engine may use; all cores by default."] = None
    devices: Annotated[DeviceSettings, "Thresholds of the device evidence."] = DeviceSettings()

    maintenance: Annotated[MaintenanceSettings, "Upkeep of files and earlier runs."] = MaintenanceSettings()
    athena: Annotated[AthenaSettings, "Queries in Athena."] = AthenaSettings()

    def __post_init__(self) -> None:
        self._check_catalog()
        self._check_secret()

    def _check_catalog(self) -> None:
        remote = is_remote(self.lakehouse)
        if (self.catalog == "glue") != remote:
            told = (
                "catalog = 'glue' needs a lakehouse on S3" if not remote else "a lakehouse on S3 needs catalog = 'glue'"
            )
            raise ValueError(f"{told}; with 'sqlite' the lakehouse is a folder, and `warehouse` may be on S3")
        if remote and self.pseudonym_key is None:
            raise ValueError("a lakehouse on S3 needs pseudonym_key: the key must not lie beside the data")
        if remote and self.warehouse is not None:
            raise ValueError("with 'glue' the tables lie in the lakehouse: leave `warehouse` out")

    def _check_secret(self) -> None:
        secret = secret_name(self.pseudonym_key) is not None
        if secret != is_remote(self.erasure_register):
            raise ValueError("a key in Secrets Manager and erasure_register = s3://… need each other")
        if secret and f"{self.erasure_register}/".startswith((f"{self.lakehouse}/", f"{self.warehouse}/")):
            raise ValueError("erasure_register lies inside the lakehouse: whoever copies that would get it, too")

    @property
    def home(self) -> Home:
        """Where the lakehouse is at home."""
        warehouse = self.warehouse or self.lakehouse / "warehouse"
        database = self.glue_database if self.catalog == "glue" else DATABASE
        return Home(self.lakehouse, warehouse, self.catalog, database)

    @property
    def key_file(self) -> Path:
        """Where the pseudonym key is kept."""
        secret = secret_name(self.pseudonym_key)
        if secret is not None and self.erasure_register is not None:
            return SecretKey(secret, self.erasure_register / "pseudonyms")
        if is_remote(self.lakehouse):
            return self.pseudonym_key  # type: ignore[return-value] # it is required there
        folder = self.lakehouse.absolute()
        return self.pseudonym_key or folder.with_name(folder.name + ".key")


def load_settings(overrides: dict[str, Any] | None = None, folder: Path | None = None) -> Settings:
    """Read the settings that hold in a folder. Overrides that are None do not count; relative paths in the file start at the file.

    Raises:
        ConfigError: the file is no TOML, or a name or a value is wrong.
    """
    file = (folder or Path.cwd()) / FILE_NAME
    values = _read(file) if file.is_file() else {}
    for name in ("lakehouse", "engine"):
        if environment := os.environ.get(f"STEDI_{name.upper()}"):
            values[name] = environment
    values.update({name: value for name, value in (overrides or {}).items() if value is not None})
    told = str(file) if file.is_file() else None
    s3 = checked(values.get("s3", {}), S3Settings, told, "s3")
    return checked(with_places(values, s3.options(), told), Settings, told)


def override_maintenance(settings: Settings, **values: int | None) -> Settings:
    """Settings with other values under `[maintenance]`; those that are None do not count.

    Raises:
        ConfigError: a value is wrong.
    """
    given = {name: value for name, value in values.items() if value is not None}
    changed = checked({**asdict(settings.maintenance), **given}, MaintenanceSettings, None)
    return replace(settings, maintenance=changed)


def with_engine(settings: Settings, engine: EngineName | None) -> Settings:
    """The same settings with another engine; unchanged where it is None.

    Raises:
        ConfigError: there is no such engine.
    """
    return _with(settings, "engine", engine, get_args(EngineName))


def with_policy(settings: Settings, policy: Policy | None) -> Settings:
    """The same settings under another policy; unchanged where it is None.

    Raises:
        ConfigError: there is no such policy.
    """
    return _with(settings, "policy", policy, get_args(Policy))


def _with(settings: Settings, name: str, choice: str | None, choices: tuple[str, ...]) -> Settings:
    if choice is None:
        return settings
    if choice not in choices:
        raise ConfigError(f"there is no such {name}", where=name, hint=f"choose one of {', '.join(choices)}")
    return replace(settings, **{name: choice})


def _read(file: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the settings file is not valid TOML: {error}", where=str(file), hint="mend that line"
        ) from None
    for name in PLACES:
        if isinstance(values.get(name), str) and not (is_uri(values[name]) or values[name].startswith(SECRET)):
            values[name] = file.parent / values[name]
    return values
