from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from investigate.engine.spark import SparkEngine
from investigate.engine.spark_session import session_at
from investigate.errors import UsageError

# For questions of a few rows: what Java and Spark do to be fast for many takes longer than they do.
QUICK_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto"
QUICK_SPARK = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.ui.explainMode": "simple",
}


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkEngine]:
    """The one Spark of this process; without it tests are skipped, or fail where it is required."""
    os.environ.setdefault("JDK_JAVA_OPTIONS", QUICK_JAVA)
    try:
        session = session_at("local[2]")
    except UsageError as missing:
        if os.environ.get("INVESTIGATE_REQUIRE_SPARK"):
            raise
        pytest.skip(str(missing))
    for name, value in QUICK_SPARK.items():
        session.conf.set(name, value)
    # Spark takes Ctrl-C for itself; the tests that follow in this process take it back.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield SparkEngine(session)
    session.stop()
