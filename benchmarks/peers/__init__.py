"""The questions of an incident asked of four tools: one case, equal answers, what each took."""
