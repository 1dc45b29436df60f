"""Pages of comparisons and audits: escaped, masked, and the best value in bold."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from jinja2 import UndefinedError
from PIL import Image
from rich.console import Console

from crossguard.evaluation.annotated import Annotated
from crossguard.evaluation.comparison import Compared, Difference
from crossguard.evaluation.curves import Chart
from crossguard.evaluation.estimates import Estimate
from crossguard.evaluation.measuring import EvaluationRequest, measure_model
from crossguard.evaluation.report.pages import _charts, _environment, _share, build_page, comparison_page, render
from crossguard.evaluation.sample import Sample
from crossguard.evaluation.terminal import show_run
from crossguard.evaluation.titles import ANY_KEYS, title
from crossguard.moderator import Moderator
from crossguard.records import Post


def test_the_best_of_a_column_is_bold_and_less_is_better_for_errors() -> None:
    rows = [
        Compared("<b>first</b>", 100, {"f1_macro": Estimate(0.5), "any/false_positive_rate": Estimate(0.25)}, 10.0),
        Compared(
            "second",
            100,
            {"f1_macro": Estimate(0.75), "any/false_positive_rate": Estimate(0.4)},
            None,
            {"f1_macro": Difference(Estimate(0.25, 0.1, 0.3), 0.002)},
        ),
    ]
    page = comparison_page(rows, ["f1_macro", "any/false_positive_rate"])
    assert "&lt;b&gt;first&lt;/b&gt;" in page
    assert "<b>first" not in page
    bold = re.findall(r"<(?:b|strong)[^>]*>\s*([\d.]+)", page)
    assert bold == ["0.250", "0.750"]
    assert "+0.250 [+0.100, +0.300], p = 0.002" in page
    assert "<script" not in page


def test_a_name_that_a_template_lacks_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="'rows' is undefined"):
        render("compare.html.j2", keys=[])


class Links(HTMLParser):
    """Collects whatever a page would load from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loaded += [v for k, v in attrs if k in {"src", "href"} and v and not v.startswith(("data:", "#"))]


def test_the_page_loads_nothing_and_runs_nothing(tiny: Moderator, annotated: Annotated) -> None:
    run, scored = measure_model(tiny, annotated, EvaluationRequest(rounds=20))
    page = Links()
    page.feed(build_page(run, scored.annotated.posts))
    assert page.loaded == []
    assert "script" not in page.tags
    assert "svg" in page.tags


def test_markup_in_posts_and_names_stays_text(tiny: Moderator, annotated: Annotated) -> None:
    nasty = tuple(Post("<b>id</b>", f"<script>alert({i})</script> awful") for i in range(len(annotated)))
    run, scored = measure_model(tiny, replace(annotated, posts=nasty), EvaluationRequest(name="<i>run</i>", rounds=0))
    page = build_page(run, scored.annotated.posts)
    assert "<script>" not in page
    assert "<b>id" not in page
    assert "<i>run" not in page
    assert "&lt;i&gt;run" in page


def test_posts_that_run_from_right_to_left_are_laid_out_so(tiny: Moderator, annotated: Annotated) -> None:
    run, scored = measure_model(tiny, annotated, EvaluationRequest(rounds=0))
    page = build_page(run, [Post(post.id, "צהריים טובים, חברים!") for post in scored.annotated.posts])
    assert re.search(r'<summary><span class="masked" dir="auto">צ[^<]*</span>.*</summary><p dir="auto">צ', page)


def test_all_images_of_a_post_are_shown_and_told_apart(tiny: Moderator, annotated: Annotated) -> None:
    run, scored = measure_model(tiny, annotated, EvaluationRequest(rounds=0))
    first, second = Image.new("RGB", (9, 6), "red"), Image.new("RGB", (9, 6), "blue")
    posts = [Post(post.id, image=first, more_images=(second,)) for post in scored.annotated.posts]
    page = build_page(run, posts)
    shown = page.count('class="post"')
    assert shown > 0
    for place in (1, 2):
        assert page.count(f'alt="Image {place} of 2 of the post, blurred"') == shown
    assert 'alt="Image of the post, blurred"' in build_page(run, [Post("1", image=first)] * len(posts))


def test_a_post_without_a_label_is_not_called_harmless(tiny: Moderator, annotated: Annotated) -> None:
    """It may carry others."""
    run, _ = measure_model(tiny, annotated, EvaluationRequest(rounds=0))
    page = build_page(run, None)
    rows = re.findall(r"<tr><th>([^<]*)</th><td class=\"(?:right|wrong)", page)
    kinds = [(task.name, f"not {task.name}") for task in run.sample.tasks()]
    assert rows == [kind for both in (*kinds, ("hateful", "harmless")) for kind in both]
    assert "<th>Posts with the label</th>" in page
    assert "<th>Hateful posts</th>" not in page


def test_a_chart_of_reliability_that_cannot_be_drawn_says_why() -> None:
    sample = Sample.build("a", np.array([[0.0], [1]] * 5), np.linspace(0.1, 0.8, 10)[:, None], 0.5)
    *_, drawn = _charts(sample.task("a"), 0.5, calibrated=True)
    chart = _environment().get_template("chart.html.j2").module.chart  # type: ignore[attr-defined]
    assert "undefined: fewer than 15 posts" in chart(drawn)
    assert "undefined: too few posts of one kind" in chart(replace(drawn, undefined=Chart("", "", "", ()).undefined))


def test_posts_can_be_left_out(tiny: Moderator, annotated: Annotated) -> None:
    run, scored = measure_model(tiny, annotated, EvaluationRequest(rounds=0))
    assert 'class="post"' in build_page(run, scored.annotated.posts)
    assert 'class="post"' not in build_page(run, None)


def test_an_undefined_figure_shows_its_reason_and_no_zero(tiny: Moderator, annotated: Annotated) -> None:
    annotated.truth[:, 0] = 0
    run, _ = measure_model(tiny, annotated, EvaluationRequest(rounds=20))
    assert 'title="no positive post">undefined' in build_page(run, None)
    console = Console(record=True, width=100, file=io.StringIO())
    show_run(run, console)
    told = " ".join(console.export_text().split())
    assert "undefined for racist: no positive post (recall, f1, roc_auc" in told


def test_a_table_that_tells_only_hateful_posts_shows_only_what_it_can_measure(
    tiny: Moderator, annotated: Annotated
) -> None:
    hateful = annotated.truth[:, 0].copy()
    annotated.truth[:] = np.nan
    run, _ = measure_model(tiny, replace(annotated, hateful=hateful), EvaluationRequest(rounds=0))
    page = build_page(run, None)
    assert re.findall(r'<div class="tile"><span[^>]*>([^<]*)</span><b>([^<]*)', page) == [
        (title(key), run.main.per_label["any"][key.removeprefix("any/")].short) for key in ANY_KEYS
    ]
    assert "undefined</b>" not in page
    assert "<td></td>" not in page
    assert "<th>ECE</th>" not in page
    console = Console(record=True, width=100, file=io.StringIO())
    show_run(run, console)
    told = console.export_text()
    assert "ECE" not in told
    assert "macro" not in told


def test_a_label_that_no_post_has_is_undefined_and_not_zero() -> None:
    truth = np.array([[0.0, 1], [0, 0], [0, 1], [0, 0]])
    sample = Sample.build("ab", truth, np.linspace(0.1, 0.8, 8).reshape(4, 2), 0.5)
    drawn, *_ = _charts(sample.task("a"), 0.5, calibrated=True)
    assert drawn.curves == ()
    drawn, *_ = _charts(sample.task("b"), 0.5, calibrated=True)
    assert [curve and curve.name for curve in drawn.curves][1] == "prevalence"


@pytest.mark.parametrize(
    ("hits", "posts", "said"),
    [
        (1, 1, "Of the 1 post flagged as racist, 1 was so."),
        (2, 29, "Of the 29 posts flagged as racist, 2 were so."),
        (15, 30, "Of 100 posts flagged as racist, 50 were so."),
    ],
)
def test_few_posts_are_counted_and_not_said_to_be_a_hundred(hits: int, posts: int, said: str) -> None:
    assert _share(Estimate(hits / posts), hits, posts, lambda noun: f"{noun} flagged as racist", "so") == said


def test_print_opens_labels_but_no_post(tiny: Moderator, annotated: Annotated) -> None:
    run, scored = measure_model(tiny, annotated, EvaluationRequest(rounds=0))
    page = build_page(run, scored.annotated.posts)
    printed = page[page.index("@media print") : page.index("</style>")]
    assert page.count('<details class="label"') == len(run.sample.tasks()) + 1
    assert re.findall(r"details[^,{]*", printed) == [
        "details.label::details-content ",
        "details.label:not([open]) > *:not(summary) ",
    ]
    assert ".scroll { overflow: visible; }" in printed
