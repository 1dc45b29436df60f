"""`crossguard calibrate`: fits a policy to annotated posts and measures it by cross-validation."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crossguard.checked_settings import parse
from crossguard.cli.options import (
    PATH,
    Number,
    annotated_options,
    model_option,
    new_policy_options,
    policy_name,
    resampling_options,
    typed,
)
from crossguard.cli.telling import tell
from crossguard.decision.policy_file import PolicyFile
from crossguard.errors import ConfigError, needs_extra
from crossguard.labels import LabelSet
from crossguard.saving import check_folder_takes, refuse_existing

if TYPE_CHECKING:
    from crossguard.evaluation.calibration.fitting import Plan
    from crossguard.evaluation.calibration.policy import FittedPolicy
    from crossguard.evaluation.terminal import Grid


@click.command("calibrate")
@click.argument("data", type=PATH)
@model_option
@click.option(
    "--policy", default="default", show_default=True, help="A policy of the model, or a YAML file, to start from."
)
@click.option(
    "--criterion",
    "criteria",
    multiple=True,
    metavar="[LABEL:]CRITERION",
    help="f1 (default), precision>=0.9, recall>=0.95, cost=1:5 (false positive : negative), review-budget=2%.",
)
@click.option(
    "--calibration",
    type=click.Choice(["auto", "none", "temperature", "platt", "isotonic"]),
    default="auto",
    show_default=True,
    help="Map from logits to scores; auto picks by cross-validated log loss.",
)
@click.option(
    "--prevalence",
    "prevalences",
    multiple=True,
    metavar="LABEL=SHARE",
    help="Fraction of posts in the feed that have a label, such as racist=0.5%.",
)
@click.option("--feed", type=PATH, help="Unlabelled posts of the feed, to estimate prevalences from.")
@click.option(
    "--miss-rate",
    type=Number(0, 1, min_open=True, max_open=True),
    help="Guarantee: a post that carries a label is allowed by that label at most this often.",
)
@click.option(
    "--block-rate",
    type=Number(0, 1, min_open=True, max_open=True),
    help="Guarantee: a post that carries no label is blocked at most this often, by all labels together.",
)
@annotated_options
@resampling_options(1000)
@new_policy_options("policy.yaml")
def command(
    *,
    data: Path,
    model: str,
    policy: str,
    criteria: tuple[str, ...],
    calibration: str,
    prevalences: tuple[str, ...],
    feed: Path | None,
    miss_rate: float | None,
    block_rate: float | None,
    rounds: int,
    seed: int,
    name: str | None,
    version: str,
    out: Path,
    overwrite: bool,
    **reading: Any,
) -> None:
    """Fit calibration, thresholds and review bands to DATA, and write a policy file.

    The metrics shown are cross-validated: each post is decided by a fit on other posts.

    \b
    crossguard calibrate validation.parquet --criterion f1
    crossguard calibrate val.csv --criterion f1 --criterion 'sexist:recall>=0.9'
    crossguard calibrate val.csv --feed week.jsonl --criterion review-budget=2%
    crossguard calibrate val.csv --miss-rate 0.1 --block-rate 0.001
    """
    with needs_extra("Calibrating", "evaluate"):
        from crossguard.evaluation.annotated import read_annotated, read_posts
        from crossguard.evaluation.calibration.policy import calibrate, usage, write_policy
        from crossguard.evaluation.terminal import show_line
    from crossguard.cli.table import terminal
    from crossguard.loading import load

    name = name or policy_name(out)
    parse(PolicyFile, {"name": name, "version": version}, "The new policy")  # before all is fitted
    refuse_existing(out, overwrite=overwrite, inputs=(data, feed))
    check_folder_takes(out)
    moderator = load(model, policy=policy)
    labels = moderator.labels
    plan = replace(
        _plan(labels, criteria, calibration, prevalences), miss_rate=miss_rate, block_rate=block_rate, seed=seed
    )
    found = calibrate(
        moderator,
        read_annotated(data, labels.names, **reading),
        plan,
        name=name,
        version=version,
        feed=read_posts(feed) if feed else (),
        rounds=rounds,
        command=typed(),
    )
    write_policy(found.file, out, model)
    console = terminal()
    _grid(found).show(console)
    for note in (*found.notes, *_tenants_left(policy)):
        show_line(f"Note: {note}", console, "yellow")
    tell(f"Wrote {out}. Use it with: {usage(out, model)}")


def _tenants_left(policy: str) -> list[str]:
    from crossguard.decision.policy_file import is_policy_file, read_policy_file

    if not is_policy_file(policy) or not (tenants := read_policy_file(Path(policy)).tenants):
        return []
    told = ", ".join(tenants)
    return [f"What '{policy}' says for tenants ({told}) is not in the new policy: its scores have another scale."]


def _plan(labels: LabelSet, criteria: tuple[str, ...], calibration: str, prevalences: tuple[str, ...]) -> Plan:
    from crossguard.evaluation.calibration.criteria import Criterion
    from crossguard.evaluation.calibration.fitting import Plan
    from crossguard.evaluation.calibration.maps import KINDS

    general, special = None, {}
    for text in criteria:
        label, colon, criterion = text.partition(":")
        if colon and not label.startswith("cost"):
            labels.column(label)  # refuses an unknown one
            if label in special:
                raise ConfigError(f"--criterion is given twice for {label}. Leave one out.")
            special[label] = Criterion.parse(criterion)
        elif general is not None:
            raise ConfigError(f"'{general}' and '{text}' are both for all labels. Name labels: 'racist:recall>=0.9'.")
        else:
            general = Criterion.parse(text)
    kinds = tuple(KINDS) if calibration == "auto" else (calibration,)
    shares = [_share(text, labels) for text in prevalences]
    if len(dict(shares)) < len(shares):
        raise ConfigError("--prevalence is given twice for one label. Leave one out.")
    return Plan(general or Criterion("f1"), special, kinds, dict(shares))


def _share(text: str, labels: LabelSet) -> tuple[str, float]:
    match = re.fullmatch(r"(.+?)=(\d*\.?\d+)(%?)", text)
    share = float(match[2]) / (100 if match[3] else 1) if match else 0.0
    if match is None or not 0 < share < 1:
        raise ConfigError(
            f"--prevalence is LABEL=SHARE with a share between 0 and 1, such as racist=0.5%; got '{text}'."
        )
    labels.column(match[1])  # refuses an unknown one
    return match[1], share


def _grid(found: FittedPolicy) -> Grid:
    from crossguard.cli.table import BANDS, bands
    from crossguard.evaluation.terminal import Grid, cell

    grid = Grid(
        f"policy {found.file.name} {found.file.version}: cross-validated metrics",
        ("label", "calibration", *BANDS, "in\nfeed", "precision", "recall", "F1", "in-sample\nF1"),
        "'in-sample F1' is measured on the posts of the fit. Where a prevalence stands under 'in feed', precision, "
        "recall and F1 are those at that prevalence.",
    )  # fmt: skip
    for label, rule in found.fitted.rules.items():
        grid.row(
            label,
            found.fitted.kinds[label],
            *bands(rule),
            "" if rule.prevalence is None else f"{rule.prevalence.target:.2%}",
            *(cell(found.feed[label][key]) for key in ("precision", "recall", "f1")),
            cell(found.feed_in_sample[label]["f1"]),
        )
    return grid
