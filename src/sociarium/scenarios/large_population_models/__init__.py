"""Large Population Models (Chopra 2025): populations composed of domains, differentiable, and spread over sites."""
