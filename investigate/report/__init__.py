"""Run the notebooks headlessly and turn them into pages."""
