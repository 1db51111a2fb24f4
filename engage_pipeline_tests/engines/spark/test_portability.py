"""No portable .sql file holds what DuckDB and Spark understand differently."""

from collections.abc import Iterator

import pytest
import sqlglot
from sqlglot import exp

from engage_pipeline.engines.engine import statement
from engage_pipeline.engines.spark.dialect import spark_statement, translated
from engage_pipeline_tests.engines.spark.statements import portable_statements

_FUNCTIONS: dict[type[exp.Expression], str] = {
    exp.Log: "LOG has another base: LN",
    exp.Length: "LEN, LENGTH: ARRAY_LENGTH",
    exp.ArrayAgg: "LIST: its order is lost",
    exp.GroupConcat: "STRING_AGG: its order is lost",
    exp.Extract: "EXTRACT: integer arithmetic on epoch seconds",
    exp.UnixToTime: "TO_TIMESTAMP: integer arithmetic on epoch seconds",
    exp.StrToTime: "TO_TIMESTAMP: integer arithmetic on epoch seconds",
    exp.ApproxDistinct: "approximate aggregate",
    exp.ApproxQuantile: "approximate aggregate",
    exp.ApproxTopK: "approximate aggregate",
    exp.IntDiv: "//: FLOOR(a / b)",
    exp.Anonymous: "a function that sqlglot does not know would be passed on by its name",
}
_KNOWN_TO_BOTH = {"OCTET_LENGTH"}
"""Functions of one meaning in both, which sqlglot does not know and passes on."""
_TYPES = {
    *(exp.DataType.Type[f"U{name}"] for name in ("TINYINT", "SMALLINT", "INT", "BIGINT", "INT128")),
    *(exp.DataType.Type[name] for name in ("INT128", "INT256")),
    *exp.DataType.TEMPORAL_TYPES,
}


def problems(sql: str) -> list[str]:
    """What of FACTS' list of constructs to avoid the SELECT holds."""
    return [problem for node in sqlglot.parse_one(sql, read="duckdb").walk() for problem in _of_node(node)]


def _of_node(node: exp.Expression) -> Iterator[str]:
    for kind, problem in _FUNCTIONS.items():
        if isinstance(node, kind) and node.name.upper() not in _KNOWN_TO_BOTH:
            yield f"{problem} ({node.sql('duckdb')})"
    if isinstance(node, exp.DataType) and node.this in _TYPES:
        yield f"type {node.sql('duckdb')}"
    if isinstance(node, exp.Sum) and not _is_cast(node):
        yield f"SUM without a cast ({node.sql('duckdb')})"
    if isinstance(node, exp.Order) and isinstance(node.parent, exp.Func):
        yield f"an order within an aggregate ({node.parent.sql('duckdb')})"
    if isinstance(node, exp.Join) and "ASOF" in (node.method, node.kind):
        yield "ASOF"
    if isinstance(node, exp.Div) and not _never_zero(node.expression):
        yield f"division by what may be 0: NULLIF ({node.sql('duckdb')})"


def _is_cast(node: exp.Expression) -> bool:
    parent = node.parent
    while isinstance(parent, exp.Coalesce | exp.Paren | exp.Filter):
        parent = parent.parent
    return isinstance(parent, exp.Cast)


def _never_zero(divisor: exp.Expression) -> bool:
    if isinstance(divisor, exp.Literal):
        return float(divisor.this) != 0
    return isinstance(divisor, exp.Nullif) and divisor.expression == exp.Literal.number(0)


@pytest.mark.parametrize("sql", portable_statements())
def test_a_file_is_one_select_in_the_portable_subset(sql: str) -> None:
    assert isinstance(sqlglot.parse_one(statement(sql), read="duckdb"), exp.Select)
    assert problems(statement(sql)) == []
    assert spark_statement(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT LOG(x) AS y FROM t",
        "SELECT LOG10(x) AS y FROM t",
        "SELECT LEN(tags) AS y FROM t",
        "SELECT LENGTH(tags) AS y FROM t",
        "SELECT HASH(x) AS y FROM t",
        "SELECT LIST(a ORDER BY b) AS y FROM t",
        "SELECT ARRAY_AGG(a) AS y FROM t",
        "SELECT FIRST(a ORDER BY b) AS y FROM t",
        "SELECT STRING_AGG(a, ',') AS y FROM t",
        "SELECT CAST(x AS UINTEGER) AS y FROM t",
        "SELECT x::UBIGINT AS y FROM t",
        "SELECT TRY_CAST(x AS UTINYINT) AS y FROM t",
        "SELECT CAST(x AS HUGEINT) AS y FROM t",
        "SELECT CAST(x AS UHUGEINT) AS y FROM t",
        "SELECT TO_TIMESTAMP(x) AS y FROM t",
        "SELECT CAST(x AS TIMESTAMP) AS y FROM t",
        "SELECT CAST(x AS DATE) AS y FROM t",
        "SELECT EXTRACT(hour FROM x) AS y FROM t",
        "SELECT SUM(x) AS y FROM t",
        "SELECT 1 + SUM(x) AS y FROM t",
        "SELECT COALESCE(SUM(x), 0) AS y FROM t",
        "SELECT SUM(x) OVER (ORDER BY z) AS y FROM t",
        "SELECT t.x FROM t ASOF JOIN u ON t.z >= u.z",
        "SELECT t.x FROM t ASOF LEFT JOIN u ON t.z >= u.z",
        "SELECT APPROX_COUNT_DISTINCT(x) AS y FROM t",
        "SELECT APPROX_QUANTILE(x, 0.5) AS y FROM t",
        "SELECT APPROX_TOP_K(x, 3) AS y FROM t",
        "SELECT RESERVOIR_QUANTILE(x, 0.5) AS y FROM t",
        "SELECT x / z AS y FROM t",
        "SELECT x / 0 AS y FROM t",
        "SELECT x / NULLIF(z, 1) AS y FROM t",
        "SELECT x // 2 AS y FROM t",
        "SELECT a FROM (SELECT HASH(x) AS a FROM t) AS inner_rows",
    ],
)
def test_each_construct_to_avoid_is_seen(sql: str) -> None:
    assert problems(sql) != []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT LN(x) AS y FROM t",
        "SELECT ARRAY_LENGTH(tags) AS y FROM t",
        "SELECT CAST(SUM(x) AS INT) AS y FROM t",
        "SELECT CAST(COALESCE(SUM(x), 0) AS BIGINT) AS y FROM t",
        "SELECT CAST(SUM(x) FILTER (WHERE z) AS BIGINT) AS y FROM t",
        "SELECT x / NULLIF(z, 0) AS y FROM t",
        "SELECT FLOOR(x / 86400) AS y FROM t",
        "SELECT GREATEST(x, z) AS y FROM t QUALIFY ROW_NUMBER() OVER (ORDER BY x) = 1",
        'SELECT "like", UNNEST(tags) AS tag FROM t',
    ],
)
def test_what_is_portable_passes(sql: str) -> None:
    assert problems(sql) == []


def test_what_spark_does_not_have_is_refused() -> None:
    with pytest.raises(sqlglot.errors.UnsupportedError):
        translated("SELECT REGEXP_EXTRACT(a, 'x', 1, 'i') AS y FROM t")
