"""The friendship paradox in a network: gaps and shares, their closed forms, and the nulls beside which they must be read."""
