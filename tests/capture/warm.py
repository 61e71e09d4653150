"""Loaded by the process that clients are forked from: what each would read first, read once."""

from __future__ import annotations

from typing import Any

import boto3
import botocore.session
import ibis
import ibis.backends.duckdb
import obstore  # noqa: F401 - the same
import pandas as pd  # noqa: F401 - the same; pyarrow asks for it

import tests.capture.campaigns  # noqa: F401 - the same
from investigate.aws import READ_ONLY

_SESSION = boto3.Session(
    region_name="eu-west-1", aws_access_key_id="none", aws_secret_access_key="none"
)
_LOADER: Any = _SESSION._loader
for service in READ_ONLY:
    _SESSION.client(service)
botocore.session.create_loader = lambda search_path_string=None: _LOADER
# As SQL, so that every dialect is loaded; nothing is connected, which no fork would survive.
ibis.to_sql(ibis.table({"n": "int64"}, "t"), dialect="duckdb")
