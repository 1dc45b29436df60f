"""`crossguard review` without its pages, as people type it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.review import submission
from tests.unit.review.conftest import NOW, decide_all

from crossguard.cli import run
from crossguard.review.console import Console
from crossguard.review.roles import Role
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import items, log, people
from crossguard.review.store.database import Database


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.chdir(tmp_path)
    with closing(Database.open("review.sqlite")) as opened:
        yield opened


@pytest.fixture
def everything() -> ReviewSettings:
    return ReviewSettings(
        model="none", second_vote_rate=0, gold_rate=0, audit_rate=1.0, audit_rate_near=1.0, database="review.sqlite"
    )


def review(*arguments: str) -> int:
    return run(["review", "--database", "review.sqlite", *arguments])


def test_learning_writes_only_when_told(
    everything: ReviewSettings, database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert review("learn") == 3
    assert "Decide some in the console" in capsys.readouterr().err
    decide_all(Console(everything, database))
    assert review("learn") == 0
    (told,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("racist")]
    assert " > " in told
    assert list(tmp_path.glob("*.yaml")) == []
    proposal = ("learn", "--criterion", "precision>=0.9", "-o", "learnt.yaml")
    assert review(*proposal) == 5, "another policy scored these"
    assert "crossguard review --policy POLICY learn" in capsys.readouterr().err
    assert list(tmp_path.glob("*.yaml")) == []
    (tmp_path / "mine.yaml").write_text('{name: mine, version: "1", labels: {racist: {threshold: 0.5}}}')
    assert review("--policy", "mine.yaml", *proposal) == 0
    assert "base: default" in (tmp_path / "learnt.yaml").read_text()
    assert review("learn", "--criterion", "nonsense") == 5


@pytest.mark.usefixtures("database")
def test_a_misspelt_variable_is_told_before_every_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A database of its own was made where the name of another one was misspelt."""
    for name in ("DATABASE_URL", "QUEUE", "KEY", "SOURCE"):  # the others are those of the service
        monkeypatch.setenv(f"CROSSGUARD_REVIEW_{name}", "http://127.0.0.1:8090")
    assert review("invite") == 0
    told = capsys.readouterr().err
    assert told.count("note: ") == 1
    assert "CROSSGUARD_REVIEW_DATABASE_URL is not a setting of crossguard review. Did you mean" in told
    assert "'CROSSGUARD_REVIEW_DATABASE'?" in told


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(("value", "told"), [("spam", True), ("", False)])
def test_a_variable_of_the_service_with_the_name_of_a_queue_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str, told: bool
) -> None:
    monkeypatch.setenv("CROSSGUARD_REVIEW_QUEUE", value)
    assert review("invite") == 0
    assert ("Did you mean 'CROSSGUARD_REVIEW_QUEUES'?" in capsys.readouterr().err) == told


def test_a_console_whose_secret_has_no_address_does_not_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands beside it run: they may have its variables, and not its flags."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CROSSGUARD_REVIEW_WEBHOOK_SECRET", "of at least 16 characters")
    assert review("--port", "0") == 5
    assert "webhook_secret does nothing without webhook_url" in capsys.readouterr().err
    assert review("invite") == 0


@pytest.mark.parametrize("option", ["--results", "--image-root", "--text-column"])
def test_what_suggestions_do_not_have_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    (tmp_path / "suggested.jsonl").touch()
    assert review("import", f"{tmp_path}/suggested.jsonl", "--suggestions", option, str(tmp_path)) == 2
    assert f"{option} does nothing beside --suggestions" in capsys.readouterr().err


@pytest.mark.usefixtures("database")
def test_what_a_table_says_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("hello", "good morning"):
        (tmp_path / "posts.csv").write_text(f"id,text\n\x1b[2J1,{text}\n")
        assert review("--model", "none", "import", "posts.csv") == 0
    told = capsys.readouterr().err
    assert "such as ' [2J1': decisions on that stay with it. If these are other posts and no edits, import each" in told
    assert "\x1b" not in told


def test_decisions_are_exported_and_a_wrong_suffix_writes_nothing(
    everything: ReviewSettings, database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert review("export", "decided.csv") == 3
    assert "Nothing was written: no item is decided" in capsys.readouterr().err
    assert not (tmp_path / "decided.csv").exists()
    decide_all(Console(everything, database), posts=20)
    assert review("export", "decided.csv") == 0
    assert "Wrote 20 items and 0 images to decided.csv." in capsys.readouterr().err
    assert len((tmp_path / "decided.csv").read_text().splitlines()) == 21
    assert review("export", "decided.txt") == 7
    assert not (tmp_path / "decided.txt").exists()


def test_a_link_is_for_somebody_new_or_for_a_known_persons_password(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    with database.write() as tx:
        people.add(tx, "Ann", Role.LEAD, NOW)
    assert run(["review", "--database", "review.sqlite", "--public-url", "https://r.example/", "invite"]) == 0
    link = capsys.readouterr().out.strip()
    assert link.startswith("https://r.example/join/")
    assert review("invite", "--name", "ann", "--role", "admin") == 2, "a link for a password changes nobody's role"
    assert "--role does nothing beside --name" in capsys.readouterr().err
    assert review("invite", "--name", "ann") == 0
    again = capsys.readouterr().out.strip()
    with database.read() as db:
        new, known = (people.invitation(db, one.rpartition("/")[2], 0.0) for one in (link, again))
    assert (new.role, new.name) == ("admin", None)
    assert (known.role, known.name) == ("lead", "Ann")
    assert review("invite", "--name", "Bob") == 3
    assert "nobody named 'Bob'" in capsys.readouterr().err


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("host", "address", "noted"),
    [
        ("127.0.0.1", "http://127.0.0.1:8090", False),
        ("review.lan", "http://review.lan:8090", False),
        ("::1", "http://[::1]:8090", False),
        ("0.0.0.0", "http://127.0.0.1:8090", True),  # noqa: S104 - nothing listens
        ("::", "http://[::1]:8090", True),
    ],
)
def test_a_link_leads_to_the_console_also_where_it_listens_on_every_interface(
    capsys: pytest.CaptureFixture[str], host: str, address: str, *, noted: bool
) -> None:
    assert review("--host", host, "invite") == 0
    told = capsys.readouterr()
    assert told.out.startswith(f"{address}/join/")
    assert ("--public-url" in told.err) == noted
    assert review("--host", host, "--public-url", "https://r.example", "invite") == 0
    told = capsys.readouterr()
    assert (told.out.rpartition("/join/")[0], told.err) == ("https://r.example", "")


def test_erasing_an_author_is_counted_and_noted_without_the_name(
    everything: ReviewSettings, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    posts = [submission("1", author="a"), submission("2", author="a"), submission("3", author="b")]
    Console(everything, database).intake.take(posts, NOW)
    assert review("erase", "a") == 0
    assert "The content of 2 items was erased, and key and reason in AUTHOR's reports." in capsys.readouterr().err
    with database.read() as db:
        assert [items.get(db, number).text == "" for number in (1, 2, 3)] == [True, True, False]
        (entry,) = log.entries(db)
    assert review("erase", "a") == review("erase", "b", "--source", "elsewhere") == 3
    assert "no item in the source 'elsewhere' has the author 'b'" in capsys.readouterr().err
    with database.read() as db:
        assert len(log.entries(db)) == 1
    assert (entry.actor, entry.act, entry.detail) == ("command line", "erase author", {"items": 2})


@pytest.mark.parametrize(
    "typed",
    [("erase", "u7"), ("export", "out.csv"), ("learn",), ("invite", "--name", "bob")],
    ids=lambda typed: typed[0],
)
def test_a_database_that_is_not_there_is_not_made_by_what_needs_its_content(
    typed: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert review(*typed) == 5
    assert "There is no database 'review.sqlite'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert review("invite") == 0
    assert (tmp_path / "review.sqlite").exists()


def test_a_missing_input_ends_as_that_of_other_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert review("import", "none.csv") == 3
    assert "'POSTS': File 'none.csv' does not exist." in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_option_of_the_group_behind_its_command_is_told_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    posts = tmp_path / "posts.csv"
    posts.write_text("text\nhello\n")
    assert run(["review", "import", str(posts), "--database", "x.sqlite"]) == 2
    assert " review --database ... import" in capsys.readouterr().err
    assert run(["review", "import", str(posts), "--sauce", "x"]) == 2
    assert "Did you mean '--source'?" in capsys.readouterr().err
