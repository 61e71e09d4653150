"""Where Spark runs: a session of the caller, or one started here that leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import sys
import warnings
from atexit import register
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from logging import getLogger
from pathlib import Path
from typing import TYPE_CHECKING

from investigate.engine.base import first_line
from investigate.errors import UsageError
from investigate.scratch import Scratch

if TYPE_CHECKING:
    from pyspark import SparkConf, SparkContext
    from pyspark.sql import SparkSession

LOCAL = "local[*]"
CONNECT = "sc://"
# What a master's address may begin with: Spark's own words, and its client for a remote server.
MASTERS = ("local", "spark://", "yarn", "k8s://", CONNECT)
INSTALL = "pip install 'investigate[spark]'"

# What the answers depend on, so that no setting of the user's, or of a cluster, changes them.
ANSWERS: Mapping[str, str] = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "false",  # all times are of one type
    # A sum that is too large or a text that is no number is an error, as it is in DuckDB, and not
    # a null that a check would take for evidence that is not there.
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "false",
    "spark.sql.storeAssignmentPolicy": "ANSI",
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    # What Spark 4.3 concludes of a union whose parts were filtered by a column they do not keep
    # ends in "key not found"; and of plans as large as these it concludes for seconds.
    "spark.sql.constraintPropagation.enabled": "false",
}

# On one machine: no web server, few partitions, and no plan that is made anew while it runs.
ON_ONE_MACHINE: Mapping[str, str] = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.shuffle.partitions": "4",
}

_LOG_ERRORS_ONLY = """\
rootLogger.level = error
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %p %c{1}: %m%n%ex
"""


@contextmanager
def quiet() -> Iterator[None]:
    """Keep from the user what pyspark says of pandas 3, none of which is used here, and the pages
    that it logs of an error beside raising it."""
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        getLogger(name).disabled = True
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas")
        yield


def session_at(master: str = LOCAL) -> SparkSession:
    """Return a session of its own at a master's address: in the Spark that runs in this process
    already, or in one that is started and ends with this process.

    Raises `UsageError` if Spark, Java or what the address needs is not installed, if the address
    is none, or if this process has a Spark at another address.
    """
    _refuse_no_master(master)
    if find_spec("pyspark") is None:
        raise UsageError("Spark is not installed: there is no pyspark", hint=INSTALL)
    with quiet():
        return _connected(master) if master.startswith(CONNECT) else _classic(master)


def _refuse_no_master(master: str) -> None:
    if not master.startswith(MASTERS):
        known = ("local[*]", "local[2]", "spark://HOST:PORT", "yarn", "k8s://…", "sc://HOST")
        raise UsageError.unknown("address of a Spark master", master, known)


def _connected(master: str) -> SparkSession:
    if find_spec("grpc") is None:
        raise UsageError(
            f"{master} is an address of Spark Connect, whose client is not installed",
            hint="pip install 'pyspark[connect]'",
        )
    from pyspark.sql import SparkSession

    return SparkSession.builder.remote(master).create()


def _classic(master: str) -> SparkSession:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    running = SparkContext._active_spark_context
    if running is None:
        return SparkSession(_started(master))
    if running.master != master:
        raise UsageError(
            f"Spark runs in this process already, at {running.master}, and not at {master}",
            hint=f"ask for {running.master}, or stop that session before",
        )
    return SparkSession(running).newSession()


def _started(master: str) -> SparkContext:
    from py4j.protocol import Py4JError
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkException

    _refuse_no_java()
    conf = SparkConf().setMaster(master).setAppName("investigate")
    try:
        return _on_this_machine(conf) if is_local(master) else SparkContext(conf=conf)
    except (PySparkException, Py4JError) as error:
        raise UsageError(
            f"Spark does not start at {master}: {first_line(error)}",
            hint="investigate … --spark-master 'local[*]' runs it on this machine; it needs "
            "Java 17 or newer",
        ) from error


def is_local(master: str) -> bool:
    """Return whether an address stands for this process's own machine."""
    return master.startswith("local") and not master.startswith("local-cluster")


def _on_this_machine(conf: SparkConf) -> SparkContext:
    """Start Spark in a Java of this process, which says errors only and writes into a folder that
    goes with it."""
    from pyspark import SparkContext
    from pyspark.java_gateway import launch_gateway

    own = Scratch.opened("investigate-spark-")
    register(own.remove)
    scratch = own.folder
    log_settings = scratch / "log4j2.properties"
    log_settings.write_text(_LOG_ERRORS_ONLY, encoding="utf-8")
    conf.setAll([*ON_ONE_MACHINE.items()])
    # Workers run this very Python, and not the machine's, which lacks this package.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    conf.set("spark.sql.warehouse.dir", str(scratch / "warehouse"))
    conf.set("spark.local.dir", str(scratch))
    conf.set("spark.driver.extraJavaOptions", f"-Dlog4j2.configurationFile={log_settings.as_uri()}")
    if SparkContext._gateway is None:
        # What Java itself says while it starts, such as that it uses a module, is no news; what
        # goes wrong with a query comes back as its error.
        with (scratch / "java.txt").open("wb") as said:
            os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
            gateway = launch_gateway(conf, {"stderr": said})
        context = SparkContext(conf=conf, gateway=gateway)
    else:
        context = SparkContext(conf=conf)
    register(context.stop)  # before its folder goes
    return context


def _refuse_no_java() -> None:
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else "java"
    if shutil.which(java) is None:
        raise UsageError(
            f"Spark needs Java 17 or newer, and there is no {java}",
            hint="for example: sudo apt-get install openjdk-17-jre-headless; then, if it is not "
            "found, set JAVA_HOME",
        )
