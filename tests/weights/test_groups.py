"""Several weights by one name: listed before any is downloaded, and what cannot be had is output at the end."""

import json

import pytest
import torch

from monai_ext.cli.main import main
from monai_ext.errors import WeightsError
from monai_ext.weights import fetch as fetching
from monai_ext.weights import groups, load_into, load_weights, registry
from monai_ext.weights.biomedclip_layout import to_huggingface
from monai_ext.weights.groups import GROUPS, describe_group
from tests.networks.encoders.small_clip import small
from tests.weights.bombs import Bomb
from tests.weights.server import FILE, Behaviour, registry_of, serving


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_EXT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(fetching, "PAUSE", 0.0)
    return tmp_path / "home" / "weights"


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A group of three: of known size, of unknown size, and by browser only."""
    behaviour = Behaviour()
    with serving(behaviour) as address:
        path = registry_of(tmp_path, f"{address}/{FILE}", size=10240)
        one = json.loads(path.read_text())["small"]
        entries = {
            "small": one,
            "large": {**one, "size": None},
            "hidden": {**one, "source": "page:https://example.org/view", "size": None, "file": "hidden.bin"},
        }
        path.write_text(json.dumps(entries))
        monkeypatch.setattr(registry, "REGISTRY", path)
        monkeypatch.setitem(groups.GROUPS, "some", ("hidden", "small", "large"))
        yield behaviour


def test_every_member_of_a_group_is_registered_and_no_group_is_called_like_one():
    for group, names in GROUPS.items():
        entries = registry.read_registry()
        assert set(names) <= set(entries) and group not in entries


def test_medclip_sam_names_files_sizes_and_licences_before_it_downloads():
    lines = list(describe_group("medclip_sam"))
    assert [line.split(": ")[0] for line in lines] == [*GROUPS["medclip_sam"], "medclip_sam"]
    assert lines[0].startswith("biomedclip-dhn-nce: pytorch_model.bin, size unknown, licence none stated")
    assert "by browser from https://drive.google.com/" in lines[0]
    assert lines[2] == "sam-vit-b: sam_vit_b_01ec64.pth, 375.0 MB, licence Apache-2.0; to be downloaded"
    assert lines[3] == "medclip_sam: 375.0 MB and 2 of unknown size to fetch"


def test_all_are_listed_first_and_what_only_a_browser_gets_is_reported_last(server, home, capsys):
    assert main(["weights", "fetch", "some"]) == 3
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert lines[:4] == [
        "hidden: hidden.bin, size unknown, licence for tests; by browser from https://example.org/view",
        f"small: {FILE}, 10.2 kB, licence for tests; to be downloaded",
        f"large: {FILE}, size unknown, licence for tests; to be downloaded",
        "some: 10.2 kB and 2 of unknown size to fetch",
    ]
    assert lines[4] == f"small: {FILE}, 10.2 kB, licence for tests"
    assert [line for line in lines if "ready" in line] == [lines[5], lines[7]]
    assert output.err.startswith(
        "error: 1 of 3 could not be had: hidden: hidden.bin has to be downloaded in a browser"
    )
    assert output.err.count("\n") == 1
    assert sorted(path.parent.name for path in home.glob(f"*/{FILE}")) == ["large", "small"]


def test_what_is_here_is_reported_and_not_downloaded_again(server, tmp_path, capsys):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "hidden.bin").write_bytes(server.content)
    assert main(["weights", "fetch", "hidden", "--from", str(tmp_path / "disk"), "--quiet"]) == 0
    assert main(["weights", "fetch", "some", "--quiet"]) == 0
    assert (capsys.readouterr().out, len(server.sent)) == ("", 2)
    assert main(["weights", "fetch", "some"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.endswith("already here") for line in lines[:3])
    assert lines[3] == "some: nothing to fetch" and len(server.sent) == 2


def test_the_list_names_the_groups(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["weights", "list"]) == 0
    assert "medclip_sam: biomedclip-dhn-nce, biomedclip, sam-vit-b" in capsys.readouterr().out


def prepare(tmp_path, monkeypatch, state):
    """Fetch a file in the layout of MedCLIP-SAMv2's authors, from a folder."""
    (tmp_path / "disk").mkdir()
    torch.save(state, tmp_path / "disk" / "pytorch_model.bin")
    path = registry_of(
        tmp_path, "page:https://example.org", sha256=None, file="pytorch_model.bin", loader="huggingface_clip"
    )
    monkeypatch.setattr(registry, "REGISTRY", path)
    fetching.fetch("small", tmp_path / "disk")


def test_the_authors_layout_loads_into_an_encoder_and_encodes_as_before(tmp_path, monkeypatch):
    source, target = small("timm ViT", tmp_path), small("timm ViT", tmp_path)
    prepare(tmp_path, monkeypatch, to_huggingface(source.model.state_dict(), "these"))
    image, texts = torch.rand(1, 3, 64, 80), ["left lung"]
    with torch.no_grad():
        assert not torch.allclose(
            source.encode_image(image).embedding, target.encode_image(image).embedding, atol=1e-3
        )
        record = load_into(target, "small")
        assert source.encode_image(image).embedding.equal(target.encode_image(image).embedding)
        assert source.encode_text(texts).equal(target.encode_text(texts))
    assert record["source"] == "page:https://example.org/pytorch_model.bin"


def test_code_in_a_file_of_the_authors_layout_is_refused_and_not_run(tmp_path, monkeypatch):
    prepare(tmp_path, monkeypatch, {"logit_scale": torch.ones(()), "more": Bomb(tmp_path / "ran")})
    with pytest.raises(WeightsError, match=r"pytorch_model.bin: damaged, or it holds code"):
        load_weights("small")
    assert not (tmp_path / "ran").exists()


def test_a_file_of_another_layout_is_one_line(tmp_path, monkeypatch):
    prepare(tmp_path, monkeypatch, {"visual.trunk.cls_token": torch.ones(1, 1, 4)})
    with pytest.raises(WeightsError, match=r"pytorch_model.bin: visual.trunk.cls_token: no names of Hugging"):
        load_weights("small")
