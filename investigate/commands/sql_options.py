"""The options of `investigate sql`."""

from __future__ import annotations

import argparse


def add_sql(parser: argparse.ArgumentParser) -> None:
    """Add what is to be written as SQL, for which engine, and where its tables are."""
    parser.add_argument(
        "--dialect", metavar="NAME", default="athena", help="athena (default), trino or duckdb"
    )
    parser.add_argument(
        "--check",
        metavar="CODE",
        action="append",
        default=[],
        help="only this check; repeatable (default: all that the case can answer)",
    )
    parser.add_argument("--config", metavar="FILE", help="a TOML file whose [thresholds] hold")
    parser.add_argument(
        "--database", metavar="NAME", default="", help="where the tables are (default: not said)"
    )
    parser.add_argument(
        "--tables", action="store_true", help="print what makes the case's tables known instead"
    )
    parser.add_argument(
        "--location",
        metavar="ADDRESS",
        default="",
        help="where the folder of case.json is for that engine, as s3://bucket/case/",
    )
    parser.add_argument(
        "--out", metavar="FOLDER", default="", help="write a file per check, and tables.sql"
    )
