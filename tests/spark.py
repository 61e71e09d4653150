"""Whether an expression can be written in Spark's SQL; needs no Spark."""

from __future__ import annotations

import ibis
import ibis.config
import ibis.expr.types as ir


class _PySparkOptions(ibis.config.Config):
    """The one option the compiler asks for, which only an installed pyspark would set."""

    treat_nan_as_null: bool = False


def spark_sql(table: ir.Table) -> str:
    """The expression in Spark's SQL; an operation that Spark lacks raises."""
    before = ibis.options.pyspark
    ibis.options.pyspark = _PySparkOptions()
    try:
        return str(ibis.to_sql(table, dialect="pyspark"))
    finally:
        ibis.options.pyspark = before
