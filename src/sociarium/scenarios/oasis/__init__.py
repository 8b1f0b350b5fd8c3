"""OASIS: experiments on a social platform, from a hundred users to a million."""
