"""Comparisons in the store: written with their audit event, read again as they were."""

from functools import cache
from typing import TYPE_CHECKING, Any

from sqlmodel import col, select

from mlops_core.comparison.report import ComparisonReport
from mlops_core.domain import Actor, Comparison, ModelVersion, Snapshot
from mlops_core.domain.errors import NotFound
from mlops_core.registry.models import find_model, find_version
from mlops_core.store import UnitOfWork
from mlops_core.workspace import Workspace

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = [
    "comparison_of_job",
    "from_document",
    "latest_comparison",
    "read_comparison",
    "store_comparison",
    "to_document",
]


def to_document(report: ComparisonReport) -> dict[str, Any]:
    """Return a report as JSON can hold it: its fields under their names, times in ISO 8601."""
    document: dict[str, Any] = _adapter().dump_python(report, mode="json")
    return document


def from_document(document: dict[str, Any]) -> ComparisonReport:
    """Return the report that a document holds."""
    return _adapter().validate_python(document)


def store_comparison(
    workspace: Workspace,
    actor: Actor,
    report: ComparisonReport,
    challenger: ModelVersion,
    champion: ModelVersion,
    snapshot: Snapshot,
    job_id: int | None,
) -> ComparisonReport:
    """Store a report, and return it as it will be read."""
    document = to_document(report)

    def work(unit: UnitOfWork) -> None:
        primary = report.primary
        unit.add(
            Comparison(
                challenger_id=challenger.id,
                champion_id=champion.id,
                snapshot_id=snapshot.id,
                job_id=job_id,
                actor_id=unit.actor.id,
                metric=primary.metric,
                challenger_value=primary.challenger,
                champion_value=primary.champion,
                difference=primary.difference,
                lower=primary.lower,
                upper=primary.upper,
                rows=report.rows,
                verdict=report.verdict,
                segment=report.worse_segment,
                report=document,
                at=report.at,
            )
        )
        unit.record(
            "version.compared",
            "model version",
            f"{report.model}:{report.challenger}",
            report.sentence,
            champion=report.champion,
            snapshot=report.snapshot,
            verdict=str(report.verdict),
        )

    workspace.store.write(actor, work)
    return from_document(document)


def read_comparison(workspace: Workspace, comparison_id: int) -> ComparisonReport:
    """Return a stored comparison.

    Raises
    ------
    NotFound
    """
    with workspace.store.read() as session:
        row = session.get(Comparison, comparison_id)
        if row is None:
            raise NotFound(f"there is no comparison {comparison_id}: compare two versions first")
        return from_document(row.report)


def latest_comparison(
    workspace: Workspace, model_name: str, challenger: int, champion: int | None = None
) -> ComparisonReport | None:
    """Return the newest comparison of a version with another one, None where there is none.

    Parameters
    ----------
    champion
        The version it was compared with; None for whichever it was compared with last.

    Raises
    ------
    NotFound
        There is no such model or version.
    """
    with workspace.store.read() as session:
        model = find_model(session, model_name)
        query = select(Comparison).where(
            Comparison.challenger_id == find_version(session, model, challenger).id
        )
        if champion is not None:
            query = query.where(Comparison.champion_id == find_version(session, model, champion).id)
        row = session.exec(query.order_by(col(Comparison.id).desc()).limit(1)).first()
        return from_document(row.report) if row else None


def comparison_of_job(
    workspace: Workspace, job_id: int, challenger: ModelVersion, champion: ModelVersion
) -> ComparisonReport | None:
    """Return what a job has stored of two versions already, before it was begun again."""
    with workspace.store.read() as session:
        row = session.exec(
            select(Comparison)
            .where(
                Comparison.job_id == job_id,
                Comparison.challenger_id == challenger.id,
                Comparison.champion_id == champion.id,
            )
            .order_by(col(Comparison.id).desc())
        ).first()
        return from_document(row.report) if row else None


@cache
def _adapter() -> "TypeAdapter[ComparisonReport]":
    from pydantic import TypeAdapter

    return TypeAdapter(ComparisonReport)
