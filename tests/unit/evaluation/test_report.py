from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from crossguard.evaluation.annotated import read_annotated
from crossguard.evaluation.curves import POINTS, Confusion, precision_recall, reliability, roc, threshold_sweep, worst
from crossguard.evaluation.measuring import Request, measure_model
from crossguard.evaluation.report.run_page import build_page
from crossguard.evaluation.sample import Sample
from crossguard.evaluation.terminal import show_run
from crossguard.labels import HATE
from crossguard.moderator import Moderator
from crossguard.records import Post


class Links(HTMLParser):
    """Collects whatever a page would load from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loaded += [v for k, v in attrs if k in {"src", "href"} and v and not v.startswith(("data:", "#"))]


def test_the_page_loads_nothing_and_runs_nothing(tiny: Moderator, annotated_posts: Path) -> None:
    run, scored = measure_model(tiny, read_annotated(annotated_posts, HATE.names), Request(rounds=20))
    page = Links()
    page.feed(build_page(run, scored.annotated.posts))
    assert page.loaded == []
    assert "script" not in page.tags
    assert "svg" in page.tags


def test_markup_in_posts_and_names_stays_text(tiny: Moderator, annotated_posts: Path) -> None:
    annotated = read_annotated(annotated_posts, HATE.names)
    nasty = tuple(Post("<b>id</b>", f"<script>alert({i})</script> awful") for i in range(len(annotated)))
    run, scored = measure_model(tiny, replace(annotated, posts=nasty), Request(name="<i>run</i>", rounds=0))
    page = build_page(run, scored.annotated.posts)
    assert "<script>" not in page
    assert "<b>id" not in page
    assert "<i>run" not in page
    assert "&lt;i&gt;run" in page


def test_posts_can_be_left_out(tiny: Moderator, annotated_posts: Path) -> None:
    run, scored = measure_model(tiny, read_annotated(annotated_posts, HATE.names), Request(rounds=0))
    assert 'class="post"' in build_page(run, scored.annotated.posts)
    assert 'class="post"' not in build_page(run, None)


def test_an_undefined_figure_shows_its_reason_and_no_zero(tiny: Moderator, annotated_posts: Path) -> None:
    annotated = read_annotated(annotated_posts, HATE.names)
    annotated.truth[:, 0] = 0
    run, _ = measure_model(tiny, annotated, Request(rounds=20))
    assert 'title="no positive post">undefined' in build_page(run, None)
    console = Console(record=True, width=100, file=open("/dev/null", "w", encoding="utf-8"))  # noqa: SIM115, PTH123
    show_run(run, console)
    text = console.export_text()
    console.file.close()
    assert "undefined for racist: no positive post (recall, f1, roc_auc" in " ".join(text.split())


def test_curves_keep_their_ends_and_are_thinned() -> None:
    generator = np.random.default_rng(0)
    truth = (generator.random((5000, 1)) < 0.3).astype(float)
    task = Sample.build("a", truth, 0.2 * truth + 0.8 * generator.random((5000, 1))).task("a")
    curve = roc(task)
    assert curve is not None
    assert (curve.points[0], curve.points[-1]) == ((0, 0), (1, 1))
    assert len(curve.points) <= POINTS + 2
    found = precision_recall(task)
    assert found is not None
    area = -np.trapezoid([y for _, y in found.points], [x for x, _ in found.points])
    from sklearn.metrics import average_precision_score

    assert area == pytest.approx(average_precision_score(task.truth, task.scores), abs=0.01)


def test_a_curve_that_cannot_be_drawn_is_none() -> None:
    task = Sample.build("a", np.zeros((5, 1)), np.full((5, 1), 0.3)).task("a")
    assert precision_recall(task) is None
    assert roc(task) is None
    assert reliability(task) is None
    assert threshold_sweep(task) is None


def test_reliability_holds_mean_score_and_observed_share_per_bin() -> None:
    task = Sample.build("a", np.array([[0.0]] * 8 + [[1.0]] * 8), np.array([[0.1]] * 12 + [[0.9]] * 4)).task("a")
    curve = reliability(task)
    assert curve is not None
    assert curve.points == ((0.1, 0.3333), (0.9, 1.0))
    assert curve.sizes == (0.75, 0.25)


def test_confusion_and_worst_errors_point_at_the_right_posts() -> None:
    truth = np.array([[np.nan], [1], [1], [0], [0], [1]], dtype=float)
    task = Sample.build("a", truth, np.array([[0.9], [0.8], [0.2], [0.7], [0.1], [0.3]])).task("a")
    assert Confusion.of(task) == Confusion(hits=1, misses=2, alarms=1, passes=1)
    assert worst(task, 5) == ([3], [2, 5])
