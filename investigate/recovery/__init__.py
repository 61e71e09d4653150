"""The way back, guarded: the only code of this package that changes a pipeline, by plan only."""
