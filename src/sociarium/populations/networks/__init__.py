"""Networks over a population: generators, null models, statistics, communities, files. All draw from a counter-based stream."""
