"""Run the notebooks headlessly and turn them into pages."""

from investigate.report.jsonschema_import import import_jsonschema_without_iris

import_jsonschema_without_iris()
