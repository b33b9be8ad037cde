"""Every English word of the reading pages and their results, in one place, and their items.

The items of the revised Motor Optimality Score are its five subcategories with the points that
each can give; their sum lies between 5 and 28. The score sheet itself is not reproduced: a rater
uses the published one.

References
----------
Einspieler et al. 2019, J Clin Med 8:1616 (MOS-R). Einspieler and Prechtl 2005, Ment Retard Dev
Disabil Res Rev 11:61 (types of general movements).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Item:
    """A question with its answers.

    Parameters
    ----------
    name
        In files.
    question
        On the page.
    answers
        Value in files to word on the page.
    """

    name: str
    question: str
    answers: dict[str, str]


#: In the key, beside reason codes: why an infant is not read.
NOT_ASSESSABLE, NO_VIDEO = "not assessable", "no video"
#: The verdict that ends a reading without any other answer.
NOT_JUDGED = "not_judged"
VERDICT = Item(
    "verdict",
    "Is the infant at risk?",
    {"at_risk": "At risk", "not_at_risk": "Not at risk", NOT_JUDGED: "Cannot be judged"},
)
CONFIDENCE = Item(
    "confidence",
    "How sure are you?",
    {"1": "1, a guess", "2": "2", "3": "3", "4": "4", "5": "5, certain"},
)
TYPES = {
    "fidgety": Item(
        "type",
        "Fidgety movements",
        {
            "continuous": "Continuous",
            "intermittent": "Intermittent",
            "sporadic": "Sporadic",
            "absent": "Absent",
            "abnormal": "Abnormal",
        },
    ),
    "writhing": Item(
        "type",
        "General movements",
        {
            "normal": "Normal",
            "poor_repertoire": "Poor repertoire",
            "cramped_synchronised": "Cramped-synchronised",
            "chaotic": "Chaotic",
        },
    ),
}


def _points(name: str, question: str, *points: int) -> Item:
    return Item(name, question, {str(p): str(p) for p in points})


MOS_R = (
    _points("mos_fidgety", "MOS-R: fidgety movements, points", 12, 4, 1),
    _points("mos_patterns", "MOS-R: observed movement patterns, points", 4, 2, 1),
    _points("mos_repertoire", "MOS-R: age-adequate movement repertoire, points", 4, 2, 1),
    _points("mos_postures", "MOS-R: observed postural patterns, points", 4, 2, 1),
    _points("mos_character", "MOS-R: movement character, points", 4, 2, 1),
)
#: Type of fidgety movements to the points of ``mos_fidgety`` that contradict it. Sporadic ones
#: contradict none: which points they get is for the published sheet to say.
CONTRADICTIONS = {
    "continuous": ("4", "1"),
    "intermittent": ("4", "1"),
    "absent": ("12", "4"),
    "abnormal": ("12", "1"),
}


def items(age: str, mos_r: bool) -> tuple[Item, ...]:
    """Return the questions of a page."""
    return (VERDICT, CONFIDENCE, TYPES[age], *(MOS_R if mos_r else ()))


def needed(age: str, mos_r: bool) -> tuple[str, ...]:
    """Return the answers without which a reading is not done, unless it cannot be judged."""
    return tuple(item.name for item in items(age, mos_r))


#: What the page's script says.
SCRIPT_TEXTS = {
    "at": "Recording {n} of {all}",
    "done": "{n} of {all} done",
    "mark_on": "Fidgety movements from {start} s: press F or the button again where they end",
    "mark_off": "No interval is open",
    "marked": "Marked {start} to {stop} s",
    "too_short": "Nothing marked: the end is not after the start",
    "overlap": "Nothing marked: it overlaps another interval",
    "contradiction": "This contradicts itself: {type}, and {points} points in MOS-R for fidgety "
    "movements. Which is it?",
    "dropped": "Dropped the interval that was open from {start} s",
    "left_open": "Recording {n}: the interval from {start} s is still open. It counts when you go "
    "back and end it.",
    "saved_open": "Not in the file: intervals that are open, of recordings {recordings}. End them "
    "and save again.",
    "answered": "{question} {answer}",
    "no_answer": "Nothing answered: {question} has no answer {answer}",
    "removed": "Removed {start} to {stop} s",
    "remove": "Remove {start} to {stop} s",
    "go_to": "Go to {start} s",
    "clip": "{start} to {stop} s, probability {p}",
    "saved": "The file {name} is in your downloads. {open} recordings are not done.",
    "kept": "Kept in this browser",
    "not_kept": "This browser keeps nothing: save the file before you close the page",
    "wait": "Your first reading was saved {days} days ago; {washout} days should lie between. "
    "Come back on {date}.",
    "wrong_file": "This is not the file of your first reading in this study.",
    "no_video": "The video cannot be shown.",
}
PAGE_TEXTS = {
    "title": "Reading of videos",
    "with_help": "With the model's help",
    "without_help": "Without help",
    "intro": "Watch each video, mark where you see fidgety movements, and answer the questions. "
    "Your work is kept in this browser; at the end save the file and send it to whoever runs "
    "the study.",
    "intro_writhing": "Watch each video and answer the questions. Your work is kept in this "
    "browser; at the end save the file and send it to whoever runs the study.",
    "keys": "Keys",
    "single": "Keys of one letter or digit work (turn them off if they get in your way)",
    "lock": "This is your second reading. Choose the file that you saved after the first.",
    "first_file": "File of the first reading",
    "open_early": "Open before the time (this is recorded)",
    "help": "What the model says",
    "help_words": "The skeleton over the picture is what the machine found. Below: probability of "
    "fidgety movements over time, and the likeliest clips. The model errs; the verdict is yours.",
    "no_help": "The model says nothing of this recording.",
    "marks": "Your intervals with fidgety movements",
    "note": "Note (no names)",
    "play": "Play or pause",
    "back": "Back 1 s",
    "forward": "Forward 1 s",
    "mark": "Start or end an interval",
    "undo": "Remove the open or the last interval",
    "previous": "Previous recording",
    "next": "Next recording",
    "save": "Save the file",
}
KEYS = (
    ("Space", PAGE_TEXTS["play"]),
    ("← →", "Back or forward 1 s; with Shift 5 s"),
    ("F", PAGE_TEXTS["mark"]),
    ("U", PAGE_TEXTS["undo"]),
    ("R, O, X", "At risk, not at risk, cannot be judged"),
    ("1 to 5", f"{CONFIDENCE.question} On a question in points: its points"),
    ("T", "Next type of movements"),
    ("P, N", "Previous, next recording"),
    ("S", PAGE_TEXTS["save"]),
)
#: Keys for the marking of intervals.
MARKING = ("F", "U")

#: The page of the results. Tables keep the English values of their files, which are named here.
RESULT_TEXTS: dict[str, Any] = {
    "title": "Readings",
    "who": "Who read what",
    "washout": "Planned washout: {days} days.",
    "flow": {
        "rater": "Rater",
        "period": "Period",
        "help": "Help",
        "read": "Read",
        "judged": "Judged",
        "time": "Median time (s)",
        "washout": "Washout (days)",
    },
    "helped": {True: "with", False: "without"},
    "read": "{read} of {planned}",
    "early": "(too early)",
    "shown": {
        "size": "Raters saw videos of {size} px on their longest side, with {rate}.",
        "to": " to ",
        "limit": "at most {kbps} kbit/s",
        "no_limit": "no limit of their rate",
        "faces": {
            "hidden": "Faces and surroundings were hidden: movements of face, head and neck could "
            "not be read.",
            "visible": "Faces and surroundings were visible.",
        },
    },
    "accuracy": "Accuracy",
    "against": "Against the label of the sheet, with {confidence} intervals. A rater's change with "
    "help is tested on the infants judged both times (McNemar's exact test). The change from the "
    "first period to the second is shown because practice can look like help. All raters: "
    "these raters, not raters in general, for infants are resampled and raters are not. Changes "
    "are averaged within each sequence (without help first, with help first), then over both.",
    "balanced": "As many raters began with help as without: practice falls on both sides.",
    "unequal": "{without} raters began without help and {helped} with it: a sequence of few raters "
    "counts as much as the other.",
    "one_sequence": "All raters began alike: what help changes cannot be told from what practice "
    "changes.",
    "figure": "Accuracy of every rater without and with the model's help",
    "nobody": "No rater judged an infant with a label.",
    "columns": {
        "rater": "Rater",
        "part": "Part",
        "measure": "Measure",
        "value": "Value",
        "interval": "Interval",
        "infants": "Infants",
        "p": "p",
        "method": "Method",
    },
    "parts": {
        "without help": "without help",
        "with help": "with help",
        "with help less without": "with help less without",
        "second period less first": "second period less first",
        "alone": "alone",
    },
    "measures": {
        "accuracy": "accuracy",
        "sensitivity": "sensitivity",
        "specificity": "specificity",
    },
    "judges": {"(model)": "the model", "(all raters)": "all raters"},
    "agreement": "Agreement",
    "kappa": "Kappa is 1 where judges always agree and 0 where they agree as often as by chance. "
    "Intervals are by infant. Pairs: Cohen; all raters: Fleiss. Of intervals, every second counts "
    "once. Of MOS-R kappa is weighted by the square of the difference: of an item's steps, of the "
    "total's points.",
    "agreement_columns": {
        "what": "What",
        "help": "Help",
        "judges": "Judges",
        "kappa": "Kappa",
        "interval": "Interval",
        "infants": "Infants",
    },
    "what": {
        "verdict": "verdict",
        "type": "type of movements",
        "seconds": "intervals, second by second",
        **{item.name: item.question.removesuffix(", points") for item in MOS_R},
        "mos_total": "MOS-R: total",
    },
    "and": "{first} and {second}",
    "left_out": "Not read: {whose}.",
    # What the key has beside the reason codes.
    "why": {
        NOT_ASSESSABLE: "It is not assessable; no reason was recorded",
        NO_VIDEO: "There is no video to look at",
    },
    "contradictions": "In {n} readings the type of fidgety movements contradicts the points of "
    "MOS-R for them. Ask the raters: {whose}.",
    "whose": "{rater}, period {period}: {infant}",
}
