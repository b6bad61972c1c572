"""The feature catalogue against the store in plain SQL."""

from __future__ import annotations

import pytest

from mlops_core.domain.states import FeatureKind
from mlops_core.workspace import Workspace
from tests.demo_workspace import Facts
from tests.pages.screen import headline, instructions, numbers, open_page, parts, table

USERS = """
SELECT f.name, count(DISTINCT v.model_id)
FROM feature AS f
LEFT JOIN (feature_use AS u JOIN model_version AS v ON v.id = u.model_version_id AND v.stage = 'production')
    ON u.feature_id = f.id
GROUP BY f.name
"""


def test_the_catalogue_holds_every_feature_with_the_models_that_use_it(
    console: Workspace, demo_facts: Facts
) -> None:
    screen = open_page("features")

    lines = table(screen, "features")
    assert dict(zip(lines["name"], lines["used"], strict=True)) == dict(demo_facts.rows(USERS))
    features, tables = demo_facts.rows(
        "SELECT (SELECT count(*) FROM feature), (SELECT count(*) FROM feature_table)"
    )[0]
    assert numbers(headline(screen)) == [features, tables]


@pytest.mark.parametrize("kind", list(FeatureKind))
def test_a_kind_shows_as_many_features_as_there_are(
    console: Workspace, demo_facts: Facts, kind: FeatureKind
) -> None:
    names = {name for (name,) in demo_facts.rows("SELECT name FROM feature WHERE kind = ?", kind)}

    screen = open_page("features")
    screen.button_group(key="kind").set_value(kind).run()

    assert set(table(screen, "features")["name"]) == names
    label = screen.button_group(key="kind").options[list(FeatureKind).index(kind)]
    assert numbers(label) == [len(names)]


def test_a_search_needs_all_its_words_anywhere_in_name_description_or_source(
    console: Workspace, demo_facts: Facts
) -> None:
    screen = open_page("features")

    screen.text_input(key="search").set_value("8 SPEND").run()

    found = set(table(screen, "features")["name"])
    stored = demo_facts.rows(
        """
        SELECT f.name
        FROM feature AS f
        JOIN feature_table AS t ON t.id = f.feature_table_id
        LEFT JOIN feature_input AS i ON i.feature_id = f.id
        LEFT JOIN model AS m ON m.id = i.model_id
        GROUP BY f.name, f.description, t.name, f.kind
        HAVING contains(lower(concat_ws(' ', f.name, f.description, t.name, f.kind,
                string_agg(concat_ws(' ', i.source_column, m.name), ' '))), 'spend')
            AND contains(lower(concat_ws(' ', f.name, f.description, t.name, f.kind,
                string_agg(concat_ws(' ', i.source_column, m.name), ' '))), '8')
        """
    )
    assert found == {name for (name,) in stored}
    assert 0 < len(found) < 31


def test_a_link_opens_one_feature_with_its_lineage(console: Workspace, demo_facts: Facts) -> None:
    sources = demo_facts.rows(
        "SELECT i.source_column FROM feature_input AS i JOIN feature AS f ON f.id = i.feature_id "
        "WHERE f.name = 'discount_share_8w'"
    )

    text = parts(open_page("features", feature="discount_share_8w"))

    assert "**discount_share_8w**" in text
    assert sources
    assert all(source in text for (source,) in sources)


def test_a_feature_that_a_model_predicts_names_the_model(console: Workspace) -> None:
    assert "customer-segmentation" in parts(open_page("features", feature="segment"))


def test_a_search_without_result_says_what_to_do(console: Workspace) -> None:
    screen = open_page("features", search="quux")

    assert instructions(screen)
    assert not screen.dataframe
