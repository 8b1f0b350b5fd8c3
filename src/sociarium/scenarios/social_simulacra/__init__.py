"""Social simulacra: a community populated from its design."""
