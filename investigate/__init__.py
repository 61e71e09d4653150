"""Find out what went wrong in an event pipeline on AWS, and prove it."""
