"""Fit the presence of a bundle to a labelled list: ``python -m monai_ext.studies.calibrate OUT/cases.csv --scale S --offset O``.

    monai-ext evaluate clip_sam --data DATA --split training -o OUT
    python -m monai_ext.studies.calibrate OUT/cases.csv --scale 8.7 --offset 0.417

This reads the table of an evaluation that ran with ``presence_scale`` S and ``presence_offset`` O, and prints the two
values with which the presence is the probability that the target is in the image (Platt 1999: logistic regression on the
score). Use lists for it on which no figure is reported.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from monai_ext.errors import InputError

STEPS = 100
RIDGE = (
    1e-3  # penalty on the standardised score, without which the scale of a perfect score would be infinite
)
EPS = 1e-6  # presences below EPS had no candidate; those and presences above 1 - EPS are rounded


def fit_presence(margins: Tensor, present: Tensor) -> tuple[float, float]:
    """Fit scale and offset of ``sigmoid(scale * (margin - offset))``, the probability that a target is present.

    Args:
        margins: (N,) scores, higher where the target is present.
        present: (N,) bool.

    Returns:
        `scale` above 0, and `offset` in units of the margins.

    Raises:
        InputError: when there is only one class, or the scores are not higher where the target is present.
    """
    if present.all() or not present.any():
        raise InputError(
            f"{len(present)} prompts, all {'present' if present.any() else 'absent'}: both are needed."
        )
    score = margins.double()
    centre, spread = score.mean(), score.std().clamp_min(1e-12)
    inputs = torch.stack([(score - centre) / spread, torch.ones_like(score)], 1)
    weights = torch.zeros(2, dtype=torch.float64)
    penalty = torch.tensor([RIDGE, 0.0], dtype=torch.float64)
    for _ in range(STEPS):  # Newton's method on a convex loss
        probability = (inputs @ weights).sigmoid()
        gradient = inputs.T @ (probability - present.double()) / len(score) + penalty * weights
        variance = (probability * (1 - probability))[:, None]
        hessian = (inputs * variance).T @ inputs / len(score) + torch.diag(penalty)
        step = torch.linalg.solve(hessian + 1e-9 * torch.eye(2, dtype=torch.float64), gradient)
        weights = weights - step.clamp(-2, 2)
    scale = float(weights[0] / spread)
    if scale <= 0:
        raise InputError("presence is not higher where targets are there; there is nothing to calibrate.")
    return scale, float(centre - weights[1] / weights[0] * spread)


def read_margins(path: Path, scale: float, offset: float) -> tuple[Tensor, Tensor]:
    """Margins (N,) and whether the target is present (N,) bool, of the rows of a cases.csv that had a candidate.

    Args:
        path: of a table by :class:`monai_ext.handlers.metrics.MetricsWriter`.
        scale, offset: of the evaluation that wrote it.

    Raises:
        InputError: when the table cannot be read or holds no such row.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [(float(row["presence"]), row["present"] == "True") for row in csv.DictReader(file)]
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path.name}: no cases.csv of an evaluation ({error}).") from error
    kept = [(value, there) for value, there in rows if EPS < value < 1 - EPS]
    if not kept:
        raise InputError(
            f"{path.name}: no presence in it is above 0; evaluate with a smaller presence_scale."
        )
    presence = torch.tensor([value for value, _ in kept], dtype=torch.float64)
    return presence.logit() / scale + offset, torch.tensor([there for _, there in kept])


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m monai_ext.studies.calibrate", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("cases", type=Path, help="cases.csv of an evaluation")
    parser.add_argument("--scale", type=float, required=True, help="presence_scale it ran with")
    parser.add_argument("--offset", type=float, required=True, help="presence_offset it ran with")
    options = parser.parse_args(argv)
    try:
        margins, present = read_margins(options.cases, options.scale, options.offset)
        scale, offset = fit_presence(margins, present)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(
        f"presence_scale {scale:.4g}, presence_offset {offset:.4g} ({len(present)} prompts, {int(present.sum())} present)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
