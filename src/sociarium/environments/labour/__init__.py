"""Work, wages, taxes and consumption by the month; money in whole cents, none of it lost."""
