"""What looks like a secret is refused, and what an incident is asked about is not."""

from __future__ import annotations

import pytest

from investigate.errors import UsageError
from investigate.parameters import Parameters
from investigate.report.runs import incident_named
from investigate.secret_texts import secret_in

# Made up; in the forms that AWS documents.
KEY_ID, KEY = "AKIA" + "IOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY"
SECRETS = {
    "key id": (KEY_ID, "an AWS access key id"),
    "key id of a session": ("x=ASIA" + "IOSFODNN7EXAMPLE", "an AWS access key id"),
    "secret key": (KEY, "an AWS secret key"),
    "secret key with a space": (f" {KEY}\n", "an AWS secret key"),
    "secret key in quotes": (f"'{KEY}'", "an AWS secret key"),
    "secret key of letters": (KEY.replace("/", "x"), "an AWS secret key"),
    "named secret key": (f"aws_secret_access_key={KEY}", "a named secret"),
    "named password": ('PASSWORD = "x"', "a named secret"),
    "GitHub": ("ghp_" + "a1B2" * 9, "a GitHub token"),
    "GitLab": ("glpat-" + "a1B2" * 5, "a GitLab token"),
    "Slack": ("xoxb" + "-123456789012-abc", "a Slack token"),
    "JWT": ("eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxIn0X.c2ln", "a JSON web token"),
    "bearer": ("Authorization: Bearer " + "a1B2" * 5, "a bearer token"),
    "signed by a token": ("https://b.example.org/k?x-amz-security-token=0a", "a signed URL"),
    "session token": ("IQoJb3JpZ2luX2Vj" + "A1/" * 60, "an AWS session token"),
    "private key": ("-----BEGIN RSA PRIVATE KEY----- MII", "a private key"),
    "password": ("https://me:secret@example.org/case", "a URL with a password"),
    "password alone": ("redis://:secret@example.org", "a URL with a password"),
    "signed": ("https://b.example.org/k?X-Amz-Signature=0a", "a signed URL"),
}


@pytest.mark.parametrize(("text", "kind"), SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("name", ["case", "entity", "event", "findings"])
def test_a_secret_is_refused_and_the_message_does_not_hold_it(text, kind, name):
    with pytest.raises(UsageError) as refused:
        Parameters.parse({name: text})
    assert f"{name} holds what looks like {kind}" in str(refused.value)
    assert text not in str(refused.value)


@pytest.mark.parametrize(("text", "kind"), SECRETS.values(), ids=SECRETS)
def test_an_incident_is_not_named_by_a_secret_because_the_name_is_published(text, kind):
    with pytest.raises(UsageError) as refused:
        incident_named(text)
    assert f"--incident holds what looks like {kind}" in str(refused.value)
    assert text.strip() not in str(refused.value)


def test_a_secret_of_the_wrong_type_is_not_repeated():
    with pytest.raises(UsageError) as refused:
        Parameters.parse({"entity": [KEY_ID]})
    assert "entity must be a text, not list" in str(refused.value)
    assert KEY_ID not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "customer-1",
        "a" * 64,
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "29ef03c0-8a7b-4c5d-9e1f-0a1b2c3d4e5f",
        "somebody@example.org",
        "urn:tenant:7@eu",
        "MAKIAIOSFODNN7EXAMPLE",
        "/srv/Incidents/2026/Orders/of/the/Tenth/case/folder",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "raw/2026/03/10/14/Customer-1/9F86d081884c7d659a2feaa0c55ad015.json",
        "secret-santa-2026",
        "tokens/day=2026-03-10/part-0.parquet",
    ],
)
def test_an_id_or_a_path_is_no_secret(text):
    assert secret_in(text) == ""
