"""A plugin for `pytest --nbval`: the kinds of output nbval compared, as properties of a cell."""

from __future__ import annotations

from typing import Any

from nbval.plugin import IPyNbCell

_compare = IPyNbCell.compare_outputs


def _counted(cell: Any, test: Any, ref: Any, skip_compare: Any = None) -> bool:
    skipped = skip_compare or cell.parent.skip_compare
    kinds = [kind for output in ref for kind in output.get("data", {}) if kind not in skipped]
    cell.user_properties += [("compared", kind) for kind in kinds]
    return bool(_compare(cell, test, ref, skip_compare))


IPyNbCell.compare_outputs = _counted
