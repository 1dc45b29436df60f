"""Settings of the console."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from crossguard.errors import ConfigError
from crossguard.review.settings import ReviewSettings, gather, unread_variables


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"oidc_issuer": "https://id.example"}, "oidc_client_id"),
        ({"oidc_roles": "a=boss"}, "a=boss"),
        ({"webhook_url": "https://a.b"}, "secret"),
        ({"webhook_secret": "whsec_no base64 at all"}, "base64 behind whsec_"),
        ({"webhook_url": "hooks.example"}, "begins with https"),
        (
            {"public_url": "https://example.com/review/"},
            "'public_url': must have no path, as it needs a host name of its own",
        ),
        ({"public_url": "https://example.com?a=b"}, "must have no path"),
    ],
)
def test_settings_that_do_not_fit_are_told(given: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        gather(given, {}, None)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("webhook_secret", "webhook_url"),
        ("oidc_client_id", "oidc_issuer"),
        ("oidc_client_secret", "oidc_issuer"),
    ],
)
def test_a_console_has_the_address_that_a_secret_is_for(name: str, address: str) -> None:
    got = gather({name: "of at least 16 characters"}, {}, None)
    with pytest.raises(ConfigError, match=f"{name} does nothing without {address}"):
        got.check_used()
    whole = {"oidc_client_id": "console", name: "of at least 16 characters", address: "https://a.b"}
    gather(whole if address == "oidc_issuer" else {name: whole[name], address: "https://a.b"}, {}, None).check_used()


@pytest.mark.parametrize("given", [{"webhook_secret": "hunter2"}, {"oidc_client_secret": 314159}])
def test_a_secret_that_does_not_fit_is_not_shown(given: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as failure:
        gather(given, {}, None)
    (secret,) = given.values()
    assert str(secret) not in str(failure.value)


def test_an_address_to_listen_on_may_have_the_brackets_of_a_url() -> None:
    assert gather({"host": "[::1]"}, {}, None).host == "::1"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_secret_may_end_with_its_line(end: str) -> None:
    """As that of a file does; every signature would be wrong."""
    names = ("webhook_secret", "oidc_client_secret")
    got = gather({}, {f"CROSSGUARD_REVIEW_{name.upper()}": f" of many characters {end}" for name in names}, None)
    assert {getattr(got, name) for name in names} == {" of many characters "}
    with pytest.raises(ConfigError, match="at least 16 characters"):
        gather({"webhook_secret": "x" * 15 + end}, {}, None)


@pytest.mark.parametrize("line", ['webhook_secret: "SECRET', "webhook_secret: SECRET: SECRET"])
def test_an_error_in_the_file_shows_no_line_of_it(line: str, tmp_path: Path) -> None:
    (file := tmp_path / "review.yaml").write_text(f"port: 8081\n{line}\n")
    with pytest.raises(ConfigError, match=r"review\.yaml") as failure:
        gather({}, {}, file)
    assert "SECRET" not in str(failure.value)


def test_a_misspelt_variable_is_told() -> None:
    environment = {"CROSSGUARD_REVIEW_PORT": "1", "CROSSGUARD_REVIEW_KEY": "k", "CROSSGUARD_PROT": "2"}
    assert unread_variables(environment, ["CROSSGUARD_REVIEW_KEY"]) == []
    (sentence,) = unread_variables({"CROSSGUARD_REVIEW_RETENTION": "30"}, ())
    assert "Did you mean 'CROSSGUARD_REVIEW_RETENTION_DAYS'?" in sentence


def test_addresses_that_are_sent_to_stay_as_they_are() -> None:
    got = gather({"webhook_url": "https://a.b/in/", "webhook_secret": "x" * 16, "public_url": "https://a.b/"}, {}, None)
    assert gather({"public_url": "http://[::1]:8090"}, {}, None).public_url == "http://[::1]:8090"
    assert (got.webhook_url, got.public_url) == ("https://a.b/in/", "https://a.b")


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("HTTPS://Review.Example.com:443/", "https://review.example.com"),
        ("http://Localhost:80", "http://localhost"),
        ("http://[::80]:443", "http://[::80]:443"),
        ("", ""),
    ],
)
def test_the_public_address_is_what_browsers_send(typed: str, sent: str) -> None:
    """Else no form would be taken as one of the console's own, not even that of the login."""
    assert gather({"public_url": typed}, {}, None).public_url == sent


def test_a_queue_has_a_name_that_an_address_can_hold() -> None:
    assert ReviewSettings(queues=("kids", "de-DE", "v1.2")).all_queues[-3:] == ("kids", "de-DE", "v1.2")
    for name in ("a/b", "C#", "a b", ""):
        with pytest.raises(ValidationError, match="a queue's name has"):
            ReviewSettings(queues=(name,))


def test_labels_and_actions_are_told_apart() -> None:
    for given in ({"labels": ("a", "a")}, {"labels": ("",)}, {"actions": ("allow", "x" * 33)}):
        with pytest.raises(ValidationError, match="none is there twice"):
            ReviewSettings.model_validate(given)


def test_no_label_is_called_like_another_column_of_an_export() -> None:
    assert ReviewSettings(labels=("hateful",)).labels == ("hateful",)
    for name in ("text", "action"):
        with pytest.raises(ValidationError, match=f"a column '{name}' of its own"):
            ReviewSettings(labels=("spam", name))
