"""The quality estimates of images, kept beside a bundle: by image content, weights and prompt."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from monai_ext.apps.label.contents import Stamp, content_hash, stamp
from monai_ext.files import whole_file

SUFFIX = ".scores.json"


@dataclass(frozen=True)
class Score:
    """What is known of an image.

    Attributes:
        stamp, sha256: of its content.
        quality: in [0, 1]; None where nothing was found in it, or it could not be read.
        reason: why it could not be read, in one line.
    """

    stamp: Stamp
    sha256: str
    quality: float | None
    reason: str = ""


class Scores:
    """Scores of one bundle's weights for one prompt; those of others in its file are forgotten when one is added.

    Args:
        bundle: folder that the file lies beside, as ``NAME.scores.json``.
        weights: hash of the weights that score.
        prompt: that is scored.
    """

    def __init__(self, bundle: Path, weights: str, prompt: str) -> None:
        self.file = bundle.with_name(bundle.name + SUFFIX)
        self.made_with = {"weights": weights, "prompt": prompt}
        self.scores: dict[str, Score] = {}
        if self.file.is_file():
            content = json.loads(self.file.read_text(encoding="utf-8"))
            if content["made_with"] == self.made_with:
                self.scores = {name: Score(**score) for name, score in content["images"].items()}

    def of(self, image: str, path: Path) -> Score | None:
        """The score of an image, if its content is still what was scored; it is read only when its stamp is another."""
        score = self.scores.get(image)
        if score is None or (score.stamp != stamp(path) and score.sha256 != content_hash(path)):
            return None
        return score

    def add(self, image: str, path: Path, quality: float | None, reason: str = "") -> None:
        """Keep a score, and write all of them."""
        self.scores[image] = Score(stamp(path), content_hash(path), quality, reason)
        content = {
            "made_with": self.made_with,
            "images": {name: asdict(score) for name, score in sorted(self.scores.items())},
        }
        with whole_file(self.file) as partial:
            partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
