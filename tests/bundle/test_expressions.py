"""What a $ expression may say: what configurations need is let in, in each profile, and what is refused is named."""

from __future__ import annotations

import pytest

from monai_ext.bundle.expressions import expression_faults
from tests.bundle.hostile import EXPRESSIONS

BOTH = (
    "$@evaluator.run()",
    "$@network.parameters()",
    "$@train#network.state_dict()",
    "$@network_def.to(@device)",
    "$@bundle_root + '/eval'",
    "$@epochs * len(@train#dataloader)",
    "$@average.ema_model",
    "$@num_workers > 0 and not @debug",
    "$-1 if @a is None else @b[0]['x'][1:, -1]",
    "$[1, 2.5, 'a', None] + [@a]",
    "${'a': @b, **@c}",
    "$torch.float16",
    "$np.pi",
    "$monai.utils.CommonKeys.IMAGE",
    "$monai.data.utils.no_collation",
    "$'%s/%d' % (@a, @b // 2)",
    "$@_meta_#version",
)
DEFAULT = {
    "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')": [
        "calls torch.device",
        "calls torch.cuda.is_available",
    ],
    "$dict(dtype=torch.bfloat16)": ["calls dict"],
    "$sorted(set(@a))[@b]": ["takes an index that is not written out", "calls sorted", "calls set"],
    "$@a[@b:]": ["takes an index that is not written out"],
    "$@names.split(',')": ["calls the method split"],
    "$', '.join(@names)": ["calls the method join"],
    "$@network.load_state_dict(@state)": ["calls the method load_state_dict"],
    "$@network.eval()": ["calls the method eval"],
    "$monai.utils.set_determinism(seed=@seed)": ["calls monai.utils.set_determinism"],
    "$range(1, @epochs + 1)": ["calls range"],
}
"""Let in by default; and why strict refuses."""


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("text", BOTH)
def test_what_configurations_need_is_let_in_by_both_profiles(text, strict):
    assert expression_faults(text, strict) == []


@pytest.mark.parametrize("text", DEFAULT)
def test_the_strict_profile_refuses_calls_and_computed_indices(text):
    assert expression_faults(text) == []
    assert expression_faults(text, strict=True) == DEFAULT[text]


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_what_the_default_profile_refuses_the_strict_one_refuses_too(text):
    assert set(expression_faults(text)) <= set(expression_faults(text, strict=True))
    assert any(fault.startswith(EXPRESSIONS[text]) for fault in expression_faults(text))


def test_every_fault_is_named_once_in_the_order_of_the_text():
    text = "$open(@a) + open(@b.c) + [lambda: os.x][0](y)"
    assert expression_faults(text) == [
        *(
            "calls open",
            "takes the attribute c",
            "calls what an expression gives",
            "holds a lambda",
            "names y",
        )
    ]


def test_a_reference_is_replaced_as_monai_does_it_also_within_quotes():
    assert expression_faults("$'@b' + 'c'") == [
        "is no Python expression"
    ]  # '__local_refs['b']' is bytes behind text
    assert expression_faults("$'@f'") == ["holds an f-string"]
    assert expression_faults("$@a#b::c") == []
