"""The stand-in answers as Redshift's developer guide prints, or says that it cannot."""

from collections import defaultdict

import pytest

from guide import Example, judge, read_examples
from stand_in import StandIn

PAGES: dict[str, list[Example]] = defaultdict(list)
for _example in read_examples():
    PAGES[_example.page].append(_example)


@pytest.mark.parametrize("page", PAGES)
def test_page(page: str, stand_in: StandIn) -> None:
    differing = {
        example.statement: verdict
        for example in PAGES[page]
        if (verdict := judge(example, stand_in.connection)) != example.verdict
    }
    assert not differing


def test_each_example_is_there_once() -> None:
    examples = read_examples()
    assert len({example.statement for example in examples}) == len(examples)
