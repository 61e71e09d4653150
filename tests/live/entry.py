"""What Lambda's own runtime does around a handler, for functions whose code is the sandbox's.

Packed beside the package into the zip that is deployed: it reads the real clock and the function's
environment, and writes the lines a function leaves in its log.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from types import SimpleNamespace

import boto3

from investigate.pipeline import REFERENCE
from investigate.sandbox import handlers
from investigate.sandbox.clock import WallClock
from investigate.sandbox.function import Context
from investigate.sandbox.lines import stamp

CLIENTS = SimpleNamespace(**{name: boto3.client(name) for name in ("s3", "dynamodb", "sqs")})
CLOCK = WallClock()
# ministack takes a function's output for complete when nothing came for 5 ms.
SETTLE_SECONDS = 0.05


def ingest(event, lambda_context):
    return _run(handlers.ingest, event, lambda_context)


def replay(event, lambda_context):
    return _run(handlers.replay, event, lambda_context)


def processor(event, lambda_context):
    return _run(handlers.process, event, lambda_context)


def _run(handler, event, lambda_context):
    context = Context(
        function=lambda_context.function_name,
        request_id=lambda_context.aws_request_id,
        environment=os.environ,
        clients=CLIENTS,
        clock=CLOCK,
        design=REFERENCE,
    )
    written = []
    try:
        return handler(event, context)
    except handlers.RECORD_ERRORS as error:
        written.append(_failure(error, context))
        raise
    finally:
        _write([*(_line(line, context) for line in context.lines), *written])


def _write(lines):
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    sys.stderr.flush()
    time.sleep(SETTLE_SECONDS)


def _line(line, context):
    """A logged line in the function's log format; a printed one stays as it is."""
    if line.level is None:
        return line.text
    now, request_id = stamp(context.clock.now()), context.request_id
    if os.environ["LOG_FORMAT"] == "Text":
        return f"[{line.level}]\t{now}\t{request_id}\t{line.text}"
    shown = {"timestamp": now, "level": line.level, "message": line.text, "logger": "handlers"}
    return json.dumps({**shown, "requestId": request_id})


def _failure(error, context):
    """An exception nobody caught, as the JSON format has it.

    The text format spreads it over several lines in one event, and ministack makes one event of
    each line, so only the function with the JSON format is made to fail.
    """
    shown = {
        "timestamp": stamp(context.clock.now()),
        "level": "ERROR",
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": context.request_id,
        "stackTrace": traceback.format_tb(error.__traceback__),
    }
    return json.dumps(shown)
