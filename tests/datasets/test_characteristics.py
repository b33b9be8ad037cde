"""The infant's characteristics as numbers."""

import numpy as np
import pytest

from fidgety.datasets.characteristics import InfoScaling, encode, with_info
from fidgety.datasets.series import Series
from fidgety.errors import NotAssessable, Reason

WHOLE = {
    "sex": "male",
    "gestational_age_weeks": "38.5",
    "birth_weight_g": 3000.0,
    "corrected_age_weeks": 12,
}


def series(recording, infant, info=None):
    return Series(recording, infant, "", np.zeros((3, 2), "f4"), ("a", "b"), 0.0, 25.0, info=info)


def test_values_are_in_the_sheets_order():
    assert encode(WHOLE).tolist() == [1.0, 38.5, 3000.0, 12.0]
    found = encode({"sex": "female", "birth_weight_g": "", "corrected_age_weeks": None})
    np.testing.assert_array_equal(found, [0.0, np.nan, np.nan, np.nan])


def test_what_is_missing_is_named_or_marked_never_silent():
    rows = {"r": {**WHOLE, "sex": "", "birth_weight_g": None}}
    with pytest.raises(NotAssessable, match="sex, birth_weight_g") as caught:
        with_info(series("r", "i"), rows, "exclude")
    assert caught.value.reason is Reason.CHARACTERISTICS_MISSING
    with pytest.raises(NotAssessable, match="corrected_age_weeks"):
        with_info(series("unknown", "i"), rows, "exclude")
    one = with_info(series("r", "i"), rows, "impute")
    scaling = InfoScaling.fit([series("a", "a", encode(WHOLE)), one], "impute")
    scaled = scaling.apply(one).info
    assert scaling.width == len(scaled) == 8
    assert scaled[[0, 2]].tolist() == [0.0, 0.0]
    assert scaled[4:].tolist() == [1.0, 0.0, 1.0, 0.0]
    assert scaling.apply(series("n", "n")).info is None


def test_every_infant_counts_once():
    values = np.array([[0.0, 36, 2000, 10], [0.0, 36, 2000, 14], [1.0, 40, 3000, 12]])
    own = [series("r1", "a", values[0]), series("r2", "a", values[1]), series("r3", "b", values[2])]
    scaling = InfoScaling.fit(own, "exclude")
    np.testing.assert_allclose(scaling.mean, [0.5, 38, 2500, 12])
    np.testing.assert_allclose(scaling.sd, [0.5, 2, 500, 1.0])  # equal ages: no spread
    np.testing.assert_allclose(scaling.apply(own[2]).info, [1, 1, 1, 0])
    again = InfoScaling.from_dict(scaling.to_dict())
    np.testing.assert_array_equal(again.apply(own[0]).info, scaling.apply(own[0]).info)
