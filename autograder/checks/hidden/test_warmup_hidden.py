"""Task 0, hidden: other sizes, and nothing else is changed."""
import numpy as np
import pytest
import torch

from autograder import expect


@pytest.mark.item("warmup.sizes")
@pytest.mark.parametrize("size", [(1, 1, 4), (5, 7, 3), (2, 32, 32)])
def test_sizes(student, reference, size):
    n, height, width = size
    images = np.random.default_rng(n).integers(0, 256, (n, height, width, 3), dtype=np.uint8)
    for each in (images, torch.from_numpy(images)):
        found = student.warmup.normalize(each)
        found = expect.tensor(found, (n, 3, height, width), torch.float32, what="normalize(images)")
        # float32; the nearest wrong variant (/ 256) is off by up to 1.6e-2.
        expect.close(found, reference.warmup.normalize(images), rtol=0.0, atol=1e-4, what="normalize(images)")


@pytest.mark.item("warmup.side_effects")
def test_side_effects(student):
    images = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3) * 10
    student.warmup.normalize(images)
    student.warmup.normalize(torch.from_numpy(images))
    expect.true("warmup.normalize" not in student.mutated, "normalize to leave its input as it was", "changed pixels")
    changed = ", ".join(sorted(student.changed_settings))
    expect.true(not changed, "normalize to leave global settings alone", f"a change of {changed}")
