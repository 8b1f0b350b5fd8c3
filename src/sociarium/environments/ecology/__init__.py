"""Predators, prey and grass on a grid."""
