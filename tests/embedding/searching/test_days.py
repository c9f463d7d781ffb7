"""E8: a hundred questions, and the days that they mean. Today is Saturday, 21 November 2026."""

from datetime import date

import pytest

from turnpike.embedding.searching.days import Days, read_days

TODAY = date(2026, 11, 21)

# The question, the first day, the last, and whether the newest are asked for.
LABELLED = """
notes from today|2026-11-21|2026-11-21|
what did we decide today about the toll?|2026-11-21|2026-11-21|
files changed this morning|2026-11-21|2026-11-21|
what came in tonight|2026-11-21|2026-11-21|
yesterday's minutes|2026-11-20|2026-11-20|
what was uploaded yesterday evening|2026-11-20|2026-11-20|
invoices of the day before yesterday|2026-11-19|2026-11-19|
reports from last week|2026-11-09|2026-11-15|
what have we agreed on this week|2026-11-16|2026-11-21|
expenses last month|2026-10-01|2026-10-31|
expenses this month|2026-11-01|2026-11-21|
contracts signed last year|2025-01-01|2025-12-31|
contracts signed this year|2026-01-01|2026-11-21|
sales last quarter|2026-07-01|2026-09-30|
sales this quarter|2026-10-01|2026-11-21|
tickets of the last 3 days|2026-11-18|2026-11-21|
tickets in the last three days|2026-11-18|2026-11-21|
everything over the past two weeks|2026-11-07|2026-11-21|
mails of the past 6 months|2026-05-25|2026-11-21|
changes within the last week|2026-11-14|2026-11-21|
changes during the past month|2026-10-22|2026-11-21|
uploads in the past year|2025-11-21|2026-11-21|
the letter I wrote 3 days ago|2026-11-18|2026-11-18|
what happened two weeks ago|2026-11-02|2026-11-08|
the plan of a month ago|2026-10-01|2026-10-31|
budget from two years ago|2024-01-01|2024-12-31|
since monday|2026-11-16||
all notes since yesterday|2026-11-20||
mail since 2026-11-01|2026-11-01||
bridges built since march|2026-03-01||
anything since december|2025-12-01||
tolls since 2024|2024-01-01||
news after 2026-10-15|2026-10-16||
what was written after october|2026-11-01||
offers after 3 november|2026-11-04||
contracts before 2020||2019-12-31|
drafts before march 2026||2026-02-28|
notes until 2026-06-30||2026-06-30|
letters up to may 2025||2025-05-31|
everything before last month||2026-09-30|
files older than 2023||2022-12-31|
the meeting on 2026-11-03|2026-11-03|2026-11-03|
minutes of 3 november|2026-11-03|2026-11-03|
minutes of november 3rd|2026-11-03|2026-11-03|
minutes of the 3rd of november 2025|2025-11-03|2025-11-03|
letter dated november 3, 2025|2025-11-03|2025-11-03|
accident on december 24|2025-12-24|2025-12-24|
the meeting on monday|2026-11-16|2026-11-16|
what was said last friday|2026-11-20|2026-11-20|
the report from tuesday|2026-11-17|2026-11-17|
traffic in march 2025|2025-03-01|2025-03-31|
traffic in march|2026-03-01|2026-03-31|
traffic in december|2025-12-01|2025-12-31|
figures for may 2026|2026-05-01|2026-05-31|
figures for 2024|2024-01-01|2024-12-31|
accidents in 2023|2023-01-01|2023-12-31|
accidents during 2023|2023-01-01|2023-12-31|
invoices from september|2026-09-01|2026-09-30|
invoices from sept 2025|2025-09-01|2025-09-30|
february 2024 statement|2024-02-01|2024-02-29|
statement 14 july 2026|2026-07-14|2026-07-14|
log 2026-02-28|2026-02-28|2026-02-28|
traffic in 2025-07|2025-07-01|2025-07-31|
revenue between march and june 2026|2026-03-01|2026-06-30|
revenue from 2022 to 2024|2022-01-01|2024-12-31|
mails between 2026-01-05 and 2026-01-09|2026-01-05|2026-01-09|
notes between monday and today|2026-11-16|2026-11-21|
notes from 2026-10-09 until yesterday|2026-10-09|2026-11-20|
earnings q1 2026|2026-01-01|2026-03-31|
earnings in q3|2026-07-01|2026-09-30|
earnings q4 of 2025|2025-10-01|2025-12-31|
the latest report on tolls|||recent
newest contracts|||recent
most recent invoice of the printer|||recent
what's new about the bridge|||recent
what has been new in the project|||recent
recently uploaded plans|||recent
what have we lately said of the fee|||recent
recent changes of the price list|||recent
my last invoice|||recent
the last version of the lease|||recent
last e-mail from Ada|||recent
latest minutes of this month|2026-11-01|2026-11-21|recent
the newest files since monday|2026-11-16||recent
how do I pay the toll|||
who may use the bridge|||
the last supper in art|||
what is the latest possible date of payment|||
submit by friday at the latest|||
recent history of the Netherlands|||
we may march on|||
the may fly and its life|||
part 2024-B of the machine|||
ISO 9001 certificate|||
how many days does delivery take|||
opening hours on request|||
the second quarter note of the song|||
yearly report template|||
week of rest in the contract|||
monday blues lyrics|||
"""


def labelled() -> list[tuple[str, Days]]:
    cases = list[tuple[str, Days]]()
    for line in LABELLED.strip().splitlines():
        question, since, until, recent = line.split("|")
        days = [date.fromisoformat(each) if each else None for each in (since, until)]
        cases.append((question, Days(days[0], days[1], recent == "recent")))
    return cases


def test_e8_of_a_hundred_questions_at_least_95_are_read_as_people_do() -> None:
    cases = labelled()
    assert len(cases) == 100

    wrong = [
        f"{question!r}: {read} instead of {meant}"
        for question, meant in cases
        if (read := read_days(question, TODAY)) != meant
    ]

    assert len(wrong) <= 5, "\n".join(wrong)


@pytest.mark.parametrize("field", ["days", "recent"])
def test_what_is_read_is_right_and_what_is_there_is_read(field: str) -> None:
    def told(days: Days) -> object:
        return days.recent if field == "recent" else (days.since, days.until)

    nothing = told(Days())
    cases = [(told(meant), told(read_days(question, TODAY))) for question, meant in labelled()]
    hits = sum(meant == read != nothing for meant, read in cases)
    assert hits / sum(read != nothing for _, read in cases) >= 0.95, "precision"
    assert hits / sum(meant != nothing for meant, _ in cases) >= 0.95, "recall"


@pytest.mark.parametrize("question", ["on february 30", "in 2026-13", "999 fortnights ago", "q9"])
def test_days_that_there_are_not_are_left_alone(question: str) -> None:
    assert read_days(question, TODAY) == Days()
