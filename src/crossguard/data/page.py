"""A page of decisions for a person to look through: sorted and filtered in the browser, without a server.

One file that opens offline. Words of flagged posts are masked and images blurred until one asks to see them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from html import escape
from pathlib import Path
from string import Template
from typing import Any, Final

from crossguard.data.image_limits import ImageLimits
from crossguard.data.masking import mask
from crossguard.errors import ImageError, number_of
from crossguard.records import Decision, Post
from crossguard.registry import RESOURCES
from crossguard.saving import telling_of

IMAGES: Final = "thumbnails"
NO_IMAGE: Final = "thumbnail_error"
# A browser reads no text of more than 512 MB, and the script of the page each of these blocks on its own.
_ROWS_PER_BLOCK: Final = 500
_BLOCKS: Final = "$blocks\n"
_QUOTED: Final = re.compile("'.*'", re.DOTALL)


def with_post(
    decision: Decision, post: Post, image_root: Path | None = None, image_limits: ImageLimits | None = None
) -> Decision:
    """Returns a decision that carries what a page shows of its post: both texts and small copies of its images.

    Images are found and bounded as they were where the post was scored; relative paths start from the working folder,
    and the bounds are the usual ones, when None.
    """
    shown: dict[str, Any] = {"text": post.text, "image_text": post.image_text, IMAGES: []}
    if post.images:
        from crossguard.data.images import thumbnail

        for image in post.images:
            try:
                shown[IMAGES].append(thumbnail(image, image_root, image_limits or ImageLimits()))
            except ImageError as error:  # its message names the file
                shown[NO_IMAGE] = "" if decision.error else f"An image cannot be shown ({error.code})."
    return replace(decision, input={**decision.input, **{key: value for key, value in shown.items() if value}})


def page(decisions: Iterable[Decision], title: str) -> str:
    """Returns a complete HTML document; posts are shown as far as `with_post` or `--keep` put them beside decisions."""
    return "".join(_parts(decisions, title))


def write_page(decisions: Iterable[Decision], path: Path, title: str = "") -> None:
    """Writes the page of a file of results, and its folder where there is none, in constant memory.

    Raises:
        OutputError: It cannot be written.
    """
    own = path.with_name(path.name.removeprefix(".").removesuffix(".unfinished"))
    with telling_of(own):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w", encoding="utf-8", errors="backslashreplace")  # as `save_text`
    try:
        for part in _parts(decisions, title or own.name):
            with telling_of(own):  # and of nothing that cannot be read
                file.write(part)
    finally:
        with telling_of(own):
            file.close()


def _parts(decisions: Iterable[Decision], title: str) -> Iterator[str]:
    """Yields a document piece by piece: its data come before what counts them."""
    script = _part("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    head, tail = map(Template, _part("page.html").split(_BLOCKS))
    yield head.substitute(title=escape(title), digest=digest, style=_part("page.css"))
    actions, versions = Counter[str](), Counter[str]()
    yield from _blocks(decisions, actions, versions)
    counts = ", ".join(f"{count:,} {action}" for action, count in actions.most_common())
    yield tail.substitute(
        summary=f"{number_of(actions.total(), 'post')}: {counts or 'none'}.",
        versions=escape(" ".join(versions)),
        script=script,
    )


def _blocks(decisions: Iterable[Decision], actions: Counter[str], versions: Counter[str]) -> Iterator[str]:
    """Yields the data of posts and of their images, and counts the posts."""
    rows: list[dict[str, Any]] = []
    images = 0
    for decision in decisions:
        row = _row(decision)
        shown = decision.input.get(IMAGES)
        if shown and isinstance(shown, list):  # and no column of this name that the results kept
            row["images"] = images
            yield _block(shown, f'id="images-{images}"')
            images += 1
        rows.append(row)
        actions[row["action"]] += 1
        model, policy = f"{decision.model} {decision.model_version}", f"{decision.policy} {decision.policy_version}"
        versions[f"Model {model}, policy {policy}."] += 1
        if len(rows) == _ROWS_PER_BLOCK:
            yield _block(rows, 'class="rows"')
            rows = []
    if rows:
        yield _block(rows, 'class="rows"')


def _block(value: Any, attribute: str) -> str:
    """Returns a line of data for the script of the page, which reads it when it is shown."""
    # "</script>" in a post must not end the element.
    data = json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")
    return f'<script type="application/json" {attribute}>{data}</script>\n'


def _row(decision: Decision) -> dict[str, Any]:
    given = decision.input
    text, words = str(given.get("text") or ""), str(given.get("image_text") or "")
    row: dict[str, Any] = {
        "id": decision.id,
        "action": str(decision.action or decision.status),
        "labels": {
            name: [round(label.score, 4), round(label.threshold, 4), label.action.value, label.flagged]
            for name, label in decision.labels.items()
        },
        "asked_by": {name: round(score, 4) for name, score in decision.asking_attributes.items()},
        "text": text,
        "words": words,
        "no_image": given.get(NO_IMAGE),
        "error": decision.error and decision.error.message,
    }
    if decision.is_doubtful:
        row |= {"masked": mask(text), "masked_words": mask(words)}
    if decision.error:  # which quotes the name of a file, as its author chose it
        row["masked_error"] = _QUOTED.sub(lambda name: mask(name[0]), decision.error.message)
    return {key: value for key, value in row.items() if value or key == "labels"}


def _part(name: str) -> str:
    return (RESOURCES / "page" / name).read_text(encoding="utf-8")
