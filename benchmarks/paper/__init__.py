"""What a pipeline of any size would take, on paper: from measured figures, prices and assumptions."""
