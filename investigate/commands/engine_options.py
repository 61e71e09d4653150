"""The options of what runs the queries: the engine, the memory it may take, and its folders."""

from __future__ import annotations

import argparse

from investigate.memory import MemoryLimit, spill_folder


def add_memory(parser: argparse.ArgumentParser) -> None:
    """Add the memory that queries may take, and where they put what is more."""
    parser.add_argument(
        "--memory",
        metavar="SIZE",
        type=MemoryLimit.parse,
        help="take no more memory than this for the queries, as 2GB or 30%% (default: "
        "INVESTIGATE_MEMORY, else 60%% of what there is); what is more goes to the disk",
    )
    parser.add_argument(
        "--spill",
        metavar="DIR",
        type=spill_folder,
        help="where that goes, into a private folder that is removed (default: "
        "INVESTIGATE_SPILL, else where temporary files go)",
    )


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add which engine answers, and where Spark runs and keeps what checks share."""
    parser.add_argument(
        "--engine",
        metavar="NAME",
        default="duckdb",
        help="what runs the queries: duckdb (default), or spark for cases that outgrow one machine",
    )
    parser.add_argument(
        "--spark-master",
        metavar="ADDRESS",
        default="",
        help="where Spark runs, as spark://HOST:PORT or yarn (default: local[*], here)",
    )
    parser.add_argument(
        "--spark-scratch",
        metavar="FOLDER",
        default="",
        help="a folder that all of a cluster reaches, as s3a://BUCKET/tmp, for what checks share",
    )
