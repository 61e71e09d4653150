"""The proving ground: random incidents, captured and checked, scored against what happened."""
