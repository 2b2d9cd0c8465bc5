from __future__ import annotations

from dataclasses import replace

import pytest

from monai_ext.apps.label.options import TrainingOptions, run_name
from monai_ext.data.making import Found, Mask, Source
from monai_ext.errors import InputError
from tests.served import small_bundle


def test_a_request_comes_before_the_server_and_of_a_list_the_first_is_taken():
    found = TrainingOptions.read(
        {"preset": ["full", "quick"], "minutes": 2, "modality": "CT", "client_id": "x"},
        {"modality": "MRI", "group": "(P.)", "models": "vlsm"},
    )
    assert found == TrainingOptions(preset="full", minutes=2.0, modality="CT", group="(P.)")
    assert TrainingOptions.read({}, {}) == TrainingOptions(preset="quick", keep=True, device="auto")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"preset": "best"}, "preset is 'best'; choose from quick, full"),
        ({"epochs": "3"}, "epochs is '3'; int is needed"),
        ({"epochs": True}, "epochs is True; int is needed"),
        ({"keep": 1}, "keep is 1; bool is needed"),
        ({"epochs": -1}, "epochs -1, minutes 0: give one of them, above 0"),
        ({"minutes": -0.5}, "epochs 0, minutes -0.5: give one"),
        ({"minutes": float("nan")}, "epochs 0, minutes nan: give one"),
        ({"epochs": 3, "minutes": 2.0}, "epochs 3, minutes 2: give one of them"),
        (
            {"settings": {"output_dir": "/"}},
            "settings: output_dir is '/'; numbers, true and false can be set here",
        ),
        ({"settings": {"network_def": {"_target_": "os.abort"}}}, "settings: network_def is "),
        ({"settings": "batch_size=2"}, "settings is 'batch_size=2'; dict is needed"),
    ],
)
def test_values_that_cannot_be_used_are_refused(request_, message):
    with pytest.raises(InputError, match=f"^{message}"):
        TrainingOptions.read(request_, {})


def test_one_setting_may_be_a_number_or_true():
    settings = {"learning_rate": 0.1, "batch_size": 4, "amp": False}
    assert TrainingOptions.read({"settings": settings}, {}).settings == settings


def test_a_run_is_known_again_by_all_that_makes_it_but_not_by_its_device(tmp_path):
    bundle = small_bundle("vlsm", tmp_path / "model")
    for name in ("image", "label"):
        (tmp_path / name).write_bytes(name.encode())
    case = Found("a", (tmp_path / "image",), (Mask(tmp_path / "label", names={"1": "lungs"}),), group="p")
    source, options = Source("labels", [case]), TrainingOptions()
    name = run_name(bundle, source, options)
    assert name == run_name(bundle, source, replace(options, device="cpu")) and len(name) == 12
    renamed = replace(case, masks=(Mask(tmp_path / "label", names={"1": "heart"}),))
    others = {
        run_name(bundle, source, replace(options, epochs=3)),
        run_name(bundle, source, replace(options, settings={"amp": False})),
        run_name(bundle, Source("labels", [replace(case, group="q")]), options),
        run_name(bundle, Source("labels", [renamed]), options),
        run_name(bundle, Source("labels", [case, replace(case, name="b")]), options),
    }
    for file in (tmp_path / "image", tmp_path / "label", bundle / "models/model.pt"):
        content = file.read_bytes()
        file.write_bytes(content + b"\0")
        others.add(run_name(bundle, source, options))
        file.write_bytes(content)
    config = bundle / "configs/inference.json"
    config.write_text(config.read_text().replace('"lungs"', '"liver"'))
    others.add(run_name(bundle, source, options))
    assert len(others) == 9 and name not in others
