"""`crossguard evaluate`: metrics of a model, or of scores made elsewhere, on annotated posts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crossguard.cli.options import (
    PATH,
    annotated_options,
    hateful_option,
    in_place_of,
    model_option,
    out_option,
    refuse_idle,
    resampling_options,
    typed,
)
from crossguard.cli.telling import tell
from crossguard.errors import needs_extra
from crossguard.registry import refuse_bundle
from crossguard.saving import check_folder_takes, save_text

if TYPE_CHECKING:
    from crossguard.evaluation.runs import Run
    from crossguard.records import Post


@click.command("evaluate")
@click.argument("data")
@model_option
@click.option("--policy", default="default", show_default=True, help="A policy of the bundle, or a YAML file.")
@click.option("--tenant", help="Tenant whose overrides in the policy file apply.")
@click.option(
    "--scores",
    multiple=True,
    help="Measure these scores instead of a model: a table, decisions of crossguard score, or a training run.",
)
@click.option("--label-scheme", help="With --scores of a training run: which label scheme; its first when not given.")
@annotated_options
@hateful_option
@click.option("--training", type=PATH, help="Training posts, to also report metrics without near-duplicates of them.")
@click.option("--training-split", help="Only rows of the training posts whose column 'split' has this value.")
@click.option(
    "--cross-fit",
    "criterion",
    metavar="CRITERION",
    help="Calibrate and set thresholds on DATA itself, by cross-validation.",
)
@resampling_options(1000)
@click.option("--name", default="", help="What to call the run in tables.")
@out_option(type=PATH, help="Folder for the metrics and the HTML report.")
@click.option("--posts/--no-posts", "show_posts", default=True, help="Whether the report shows posts, masked.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(
    *,
    data: str,
    model: str,
    policy: str,
    tenant: str | None,
    scores: tuple[str, ...],
    label_scheme: str | None,
    training: Path | None,
    training_split: str | None,
    criterion: str | None,
    rounds: int,
    seed: int,
    name: str,
    out: Path | None,
    show_posts: bool,
    as_json: bool,
    **reading: Any,
) -> None:
    """Measure a model on DATA: a table in any format of `crossguard score`, or a folder of tables.

    It has a column per label.

    Thresholds come from the policy; evaluating on posts that they were fitted on prints a warning.

    \b
    crossguard evaluate posts.parquet --split test --out runs/test
    crossguard evaluate posts.csv --policy benchmark --training train.jsonl
    crossguard evaluate posts.csv --scores fold-0 --scores fold-1 --cross-fit f1
    """
    with needs_extra("Evaluating", "evaluate"):
        from crossguard.data.post_builder import RowBuilder
        from crossguard.data.stored_posts import open_posts
        from crossguard.evaluation.annotated import read_annotated, read_posts
        from crossguard.evaluation.calibration.criteria import Criterion
        from crossguard.evaluation.calibration.fitting import Plan
        from crossguard.evaluation.measuring import EvaluationRequest, measure_model, measure_scores
        from crossguard.evaluation.runs import RUN
        from crossguard.evaluation.score_tables import holds_decisions, knows_posts, read_scores, score_labels
    from crossguard.loading import load

    if scores:
        refuse_idle(("model", "policy", "tenant"), "beside --scores: scores that are given stay as they are")
    else:
        refuse_idle(("label_scheme",), "without --scores")
    if training is None:
        refuse_idle(("training_split",), "without --training")
    if out is not None:
        refuse_bundle(out)
        check_folder_takes(out / RUN)
    request = EvaluationRequest(
        name=name or (Path(scores[0]).stem if scores else ""),
        rounds=rounds,
        seed=seed,
        cross_fit=None if criterion is None else Plan(Criterion.parse(criterion), seed=seed),
        training=read_posts(training, training_split) if training else (),
        split=reading["split"],
        command=typed(),
    )
    if scores:
        labels = score_labels(scores[0], (name for row in open_posts(data, RowBuilder()) for name in row.extra))
        # Only the report, near-duplicates, folds, and decisions and runs, which know what was scored, look at texts.
        known = any(map(knows_posts, scores))
        words = (out is not None and show_posts) or training is not None or criterion is not None or known
        kept = {"words": words, "images": reading["images"] and words}
        annotated = read_annotated(data, labels, **{**reading, **kept}, scored=False)
        # Decisions say only of posts without an image what was scored, and so nothing where images are not read.
        posts = annotated.posts if known and (reading["images"] or not any(map(holds_decisions, scores))) else ()
        given = read_scores(scores, annotated.labels, annotated.ids, label_scheme, posts, needless=annotated.needless)
        run = measure_scores(given, annotated, request)
        annotated = annotated.take(given.ready)
    else:
        moderator = load(model, policy=policy, tenant=tenant)
        run, scored = measure_model(moderator, read_annotated(data, moderator.labels.names, **reading), request)
        annotated = scored.annotated
    _show(run, annotated.posts if show_posts else None, out, as_json=as_json)


def _show(run: Run, posts: Sequence[Post] | None, out: Path | None, *, as_json: bool) -> None:
    from crossguard.cli.table import terminal
    from crossguard.evaluation.report.pages import build_page
    from crossguard.evaluation.runs import RUN, write_run
    from crossguard.evaluation.terminal import show_run

    written: list[Path] = []
    instead = in_place_of(out, RUN)
    if out is not None:  # before anything is shown: who reads it in `| head` goes away early
        written = [*write_run(run, out), out / "report.html"]
        save_text(out / "report.html", build_page(run, posts))
    if as_json:
        click.echo(json.dumps(run.to_dict(), indent=2, allow_nan=False))
    else:
        show_run(run, terminal())
    if written:
        tell(f"Wrote {', '.join(path.name for path in written)} to {out}{instead}")
