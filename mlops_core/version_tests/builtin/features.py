"""Whether a version uses features that new work should not."""

from sqlmodel import col, select

from mlops_core.domain import Feature, FeatureUse
from mlops_core.domain.states import FeatureStatus
from mlops_core.version_tests.context import TestContext
from mlops_core.version_tests.declared import version_test
from mlops_core.version_tests.outcome import NotJudged, Outcome

__all__ = ["features_in_use"]


@version_test("features_in_use", title="No feature on its way out")
def features_in_use(context: TestContext) -> Outcome:
    """Look every feature up in the catalogue: none is deprecated or retired.

    A definition that has changed since the version was trained is told, and does not fail it.
    """
    with context.workspace_source.workspace.store.read() as session:
        used = session.exec(
            select(Feature, FeatureUse.definition_version)
            .join(FeatureUse, col(FeatureUse.feature_id) == col(Feature.id))
            .where(FeatureUse.model_version_id == context.version.id)
            .order_by(Feature.name)
        ).all()
    if not used:
        raise NotJudged("None of its inputs is a feature of the catalogue.")
    going = [feature for feature, _ in used if feature.status != FeatureStatus.ACTIVE]
    lines = [
        [
            feature.name,
            feature.status,
            "definition has changed" if _has_changed(feature.definition_version, trained_on) else "",
        ]
        for feature, trained_on in used
        if feature.status != FeatureStatus.ACTIVE or _has_changed(feature.definition_version, trained_on)
    ]
    count = len(used)
    sentence = (
        f"{len(going):,} of {count:,} features are on their way out: "
        + ", ".join(f"{feature.name} is {feature.status}" for feature in going[:3])
        + ("; …" if len(going) > 3 else ".")
        if going
        else f"All {count:,} features are active."
    )
    evidence = {"facts": {"features": count}} | (
        {"columns": ["feature", "status", "since training"], "rows": lines} if lines else {}
    )
    return Outcome.judged(not going, sentence, figure=len(going), limit=0, evidence=evidence)


def _has_changed(now: int | None, trained_on: int | None) -> bool:
    return now is not None and trained_on is not None and now > trained_on
