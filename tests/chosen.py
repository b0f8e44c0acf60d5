"""Which of many alike tests are fast ones."""

import pytest


def first_of_each_function(entries) -> list:
    """Mistakes or variants: the first of each function is left to the fast tests, the others are marked as slow."""
    seen: set = set()
    return [
        pytest.param(each, marks=pytest.mark.slow) if each.target in seen else (seen.add(each.target) or each)
        for each in entries
    ]
