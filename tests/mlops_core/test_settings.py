import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from mlops_core.settings import DATABASE_FILE, Settings


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in [name for name in os.environ if name.upper().startswith("BIGBOARD_")]:
        monkeypatch.delenv(name)


def test_everything_lies_in_the_default_workspace_when_nothing_is_set():
    settings = Settings()
    assert settings.workspace == Path("data/workspace")
    assert settings.database_file == Path("data/workspace") / DATABASE_FILE
    assert settings.warehouse_root == Path("data/workspace/warehouse")
    assert settings.artefact_root == Path("data/workspace/artefacts")
    assert settings.actor == "system"


def test_the_store_url_names_the_file_by_its_whole_path(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert Settings(workspace=Path("w")).store_url == f"duckdb:///{tmp_path}/w/{DATABASE_FILE}"


def test_the_environment_moves_each_part(monkeypatch):
    monkeypatch.setenv("BIGBOARD_WORKSPACE", "/w")
    monkeypatch.setenv("BIGBOARD_DATABASE_URL", "postgresql+psycopg://me@host/name")
    monkeypatch.setenv("BIGBOARD_WAREHOUSE", "/lake")
    monkeypatch.setenv("BIGBOARD_ACTOR", "ann")
    settings = Settings()
    assert settings.store_url == "postgresql+psycopg://me@host/name"
    assert settings.database_file is None
    assert settings.warehouse_root == Path("/lake")
    assert settings.artefact_root == Path("/w/artefacts")
    assert settings.actor == "ann"


def test_an_argument_wins_over_the_environment(monkeypatch):
    monkeypatch.setenv("BIGBOARD_WORKSPACE", "/from-the-environment")
    assert Settings(workspace=Path("/given")).workspace == Path("/given")


def test_a_duckdb_url_names_its_file():
    settings = Settings(database_url="duckdb:////somewhere/store.duckdb")
    assert settings.database_file == Path("/somewhere/store.duckdb")


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError):
        Settings().workspace = Path("/elsewhere")
