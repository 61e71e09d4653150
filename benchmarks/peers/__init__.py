"""The questions of an incident asked of four tools: the same case, the same answers, what it takes."""
