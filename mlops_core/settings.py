"""Where a workspace lives: read from the environment, overridden by arguments."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["DATABASE_FILE", "Settings"]

DATABASE_FILE = "bigboard.duckdb"


class Settings(BaseSettings):
    """The three places of a workspace, and who is acting.

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
    """

    model_config = SettingsConfigDict(env_prefix="BIGBOARD_", frozen=True, extra="ignore")

    workspace: Path = Path("data/workspace")
    database_url: str = ""
    warehouse: str = ""
    actor: str = "system"

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
