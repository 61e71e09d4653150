"""What an error says about itself: its kind, whether trying again can help, and its fingerprint.

One table of rules answers for logged errors and dead letters alike. The patterns read the same on
every engine. Sources: "Invoke" and "Troubleshooting execution issues" (AWS Lambda), the error codes
of "How EventBridge retries delivering events", botocore's error codes of DynamoDB and S3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

PERMANENT, TRANSIENT, UNKNOWN = "permanent", "transient", "unknown"


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """One kind of error: what its type and message look like, whether it lasts, and why."""

    kind: str
    pattern: str  # searched in "type: message", whatever its case
    lasting: str
    why: str


# The first that fits counts: what names its cause stands before what only resembles one.
RULES = (
    ErrorRule(
        "import-or-handler",
        r"runtime\.(importmoduleerror|handlernotfound|usercodesyntaxerror|malformedhandlername"
        r"|builtinmoduleconflict)|unable to import module",
        PERMANENT,
        "the code cannot start; only a deployment mends it",
    ),
    ErrorRule(
        "marshal",
        r"runtime\.marshalerror",
        PERMANENT,
        "the answer cannot be written as JSON, after the work was done: trying again repeats it",
    ),
    ErrorRule(
        "out-of-memory",
        r"runtime\.outofmemory|signal: killed|memoryerror",
        UNKNOWN,
        "the same input needs the same memory again, unless others shared it",
    ),
    ErrorRule(
        "access-denied",
        r"not authorized to perform|accessdenied|access denied|no_permissions"
        r"|failed_to_assume_role|kms(accessdenied|disabled|invalidstate)",
        PERMANENT,
        "a permission is lacking; only a change of a policy mends it",
    ),
    ErrorRule(
        "identity",
        r"messagerejected|email address is not verified",
        PERMANENT,
        "the sender is not verified; only a change of the configuration mends it",
    ),
    ErrorRule(
        "guard",
        r"conditionalcheckfailed|conditional request failed",
        PERMANENT,
        "a guard refused a repetition; it worked, and refuses the next one too",
    ),
    ErrorRule(
        "throttle",
        r"throttl|toomanyrequests|provisionedthroughputexceeded|requestlimitexceeded|slowdown"
        r"|rate exceeded|too many requests",
        TRANSIENT,
        "there were too many requests at that time",
    ),
    ErrorRule(
        "timeout",
        r"task timed out|timed out|(^|[^a-z])timeout|readtimeout|connecttimeout",
        TRANSIENT,
        "something took too long at that time",
    ),
    ErrorRule(
        "service",
        r"internalserver|internal_error|internalerror|serviceunavailable|serviceexception"
        r"|service unavailable|endpointconnectionerror|could not connect|connection_failure"
        r"|connection (reset|refused|aborted)|eof occurred|bad gateway",
        TRANSIENT,
        "a service did not answer, or answered that it failed itself",
    ),
    ErrorRule(
        "missing",
        r"nosuchkey|nosuchbucket|resourcenotfound|no_resource|queuedoesnotexist|not found"
        r"|does not exist",
        PERMANENT,
        "what it refers to is not there; only putting it there mends it",
    ),
    ErrorRule(
        "malformed",
        r"jsondecodeerror|expecting (value|property name)|keyerror|valueerror|typeerror"
        r"|unicodedecodeerror|validationexception|invalid_json|invalid_parameter|validationerror"
        r"|attributeerror|has no attribute|decimal\.invalidoperation|invalidrequestcontent"
        r"|sdk_client_error",
        PERMANENT,
        "the input is not what the code expects; the same input fails again",
    ),
    ErrorRule(
        "resource",
        r"no space left on device|too many open files|can't start new thread",
        UNKNOWN,
        "the environment ran out of something; a new one may do",
    ),
)
_OTHERWISE = ErrorRule("other", "", UNKNOWN, "nothing tells whether it lasts")

# What differs between two occurrences of one error, and what stands in its place.
_VARIABLE = (
    (r"arn:[a-z-]+:[^ ,;)\"']+", "<arn>"),
    (r"'[^']*'", "<text>"),
    (r"\"[^\"]*\"", "<text>"),
    (r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+Z?", "<time>"),
    (r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}", "<id>"),
    (r"[0-9a-fA-F]{16,}", "<id>"),
    (r"[^ :=]+/[^ ]+", "<path>"),
    (r"[0-9]+([.][0-9]+)?", "<n>"),
)
MOST_CHARACTERS = 200  # of a fingerprint; what follows differs anyway


def error_text(error_type: ir.StringValue, message: ir.StringValue) -> ir.StringValue:
    """Return "type: message" of an error, of which either part may be absent."""
    kind, text = error_type.fill_null(""), message.fill_null("")
    repeated = (kind == "") | text.startswith(kind)
    return ibis.ifelse(repeated, text, ibis.ifelse(text == "", kind, kind + ": " + text))


def kind_of(error: ir.StringValue) -> ir.StringValue:
    """Return the kind of the first rule that fits an `error_text`, else `other`."""
    return _by_rule(error, lambda rule: rule.kind)


def lasting_of(error: ir.StringValue) -> ir.StringValue:
    """Return whether trying again can help: `permanent` (it cannot), `transient` or `unknown`."""
    return _by_rule(error, lambda rule: rule.lasting)


def why_of(error: ir.StringValue) -> ir.StringValue:
    """Return in words why an error lasts or not."""
    return _by_rule(error, lambda rule: rule.why)


def fingerprint_of(error: ir.StringValue) -> ir.StringValue:
    """Return an error without what differs from one occurrence to the next; its first line."""
    text = error.re_extract("([^\n\r]*)", 1)
    for pattern, stand_in in _VARIABLE:
        text = text.re_replace(pattern, stand_in)
    return ibis.ifelse(text == "", "(no message)", text.substr(0, MOST_CHARACTERS))


def denied_action(error: ir.StringValue) -> ir.StringValue:
    """Return the action that an error says is not allowed, as `s3:GetObject`; null if none."""
    return error.re_extract("not authorized to perform: ([A-Za-z0-9-]+:[A-Za-z0-9*]+)", 1).nullif(
        ""
    )


def denied_resource(error: ir.StringValue) -> ir.StringValue:
    """Return the resource on which an action was denied; null if the error names none."""
    # Services that quote it (S3) may have blanks in it.
    quoted = error.re_extract("on resource: [\"']([^\"']+)[\"']", 1).nullif("")
    return ibis.coalesce(quoted, error.re_extract("on resource: ([^ \"']+)", 1).nullif(""))


def denied_role(error: ir.StringValue) -> ir.StringValue:
    """Return the role to which an action was denied; null if the error names none."""
    return error.re_extract("assumed-role/([^/ ]+)", 1).nullif("")


def _by_rule(error: ir.StringValue, answer: Callable[[ErrorRule], str]) -> ir.StringValue:
    text = error.fill_null("").lower()
    chosen = [(text.re_search(rule.pattern), answer(rule)) for rule in RULES]
    return ibis.cases(*chosen, else_=answer(_OTHERWISE))
