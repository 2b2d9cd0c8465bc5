"""Which members a prompt has."""

from __future__ import annotations

import pytest

from monai_ext.errors import InputError
from monai_ext.inferers.perturbations import Perturbations
from monai_ext.inferers.views import AS_IT_IS, View
from monai_ext.prompts.lexicon import Lexicon
from monai_ext.prompts.prompt import Prompt
from monai_ext.prompts.reading import Reading, read_prompt


def read_openly(prompt: Prompt) -> tuple[Prompt, Reading]:
    return read_prompt(prompt, Lexicon())


def read_lungs(prompt: Prompt) -> tuple[Prompt, Reading]:
    return read_prompt(prompt, Lexicon((), {"xray": {"lungs": [], "left lung": []}}))


def test_each_member_differs_from_the_first_in_one_thing() -> None:
    members = Perturbations(shift=0.1).members(Prompt.of("left lung"), read_openly, "xray")
    assert [(view, prompt.texts[0]) for view, prompt in members] == [
        (AS_IT_IS, "left lung"),
        (View(mirrored=True), "right lung"),
        (View(left=0.1, top=0.1), "left lung"),
        (View(right=0.1, bottom=0.1), "left lung"),
        (AS_IT_IS, "left lung in a chest X-ray"),
        (AS_IT_IS, "the patient's left lung"),
        (AS_IT_IS, "the lung on the patient's left"),
    ]


def test_what_a_network_refuses_is_no_member() -> None:
    members = Perturbations(shift=0, wordings=0).members(Prompt.of("left lung"), read_lungs)
    assert [view for view, _ in members] == [AS_IT_IS]  # it does not know a right lung
    members = Perturbations(shift=0, wordings=0).members(Prompt.of("lungs"), read_lungs)
    assert [view.mirrored for view, _ in members] == [False, True]
    foreign = Perturbations(shift=0, wordings=0).members(Prompt(("linke Lunge",), verbatim=True), read_openly)
    assert [view for view, _ in foreign] == [AS_IT_IS]


def test_other_words_that_a_network_refuses_are_passed_over() -> None:
    def read(prompt: Prompt) -> tuple[Prompt, Reading]:
        (text,) = prompt.texts
        return prompt, Reading(text, "names a kind of image" if "colonoscopy" in text else "")

    members = Perturbations(mirror=False, shift=0, wordings=1).members(Prompt.of("polyp"), read)
    assert [prompt.texts[0] for _, prompt in members] == ["polyp", "colorectal polyp"]


def test_parts_can_be_left_out() -> None:
    def views(**settings: float) -> list[View]:
        return [m.view for m in Perturbations(**settings).members(Prompt.of("polyp"), read_openly)]  # type: ignore[arg-type]

    assert len(views(mirror=False, wordings=0)) == 3
    assert len(views(shift=0, wordings=1)) == 3
    assert views(mirror=False, shift=0, wordings=2) == [AS_IT_IS] * 3


def test_other_words_that_are_read_as_the_same_question_are_no_member() -> None:
    def read(prompt: Prompt) -> tuple[Prompt, Reading]:
        return Prompt(("polyp",)), Reading("polyp")

    assert len(Perturbations(mirror=False, shift=0.1).members(Prompt.of("polyp"), read)) == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shift": 0.3}, "shift is 0.3"),
        ({"shift": -0.1}, "shift is -0.1"),
        ({"threshold": 1.2}, "mask_threshold is 1.2"),
        ({"wordings": -1}, "wordings is -1; from 0 to 8"),
        ({"wordings": 9}, "wordings is 9; from 0 to 8"),
        ({"mirror": False, "shift": 0, "wordings": 0}, "nothing to compare"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message) -> None:
    with pytest.raises(InputError, match=message):
        Perturbations(**settings)
