"""What keeps a report from waiting for libraries that it does not use."""

import sys
from importlib import import_module

_GRAMMAR = "rfc3987_syntax"


def import_jsonschema_without_iris() -> None:
    """Import jsonschema, which nbformat needs, without the grammar of internationalised addresses:
    to compile it takes longer than all other imports together, and no notebook has a field of that
    format. Does nothing where somebody has imported either already."""
    if "jsonschema" in sys.modules or _GRAMMAR in sys.modules:
        return
    sys.modules[_GRAMMAR] = None  # type: ignore[assignment]  # Python's way to say: cannot be found
    try:
        import_module("jsonschema")
    finally:
        del sys.modules[_GRAMMAR]
