"""Direct messages on a network of acquaintances, and an interceptor that judges them on their way."""
