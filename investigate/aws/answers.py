"""What AWS answered, looked at before botocore reads it: it is whole, or it is no answer."""

from __future__ import annotations

import json
from typing import Any

from investigate.aws.items import taken

_JSON = ("json", "rest-json")
_OF_ITEMS = (("dynamodb", "Query"), ("dynamodb", "Scan"))


def look_at(
    operation_model: Any,
    response_dict: dict[str, Any],
    customized_response_dict: dict[str, Any],
    **_: Any,
) -> None:
    """Raise botocore's own error for an answer that lacks its end; take the items of a page.

    botocore compares only the body of an object with the length that was announced, and takes JSON
    it cannot read for an answer without a word in it: half a page of rows would be an empty page.
    Items are taken as they were sent, before botocore walks through every value: each is a mapping
    of attributes as DynamoDB writes them, binary values as base64 text.
    """
    body = response_dict["body"]
    failed = response_dict["status_code"] >= 500  # the SDK itself asks again
    if failed or not isinstance(body, bytes) or operation_model.http.get("method") == "HEAD":
        return
    _refuse_other_length(body, response_dict["headers"].get("content-length"))
    service = operation_model.service_model
    if service.resolved_protocol not in _JSON or not body:
        return
    asked = (service.service_name, operation_model.name)
    if asked in _OF_ITEMS and (found := taken(body)):
        customized_response_dict["Items"], rest = found
        response_dict["body"] = json.dumps(rest).encode()
        return
    page = _parsed(body)
    if asked in _OF_ITEMS and isinstance(page, dict) and "Items" in page:
        customized_response_dict["Items"] = page.pop("Items")
        response_dict["body"] = json.dumps(page).encode()


def _refuse_other_length(body: bytes, announced: str | None) -> None:
    from botocore.exceptions import IncompleteReadError

    if announced is not None and len(body) != int(announced):
        raise IncompleteReadError(actual_bytes=len(body), expected_bytes=int(announced))


def _parsed(body: bytes) -> Any:
    from botocore.parsers import ResponseParserError

    try:
        return json.loads(body)
    except ValueError as error:
        raise ResponseParserError(f"the answer is no JSON: {error}") from error
