from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import crossguard.serving
from crossguard import checked_settings
from crossguard.cli.serve import command
from crossguard.errors import ConfigError
from crossguard.serving import settings
from crossguard.serving.settings import PREFIX, ServeSettings, gather, unread_variables

ROOT = Path(__file__).resolve().parents[3]
SOURCE = Path(crossguard.serving.__file__).parent


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "serve.yaml"
    file.write_text("port: 1\nhost: file\nmax_posts: 5\n")
    environment = {"CROSSGUARD_PORT": "2", "CROSSGUARD_HOST": "environment"}
    got = gather({"port": "3", "host": None}, environment, file)
    assert (got.port, got.host, got.max_posts) == (3, "environment", 5)


def test_files_may_be_named_by_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "serve.yaml").write_text("port: 1\n")
    found = gather({}, {"CROSSGUARD_SUGGESTIONS": "~/comments.jsonl"}, Path("~/serve.yaml"))
    assert (found.suggestions, found.port) == (tmp_path / "comments.jsonl", 1)


def test_words_are_split_at_commas() -> None:
    got = gather({"fetch_origins": "https://a.example, https://b.example"}, {}, None)
    assert got.fetch_origins == ("https://a.example", "https://b.example")


def test_an_address_to_listen_on_may_have_the_brackets_of_a_url() -> None:
    assert [ServeSettings(host=host).host for host in ("[::1]", "::", "127.0.0.1")] == ["::1", "::", "127.0.0.1"]


def test_every_problem_is_told(tmp_path: Path) -> None:
    file = tmp_path / "serve.yaml"
    file.write_text("prot: 1\nmax_posts: none\n")
    with pytest.raises(ConfigError) as failed:
        gather({}, {}, file)
    assert "'port'" in str(failed.value)
    assert "max_posts" in str(failed.value)


@pytest.mark.parametrize(
    "wrong", [{"max_posts": 10, "max_queue": 5}, {"max_body_bytes": 2048, "max_buffered_bytes": 1024}]
)
def test_caps_that_contradict_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="must not exceed"):
        gather(wrong, {}, None)


def test_private_origins_are_refused_where_there_are_none() -> None:
    with pytest.raises(ConfigError, match="fetch_private does nothing without fetch_origins"):
        gather({"fetch_private": "true"}, {}, None)
    assert gather({"fetch_private": "true", "fetch_origins": "http://127.0.0.1:9"}, {}, None).fetch_private
    assert gather({"fetch_origins": "https://a.example"}, {}, None).fetch_origins


def test_a_wrong_value_of_the_environment_is_told_with_its_variable() -> None:
    with pytest.raises(
        ConfigError, match=r"with the variables CROSSGUARD_PORT: 'port': .* \(got 'tcp://10.0.0.1:80'\)"
    ):
        gather({}, {"CROSSGUARD_PORT": "tcp://10.0.0.1:80", "HOME": "/root"}, None)


def test_a_misspelt_variable_is_told() -> None:
    assert unread_variables({"CROSSGUARD_PORT": "1", "CROSSGUARD_CACHE": "cache", "OTHER": "2"}, ()) == []
    (sentence,) = unread_variables({"CROSSGUARD_PROT": "1"}, ())
    assert "CROSSGUARD_PORT" in sentence


def test_a_variable_of_another_command_is_not() -> None:
    environment = {"CROSSGUARD_REVIEW_DATABASE": "a.sqlite", "CROSSGUARD_REVIEW_QEUE": "http://127.0.0.1:8090"}
    (sentence,) = unread_variables(environment, ["CROSSGUARD_REVIEW_DATABASE"])
    assert "CROSSGUARD_REVIEW_QEUE" in sentence
    assert "CROSSGUARD_REVIEW_QUEUE" in sentence


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("", "review_queue needs review_key"),
        ("cl\u00e9", "review_key must be the key that the review console made"),
        ("a\nb", "review_key must be the key that the review console made"),
    ],
)
def test_a_review_queue_has_a_key_that_can_be_sent(key: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as failed:
        gather({"review_queue": "http://127.0.0.1:8090", "review_key": key}, {}, None)
    assert not key or key not in str(failed.value), "it is a secret"


def test_a_key_without_a_review_queue_is_refused() -> None:
    """The name of the queue's variable may have been misspelt, and no post would be sent."""
    environment = {"CROSSGUARD_REVIEW_QUEUES": "http://127.0.0.1:8090", "CROSSGUARD_REVIEW_KEY": "rk-1"}
    with pytest.raises(ConfigError, match="review_key does nothing without review_queue"):
        gather({}, environment, None)


@pytest.mark.parametrize("source", ["My forum", "", "a" * 65])
def test_a_name_that_the_console_does_not_take_is_refused_at_the_start(source: str) -> None:
    with pytest.raises(ConfigError, match="'review_source'"):
        gather({"review_source": source}, {}, None)
    assert gather({"review_source": "forum:en"}, {}, None).review_source == "forum:en"


def test_a_key_may_end_with_its_line() -> None:
    got = gather({"review_queue": "http://127.0.0.1:8090"}, {"CROSSGUARD_REVIEW_KEY": "rk-1\r\n"}, None)
    assert got.review_key == "rk-1"


@pytest.mark.parametrize("name", sorted(set(ServeSettings.model_fields) - {"model"}))
def test_every_setting_is_read(name: str) -> None:
    readers = [*SOURCE.rglob("*.py"), SOURCE.parent / "cli" / "serve.py"]
    code = "\n".join(path.read_text() for path in readers if path.name != "settings.py")
    assert re.search(rf"settings\.{name}\b", code)


def test_the_model_is_what_was_asked_for_or_what_sagemaker_unpacked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(settings, "SAGEMAKER_MODEL", tmp_path)
    assert ServeSettings().model_name == "compact"
    (tmp_path / "bundle.json").write_text("{}")
    assert ServeSettings().model_name == str(tmp_path)
    assert ServeSettings(model="other").model_name == "other"


@pytest.mark.parametrize("name", sorted(ServeSettings.model_fields))
def test_every_setting_has_a_flag_and_a_line_of_help(name: str) -> None:
    text = CliRunner().invoke(command, ["--help"]).output
    assert f"--{name.replace('_', '-')} " in text
    assert ServeSettings.model_fields[name].description


def test_the_documentation_has_the_table() -> None:
    page = (ROOT / "docs" / "reference" / "serve-settings.md").read_text()
    lines = ["| flag | variable and key | default | allowed | meaning |", "|---|---|---|---|---|"]
    for one in checked_settings.settings(ServeSettings):
        shown = "" if one.default in {"", "null", "[]"} else f"`{one.default.strip('[]')}`"
        names = f"`--{one.name.replace('_', '-')}` | `{PREFIX}{one.name.upper()}`, `{one.name}`"
        lines.append(f"| {names} | {shown} | {one.allowed} | {one.meaning} |")
    table = "\n".join(lines) + "\n"
    assert table in page, f"Replace the table by:\n{table}"


def test_without_the_extra_one_sentence_says_what_to_install() -> None:
    code = "import sys; sys.modules['uvicorn'] = None; from crossguard.cli import run; sys.exit(run(['serve']))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 6
    assert "pip install 'crossguard[serve]'" in ended.stderr


@pytest.mark.parametrize(
    ("setting", "wrong"),
    [
        ("review_queue", "127.0.0.1:8090"),
        ("review_queue", "http://127.0.0.1:8090:80"),
        ("review_queue", "http://"),
        ("public_url", "crossguard.example.com"),
        ("public_url", "https://example.com/crossguard"),
        ("cors_origins", "forum.example.com"),
        ("cors_origins", "https://forum.example.com/page"),
        ("cors_origins", "https://a.example, https://Forum.example"),
        ("cors_origins", "https://*.example.com"),
        ("cors_origins", "https://forum.example.com:443"),
        ("cors_origins", "http://forum.example.com:80"),
    ],
)
def test_what_is_no_address_is_refused_at_the_start(setting: str, wrong: str) -> None:
    with pytest.raises(ConfigError, match=setting):
        gather({setting: wrong}, {}, None)


def test_a_last_slash_does_not_matter() -> None:
    queue = {"review_queue": "http://[::1]:8090/", "review_key": "k"}
    got = gather({"cors_origins": "https://forum.example.com/, *, http://[::1]:8080, https://a:80", **queue}, {}, None)
    assert got.cors_origins == ("https://forum.example.com", "*", "http://[::1]:8080", "https://a:80")
    assert got.review_queue == "http://[::1]:8090"
