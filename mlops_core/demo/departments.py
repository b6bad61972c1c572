"""The departments of the shop that the demo describes and predicts, largest first."""

from dataclasses import dataclass

__all__ = ["DEPARTMENTS", "Department"]


@dataclass(frozen=True, slots=True)
class Department:
    """A department of the shop.

    Parameters
    ----------
    name
        Name in features and targets (`packaged_meat`); models spell it with hyphens.
    code
        Value of `products.department` ('MEAT-PCKGD').
    title
        The words for people ('packaged meat').
    """

    name: str
    code: str
    title: str


DEPARTMENTS = (
    Department("grocery", "GROCERY", "groceries"),
    Department("drugstore", "DRUG GM", "drugstore and household goods"),
    Department("produce", "PRODUCE", "fruit and vegetables"),
    Department("packaged_meat", "MEAT-PCKGD", "packaged meat"),
    Department("meat", "MEAT", "fresh meat"),
    Department("deli", "DELI", "delicatessen"),
    Department("pastry", "PASTRY", "bread and pastry"),
    Department("fuel", "FUEL", "fuel"),
    Department("nutrition", "NUTRITION", "health food"),
    Department("packaged_seafood", "SEAFOOD-PCKGD", "packaged seafood"),
    Department("salad_bar", "SALAD BAR", "salad-bar food"),
    Department("cosmetics", "COSMETICS", "cosmetics"),
    Department("floral", "FLORAL", "flowers"),
    Department("seafood", "SEAFOOD", "fresh seafood"),
)
