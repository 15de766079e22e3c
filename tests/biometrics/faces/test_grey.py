from __future__ import annotations

import torch

from biometrics.faces.grey import grey


def test_grey_is_the_weighted_sum_of_the_colours() -> None:
    colours = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0], [1.0, 1.0, 1.0]])
    found = grey(colours.reshape(4, 3, 1, 1))
    assert found.shape == (4, 1, 1)
    torch.testing.assert_close(found.flatten(), torch.tensor([0.299, 0.587, 0.114, 1.0]))
