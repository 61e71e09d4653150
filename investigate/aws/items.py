"""The items of a page of DynamoDB: as they were sent, and all at once as columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

import pyarrow as pa
from pyarrow import json as arrow

from investigate.aws.attributes import is_attribute

_LIST, _LAST = b'"Items":[', b"}}]"
_PLAIN = {"S": pa.string(), "N": pa.string(), "BOOL": pa.bool_()}
# A list of items of which every attribute holds one text or flag; no text has an escape in it.
# Arrow must not see anything else: it takes a null, and an attribute without a value, for one that
# is absent, and ends the process on maps within maps without end.
_PLAIN_ITEMS = re.compile(
    rb'\[(?:\{(?:"[^"]*+":\{"(?:S|N|BOOL)":(?:"[^"]*+"|true|false)\},?+)*+\},?+)++\]'
)

Item = Mapping[str, Any]


class Items(Sequence[Item]):
    """Items as DynamoDB writes them, binary values as base64 text.

    `columns` holds the same in Arrow if every attribute is a text, a number or a flag, and of one
    kind in all items: the attributes that an item lacks are null. It costs a fifth of the mappings,
    which are made when one is asked for.
    """

    def __init__(
        self, sent: bytes, columns: pa.StructArray | None, items: list[Item] | None = None
    ) -> None:
        self.columns = columns
        self._sent = sent
        self._items = items

    def _all(self) -> list[Item]:
        if self._items is None:
            self._items = json.loads(self._sent)
        return self._items

    def __len__(self) -> int:
        return len(self._all() if self.columns is None else self.columns)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._all())

    @overload
    def __getitem__(self, at: int) -> Item: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Item]: ...
    def __getitem__(self, at: int | slice) -> Item | Sequence[Item]:
        """Return one item, or some."""
        return self._all()[at]


def are_items(found: Any) -> bool:
    """Return whether a page's list holds mappings of attributes as DynamoDB writes them."""
    return isinstance(found, list) and all(
        isinstance(item, dict) and all(map(is_attribute, item.values())) for item in found
    )


def parse_page(page: bytes) -> tuple[Items, dict[str, Any]] | None:
    """Return the items of a page and the rest of it; None if they cannot be taken out as bytes, or
    are none."""
    # Without an escape every quote begins or ends a text, so that no text looks like the list.
    at, end = page.find(_LIST), page.rfind(_LAST)
    if b"\\" in page or not 0 <= at < end:
        return None
    start, stop = at + len(_LIST) - 1, end + len(_LAST)
    try:
        rest = json.loads(page[:start] + b"[]" + page[stop:])
        columns = _columns(page[start:stop])
        items = json.loads(page[start:stop]) if columns is None else None
    except (ValueError, RecursionError):
        return None
    if items is not None and not are_items(items):
        return None
    return Items(page[start:stop], columns, items), rest


def _columns(sent: bytes) -> pa.StructArray | None:
    """Return items as an array of Arrow; None if one of them is not as plain as that."""
    if not _PLAIN_ITEMS.fullmatch(sent):
        return None
    first, _ = json.JSONDecoder().raw_decode(sent.decode(), 1)
    known = {name: tuple(value) for name, value in first.items()}
    found = _parsed(sent, known)
    if found is None:
        return None
    # What the first item does not have is guessed by Arrow, to which a text may look like a time.
    guessed = _kinds(found.type)
    return found if guessed == known else _parsed(sent, guessed)


def _kinds(items: pa.StructType) -> dict[str, tuple[str, ...]]:
    structs = {one.name: one.type for one in items}
    return {
        name: tuple(kind.name for kind in type_) if pa.types.is_struct(type_) else ()
        for name, type_ in structs.items()
    }


def _parsed(sent: bytes, kinds: Mapping[str, tuple[str, ...]]) -> pa.StructArray | None:
    if not all(len(some) == 1 and some[0] in _PLAIN for some in kinds.values()):
        return None
    fields = [(name, pa.struct([(kind, _PLAIN[kind])])) for name, (kind,) in kinds.items()]
    schema = pa.schema([("Items", pa.list_(pa.struct(fields)))])
    document = b'{"Items":' + sent + b"}"
    read = arrow.ReadOptions(use_threads=False, block_size=len(document) + 1)
    try:
        table = arrow.read_json(
            pa.BufferReader(document), read, arrow.ParseOptions(explicit_schema=schema)
        )
    except pa.ArrowInvalid:
        return None
    return table["Items"].chunk(0).values
