"""Records of finished cases, one beside the masks of each, by which a later run passes them over."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_ext.errors import InputError
from monai_ext.files import file_sha256, whole_file
from monai_ext.prompts.prompt import Prompt, as_prompts

RECORD = "record.json"
FILES = "files"
"""Data key of the paths of a case's files but its masks, relative to the output folder."""

logger = logging.getLogger(__name__)


class CaseRecords:
    """The records of the cases in an output folder, ``<case>/record.json``.

    A case is finished when its record is as it was written, states the same input and the same settings, and every file
    that it names is there unchanged. A record is written last of a case's files, so that a run that was stopped leaves
    none of a half-done case.

    Args:
        output_dir: folder for all cases.
        settings: what else a result depends on beside its input, in words, such as thresholds; a module of the method,
            such as a mask generator, is recorded by its class and its attributes.
        bundle: name and version, which go into the settings.
        weights: what :func:`monai_ext.weights.load_into` returned, whose hash goes into the settings.
        prompt: as the inferer takes it; the texts of each prompt go into the settings.
        resume: False finds no case finished.
        configuration: :func:`monai_ext.bundle.identity.configuration_hash`, which goes into the settings.

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
        configuration: str | None = None,
    ) -> None:
        self.output_dir = Path(output_dir)
        self.bundle, self.weights, self.resume = bundle, weights, resume
        known: dict[str, Any] = {}
        if bundle is not None:
            known["bundle"], known["version"] = bundle
        if weights is not None:
            known["weights"] = weights["sha256"]
        if configuration is not None:
            known["configuration"] = configuration
        if prompt is not None:
            known["prompt"] = [one.texts for one in as_prompts(prompt)]
        self.settings = json.loads(json.dumps({**known, **settings}, default=_described))

    def finished(self, item: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        """The result rows, one per prompt, of an item with ``case`` and ``input_sha256``; None if it is not finished."""
        path = self.output_dir / item["case"] / RECORD
        if not (self.resume and path.is_file()):
            return None
        record = _read(path)
        if record is None:
            logger.warning(
                "%s: damaged, or of another version; the case is done again.", f"{item['case']}/{RECORD}"
            )
            return None
        if (record["settings"], record["input_sha256"]) != (self.settings, item["input_sha256"]):
            return None
        for name, digest in record["files"].items():
            if digest is None or _sha256(self.output_dir / name) != digest:
                logger.warning("%s: missing, or changed since it was written; the case is done again.", name)
                return None
        return record["results"]

    def write(
        self, case: str, digest: str, rows: Sequence[Mapping[str, Any]], files: Sequence[str] = ()
    ) -> None:
        """Write the record of a case whose files are all written.

        Args:
            case: its id, the name of its folder.
            digest: :func:`monai_ext.io.case_names.input_hash` of its input.
            rows: one per prompt, see :class:`monai_ext.transforms.MaskSaveImaged`.
            files: what else was written beside the masks of the rows, as paths relative to `output_dir`; the hash of
                each file goes into the record.

        Raises:
            InputError: when it cannot be written.
        """
        written = sorted({*files, *(row["mask"] for row in rows)})
        record: dict[str, Any] = {
            "settings": self.settings,
            "input_sha256": digest,
            "files": {name: _sha256(self.output_dir / name) for name in written},
            "results": list(rows),
        }
        record["sha256"] = _digest(record)
        try:
            with whole_file(self.output_dir / case / RECORD) as path:
                text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
                path.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise InputError(f"{case}: the record cannot be written ({error.strerror}).") from error


def _read(path: Path) -> dict[str, Any] | None:
    """A record that is as it was written; None if it is not, or was written by an earlier version."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        digest = record.pop("sha256")
        return record if digest == _digest(record) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None  # no file, no text, no JSON, or JSON of another kind


def _digest(record: Mapping[str, Any]) -> str:
    """SHA-256 of what a record says, by which one that was damaged or changed is known."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str | None:
    """The hash of a file, None where there is none that can be read."""
    try:
        return file_sha256(path) if path.is_file() else None
    except OSError:
        return None


def _described(module: Any) -> dict[str, Any]:
    """A module of a method for a record: the name of its class and its settings."""
    return {"method": type(module).__name__, **vars(module)}
