"""The days that a question names, and whether it asks for what is newest: by rules, in English.

Rules take no time, and are never wrong in a new way; what they do not know, they leave alone.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NUMBERS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "couple of": 2, "few": 3,
}  # fmt: skip
_DAYS = {"day": 1, "week": 7, "fortnight": 14, "month": 30, "quarter": 91, "year": 365}

_MONTH = "|".join([*_MONTHS, *(month[:3] for month in _MONTHS if month != "may"), "sept"])
_WEEKDAY = "|".join(_WEEKDAYS)
_NUMBER = rf"\d{{1,3}}|{'|'.join(_NUMBERS)}"
_UNIT = "|".join(_DAYS)
_NTH = r"\d{1,2}(?:st|nd|rd|th)?"
# In each a day, a month or a year is read by `_point`.
_POINT = (
    rf"\d{{4}}-\d{{2}}-\d{{2}}|\d{{4}}-\d{{2}}|(?:the )?{_NTH} (?:of )?(?:{_MONTH})(?:,? \d{{4}})?"
    rf"|(?:{_MONTH}) {_NTH}(?:,? \d{{4}})?(?!\d)"
    rf"|(?:{_MONTH})(?: (?:of )?\d{{4}})?|(?:19|20)\d{{2}}|{_WEEKDAY}|yesterday|today"
    r"|last (?:week|month|year)"
)
_RECENT = re.compile(
    r"\b(?:latest|newest|most recent(?:ly)?|recently|lately|what(?:'s| is| has been) new"
    r"|recent (?!history|past)\w+"
    r"|last (?:document|file|note|notes|version|report|invoice|e-?mail|message|entry|meeting"
    r"|minutes|update|change|changes|contract|letter|upload)s?)\b"
)
_NOT_RECENT = re.compile(r"\blatest (?:possible|date|time|deadline|by)\b|\bat the latest\b")


@dataclass(frozen=True, slots=True)
class Days:
    """What a question says of time; None where it says nothing."""

    since: date | None = None
    until: date | None = None
    recent: bool = False


def read_days(question: str, today: date) -> Days:
    """Returns the days that a question names, both inclusive, and whether the newest are meant.

    Args:
        question: What a person wrote.
        today: The day that it is for them.
    """
    asked = " ".join(question.lower().replace("’", "'").split())  # noqa: RUF001
    recent = bool(_RECENT.search(asked)) and not _NOT_RECENT.search(asked)
    for pattern, read in _RULES:
        if (match := pattern.search(asked)) and (days := _read(read, match, today)):
            return Days(days[0], days[1], recent)
    return Days(recent=recent)


Span = tuple[date | None, date | None]
_Reader = Callable[[re.Match[str], date], Span | None]


def _read(read: _Reader, match: re.Match[str], today: date) -> Span | None:
    try:
        return read(match, today)
    except (ValueError, OverflowError):
        return None  # the 31st of February, say


def _point(text: str, today: date) -> tuple[date, date] | None:
    """Returns the first and the last day of what one place in time is called."""
    if named := _named(text, today):
        return named
    if match := re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})", text):
        day = date(int(match[1]), int(match[2]), int(match[3]))
        return day, day
    if match := re.fullmatch(r"(\d{4})(?:-(\d{2}))?", text):
        return _month(int(match[1]), int(match[2])) if match[2] else _year(int(match[1]))
    return _calendar(text, today)


def _named(text: str, today: date) -> tuple[date, date] | None:
    if text in ("today", "yesterday"):
        day = today - timedelta(days=text == "yesterday")
        return day, day
    if text in _WEEKDAYS:
        day = today - timedelta(days=(today.weekday() - _WEEKDAYS.index(text)) % 7 or 7)
        return day, day
    if text.startswith("last "):
        return _period(-1, text.removeprefix("last "), today)
    return None


def _calendar(text: str, today: date) -> tuple[date, date] | None:
    name = re.search(rf"\b(?:{_MONTH})\b", text)
    if name is None:
        return None
    month = next(i for i, each in enumerate(_MONTHS, 1) if each.startswith(name[0][:3]))
    year = re.search(r"\b\d{4}\b", text)
    nth = re.search(r"\b\d{1,2}(?=st|nd|rd|th|\b)", text)
    # Without a year, the last time that it was.
    place = (
        int(year[0])
        if year
        else today.year - ((month, int(nth[0]) if nth else 1) > (today.month, today.day))
    )
    if nth is None:
        return _month(place, month)
    day = date(place, month, int(nth[0]))
    return day, day


def _month(year: int, month: int) -> tuple[date, date]:
    following = date(year + month // 12, month % 12 + 1, 1)
    return date(year, month, 1), following - timedelta(days=1)


def _year(year: int) -> tuple[date, date]:
    return date(year, 1, 1), date(year, 12, 31)


def _period(offset: int, unit: str, today: date) -> tuple[date, date] | None:
    """Returns the week, month, quarter or year that lies so many away."""
    if unit == "week":
        monday = today - timedelta(days=today.weekday() - 7 * offset)
        return monday, monday + timedelta(days=6)
    if unit == "year":
        return _year(today.year + offset)
    step = {"month": 1, "quarter": 3}.get(unit)
    if step is None:
        return None
    months = today.year * 12 + (today.month - 1) // step * step + offset * step
    first = _month(months // 12, months % 12 + 1)[0]
    last = months + step - 1
    return first, _month(last // 12, last % 12 + 1)[1]


def _count(text: str) -> int:
    return _NUMBERS.get(text) or int(text)


def _between(match: re.Match[str], today: date) -> Span | None:
    first, last = _point(match[1], today), _point(match[2], today)
    if not (first and last):
        return None
    return min(first[0], last[0]), max(first[1], last[1])


def _since(match: re.Match[str], today: date) -> Span | None:
    point = _point(match[2], today)
    if point is None:
        return None
    return (point[1] + timedelta(days=1), None) if match[1] == "after" else (point[0], None)


def _until(match: re.Match[str], today: date) -> Span | None:
    point = _point(match[2], today)
    if point is None:
        return None
    last = point[1] if match[1] in ("until", "up to") else point[0] - timedelta(days=1)
    return None, last


def _within(match: re.Match[str], today: date) -> Span | None:
    number = _count(match[1]) if match[1] else 1
    return today - timedelta(days=number * _DAYS[match[2]]), today


def _ago(match: re.Match[str], today: date) -> Span | None:
    number, unit = _count(match[1]), match[2]
    if unit == "day":
        day = today - timedelta(days=number)
        return day, day
    return _period(-number, unit, today)


def _this(match: re.Match[str], today: date) -> Span | None:
    period = _period(-(match[1] != "this"), match[2], today)
    return period and (period[0], min(period[1], today))


def _quarter(match: re.Match[str], today: date) -> Span | None:
    number = int(match[1] or match[2])
    year = int(match[3]) if match[3] else today.year - (number * 3 - 2 > today.month)
    return date(year, number * 3 - 2, 1), _month(year, number * 3)[1]


def _on(match: re.Match[str], today: date) -> Span | None:
    return _point(match[1], today)


def _day(days: int) -> _Reader:
    return lambda _, today: (today - timedelta(days=days), today - timedelta(days=days))


_RULES: tuple[tuple[re.Pattern[str], _Reader], ...] = tuple(
    (re.compile(pattern), read)
    for pattern, read in (
        (rf"\b(?:between|from) ({_POINT}) (?:and|to|until|till) ({_POINT})\b", _between),
        (rf"\b(since|after) ({_POINT})\b", _since),
        (rf"\b(before|until|up to|older than) ({_POINT})\b", _until),
        (rf"\b(?:last|past|previous) ({_NUMBER}) ({_UNIT})s\b", _within),
        (rf"\b(?:within|over|in|during) the (?:last|past) ()({_UNIT})\b", _within),
        (rf"\bpast ()({_UNIT})\b", _within),
        (rf"\b({_NUMBER}) ({_UNIT})s? ago\b", _ago),
        (r"\bq([1-4])\b(?!\w)()(?:,? (?:of )?(\d{4}))?", _quarter),
        (r"\b(this|last|previous) (week|month|quarter|year)\b", _this),
        (r"\bday before yesterday\b", _day(2)),
        (r"\byesterday\b", _day(1)),
        (r"\b(?:today|tonight|this (?:morning|afternoon|evening))\b", _day(0)),
        (rf"\b(?:on|last) ({_WEEKDAY})\b", _on),
        (rf"\b(?:in|on|of|from|during|for|dated) ({_POINT})\b", _on),
        (rf"\b({_NTH} (?:{_MONTH}) \d{{4}})\b", _on),
        (rf"\b((?:{_MONTH}) (?:{_NTH},? )?\d{{4}})\b", _on),
        (r"\b(\d{4}-\d{2}-\d{2})\b", _on),
    )
)
