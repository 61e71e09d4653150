"""One reader per source of evidence; together they write a case."""
