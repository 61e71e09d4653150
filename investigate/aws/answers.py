"""What AWS answered, looked at before botocore reads it: it is whole and an answer to what was
asked, or it is no answer."""

from __future__ import annotations

import json
import re
from typing import Any

from investigate.aws.items import are_items, parse_page

_JSON = ("json", "rest-json")
_OF_ITEMS = (("dynamodb", "Query"), ("dynamodb", "Scan"))
# How the XML that S3 answers with begins (docs.aws.amazon.com/AmazonS3/latest/API); an object's own
# content begins as it likes.
_ROOTS = {
    "GetBucketVersioning": "VersioningConfiguration",
    "ListObjectVersions": "ListVersionsResult",
    "ListObjectsV2": "ListBucketResult",
}
_FIRST_ELEMENT = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?.*?\?>\s*|<!--.*?-->\s*)*<(?:\w+:)?(\w+)", re.DOTALL
)


def check_answer(
    operation_model: Any,
    response_dict: dict[str, Any],
    customized_response_dict: dict[str, Any],
    **_: Any,
) -> None:
    """Raise botocore's own error for an answer that lacks its end, has no content or is of another
    question; take the items of a page.

    botocore compares only the body of an object with the length that was announced. It takes JSON
    it cannot read, and XML of whatever kind, for an answer without a word in it: half a page of
    rows, or the page of a network to log in to, would be an empty page. Items are taken as they
    were sent, before botocore walks through every value: each is a mapping of attributes as
    DynamoDB writes them, binary values as base64 text.
    """
    body, status = response_dict["body"], response_dict["status_code"]
    failed = status >= 500  # the SDK itself asks again
    if failed or not isinstance(body, bytes) or operation_model.http.get("method") == "HEAD":
        return
    _refuse_other_length(body, response_dict["headers"].get("content-length"))
    service = operation_model.service_model
    if status < 300 and service.service_name == "s3":
        _refuse_other_xml(operation_model.name, body)
    if service.resolved_protocol not in _JSON:
        return
    if (service.service_name, operation_model.name) in _OF_ITEMS:
        _take_items(response_dict, customized_response_dict, good=status < 300)
    elif operation_model.output_shape is not None or status >= 300:
        # What has no members is read by nobody: that it came is the answer.
        page = _parsed(body) if body else None
        if status < 300:
            _refuse_other_json(operation_model.output_shape, page)


def _take_items(response: dict[str, Any], customized: dict[str, Any], *, good: bool) -> None:
    """Take the items of a page, which a page without rows has as well."""
    body: bytes = response["body"]
    rest: Any
    if found := parse_page(body):
        customized["Items"], rest = found
    else:
        rest = _parsed(body) if body else None
        items = rest.pop("Items", None) if isinstance(rest, dict) else None
        if good and not isinstance(items, list):
            raise _not_aws("it has no items, which an empty page has as well")
        if items is None:
            return
        if not are_items(items):
            raise _not_aws("an item is not what DynamoDB writes")
        customized["Items"] = items
    response["body"] = json.dumps(rest).encode()


def _refuse_other_xml(operation: str, body: bytes) -> None:
    found = _FIRST_ELEMENT.match(body)
    root = found[1].decode() if found else ""
    # An error that comes with a good status is told by botocore; emulators name some roots anew.
    known = (_ROOTS.get(operation), f"{operation}Response", "Error")
    if operation in _ROOTS and root not in known:
        raise _not_aws(f"it is no {_ROOTS[operation]}")


def _refuse_other_json(shape: Any, page: Any) -> None:
    """Refuse what has no content where there is always some, and what knows none of its members.
    One without any member can be an answer: no message waits, no concurrency is reserved."""
    if not (shape and shape.members):
        return
    if not isinstance(page, dict):
        raise _not_aws("it has no content" if page is None else "it is no JSON object")
    known = {one.serialization.get("name", name) for name, one in shape.members.items()}
    if page and known.isdisjoint(page):
        raise _not_aws("it has nothing of what was asked for")


def _refuse_other_length(body: bytes, announced: str | None) -> None:
    from botocore.exceptions import IncompleteReadError

    if announced is not None and len(body) != int(announced):
        raise IncompleteReadError(actual_bytes=len(body), expected_bytes=int(announced))


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _not_aws(f"it is no JSON: {error}") from error


def _not_aws(why: str) -> Exception:
    from botocore.parsers import ResponseParserError

    error: Exception = ResponseParserError(f"the answer cannot be used: {why}")
    return error
