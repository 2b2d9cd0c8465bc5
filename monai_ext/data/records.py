"""Records of finished cases, one beside the masks of each, by which a later run passes them over."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_ext.errors import InputError
from monai_ext.files import whole_file
from monai_ext.prompts.prompt import Prompt, as_prompts

RECORD = "record.json"


class CaseRecords:
    """The records of the cases in an output folder, ``<case>/record.json``.

    A case is finished when its record states the same input and the same settings, and its masks are there.
    A record is written last of a case's files, so that a run that was stopped leaves none of a half-done case.

    Args:
        output_dir: folder for all cases.
        settings: what else a result depends on beside its input, such as thresholds; a module of the method, such as
            a mask generator, is recorded by its class and its attributes.
        bundle: name and version, which go into the settings.
        weights: what :func:`monai_ext.weights.load_into` returned, whose hash goes into the settings.
        prompt: as the inferer takes it; the texts of each prompt go into the settings.
        resume: False finds no case finished.

    Attributes:
        settings: as JSON gives them back.
    """

    def __init__(
        self,
        output_dir: str | Path,
        settings: Mapping[str, Any],
        bundle: tuple[str, str] | None = None,
        weights: Mapping[str, str] | None = None,
        prompt: str | Sequence[str | Prompt] | None = None,
        resume: bool = True,
    ) -> None:
        self.output_dir = Path(output_dir)
        self.bundle, self.weights, self.resume = bundle, weights, resume
        known: dict[str, Any] = {}
        if bundle is not None:
            known["bundle"], known["version"] = bundle
        if weights is not None:
            known["weights"] = weights["sha256"]
        if prompt is not None:
            known["prompt"] = [one.texts for one in as_prompts(prompt)]
        self.settings = json.loads(json.dumps({**known, **settings}, default=_described))

    def finished(self, item: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        """The result rows, one per prompt, of an item with ``case`` and ``input_sha256``; None if it is not finished."""
        path = self.output_dir / item["case"] / RECORD
        if not (self.resume and path.is_file()):
            return None
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            rows, settings, digest = record["results"], record["settings"], record["input_sha256"]
        except (ValueError, KeyError, TypeError):
            return None  # of another program, or damaged: the case is done again and the record replaced
        same = settings == self.settings and digest == item["input_sha256"]
        return rows if same and all((self.output_dir / row["mask"]).is_file() for row in rows) else None

    def write(self, case: str, digest: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write the record of a case whose masks are all written.

        Args:
            case: its id, the name of its folder.
            digest: :func:`monai_ext.io.case_names.input_hash` of its input.
            rows: one per prompt, see :class:`monai_ext.transforms.MaskSaveImaged`.

        Raises:
            InputError: when it cannot be written.
        """
        record = {"settings": self.settings, "input_sha256": digest, "results": list(rows)}
        try:
            with whole_file(self.output_dir / case / RECORD) as path:
                text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
                path.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise InputError(f"{case}: the record cannot be written ({error.strerror}).") from error


def _described(module: Any) -> dict[str, Any]:
    """A module of a method for a record: the name of its class and its settings."""
    return {"method": type(module).__name__, **vars(module)}
