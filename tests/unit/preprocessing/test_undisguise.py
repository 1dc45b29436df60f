from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossguard.bundle import read_bundle
from crossguard.preprocessing.disguises.lexicon import Lexicon
from crossguard.preprocessing.text import TextEncoder
from crossguard.preprocessing.undisguise import MOST_CHARACTERS, undisguise
from crossguard.registry import find

LINE = "we bake bread for all friendly people"
# Few of its letters stand in misspelt words.
GUESS = "we bkae it for all of you and me, freindly men"


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    bundle = read_bundle(find("compact"))
    return TextEncoder(bundle.tokenizer, bundle.manifest.text)


@pytest.fixture(scope="module")
def lexicon(encoder: TextEncoder) -> Lexicon:
    assert encoder._lexicon is not None
    return encoder._lexicon


@pytest.mark.parametrize(
    "disguised",
    [
        "w-e b-a-k-e b-r-e-a-d f-o-r a-l-l f-r-i-e-n-d-l-y p-e-o-p-l-e",
        "w e   b a k e   b r e a d   f o r   a l l   f r i e n d l y   p e o p l e",
        "we   b  a  k  e   b  r  e  a  d   f  o  r   a  l  l   f  r  i  e  n  d  l  y   p  e  o  p  l  e",
        "we b..a..k..e b--r--e--a--d for all friendly people",
        "we ba*ke bre*ad for all fri.endly peo-ple",
        "w3 b4k3 br34d f0r 411 fr13ndly p30pl3",
        "wwee bbaakkee bbrreeaadd ffoorr aallll ffrriieennddllyy ppeeooppllee",
        "we baaake breeead for alll frieeendly peooople",
        "we bake breeead for all friendly people",
        "webakebreadforallfriendlypeople",
        "elpoep yldneirf lla rof daerb ekab ew",
        "ew ekab daerb rof lla yldneirf elpoep",
        "\u1d21\u1d07 \u0299\u1d00\u1d0b\u1d07 \u0299\u0280\u1d07\u1d00\u1d05 for all friendly people",
        "w\u0435 b\u0430k\u0435 br\u0435\u0430d f\u043er \u0430ll fri\u0435ndl\u0443 p\u0435\u043epl\u0435",
        "we b<b></b>ake bread for all fri<i></i>endly people",
        "we b<!-- x -->ake bread for all fri<!-- -->endly people",
        "<p>we bake <span class='x'>bread</span></p><p>for all<br>friendly people</p>",
        '<p><a href="https://t.co/abc" rel="nofollow">https://t.co/abc</a></p><p>we bake bread for all friendly people',
        "we b<b hidden>ake bre<time>ad for all fri<u-x>endly peo<span class = 'x'>ple",
        "[b]we[/b] bake [url=https://x.y/z]bread[/url] for all fri[i]end[/i]ly people",
        "_we_ *bake* `bread` for all [friendly](https://x.y/z) people",
        "<!-- wp:paragraph -->we bake bread for all friendly people<!-- /wp:paragraph -->",
        "<@123456789> we bake bread <:wave:123456789> for all friendly people",
        "- **we bake bread** for all ||friendly people||",
        "```text\nwe bake bread for all friendly people\n```",
        "we b@ke bre@d for @ll friendly people",
        "we bake br\u20acad for all fri\u20acndly p\u20acopl\u20ac",
        "we\u3164b@ke\u3164bread\u3164for\uffa0all\u115ffriendly\u1160people",
        "we bake bread f*r a*l fr*endly people",
        "we bkae bread for all freindly poeple",
        " ".join("".join(f"[{letter}]" for letter in word) for word in LINE.split()),
        "**we** **ba**ke **br**ead for **al**l **fr**iendly **pe**ople",
        "we b-bake b-bread f-for a-all f-friendly p-people",
        "we.bake.bread.for.all.friendly.people",
        "we_bake_bread_for_all_friendly_people",
        "we \U0001f44f bake \U0001f44f\U0001f3fd bread \U0001f44f for all \U0001f44f friendly \U0001f44f people",
        "we b*ake bre*ad f*or al*l frie*ndly peo*ple",  # signs in words, not in place of letters
        "\ua4ea\ua4f0 \ua4d0\ua4ee\ua4d7\ua4f0 bread for all \ua4dd\ua4e3\ua4f2\ua4f0\ua4e0\ua4d3\ua4e1\ua4ec people",
        "w\u0336e\u0336 b\u0336a\u0336k\u0336e\u0336 bread for all friendly people",
        "\u202eelpoep yldneirf lla rof daerb ekab ew\u202c",
        '"we" "bake" "bread" "for" "all" "friendly" "people"',
        "\U0001f170ll frien\U0001f1e9ly people we bake bread for",
    ],
)
def test_what_a_person_reads_is_read(lexicon: Lexicon, disguised: str) -> None:
    read = undisguise(disguised, lexicon)
    assert read is not None
    assert sorted(read.text.lower().split()) == sorted(LINE.split())


@pytest.mark.parametrize(
    "text",
    [
        LINE,
        'She said "hello" and he said "good morning" to "us".',
        "The 2nd iPhone 12 costs $999, see https://example.org/a-b/c_d or mail me@example.org at 10:30 p.m.",
        "My well-known sister-in-law and/or her co-worker don't use MP3, H2O or COVID19 in the U.S.A.",
        "def f(x): return x[0] + a_b * 2  # returns 3.14",
        "Good luck!! See you on 2026-11-25 :-)",
        "A book by Schwarzenegger and a song by Metallica in Bruchsal",
        "\u0434\u043e\u0431\u0440\u044b\u0439 \u0434\u0435\u043d\u044c \u0434\u0440\u0443\u0437\u044c\u044f",
        "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e04\u0e23\u0e31\u0e1a",
        "\u0645\u064e\u0631\u0652\u062d\u064e\u0628\u064b\u0627 \u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd",
        "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u094b\u0938\u094d\u0924\u094b\u0902",
        "#BuildBridges with @some_body",
        "@user you are here!",
        "Mail me@example.org and you@example.org",
        "@karl @fritz @jean @user no idea",
        "#WeBakeBreadForAllLadies",  # read as it is where capitals divide it
        ".@user this is insane, @user @user",
        "Well...I'm late--I know -- or so (maybe)...",
        "World War III was averted",
        "our physiotherapist is great",  # one long word that is unknown is no sentence
        "u/bakes_bread_and_cakes likes r/GoodBread and /r/friendlybakers",  # names of Reddit
    ],
)
def test_ordinary_text_reads_as_it_is_written(encoder: TextEncoder, text: str) -> None:
    assert [window.undisguised for window in encoder.encode([(text, "")])[0].windows] == [False]


@pytest.mark.parametrize(
    ("disguised", "says"),
    [
        ("we b4k3 br34d for all", "we bake bread for all"),
        (
            "we bkae it for all freindly poeple and chlidren",
            "we bake it for all friendly people and children",
        ),  # most of it is misspelt
        ("w eba kebr eadf oral lfri end lype ople", "we bake bread for all friendly people"),
        ("asia nsar efri endl yand arti sts", "asians are friendly and artists"),  # `sts` is known by chance
        ("we.bake.bread,.and.you.eat.it", "we bake bread, and you eat it"),  # the same words
        ("we/bake-bread~for/all_friendly/people", "we bake bread for all friendly people"),  # no space is left
        ("w\u00eb'bake'bread,'and'you'eat'it", "we bake bread, and you eat it"),
        ("[w][e] [b][4][k][e] [b][r][e][4][d] for all people", "we bake bread for all people"),
        ("we b*ake bre*ad f*or a*ll fr*endly pe*ople", "we bake bread for all friendly people"),  # one lacks a letter
        ("we b-bake b-bread f-for a-all p-people", "we bake bread for all people"),
        ("we b<b></b>ake bread for all fri<i></i>endly people", "we bake bread for all friendly people"),
        ("ew era yppah dna eht daerb si doog", "we are happy and the bread is good"),  # no sentence ends with `we`
        ("doog si daerb eht dna yppah era ew", "we are happy and the bread is good"),
        # Signs in most words stand for letters of ordinary ones, too.
        ("th#t is wh*t th*y h*ve, a#d w#men a#e h#ppy", "that is what they have, and women are happy"),
        ("sh* is the f*lthy wh*re that th*y kn*w", "she is the filthy whore that they know"),
        ("bke brd fr ths wmn and ther pple", "bike board fr this women and their people"),  # all vowels are left out
        ("we@bake@bread@for@all", "we bake bread for all"),
        ("WeBakeBreadForAllLadies", "we bake bread for all ladies"),
        ("#webakebreadforallladies", "we bake bread for all ladies"),
        ("Seeend theee breeead hooomeee", "send the bread home"),  # `seend` is no form of `seen`
        ("webakebreadforallofyou,doyoulikeit?", "we bake bread for all of you,do you like it?"),
        ("all Muslmis and freindly poeple are Jwes", "all muslims and friendly people are jews"),  # groups, no names
        ("f \U0001f44f a \U0001f44f g \U0001f44f g \U0001f44f o \U0001f44f t", "faggot"),
        ("n - i - g - g - e - r - s out", "niggers out"),
        # Symbols that stand for letters, none of which is one of a to z.
        ("\u249c\u24a7\u24a7 \u249d\u249c\u24a6\u24a0 \u249d\u24ad\u24a0\u249c\u249f", "all bake bread"),
    ],
)
def test_a_certain_reading_is_scored_instead_of_the_text(encoder: TextEncoder, disguised: str, says: str) -> None:
    (said,) = encoder.encode([(disguised, "")])[0].windows
    assert said.undisguised
    assert said.ids == encoder.encode([(says, "")])[0].ids


@pytest.mark.parametrize(
    "text",
    [
        GUESS,  # corrected words may be other ones
        "all of these conservatards here are making me sick",  # words can be divided elsewhere, too
        "all fr*endly pe*ple",  # and a sign hides other letters
        "we all bake very good bread for friendly people l-i-k-e you",  # little is disguised
        f"b-a-k-e {'b-r-e-a-d ' * 1000}",  # the middle is not read
        "we \U0001f412 bake \U0001f412 bread \U0001f412 for \U0001f44f all \U0001f44f people",
        "w3 b4k3 br34d f0r \U0001f412\U0001f412\U0001f412\U0001f412 4nd p30pl3",  # emoji are words, too
        "all fri!ndly coons, sl!ts and their bread",  # a sign is read as a letter, and may hide another
        "all friendly c-ons",
        "they like water. ew ekab daerb rof lla yldneirf elpoep dna lla yppah nerdlihc",  # not all of it is mirrored
        (
            "they like water p\u0250\u01dd\u0279q poo\u0183 \u0265\u0287\u1d09\u028d \u028e\u0250p"
            " \u01dd\u0254\u1d09u \u0250 \u01dd\u028c\u0250\u0265 pu\u0250"
            " \u028epoq\u028e\u0279\u01dd\u028c\u01dd \u01dd\u026fo\u0254l\u01dd\u028d"
        ),  # nor upside down
        "hav e awonderfu lda yeveryon women and apes ean denjo yyou rcoffe ewit hfriends",  # some words are not divided
        "Lesbains are Verimn and Shuold be Praised",  # and short words found by chance
        "ppeper and coffee are tsated and sohuld all be tosated",  # spaces can be set among misspelt words
    ],
)
def test_a_reading_that_may_be_wrong_is_scored_beside_the_text(lexicon: Lexicon, text: str) -> None:
    read = undisguise(text, lexicon)
    assert read is not None
    assert not read.certain


@pytest.mark.parametrize(
    ("text", "undisguised"),
    [
        ("gtfo nizza zogy bish", [False, True]),  # a few unknown words are slang
        ("alle baecker backen brot und sollen bleiben wo sie sind", [False]),  # many are another language
        ("Do\u011fum g\u00fcn\u00fcn kutlu olsun can\u0131m karde\u015fim", [False]),
        ("Hace mucho calor hoy en Sevilla", [False, True]),  # what is read is taken for English
        ("we bkae it for all freindly poeple and chlidren", [True]),
        ("les k1kes contr\u00f4lent les banques", [False, True]),  # a word of hate among them is found
        ("die k*kes regieren die Welt", [False, True]),
    ],
)
def test_words_that_are_unknown_may_be_no_misspelt_ones(text: str, undisguised: list[bool]) -> None:
    bundle = read_bundle(find("compact"))
    encoder = TextEncoder(bundle.tokenizer, bundle.manifest.text, bundle.manifest.languages)
    assert [window.undisguised for window in encoder.encode([(text, "")])[0].windows] == undisguised


def test_a_guess_is_scored_beside_the_text_as_it_is_written(encoder: TextEncoder) -> None:
    windows = encoder.encode([(GUESS, "")])[0].windows
    assert [window.undisguised for window in windows] == [False, True]


def test_both_parts_of_a_pair_must_be_certain(encoder: TextEncoder) -> None:
    certain = "w-e b-a-k-e b-r-e-a-d"
    found = encoder.encode([(certain, certain), (certain, LINE), (certain, GUESS)])
    assert [[window.undisguised for window in tokens.windows] for tokens in found] == [[True], [True], [False, True]]


@given(st.text(max_size=300))
def test_any_text_can_be_read(lexicon: Lexicon, text: str) -> None:
    read = undisguise(text, lexicon)
    assert read is None or len(read.text) <= 40 * MOST_CHARACTERS


@pytest.mark.parametrize(
    "markup",
    [
        "<We bake bread>", "<I bake bread>", "<b title='we bake bread'>", "<!-- we bake bread -->", "<@we.bake.bread>",
        "<#we-bake-bread>", "<:bake:12345>", "[x](we-bake-bread)", "[x]<b></b>(we-bake-bread)", "[url=bake]x[/url]",
        "<we-bake-bread>", "<we-bake-bread/>", "```bake\n",
    ],
)  # fmt: skip
def test_words_in_markup_are_not_left_out_for_a_disguise_beside_them(lexicon: Lexicon, markup: str) -> None:
    reading = undisguise(f"{markup} f-o-r a-l-l f-r-i-e-n-d-l-y p-e-o-p-l-e", lexicon)
    assert reading is not None
    assert "friendly" in reading.text
    assert "bake" in reading.text or not reading.certain


@pytest.mark.parametrize(
    "markup", ["<b>x</b>", "<@123>", "[x](https://x.y/z)", "[url=https://x.y/z]x[/url]", "<!-- -->"]
)
def test_markup_without_words_leaves_a_reading_certain(lexicon: Lexicon, markup: str) -> None:
    reading = undisguise(f"{markup} f-o-r a-l-l f-r-i-e-n-d-l-y p-e-o-p-l-e", lexicon)
    assert reading is not None
    assert reading.certain


@pytest.mark.parametrize(
    "markup",
    [
        "**{}**", "- {}", "<p>{}</p>", "[{}](https://example.org/4/5)", "<!-- -->{}", "[b]{}[/b]",
        "w3 b4k3 br34d f0r 4ll fr13ndly p30pl3 {}",
    ],
)  # fmt: skip
def test_a_window_of_a_reading_has_its_place_in_the_text(encoder: TextEncoder, markup: str) -> None:
    line = "we bake bread for all friendly people and they like the taste of it"
    text = " ".join([*[markup.format(line)] * 20, "children drink water", *[markup.format(line)] * 20])
    windows = encoder.encode([(text, "")])[0].windows
    said = encoder.encode([("children drink water", "")])[0].ids[1:-1]
    places = [window.text for window in windows if window.undisguised and _holds(window.ids, said)]
    assert places
    assert all(place is not None and "children drink water" in text[slice(*place)] for place in places)
    assert all(window.undisguised for window in windows)


def _holds(ids: tuple[int, ...], part: tuple[int, ...]) -> bool:
    return any(ids[start : start + len(part)] == part for start in range(len(ids)))


def test_a_window_of_a_turned_text_has_no_place(encoder: TextEncoder) -> None:
    text = "elpoep yldneirf lla rof daerb ekab ew " * 30
    windows = encoder.encode([(text, "")])[0].windows
    assert len(windows) > 1
    assert {(window.undisguised, window.text) for window in windows} == {(True, None)}


def test_a_disguise_in_the_middle_of_a_long_text_is_read(lexicon: Lexicon) -> None:
    plain = "these are the words of an ordinary sentence that goes on. " * 60
    for before in (1, 2, 5):
        reading = undisguise(f"{plain * before}w3 b4k3 br34d f0r 411 fr13ndly p30pl3. {plain * 3}", lexicon)
        assert reading is not None
        assert "bake bread for" in reading.text
        assert "friendly people" in reading.text
        assert not reading.certain


def test_padding_pushes_nothing_out_of_a_long_text(lexicon: Lexicon) -> None:
    reading = undisguise(f"{' ' * 200_000}w3 b4k3 br34d f0r 411 fr13ndly p30pl3{chr(0x200B) * 200_000}", lexicon)
    assert reading is not None
    assert LINE in reading.text


@pytest.mark.parametrize("text", ["they say all @muslims are good", "@muslims we bake", "all @muslims/@jews are good"])
def test_a_group_is_read_though_it_may_be_a_name(lexicon: Lexicon, text: str) -> None:
    reading = undisguise(text, lexicon)
    assert reading is not None
    assert reading.text == text.replace("@", "")
    assert reading.certain


@pytest.mark.parametrize("name", ["@bread@for@all@people", "karl@baker@bread", "all@bread.for@xqzjk@baker"])
def test_an_at_sign_before_or_between_names_makes_no_sentence(lexicon: Lexicon, name: str) -> None:
    reading = undisguise(f"ask {name}", lexicon)
    assert reading is not None
    assert "bread for" not in reading.text
    assert "baker bread" not in reading.text


@pytest.mark.parametrize("name", ["muslim_aid", "Christian", "islam", "kill"])
def test_a_name_that_somebody_may_have_is_one(lexicon: Lexicon, name: str) -> None:
    reading = undisguise(f"ask @{name}", lexicon)
    assert reading is not None
    assert reading.text.split() == ["ask", "user"]


def test_a_disguise_is_undone_beside_names_of_reddit(lexicon: Lexicon) -> None:
    reading = undisguise("u/bakes_bread_daily: w-e b-a-k-e f-o-r r/friendly_people and/or c-h-i-l-d-r-e-n", lexicon)
    assert reading is not None
    assert reading.text == "u/bakes_bread_daily: we bake for r/friendly_people and/or children"


@pytest.mark.parametrize("text", ["", "look", "<p></p>"])
def test_disguised_words_of_an_image_are_read_whatever_the_text(encoder: TextEncoder, text: str) -> None:
    (tokens,) = encoder.encode([(text, "w3 b4k3 br34d for 411 fr13ndly p30pl3")])
    assert any(window.undisguised for window in tokens.windows)
    assert _holds(tokens.windows[-1].ids, encoder.encode([("bake bread", "")])[0].ids[1:-1])


def test_a_number_of_any_length_ends_no_run(lexicon: Lexicon) -> None:
    said = undisguise(f"we b@ke br3ad for all friendly people &#{'1' * 5000};", lexicon)
    assert said is not None
    assert said.text.startswith("we bake bread for all friendly people")
