"""AgentSociety: a city day of people with needs, plans, trips and messages."""
