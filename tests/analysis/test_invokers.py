"""Who calls a function and does not wait for it: one rule for every check that asks."""

from __future__ import annotations

import pytest

from investigate.analysis import invokers
from investigate.engine import literal_rows
from tests.builders import evidence_of


def judged(folder, *principals):
    text = ", ".join(f'{{"principal": "{one}", "source_arn": null}}' for one in principals)
    rows = literal_rows([{"invokers": f"[{text}]"}], {"invokers": "string"})
    (row,) = evidence_of(folder).engine.rows(
        rows.select(
            a=invokers.asynchronous(rows.invokers), s=invokers.synchronous(rows.invokers),
            o=invokers.waiting(rows.invokers),
        )
    )  # fmt: skip
    return row["a"], row["s"], row["o"]


@pytest.mark.parametrize(
    ("principals", "wanted"),
    [
        ((), (False, False, False)),
        (("s3.amazonaws.com",), (True, False, False)),
        (("logs.eu-west-1.amazonaws.com",), (True, False, False)),
        (("apigateway.amazonaws.com",), (False, True, True)),
        (("sns.amazonaws.com", "123456789012"), (True, False, True)),
        (("logs.eu-west-1.amazonaws.com", "apigateway.amazonaws.com"), (True, True, True)),
        (("mys3.amazonaws.com",), (False, False, True)),
    ],
)
def test_a_principal_says_whether_its_service_waits_in_every_region(tmp_path, principals, wanted):
    assert judged(tmp_path, *principals) == wanted
