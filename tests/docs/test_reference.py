"""The pages of reference agree with the code."""

from __future__ import annotations

import re
from pathlib import Path

import crossguard
from crossguard.data.datasets.registry import DATASETS
from crossguard.records import Action, Decision, LabelDecision
from crossguard.registry import shipped
from crossguard.results import Results
from crossguard.schema import KEYS, DecisionRecord, Names, columns

PAGES = Path(__file__).resolve().parents[2] / "docs" / "reference"
LABEL = LabelDecision(0.25, 0.5, flagged=False, action=Action.ALLOW)


def test_every_public_name_is_on_the_page_of_the_python_interface() -> None:
    page = (PAGES / "python.md").read_text(encoding="utf-8")
    assert [name for name in crossguard.__all__ if not re.search(rf"\b{name}\b", page)] == []
    own = {name for kind in (Decision, Results) for name in vars(kind) if not name.startswith("_")}
    shown = own - {"id", "text_weight", "input", "digest", "schema_version"}
    assert sorted(name for name in shown if f"{name}" not in page) == []


def test_every_key_of_a_record_is_described_as_the_schema_says() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", (PAGES / "decision.md").read_text(), re.MULTILINE))
    assert rows == {key: field.description for key, field in DecisionRecord.model_fields.items()}


def test_a_decision_is_a_record_of_the_schema() -> None:
    decision = Decision("a", {"spam": LABEL}, Action.ALLOW, 0.5, "m", "1", "p", "1", digest="x", input={"likes": 3})
    record = decision.to_dict()
    assert list(record) == [key for key in KEYS if key not in {"attributes", "decided_by", "language", "window"}], (
        "empty keys are left out"
    )
    assert DecisionRecord.model_validate(record).model_dump(mode="json", exclude_defaults=True) == record
    assert Decision.from_dict(record) == decision


def test_columns_follow_from_the_schema() -> None:
    names = [column.name for column in columns(Names(("spam",), ("text",)))]
    assert names[:8] == [
        "id",
        "schema_version",
        "status",
        "action",
        "flags",
        "score_spam",
        "threshold_spam",
        "action_spam",
    ]
    assert {"text_weight", "image_weight", "error_code", "error_message", "runtime", "input_text"} <= set(names)
    assert Names.of(names) == Names(["spam"], ["text"], [])


def test_every_file_of_the_shipped_bundle_is_on_its_page() -> None:
    page = (PAGES / "bundle.md").read_text(encoding="utf-8")
    assert [path.name for path in shipped()["compact"].iterdir() if f"`{path.name}`" not in page] == []


def test_every_folder_of_the_cache_is_on_its_page() -> None:
    page = (PAGES / "environment.md").read_text(encoding="utf-8")
    sources = [path.read_text(encoding="utf-8") for path in Path(crossguard.__file__).parent.rglob("*.py")]
    folders = {name for source in sources for name in re.findall(r'cache_folder\(\)\)? / "(\w+)"', source)}
    assert "compiled" in folders
    assert sorted(name for name in folders if f"`{name}`" not in page) == []


def test_every_dataset_is_on_its_page() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| (.+) \| (.+) \|$", (PAGES / "datasets.md").read_text("utf-8"), re.MULTILINE)
    assert rows == [(one.name, one.source, one.layout) for _, one in sorted(DATASETS.items())]


def test_every_code_of_the_service_is_on_its_page() -> None:
    page = (PAGES / "http.md").read_text(encoding="utf-8")
    sources = Path(crossguard.__file__).with_name("serving").rglob("*.py")
    codes = {code.lower() for path in sources for code in re.findall(r'code="(\w+)"', path.read_text(encoding="utf-8"))}
    assert sorted(code for code in codes - {"post_unscorable"} if f"`{code}`" not in page) == []
