"""Metrics: how well one mask agrees with its reference, and what many masks say together."""
