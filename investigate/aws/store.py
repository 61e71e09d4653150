"""How obstore is opened: as botocore would read, whatever else the environment says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from investigate.errors import AccessError

_CREDENTIALS_LAST = timedelta(minutes=5)  # until botocore is asked for them again
READ_SECONDS = 60.0  # that an answer may take
# What obstore itself does about throttling and lost connections, with jitter.
_RETRIES: Any = {
    "max_retries": 8,
    "retry_timeout": timedelta(seconds=120),
    "backoff": {
        "init_backoff": timedelta(milliseconds=50),
        "max_backoff": timedelta(seconds=10),
        "base": 2,
    },
}
# Said always: obstore would take them from the environment, AWS_ENDPOINT_URL_S3 even before
# the endpoint that it is given.
_NOT_OF_THE_ENVIRONMENT: Any = {
    "aws_skip_signature": False,
    "aws_request_payer": False,
    "aws_s3_express": False,
    "aws_unsigned_payload": False,
    "aws_disable_tagging": False,
    "aws_disable_bulk_delete": False,
}


def open_store(session: Any, client: Any, bucket: str) -> Any:
    """Return obstore's store of a bucket, with the credentials and the endpoint of botocore.

    None if the environment has something for it that it does not understand.
    """
    from obstore.auth.boto3 import Boto3CredentialProvider
    from obstore.exceptions import BaseError
    from obstore.store import S3Store

    try:
        credentials = Boto3CredentialProvider(session, ttl=_CREDENTIALS_LAST)
    except ValueError as error:
        raise AccessError(
            "there are no AWS credentials",
            hint="give credentials: AWS_PROFILE, aws configure, or --profile NAME where the "
            "command has it",
            kind="credentials",
        ) from error
    endpoint = client.meta.endpoint_url
    config: Any = {**_NOT_OF_THE_ENVIRONMENT, "aws_endpoint_url_s3": endpoint}
    try:
        return S3Store(
            bucket,
            endpoint=endpoint,
            region=client.meta.region_name,
            credential_provider=credentials,
            config=config,
            client_options={
                "allow_http": endpoint.startswith("http:"),
                "connect_timeout": "10s",
                "timeout": f"{READ_SECONDS:g}s",
                "user_agent": "investigate",
            },
            retry_config=_RETRIES,
            virtual_hosted_style_request=False,
        )
    except BaseError:
        return None
