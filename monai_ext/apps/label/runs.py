"""The retrainings of a served bundle, in a folder beside it, and which of them is served in its place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from monai_ext.bundle.retrained import METADATA, raised
from monai_ext.errors import WeightsError
from monai_ext.files import whole_file
from monai_ext.handlers.training import LOG
from monai_ext.studies.retrained import BUNDLE, PLAN

SUFFIX, SERVED = ".retrained", "served.json"


@dataclass(frozen=True)
class Published:
    """A retraining that is served.

    Attributes:
        run: name of its folder.
        version: of its bundle.
        targets: what it was trained for.
        cases: with a saved label, those to validate with among them.
        dice: mean over the targets on the validation list, in [0, 1].
    """

    run: str
    version: str
    targets: Sequence[str]
    cases: int
    dice: float


class Runs:
    """``NAME.retrained`` beside the folder of a bundle, which itself stays as it is.

    Each run has a folder of its own, and ``served.json`` names the one that is served: without that file the bundle
    itself is. One goes back by removing it, or by putting that of an earlier run, which lies in its folder, in its place.

    Args:
        bundle: its folder.
    """

    def __init__(self, bundle: Path) -> None:
        self.bundle, self.folder = bundle, bundle.with_name(bundle.name + SUFFIX)

    def published(self) -> Published | None:
        """What is served in place of the bundle.

        Raises:
            WeightsError: when it is not there any more.
        """
        file = self.folder / SERVED
        if not file.is_file():
            return None
        found = Published(**json.loads(file.read_text(encoding="utf-8")))
        if not (self.folder / found.run / BUNDLE / METADATA).is_file():
            raise WeightsError(
                f"{self.folder.name}/{SERVED} names the run {found.run}, which is not there; remove that file to serve"
                f" {self.bundle.name} itself."
            )
        return found

    def served(self) -> Path:
        """The folder of the bundle that is served."""
        found = self.published()
        return self.bundle if found is None else self.folder / found.run / BUNDLE

    def next_version(self) -> str:
        """The version after that of the bundle that is served."""
        metadata = json.loads((self.served() / METADATA).read_text(encoding="utf-8"))
        return raised(str(metadata["version"]))

    def begin(self, run: str) -> Path:
        """The folder of a run, which goes on if it was stopped; others that ended before their end are removed."""
        for other in self._unfinished():
            if other.name != run:
                shutil.rmtree(other)
        folder = self.folder / run
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def publish(self, published: Published) -> None:
        """Mark a run as ended, so that no later one removes it, and serve it from now on."""
        text = json.dumps(asdict(published), indent=1) + "\n"
        for folder in (self.folder / published.run, self.folder):
            with whole_file(folder / SERVED, synced=True) as partial:
                partial.write_text(text, encoding="utf-8")

    def progress(self) -> dict[str, Any]:
        """How far the run is that has not ended: epoch, epochs in all and loss; empty if there is none."""
        for run in self._unfinished():
            if (run / PLAN).is_file():
                plan: Mapping[str, Any] = json.loads((run / PLAN).read_text(encoding="utf-8"))
                rows = (
                    (run / LOG).read_text(encoding="utf-8").splitlines()[1:] if (run / LOG).is_file() else []
                )
                epoch, _, loss = rows[-1].split(",") if rows else ("0", "", "nan")
                last = {"loss": float(loss)} if rows else {}
                return {"epoch": int(epoch), "total_epochs": plan["epochs"], **last}
        return {}

    def _unfinished(self) -> list[Path]:
        return [
            path for path in sorted(self.folder.glob("*")) if path.is_dir() and not (path / SERVED).is_file()
        ]
