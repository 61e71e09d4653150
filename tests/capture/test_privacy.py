from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import investigate
from investigate import pipeline
from investigate.aws.secrets import redact
from investigate.capture.privacy import INDISPENSABLE, Mask
from investigate.capture.values import MASKED
from investigate.errors import UsageError

ACCOUNT = "123456789012"
EMAIL = Mask({"email"})
KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "FwoGZXIvYXdzEBYaDEXAMPLE//////////wEaDO+tokenAAAA=="


# Named fields


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('{"email":"a@b"}', '{"email":"***"}'),
        ('{ "email" : "a@b" , "n":1.50e3 }', '{ "email" : "***" , "n":1.50e3 }'),
        ('{"a":[{"b":{"email":"a@b","c":1}}]}', '{"a":[{"b":{"email":"***","c":1}}]}'),
        ('[{"email":"a"},{"email":"b"}]', '[{"email":"***"},{"email":"***"}]'),
        ('{"email":{"home":"a","work":["b"]},"c":1}', '{"email":"***","c":1}'),
        ('{"email":["a","b"]}', '{"email":"***"}'),
        ('{"email":12}', '{"email":"***"}'),
        ('{"email":null,"x":NaN}', '{"email":"***","x":NaN}'),
        ('{"email":"a","email":"b"}', '{"email":"***","email":"***"}'),
        ('{"email":"\\"},{\\"","x":"\\\\"}', '{"email":"***","x":"\\\\"}'),
        ('{"\\u0065mail":"a"}', '{"\\u0065mail":"***"}'),
        ('\n {\n  "email": "a"\n}\n', '\n {\n  "email": "***"\n}\n'),
        ('{"email":"\\ud800"}', '{"email":"***"}'),
    ],
)
def test_the_value_of_a_named_field_is_hidden_and_all_else_stays_as_it_was(text, kept):
    assert EMAIL.text(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "email",
        "email: a@b",
        '"email"',
        '{"mail":"a@b","emails":["a@b"],"e-mail":"a@b","Email":"a@b"}',
        '{"field":"email","other":"\\"email\\": 1"}',
        '{"x\\"email":1}',
        '{"text":"{\\"email\\": not JSON}"}',
        '{"email":"a@b"',
        "{'email': 'a@b'}",
        'failed: {"email":"a@b"}',
        "[" * 100_000 + '"email"',
        '{"n": 1.0, "n": 1e400, "z": [ ] , "u":"\\u00e9"}',
    ],
)
def test_a_text_that_is_no_json_or_has_no_such_field_stays_byte_for_byte(text):
    assert EMAIL.text(text) == text
    assert EMAIL.row("log_lines", {"fields": text})["fields"] == text


def test_json_within_a_text_of_json_is_masked_at_any_depth():
    inner = json.dumps({"email": "a@b", "n": 1})
    envelope = json.dumps({"Message": json.dumps({"body": inner}), "id": 1})
    masked = json.loads(EMAIL.text(envelope))
    assert json.loads(json.loads(masked["Message"])["body"]) == {"email": "***", "n": 1}
    assert masked["id"] == 1


def test_a_name_that_is_not_ascii_is_found_in_both_spellings():
    mask = Mask({"größe"})
    for ascii_only in (True, False):
        text = json.dumps({"größe": 3, "ä": "ö"}, ensure_ascii=ascii_only)
        assert json.loads(mask.text(text)) == {"größe": "***", "ä": "ö"}


def hidden(value, names):
    """What masking means, said by plain Python."""
    if isinstance(value, dict):
        return {k: "***" if k in names else hidden(part, names) for k, part in value.items()}
    return [hidden(part, names) for part in value] if isinstance(value, list) else value


NAMES = st.sampled_from(["email", "phone", "e\\mail", 'e"mail', "größe", "\n", "other", "x"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_characters="{[")),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(NAMES, parts, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_masking_is_what_plain_python_says_it_is(value, ascii_only, indent):
    names = {"email", "e\\mail", 'e"mail', "größe", "\n"}
    text = json.dumps([value], ensure_ascii=ascii_only, indent=indent)
    assert json.loads(Mask(names).text(text)) == hidden([value], names)


@given(st.text() | VALUES.map(json.dumps))
def test_without_a_named_field_in_it_every_text_is_itself(text):
    assert Mask({"\u2603absent\u2603"}).text(text) == text


def test_every_column_of_a_row_is_masked_and_the_others_are_left():
    row = {
        "payload": '{"email":"a@b"}',
        "payload_sha": "0" * 64,
        "size": 12,
        "readable": True,
        "version_id": None,
        "sample_event_ids": ["a", '{"email":"c"}'],
    }
    assert EMAIL.row("raw", row) == {
        **row,
        "payload": '{"email":"***"}',
        "sample_event_ids": ["a", '{"email":"***"}'],
    }


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("raw", "payload"),
        ("events", "attributes"),
        ("log_lines", "fields"),
        ("log_lines", "message"),
        ("messages", "body"),
        ("messages", "attributes"),
        ("dead_letters", "body"),
        ("spans", "document"),
    ],
)
def test_every_place_that_holds_json_is_masked(table, column):
    assert EMAIL.row(table, {column: '{"email":"a"}'}) == {column: '{"email":"***"}'}


def test_the_row_itself_comes_back_when_there_is_nothing_to_hide():
    row = {"payload": '{"name":"Ann"}', "size": 1, "ids": ["a"], "error": None}
    assert Mask().row("raw", row) is row
    assert Mask({"email"}, ACCOUNT).row("raw", row) is row


def test_it_says_which_of_the_named_fields_it_met():
    mask = Mask({"email", "phone"})
    mask.row("raw", {"payload": '{"email":"a@b","note":"phone"}'})
    assert mask.seen == {"email"}


def test_masking_twice_is_masking_once():
    mask = Mask({"email"}, ACCOUNT)
    text = json.dumps({"email": {"a": 1}, "arn": f"arn:aws:sqs::{ACCOUNT}:q", "key": KEY_ID})
    once = mask.text(text)
    assert mask.text(once) == once


# Fields that are needed


def test_a_field_that_the_pipeline_joins_by_is_refused_with_the_reason():
    with pytest.raises(UsageError) as caught:
        Mask({"email", "source", "event_id"})
    assert "event_id (the tables are joined by it)" in caught.value.message
    assert "source (the ids and hashes of events are made of it)" in caught.value.message
    assert "email" not in caught.value.message
    assert "--mask email" in caught.value.hint


@pytest.mark.parametrize("name", sorted(INDISPENSABLE))
def test_every_indispensable_field_is_refused(name):
    with pytest.raises(UsageError, match=re.escape(name)):
        Mask({name})


def test_payloads_are_left_out_by_another_option():
    with pytest.raises(UsageError, match="--no-payloads"):
        Mask({"payload"})


def test_an_empty_name_is_refused():
    with pytest.raises(UsageError, match="name of a field"):
        Mask({""})


def test_what_every_event_must_have_is_indispensable():
    assert set(pipeline.REQUIRED_FIELDS) <= set(INDISPENSABLE)


def test_what_a_check_reads_out_of_json_is_indispensable():
    package = Path(investigate.__file__).parent
    read = {
        name
        for path in package.rglob("*.py")
        for name in re.findall(r'\b(?:text_in|whole_in)\([^)"]*"(\w+)"', path.read_text("utf-8"))
    }
    assert {"status", "s3_key", "scanned"} <= read  # the pattern finds what there is
    only_shown = {"err"}  # a trace shows it as it stands, hidden or not
    assert read - only_shown <= set(INDISPENSABLE)


# The account


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"arn:aws:sqs:eu-west-1:{ACCOUNT}:q", f"arn:aws:sqs:eu-west-1:{MASKED}:q"),
        (f"https://sqs/{ACCOUNT}/q {ACCOUNT}", f"https://sqs/{MASKED}/q {MASKED}"),
        (f"{ACCOUNT}3 9{ACCOUNT}", f"{ACCOUNT}3 9{ACCOUNT}"),
        (f'{{"a":"{ACCOUNT}","b":1}}', f'{{"a":"{MASKED}","b":1}}'),
        (f'{{"a":{ACCOUNT},"b":[{ACCOUNT}]}}', f'{{"a":"{MASKED}","b":["{MASKED}"]}}'),
        (f'{{"a":"x, {ACCOUNT}, y"}}', f'{{"a":"x, {MASKED}, y"}}'),
        (f'{{"a":"\\"{ACCOUNT}"}}', f'{{"a":"\\"{MASKED}"}}'),
        (f"[ {ACCOUNT}", f"[ {MASKED}"),
    ],
)
def test_the_account_id_is_masked_wherever_it_stands_by_itself(text, kept):
    assert Mask(account=ACCOUNT).text(text) == kept


def test_json_stays_json_when_the_account_id_is_a_number_in_it():
    masked = Mask(account=ACCOUNT).text(json.dumps({"a": int(ACCOUNT), "b": f"{ACCOUNT}"}))
    assert json.loads(masked) == {"a": MASKED, "b": MASKED}


def test_no_account_is_masked_unless_it_is_given():
    assert Mask({"email"}).text(f"arn:aws:sqs::{ACCOUNT}:q") == f"arn:aws:sqs::{ACCOUNT}:q"


@pytest.mark.parametrize(
    "name", ["message", "errorMessage", "errorType", "level", "timestamp", "requestId"]
)
def test_a_field_that_stands_in_a_column_of_its_own_too_is_refused(name):
    with pytest.raises(UsageError, match=rf"{name} \(of log lines.* it is a column of its own"):
        Mask({"email", name})


# Secrets


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"key {KEY_ID}.", "key ***."),
        ("ASIAIOSFODNN7EXAMPLE", "***"),
        (f"export AWS_SECRET_ACCESS_KEY={SECRET}\n", "export AWS_SECRET_ACCESS_KEY=***\n"),
        (f"aws_secret_access_key = {SECRET}", "aws_secret_access_key = ***"),
        (f"aws_session_token={TOKEN} next", "aws_session_token=*** next"),
        (f"aws_secret_access_key='{SECRET}', x=1", "aws_secret_access_key='***', x=1"),
        (f'{{"SecretAccessKey": "{SECRET}", "a": 1}}', '{"SecretAccessKey": "***", "a": 1}'),
        (f"aws_secret_key={SECRET}", "aws_secret_key=***"),
        (f"secretKey: {SECRET}", "secretKey: ***"),
        (f"Secret Access Key: {SECRET}\n", "Secret Access Key: ***\n"),
        (f"SessionToken: {TOKEN}", "SessionToken: ***"),
        (f"Session Token = {TOKEN}", "Session Token = ***"),
        (f"x-amz-security-token:{TOKEN}\nhost", "x-amz-security-token:***\nhost"),
        (f"Signature={'0123abcd' * 4}", "Signature=***"),
        (f'{{"secretAccessKey":"{SECRET}"}}', '{"secretAccessKey":"***"}'),
        (f'{{"SessionToken":"{TOKEN}"}}', '{"SessionToken":"***"}'),
        (f"<SessionToken>{TOKEN}</SessionToken>", "<SessionToken>***</SessionToken>"),
        (f"X-Amz-Security-Token: {TOKEN}", "X-Amz-Security-Token: ***"),
        (
            f"https://b.s3.amazonaws.com/k?X-Amz-Credential={KEY_ID}%2F20260310%2Fs3"
            "&X-Amz-Date=20260310T120000Z&X-Amz-Security-Token=FwoG%2BZX"
            f"&x-amz-signature={'a' * 64}",
            "https://b.s3.amazonaws.com/k?X-Amz-Credential=***"
            "&X-Amz-Date=20260310T120000Z&X-Amz-Security-Token=***&x-amz-signature=***",
        ),
        (
            f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20260310/eu-west-1/s3/aws4_request, "
            f"SignedHeaders=host, Signature={'0123abcd' * 8}",
            "AWS4-HMAC-SHA256 Credential=***/20260310/eu-west-1/s3/aws4_request, "
            "SignedHeaders=host, Signature=***",
        ),
    ],
)
def test_secrets_of_aws_are_redacted_in_any_text(text, kept):
    assert redact(text) == kept
    assert Mask().text(text) == kept
    assert Mask().row("log_lines", {"message": text}) == {"message": kept}


@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize("name", ["SecretAccessKey", "aws_session_token", "X-Amz-Security-Token"])
def test_a_secret_within_json_within_json_is_redacted_and_the_json_stays_whole(name, levels):
    value: object = {name: TOKEN + SECRET, "n": 1}
    for _ in range(levels):
        value = {"body": json.dumps(value)}
    text = json.dumps(value)
    masked = redact(text)
    assert TOKEN not in masked
    assert SECRET not in masked
    found = json.loads(masked)
    for _ in range(levels):
        found = json.loads(found["body"])
    assert found == {name: "***", "n": 1}


@pytest.mark.parametrize(
    "text",
    [
        "Asia, secret and token",
        '{"SessionToken": null, "secret_access_key": "", "X-Amz-Credential": null}',
        '{"session_token": 1234567890123456789, "X-Amz-Signature": -12345678.5}',
        '{"security_token": [1, 2], "SecretAccessKey": {"a": 1}, "X-Amz-Credential": false}',
        "MAKIAIOSFODNN7EXAMPLE AKIAIOSFODNN7EXAMPLES AKIA",
        "nextToken=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "signature=short",
        "a secret key: none",
        '{"secret_key": null, "secretKey": 12345678901234567890}',
        "X-Amz-Date=20260310T120000Z&X-Amz-Expires=3600",
        "payload_sha " + "0123abcd" * 8,
    ],
)
def test_what_only_looks_a_little_like_a_secret_stays(text):
    assert redact(text) == text


@given(VALUES.map(json.dumps))
def test_redacting_leaves_json_without_secrets_alone(text):
    assert redact(text) == text
