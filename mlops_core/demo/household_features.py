"""The features of a household, week by week, as DuckDB SQL over the purchases.

Every table has one row per household and week, for each household seen up to that week; `as_of` is the
end of the week, and nothing later than it enters a row. The names end in the weeks they look back
(`spend_8w`), the current one included; a household that bought nothing in them has 0.
"""

from collections.abc import Iterable

import duckdb
import pyarrow as pa

from mlops_core.demo.departments import DEPARTMENTS
from mlops_core.demo.feature_tables import Feature, FeatureTable
from mlops_core.demo.purchases import FIRST_FEATURE_WEEK, LAST_FULL_WEEK, Purchases, open_purchases
from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import FeatureKind

__all__ = ["FEATURE_TABLES", "build_feature_tables"]

_DERIVED = FeatureKind.DERIVED


def build_feature_tables(
    purchases: Purchases,
    first_week: int = FIRST_FEATURE_WEEK,
    last_week: int = LAST_FULL_WEEK,
    tables: Iterable[FeatureTable] | None = None,
) -> dict[str, pa.Table]:
    """Compute feature tables for a span of weeks.

    Parameters
    ----------
    purchases
        The source tables.
    first_week, last_week
        The span, both ends included, within weeks 8 to 52.
    tables
        The tables wanted; all of `FEATURE_TABLES` by default.

    Returns
    -------
    dict of str to pyarrow.Table
        By table name; one row per household and week, ordered by week and household.

    Raises
    ------
    InvalidInput
        When the span is empty or reaches outside the weeks that have eight weeks behind them.
    """
    if not FIRST_FEATURE_WEEK <= first_week <= last_week <= LAST_FULL_WEEK:
        raise InvalidInput(
            f"features cannot be built for weeks {first_week} to {last_week}: "
            f"choose a span within {FIRST_FEATURE_WEEK} to {LAST_FULL_WEEK}"
        )
    wanted = FEATURE_TABLES if tables is None else tuple(tables)
    with open_purchases(purchases) as connection:
        return {table.name: _build(connection, table, first_week, last_week) for table in wanted}


def _build(
    connection: duckdb.DuckDBPyConnection, table: FeatureTable, first_week: int, last_week: int
) -> pa.Table:
    rows = connection.execute(table.sql, {"first_week": first_week, "last_week": last_week})
    return rows.to_arrow_table().cast(table.schema)


def _share(department: str, title: str) -> Feature:
    return Feature(
        f"share_{department}_8w",
        "float64",
        f"Part of the spend of the last 8 weeks that went to {title} (0 to 1)",
        _DERIVED,
        ("transactions.sales_value", "products.department"),
    )


def _answer(name: str, column: str, description: str) -> Feature:
    return Feature(
        name,
        "string",
        f"{description}; 'unknown' when not told",
        FeatureKind.PRIMARY,
        (f"demographics.{column}",),
    )


_ACTIVITY_SQL = """
WITH seen AS (
    SELECT household_id, min(week) AS first_week FROM transactions GROUP BY household_id
),
household_weeks AS (
    SELECT household_id, week, as_of
    FROM seen
    JOIN calendar ON week BETWEEN greatest(first_week, $first_week) AND $last_week
),
weekly AS (
    SELECT household_id, week, count(DISTINCT basket_id) AS baskets, sum(sales_value) AS spend
    FROM transactions
    GROUP BY household_id, week
)
SELECT
    now.household_id,
    now.week,
    now.as_of,
    coalesce(now.week - max(past.week), 8) AS recency_weeks,
    count(past.week) FILTER (past.week > now.week - 4) AS weeks_shopped_4w,
    count(past.week) AS weeks_shopped_8w,
    coalesce(sum(baskets) FILTER (past.week > now.week - 4), 0) AS baskets_4w,
    coalesce(sum(spend) FILTER (past.week > now.week - 4), 0) AS spend_4w,
    coalesce(sum(spend), 0) AS spend_8w,
    coalesce(sum(spend) / sum(baskets), 0) AS basket_value_8w
FROM household_weeks AS now
LEFT JOIN weekly AS past
    ON past.household_id = now.household_id AND past.week BETWEEN now.week - 7 AND now.week
GROUP BY now.household_id, now.week, now.as_of
ORDER BY now.week, now.household_id
"""

_DISCOUNTS_SQL = """
WITH seen AS (
    SELECT household_id, min(week) AS first_week FROM transactions GROUP BY household_id
),
household_weeks AS (
    SELECT household_id, week, as_of
    FROM seen
    JOIN calendar ON week BETWEEN greatest(first_week, $first_week) AND $last_week
),
weekly AS (
    SELECT
        household_id,
        week,
        sum(sales_value) AS spend,
        sum(retail_disc + coupon_match_disc) AS discount,
        sum(sales_value) FILTER (brand = 'Private') AS private_label,
        count(*) FILTER (coupon_disc > 0) AS coupons
    FROM transactions
    LEFT JOIN products USING (product_id)
    GROUP BY household_id, week
)
SELECT
    now.household_id,
    now.week,
    now.as_of,
    coalesce(sum(discount) / nullif(sum(spend + discount), 0), 0) AS discount_share_8w,
    coalesce(sum(private_label) / nullif(sum(spend), 0), 0) AS private_label_share_8w,
    coalesce(sum(coupons), 0) AS coupons_used_8w
FROM household_weeks AS now
LEFT JOIN weekly AS past
    ON past.household_id = now.household_id AND past.week BETWEEN now.week - 7 AND now.week
GROUP BY now.household_id, now.week, now.as_of
ORDER BY now.week, now.household_id
"""

_DEPARTMENTS_SQL = """
WITH seen AS (
    SELECT household_id, min(week) AS first_week FROM transactions GROUP BY household_id
),
household_weeks AS (
    SELECT household_id, week, as_of
    FROM seen
    JOIN calendar ON week BETWEEN greatest(first_week, $first_week) AND $last_week
),
weekly AS (
    SELECT household_id, week, department, sum(sales_value) AS spend
    FROM transactions
    LEFT JOIN products USING (product_id)
    GROUP BY household_id, week, department
),
mix AS (
    SELECT
        now.household_id,
        now.week,
        now.as_of,
        department,
        sum(spend) / nullif(sum(sum(spend)) OVER (PARTITION BY now.household_id, now.week), 0) AS share
    FROM household_weeks AS now
    LEFT JOIN weekly AS past
        ON past.household_id = now.household_id AND past.week BETWEEN now.week - 7 AND now.week
    GROUP BY now.household_id, now.week, now.as_of, department
)
SELECT
    household_id,
    week,
    as_of,
    coalesce(max(share) FILTER (department = 'GROCERY'), 0) AS share_grocery_8w,
    coalesce(max(share) FILTER (department = 'DRUG GM'), 0) AS share_drugstore_8w,
    coalesce(max(share) FILTER (department = 'PRODUCE'), 0) AS share_produce_8w,
    coalesce(max(share) FILTER (department = 'MEAT-PCKGD'), 0) AS share_packaged_meat_8w,
    coalesce(max(share) FILTER (department = 'MEAT'), 0) AS share_meat_8w,
    coalesce(max(share) FILTER (department = 'DELI'), 0) AS share_deli_8w,
    coalesce(max(share) FILTER (department = 'PASTRY'), 0) AS share_pastry_8w,
    coalesce(max(share) FILTER (department = 'FUEL'), 0) AS share_fuel_8w,
    coalesce(max(share) FILTER (department = 'NUTRITION'), 0) AS share_nutrition_8w,
    coalesce(max(share) FILTER (department = 'SEAFOOD-PCKGD'), 0) AS share_packaged_seafood_8w,
    coalesce(max(share) FILTER (department = 'SALAD BAR'), 0) AS share_salad_bar_8w,
    coalesce(max(share) FILTER (department = 'COSMETICS'), 0) AS share_cosmetics_8w,
    coalesce(max(share) FILTER (department = 'FLORAL'), 0) AS share_floral_8w,
    coalesce(max(share) FILTER (department = 'SEAFOOD'), 0) AS share_seafood_8w
FROM mix
GROUP BY household_id, week, as_of
ORDER BY week, household_id
"""

_DEMOGRAPHICS_SQL = """
WITH seen AS (
    SELECT household_id, min(week) AS first_week FROM transactions GROUP BY household_id
),
household_weeks AS (
    SELECT household_id, week, as_of
    FROM seen
    JOIN calendar ON week BETWEEN greatest(first_week, $first_week) AND $last_week
)
SELECT
    household_id,
    week,
    as_of,
    coalesce(age, 'unknown') AS age,
    coalesce(income, 'unknown') AS income,
    coalesce(household_size, 'unknown') AS household_size,
    coalesce(home_ownership, 'unknown') AS home_ownership,
    coalesce(marital_status, 'unknown') AS marital_status,
    coalesce(kids_count, 'unknown') AS kids
FROM household_weeks
LEFT JOIN demographics USING (household_id)
ORDER BY week, household_id
"""

_WEEK = ("transactions.week",)
_SPEND = ("transactions.sales_value",)
_SHELF_PRICE = ("transactions.sales_value", "transactions.retail_disc", "transactions.coupon_match_disc")

FEATURE_TABLES = (
    FeatureTable(
        "household_activity",
        "How recently, how often and for how much a household shops",
        _ACTIVITY_SQL,
        (
            Feature(
                "recency_weeks", "int64", "Weeks since the last shopping week, 8 at most", _DERIVED, _WEEK
            ),
            Feature("weeks_shopped_4w", "int64", "Weeks with a purchase among the last 4", _DERIVED, _WEEK),
            Feature("weeks_shopped_8w", "int64", "Weeks with a purchase among the last 8", _DERIVED, _WEEK),
            Feature(
                "baskets_4w", "int64", "Receipts in the last 4 weeks", _DERIVED, ("transactions.basket_id",)
            ),
            Feature("spend_4w", "float64", "Dollars spent in the last 4 weeks", _DERIVED, _SPEND),
            Feature("spend_8w", "float64", "Dollars spent in the last 8 weeks", _DERIVED, _SPEND),
            Feature(
                "basket_value_8w",
                "float64",
                "Basket size: dollars per receipt over the last 8 weeks",
                _DERIVED,
                ("transactions.sales_value", "transactions.basket_id"),
            ),
        ),
    ),
    FeatureTable(
        "household_discounts",
        "How much a household relies on discounts, store brands and coupons",
        _DISCOUNTS_SQL,
        (
            Feature(
                "discount_share_8w",
                "float64",
                "Part of the shelf price that the shop's discounts took off in the last 8 weeks (0 to 1)",
                _DERIVED,
                _SHELF_PRICE,
            ),
            Feature(
                "private_label_share_8w",
                "float64",
                "Part of the spend of the last 8 weeks that went to own brands, fuel included (0 to 1)",
                _DERIVED,
                ("transactions.sales_value", "products.brand"),
            ),
            Feature(
                "coupons_used_8w",
                "int64",
                "Receipt lines paid in part with a manufacturer's coupon in the last 8 weeks",
                _DERIVED,
                ("transactions.coupon_disc",),
            ),
        ),
    ),
    FeatureTable(
        "household_departments",
        "The mix of departments a household spends in",
        _DEPARTMENTS_SQL,
        tuple(_share(department.name, department.title) for department in DEPARTMENTS),
    ),
    FeatureTable(
        "household_demographics",
        "What a household told about itself; the same every week",
        _DEMOGRAPHICS_SQL,
        (
            _answer("age", "age", "Age band of the head of the household"),
            _answer("income", "income", "Yearly household income band, in dollars"),
            _answer("household_size", "household_size", "Persons in the household, 5+ at most"),
            _answer("home_ownership", "home_ownership", "Homeowner or renter"),
            _answer("marital_status", "marital_status", "Married or not"),
            _answer("kids", "kids_count", "Children in the household, 3+ at most"),
        ),
    ),
)
