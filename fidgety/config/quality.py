"""The ``quality`` section."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fidgety.config.base import Section

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class QualityConfig(Section):
    """When a recording is fit to be assessed.

    The defaults refuse only what is clearly unfit; largest shares of 1 and smallest shares of 0
    switch a check off. What cannot be told (no video, no units of length) is no reason. Lengths are
    in trunk lengths. More in quality.md.
    """

    min_measured: Share = 0.3
    """Smallest share of the values of trunk, head and limbs that were measured or placed by hand;
    `cleaning.max_missing` bounds what is missing, this what was made up."""
    max_gap_s: Positive | None = None
    """Longest time that a keypoint of trunk, head and limbs may be missing; nothing for no
    limit."""
    side_width: Share = 0.15
    """The trunk counts as seen from the front where shoulders and hips are at least this wide,
    left and right as a camera above sees them; less wide is from the side."""
    min_supine: Share = 0.5
    """Smallest share of the time in which the trunk is seen from the front."""
    max_other_person: Share = 0.5
    """Largest share of the time with somebody else in the picture, where masks or tracks can show
    several people: the default background's masks cannot."""
    camera_speed: Positive = 0.15
    """The camera counts as moving where the background moves faster than this a second."""
    max_camera_moving: Share = 0.5
    """Largest share of the time in which the camera moves."""
    still_extent: Positive = 0.025
    """The infant counts as still in seconds in which no hand or foot spreads further around its
    mean place (root mean square, seen from the trunk). Fidgety movements are larger."""
    max_still: Share = 0.95
    """Largest share of still time: above it the infant is suspected to be asleep."""
    fussing_speed: Positive = 2.0
    """Speed a second, of the median hand or foot, above which movement is suspected to be
    fussing or crying, if it lasts. Single kicks are about as fast; all limbs on end are not."""
    fussing_s: Positive = 5.0
    """How long it must last."""
    max_fussing: Share = 0.5
    """Largest share of the time with suspected fussing or crying."""
    min_assessable_s: Annotated[float, Field(ge=0)] = 0.0
    """Shortest total time in which pose, camera and infant are all fit."""
