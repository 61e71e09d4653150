"""What looks like a secret is refused, and what an incident is asked about is not."""

from __future__ import annotations

import pytest

from investigate.errors import UsageError
from investigate.parameters import Parameters
from investigate.secret_texts import secret_in

# Made up; in the forms that AWS documents.
KEY_ID, KEY = "AKIA" + "IOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY"
SECRETS = {
    "key id": (KEY_ID, "an AWS access key id"),
    "key id of a session": ("x=ASIA" + "IOSFODNN7EXAMPLE", "an AWS access key id"),
    "secret key": (KEY, "an AWS secret key"),
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
        "aGVsbG8gd29ybGQgaGVsbG8gd29ybGQgaGVsbG8h",
    ],
)
def test_an_id_or_a_path_is_no_secret(text):
    assert secret_in(text) == ""
