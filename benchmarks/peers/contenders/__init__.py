"""One program per tool; each reads a folder of tables and prints its answers as JSON."""
