"""Run the notebooks headlessly and turn them into pages."""

from investigate.report.quick_start import import_jsonschema_without_iris

import_jsonschema_without_iris()
