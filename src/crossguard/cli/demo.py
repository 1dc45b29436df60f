"""`crossguard demo`: score a dozen sample posts and write an HTML report."""

from __future__ import annotations

from pathlib import Path

import click

from crossguard.cli.options import out_option
from crossguard.data.tables import PostReader
from crossguard.records import Post
from crossguard.registry import RESOURCES
from crossguard.saving import save_text


@click.command("demo")
@click.option("--model", default="compact", show_default=True, help="Name, folder or Hub id of a model.")
@click.option("--policy", default="default", show_default=True, help="A policy of the model, or a YAML file.")
@out_option(
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("crossguard-demo"),
    show_default=True,
    help="Folder of the report.",
)
@click.option("--show-text", is_flag=True, help="Do not mask the words of flagged posts.")
def command(model: str, policy: str, out: Path, show_text: bool) -> None:
    """Score a dozen sample posts and write an HTML report with blurred images.

    The posts were written and drawn for this purpose. Nothing is downloaded and nothing is opened.
    """
    from crossguard.cli.table import DecisionTable, console
    from crossguard.loading import load

    posts = sample_posts()
    moderator = load(model, policy=policy)
    results = moderator.score(posts)
    table = DecisionTable(console(), show_text=show_text)
    for post, decision in zip(posts, results, strict=True):
        table.add(post, decision)
    table.flush()
    report = out / "report.html"
    save_text(report, results.to_html(title=f"{moderator.bundle.manifest.model.name} on twelve sample posts"))
    click.echo(f"Report with blurred images: {report}")


def sample_posts() -> list[Post]:
    """Returns the posts of the demo; their images lie inside the package."""
    return list(PostReader(RESOURCES / "demo" / "posts.jsonl"))
