"""Rows about the store itself: its revision and its settings."""

from typing import Any

from sqlalchemy import Column, Integer
from sqlmodel import Field, SQLModel

from mlops_core.domain.columns import document

__all__ = ["Setting", "StoreRevision"]


class StoreRevision(SQLModel, table=True):
    """A single row that every change counts up; a page that has seen it is up to date."""

    __tablename__ = "store_revision"

    id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    revision: int


class Setting(SQLModel, table=True):
    """A named value of the workspace, such as the time of a simulated clock."""

    __tablename__ = "setting"

    name: str = Field(primary_key=True)
    value: dict[str, Any] = document()
