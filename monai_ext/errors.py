"""Errors that a user can act on: one line saying what is wrong, where, and what to do."""


class InputError(Exception):
    """The input or the way it was asked for cannot be used (exit code 2)."""

    exit_code = 2


class WeightsError(Exception):
    """The weights are missing, damaged or of another shape (exit code 3)."""

    exit_code = 3
