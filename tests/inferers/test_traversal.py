"""The way through a volume is a part: another one shows other slices in another order, and the inferer assembles."""

import pytest
import torch
from monai.data import MetaTensor

from monai_ext.errors import InputError
from monai_ext.inferers import PromptInferer, SliceTraversal, StageObserver, Traversal
from monai_ext.inferers.traversal import SliceResults, device_of
from monai_ext.io.slices import SliceView
from monai_ext.networks.segmenter import Segmentation
from monai_ext.prompts.reading import Reading
from tests.fakes import DisplayProbe

VIEW = SliceView(2, 0, 1)


class Brightness(DisplayProbe):
    """The mask is what is above a half; "nothing" names nothing."""

    def segment(self, features, prompts):
        logits = 20 * (features["image"][:, :1] - 0.5)
        return Segmentation(logits, torch.full((len(logits),), 9.0))

    def read(self, prompt, modality=None):
        return prompt, Reading(prompt.texts[0], "it is nothing" if prompt.texts[0] == "nothing" else "")


class Propagation(Traversal):
    """From the last slice to the first: each is found where the slice before was found, as a tracker does it."""

    def view(self, shape, affine, normal=None):
        return VIEW

    def __call__(self, volume, view, network, prompts, observer):
        depth = volume.shape[1 + view.axis]
        memory = {}
        for index in reversed(range(depth)):
            shown = view.show(volume, index, index + 1)
            features = network.encode(shown)
            if observer is not None:
                observer.encoded(features, index, index + 1)
            yield SliceResults(
                index,
                index + 1,
                tuple(shown.shape[2:]),
                device_of(network, volume.device),
                self.results(features, prompts, network, memory, observer),
            )

    @staticmethod
    def results(features, prompts, network, memory, observer):
        for number, prompt in prompts:
            found = network.segment(features, [prompt])
            before = memory.get(number)
            if before is not None:
                found.logits[before < 0] = -9.0
            memory[number] = found.logits
            if observer is not None:
                observer.segmented(number, found)
            yield number, found


def volume():
    """Three slices of 2 x 2: one pixel bright in the last, two in the others, of which one is the same."""
    image = torch.zeros(1, 3, 2, 2, 3)
    image[..., 0, 0, :] = 1
    image[..., 1, 1, :2] = 1
    return image


@pytest.mark.filterwarnings("ignore:The volume has no affine")
@pytest.mark.parametrize("mask_threshold", [None, 0.5])
def test_what_a_traversal_finds_lies_where_it_found_it(mask_threshold):
    inferer = PromptInferer("bright; dark", traversal=Propagation(), mask_threshold=mask_threshold)
    masks = inferer(volume(), Brightness())[0] > 0.5
    assert masks.shape == (2, 2, 2, 3)
    assert masks[0].nonzero().tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 2]]
    alone = PromptInferer("bright", mask_threshold=mask_threshold)(volume(), Brightness())[0] > 0.5
    assert int(alone.sum()) == 5


class Diary(StageObserver):
    def __init__(self):
        self.lines = []

    def start_case(self, view, asked):
        self.lines.append(("case", view.axis, list(asked)))

    def encoded(self, features, start, stop):
        self.lines.append(("encoded", start, stop, len(features["image"])))

    def segmented(self, prompt, result):
        self.lines.append(("segmented", prompt, len(result.logits)))


@pytest.mark.filterwarnings("ignore:The volume has no affine")
def test_an_observer_sees_every_case_every_encoding_and_every_prompt_that_is_asked():
    diary = Diary()
    PromptInferer("bright; nothing; dark", batch_size=2, observer=diary)(volume(), Brightness())
    assert diary.lines == [
        ("case", 2, [True, False, True]),
        ("encoded", 0, 2, 2),
        ("segmented", 0, 2),
        ("segmented", 2, 2),
        ("encoded", 2, 3, 1),
        ("segmented", 0, 1),
        ("segmented", 2, 1),
    ]


def test_an_observer_sees_a_picture_as_a_case_of_one_slice():
    diary = Diary()
    PromptInferer("bright", observer=diary)(torch.ones(2, 3, 4, 4), Brightness())
    assert diary.lines == [("case", 2, [True]), ("encoded", 0, 1, 1), ("segmented", 0, 1)] * 2


@pytest.mark.parametrize("traversal", [None, SliceTraversal()])
def test_slices_come_eight_at_a_time_and_lie_in_one_piece_of_memory(traversal):
    network = DisplayProbe()
    image = MetaTensor(torch.rand(1, 3, 4, 5, 10), affine=torch.eye(4))
    PromptInferer("top", traversal=traversal)(image, network)
    assert [len(shown) for shown in network.shown] == [8, 2]
    assert all(shown.is_contiguous() for shown in network.shown)


def test_a_network_that_leaves_out_a_prompt_is_an_error():
    class Forgetful(Brightness):
        def segment_all(self, features, prompts, images):
            yield from list(super().segment_all(features, prompts, images))[1:]

    with pytest.raises(ValueError, match="shorter"):
        PromptInferer("bright; dark")(torch.ones(1, 3, 4, 4), Forgetful())


def test_a_network_without_weights_runs_where_the_volume_lies():
    assert device_of(torch.nn.Identity(), torch.device("meta")) == torch.device("meta")
    assert device_of(torch.nn.Linear(1, 1), torch.device("meta")) == torch.device("cpu")
    assert device_of(torch.nn.BatchNorm1d(1, affine=False), torch.device("meta")) == torch.device("cpu")


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"batch_size": 0}, "at least one slice per encoder call"), ({"slice_axis": 3}, "0, 1, 2 or null")],
)
def test_settings_out_of_their_range_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        SliceTraversal(**settings)


def test_interfaces_cannot_be_built():
    for interface in (Traversal, StageObserver):
        with pytest.raises(TypeError, match="abstract"):
            interface()
