"""A page of decisions for a person to look through: text masked, pictures blurred until one asks to see them.

The page is one file that opens offline, without scripts.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from crossguard.data.masking import mask
from crossguard.data.thumbnails import thumbnail
from crossguard.errors import ImageError
from crossguard.records import Decision, ImageSource, LabelDecision, Post

STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --allow: #2e7d4f; --review: #b26a00; --block: #b3261e; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem; align-items: start; }
article { border: 1px solid var(--line); border-radius: .6rem; padding: 1rem; }
header { display: flex; justify-content: space-between; gap: .5rem; font-weight: 600; }
.allow { color: var(--allow); } .review { color: var(--review); } .block { color: var(--block); }
.picture { display: block; overflow: hidden; border-radius: .4rem; margin: .6rem 0; cursor: pointer; }
.picture input { position: absolute; opacity: 0; }
.picture img { display: block; width: 100%; filter: blur(14px) grayscale(.6); }
.picture input:checked + img { filter: none; }
.picture input:focus-visible + img { outline: 3px solid Highlight; }
summary { cursor: pointer; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
td { padding: .1rem .25rem; } td:nth-child(2) { width: 45%; } td:nth-child(n+3) { text-align: right; }
.bar { position: relative; height: .6rem; border-radius: .3rem; background: var(--line); }
.bar i { position: absolute; inset: 0 auto 0 0; border-radius: .3rem; background: currentColor; }
.bar b { position: absolute; top: -.15rem; bottom: -.15rem; border-left: 2px solid; }
.flagged { font-weight: 700; }
footer, .small { font-size: .85rem; opacity: .8; }
"""


def gallery(posts: Sequence[Post], decisions: Sequence[Decision], title: str) -> str:
    """Builds the page.

    Args:
        posts: What was scored.
        decisions: One per post, in the same order.
        title: Heading of the page.

    Returns:
        A complete HTML document.
    """
    cards = "\n".join(_card(post, decision) for post, decision in zip(posts, decisions, strict=True))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>\n'
        f"<body><h1>{escape(title)}</h1>\n<p>Words of flagged posts are masked and pictures blurred. Select a picture, "
        f"or open the text, to see it. A person decides; these are suggestions.</p>\n<main>\n{cards}\n</main>\n"
        f"<footer><p>{escape(_versions(decisions))}</p></footer></body></html>\n"
    )


def _card(post: Post, decision: Decision) -> str:
    if decision.error is not None:
        return (
            f"<article><header><span>{escape(decision.id)}</span><span>not scored</span></header>"
            f"<p>{escape(decision.error.message)}</p></article>"
        )
    words = " / ".join(part for part in (post.text, post.image_text) if part)
    return (
        f'<article><header><span>{escape(decision.id)}</span><span class="{decision.action}">{decision.action}</span>'
        f"</header>{_picture(post.image)}{_text(words, decision)}{_scores(decision)}</article>"
    )


def _text(words: str, decision: Decision) -> str:
    if not words:
        return ""
    if not decision.flags:
        return f"<p>{escape(words)}</p>"
    return f"<details><summary>{escape(mask(words))}</summary><p>{escape(words)}</p></details>"


def _picture(source: ImageSource | None) -> str:
    if source is None:
        return ""
    try:
        url = thumbnail(source)
    except ImageError as error:
        return f'<p class="small">{escape(str(error))}</p>'
    return (
        '<label class="picture"><input type="checkbox" aria-label="Show the picture">'
        f'<img alt="Picture of the post, blurred" src="{url}"></label>'
    )


def _scores(decision: Decision) -> str:
    rows = "".join(_score(name, label) for name, label in decision.labels.items())
    return f"<table>{rows}</table>"


def _score(name: str, label: LabelDecision) -> str:
    flagged = ' class="flagged"' if label.flagged else ""
    bar = (
        f'<div class="bar {label.action}" title="flagged from {label.threshold:.2f}">'
        f'<i style="width:{label.score:.0%}"></i><b style="left:{label.threshold:.0%}"></b></div>'
    )
    return (
        f"<tr{flagged}><td>{escape(name)}</td><td>{bar}</td>"
        f'<td>{label.score:.2f}</td><td class="{label.action}">{label.action}</td></tr>'
    )


def _versions(decisions: Sequence[Decision]) -> str:
    if not any(decision.ok for decision in decisions):
        return "No post could be scored."
    first = decisions[0]
    return f"Model {first.model} {first.model_version}, policy {first.policy} {first.policy_version}."
