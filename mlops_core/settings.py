"""Where a workspace lives and what counts for it: read from the environment, overridden by arguments."""

from pathlib import Path
from typing import Final

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["DATABASE_FILE", "ENGINES", "Settings"]

DATABASE_FILE = "bigboard.duckdb"

ENGINES: Final = ("local", "spark")
"""Where predictions can be counted: on this machine, or by Spark."""


class Settings(BaseSettings):
    """The three places of a workspace, who is acting, and what counts.

    Attributes
    ----------
    workspace
        The folder that holds the metadata file, the warehouse and the artefacts (`BIGBOARD_WORKSPACE`).
    database_url
        SQLAlchemy URL of the metadata store (`BIGBOARD_DATABASE_URL`); empty means the DuckDB file in
        the workspace. PostgreSQL: `postgresql+psycopg://user@host/name`.
    warehouse
        Folder of the Delta tables (`BIGBOARD_WAREHOUSE`); empty means `warehouse` in the workspace.
    actor
        Name of the actor that the command line acts as (`BIGBOARD_ACTOR`).
    engine
        What counts predictions: `local`, or `spark` (`BIGBOARD_ENGINE`).
    spark_master
        Where Spark runs (`BIGBOARD_SPARK_MASTER`) unless `SPARK_REMOTE` names a Spark Connect server:
        `local[*]` for this machine, `yarn`, `spark://host:7077`, `k8s://...`.
    tests
        The project's own tests of versions (`BIGBOARD_TESTS`): a Python file, or a dotted module.
    upload_bytes
        How large a version that is registered by the API may be, in all (`BIGBOARD_UPLOAD_BYTES`).
    """

    model_config = SettingsConfigDict(env_prefix="BIGBOARD_", frozen=True, extra="ignore")

    workspace: Path = Path("data/workspace")
    database_url: str = ""
    warehouse: str = ""
    actor: str = "system"
    engine: str = "local"
    spark_master: str = "local[*]"
    tests: str = ""
    upload_bytes: int = Field(default=4 * 2**30, gt=0)

    @property
    def database_file(self) -> Path | None:
        """Return the DuckDB file, or None when the store is another database."""
        prefix = "duckdb:///"
        if not self.database_url:
            return self.workspace / DATABASE_FILE
        return Path(self.database_url[len(prefix) :]) if self.database_url.startswith(prefix) else None

    @property
    def store_url(self) -> str:
        """Return the SQLAlchemy URL of the metadata store."""
        return self.database_url or f"duckdb:///{(self.workspace / DATABASE_FILE).absolute()}"

    @property
    def warehouse_root(self) -> Path:
        """Return the folder of the Delta tables."""
        return Path(self.warehouse) if self.warehouse else self.workspace / "warehouse"

    @property
    def artefact_root(self) -> Path:
        """Return the folder of the model artefacts."""
        return self.workspace / "artefacts"
