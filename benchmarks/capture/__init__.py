"""The capture beside other ways to read the same evidence, on servers of this machine."""
