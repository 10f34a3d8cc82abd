"""What a person may ask for, and the legal hold that forbids to forget them (SPEC 6): `Lakehouse.subjects`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stedi.catalog.lease import writer_lease
from stedi.config import Settings
from stedi.errors import ConfigError
from stedi.places import place
from stedi.privacy.register import Register
from stedi.privacy.subjects import Subjects as People
from stedi.privacy.subjects import customer
from stedi.runs.forget import forget_subjects
from stedi.runs.prove import Erasure
from stedi.runs.stage import Progress
from stedi.runs.subject import Findings, export_subject, find_subjects
from stedi.runs.verify import Verified, verify_certificate


def _silent(_step: str, _done: int, _total: int) -> None:
    """Tell nobody."""


class Subjects:
    """The people in a lakehouse. Emails are compared trimmed and without case; somebody nobody knows is an answer, not an error.

    `landing` is the landing area; by default that of the settings, else that of the last run. `progress` is called with step, done, total.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def find(
        self,
        emails: Iterable[str],
        landing: str | Path | None = None,
        *,
        show: bool = False,
        progress: Progress | None = None,
    ) -> Findings:
        """Where people are: landing files, every table, and earlier runs that can still be read. Changes nothing.

        `show` asks for their personal values, too.

        Raises:
            LakehouseError: there is no lakehouse, or it is damaged.
            LandingError: a landing file cannot be read.
        """
        return find_subjects(self._settings, self._area(landing), list(emails), progress or _silent, show=show)

    def export(
        self, email: str, output: str | Path, landing: str | Path | None = None, *, progress: Progress | None = None
    ) -> dict[str, int]:
        """Write everything that is held about a person into a new folder: JSON lines, Parquet, and a README.

        Returns:
            Number of rows by file.

        Raises:
            ConfigError: the folder is not empty.
            StediError: as `find`.
        """
        return export_subject(self._settings, self._area(landing), email, Path(output), progress or _silent)

    def forget(
        self,
        emails: Iterable[str],
        landing: str | Path | None = None,
        *,
        reason: str | None = None,
        certificate: str | Path | None = None,
        progress: Progress | None = None,
    ) -> Erasure:
        """Erase people: from the landing files, every table and every earlier state; their records stay out from now on.

        The certificate of the result says what was searched for them. `reason` stands in it, and must not name them.
        It is written to the file `certificate`, by default beside the pseudonym key.
        Earlier runs that hold them can no longer be read, pinned ones included. It can be done again after a failure; the next run
        completes it, too.

        Raises:
            ErasureError: somebody is under a legal hold, or the books and the files do not agree, or somebody is not gone.
            StediError: as a run.
        """
        to = Path(certificate) if certificate else None
        return forget_subjects(self._settings, self._area(landing), list(emails), progress or _silent, reason, to)

    def hold(self, email: str, reason: str) -> None:
        """Forbid to forget somebody, as a law or a court may demand. They need not be known yet.

        Args:
            email: of the person; it is kept as a keyed hash.
            reason: told to whoever wants to forget them; it must not name them.

        Raises:
            ConfigError: there is no reason, or it names them.
        """
        if not reason.strip() or People([email]).named_in(reason):
            raise ConfigError("a hold needs a reason, which must not name the person", hint="say why, not who")
        with writer_lease(self._settings.lakehouse):
            Register.load(self._settings.key_file).hold(customer(email), reason.strip())

    def release(self, email: str) -> bool:
        """Lift a hold; False where there was none."""
        with writer_lease(self._settings.lakehouse):
            return Register.load(self._settings.key_file).release(customer(email))

    def verify(
        self, certificate: str | Path, emails: Iterable[str] = (), *, progress: Progress | None = None
    ) -> Verified:
        """Check a certificate: its signature, the files that it names, and whether the people are known again.

        Args:
            certificate: a file that `forget` wrote.
            emails: the people; where they are given, every byte is searched anew for their emails and pseudonyms.
            progress: called with step, done and total.

        Raises:
            NotFoundError: there is no such file.
            ErasureError: it was changed since it was signed, or is not about these people.
        """
        return verify_certificate(self._settings, Path(certificate), list(emails), progress or _silent)

    def _area(self, landing: str | Path | None) -> Path | None:
        chosen = landing or self._settings.landing
        return place(chosen, self._settings.s3.options()) if chosen else None
