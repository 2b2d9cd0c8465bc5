"""Presence fitted to a labelled list."""

import csv

import pytest
import torch

from monai_ext.errors import InputError
from monai_ext.studies.calibrate import fit_presence, main


def drawn(scale, offset, number=4000):
    """Margins, and whether a target is present, drawn with the probability that follows from them."""
    generator = torch.Generator().manual_seed(0)
    margins = 0.2 * torch.randn(number, generator=generator) + 0.05
    draw = torch.rand(number, generator=generator)
    return margins, draw < (scale * (margins - offset)).sigmoid()


def test_the_numbers_that_made_the_data_are_found():
    scale, offset = fit_presence(*drawn(15.0, 0.1))
    assert scale == pytest.approx(15, rel=0.1) and offset == pytest.approx(0.1, abs=0.01)


def test_margins_that_separate_perfectly_have_a_finite_scale():
    margins = torch.tensor([0.1, 0.2, 0.3, 0.4])
    scale, offset = fit_presence(margins, margins > 0.25)
    assert 10 < scale < 1000 and offset == pytest.approx(0.25, abs=1e-6)


def test_one_class_or_a_margin_the_wrong_way_round_is_refused():
    margins = torch.tensor([0.1, 0.2, 0.3, 0.4])
    with pytest.raises(InputError, match="4 prompts, all absent"):
        fit_presence(margins, margins > 1)
    with pytest.raises(InputError, match="not higher where targets are there"):
        fit_presence(margins, margins < 0.25)


def write_cases(path, margins, present, scale, offset):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["presence", "present"])
        writer.writeheader()
        for presence, there in zip((scale * (margins - offset)).sigmoid().tolist(), present.tolist()):
            writer.writerow({"presence": f"{presence:.6g}", "present": there})
        writer.writerow({"presence": 1e-13, "present": False})  # no candidate


def test_a_table_of_cases_is_fitted_from_the_values_it_was_made_with(tmp_path, capsys):
    margins, present = drawn(15.0, 0.1)
    write_cases(tmp_path / "cases.csv", margins, present, 3.0, 0.2)
    assert main([str(tmp_path / "cases.csv"), "--scale", "3", "--offset", "0.2"]) == 0
    scale, offset = fit_presence(margins, present)
    assert capsys.readouterr().out == (
        f"presence_scale {scale:.4g}, presence_offset {offset:.4g} (4000 prompts, {int(present.sum())} present)\n"
    )


def test_what_is_no_table_of_cases_is_one_line(tmp_path, capsys):
    (tmp_path / "cases.csv").write_text("a,b\n1,2\n")
    assert main([str(tmp_path / "cases.csv"), "--scale", "1", "--offset", "0"]) == 2
    assert capsys.readouterr().err == "error: cases.csv: no cases.csv of an evaluation ('presence').\n"
