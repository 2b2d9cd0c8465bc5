"""Lists of whole patients."""

import pytest

from monai_ext.data.recipes.split import split_groups


def total(groups, sizes):
    return sum(sizes[group] for group in groups)


@pytest.mark.parametrize("seed", range(5))
def test_sizes_are_met_exactly_where_whole_groups_can_meet_them(seed):
    sizes = {f"patient {n}": 5 + n * 7 % 19 for n in range(107)}
    everything = sum(sizes.values())
    wanted = {"training": everything - 401 - 223, "validation": 401, "test": 223}
    lists = split_groups(sizes, wanted, seed)
    assert list(lists) == ["training", "validation", "test"]
    assert {name: total(groups, sizes) for name, groups in lists.items()} == wanted, seed
    assert sorted(group for groups in lists.values() for group in groups) == sorted(sizes)


def test_otherwise_they_are_as_near_below_as_can_be_and_the_rest_is_left():
    assert split_groups({"a": 4, "b": 6}, {"training": 5}) == {"training": ["a"]}
    assert split_groups({"a": 4}, {"training": 3}) == {"training": []}


def test_the_split_depends_on_the_seed_and_not_on_the_order():
    sizes = {f"p{n}": 1 for n in range(40)}
    wanted = {"training": 30, "test": 10}
    first = split_groups(sizes, wanted, 1)
    assert first == split_groups(dict(reversed(sizes.items())), wanted, 1)
    assert set(first["test"]) != set(split_groups(sizes, wanted, 2)["test"])
