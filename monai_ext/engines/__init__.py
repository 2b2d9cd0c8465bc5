"""Engines: how a batch of prompted items reaches MONAI's trainer and evaluator."""
