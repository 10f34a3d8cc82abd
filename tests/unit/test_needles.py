"""Many words are found in many bytes, wherever they stand."""

from __future__ import annotations

import random

import pytest

from stedi.privacy import needles
from stedi.privacy.needles import Needles


def naive(words: set[str], content: bytes) -> list[int]:
    places = []
    for word in words:
        raw = word.encode()
        places += [at for at in range(len(content)) if content[at : at + len(raw)] == raw]
    return sorted(places)


@pytest.mark.parametrize("few", [0, 64], ids=["at once", "one by one"])
@pytest.mark.parametrize(
    ("letters", "lengths"), [("ab@-", [1, 2, 7, 8, 9, 20]), ("ab", [8, 9, 20]), ("ab", [15, 16, 30])]
)
def test_every_place_and_none_besides(
    monkeypatch: pytest.MonkeyPatch, letters: str, lengths: list[int], few: int
) -> None:
    """Texts of few letters, so that words overlap and windows are alike; pieces are small, so that words lie across their edges."""
    monkeypatch.setattr(needles, "_PIECE", 64)
    monkeypatch.setattr(needles, "_FEW", few)
    rng = random.Random(1)
    for _ in range(200):
        words = {"".join(rng.choices(letters, k=rng.choice(lengths))) for _ in range(rng.randint(0, 20))}
        planted = [
            rng.choice(sorted(words)) if words and rng.random() < 0.3 else rng.choice(letters + "x") for _ in range(150)
        ]
        content = "".join(planted).encode()
        assert Needles(words).find(content) == naive(words, content)


@pytest.mark.parametrize("few", [0, 64], ids=["at once", "one by one"])
@pytest.mark.parametrize("word", [b"ann@test.com", b"1a8d6b0e-5c7b-4f3c", b"0123456789abcdef", b"annstest"])
@pytest.mark.parametrize("at", [0, 1, 7, 8, (1 << 18) - 8, (1 << 18) - 1, 1 << 18, (1 << 18) + 1])
def test_at_every_edge(monkeypatch: pytest.MonkeyPatch, at: int, word: bytes, few: int) -> None:
    monkeypatch.setattr(needles, "_FEW", few)
    content = bytearray(b"." * ((1 << 18) + 32))
    content[at : at + len(word)] = word
    others = [f"somebody.else{number}@test.com" for number in range(20)]
    assert Needles([word.decode(), *others]).find(bytes(content)) == [at]
    assert Needles([word.decode()]).find(bytes(content[: at + len(word)])) == [at]


def test_which_of_many_texts() -> None:
    texts = [b"", b"ann@test.com", b"x", b"to: bo@test.com.", b"o@test.com", b""]
    assert Needles(["ann@test.com", "bo@test.com"]).which(texts) == [False, True, False, True, False, False]
    assert Needles(["x"]).which([]) == []


def test_nothing_and_letters_beyond_ascii() -> None:
    assert Needles([]).find(b"ann@test.com") == []
    assert Needles(["ann@test.com"]).find(b"") == []
    assert Needles(["ann@test.com"]).find(b"ann@tes") == []
    assert Needles(["zoë@example.org"]).find("x zoë@example.org".encode()) == [2]
