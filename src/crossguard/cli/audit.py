"""`crossguard audit`: unintended bias per group, counterfactual swaps, functional suites."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
from crossguard.cli.progress import Bar
from crossguard.cli.telling import tell
from crossguard.errors import needs_extra
from crossguard.registry import refuse_bundle
from crossguard.saving import check_folder_takes


@click.command("audit")
@click.argument("data", type=PATH, required=False)
@model_option
@click.option("--policy", default="default", show_default=True, help="A policy of the bundle, or a YAML file.")
@click.option(
    "--group-column", "columns", multiple=True, help="Column of DATA that names groups; else by identity terms."
)
@click.option(
    "--label",
    default="any",
    show_default=True,
    help="What to audit in DATA and in swapped sentences: a label, or any. Phrases and suites are measured as any.",
)
@click.option("--madlibs", type=PATH, help="CSV of template phrases (phrase, toxicity).")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=0,
    help="Use at most this many template phrases, drawn at random; 0 for all.",
)
@click.option(
    "--suite", "suites", multiple=True, help="CSV of a functional suite, or 'hatecheck' to fetch it from the Hub."
)
@click.option(
    "--evasion", is_flag=True, help="Disguise the texts of DATA and of suites, and count what is still found."
)
@click.option(
    "--evasion-posts",
    type=click.IntRange(min=1),
    default=300,
    show_default=True,
    help="Use at most this many hateful and this many harmless posts.",
)
@click.option(
    "--swaps",
    type=click.IntRange(min=0),
    default=200,
    show_default=True,
    help="Number of sentences of DATA in which identities are swapped.",
)
@annotated_options
@hateful_option
@resampling_options(200)
@out_option(type=PATH, help="Folder for audit.json and audit.html.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(
    *,
    data: Path | None,
    model: str,
    policy: str,
    columns: tuple[str, ...],
    label: str,
    madlibs: Path | None,
    limit: int,
    suites: tuple[str, ...],
    evasion: bool,
    evasion_posts: int,
    swaps: int,
    rounds: int,
    seed: int,
    out: Path | None,
    as_json: bool,
    **reading: Any,
) -> None:
    """Find groups for which a model makes more mistakes. Without DATA, identities are swapped in built-in sentences.

    \b
    crossguard audit
    crossguard audit posts.parquet --split test --out runs/audit
    crossguard audit --suite hatecheck.csv --madlibs en_sentence_templates.csv
    crossguard audit posts.csv --evasion
    """
    if data is None:
        refuse_idle((*reading, "columns", "swaps"), "without DATA")
    if madlibs is None:
        refuse_idle(("limit",), "without --madlibs")
    if not evasion:
        refuse_idle(("evasion_posts",), "without --evasion")
    with needs_extra("Auditing", "evaluate"):
        from crossguard.evaluation.annotated import read_annotated
        from crossguard.evaluation.audit.robustness import EvasionTest
        from crossguard.evaluation.audit.running import AUDIT, AuditRequest, audit, write_audit
        from crossguard.evaluation.audit.suites import fetch_hatecheck, read_phrases, read_suite
        from crossguard.evaluation.audit.terminal import show_audit
        from crossguard.evaluation.estimates import plain
        from crossguard.evaluation.report.pages import write_audit_page
    from crossguard.cli.table import terminal
    from crossguard.loading import load

    if out is not None:
        refuse_bundle(out)
        check_folder_takes(out / AUDIT)
    moderator = load(model, policy=policy)
    labels = moderator.labels.names
    bar = Bar(posts="scoring")
    test = EvasionTest(label, evasion_posts, rounds, seed, lambda name: bar.move(None, None, f"in disguise: {name}"))
    request = AuditRequest(
        posts=None if data is None else read_annotated(data, labels, **reading),
        group_columns=columns,
        question=label,
        madlibs=read_phrases(madlibs, labels, limit, seed) if madlibs else None,
        suites=tuple(read_suite(fetch_hatecheck() if name == "hatecheck" else Path(name), labels) for name in suites),
        evasion=test if evasion else None,
        swaps=swaps,
        rounds=rounds,
        seed=seed,
        command=typed(),
    )
    with bar:
        found = audit(moderator, request)
    instead = in_place_of(out, AUDIT)
    if out is not None:  # before anything is shown: who reads it in `| head` goes away early
        write_audit(found, out)
        write_audit_page(found, out / "audit.html")
    if as_json:
        click.echo(json.dumps(plain(found), indent=2))
    else:
        show_audit(found, terminal())
    if out is not None:
        tell(f"Wrote {AUDIT} and audit.html to {out}{instead}")
