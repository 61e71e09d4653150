"""How time, memory and bytes grow with the number of events, with the truth looked up each time."""
