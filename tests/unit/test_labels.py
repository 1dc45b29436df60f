from __future__ import annotations

import pytest

from crossguard.errors import ConfigError
from crossguard.labels import HATE, UNION, LabelSet, perspective_names


def test_the_order_of_the_columns_is_that_of_the_reference() -> None:
    assert HATE.names == ("racist", "sexist", "homophobe", "religion", "otherhate")
    assert [label.prior for label in HATE] == [0.3263, 0.1205, 0.0764, 0.0153, 0.1562]
    assert HATE.column("religion") == 3


def test_a_misspelt_label_gets_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'racist'"):
        HATE.column("rascist")
    with pytest.raises(ConfigError, match="Unknown label 'x'"):
        HATE.column("x")


def test_names_must_differ_and_exist() -> None:
    with pytest.raises(ConfigError, match="given twice: a"):
        LabelSet.of("a", "b", "a")
    with pytest.raises(ConfigError, match="at least one"):
        LabelSet.of()


def test_perspectives_names_have_a_union_only_where_a_label_is_a_kind_of_hate() -> None:
    assert perspective_names(LabelSet.of("racist"), ["toxicity", "identity_attack"]) == (UNION, "TOXICITY", "RACIST")
    assert perspective_names(LabelSet.of("spam"), ["toxicity"]) == ("TOXICITY", "SPAM")
