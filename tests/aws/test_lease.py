"""One writer at a time on S3: conflicts, expiry, and a holder that was replaced."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from aws.homes import digests, opened, settings_of

from stedi.catalog import remote_lease
from stedi.catalog.lease import is_held, writer_lease
from stedi.catalog.remote_lease import require_lease
from stedi.errors import LockedError
from stedi.places import Place, is_remote, place, read_with_etag, write_whole


@pytest.fixture
def folder(bucket: str) -> Place:
    return place(f"s3://{bucket}/lake")


def renewals(folder: Place) -> bytes:
    where = folder / "writer.lease"
    assert is_remote(where)
    found = read_with_etag(where)
    assert found
    return found[0]


def test_the_second_writer_is_refused_until_the_first_is_done(folder: Place) -> None:
    assert not is_held(folder)
    with writer_lease(folder):
        assert is_held(folder)
        with pytest.raises(LockedError, match="is writing to this lakehouse"), writer_lease(folder):
            pass
        require_lease(folder)
    assert not is_held(folder)
    with writer_lease(folder):
        assert is_held(folder)


def test_the_second_writer_can_wait(folder: Place) -> None:
    waited: list[float] = []
    with ExitStack() as first:
        first.enter_context(writer_lease(folder))
        timer = threading.Timer(2, first.pop_all().close)
        timer.start()
        with writer_lease(folder, 60, waited.append):
            assert waited
        timer.join()


def test_of_many_that_try_at_once_one_holds(folder: Place) -> None:
    start, held, refused = threading.Barrier(6), [], []

    def compete(number: int) -> None:
        start.wait()
        try:
            with writer_lease(folder):
                held.append(number)
                time.sleep(3)
        except LockedError:
            refused.append(number)

    threads = [threading.Thread(target=compete, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(held), len(refused)) == (1, 5)


def test_a_holder_renews_and_a_dead_one_is_replaced(folder: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_lease, "TTL_S", 2.0)
    with writer_lease(folder):
        first = renewals(folder)
        time.sleep(4)
        assert is_held(folder) and renewals(folder) != first
        held = renewals(folder)
    write_whole(folder / "writer.lease", held)  # as a kill would leave it
    assert is_held(folder)
    with writer_lease(folder, 30):
        assert is_held(folder)


def test_who_was_replaced_commits_nothing(bucket: str, small_feeds: Path, tmp_path: Path) -> None:
    """A process that slept for longer than its lease: another took over, and published."""
    settings = settings_of("glue", bucket, tmp_path)
    lake, lock = opened(settings), place(f"{settings['lakehouse']}/writer.lease")
    lake.run(small_feeds)
    before, stolen = digests(lake), []

    def steal(step: str, done: int, total: int) -> None:
        if step == "committing" and not stolen:
            write_whole(lock, b'{"holder": "another", "ttl_s": 0}')
            stolen.append(done)

    with pytest.raises(LockedError, match="taken over"):
        lake.run(small_feeds, full=True, progress=steal)
    assert stolen and [run.run for run in lake.runs()] == [1]
    assert digests(lake) == before
    assert lake.run(small_feeds, full=True).run == 2
