"""Opens the store and brings it to the newest schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.schema import CreateSchema

from clinical.errors import BadInputError, UnavailableError
from server.storage import ownership

MIGRATIONS = Path(__file__).parent / "migrations"


def open_engine(url: str) -> Engine:
    """Open an engine on SQLite (WAL, every commit on disk) or PostgreSQL.

    Raises:
        BadInputError: The address is not one of the two stores.
    """
    try:
        backend = make_url(url).get_backend_name()
        if backend not in {"sqlite", "postgresql"}:
            raise BadInputError("storage-url", "the store is sqlite:///FILE or postgresql+psycopg://…")
        engine = create_engine(url, pool_pre_ping=backend == "postgresql", hide_parameters=True)
    except (ArgumentError, NoSuchModuleError) as error:
        raise BadInputError("storage-url", "the store is sqlite:///FILE or postgresql+psycopg://…") from error
    if backend == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def address(url: str, pg_schema: str = "") -> str:
    """Return the address of a store that is one schema of a PostgreSQL database; ``url`` where none is named.

    Raises:
        BadInputError: The store is not PostgreSQL.
    """
    if not pg_schema:
        return url
    if not url.startswith("postgresql"):
        raise BadInputError("storage-schema", "pg_schema needs a PostgreSQL store; give SQLite another file")
    named = make_url(url).update_query_dict({"options": f"{ownership.IN_SCHEMA}{pg_schema}"})
    return named.render_as_string(hide_password=False)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not open transactions by itself: _begin_sqlite does, so that the kind is known.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Any) -> None:
    immediate = connection.get_execution_options().get("writer", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def upgrade(engine: Engine, *, wait: bool = True) -> bool:
    """Bring the store to the newest schema; does nothing when it is there already.

    A schema that is not the newest is changed once no server runs on the PostgreSQL store any more.

    Args:
        engine: The store.
        wait: Wait for that; without it the answer is False.

    Returns:
        Whether the store is at the newest schema now.

    Raises:
        UnavailableError: The store does not answer.
    """
    try:
        if _is_newest(engine):
            return True
        with ownership.alone(engine, wait=wait) as connection:
            if connection is None:
                return False
            named = ownership.schema_of(engine)
            if named:
                connection.execute(CreateSchema(named, if_not_exists=True))
            upgrade_with(connection)
    except DBAPIError as error:
        raise UnavailableError("storage", "the store does not answer; check [storage] url") from error
    return True


def upgrade_with(connection: Connection) -> None:
    """Bring the store to the newest schema within a transaction of somebody who owns it."""
    command.upgrade(_config(connection), "head")


def _is_newest(engine: Engine) -> bool:
    with engine.connect() as connection:
        there = MigrationContext.configure(connection).get_current_revision()
    return there == ScriptDirectory(str(MIGRATIONS)).get_current_head()


def downgrade(engine: Engine, revision: str) -> None:
    """Take the store back to ``revision`` (``base`` empties it); for tests and rescues."""
    with engine.begin() as connection:
        command.downgrade(_config(connection), revision)


def _config(connection: Any) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config
