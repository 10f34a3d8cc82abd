"""What a person may ask for, and the legal hold that forbids to forget them (SPEC 6): `Lakehouse.subjects`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stedi.config import Settings
from stedi.runs.forget import Erasure, forget_subjects
from stedi.runs.stage import Progress
from stedi.runs.subject import Findings, export_subject, find_subjects


def _silent(_step: str, _done: int, _total: int) -> None:
    pass


class Subjects:
    """The people in a lakehouse. Emails are compared trimmed and without case; somebody nobody knows is an answer, not an error.

    `landing` is the landing area; by default that of the settings, else that of the last run. `progress` is called with step, done, total.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def find(
        self, emails: Iterable[str], landing: str | Path | None = None, *, progress: Progress = _silent
    ) -> Findings:
        """Where people are: landing files, every table, and earlier runs that can still be read. Changes nothing.

        Raises:
            LakehouseError: there is no lakehouse, or it is damaged.
            LandingError: a landing file cannot be read.
        """
        return find_subjects(self._settings, self._area(landing), list(emails), progress)

    def export(
        self, email: str, output: str | Path, landing: str | Path | None = None, *, progress: Progress = _silent
    ) -> dict[str, int]:
        """Write everything that is held about a person into a new folder: JSON lines, Parquet, and a README.

        Returns:
            Number of rows by file.

        Raises:
            ConfigError: the folder is not empty.
            StediError: as `find`.
        """
        return export_subject(self._settings, self._area(landing), email, Path(output), progress)

    def forget(
        self, emails: Iterable[str], landing: str | Path | None = None, *, progress: Progress = _silent
    ) -> Erasure:
        """Erase people: from the landing files, every table and every earlier state; their records stay out from now on.

        Earlier runs can no longer be read. It can be done again after a failure; the next run completes it, too.

        Raises:
            ErasureError: somebody is under a legal hold, or the books and the files do not agree, or somebody is not gone.
            StediError: as a run.
        """
        return forget_subjects(self._settings, self._area(landing), list(emails), progress)

    def _area(self, landing: str | Path | None) -> Path | None:
        chosen = landing or self._settings.landing
        return Path(chosen) if chosen else None
