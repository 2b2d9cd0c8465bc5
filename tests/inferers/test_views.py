"""What is shown in a view lies where it lay once the view is undone."""

from __future__ import annotations

import pytest
import torch

from monai_ext.inferers.views import AS_IT_IS, View

IMAGE = torch.arange(12.0).reshape(1, 1, 3, 4)
VIEWS = [
    AS_IT_IS,
    View(mirrored=True),
    View(left=0.25, top=0.34),
    View(right=0.5, bottom=0.1),
    View(mirrored=True, left=0.25, bottom=0.34),
]


@pytest.mark.parametrize("view", VIEWS)
def test_undoing_a_view_gives_back_all_of_the_slice(view: View) -> None:
    assert torch.equal(view.undo(view.show(IMAGE), 3, 4), IMAGE)


def test_a_mirrored_view_exchanges_left_and_right() -> None:
    assert View(mirrored=True).show(IMAGE)[0, 0, 0].tolist() == [3, 2, 1, 0]


def test_a_margin_moves_the_slice_and_goes_on_with_its_edge() -> None:
    shown = View(left=0.25, top=0.34).show(IMAGE)[0, 0]
    assert shown.shape == (4, 5)
    assert shown[0].tolist() == [0, 0, 1, 2, 3]
    assert shown[:, 0].tolist() == [0, 0, 4, 8]
    shown = View(right=0.5, bottom=0.1).show(IMAGE)[0, 0]  # a tenth of 3 pixels is one at least
    assert shown.shape == (4, 6)
    assert shown[3].tolist() == [8, 9, 10, 11, 11, 11]


@pytest.mark.parametrize("view", VIEWS)
def test_a_network_may_write_into_what_it_is_shown(view: View) -> None:
    image = IMAGE.clone()
    view.show(image).zero_()
    assert torch.equal(image, IMAGE)
