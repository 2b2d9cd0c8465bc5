"""``report.html`` of ``monai-ext evaluate``."""

from __future__ import annotations

from pathlib import Path

from monai_ext.reports import absent, evaluations
from monai_ext.reports.numbers import with_span
from monai_ext.reports.page import Page, Section, write_page
from monai_ext.studies.tune_settings import plural


def write_report(folder: Path) -> Path:
    """Write the report of an evaluation from what lies in its folder.

    Args:
        folder: with metrics.json, cases.csv, setting.json and ``panels/``.

    Returns:
        the report.

    Raises:
        InputError: when one of them cannot be read, or the report cannot be written.
    """
    folder = folder.expanduser().absolute()
    one = evaluations.read_evaluation(folder)
    pooled = one.figures["pooled"].get("dice")
    facts = one.record.get("facts", {})
    cases = len({(row["set"], row["case"]) for row in one.rows})
    patients = len({(row["set"], row["group"]) for row in one.rows})
    found = f"Dice {with_span(pooled['mean'], pooled['ci95'])}" if pooled else "No target in any image"
    of = f"{plural(cases, 'case')} of {plural(patients, 'patient')}"
    named = f"Evaluation of {facts['bundle']}" if facts else "Evaluation"
    page = Page(
        named,
        f"{found}, over {of}.",
        [
            Section("Figures", [evaluations.headline(one.figures)]),
            *evaluations.parts(one),
            absent.section(one),
            Section("All figures", [evaluations.all_figures(one)] if pooled else []),
            Section("What the figures depend on", evaluations.facts(one)),
        ],
    )
    return write_page(page, folder)
