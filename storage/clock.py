"""The current time as SQL, by the clock that all processes which share the database agree on.

PostgreSQL's own clock decides, so that those of the hosts may differ. SQLite is used on one host, whose clock it is.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Float, bindparam, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from storage.tables import UtcDateTime


class Moment(FunctionElement[datetime]):
    """The time at which its statement began, or some seconds before; made by `moment`."""

    name = "moment"
    type = UtcDateTime()
    inherit_cache = True


def now() -> datetime:
    """Return the current time by the clock of this host."""
    return datetime.now(UTC)


def moment(*, ago_s: float = 0.0) -> Moment:
    """Return the current time, or that of `ago_s` seconds ago, as an SQL expression."""
    of_host = bindparam(None, callable_=lambda: now() - timedelta(seconds=ago_s), type_=UtcDateTime())
    return Moment(of_host, literal(ago_s, Float))


@compiles(Moment, "sqlite")
def _on_host(element: Moment, compiler: SQLCompiler, **options: object) -> str:
    of_host, _ = element.clauses
    return compiler.process(of_host, **options)


@compiles(Moment, "postgresql")
def _on_server(element: Moment, compiler: SQLCompiler, **options: object) -> str:
    _, ago_s = element.clauses
    return f"(statement_timestamp() - make_interval(secs => {compiler.process(ago_s, **options)}))"
