from __future__ import annotations

import numpy as np
import pytest

from clinical.errors import BadInputError
from server.prints.symbols import CODE_128, GS1_DATA_MATRIX, QR, encode


def test_a_symbol_is_drawn_in_whole_modules_with_its_quiet_zone() -> None:
    symbol = encode("WL1:N:X:1", QR)
    image = np.asarray(symbol.image(5))
    assert image.shape == (symbol.rows * 5, symbol.columns * 5)
    assert (image[:20] == 255).all()
    assert (image[:, :20] == 255).all()
    assert set(np.unique(image)) == {0, 255}


def test_a_linear_symbol_is_as_high_as_asked() -> None:
    symbol = encode("WL1:B:1:1", CODE_128)
    assert (symbol.rows, symbol.image(3, bar_height=50).height) == (1, 50)


@pytest.mark.parametrize("text", ["(01)123", "", "(99999)x"])
def test_a_text_that_is_no_gs1_is_refused(text: str) -> None:
    with pytest.raises(BadInputError):
        encode(text, GS1_DATA_MATRIX)


def test_a_text_over_the_capacity_is_refused() -> None:
    with pytest.raises(BadInputError):
        encode("x" * 5000, QR)
