from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import DataLoader, MetaTensor, decollate_batch
from torch import Tensor

from monai_ext.errors import InputError
from monai_ext.inferers import PromptInferer
from monai_ext.networks.segmenter import Segmentation, TextPromptedSegmenter
from monai_ext.prompts.lexicon import Lexicon
from monai_ext.prompts.prompt import Prompt
from monai_ext.transforms import LabelMap, PromptMasks
from tests.fakes import FAKES, DisplayProbe, FeedForward
from tests.orientations import ALL_48, IDS, affine_of, as_before, rotation, stored_as

OPEN = {"presence_threshold": 0.0}


class Scripted(TextPromptedSegmenter):
    """Presence of a slice is its first pixel; the mask is sure everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[tuple[int, ...]] = []

    def encode(self, image: Tensor) -> dict[str, Tensor]:
        self.batches.append(tuple(image.shape))
        return {"image": image}

    def segment(self, features, prompts) -> Segmentation:
        image = features["image"]
        return Segmentation(torch.full_like(image[:, :1], 20.0), image[:, 0, 0, 0].logit())


def volume_of(presence: list[float], size: int = 4) -> MetaTensor:
    """(1, 3, size, size, D): every voxel of a slice holds the presence it is to have."""
    return MetaTensor(torch.tensor(presence).expand(1, 3, size, size, len(presence)), affine=torch.eye(4))


class Choosy(Scripted):
    """Knows lungs only."""

    lexicon = Lexicon((), {"xray": {"lungs": [], "left lung": []}, "ct": {"liver": []}})


class TestFakes:
    @pytest.mark.parametrize("name", FAKES)
    @pytest.mark.parametrize("shape", [(2, 3, 9, 7), (2, 3, 9, 7, 5)], ids=["2D", "3D"])
    def test_every_kind_of_method_runs(self, name, shape):
        network = FAKES[name][0]().eval()
        inputs = MetaTensor(torch.rand(shape), affine=torch.eye(4))
        result = PromptInferer("lungs; heart", batch_size=2, **OPEN)(inputs, network)
        assert isinstance(result, MetaTensor)
        assert result.shape == (2, 2, *shape[2:])
        assert result.dtype == torch.float32
        assert not result.requires_grad
        assert 0 <= result.min() < result.max() <= 1
        assert not torch.equal(result[:, 0], result[:, 1])
        depth = shape[4] if len(shape) == 5 else 1
        assert result.meta["presence"].shape == (2, 2)
        assert result.meta["slice_presence"].shape == (2, 2, depth)

    @pytest.mark.parametrize("name", FAKES)
    @pytest.mark.parametrize("prompts", [["lungs"], [f"organ {i}" for i in range(10)]], ids=["one", "ten"])
    def test_slices_are_encoded_once_whatever_the_number_of_prompts(self, name, prompts):
        network = FAKES[name][0]().eval()
        PromptInferer(prompts, batch_size=4)(volume_of([0.5] * 10), network)
        assert network.encode_calls == [4, 4, 2]

    @pytest.mark.parametrize("name", FAKES)
    def test_results_do_not_depend_on_the_batch(self, name):
        network = FAKES[name][0]().eval()
        inputs = MetaTensor(torch.rand(1, 3, 8, 6, 7), affine=torch.eye(4))
        one, *others = (
            PromptInferer("lungs; left kidney", batch_size=n, gate=False)(inputs, network) for n in (1, 3, 64)
        )
        for other in others:
            assert torch.allclose(one, other, atol=1e-5, rtol=0)
            assert torch.allclose(one.meta["presence"], other.meta["presence"], atol=1e-5, rtol=0)

    @pytest.mark.parametrize("name", FAKES)
    def test_results_equal_forward_slice_by_slice(self, name):
        network = FAKES[name][0]().eval()
        inputs = torch.rand(1, 3, 8, 6)
        result = PromptInferer("lungs", gate=False)(inputs, network)
        with torch.no_grad():
            expected = network(inputs, "lungs", full=True)
        assert torch.allclose(result.as_tensor(), expected.logits.sigmoid(), atol=1e-6)
        assert torch.allclose(result.meta["presence"][:, 0], expected.presence.sigmoid(), atol=1e-6)

    @pytest.mark.parametrize("name", FAKES)
    @pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
    def test_runs_without_gradients_and_leaves_none_behind(self, name, mode):
        network = FAKES[name][0]().eval()
        with mode():
            frozen = PromptInferer("lungs", **OPEN)(torch.rand(1, 3, 8, 6) * 1.0, network)
            inside = PromptInferer("lungs", **OPEN)(frozen.as_tensor().expand(1, 3, 8, 6), network)
        assert inside.shape == (1, 1, 8, 6)
        assert all(parameter.grad is None for parameter in network.parameters())

    @pytest.mark.parametrize("name", FAKES)
    def test_autocast_still_gives_float32(self, name):
        network = FAKES[name][0]().eval()
        inputs = torch.rand(1, 3, 8, 6)
        exact = PromptInferer("lungs", gate=False)(inputs, network)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            result = PromptInferer("lungs", gate=False)(inputs, network)
        assert result.dtype == result.meta["presence"].dtype == torch.float32
        assert torch.allclose(result, exact, atol=0.05)


def test_half_precision_logits_become_probabilities_in_float32():
    class Half(Scripted):
        def segment(self, features, prompts):
            image = features["image"].bfloat16()
            return Segmentation(torch.full_like(image[:, :1], 6.0), torch.full_like(image[:, 0, 0, 0], 7.0))

    result = PromptInferer("lungs")(torch.rand(1, 3, 4, 4), Half())
    assert result[0, 0, 0, 0].item() == pytest.approx(0.9975274, abs=1e-6)  # 0.996 in bfloat16
    assert result.meta["presence"].item() == pytest.approx(0.9990889, abs=1e-6)  # 1 in bfloat16


class TestOrientation:
    """A slice must be shown the same way, and its mask put back in place, however the file stores it."""

    @staticmethod
    def probabilities(image: MetaTensor, prompts: str = "right; top; first") -> np.ndarray:
        result = PromptInferer(prompts, batch_size=3, gate=False)(image, DisplayProbe(bright=True))
        return result[0].numpy()

    @pytest.mark.parametrize("orientation", ALL_48, ids=IDS)
    @pytest.mark.parametrize(
        "affine",
        [
            affine_of((1, 1, 1)),
            affine_of((0.8, 0.9, 3)),
            affine_of((0.8, 3, 0.9)),
            affine_of((3, 0.8, 0.9)),
            affine_of((0.8, 0.9, 3), rotation(25, -20, 35)),
            affine_of((1, 1, 1), rotation(-30, 25, 15)),
        ],
        ids=["isotropic", "axial", "coronal", "sagittal", "oblique", "oblique isotropic"],
    )
    def test_all_48_orders_of_storage_give_the_same_mask(self, affine, orientation):
        volume = np.random.default_rng(1).random((5, 6, 4))
        expected = self.probabilities(stored_as(volume, affine, ALL_48[0]))
        assert 0.15 < (expected > 0.5).mean() < 0.35  # half of the bright half
        result = self.probabilities(stored_as(volume, affine, orientation))
        for one, other in zip(expected, result):
            assert np.array_equal(one, as_before(other, orientation))

    @pytest.mark.parametrize("orientation", ALL_48, ids=IDS)
    @pytest.mark.parametrize("axis", [0, 1, 2])
    def test_single_slices_are_shown_the_same_way(self, axis, orientation):
        shape = [5, 6, 4]
        shape[axis] = 1
        volume, affine = np.random.default_rng(1).random(shape), affine_of((1, 1, 1))
        expected = self.probabilities(stored_as(volume, affine, ALL_48[0]))
        result = self.probabilities(stored_as(volume, affine, orientation))
        for one, other in zip(expected, result):
            assert np.array_equal(one, as_before(other, orientation))

    @pytest.mark.parametrize("orientation", ALL_48, ids=IDS)
    @pytest.mark.parametrize(
        "spacing, prompt, world, side",
        [
            ((1, 1, 1), "left kidney", 0, -1),
            ((1, 1, 4), "left kidney", 0, -1),
            ((1, 4, 1), "left kidney", 0, -1),
            ((1, 1, 4), "top", 1, 1),  # anterior
            ((1, 4, 1), "top", 2, 1),  # superior
            ((4, 1, 1), "top", 2, 1),  # superior
            ((4, 1, 1), "first", 1, 1),  # anterior
        ],
        ids=[
            "left",
            "axial left",
            "coronal left",
            "axial top",
            "coronal top",
            "sagittal top",
            "sagittal left",
        ],
    )
    def test_sides_are_the_patients(self, spacing, prompt, world, side, orientation):
        volume, affine = np.zeros((6, 4, 8)), affine_of(spacing)
        image = stored_as(volume, affine, orientation)
        result = PromptInferer(prompt, gate=False)(image, DisplayProbe())[0, 0].numpy()
        marked = np.argwhere(result > 0.5)
        assert len(marked) == result.size // 2
        placed = marked @ image.affine.numpy()[:3, :3].T + image.affine.numpy()[:3, 3]
        middle = (affine @ [2.5, 1.5, 3.5, 1])[world]
        assert (side * (placed[:, world] - middle) > 0).all()

    def test_the_network_sees_the_same_pictures(self):
        volume, affine = np.random.default_rng(1).random((5, 6, 4)), affine_of((1, 1, 2))
        pictures = []
        for orientation in ALL_48:
            probe = DisplayProbe()
            PromptInferer("top", batch_size=99)(stored_as(volume, affine, orientation), probe)
            (shown,) = probe.shown
            pictures.append(shown[shown.flatten(1).sum(1).argsort()])  # slices keep the order of the array
        assert all(torch.equal(picture, pictures[0]) for picture in pictures)

    def test_a_picture_is_shown_as_it_is(self):
        picture, probe = torch.rand(1, 3, 4, 5), DisplayProbe()
        result = PromptInferer("top")(
            MetaTensor(picture, affine=torch.diag(torch.tensor([-1.0, -1, 1, 1]))), probe
        )
        assert torch.equal(probe.shown[0], picture)
        assert (result[0, 0, :2] > 0.5).all() and (result[0, 0, 2:] < 0.5).all()

    def test_a_plain_tensor_warns_and_takes_the_last_axis(self):
        volume, probe = torch.rand(1, 3, 4, 5, 6), DisplayProbe()
        with pytest.warns(UserWarning, match="no affine"):
            result = PromptInferer("top", batch_size=6)(volume, probe)
        assert torch.equal(probe.shown[0], volume[0].movedim(3, 0))
        assert (result[0, 0, :2] > 0.5).all() and (result[0, 0, 2:] < 0.5).all()

    def test_a_wished_slice_axis_is_taken(self):
        network = Scripted()
        PromptInferer("lungs", slice_axis=1)(
            MetaTensor(torch.rand(1, 3, 4, 5, 6), affine=torch.eye(4)), network
        )
        assert network.batches == [(5, 3, 6, 4)]


class TestPresence:
    def test_absent_slices_are_empty_and_slice_presence_tells(self):
        result = PromptInferer("lungs")(volume_of([0.9, 0.2, 0.8, 0.1]), Scripted())
        assert torch.allclose(result.meta["slice_presence"], torch.tensor([[[0.9, 0.2, 0.8, 0.1]]]))
        assert result.meta["presence"].item() == pytest.approx(0.6 * 0.9 + 0.2 * 0.9 + 0.2 * 0.2)
        assert (result[0, 0] > 0.5).all(0).all(0).tolist() == [True, False, True, False]
        assert result[..., 1].abs().max() == 0

    def test_an_absent_case_is_empty_even_where_a_slice_passes(self):
        result = PromptInferer("lungs")(volume_of([0.1, 0.7, 0.1, 0.1]), Scripted())
        assert result.meta["presence"].item() == pytest.approx(0.6 * 0.7 + 0.4 * 0.1)
        assert result.max() == 0

    @pytest.mark.parametrize(
        ("share", "presence"),
        [(0.0, 0.8), (0.4, 0.6 * 0.8 + 0.2 * (0.3 + 0.5)), (2 / 3, (0.3 + 0.8 + 0.5) / 3)],
    )
    def test_a_case_is_judged_by_its_best_slice_and_the_neighbours_of_it(self, share, presence):
        result = PromptInferer("lungs", neighbour_share=share)(
            volume_of([0.1, 0.3, 0.8, 0.5, 0.0]), Scripted()
        )
        assert result.meta["presence"].item() == pytest.approx(presence)

    def test_an_outer_slice_and_a_single_one_are_their_own_neighbours(self):
        assert PromptInferer("lungs")(volume_of([0.7]), Scripted()).meta["presence"].item() == pytest.approx(
            0.7
        )
        outer = PromptInferer("lungs")(volume_of([0.2, 0.3, 0.9]), Scripted()).meta["presence"].item()
        assert outer == pytest.approx(0.8 * 0.9 + 0.2 * 0.3)

    @pytest.mark.parametrize("shown", [1, 3, 5])
    @pytest.mark.parametrize("first", [0, 140, 295])
    def test_a_structure_in_a_few_of_hundreds_of_slices_is_found_there_and_only_there(self, shown, first):
        presence = [0.1] * 300
        presence[first : first + shown] = [0.95] * shown
        result = PromptInferer("lungs")(volume_of(presence), Scripted())
        assert result.meta["presence"].item() > 0.5
        found = (result[0, 0] > 0.5).all(0).all(0)
        assert found.nonzero().flatten().tolist() == list(range(first, first + shown))

    def test_a_structure_that_is_in_none_of_hundreds_of_slices_is_absent(self):
        random = np.random.RandomState(0)
        noise = random.beta(1, 6, 300)  # about two of 300 slices above one half, none beside another
        assert (noise > 0.5).sum() >= 2
        result = PromptInferer("lungs")(volume_of(noise.tolist()), Scripted())
        assert result.meta["presence"].item() < 0.5 and not result.any()

    def test_a_presence_at_the_threshold_keeps_slice_and_case(self):
        result = PromptInferer("lungs", presence_threshold=0.5)(volume_of([0.5]), Scripted())
        assert result.meta["presence"].item() == 0.5
        assert result.min() > 0.99

    def test_a_slice_at_the_threshold_is_emptied_with_its_absent_case(self):
        result = PromptInferer("lungs")(volume_of([0.0, 0.5, 0.0, 0.0]), Scripted())
        assert result.meta["presence"].item() == pytest.approx(0.3)
        assert result.max() == 0

    def test_without_gate_absent_structures_stay(self):
        result = PromptInferer("lungs", gate=False)(volume_of([0.1, 0.2]), Scripted())
        assert result.min() > 0.99
        assert result.meta["presence"].item() == pytest.approx(0.18)

    @pytest.mark.parametrize("gate", [True, False])
    def test_words_that_the_network_does_not_know_are_not_asked_for(self, gate):
        network = Choosy()
        result = PromptInferer("teapot; lungs", gate=gate)(volume_of([0.9, 0.8]), network)
        assert not result[:, 0].any() and result[:, 1].all()
        assert result.meta["presence"][0].tolist() == [0.0, pytest.approx(0.88)]
        assert result.meta["slice_presence"][0, 0].tolist() == [0.0, 0.0]
        assert result.meta["unknown"] == ["names nothing that these weights know\n"]

    def test_prompts_and_cases_are_gated_one_by_one(self):
        class Choosy(Scripted):
            def segment(self, features, prompts):
                found = super().segment(features, prompts)
                if prompts[0].texts == ("spleen",):
                    found.presence = torch.full_like(found.presence, -9.0)
                return found

        inputs = torch.cat([volume_of([0.9]), volume_of([0.1])])
        result = PromptInferer("lungs; spleen")(inputs, Choosy())
        assert result.flatten(2).amax(2).round().tolist() == [[1, 0], [0, 0]]


class TestBatch:
    def test_batches_never_mix_cases(self):
        network = Scripted()
        PromptInferer("lungs", batch_size=4)(torch.cat([volume_of([0.9] * 5)] * 2), network)
        assert [batch[0] for batch in network.batches] == [4, 1, 4, 1]

    def test_every_volume_follows_its_own_affine(self):
        volume, affine = np.random.default_rng(1).random((4, 4, 4)), affine_of((1, 1, 2))
        images = [stored_as(volume, affine, orientation)[0] for orientation in (ALL_48[5], ALL_48[40])]
        (batch,) = DataLoader([{"image": image} for image in images], batch_size=2)
        together = PromptInferer("right; top")(batch["image"], DisplayProbe(bright=True))
        for image, result in zip(images, together):
            alone = PromptInferer("right; top")(image[None], DisplayProbe(bright=True))
            assert torch.equal(alone[0].as_tensor(), result.as_tensor())

    def test_every_volume_is_cut_along_the_plane_that_its_file_states(self):
        affine = torch.diag(torch.tensor([1.0, 4, 2, 1]))
        images = [
            MetaTensor(torch.full((3, 4, 5, 6), 0.9), affine=affine, meta={"slice_normal": np.array(normal)})
            for normal in ([0.0, 0, 0], [0.0, 0, 1], [1.0, 0, 0])
        ]
        (batch,) = DataLoader([{"image": image} for image in images], batch_size=3)
        found = PromptInferer("lungs")(batch["image"], Scripted()).meta["slice_presence"]
        assert (~found.isnan()).sum(2).tolist() == [[5], [6], [4]]
        alone = PromptInferer("lungs")(images[1][None], Scripted()).meta["slice_presence"]
        assert alone.shape == (1, 1, 6)
        twice = PromptInferer("lungs")(torch.stack([images[1]] * 2), Scripted()).meta["slice_presence"]
        assert twice.shape == (2, 1, 6)

    def test_shorter_cases_are_padded_in_the_slice_presence(self):
        images = [
            MetaTensor(torch.full((3, 4, 4, 2), 0.9), affine=torch.diag(torch.tensor(diagonal)))
            for diagonal in ([1.0, 1, 5, 1], [5.0, 1, 1, 1])
        ]
        (batch,) = DataLoader([{"image": image} for image in images], batch_size=2)
        found = PromptInferer("lungs")(batch["image"], Scripted()).meta["slice_presence"]
        assert found.shape == (2, 1, 4)
        assert found.isnan().sum(2).tolist() == [[2], [0]]

    def test_metadata_survives_and_presence_decollates(self):
        affine = affine_of((1, 2, 5))
        items = [
            {
                "image": MetaTensor(
                    torch.full((3, 2, 3, 4), 0.9), affine=affine, meta={"filename_or_obj": name}
                )
            }
            for name in ("a.nii", "b.nii")
        ]
        (batch,) = DataLoader(items, batch_size=2)
        result = PromptInferer("lungs; heart; liver")(batch["image"], Scripted())
        assert "presence" not in batch["image"].meta
        for name, case in zip(("a.nii", "b.nii"), decollate_batch(result)):
            assert case.shape == (3, 2, 3, 4)
            assert np.array_equal(case.affine, affine)
            assert case.meta["filename_or_obj"] == name
            assert torch.allclose(case.meta["presence"], torch.full((3,), 0.9))
            assert torch.allclose(case.meta["slice_presence"], torch.full((3, 4), 0.9))

    def test_the_input_is_not_written_to(self):
        class Writer(Scripted):
            def encode(self, image):
                return super().encode(image.mul_(0).add_(0.5))

        inputs = torch.rand(1, 3, 4, 4)
        before = inputs.clone()
        PromptInferer("lungs")(inputs, Writer())
        assert torch.equal(inputs, before)

    def test_integers_and_doubles_reach_the_network_as_float32(self):
        for dtype in (torch.uint8, torch.float64, torch.float16):
            probe = DisplayProbe()
            PromptInferer("top")(torch.ones(1, 3, 4, 4, dtype=dtype), probe)
            assert probe.shown[0].dtype == torch.float32

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
    def test_a_volume_goes_to_the_gpu_in_batches_and_the_result_stays_on_the_cpu(self):
        inputs = MetaTensor(torch.rand(1, 3, 128, 128, 200), affine=torch.eye(4))
        network = FeedForward().eval()
        expected = PromptInferer("lungs", gate=False)(inputs, network)
        network.cuda()
        torch.cuda.reset_peak_memory_stats()
        result = PromptInferer("lungs", gate=False, batch_size=2)(inputs, network)
        assert torch.cuda.max_memory_allocated() < inputs.nbytes / 2
        assert result.device.type == "cpu"
        assert torch.allclose(result, expected, atol=1e-3)


class TestPrompts:
    def test_a_string_holds_several(self):
        texts = [prompt.texts for prompt in PromptInferer(" left lung ;heart; ").prompts]
        assert texts == [("left lung",), ("heart",)]

    def test_no_words_are_a_prompt(self):
        assert PromptInferer().prompts == [Prompt(("",))]

    def test_the_prompts_of_a_call_go_first(self):
        network = FeedForward().eval()
        inputs = torch.rand(1, 3, 8, 8)
        called = PromptInferer("lungs", **OPEN)(
            inputs, network, prompts=["heart", Prompt(("liver", "the liver"))]
        )
        built = PromptInferer(["heart", Prompt(("liver", "the liver"))], **OPEN)(inputs, network)
        assert torch.equal(called, built)
        assert called.shape[1] == 2

    def test_keyword_arguments_as_monai_deploy_calls(self):
        inferer, network, inputs = (
            PromptInferer("lungs", **OPEN),
            FeedForward().eval(),
            torch.rand(1, 3, 8, 8),
        )
        assert torch.equal(inferer(inputs=inputs, network=network), inferer(inputs, network))

    def test_a_wrapped_network_is_unwrapped(self):
        network, inputs = FeedForward().eval(), torch.rand(1, 3, 8, 8)
        wrapped = torch.nn.DataParallel(network)
        inferer = PromptInferer("lungs", **OPEN)
        assert torch.equal(inferer(inputs, wrapped), inferer(inputs, network))


class TestErrors:
    @pytest.mark.parametrize("shape", [(3, 4, 4), (1, 3, 4, 4, 4, 4)])
    def test_wrong_dimensions(self, shape):
        with pytest.raises(InputError, match=r"\(B, 3, H, W\)"):
            PromptInferer("lungs")(torch.rand(shape), Scripted())

    @pytest.mark.parametrize("shape", [(1, 1, 4, 4), (1, 4, 4, 4, 4)])
    def test_wrong_channels(self, shape):
        with pytest.raises(InputError, match=f"images of {shape[1]} channels"):
            PromptInferer("lungs")(torch.rand(shape), Scripted())

    def test_no_voxels(self):
        with pytest.raises(InputError, match="no voxels"):
            PromptInferer("lungs")(torch.rand(1, 3, 4, 0), Scripted())

    @pytest.mark.parametrize("prompts", [[], (), ";", " ; "])
    def test_no_prompt(self, prompts):
        with pytest.raises(InputError, match="no prompt"):
            PromptInferer(prompts)
        with pytest.raises(InputError, match="no prompt"):
            PromptInferer("lungs")(torch.rand(1, 3, 4, 4), Scripted(), prompts=prompts)

    @pytest.mark.parametrize(
        "affine, words",
        [(torch.full((4, 4), torch.nan), "NaN"), (torch.diag(torch.tensor([1.0, 1, 0, 1])), "singular")],
    )
    def test_an_unusable_affine_names_the_volume(self, affine, words):
        inputs = MetaTensor(torch.rand(2, 3, 4, 4, 4), affine=torch.stack([torch.eye(4), affine]))
        with pytest.raises(InputError, match=f"volume 2 of 2: .*{words}"):
            PromptInferer("lungs")(inputs, Scripted())

    def test_affines_that_do_not_count_up(self):
        inputs = MetaTensor(torch.rand(1, 3, 4, 4, 4), affine=torch.eye(4).expand(2, 4, 4))
        with pytest.raises(InputError, match="2 affines for 1 volumes"):
            PromptInferer("lungs")(inputs, Scripted())

    @pytest.mark.parametrize(
        "wrong",
        [{"batch_size": 0}, {"presence_threshold": 1.5}, {"neighbour_share": 1.5}, {"slice_axis": 3}],
        ids=str,
    )
    def test_values_out_of_range_are_named(self, wrong):
        with pytest.raises(InputError, match=next(iter(wrong))):
            PromptInferer("lungs", **wrong)

    def test_a_network_that_is_no_segmenter(self):
        with pytest.raises(InputError, match="Conv2d has no encode"):
            PromptInferer("lungs")(torch.rand(1, 3, 4, 4), torch.nn.Conv2d(3, 1, 1))

    def test_unknown_arguments_are_not_swallowed(self):
        with pytest.raises(TypeError, match="prompt"):
            PromptInferer("lungs")(torch.rand(1, 3, 4, 4), Scripted(), prompt="heart")

    def test_logits_of_another_size_break_the_contract(self):
        class Small(Scripted):
            def segment(self, features, prompts):
                found = super().segment(features, prompts)
                return Segmentation(found.logits[..., :1], found.presence)

        with pytest.raises(ValueError, match="is the contract"):
            PromptInferer("lungs")(torch.rand(1, 3, 4, 4), Small())


class TestRanks:
    @pytest.mark.parametrize("shape", [(2, 3, 9, 7), (2, 3, 9, 7, 5)], ids=["2D", "3D"])
    def test_they_give_the_masks_and_label_maps_of_probabilities(self, shape):
        network, prompts = FeedForward().eval(), [f"organ {i}" for i in range(4)]
        inputs = MetaTensor(torch.rand(shape), affine=torch.eye(4))
        probabilities = PromptInferer(prompts, batch_size=2, **OPEN)(inputs, network)
        threshold = float(probabilities.median())
        result = PromptInferer(prompts, batch_size=2, mask_threshold=threshold, **OPEN)(inputs, network)
        assert result.dtype == torch.uint8
        assert torch.equal(result.meta["slice_presence"], probabilities.meta["slice_presence"])
        for one, other in zip(result, probabilities):
            assert torch.equal(LabelMap()(one), LabelMap(threshold)(other))
            assert torch.equal(PromptMasks()(one), PromptMasks(threshold)(other))

    def test_a_threshold_out_of_range_is_refused(self):
        with pytest.raises(InputError, match="mask_threshold is 2"):
            PromptInferer("lungs", mask_threshold=2)
