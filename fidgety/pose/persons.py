"""Which body in the masks is the infant, when an adult's hand or a second person is in view.

A body mask knows people, not who they are. Its connected parts ("bodies") are linked over time
by their overlap; each such track says how large, how whole and how central it was, and for how
long. The infant is the one that is persistent and whole in view; hands and arms come in across
the picture's border, and are cut by it. The others are then left out of what leads to the crop.

Frames come in stretches, in order. Decisions are made a stretch at a time, with what came
before: memory does not grow with the length, and the choice does not flip within a stretch.
Another body needs clearly more evidence (:data:`CHALLENGE`) to be taken for the infant instead.

Pieces of the infant (a hand behind a sleeve that the mask does not know) are not other people:
a part counts as another person's if it is cut by the border, is far from the infant, or is as
large as a body of its own and does not lie against it. Where nobody else was ever seen beside
the infant the masks are handed on as they are, the same object.

Where a hand touches the infant both are one body. Then what lies outside the box in which the
infant was before (running median) is the other's. A contact is known by the track that went
into the infant's, or by a jump in area together with a new contact with the border.

Two hands of one adult are two bodies: "persons" counts bodies in view, an upper bound.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from fidgety.pose.crop import BODY_LEVEL
from fidgety.pose.in_view import in_view_record, nobody_knows

Rule = Literal["auto", "largest", "central"]

#: Smallest body: pixels, and share of the largest one in the frame. Less is a speck, which
#: stays where it is: crops are made robust against specks.
MIN_PIXELS, MIN_SHARE = 64, 0.02
#: Most bodies a frame: more are a broken mask.
MAX_BODIES = 12
#: Most tracks that are remembered.
MAX_TRACKS = 24
#: Overlap, as a share of the smaller one, from which two bodies may be the same.
SAME = 0.1
#: Contact with the border, in units of the square root of the area, that halves the evidence:
#: an arm of four times its width has 0.5, an infant whose foot is out of view about 0.1.
CONTACT = 0.2
#: Contact from which a body counts as cut by the border in a frame.
CUT = 0.05
#: Gap to the infant, in units of the square root of the area of both, beyond which a part is
#: no piece of it (a forearm is 0.25), and beyond which a large part is none.
FAR, NEAR = 0.35, 0.15
#: Share of the infant's area from which a part is large, and up to which it is small.
LARGE, SMALL = 0.3, 0.1
#: Times the evidence that another body needs to be taken for the infant instead.
CHALLENGE = 1.5
#: Seconds that evidence, and a body out of sight, are remembered.
MEMORY_S = 10.0
#: Seconds of the running median of area and box.
HISTORY_S = 6.0
#: Seconds that another body must be seen to be one: masks flicker.
MIN_LIFE_S = 0.2
#: Times its usual area from which a body that holds another one is cut to its usual box, and
#: from which it is believed to hold one that nobody saw coming.
GROWN, JUMP = 1.15, 1.3
#: Contact with the border beyond the usual that such a jump must bring.
JUMP_CONTACT = 0.1
#: Room for movement around the usual box, as a share of its longer side.
ROOM = 0.15
#: Factor on the confidence of keypoints that lie on another body.
ON_OTHER = 0.1


@dataclass(frozen=True)
class Body:
    """One connected part of a frame's mask.

    Parameters
    ----------
    label
        Its value in the frame's label map.
    area
        Pixels.
    box
        Left, top, right and bottom in mask pixels, (0, 0) the outer corner of the first one.
    contact
        Length along the picture's border, in units of the square root of the area.
    centrality
        1 in the picture's centre, 0 in its corners.
    """

    label: int
    area: int
    box: tuple[int, int, int, int]
    contact: float
    centrality: float

    @property
    def wholeness(self) -> float:
        """1 where the border does not cut it, towards 0 the more it does."""
        return 1.0 / (1.0 + (self.contact / CONTACT) ** 2)


def find_bodies(mask: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], list[Body]]:
    """Find the connected parts of a mask, the largest first; specks are left out.

    Parameters
    ----------
    mask : ndarray of shape (height, width)
        0 to 255.

    Returns
    -------
    labels : ndarray of shape (height, width), uint8
        1 for the first body, 2 for the second and so on; 0 is background and specks.
    bodies : list of Body
    """
    height, width = mask.shape
    solid = (mask >= BODY_LEVEL).astype(np.uint8)
    # Half the time of 32 bits; a part takes at least four pixels with the gaps around it.
    kind = cv2.CV_16U if mask.size < 4 * 65535 else cv2.CV_32S
    _, parts, stats, centres = cv2.connectedComponentsWithStats(solid, connectivity=8, ltype=kind)
    areas = stats[1:, cv2.CC_STAT_AREA]
    least = max(MIN_PIXELS, MIN_SHARE * float(areas.max(initial=0)))
    kept = np.flatnonzero(areas >= least) + 1
    # By area, then by place: the order in which OpenCV numbers them is of no meaning.
    kept = kept[np.lexsort((centres[kept, 0], centres[kept, 1], -stats[kept, cv2.CC_STAT_AREA]))]
    kept = kept[:MAX_BODIES]
    table = np.zeros(len(stats), np.uint8)
    table[kept] = np.arange(1, len(kept) + 1)
    # A pixel or two of background often remain at the border.
    rim = max(round(0.01 * max(height, width)), 1)
    strips = (parts[:rim], parts[-rim:], parts[:, :rim], parts[:, -rim:])
    touch = sum(np.bincount(s.ravel(), minlength=len(stats)) for s in strips) / rim
    half = np.hypot(width, height) / 2.0
    bodies = []
    for label, part in enumerate(kept, start=1):
        x, y, w, h, area = (int(v) for v in stats[part])
        from_centre = np.hypot(
            centres[part, 0] + 0.5 - width / 2.0, centres[part, 1] + 0.5 - height / 2.0
        )
        bodies.append(
            Body(
                label,
                area,
                (x, y, x + w, y + h),
                float(touch[part] / np.sqrt(area)),
                float(1.0 - from_centre / half),
            )
        )
    return np.take(table, parts), bodies


def evidence_of(body: Body, pixels: int, rule: Rule) -> float:
    """Say how much a body in one frame looks like the infant, between 0 and 1.

    Parameters
    ----------
    body
        The body.
    pixels
        Pixels of the mask.
    rule
        ``auto``: its side (square root of the area) times how whole and, with half the weight,
        how central it is. ``largest``: its area. ``central``: how near it is to the centre.
    """
    if rule == "largest":
        return body.area / pixels
    if rule == "central":
        return body.centrality
    return float(np.sqrt(body.area / pixels)) * body.wholeness * (0.5 + 0.5 * body.centrality)


@dataclass
class _Sums:
    """Means over the frames in which something was seen."""

    frames: int = 0
    area: float = 0.0
    contact: float = 0.0
    centrality: float = 0.0

    def add(self, body: Body) -> None:
        self.frames += 1
        self.area += body.area
        self.contact += body.contact
        self.centrality += body.centrality

    def describe(self, n_frames: int, pixels: int) -> dict[str, Any]:
        n = max(self.frames, 1)
        return {
            "share_of_frames": round(self.frames / max(n_frames, 1), 4),
            "area_share": round(self.area / n / pixels, 5),
            "border_contact": round(self.contact / n, 4),
            "centrality": round(self.centrality / n, 4),
        }


@dataclass
class _Track:
    """A body over time."""

    number: int
    #: Flat indices of its pixels when it was last seen.
    own: NDArray[np.intp]
    #: Track that it split from, if any.
    parent: int | None
    evidence: float
    last_frame: int
    sums: _Sums = field(default_factory=_Sums)
    cut_frames: int = 0
    gap: float = 0.0
    gap_frames: int = 0
    peak: float = 0.0
    other: bool = False
    #: Rows of area, box and contact, seen apart from others; the newest last.
    history: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 6)))
    usual: NDArray[np.float64] | None = None
    fresh: list[tuple[float, ...]] = field(default_factory=list)
    #: Consecutive frames in which it was larger than usual and touched the border more.
    jumps: int = 0

    @property
    def area(self) -> float:
        """Mean area in pixels."""
        return self.sums.area / max(self.sums.frames, 1)

    @property
    def mostly_cut(self) -> bool:
        """Whether the picture's border cuts it in half of the frames or more."""
        return self.cut_frames >= 0.5 * self.sums.frames

    def remember(self, longest: int, least: int) -> None:
        """Take the stretch's frames into the history and renew its median."""
        if self.fresh:
            self.history = np.concatenate([self.history, self.fresh])[-longest:]
            self.fresh = []
        if len(self.history) >= least:
            self.usual = np.median(self.history, axis=0)


@dataclass
class _Frame:
    """What was seen in a frame: its label map and which body is which track's."""

    labels: NDArray[np.uint8]
    bodies: list[tuple[Body, _Track]]
    #: Tracks that went into another one's body, by the number of that one.
    absorbed: dict[int, list[_Track]]
    jumped: set[int]


@dataclass(frozen=True)
class Sorted:
    """A stretch's masks, sorted by whose they are.

    Parameters
    ----------
    infant : ndarray of shape (frame, height, width)
        Masks without the others; the very masks that came in where nobody else is in view.
    others : ndarray of bool, shape (frame, height, width), or None
        Pixels of other people; None where there is none in the whole stretch.
    others_in_view : ndarray of int, shape (frame,)
        Other bodies in each frame.
    infant_in_view : ndarray of bool, shape (frame,)
    merged : ndarray of bool, shape (frame,)
        Where another one touches the infant, and the mask was cut to where the infant was.
    """

    infant: NDArray[np.uint8]
    others: NDArray[np.bool_] | None
    others_in_view: NDArray[np.intp]
    infant_in_view: NDArray[np.bool_]
    merged: NDArray[np.bool_]

    @property
    def nobody_but_others(self) -> bool:
        """Whether there are others in the stretch, but no frame with the infant."""
        return self.others is not None and not bool(self.infant_in_view.any())


class Persons:
    """Tells the infant from others, stretch by stretch.

    Parameters
    ----------
    rule
        What makes a body the infant; see :func:`evidence_of`.
    fps
        Frames a second.
    follows_one
        Whether the masks are of one person, whoever else is in view.

    Examples
    --------
    >>> mask = np.zeros((1, 60, 80), np.uint8)
    >>> mask[:, 20:50, 30:50] = 255
    >>> persons = Persons("auto", fps=25.0)
    >>> persons.sort(mask).infant is mask
    True
    >>> persons.record()["max_in_view"]
    1
    """

    def __init__(self, rule: Rule, fps: float, *, follows_one: bool = False) -> None:
        self._follows_one = follows_one
        self.rule: Rule = rule
        self.memory = max(round(MEMORY_S * fps), 1)
        self.longest_history = max(round(HISTORY_S * fps), 1)
        self.least_history = max(round(fps), 1)
        self.min_life = max(round(MIN_LIFE_S * fps), 1)
        self.tracks: list[_Track] = []
        self.infant: _Track | None = None
        self._next_number = 0
        self._frame = 0
        self._pixels = 1
        self._sums = _Sums()
        self._changes = 0
        self._fps = fps
        self._others: list[NDArray[np.intp]] = []
        self._max_in_view = self._merged = self._without_infant = 0
        self._rival: tuple[float, dict[str, Any]] | None = None

    def sort(self, masks: NDArray[np.uint8]) -> Sorted:
        """Sort the masks of the next stretch.

        Parameters
        ----------
        masks : ndarray of shape (frame, height, width)
            Body masks, 0 to 255; at least one frame.
        """
        self._pixels = masks[0].size
        frames = [self._link(*find_bodies(mask)) for mask in masks]
        self._choose(self._frame - len(frames))
        self._judge(frames)
        for track in self.tracks:
            track.remember(self.longest_history, self.least_history)
        found = self._separate(masks, frames)
        self._count(frames, found)
        self._forget()
        return found

    # Linking ------------------------------------------------------------------------------

    def _link(self, labels: NDArray[np.uint8], bodies: list[Body]) -> _Frame:
        """Give each body of the next frame its track, or a new one."""
        pairs = self._pairs(labels, bodies)
        owner: dict[int, _Track] = {}
        taken: dict[int, int] = {}
        for *_, label, track in pairs:
            if label not in owner and track.number not in taken:
                owner[label], taken[track.number] = track, label
        absorbed: dict[int, list[_Track]] = {}
        parents: dict[int, _Track] = {}
        for *_, label, track in pairs:
            if label not in owner:
                parents.setdefault(label, track)
            elif track.number not in taken and self._counts_beside(track, owner[label]):
                into = absorbed.setdefault(owner[label].number, [])
                if track not in into:
                    into.append(track)
        for body in bodies:
            if body.label not in owner:
                owner[body.label] = self._start(parents.get(body.label))
        frame = _Frame(labels, [(b, owner[b.label]) for b in bodies], absorbed, set())
        self._update(frame)
        self._frame += 1
        return frame

    def _pairs(
        self, labels: NDArray[np.uint8], bodies: list[Body]
    ) -> list[tuple[bool, float, int, int, _Track]]:
        """Return (not the infant, -weight, number, label, track), the likeliest pair first.

        The infant chooses first, so that a body that holds the infant and another is its.
        """
        flat = labels.ravel()
        pairs = []
        for track in self.tracks:
            shared = np.bincount(flat[track.own], minlength=len(bodies) + 1)
            for body in bodies:
                common = int(shared[body.label])
                if common > SAME * min(len(track.own), body.area):
                    weight = common * body.wholeness
                    pairs.append(
                        (track is not self.infant, -weight, track.number, body.label, track)
                    )
        return sorted(pairs, key=lambda pair: pair[:4])

    def _counts_beside(self, track: _Track, owner: _Track) -> bool:
        """Tell whether a track that went into another's body is more than a piece of it."""
        if track.sums.frames < self.min_life:
            return False
        return track.other or track.mostly_cut or track.area >= LARGE * owner.area

    def _start(self, parent: _Track | None) -> _Track:
        """Begin a track; one that splits off begins with its parent's evidence."""
        track = _Track(
            self._next_number,
            np.zeros(0, np.intp),
            None if parent is None else parent.number,
            0.0 if parent is None else parent.evidence,
            self._frame,
        )
        self._next_number += 1
        self.tracks.append(track)
        return track

    def _update(self, frame: _Frame) -> None:
        """Take what was seen in a frame into the tracks."""
        flat = frame.labels.ravel()
        seen = set()
        for body, track in frame.bodies:
            seen.add(track.number)
            track.last_frame = self._frame
            track.sums.add(body)
            track.cut_frames += body.contact > CUT
            now = evidence_of(body, self._pixels, self.rule)
            absorbed = frame.absorbed.get(track.number, [])
            if self._grown(track, body, JUMP, JUMP_CONTACT) and track.jumps < self.memory:
                track.jumps += 1
                frame.jumped.add(track.number)
            elif not self._grown(track, body, JUMP, JUMP_CONTACT):
                track.jumps = 0
            apart = track.number not in frame.jumped and not (
                absorbed and (track.usual is None or self._grown(track, body, GROWN, 0.0))
            )
            pixels = np.flatnonzero(flat == body.label)
            if apart:
                track.own = pixels
                track.evidence += (now - track.evidence) / self.memory
                track.fresh.append((body.area, *body.box, body.contact))
            elif track.usual is not None:
                # What the other adds says nothing about this one.
                inside = _in_box(pixels, frame.labels.shape, track.usual[1:5])
                track.own = pixels[inside]
                if len(absorbed) == 1 and not inside.all():
                    absorbed[0].own = pixels[~inside]
            elif len(track.own) == 0:
                track.own = pixels
            for other in absorbed:
                seen.add(other.number)
        for track in self.tracks:
            track.peak = max(track.peak, track.evidence)
            # The infant out of sight stays what it was; others are forgotten.
            if track.number not in seen and track is not self.infant:
                track.evidence *= 1.0 - 1.0 / self.memory

    @staticmethod
    def _grown(track: _Track, body: Body, times: float, contact: float) -> bool:
        """Tell whether a body is larger than usual and touches the border more."""
        return track.usual is not None and bool(
            body.area > times * track.usual[0] and body.contact >= track.usual[5] + contact
        )

    # Deciding -----------------------------------------------------------------------------

    def _choose(self, start: int) -> None:
        """Decide which track is the infant, with what was seen up to this stretch's end."""
        present = [t for t in self.tracks if t.last_frame >= start and t.sums.frames > 0]
        if not present:
            return
        best = max(present, key=lambda t: (t.evidence, -t.number))
        if self.infant is None:
            self.infant = best
            return
        if self.infant.last_frame >= start:
            if best is not self.infant and best.evidence > CHALLENGE * self.infant.evidence:
                self._change(best)
            return
        # The infant is out of sight. A whole body of about its size is the infant elsewhere.
        known = self.infant.usual[0] if self.infant.usual is not None else self.infant.area
        whole = [t for t in present if not t.other and not t.mostly_cut and t.area >= LARGE * known]
        if whole:
            self._change(max(whole, key=lambda t: (t.evidence, -t.number)))

    def _change(self, track: _Track) -> None:
        self.infant = track
        track.other = False
        self._changes += 1
        for each in self.tracks:  # gaps are those to the infant
            each.gap, each.gap_frames = 0.0, 0

    def _judge(self, frames: list[_Frame]) -> None:
        """Decide which tracks that were seen beside the infant are other people's."""
        infant = self.infant
        if infant is None:
            return
        beside: set[int] = set()
        for frame in frames:
            mine = next((b for b, t in frame.bodies if t is infant), None)
            if mine is None or len(frame.bodies) < 2:
                continue
            distance = cv2.distanceTransform(
                (frame.labels != mine.label).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5
            )
            for body, track in frame.bodies:
                if track is not infant:
                    gap = float(distance[frame.labels == body.label].min())
                    track.gap += gap / np.sqrt(mine.area + body.area)
                    track.gap_frames += 1
                    beside.add(track.number)
        for track in self.tracks:
            if track.number in beside:
                track.other = track.sums.frames >= self.min_life and _is_other(track, infant)

    # Separating ---------------------------------------------------------------------------

    def _separate(self, masks: NDArray[np.uint8], frames: list[_Frame]) -> Sorted:
        n = len(frames)
        merged = np.zeros(n, dtype=bool)
        in_view = np.zeros(n, dtype=bool)
        count = np.zeros(n, dtype=np.intp)
        others: NDArray[np.bool_] | None = None
        for i, frame in enumerate(frames):
            theirs, count[i], in_view[i], merged[i] = self._theirs(frame)
            if theirs is None:
                continue
            if others is None:
                others = np.zeros(masks.shape, dtype=bool)
            others[i] = theirs
        if others is None:
            return Sorted(masks, None, count, in_view, merged)
        infant = masks.copy()
        for i in np.flatnonzero(others.any(axis=(1, 2))):
            infant[i][self._fringed(others[i], masks[i])] = 0
        return Sorted(infant, others, count, in_view, merged)

    def _theirs(self, frame: _Frame) -> tuple[NDArray[np.bool_] | None, int, bool, bool]:
        """Return the others' pixels, how many they are, and whether the infant is seen, touched."""
        infant = self.infant
        theirs: NDArray[np.bool_] | None = None
        labels = [body.label for body, track in frame.bodies if track.other]
        count = len(labels)
        if labels:
            theirs = np.isin(frame.labels, labels)
        mine = next((b for b, t in frame.bodies if t is infant), None)
        if mine is None or infant is None:
            return theirs, count, len(frame.bodies) > count, False
        inside = sum(track.other for track in frame.absorbed.get(infant.number, []))
        jumped = infant.number in frame.jumped
        merged = (inside > 0 and self._grown(infant, mine, GROWN, 0.0)) or jumped
        count += max(inside, 1) if merged else 0
        if merged and infant.usual is not None:
            pixels = np.flatnonzero(frame.labels == mine.label)
            outside = pixels[~_in_box(pixels, frame.labels.shape, infant.usual[1:5])]
            if len(outside):
                theirs = np.zeros(frame.labels.shape, dtype=bool) if theirs is None else theirs
                theirs.ravel()[outside] = True
        return theirs, count, True, bool(merged)

    @staticmethod
    def _fringed(theirs: NDArray[np.bool_], mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Add the soft edge of others' pixels, but nothing of the other bodies."""
        grown = cv2.dilate(theirs.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        return np.asarray(theirs | (grown & (mask < BODY_LEVEL)))

    # Recording ----------------------------------------------------------------------------

    def _count(self, frames: list[_Frame], found: Sorted) -> None:
        total = found.others_in_view + found.infant_in_view
        self._max_in_view = max(self._max_in_view, int(total.max()))
        self._others.append(found.others_in_view)
        self._merged += int(found.merged.sum())
        self._without_infant += int((~found.infant_in_view).sum())
        for frame in frames:
            for body, track in frame.bodies:
                if track is self.infant:
                    self._sums.add(body)
        for track in self.tracks:
            if track.other and (self._rival is None or track.peak > self._rival[0]):
                self._rival = (track.peak, track.sums.describe(self._frame, self._pixels))

    def _forget(self) -> None:
        """Drop the tracks that were not seen for long, the weakest first if they are many."""
        kept = [
            t for t in self.tracks if t is self.infant or self._frame - t.last_frame <= self.memory
        ]
        kept.sort(key=lambda t: (t is not self.infant, -t.evidence, t.number))
        self.tracks = kept[:MAX_TRACKS]

    def record(self) -> dict[str, Any]:
        """Say who was in view and why one of them is the infant.

        Returns
        -------
        dict
            What :func:`~fidgety.pose.in_view.in_view_record` gives, or that nobody knows: of masks
            that follow one person a glimpse of another tells nothing about the rest of the time.
            ``frames_touching``, ``frames_without_infant``; ``chosen`` (None without any body) with
            the rule, the changes of mind, the evidence, the infant's mean figures, those of the
            strongest other (``next``) and a sentence, ``why``.
        """
        if self._follows_one:
            in_view = nobody_knows()
        else:
            others = np.concatenate([np.zeros(0, dtype=np.intp), *self._others])
            in_view = in_view_record(others, self._max_in_view, self._fps)
        return {
            **in_view,
            "frames_touching": self._merged,
            "frames_without_infant": self._without_infant,
            "chosen": self._chosen(),
        }

    def _chosen(self) -> dict[str, Any] | None:
        if self.infant is None:
            return None
        peak = self.infant.peak
        rival = None
        if self._rival is None:
            why = "the only body" + (" that is followed" if self._follows_one else " in view")
        else:
            reasons = {
                "auto": "most persistent, whole and central",
                "largest": "largest over time",
                "central": "most central over time",
            }
            rival = {"evidence": round(self._rival[0], 4), **self._rival[1]}
            why = f"{reasons[self.rule]}: evidence {peak:.3f} against {self._rival[0]:.3f}"
        return {
            "rule": self.rule,
            "changes": self._changes,
            "evidence": round(peak, 4),
            **self._sums.describe(self._frame, self._pixels),
            "next": rival,
            "why": why,
        }


def no_masks_record() -> dict[str, Any]:
    """Return the record of a recording without masks: nobody knows."""
    return {
        **nobody_knows(),
        "frames_touching": None,
        "frames_without_infant": None,
        "chosen": None,
    }


def _is_other(track: _Track, infant: _Track) -> bool:
    """Tell whether a body beside the infant is another person's, not a piece of the infant."""
    size = track.area / max(infant.area, 1.0)
    if track.mostly_cut:
        # A foot that the mask cut off at the border came out of the infant; a hand did not.
        return not (track.parent == infant.number and size < SMALL)
    gap = track.gap / max(track.gap_frames, 1)
    return gap > FAR or (size >= LARGE and gap > NEAR)


def _in_box(
    pixels: NDArray[np.intp], shape: tuple[int, ...], box: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tell which flat indices lie in a box (left, top, right, bottom) with room for movement."""
    room = ROOM * max(box[2] - box[0], box[3] - box[1])
    rows, columns = np.divmod(pixels, shape[1])
    return np.asarray(
        (columns + 0.5 >= box[0] - room)
        & (columns + 0.5 <= box[2] + room)
        & (rows + 0.5 >= box[1] - room)
        & (rows + 0.5 <= box[3] + room)
    )


def on_others(
    position: NDArray[np.floating], others: NDArray[np.bool_] | None, mask_scale: float
) -> NDArray[np.bool_]:
    """Tell which keypoints lie on another body.

    Parameters
    ----------
    position : ndarray of shape (frame, 2, keypoint)
        In the video's pixels; NaN is missing.
    others : ndarray of bool, shape (frame, height, width), optional
        As in :class:`Sorted`.
    mask_scale
        Mask pixels a video pixel.

    Returns
    -------
    ndarray of bool, shape (frame, keypoint)
    """
    n, _, k = position.shape
    if others is None:
        return np.zeros((n, k), dtype=bool)
    height, width = others.shape[1:]
    known = np.isfinite(position).all(axis=1)
    place = np.floor(np.where(known[:, None], position, -1.0) * mask_scale)
    # Far outside the picture is outside as well: integers must not overflow.
    column, row = np.clip(place, -1, max(height, width)).astype(np.intp).transpose(1, 0, 2)
    within = known & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    at = others[np.arange(n)[:, None], np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
    return np.asarray(within & at)
