"""Tell people, through apprise, what was found that they have not been told of before."""
