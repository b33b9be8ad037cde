"""Who the phantoms are: cohorts planned from a preset and a seed, without rendering anything.

The Snakefile plans the cohort every time it is read, so this module imports NumPy and the
standard library alone, and does nothing that takes longer than milliseconds.

Labels follow the General Movements Assessment (Einspieler & Prechtl 2005, Ment Retard Dev
Disabil Res Rev 11:61): fidgety movements (FMs) are *continuous* (short pauses alone) or
*intermittent* (about half of the time) in the ``normal`` class, *sporadic* (isolated bursts
of a few seconds, long pauses) or *absent* in the ``risk`` class.

The preset ``repertoire`` has the three classes of Hashimoto et al. 2022 (MICCAI 2022, 753) instead:
writhing (``WMs``) and fidgety movements (``FMs``), and a poor repertoire (``PR``).

Infants are planned in pairs (with three classes, trios), one a class, that share site, device,
setting, kind, nuisances of the picture and (up to a small jitter that is drawn alike for both) age
and weight: neither characteristics nor picture tell the classes apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np

PRESETS = ("none", "tiny", "small", "validation", "repertoire")
FM_TYPES = {
    "normal": ("continuous", "intermittent"),
    "risk": ("absent", "sporadic"),
    "FMs": ("continuous", "intermittent"),
    "WMs": ("absent",),
    "PR": ("absent",),
}
#: How infants of a class move all the time; those of other classes move as at the fidgety age.
REPERTOIRES = {"WMs": "writhing", "PR": "poor"}
BLANKETS = ("plain", "checks", "stripes", "dots", "patches")
SKINS = ("light", "fair", "medium", "olive", "brown", "dark")
CLOTHES = ("nappy", "bodysuit", "sleepsuit")
LIGHTS = ("even", "side", "warm", "cold")


@dataclass(frozen=True)
class Nuisances:
    """What is not movement: picture, camera and state; every one can be switched off.

    Parameters
    ----------
    lighting
        One of :data:`LIGHTS`.
    camera_tilt_deg
        Angle between the optical axis and the vertical.
    camera_shake_mm
        Standard deviation of a hand-held camera's sway; 0 is a tripod.
    body_angle_deg
        Which way the head points in the displayed picture: 0 up, 90 right, clockwise.
    blanket, skin, clothing
        One of :data:`BLANKETS`, :data:`SKINS`, :data:`CLOTHES`.
    hand_in_view
        An adult's hand at the edge of the picture for a part of the time.
    occlusion
        A cloth over one lower leg.
    low_light
        A dark and noisy picture.
    blur_px
        Standard deviation of a Gaussian blur (lens out of focus); 0 is sharp.
    variable_rate
        Irregular frame times, as phones record.
    rotation_flag_deg
        Rotation that the file asks the player for: 0, 90, 180 or 270 (counter-clockwise).
    dropped_share
        Share of frames that the camera lost.
    still
        The infant lies still, as asleep: breathing alone.
    crying
        The infant cries: vigorous, jerky movement and no fidgety movements.
    """

    lighting: str = "even"
    camera_tilt_deg: float = 0.0
    camera_shake_mm: float = 0.0
    body_angle_deg: float = 0.0
    blanket: str = "checks"
    skin: str = "fair"
    clothing: str = "nappy"
    hand_in_view: bool = False
    occlusion: bool = False
    low_light: bool = False
    blur_px: float = 0.0
    variable_rate: bool = False
    rotation_flag_deg: int = 0
    dropped_share: float = 0.0
    still: bool = False
    crying: bool = False

    def __post_init__(self) -> None:
        for name, known in (
            ("lighting", LIGHTS),
            ("blanket", BLANKETS),
            ("skin", SKINS),
            ("clothing", CLOTHES),
            ("rotation_flag_deg", (0, 90, 180, 270)),
        ):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}, expected one of {known}")
        if not 0 <= self.dropped_share < 0.5:
            raise ValueError(f"dropped_share is {self.dropped_share}, expected 0 to 0.5")


@dataclass(frozen=True)
class PhantomSpec:
    """Everything that makes one phantom recording; equal specifications give equal bytes.

    Parameters
    ----------
    recording, infant
        Ids: letters, digits, '-' and '_'.
    cohort, role
        Name of the cohort and what it is for.
    label, fm_type
        Class of the infant, and the type of its fidgety movements.
    sex, gestational_age_weeks, birth_weight_g, corrected_age_weeks, site, device, setting
        Characteristics, as in the sample sheet.
    kind
        ``video`` is rendered, ``track`` is the known skeleton with measured noise.
    duration_s
        Length of the recording.
    seed
        Seed of this recording: movement, noise and picture.
    fps
        Nominal frame rate.
    size
        Width and height of the displayed picture, in pixels.
    body_seed
        Seed of the infant's body: the same in all recordings of an infant.
    nuisances
        Picture, camera and state.
    balance
        What classes have in common: ``speed``, or ``speed_and_reach`` of movement.
    """

    recording: str
    infant: str
    cohort: str
    role: str
    label: str
    fm_type: str
    sex: str = "female"
    gestational_age_weeks: float = 39.0
    birth_weight_g: float = 3300.0
    corrected_age_weeks: float = 12.0
    site: str = "phantom-a"
    device: str = "phone"
    setting: str = "hospital"
    kind: str = "video"
    duration_s: float = 30.0
    seed: int = 0
    fps: float = 25.0
    size: tuple[int, int] = (640, 480)
    body_seed: int = 0
    nuisances: Nuisances = field(default_factory=Nuisances)
    balance: str = "speed"

    def __post_init__(self) -> None:
        if self.fm_type not in FM_TYPES.get(self.label, ()):
            raise ValueError(f"{self.recording}: label {self.label!r} with FMs {self.fm_type!r}")
        if self.kind not in ("video", "track"):
            raise ValueError(f"{self.recording}: unknown kind {self.kind!r}")
        if self.balance not in ("speed", "speed_and_reach"):
            raise ValueError(f"{self.recording}: unknown balance {self.balance!r}")
        if self.duration_s <= 0 or self.fps <= 0:
            raise ValueError(f"{self.recording}: duration and frame rate must be positive")

    @property
    def repertoire(self) -> str:
        """How it moves beside its FMs: ``fidgety`` (as at that age), ``writhing`` or ``poor``."""
        return REPERTOIRES.get(self.label, "fidgety")

    @property
    def n_frames(self) -> int:
        """Number of frames before any is dropped."""
        return max(2, round(self.duration_s * self.fps))

    def row(self) -> dict[str, str]:
        """Return the recording's row of the sample sheet (its file is the workflow's own)."""
        return {
            "recording": self.recording,
            "infant": self.infant,
            "cohort": self.cohort,
            "label": self.label,
            "fm_type": self.fm_type,
            "sex": self.sex,
            "gestational_age_weeks": f"{self.gestational_age_weeks:g}",
            "birth_weight_g": f"{self.birth_weight_g:g}",
            "corrected_age_weeks": f"{self.corrected_age_weeks:g}",
            "site": self.site,
            "device": self.device,
            "setting": self.setting,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON takes."""
        values = asdict(self)
        values["size"] = list(self.size)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PhantomSpec:
        """Read what :meth:`to_dict` gave.

        Raises
        ------
        ValueError
            If a key is unknown.
        """
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise ValueError(f"unknown keys of a phantom: {', '.join(sorted(unknown))}")
        plain = dict(values)
        if "size" in plain:
            width, height = plain["size"]
            plain["size"] = (int(width), int(height))
        if "nuisances" in plain:
            plain["nuisances"] = Nuisances(**plain["nuisances"])
        return cls(**plain)


def derive_seed(seed: int, *names: str) -> int:
    """Derive a seed from another and a name; between 0 and 2**31 - 1."""
    text = "/".join((str(seed), *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


#: Seconds of a stretch with FMs and of the pause after it, each as (shortest, longest).
#: Continuous FMs pause for a moment only; the pauses of sporadic ones last up to a minute.
_STRETCHES: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "continuous": ((20.0, 40.0), (0.8, 1.6)),
    "intermittent": ((10.5, 16.0), (6.0, 11.0)),
    "sporadic": ((1.5, 3.0), (18.0, 45.0)),
}


def fm_intervals(spec: PhantomSpec) -> list[tuple[float, float, str]]:
    """Say where the fidgety movements are: what a rater would write, and what is generated.

    Parameters
    ----------
    spec
        The phantom. A still or a crying infant has no fidgety movements.

    Returns
    -------
    list of (start_s, end_s, movement)
        In order, without gaps, from 0 to the duration; movement is ``fidgety`` or ``other``.
        A longer duration continues the same list.
    """
    whole = [(0.0, float(spec.duration_s), "other")]
    if spec.fm_type == "absent" or spec.nuisances.still or spec.nuisances.crying:
        return whole
    rng = np.random.default_rng(derive_seed(spec.seed, "intervals"))
    present, pause = _STRETCHES[spec.fm_type]
    # A sporadic recording starts somewhere in a pause, the others with a stretch.
    clock = float(rng.uniform(0.0, 6.0)) if spec.fm_type == "sporadic" else 0.0
    intervals: list[tuple[float, float, str]] = []
    if clock > 0:
        intervals.append((0.0, clock, "other"))
    while clock < spec.duration_s:
        for movement, (shortest, longest) in (("fidgety", present), ("other", pause)):
            end = round(clock + float(rng.uniform(shortest, longest)), 3)
            intervals.append((clock, end, movement))
            clock = end
    return [
        (round(start, 3), round(min(end, float(spec.duration_s)), 3), movement)
        for start, end, movement in intervals
        if start < spec.duration_s
    ]


@dataclass(frozen=True)
class _Part:
    """One cohort of a preset: an infant a class in each pair, of which the first are rendered.

    With ``times`` the pairs come again, drawn anew.
    """

    role: str
    pairs: int
    rendered_pairs: int
    second_recording: bool = False


@dataclass(frozen=True)
class _Preset:
    duration_s: float
    size: tuple[int, int]
    rates: tuple[float, ...]
    parts: tuple[_Part, ...]
    classes: tuple[str, ...] = ("normal", "risk")


_PLANS: dict[str, _Preset] = {
    "tiny": _Preset(
        duration_s=12.0,
        size=(320, 240),
        rates=(25.0,),
        parts=(
            _Part("development", 3, 0, second_recording=True),
            _Part("external", 1, 1),
            _Part("reference", 1, 0),
        ),
    ),
    "small": _Preset(
        duration_s=30.0,
        size=(640, 480),
        rates=(25.0, 30.0),
        parts=(
            _Part("development", 4, 2, second_recording=True),
            _Part("external", 2, 2),
            _Part("reference", 2, 0),
        ),
    ),
    "validation": _Preset(
        duration_s=60.0,
        size=(640, 480),
        rates=(25.0, 30.0),
        parts=(
            _Part("development", 20, 1, second_recording=True),
            _Part("external", 20, 2),
            _Part("reference", 6, 0),
        ),
    ),
    "repertoire": _Preset(
        duration_s=12.0,
        size=(320, 240),
        rates=(25.0, 30.0),
        parts=(_Part("development", 8, 8), _Part("external", 6, 6)),
        classes=("WMs", "FMs", "PR"),
    ),
}

_SITES = {
    "development": ("phantom-a", "phantom-b"),
    "external": ("phantom-c",),
    "reference": ("phantom-a", "phantom-b"),
}


def _choose(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]


def _draw_nuisances(rng: np.random.Generator, home: bool) -> Nuisances:
    """Draw the picture of a pair; a recording at home is hand-held and less tidy."""
    return Nuisances(
        lighting=_choose(rng, LIGHTS),
        camera_tilt_deg=round(float(rng.uniform(0, 18 if home else 8)), 1),
        camera_shake_mm=round(float(rng.uniform(1, 4)), 1) if home else 0.0,
        body_angle_deg=round(float(rng.uniform(0, 360)), 1),
        blanket=_choose(rng, BLANKETS),
        skin=_choose(rng, SKINS),
        clothing=_choose(rng, CLOTHES),
        hand_in_view=bool(rng.random() < 0.2),
        occlusion=False,
        low_light=bool(home and rng.random() < 0.3),
        blur_px=round(float(rng.uniform(0, 0.8)), 2) if home else 0.0,
        variable_rate=bool(home and rng.random() < 0.6),
        rotation_flag_deg=int(rng.choice([0, 90, 180, 270])) if home else 0,
        dropped_share=round(float(rng.uniform(0, 0.02)), 3) if home else 0.0,
    )


def _pair_characteristics(rng: np.random.Generator) -> dict[str, Any]:
    """Draw what both infants of a pair share; preterm and term births, seen at 10 to 18 weeks."""
    return {
        "sex": _choose(rng, ("female", "male")),
        "gestational_age_weeks": float(np.clip(rng.normal(35.5, 3.0), 26.0, 41.0)),
        "weight_z": float(rng.normal(0.0, 0.8)),
        "corrected_age_weeks": float(rng.uniform(10.0, 18.0)),
    }


def _birth_weight_g(gestational_age_weeks: float, weight_z: float) -> float:
    """Return a weight near the median for the gestational age, moved by a z-score of 12 %."""
    median = float(
        np.interp(gestational_age_weeks, [26, 30, 33, 37, 40], [900, 1450, 2000, 2900, 3400])
    )
    return round(median * float(np.exp(0.12 * weight_z)), -1)


def plan_cohort(
    preset: str,
    seed: int,
    duration_s: float | None = None,
    videos: bool = True,
    balance: str = "speed",
    times: int = 1,
) -> list[PhantomSpec]:
    """Plan a phantom cohort.

    Parameters
    ----------
    preset
        ``tiny`` (tests), ``small`` (a fresh clone), ``validation`` (measures the line),
        ``repertoire`` (three classes, all of them rendered) or ``none``.
    seed
        Seed of the workflow.
    duration_s
        Length of a recording; None takes the preset's.
    videos
        Whether the preset's share of recordings is rendered; else all are tracks.
    balance
        As in :class:`PhantomSpec`.
    times
        So many times the preset's infants, rendered ones too; those of fewer stay the same.

    Returns
    -------
    list of PhantomSpec
        Ordered by cohort, then infant. The first development infant has two recordings.

    Raises
    ------
    ValueError
        If the preset is unknown.
    """
    if preset not in PRESETS:
        raise ValueError(f"unknown phantom preset {preset!r}; known are: {', '.join(PRESETS)}")
    if preset == "none":
        return []
    plan = _PLANS[preset]
    length = float(duration_s if duration_s is not None else plan.duration_s)
    specs: list[PhantomSpec] = []
    for part in plan.parts:
        for pair in range(times * part.pairs):
            specs += _plan_pair(preset, plan, part, pair, seed, length)
    specs = [replace(spec, balance=balance) for spec in specs]
    return specs if videos else [replace(spec, kind="track") for spec in specs]


def _plan_pair(
    preset: str, plan: _Preset, part: _Part, pair: int, seed: int, length: float
) -> list[PhantomSpec]:
    """Plan one infant a class; they differ in their movement alone."""
    rng = np.random.default_rng(derive_seed(seed, "pair", preset, part.role, str(pair)))
    rendered = pair % part.pairs < part.rendered_pairs
    shared = _pair_characteristics(rng)
    setting = "home" if pair % 2 else "hospital"
    site = _SITES[part.role][(pair // 2) % len(_SITES[part.role])]
    nuisances = _draw_nuisances(rng, setting == "home")
    fps = plan.rates[pair % len(plan.rates)]
    specs: list[PhantomSpec] = []
    # Which class comes first alternates, so that ids do not tell the class.
    if len(plan.classes) == 2:
        labels = plan.classes if rng.random() < 0.5 else plan.classes[::-1]
    else:
        labels = tuple(plan.classes[k] for k in rng.permutation(len(plan.classes)))
    for position, label in enumerate(labels):
        infant = f"phantom-{part.role[:3]}-{len(labels) * pair + position + 1:02d}"
        weeks = float(np.clip(shared["gestational_age_weeks"] + rng.normal(0, 0.7), 25.0, 42.0))
        weeks = round(weeks, 1)
        # Reference clips need stretches as long as a clip: continuous against absent first.
        fm_type = FM_TYPES[label][pair % len(FM_TYPES[label])]
        base = PhantomSpec(
            recording=infant,
            infant=infant,
            cohort=f"phantom-{part.role}",
            role=part.role,
            label=label,
            fm_type=fm_type,
            sex=shared["sex"],
            gestational_age_weeks=weeks,
            birth_weight_g=_birth_weight_g(weeks, shared["weight_z"] + float(rng.normal(0, 0.3))),
            corrected_age_weeks=round(
                float(np.clip(shared["corrected_age_weeks"] + rng.normal(0, 0.5), 9.5, 19.0)), 1
            ),
            site=site,
            device="phone" if setting == "home" else "camera",
            setting=setting,
            kind="video" if rendered else "track",
            duration_s=length,
            seed=derive_seed(seed, "recording", preset, infant),
            fps=fps,
            size=plan.size,
            body_seed=derive_seed(seed, "body", preset, infant),
            nuisances=replace(
                nuisances,
                body_angle_deg=round((nuisances.body_angle_deg + 140 * position) % 360, 1),
            ),
        )
        if part.second_recording and pair == 0 and position == 0:
            later = replace(
                base,
                recording=f"{infant}-b",
                corrected_age_weeks=round(base.corrected_age_weeks + 1.0, 1),
                kind="track",
                seed=derive_seed(seed, "recording", preset, f"{infant}-b"),
            )
            specs += [replace(base, recording=f"{infant}-a"), later]
        else:
            specs.append(base)
    return specs
