"""Items of the DynamoDB tables as columns of `events` and `dedupe`, a page at once.

This gives what `rows.converted` gives, row by row, for pages whose items are plain. A column with
a value of another form than ingest writes is converted value by value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from investigate.capture.values import moment, plain, text, whole
from investigate.tables import MOMENT, TABLES, TEXT, WHOLE

_WHOLE = r"^(0|-?[1-9][0-9]{0,17})$"
_TIME = (
    r"^[12][0-9]{3}-[01][0-9]-[0-3][0-9]T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{3})?Z$"
)
_IN_CAPITALS = ("pk", "sk", "gsi1pk", "gsi1sk")  # also found in small letters
_FROM: Mapping[str, Mapping[str, str]] = {
    "events": {"event_time_utc": "event_time", "ingest_time_utc": "ingest_time"},
    "dedupe": {"event_time_utc": "event_time", "first_seen_utc": "first_seen_ingest_time"},
}


class Attribute(NamedTuple):
    """An attribute of all items of a page: its values as DynamoDB writes them, and their kind."""

    kind: str
    values: pa.Array

    def have(self, form: str) -> bool:
        """Return whether all values that there are have a form."""
        if self.kind == "BOOL":
            return False
        return bool(pc.all(pc.match_substring_regex(self.values, form), min_count=0).as_py())

    def by_value(self, convert: Callable[[Any], Any], type_: pa.DataType) -> pa.Array:
        """Return what a function makes of each value."""
        given = self.values.to_pylist()
        made = [None if one is None else convert(plain({self.kind: one})) for one in given]
        return pa.array(made, type_)


def of_page(table: str, items: pa.StructArray) -> pa.Table | None:
    """Return a page of items as rows of a table; None if they have to be converted one by one."""
    attributes = {field.name: _attribute(items, field) for field in items.type}
    if table not in _FROM or any({name, name.upper()} <= set(attributes) for name in _IN_CAPITALS):
        return None
    columns = [_column(table, field, attributes, len(items)) for field in TABLES[table]]
    return pa.Table.from_arrays(columns, schema=TABLES[table])


def _attribute(items: pa.StructArray, field: pa.Field) -> Attribute:
    kind = field.type[0].name
    return Attribute(kind, pc.struct_field(items, [field.name, kind]))


def _column(
    table: str, field: pa.Field, attributes: Mapping[str, Attribute], rows: int
) -> pa.Array:
    if field.name == "attributes":
        return _as_json(attributes)
    name = _FROM[table].get(field.name, field.name)
    capitals = name.upper() if name in _IN_CAPITALS else name
    attribute = attributes.get(capitals) or attributes.get(name)
    return _CONVERT[field.type](attribute) if attribute else pa.nulls(rows, field.type)


def _texts(attribute: Attribute) -> pa.Array:
    return attribute.values if attribute.kind == "S" else attribute.by_value(text, TEXT)


def _wholes(attribute: Attribute) -> pa.Array:
    if attribute.have(_WHOLE):
        return attribute.values.cast(WHOLE)
    return attribute.by_value(whole, WHOLE)


def _moments(attribute: Attribute) -> pa.Array:
    if attribute.kind == "S" and attribute.have(_TIME):
        with suppress(pa.ArrowInvalid):  # such as the 30th of February
            return attribute.values.cast(MOMENT)
    return attribute.by_value(moment, MOMENT)


_CONVERT: Mapping[pa.DataType, Callable[[Attribute], pa.Array]] = {
    TEXT: _texts, WHOLE: _wholes, MOMENT: _moments,
}  # fmt: skip


def _as_json(attributes: Mapping[str, Attribute]) -> pa.Array:
    """Return each item as `json.dumps` writes it, with sorted names."""
    members = [_member(name, one) for name, one in sorted(attributes.items())]
    together = pc.binary_join_element_wise(*members, ", ", null_handling="skip")
    return pc.binary_join_element_wise("{", together, "}", "")


def _member(name: str, attribute: Attribute) -> pa.Array:
    """Return `"name": value` of each item that has the attribute, else null."""
    start = f"{json.dumps(name, ensure_ascii=False)}: "
    if attribute.kind == "S":  # there is no escape in the page, so none is needed here
        return pc.binary_join_element_wise(f'{start}"', attribute.values, '"', "")
    return pc.binary_join_element_wise(start, _number_or_flag(attribute), "")


def _number_or_flag(attribute: Attribute) -> pa.Array:
    if attribute.kind == "BOOL" or attribute.have(_WHOLE):
        return attribute.values.cast(TEXT)
    return attribute.by_value(partial(json.dumps, ensure_ascii=False), TEXT)
