"""Work spread over the workers of Spark, on this machine or on others: items there, rows back."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from investigate.parallel import Work, rows_of_items

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

MOST_TASKS = 10_000  # of one table; a task takes several items if there are more


def parallel_frame(
    session: SparkSession, items: Sequence[Any], work: Work, schema: pa.Schema
) -> DataFrame:
    """Return the rows that `work` yields of the items, each read by whichever worker takes it, and
    not before Spark runs the frame.

    The workers need this package, in the Python that runs them. What fails there comes back as an
    error of Spark, in which `investigate.parallel.failure_in` finds the `InvestigationError`.
    """
    from pyspark.sql.pandas.types import from_arrow_schema

    frame = session.createDataFrame([(pickle.dumps(item),) for item in items], "item binary")
    tasks = min(max(len(items), 1), MOST_TASKS)
    rows = partial(rows_of_items, pickle.dumps(work))
    return frame.repartition(tasks).mapInArrow(rows, from_arrow_schema(schema))
