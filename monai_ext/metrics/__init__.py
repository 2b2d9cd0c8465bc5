"""Metrics: the agreement of a mask with its reference, and summaries of many scored prompts."""
