from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from crossguard.bundle import Bundle
from crossguard.cli.demo import command, sample_posts


def test_a_dozen_posts_with_their_pictures_are_in_the_package() -> None:
    posts = sample_posts()
    assert len(posts) == 12
    assert all(Path(str(post.image)).is_file() for post in posts if post.image is not None)
    assert sum(post.image is not None for post in posts) == 4


def test_the_demo_prints_a_table_and_writes_a_page(tiny_bundle: Bundle, tmp_path: Path) -> None:
    done = CliRunner().invoke(command, ["--model", str(tiny_bundle.folder), "--output", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert all(post.id in done.output for post in sample_posts())
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count('"labels":') == 12
    assert page.count("data:image/jpeg;base64,") == 4
    assert "filter: blur" in page
    assert "http://" not in page
    assert "https://" not in page
