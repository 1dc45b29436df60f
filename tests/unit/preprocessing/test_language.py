"""Which language a text is in: never wrong about English, slang and emoji; silent where a text is too short."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossguard.bundle import Bundle
from crossguard.data.image_limits import ImageLimits
from crossguard.errors import ConfigError, PostError
from crossguard.evaluation.audit.evasion import EVASIONS, evade
from crossguard.moderator import Moderator
from crossguard.preparation import Preparation
from crossguard.preprocessing.language import UNDETERMINED, classifier, language_of
from crossguard.records import Decision, Post
from crossguard.scoring import score_table

GERMAN = "Heute war das Wetter in Hamburg wunderbar und wir sind lange spazieren gegangen"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", GERMAN),
        ("fr", "Je ne comprends pas pourquoi il a dit ça hier soir"),
        ("es", "No puedo creer que ya sea lunes otra vez"),
        ("tr", "Annemle birlikte pazara gittik, çok gürültülü ama güzeldi"),
        ("ru", "Моя сестра вчера вышла замуж"),
        ("ja", "今日はとても天気がいいですね"),
        ("hi", "मेरी बहन की शादी कल हुई"),
        ("hi", "नमस्ते आप कैसे हैं"),
        ("ar", "مرحبا كيف حالك"),
        ("ru", "Привет как дела"),
        ("zh", "你好世界今天天气"),
        ("nl", "Morgen gaan we met de trein naar Amsterdam"),
    ],
)
def test_other_languages_are_named(language: str, text: str) -> None:
    assert language_of(text, ["en"]) == language


def test_a_letter_that_is_blank_parts_words() -> None:
    assert language_of(GERMAN.replace(" ", "\u3164"), ["en"]) == "de"


@pytest.mark.parametrize("unseen", ["\u00ad", "\u200b", "\u200c", "\u2060", "\x00", "&shy;"])
def test_what_cannot_be_seen_parts_no_words(unseen: str) -> None:
    assert language_of(unseen.join(GERMAN), ["en"]) == "de"
    assert language_of(unseen.join("Black history month starts on Monday at school"), ["en"]) in {"en", UNDETERMINED}
    assert language_of(f"https://x.y/z{unseen}{GERMAN}", ["en"]) == "de"


@pytest.mark.parametrize("who", ["refugees", "gypsies", "muslims", "blacks"])
def test_a_word_that_is_repeated_makes_no_other_language(who: str) -> None:
    assert language_of(f"die die die {who} scum", ["en"]) in {"en", UNDETERMINED}


@pytest.mark.parametrize(("text", "language"), [("нет нет нет", "ru"), ("שלום שלום", "he")])
def test_a_word_that_is_repeated_is_in_the_language_of_its_script(text: str, language: str) -> None:
    assert language_of(text, ["en"]) == language


def test_letters_that_are_escaped_twice_count() -> None:
    assert language_of("&amp;#1055;&#1088;&#1080;&#1074;&#1077;&#1090; &#1082;&#1072;&#1082; дела", ["en"]) == "ru"


@pytest.mark.parametrize(
    "text",
    [
        "the cat that you saw",
        "ngl this slaps fr fr 💀💀",
        "@karl @fritz_huber @jean https://example.com/unterwegs lol ok",
        "😂😂😂😂😂😂😂😂",
        "RT @schmidt: im so tired of dis fool smh",
        "asdfghjkl qwertz",
        "guten Morgen",
        "",
        "123 456",
        "Work from home in March vs September",
        "Our Prophet \ufdfa loved cats",  # one sign, of 18 letters
        "The Messenger of Allah \ufdfa used to fast on Mondays and Thursdays",
    ],
)
def test_english_slang_and_short_texts_are_called_nothing_else(text: str) -> None:
    assert language_of(text, ["en"]) in {"en", UNDETERMINED}


def test_the_tables_of_the_classifier_are_mapped_from_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CROSSGUARD_CACHE", str(tmp_path))
    unpacked = classifier.__wrapped__()
    monkeypatch.setattr("py3langid.modelio.load_model", lambda _: pytest.fail("unpacked again"))
    mapped = classifier.__wrapped__()
    assert isinstance(mapped.nb_ptc.base, np.memmap)
    assert mapped.rank(GERMAN) == unpacked.rank(GERMAN)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"not an array"])
def test_broken_tables_in_the_cache_are_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    monkeypatch.setenv("CROSSGUARD_CACHE", str(tmp_path))
    classifier.__wrapped__()
    broken = next(tmp_path.rglob("*.moves.npy"))
    broken.write_bytes(content)
    assert classifier.__wrapped__().classify(GERMAN)[0] == "de"
    assert broken.stat().st_size > len(content)


def test_a_cache_that_cannot_be_written_costs_the_unpacking_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    occupied = tmp_path / "file"
    occupied.touch()
    monkeypatch.setenv("CROSSGUARD_CACHE", str(occupied))
    assert classifier.__wrapped__().classify(GERMAN)[0] == "de"


def prepared(bundle: Bundle, **options: Any) -> Preparation:
    known = replace(bundle, manifest=bundle.manifest.model_copy(update={"languages": ("en",)}))
    return Preparation(known, ImageLimits(), **options)


def test_a_post_in_another_language_is_noted_skipped_or_scored_like_any_other(tiny_bundle: Bundle) -> None:
    post = Post("1", GERMAN)
    noted = prepared(tiny_bundle).prepare(post)
    assert (noted.language, noted.notes) == ("de", ("other_language",))
    with pytest.raises(PostError, match="'de', and the model knows en") as caught:
        prepared(tiny_bundle, other_languages="skip").prepare(post)
    assert caught.value.code == "other_language"
    scored = prepared(tiny_bundle, other_languages="score").prepare(post)
    assert (scored.language, scored.notes) == ("de", ())
    assert scored.texts == noted.texts


def test_who_asks_for_any_language_gets_what_is_skipped_for_others(tiny_bundle: Bundle) -> None:
    skipping = prepared(tiny_bundle, other_languages="skip")
    whole = skipping.prepare(Post("1", GERMAN), any_language=True)
    assert (whole.language, whole.notes) == ("de", ("other_language",))
    found = skipping.prepare_cheap([Post("1", GERMAN), Post("2", GERMAN)], [True, False])
    assert [entry is not None and entry.error is None for entry in found] == [True, False]


@pytest.mark.parametrize(("choice", "lines"), [("note", 0), ("score", 2)])
def test_lines_in_another_language_are_read_only_where_it_is_like_any_other(
    tiny_bundle: Bundle, choice: str, lines: int
) -> None:
    text = "Heute war das Wetter\nin Hamburg wunderbar"
    posts = prepared(tiny_bundle, other_languages=choice)
    assert sum(window.line for window in posts.prepare(Post("1", text)).texts) == lines
    assert sum(window.line for window in posts.prepare(Post("1", text), apart=True).texts) == lines


def test_a_short_text_is_undetermined_and_an_image_has_no_language(tiny_bundle: Bundle) -> None:
    preparation = prepared(tiny_bundle, other_languages="skip")
    assert preparation.prepare(Post("1", "Danke")).language == UNDETERMINED
    assert preparation.prepare(Post("2", image_text="what have you got there")).language == "en"
    assert preparation.prepare_all([Post("3", "   ")])[0].language == ""


@pytest.mark.parametrize("text", ["ｋｉｌｌ ｔｈｅｍ ａｌｌ", "ᏦᏆᏞᏞ ᎢᎻᎬᎷ", "кіӏӏ тнем"])  # noqa: RUF001
def test_latin_words_in_other_letters_are_no_other_language(text: str) -> None:
    with Moderator.load("compact", other_languages="skip") as moderator:
        assert moderator.score(text).language in {"en", UNDETERMINED}


def test_an_unknown_choice_gets_a_suggestion(tiny_bundle: Bundle) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'note'"):
        prepared(tiny_bundle, other_languages="noted")


def test_a_run_counts_the_languages_that_the_model_does_not_know() -> None:
    with Moderator.load("compact") as moderator:
        rows: list[Decision] = []
        posts = [Post("a", GERMAN), Post("b", "I think the weather is nice"), Post("c", GERMAN.upper())]
        summary = score_table(moderator, posts, watch=lambda _, decision: rows.append(decision))
    assert summary.other_languages == {"de": 2}
    assert [row.language for row in rows] == ["de", "en", "de"]
    assert [Decision.from_dict(row.to_dict()).language for row in rows] == [row.language for row in rows]


def test_a_disguise_is_hardly_ever_taken_for_another_language() -> None:
    lines = [
        "My neighbours are watching the game together in the garden tonight",
        "Nobody should have to wait this long for a bus in the rain",
        "The bakery on our street sells the best bread you can buy",
    ]
    with Moderator.load("compact") as moderator:
        posts = [Post(f"{name} {place}", evade(line, name)) for name in EVASIONS for place, line in enumerate(lines)]
        noted = [post.id for post in moderator.prepare_all(posts) if "other_language" in post.notes]
    assert len(noted) <= 0.05 * len(posts), noted
