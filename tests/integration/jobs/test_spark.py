"""The ten lines for Spark of docs/how-to/score-many-files.md, as they stand there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

import crossguard

# `make install` brings it where Java is.
pyspark = pytest.importorskip("pyspark", reason="Spark is not here; with Java 17, make install brings it")

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "score-many-files.md"


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_spark_scores_what_python_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyspark.sql import SparkSession

    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")  # or it asks for the name of the machine, for minutes
    (block,) = [
        body for body in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "mapInPandas" in body
    ]
    texts = ["good morning", "i hate you all", "", "what a lovely day"]
    (tmp_path / "in").mkdir()
    parquet.write_table(pa.table({"id": list("abcd"), "text": texts}), tmp_path / "in" / "posts.parquet")
    code = block.replace("s3a://bucket/posts/", f"{tmp_path}/in").replace("s3a://bucket/decisions/", f"{tmp_path}/out")
    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "1",
        "spark.driver.bindAddress": "127.0.0.1",
    }
    builder = SparkSession.builder.master("local[1]")
    for name, value in settings.items():
        builder = builder.config(f"spark.{name}", value)
    spark = builder.getOrCreate()
    try:
        exec(compile(code, str(PAGE), "exec"), {"spark": spark, "__name__": "__main__"})  # noqa: S102 - our own page
    finally:
        spark.stop()
    rows = parquet.read_table(tmp_path / "out").to_pylist()
    expected = crossguard.load("compact").score(
        [{"id": name, "text": text} for name, text in zip("abcd", texts, strict=True)]
    )
    assert [row["id"] for row in rows] == [decision.id for decision in expected]
    assert [row["action"] for row in rows] == [decision.action and decision.action.value for decision in expected]
    assert [row["flags"] for row in rows] == [list(decision.flags) for decision in expected]
    assert rows[2]["error_code"] == "post_empty"
    assert rows[1]["score_otherhate"] == pytest.approx(expected[1].scores["otherhate"], abs=1e-4)
