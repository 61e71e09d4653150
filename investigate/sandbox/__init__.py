"""A local pipeline with faults that can be injected by name."""
