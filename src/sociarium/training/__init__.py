"""What learns: gradients through simulations, calibration to data, search over prompts."""
