"""What near-duplicates mean for the lists of data sets: leaks between two lists, and repetitions within one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from monai.utils import ensure_tuple

from monai_ext.data.near_duplicates import Pair, groups_of, near_pairs
from monai_ext.data.perceptual_hash import BITS

if TYPE_CHECKING:
    from monai_ext.data.dataset_check import Entry

TRAINING = "training"


class NearDuplicates:
    """Images of several lists that look nearly the same.

    Lists of the same name in several sets count as one, since they are trained and scored on together.

    Args:
        entries: opened items, each of other pixels.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self.pairs = near_pairs([entry.contents.look if entry.contents else () for entry in entries])

    def warnings(self) -> Iterator[str]:
        """A line for each image that looks nearly like one of another list, with the nearest of these.

        An image of another list than "training" is told of, with that which it repeats. Images of one patient are
        passed over: that a patient is in two lists is a problem of ``dataset.json`` itself.
        """
        others: dict[int, list[Pair]] = {}
        for pair in self.pairs:
            if self._split(pair.first) != self._split(pair.second) and not self._one_patient(pair):
                told = pair.second if self._split(pair.first) == TRAINING else pair.first
                others.setdefault(told, []).append(pair)
        for number, pairs in sorted(others.items()):
            nearest = min(pairs, key=lambda pair: pair.bits)
            other = nearest.first if number == nearest.second else nearest.second
            more = f" and {len(pairs) - 1} more" if len(pairs) > 1 else ""
            yield (
                f"{self.entries[number].location}: {self._file(number)} looks nearly like {self._file(other)} of"
                f" {self.entries[other].location}{more} ({nearest.bits} of {BITS} bits differ): figures on one are too good"
                " where the other was learnt from; put both into one list"
            )

    def notes(self) -> Iterator[str]:
        """A line for each list of a set with images that look nearly the same, and for sets that share such images."""
        for name, split in dict.fromkeys((entry.item["set"], entry.split) for entry in self.entries):
            inside = [pair for pair in self.pairs if self._places(pair) == [(name, split)]]
            if groups := groups_of([pair[:2] for pair in inside], len(self.entries)):
                yield f"{name}: {self._repetitions(groups, name, split)}"
        shared: dict[tuple[str, str, str], set[int]] = {}
        for pair in self.pairs:
            places = self._places(pair)
            if len(places) == 2 and places[0][1] == places[1][1]:
                key = places[0][0], places[1][0], places[0][1]
                shared.setdefault(key, set()).add(pair.second)
        for (one, other, split), numbers in shared.items():
            yield f"{other}: {len(numbers)} of the images in {split} look nearly like one in {split} of {one}"

    def _repetitions(self, groups: Sequence[Sequence[int]], name: str, split: str) -> str:
        count = sum(len(group) for group in groups)
        total = sum((entry.item["set"], entry.split) == (name, split) for entry in self.entries)
        several = sum(len({self.entries[number].item["group"] for number in group}) > 1 for group in groups)
        patients = f"{several} of them of several patients" if several else "each of one patient"
        return (
            f"{count} of the {total} images in {split} ({count / total:.0%}) look nearly the same as another, in"
            f" {len(groups)} group{'s' * (len(groups) > 1)}, {patients}"
        ).replace("%", " %")

    def _split(self, number: int) -> str:
        return self.entries[number].split

    def _places(self, pair: Pair) -> list[tuple[str, str]]:
        """The set and list of both images of a pair, one where it is the same."""
        both = [self.entries[number] for number in pair[:2]]
        return list(dict.fromkeys((entry.item["set"], entry.split) for entry in both))

    def _one_patient(self, pair: Pair) -> bool:
        one, other = (self.entries[number].item for number in pair[:2])
        return (one["set"], one["group"]) == (other["set"], other["group"])

    def _file(self, number: int) -> str:
        return Path(ensure_tuple(self.entries[number].item["image"])[0]).name
