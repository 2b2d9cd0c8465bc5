"""Labels are saved, a training is started and stopped, and the next case is asked for: in the real server, on loopback."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("monailabel", reason="needs an environment of its own; run make test-label")

from monailabel.client import MONAILabelClient
from monailabel.client.client import MONAILabelClientException, MONAILabelUtils

from monai_ext.apps.label.runs import Runs
from tests.apps.label.server import serve, until
from tests.bundles.films import write_films
from tests.served import small_bundle, trainable_bundle

OPTIONS = {
    "keep": False,
    "device": "cpu",
    "settings": {"draws_per_epoch": 8, "batch_size": 4, "num_workers": 0, "learning_rate": 0.0001},
}
"""Of trainings whose epochs take a second."""


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    return write_films(tmp_path_factory.mktemp("data") / "films")


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("app")
    (folder / "main.py").write_text("from monai_ext.apps.label import LabelApp\n")
    trainable_bundle(folder / "model")
    small_bundle("medclip_sam", folder / "model")
    return folder


@pytest.fixture(scope="module")
def studies(films, tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies")
    for number in range(6):
        shutil.copy(films / f"{number}.png", folder)
    return folder


@pytest.fixture(scope="module")
def client(app, studies):
    with serve(app, studies, app / "server.log", "modality", "X-ray") as client:
        yield client


def start(client: MONAILabelClient, **options) -> None:
    client.train_start("vlsm", {"vlsm": {}, **OPTIONS, **options})


def ended(client: MONAILabelClient) -> dict:
    """The status of the last training, when it has ended."""

    def look():
        status = client.train_status()
        return status if status["status"] not in ("SUBMITTED", "RUNNING") else None

    return until(look, "the training")


def save(client: MONAILabelClient, films: Path, number: int, **params) -> None:
    client.save_label(str(number), str(films / f"{number}_mask.png"), params=params)


def presence(client: MONAILabelClient) -> float:
    return client.infer("vlsm", "5", {"text_prompt": "lungs", "device": "cpu"})[1]["presence"]["lungs"]


def test_only_bundles_that_train_are_offered_with_their_options(client):
    trainers = client.info()["trainers"]
    assert list(trainers) == ["vlsm"]
    config = trainers["vlsm"]["config"]
    assert (config["epochs"], config["keep"], config["modality"]) == (0, True, "X-ray")
    assert config["preset"] == ["quick", "full"] and config["device"][0] == "auto"


class TestInTheOrderOfAHospital:
    """From the first label to the next case; each test goes on where the one before ended."""

    def test_labels_without_names_are_refused_and_the_bundle_stays(self, client, films):
        for number in range(3):
            save(client, films, number)
        status, answer, *_ = MONAILabelUtils.http_method(
            "POST", client.get_server_url(), "/train/vlsm?run_sync=true", OPTIONS
        )
        assert status == 400
        line = json.loads(answer)["detail"]
        assert line.startswith(
            "the label of 0 was saved without names of its values; save it with label_info"
        )
        assert client.info()["models"]["vlsm"]["version"] == "0.1.0"

    def test_a_training_that_is_stopped_goes_on_and_is_served_without_a_restart(self, client, films, app):
        for number in range(4):
            save(client, films, number, label_info=[{"name": "Lungs", "idx": 1}])
        before = presence(client)
        start(client, epochs=12)
        until(lambda: client.info()["train_stats"]["vlsm"].get("epoch", 0) >= 2, "two epochs")
        assert client.info()["train_stats"]["vlsm"]["total_epochs"] == 12
        client.train_stop()
        assert ended(client)["status"] == "STOPPED"
        assert client.info()["models"]["vlsm"]["version"] == "0.1.0"
        assert presence(client) == before

        start(client, epochs=12)
        assert ended(client)["status"] == "DONE", client.train_status()["details"]
        assert "going on with the training that was stopped." in (app / "logs" / "app.log").read_text()
        published = Runs(app / "model" / "vlsm").published()
        assert (published.version, list(published.targets), published.cases) == ("0.1.1", ["lungs"], 4)
        info = client.info()
        assert info["models"]["vlsm"]["version"] == "0.1.1"
        assert info["train_stats"]["vlsm"]["cases"] == 4
        assert info["train_stats"]["vlsm"]["best_metric"] == published.dice
        after = presence(client)
        assert after != before
        assert after == presence_in(
            app / "model" / "vlsm.retrained" / published.run / "bundle", films / "5.png"
        )

    def test_the_next_case_is_the_least_sure_of_those_without_a_label(self, client, app):
        first = client.next_sample("lowest_quality", {"model": "vlsm"})
        assert (first["id"], first["scored"], first["unscored"]) == ("4", 0, 2)
        assert Path(first["path"]).name == "4.png"
        file = app / "model" / "vlsm.scores.json"

        def both():
            scores = json.loads(file.read_text())["images"] if file.is_file() else {}
            return {name: one["quality"] for name, one in scores.items()} if len(scores) == 2 else None

        qualities = until(both, "two scores")
        second = client.next_sample("lowest_quality", {"model": "vlsm"})
        assert (second["id"], second["scored"], second["unscored"]) == ("5", 2, 0)  # "4" was offered before
        assert second["quality"] == qualities["5"]

    def test_an_unknown_bundle_is_bad_input(self, client):
        with pytest.raises(
            MONAILabelClientException, match=r"Status: 400.*no bundle .* is served; choose from"
        ):
            client.next_sample("lowest_quality", {"model": "none"})


def presence_in(bundle: Path, image: Path) -> float:
    """Of "lungs", as MONAI's runner finds it."""
    from monai_ext.bundle.api import load

    (found,) = load(str(bundle)).segment(str(image), ["lungs"])
    return pytest.approx(found.presence, abs=1e-6)
