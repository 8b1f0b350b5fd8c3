"""friendship-paradox: a hundred accounts that begin without ties, and the graph they grow."""
