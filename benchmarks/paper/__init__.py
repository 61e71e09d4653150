"""What any number of events would take, by measured figures, list prices and assumptions."""
