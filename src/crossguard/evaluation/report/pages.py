"""The pages of a run, of audits and of comparisons, and what fills the templates of all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment

from crossguard.data.images import thumbnail
from crossguard.data.masking import excerpt, mask
from crossguard.errors import ImageError
from crossguard.evaluation import curves
from crossguard.evaluation.audit.running import Audit
from crossguard.evaluation.comparison import Compared, describe, notes, winners
from crossguard.evaluation.curves import Chart
from crossguard.evaluation.estimates import Estimate
from crossguard.evaluation.metrics import BINS, METRICS
from crossguard.evaluation.runs import Run
from crossguard.evaluation.sample import ANY, LabelTask
from crossguard.evaluation.titles import ANY_KEYS, title
from crossguard.markup import templates
from crossguard.records import ImageSource, Post
from crossguard.saving import save_text

WORST = 8
FEW = 30  # fewer posts are counted, as a share of 100 would say more than they can
_LONGEST = 280
COLUMNS = ("precision", "recall", "f1", "roc_auc", "average_precision", "recall_at_fpr_0.05", "brier", "ece")
HEADLINES = ("f1_macro", "f1_micro", "roc_auc_macro", "subset_accuracy", "any/roc_auc")


def write_audit_page(audit: Audit, path: Path) -> None:
    """Writes an audit as one HTML file that opens offline; sentences are masked."""
    save_text(path, render("audit.html.j2", audit=audit))


def comparison_page(rows: Sequence[Compared], keys: Sequence[str]) -> str:
    """Returns the comparison as one HTML document."""
    context = {"rows": rows, "keys": keys, "best": winners(rows, keys), "notes": notes(rows)}
    return render("compare.html.j2", **context, title=title, describe=describe)


def render(template: str, **context: Any) -> str:
    """Fills one of the templates; a name that the context lacks is an error."""
    return _environment().get_template(template).render(**context)


@cache
def _environment() -> Environment:
    environment = templates("crossguard.evaluation.report")
    environment.filters.update(masked=mask, in_cell=_in_cell)
    return environment


def _in_cell(text: object) -> str:
    """Returns a text for a cell of a table of Markdown, which a line or a bar would end."""
    return " ".join(str(text).split()).replace("|", "\\|")


def build_page(run: Run, posts: Sequence[Post] | None) -> str:
    """Returns the report as one HTML document.

    `posts` are those of `run.sample`, in its order, to show the worst errors (text masked, images blurred); None shows
    no post.
    """
    tasks = (*run.sample.tasks(), run.sample.task(ANY))
    columns = run.main.measured(COLUMNS)
    return render(
        "run.html.j2",
        run=run,
        facts=run.facts,
        columns=columns,
        headlines=HEADLINES if run.main.labels else ANY_KEYS,
        title=title,
        compared={run.facts.name: run.main, **run.variants},
        sections=[_section(run, task, posts) for task in tasks],
        metrics={name: metric for name, metric in METRICS.items() if name in columns},
        reveals=posts is not None,
    )


def _section(run: Run, task: LabelTask, posts: Sequence[Post] | None) -> dict[str, Any]:
    """Returns what the page shows of one label: its metrics in words, charts, counts and worst errors."""
    scores = dict(zip(task.rows.tolist(), task.scores.tolist(), strict=True))
    wrong, lost = (
        [_shown(posts[row], scores[row]) for row in rows] if posts else [] for rows in curves.worst(task, WORST)
    )
    return {
        "name": task.name,
        "title": "Any label" if task.name == ANY else task.name,
        "kinds": ("hateful", "harmless") if task.name == ANY else (task.name, f"not {task.name}"),
        "sentence": _sentence(run, task),
        "charts": _charts(task, run.facts.thresholds.get(task.name), calibrated=task.name != ANY),
        "confusion": curves.Confusion.of(task),
        "false_positives": wrong,
        "false_negatives": lost,
    }


def _charts(task: LabelTask, threshold: float | None, *, calibrated: bool) -> tuple[Chart, ...]:
    name, (tp, fn, fp, tn) = task.name, curves.Confusion.of(task)
    live = ((tp / (tp + fn), tp / (tp + fp), "live threshold"),) if tp + fp and tp + fn else ()
    corner = ((fp / (fp + tn), tp / (tp + fn), "live threshold"),) if fp + tn and tp + fn else ()
    marks = ((threshold, f"threshold {threshold:.2f}"),) if threshold is not None else ()
    share = float(task.truth.mean()) if len(task) else 0.0
    level = curves.Curve("prevalence", ((0.0, share), (1.0, share)))
    ranked = curves.precision_recall(task)
    charts = (
        Chart(f"{name}: precision and recall", "recall", "precision", (ranked, level) if ranked else (), points=live),
        Chart(f"{name}: ROC", "false-positive rate", "recall", (curves.roc(task),), diagonal=True, points=corner),
        Chart(f"{name}: by threshold", "threshold", "value", curves.threshold_sweep(task), marks=marks),
        Chart(
            f"{name}: reliability", "score", "observed share", (curves.reliability(task),), diagonal=True,
            undefined=f"fewer than {BINS} posts",
        ),
    )  # fmt: skip
    # The highest label score is not the probability that a post carries any label.
    return charts if calibrated else charts[:-1]


def _sentence(run: Run, task: LabelTask) -> str:
    estimates = run.main.per_label[task.name]
    word = "hateful" if task.name == ANY else task.name
    precision, recall = estimates["precision"], estimates["recall"]
    tp, fn, fp, _ = curves.Confusion.of(task)
    right = _share(
        precision, tp, tp + fp, lambda posts: f"{posts} flagged as {word}", "so in the eyes of the annotators"
    )
    found = _share(recall, tp, tp + fn, lambda posts: f"{word} {posts}", "flagged")
    return f"{right} {found}"


def _share(estimate: Estimate, hits: int, posts: int, named: Callable[[str], str], what: str) -> str:
    """Says a share in words: of 100 posts, or in counts where there are too few for that."""
    if estimate.value is None:
        return f"Nothing can be said about {named('posts')}: {estimate.reason}."
    if posts >= FEW:
        return f"Of 100 {named('posts')}, {round(100 * estimate.value)} were {what}."
    return f"Of the {posts} {named('post' if posts == 1 else 'posts')}, {hits} {'was' if hits == 1 else 'were'} {what}."


def _shown(post: Post, score: float) -> dict[str, Any]:
    """Returns a post as a report shows it: its words with telling ones hidden and whole, and small images."""
    words = excerpt(" / ".join(part for part in (post.text, post.image_text) if part), _LONGEST)
    return {"id": post.id, "score": score, "masked": mask(words), "words": words, "images": _images(post.images)}


def _images(sources: Sequence[ImageSource]) -> list[str]:
    return list(filter(None, map(_image, sources)))


def _image(source: ImageSource) -> str:
    try:
        return thumbnail(source)
    except ImageError:
        return ""
