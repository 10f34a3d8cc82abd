"""Settings: defaults, then `stedi.toml` in the working folder, then `STEDI_LAKEHOUSE` and `STEDI_ENGINE`, then what the caller says."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from stedi.contracts import IdentityRule, Policy
from stedi.errors import ConfigError
from stedi.home import DATABASE, CatalogKind, Home
from stedi.place_settings import AnyPlace, NoOrAnyKey, NoOrAnyPlace, S3Settings, secret_name
from stedi.places import is_remote, is_uri
from stedi.secret import SCHEME as SECRET
from stedi.secret import SecretKey

FILE_NAME = "stedi.toml"
EngineName = Literal["duckdb", "spark"]


class DeviceSettings(BaseModel):
    """How much evidence links a device to a person (SPEC 5)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    session_gap_s: float = Field(
        60, ge=0.001, le=86_400, description="A session ends where a device is silent for longer than this, in seconds."
    )
    min_matches: int = Field(3, ge=1, description="M: instants that device and phone must both report.")
    min_jaccard: float = Field(
        0.8, gt=0, le=1, description="J: share of instants that both report, of all that either reports."
    )
    clock_tolerance_ms: int = Field(
        0, ge=0, le=3_600_000, description="Two instants match when they differ by at most this, in ms."
    )
    identity_rule: IdentityRule = Field(
        "jaccard",
        description="`jaccard`: J must reach `min_jaccard`. `likelihood`: chance must not explain the matches, nor luck the lead over"
        " any other candidate; see docs/decisions/0002.",
    )
    clock_skew_ms: int = Field(
        0,
        ge=0,
        le=60_000,
        description="`likelihood` only: a phone's clock may be off by up to this, in ms; by how much is found for each session.",
    )
    min_evidence: float = Field(
        3,
        gt=0,
        le=100,
        description="`likelihood` only: zeros in the odds that another phone matches as well by chance; 3 is 1 in 1000.",
    )
    min_margin: float = Field(
        10, gt=0, le=1000, description="`likelihood` only: chi-square by which a candidate must outdo every other."
    )

    @model_validator(mode="after")
    def _skew_needs_likelihood(self) -> Self:
        """With its offset free, a session of few readings finds somebody whose J is high: only `likelihood` counts the offsets tried."""
        if self.clock_skew_ms and self.identity_rule != "likelihood":
            raise ValueError('clock_skew_ms needs identity_rule = "likelihood"')
        return self


class MaintenanceSettings(BaseModel):
    """How long earlier runs can be read, and how files are kept in shape."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    automatic: bool = Field(True, description="Whether a run does light upkeep where files or runs have piled up.")
    keep_runs: int = Field(30, ge=1, description="The last so many runs stay readable.")
    keep_days: int = Field(
        30, ge=0, description="Besides, the last run of each of the last so many days (UTC) stays readable."
    )
    min_age_s: float = Field(
        3600,
        ge=0,
        description="A file that nothing refers to is deleted when that has been so for this long, in seconds:"
        " longer than any reader takes.",
    )
    target_file_mb: int = Field(128, ge=1, description="Size to which `stedi maintain` merges small files, in MB.")


class AthenaSettings(BaseModel):
    """Where `stedi query --on athena` runs. Credentials come from AWS's standard chain alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workgroup: str = Field("primary", description="Workgroup that runs the queries; it may set limits and the output.")
    output: str | None = Field(
        None,
        pattern=r"^s3://.+",
        description="Where Athena writes results, such as `s3://bucket/athena/`; that of the workgroup by default.",
    )
    database: str = Field("stedi", description="Database in which names of tables are looked up.")
    catalog: str = Field("AwsDataCatalog", description="Data catalog that holds the database.")
    region: str | None = Field(None, description="AWS region; that of the environment or the profile by default.")
    usd_per_tb: float = Field(
        5.0,
        ge=0,
        description="Price of a TB (10^12 bytes) scanned, in US dollars, for the cost that is shown; the list price of most regions.",
    )


class Settings(BaseModel):
    """Everything that can be set. Unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    s3: S3Settings = Field(S3Settings(), description="Places on S3.")
    lakehouse: AnyPlace = Field(
        Path("lakehouse"), description='Folder of the lakehouse; with `catalog = "glue"` s3://bucket/prefix.'
    )
    warehouse: NoOrAnyPlace = Field(
        None,
        description="Where the tables are: a folder, or s3://bucket/prefix; by default `warehouse` in the lakehouse.",
    )
    catalog: CatalogKind = Field(
        "sqlite",
        description="Who knows the tables: `sqlite`, a file in the lakehouse; or `glue`, the AWS Glue Data Catalog.",
    )
    glue_database: str = Field(
        DATABASE, pattern=r"^[a-z0-9_]{1,255}$", description="Database of the tables in the Glue Data Catalog."
    )
    landing: NoOrAnyPlace = Field(
        None, description="Folder of the landing area, or s3://bucket/prefix, for `stedi run` without --landing."
    )
    policy: Policy = Field("strict", description="`strict` (default) or `seed`; see the concepts.")
    pseudonym_key: NoOrAnyKey = Field(
        None,
        description="File of the pseudonym key, outside the lakehouse; by default beside it: `<lakehouse>.key`."
        " Or `secretsmanager:NAME`, a secret by its name or ARN.",
    )
    erasure_register: NoOrAnyPlace = Field(
        None,
        description="With a key in Secrets Manager: s3://bucket/prefix outside the lakehouse, for what lies beside a key file otherwise:"
        " the list of erased people, certificates.",
    )
    engine: EngineName = Field(
        "duckdb",
        description="What runs the models: `duckdb` (default), inside the program; or `spark`, which needs Java and the extra `spark`:"
        " see docs/guides/spark.md. Reads use DuckDB either way.",
    )
    memory_limit: str | None = Field(
        None,
        pattern=r"^[0-9.]+ ?[KMGT]i?B$",
        description='Memory that the engine may use, such as "1GB"; it spills to disk beyond.',
    )
    threads: int | None = Field(None, ge=1, description="Threads that the engine may use; all cores by default.")
    devices: DeviceSettings = Field(DeviceSettings(), description="Thresholds of the device evidence.")

    maintenance: MaintenanceSettings = Field(MaintenanceSettings(), description="Upkeep of files and earlier runs.")
    athena: AthenaSettings = Field(AthenaSettings(), description="Queries in Athena.")

    @model_validator(mode="after")
    def _catalog_fits_the_lakehouse(self) -> Self:
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
        return self

    @model_validator(mode="after")
    def _secret_needs_a_register(self) -> Self:
        secret = secret_name(self.pseudonym_key) is not None
        if secret != is_remote(self.erasure_register):
            raise ValueError("a key in Secrets Manager and erasure_register = s3://… need each other")
        if secret and f"{self.erasure_register}/".startswith((f"{self.lakehouse}/", f"{self.warehouse}/")):
            raise ValueError("erasure_register lies inside the lakehouse: whoever copies that would get it, too")
        return self

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
    try:
        return Settings(**values)
    except ValidationError as error:
        raise _explained(error, str(file) if file.is_file() else None) from None


def override_maintenance(settings: Settings, **values: int | None) -> Settings:
    """Settings with other values under `[maintenance]`; those that are None do not count.

    Raises:
        ConfigError: a value is wrong.
    """
    given = {name: value for name, value in values.items() if value is not None}
    try:
        changed = MaintenanceSettings(**{**settings.maintenance.model_dump(), **given})
    except ValidationError as error:
        raise _explained(error, None) from None
    return settings.model_copy(update={"maintenance": changed})


def _explained(error: ValidationError, where: str | None) -> ConfigError:
    problem = error.errors()[0]
    name = ".".join(str(part) for part in problem["loc"])
    return ConfigError(
        f"setting {name}: {problem['msg']}", where=where, hint="docs/reference/settings.md lists all settings"
    )


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
    return settings.model_copy(update={name: choice})


def _read(file: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the settings file is not valid TOML: {error}", where=str(file), hint="mend that line"
        ) from None
    for name in ("lakehouse", "warehouse", "landing", "pseudonym_key", "erasure_register"):
        if isinstance(values.get(name), str) and not (is_uri(values[name]) or values[name].startswith(SECRET)):
            values[name] = file.parent / values[name]
    return values
