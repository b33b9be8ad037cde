"""How large the report's videos may be.

A page with all that belongs to it is to stay below 10 MB for five minutes: small enough to be
opened on a ward's tablet and kept for years.
"""

from __future__ import annotations

#: Kilobits a second of overlay and clips at most: 300 s of overlay are 6.8 MB, and a clip of ten
#: seconds 0.25 MB. Skeletons and most pictures take less.
MOST_KBPS = 180
