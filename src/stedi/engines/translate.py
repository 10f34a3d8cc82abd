"""Models are written in DuckDB's dialect; here they become Spark's. What would silently mean something else is refused."""

from __future__ import annotations

from functools import lru_cache

import sqlglot
from sqlglot import exp

from stedi.errors import EngineError

#: Functions of the same name, or of none, that do not give the same in Spark: for characters beyond ASCII, for one.
_UNLIKE = (exp.Chr, exp.JSONExtract, exp.JSONExtractScalar, exp.RegexpExtract, exp.RegexpReplace)
_UNLIKE_NAMES = {"strlen", "epoch_ms", "to_timestamp", "json_valid", "regexp_full_match"}


@lru_cache(maxsize=1024)
def spark_sql(select: str) -> str:
    """The same SELECT in Spark's dialect.

    DuckDB puts nulls last in either direction, divides integers with `//`, knows QUALIFY, and its `hash` is Spark's `xxhash64`: another
    number, which is as good, since marks are compared within a run alone. SQLGlot knows all but the last.

    Raises:
        EngineError: it uses a function that the two do not have in common.
    """
    tree: exp.Expr = sqlglot.parse_one(select, read="duckdb").transform(_common)
    while (asking := next((one for one in tree.find_all(exp.Select) if one.args.get("qualify")), None)) is not None:
        filtered = _without_qualify(asking.copy())
        tree = filtered if asking is tree else asking.replace(filtered).root()
    return tree.sql("spark", identify=True, comments=False)


def _common(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Anonymous) and node.name.lower() == "hash":
        return exp.Anonymous(this="xxhash64", expressions=node.expressions)
    if isinstance(node, _UNLIKE) or (isinstance(node, exp.Anonymous) and node.name.lower() in _UNLIKE_NAMES):
        raise EngineError(
            f"the function {node.sql_name() if isinstance(node, exp.Func) else node.name} means something else in Spark",
            hint='this is a bug: report it; `engine = "duckdb"` runs it meanwhile',
        )
    return node


def _without_qualify(node: exp.Select) -> exp.Expr:
    """SELECT ... QUALIFY condition, as a filter around it: SQLGlot's own way loses columns that the condition alone reads."""
    names = [exp.column(exp.to_identifier(one.alias_or_name, quoted=True)) for one in node.selects]
    condition = node.args["qualify"].this
    node.set("qualify", None)
    node = node.select(exp.alias_(condition, "_qualified", quoted=True))
    return exp.select(*names).from_(node.subquery("_q")).where(exp.column("_qualified", quoted=True))
