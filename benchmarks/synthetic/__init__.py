"""Cases of any size, with faults whose ground truth is exact: written down where each is made."""
