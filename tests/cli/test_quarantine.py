"""`stedi quarantine`."""

from __future__ import annotations

from pathlib import Path

from stedi.cli.quarantine import FIELDS_OF_LIST, FIELDS_OF_SHOW


def test_list_counts_by_file_and_reason(cli, undocumented, small_lake: Path) -> None:
    facts = cli("quarantine", "list", "--lakehouse", small_lake, "--json").facts
    assert facts["records"] == 2
    assert [(g["feed"], g["reason"], g["records"], g["firstLine"]) for g in facts["groups"]] == [
        ("accelerometer", "timestamp: not an integer", 1, 25),
        ("customer", "not JSON", 1, 6),
    ]
    assert undocumented(facts, FIELDS_OF_LIST) == set()


def test_alone_it_lists(cli, small_lake: Path) -> None:
    alone = cli("quarantine", "--lakehouse", small_lake)
    assert alone == cli("quarantine", "list", "--lakehouse", small_lake)
    assert cli("quarantine", "--lakehouse", small_lake, "--json").facts["records"] == 2
    assert alone.err == "2 records; `stedi quarantine show` lists them\n"


def test_a_long_path_leaves_room_for_the_rest(cli, small_lake: Path) -> None:
    feeds = small_lake.parent / "feeds"
    said = cli("quarantine", "list", "--lakehouse", small_lake).out.splitlines()
    assert said == [
        str(feeds / "accelerometer" / "2023" / "accelerometer.json"),
        "records  first line  reason",
        "      1          25  timestamp: not an integer",
        "",
        str(feeds / "customer" / "2023" / "customer.json"),
        "records  first line  reason",
        "      1           6  not JSON",
    ]
    said = cli("quarantine", "show", "--lakehouse", small_lake).out.splitlines()
    assert said[1:3] == ["line  reason", "  25  timestamp: not an integer"]


def test_options_before_the_subcommand_are_refused_rather_than_ignored(cli, small_lake: Path) -> None:
    assert cli("quarantine", "--lakehouse", small_lake, "list").code == 2


def test_show_keeps_the_text_to_itself(cli, undocumented, small_lake: Path) -> None:
    said = cli("quarantine", "show", "--lakehouse", small_lake)
    facts = cli("quarantine", "show", "--lakehouse", small_lake, "--json").facts
    assert "Fay" not in said.out
    assert "raw" not in facts["shown"][0]
    assert [(record["line"], record["reason"]) for record in facts["shown"]] == [
        (25, "timestamp: not an integer"),
        (6, "not JSON"),
    ]
    assert undocumented(facts, FIELDS_OF_SHOW) == set()


def test_raw_shows_the_text_as_it_arrived(cli, undocumented, small_lake: Path) -> None:
    said = cli("quarantine", "show", "--raw", "--file", "customer.json", "--lakehouse", small_lake)
    assert '{"customerName": "Fay", "email": "fay@example.org", "pho' in said.out
    facts = cli("quarantine", "show", "--raw", "--file", "customer.json", "--lakehouse", small_lake, "--json").facts
    assert facts["shown"][0]["raw"] == '{"customerName": "Fay", "email": "fay@example.org", "pho'
    assert undocumented(facts, FIELDS_OF_SHOW) == set()


def test_a_file_is_found_by_its_path_or_the_end_of_it(cli, small_lake: Path) -> None:
    feeds = small_lake.parent / "feeds"
    for name in (feeds / "customer" / "2023" / "customer.json", "2023/customer.json", "./customer/2023/customer.json"):
        facts = cli("quarantine", "show", "--file", name, "--lakehouse", small_lake, "--json").facts
        assert [record["feed"] for record in facts["shown"]] == ["customer"], name
    assert cli("quarantine", "show", "--line", 6, "--lakehouse", small_lake, "--json").facts["records"] == 1


def test_a_file_without_quarantined_records_is_no_error_but_an_unknown_one_is(cli, small_lake: Path) -> None:
    clean = cli("quarantine", "show", "--file", "step_trainer.json", "--lakehouse", small_lake)
    assert (clean.code, clean.out, clean.err) == (0, "", "0 of 0 records\n")
    unknown = cli("quarantine", "show", "--file", "o'brien.json", "--lakehouse", small_lake)
    assert unknown.code == 6
    assert "error NOT_FOUND" in unknown.err


def test_limit(cli, small_lake: Path) -> None:
    said = cli("quarantine", "show", "--limit", 1, "--lakehouse", small_lake)
    assert len(said.out.splitlines()) == 3
    assert said.err == "1 of 2 records; --limit shows more\n"


def test_an_empty_quarantine(cli, small_feeds: Path) -> None:
    for feed in ("customer", "accelerometer"):
        path = small_feeds / feed / "2023" / f"{feed}.json"
        path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    cli("run", "--landing", small_feeds)
    said = cli("quarantine")
    assert (said.code, said.out, said.err) == (0, "", "the quarantine is empty\n")


def test_text_that_would_steer_a_terminal_is_printed_not_obeyed(cli, small_feeds: Path) -> None:
    (small_feeds / "customer" / "evil.json").write_bytes(b'{"email": "\x1b]0;owned\x07\x1b[2J\n')
    cli("run", "--landing", small_feeds)
    said = cli("quarantine", "show", "--raw", "--file", "evil.json")
    assert "\x1b" not in said.out
    assert r"\x1b]0;owned\x07\x1b[2J" in said.out


def test_text_that_would_turn_around_what_is_read_is_printed_not_obeyed(cli, small_feeds: Path) -> None:
    (small_feeds / "customer" / "evil.json").write_text('{"email": "\u202egro.elpmaxe\u202c\u2066\n', "utf-8")
    cli("run", "--landing", small_feeds)
    said = cli("quarantine", "show", "--raw", "--file", "evil.json")
    assert r"\u202egro.elpmaxe\u202c\u2066" in said.out
