"""Loaded by the process that commands are forked from: what each would read first, read once."""

from __future__ import annotations

from typing import Any

import boto3
import botocore.session
import ibis
import ibis.backends.duckdb
import obstore  # noqa: F401 - the same
import pandas as pd  # noqa: F401 - the same; pyarrow asks for it

import investigate.commands.capture
import investigate.commands.check
import investigate.commands.process_briefly
import investigate.commands.redrive
import investigate.commands.replay
import investigate.commands.report  # noqa: F401 - the same
from investigate.aws import READ_ONLY
from investigate.sandbox.cloud import CREDENTIAL

_SESSION: Any = boto3.Session(CREDENTIAL, CREDENTIAL, region_name="eu-west-1")
for service in READ_ONLY:
    _SESSION.client(service)
_BOTOCORE: Any = botocore.session
_BOTOCORE.create_loader = lambda search_path_string=None: _SESSION._loader
# As SQL, so that every dialect is loaded; nothing is connected, which no fork would survive.
ibis.to_sql(ibis.table({"n": "int64"}, "t"), dialect="duckdb")
