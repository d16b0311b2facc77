import pytest

from service.instagram import sign, signature_holds
from service.samples import encode, sample

SECRET = "app-secret"
# The digests are openssl's: `printf … | openssl dgst -sha256 -hmac app-secret`.
VECTORS = [
    (rb'{"text":"Gr\u00fc\u00dfe \ud83d\udc4b"}', "eb01a476ace5ef55e7da75d729c042a6c5629a4c332215d04772bf1dafef22a3"),
    ('{"text":"Grüße 👋"}'.encode(), "c74c42621f5f3e35edc02c95885fa318cc5596a257ee2f8ca0d2ceb98988fe21"),
    (rb'{"url":"https:\/\/example.com\/a"}', "d8e02a4a844ec8d3ecbd3eb3b013d94043d052f1b722822424a63c4dda50862c"),
    (b'{"url":"https://example.com/a"}', "b1a20cfed6ecf85d6b122568851a3aa262677a70fd323b188d5a9f44947af99e"),
    (b"", "f685db4c946698bf105ff5b62e30bc1f78216f3914b12bb750f8992aa6748824"),
]


@pytest.mark.parametrize(("body", "digest"), VECTORS)
def test_the_signature_is_over_the_bytes_on_the_wire(body: bytes, digest: str):
    """Accents, emoji and slashes are signed as they are escaped: parsing and dumping again would break them."""
    assert sign(SECRET, body) == f"sha256={digest}"
    assert signature_holds(SECRET, body, f"sha256={digest}")


@pytest.mark.parametrize(("body", "digest"), VECTORS)
@pytest.mark.parametrize(
    "given",
    [
        "sha256={upper}",
        "SHA256={digest}",
        "{digest}",
        "sha1={digest}",
        "sha256={cut}",
        "sha256={digest} ",
        "",
        None,
        "ü",
    ],
)
def test_anything_else_does_not_hold(body: bytes, digest: str, given: str | None):
    """Upper-case hex, another prefix, a cut digest, or none at all: not what Meta sends."""
    filled = given and given.format(upper=digest.upper(), digest=digest, cut=digest[:-1])
    assert not signature_holds(SECRET, body, filled)


def test_another_secret_does_not_hold():
    """A rotated app secret looks like a forgery."""
    assert not signature_holds("other", *VECTORS[0][:1], sign(SECRET, VECTORS[0][0]))


def test_samples_look_like_metas_bytes():
    """Samples hold what breaks a careless verifier: escaped accents, an emoji as a pair, a slash behind a backslash."""
    body = encode(sample("story_reply", mid="m", at_ms=1))
    assert body.isascii()
    assert rb"\u00fc" in body
    assert rb"\ud83d\udc4b" in body
    assert rb"https:\/\/" in body
