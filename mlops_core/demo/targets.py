"""What really happened after a week: the outcomes that the demo's models predict.

An outcome of week `w` looks at the weeks `w + 1` to `w + horizon` and is known when the last of them
ends. Every household seen up to week `w` has one.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from mlops_core.demo.departments import DEPARTMENTS
from mlops_core.demo.purchases import FIRST_WEEK, LAST_FULL_WEEK, Purchases, open_purchases
from mlops_core.domain.errors import NotFound
from mlops_core.domain.states import ProblemType

__all__ = ["SPEND_DEPARTMENTS", "TARGETS", "Target", "all_targets", "target"]


@dataclass(frozen=True, slots=True)
class Target:
    """An outcome of a household and week.

    Parameters
    ----------
    name
        Unique name; it ends in the horizon.
    description
        One line for people.
    kind
        Binary (0 or 1, int64) or regression (float64).
    horizon_weeks
        Weeks that it looks ahead.
    """

    name: str
    description: str
    kind: ProblemType
    horizon_weeks: int

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of its table."""
        return pa.schema(
            [
                ("household_id", pa.int64()),
                ("week", pa.int64()),
                ("outcome", pa.int64() if self.kind == ProblemType.BINARY else pa.float64()),
                ("known_week", pa.int64()),
            ]
        )


SPEND_DEPARTMENTS = {
    department.name: department.title
    for department in DEPARTMENTS
    if department.name in ("produce", "meat", "fuel", "drugstore")
}
"""The departments whose spend is a target, by name, with the words for people."""

TARGETS = (
    Target("shops_3_of_next_4w", "Shops in at least 3 of the next 4 weeks", ProblemType.BINARY, 4),
    Target("shops_never_next_4w", "Does not shop in the next 4 weeks", ProblemType.BINARY, 4),
    Target("uses_coupon_next_4w", "Uses a manufacturer's coupon in the next 4 weeks", ProblemType.BINARY, 4),
    Target(
        "prefers_private_label_next_4w",
        "Spends at least a third on the shop's own brands (fuel included) in the next 4 weeks",
        ProblemType.BINARY,
        4,
    ),
    Target(
        "seeks_discounts_next_4w",
        "Saves at least a fifth of the shelf price through the shop's discounts in the next 4 weeks",
        ProblemType.BINARY,
        4,
    ),
    Target("spend_next_4w", "Dollars spent in the next 4 weeks", ProblemType.REGRESSION, 4),
    Target("baskets_next_4w", "Receipts in the next 4 weeks", ProblemType.REGRESSION, 4),
    Target("shops_every_week_next_4w", "Shops in each of the next 4 weeks", ProblemType.BINARY, 4),
    Target("spends_200_next_4w", "Spends 200 dollars or more in the next 4 weeks", ProblemType.BINARY, 4),
    Target(
        "brings_8_baskets_next_4w", "Brings 8 or more receipts in the next 4 weeks", ProblemType.BINARY, 4
    ),
    Target(
        "uses_3_coupons_next_4w",
        "Uses 3 or more manufacturer's coupons in the next 4 weeks",
        ProblemType.BINARY,
        4,
    ),
    Target(
        "saves_next_4w",
        "Dollars saved through the shop's discounts in the next 4 weeks",
        ProblemType.REGRESSION,
        4,
    ),
    Target(
        "own_brands_next_4w", "Dollars spent on own brands in the next 4 weeks", ProblemType.REGRESSION, 4
    ),
    *(
        Target(
            f"spend_{name}_next_4w",
            f"Dollars spent on {title} in the next 4 weeks",
            ProblemType.REGRESSION,
            4,
        )
        for name, title in SPEND_DEPARTMENTS.items()
    ),
    *(
        Target(f"buys_{department.name}_next_1w", f"Buys {department.title} next week", ProblemType.BINARY, 1)
        for department in DEPARTMENTS
    ),
)

_NEXT_4_WEEKS_SQL = """
WITH seen AS (
    SELECT household_id, min(week) AS first_week FROM transactions GROUP BY household_id
),
household_weeks AS (
    SELECT household_id, week FROM seen JOIN calendar ON week BETWEEN first_week AND $last_week - 4
),
weekly AS (
    SELECT
        household_id,
        week,
        count(DISTINCT basket_id) AS baskets,
        sum(sales_value) AS spend,
        sum(retail_disc + coupon_match_disc) AS discount,
        sum(sales_value) FILTER (brand = 'Private') AS private_label,
        count(*) FILTER (coupon_disc > 0) AS coupons,
        sum(sales_value) FILTER (department = 'PRODUCE') AS produce,
        sum(sales_value) FILTER (department = 'MEAT') AS meat,
        sum(sales_value) FILTER (department = 'FUEL') AS fuel,
        sum(sales_value) FILTER (department = 'DRUG GM') AS drugstore
    FROM transactions
    LEFT JOIN products USING (product_id)
    GROUP BY household_id, week
)
SELECT
    now.household_id,
    now.week,
    now.week + 4 AS known_week,
    count(future.week) >= 3 AS shops_3_of_next_4w,
    count(future.week) = 0 AS shops_never_next_4w,
    coalesce(sum(coupons), 0) > 0 AS uses_coupon_next_4w,
    coalesce(sum(private_label) * 3 >= sum(spend) AND sum(spend) > 0, FALSE) AS prefers_private_label_next_4w,
    coalesce(
        sum(discount) * 5 >= sum(spend + discount) AND sum(spend + discount) > 0, FALSE
    ) AS seeks_discounts_next_4w,
    coalesce(sum(spend), 0) AS spend_next_4w,
    coalesce(sum(baskets), 0) AS baskets_next_4w,
    count(future.week) = 4 AS shops_every_week_next_4w,
    coalesce(sum(spend), 0) >= 200 AS spends_200_next_4w,
    coalesce(sum(baskets), 0) >= 8 AS brings_8_baskets_next_4w,
    coalesce(sum(coupons), 0) >= 3 AS uses_3_coupons_next_4w,
    coalesce(sum(discount), 0) AS saves_next_4w,
    coalesce(sum(private_label), 0) AS own_brands_next_4w,
    coalesce(sum(produce), 0) AS spend_produce_next_4w,
    coalesce(sum(meat), 0) AS spend_meat_next_4w,
    coalesce(sum(fuel), 0) AS spend_fuel_next_4w,
    coalesce(sum(drugstore), 0) AS spend_drugstore_next_4w
FROM household_weeks AS now
LEFT JOIN weekly AS future
    ON future.household_id = now.household_id AND future.week BETWEEN now.week + 1 AND now.week + 4
GROUP BY now.household_id, now.week
ORDER BY now.week, now.household_id
"""

_NEXT_WEEK_SQL = """
WITH seen AS (
    SELECT household_id, min(week) AS first_week FROM transactions GROUP BY household_id
),
household_weeks AS (
    SELECT household_id, week FROM seen JOIN calendar ON week BETWEEN first_week AND $last_week - 1
),
weekly AS (
    SELECT DISTINCT household_id, week, department
    FROM transactions
    JOIN products USING (product_id)
)
SELECT
    now.household_id,
    now.week,
    now.week + 1 AS known_week,
    count(*) FILTER (department = 'GROCERY') > 0 AS buys_grocery_next_1w,
    count(*) FILTER (department = 'DRUG GM') > 0 AS buys_drugstore_next_1w,
    count(*) FILTER (department = 'PRODUCE') > 0 AS buys_produce_next_1w,
    count(*) FILTER (department = 'MEAT-PCKGD') > 0 AS buys_packaged_meat_next_1w,
    count(*) FILTER (department = 'MEAT') > 0 AS buys_meat_next_1w,
    count(*) FILTER (department = 'DELI') > 0 AS buys_deli_next_1w,
    count(*) FILTER (department = 'PASTRY') > 0 AS buys_pastry_next_1w,
    count(*) FILTER (department = 'FUEL') > 0 AS buys_fuel_next_1w,
    count(*) FILTER (department = 'NUTRITION') > 0 AS buys_nutrition_next_1w,
    count(*) FILTER (department = 'SEAFOOD-PCKGD') > 0 AS buys_packaged_seafood_next_1w,
    count(*) FILTER (department = 'SALAD BAR') > 0 AS buys_salad_bar_next_1w,
    count(*) FILTER (department = 'COSMETICS') > 0 AS buys_cosmetics_next_1w,
    count(*) FILTER (department = 'FLORAL') > 0 AS buys_floral_next_1w,
    count(*) FILTER (department = 'SEAFOOD') > 0 AS buys_seafood_next_1w
FROM household_weeks AS now
LEFT JOIN weekly AS future ON future.household_id = now.household_id AND future.week = now.week + 1
GROUP BY now.household_id, now.week
ORDER BY now.week, now.household_id
"""

_SQL = {1: _NEXT_WEEK_SQL, 4: _NEXT_4_WEEKS_SQL}


def target(purchases: Purchases, name: str, weeks: Iterable[int]) -> pa.Table:
    """Compute one outcome for the households of some weeks.

    Parameters
    ----------
    purchases
        The source tables.
    name
        The name of one of `TARGETS`.
    weeks
        The weeks asked for; those whose horizon ends after week 52 give no rows.

    Returns
    -------
    pyarrow.Table
        `household_id`, `week`, `outcome`, `known_week`, ordered by week and household.

    Raises
    ------
    NotFound
        When there is no such target.
    """
    return all_targets(purchases, weeks, (name,))[name]


def all_targets(
    purchases: Purchases, weeks: Iterable[int], names: Iterable[str] | None = None
) -> dict[str, pa.Table]:
    """Compute several outcomes, with one pass over the purchases for each horizon.

    Parameters
    ----------
    purchases
        The source tables.
    weeks
        As in `target`.
    names
        The targets wanted; all by default.

    Returns
    -------
    dict of str to pyarrow.Table
        By target name, each as `target` returns it.

    Raises
    ------
    NotFound
        When there is no such target.
    """
    wanted = TARGETS if names is None else tuple(_declared(name) for name in names)
    asked = pa.array(sorted({week for week in weeks if FIRST_WEEK <= week <= LAST_FULL_WEEK}), pa.int64())
    outcomes: dict[int, pa.Table] = {}
    with open_purchases(purchases) as connection:
        for horizon in {wish.horizon_weeks for wish in wanted}:
            rows = connection.execute(_SQL[horizon], {"last_week": LAST_FULL_WEEK}).to_arrow_table()
            outcomes[horizon] = rows.filter(pc.is_in(rows["week"], value_set=asked))
    return {wish.name: _select(outcomes[wish.horizon_weeks], wish) for wish in wanted}


def _select(outcomes: pa.Table, wish: Target) -> pa.Table:
    columns = outcomes.select(["household_id", "week", wish.name, "known_week"])
    return columns.rename_columns(["household_id", "week", "outcome", "known_week"]).cast(wish.schema)


def _declared(name: str) -> Target:
    for candidate in TARGETS:
        if candidate.name == name:
            return candidate
    raise NotFound(f"target '{name}' does not exist: choose one of {', '.join(t.name for t in TARGETS)}")
