"""Reads `artefacts.url` where it names a bucket of an S3-compatible service. Opens no connection."""

from dataclasses import dataclass, field

from storage.errors import ArtefactsUrlInvalid
from storage.url_parts import UrlPartInvalid, UrlParts, check_words, split_url

AMAZON = "s3"
WORDS = ("region",)
DEFAULT_REGION = "us-east-1"  # what servers of one's own expect where nothing else is set


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketAddress:
    """Where a bucket is, and who we are there.

    What is empty is left to the environment, as with Amazon's own programs: `endpoint` (AWS_ENDPOINT_URL), `key` and
    `secret` (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, or the role of the machine), `region` (AWS_REGION).
    """

    endpoint: str
    bucket: str
    prefix: str
    region: str
    key: str
    secret: str = field(repr=False)

    @property
    def where(self) -> str:
        """The name of the bucket in messages, without the login."""
        return "/".join(filter(None, (self.endpoint or f"{AMAZON}:/", self.bucket, self.prefix)))


def read_bucket_url(url: str) -> BucketAddress:
    """Read s3://bucket/prefix or https://key:secret@host/bucket/prefix.

    Raises:
        ArtefactsUrlInvalid: it is neither.
    """
    scheme, has_scheme, rest = url.partition("://")
    if not has_scheme or scheme not in {AMAZON, "http", "https"}:
        raise ArtefactsUrlInvalid(reason="it begins with none of s3://, https://, http:// and file://")
    try:
        parts = split_url(rest)
        check_words(parts.words, WORDS, {})
        return _address(scheme, parts)
    except UrlPartInvalid as invalid:
        raise ArtefactsUrlInvalid(reason=str(invalid)) from None


def _address(scheme: str, parts: UrlParts) -> BucketAddress:
    if scheme == AMAZON:
        endpoint, bucket, prefix = "", parts.hosts, parts.path
    else:
        endpoint = f"{scheme}://{parts.hosts}"
        bucket, _, prefix = parts.path.partition("/")
    if not parts.hosts or not bucket:
        raise UrlPartInvalid("it names no bucket")
    if bool(parts.user) != bool(parts.password):
        raise UrlPartInvalid("a key needs a secret behind a colon")
    region = parts.words.get("region", "" if scheme == AMAZON else DEFAULT_REGION)
    return BucketAddress(
        endpoint=endpoint,
        bucket=bucket,
        prefix=prefix.strip("/"),
        region=region,
        key=parts.user,
        secret=parts.password,
    )
