#!/usr/bin/env python3
"""Averages the weights of two compact bundles that scripts/correct_encoder.py made from the same one.

Usage: scripts/average_bundles.py BUNDLE OTHER OUT TABLE [TABLE ...]

What both know stays, and each forgets other things (Wortsman et al., Model soups, 2022). OUT gets a copy of BUNDLE with
the averaged graphs; posts of the tables, whose labels are not read, calibrate the encoder's 8 bits. A minute.
"""

from __future__ import annotations

from typing import Final

import torch
from correct_compact import copy_with, posts_of, read_arguments
from correct_encoder import Student

from crossguard.export.quantize import EXAMPLES
from crossguard.moderator import Moderator

# Of each table.
POSTS: Final = 100


def main() -> None:
    """Reads the command line."""
    arguments = read_arguments(__doc__, "bundle", "other")
    model = Moderator.load(arguments.bundle)
    student, other = Student(model), Student(Moderator.load(arguments.other))
    with torch.no_grad():
        for mine, theirs in zip(student.fusion.module.parameters(), other.fusion.module.parameters(), strict=True):
            mine.lerp_(theirs, 0.5)
    posts = [post for post in posts_of(arguments.tables, POSTS) if post.text]
    known = [post.texts[0].ids for post in model.prepare_all(posts) if post.error is None and post.texts]
    examples = known[:: max(1, len(known) // EXAMPLES)]
    copy_with(model.bundle, arguments.out, lambda folder: student.write(folder, examples))


if __name__ == "__main__":
    main()
