"""Multipart bodies, taken to pieces as they come: httpx writes them, whatever their chunks are."""

import asyncio
import tracemalloc

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.requests import Request

from mlops_core.api.uploads import received
from mlops_core.domain.errors import InvalidInput

MOST = 10 * 2**20


def request_of(chunks, headers):
    waiting = iter(chunks)

    async def receive():
        chunk = next(waiting, None)
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw}, receive)


def taken(folder, chunks, headers, most=MOST):
    """What a body holds: fields, and the bytes and endings of files."""

    async def take():
        async with received(request_of(chunks, headers), folder, most) as upload:
            files = {name: (path.suffix, path.read_bytes()) for name, path in upload.files.items()}
            return upload.fields, files

    return asyncio.run(take())


def form(fields, files):
    sent = httpx.Request("POST", "http://bigboard/", data=fields, files=files)
    return sent.read(), {"content-type": sent.headers["content-type"]}


def cut(body, size):
    return [body[start : start + size] for start in range(0, len(body), size)]


@given(
    text=st.text(max_size=200),
    first=st.binary(max_size=3000),
    second=st.binary(max_size=300),
    size=st.integers(1, 500),
)
def test_what_was_sent_arrives_however_it_is_cut(tmp_path_factory, text, first, second, size):
    folder = tmp_path_factory.mktemp("uploads")
    body, headers = form({"version": text}, {"artefact": ("m.skops", first), "rows": ("r.parquet", second)})
    fields, files = taken(folder, cut(body, size), headers)
    assert fields == {"version": text}
    assert files == {"artefact": (".skops", first), "rows": (".parquet", second)}
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("../../../etc/passwd", ""),
        ("a/b.onnx", ".onnx"),
        ("m.tar.gz", ".gz"),
        (".skops", ".skops"),
        ("x.p y", ""),
        ("é.pkl", ".pkl"),
    ],
)
def test_of_a_files_name_its_ending_alone_is_kept(tmp_path, name, ending):
    body, headers = form({}, {"artefact": (name, b"bytes")})
    assert taken(tmp_path, [body], headers)[1] == {"artefact": (ending, b"bytes")}
    assert [path.name for path in tmp_path.parent.iterdir() if "passwd" in path.name] == []


@pytest.mark.parametrize("told", [True, False])
def test_what_is_too_large_is_answered_with_413_and_not_kept(tmp_path, told):
    body, headers = form({}, {"artefact": ("m.bin", b"x" * 200_000)})
    if told:
        headers["content-length"] = str(len(body))
    with pytest.raises(
        HTTPException, match=r"larger than 100,000 bytes: set BIGBOARD_UPLOAD_BYTES"
    ) as refused:
        taken(tmp_path, cut(body, 10_000), headers, most=100_000)
    assert refused.value.status_code == 413
    assert list(tmp_path.iterdir()) == []


def test_a_large_file_needs_no_memory(tmp_path):
    size, chunk = 200 * 2**20, b"x" * 2**20
    boundary = b"--b\r\nContent-Disposition: form-data; name=artefact; filename=m.bin\r\n\r\n"

    def chunks():
        yield boundary
        for _ in range(size // len(chunk)):
            yield chunk
        yield b"\r\n--b--\r\n"

    async def take():
        request = request_of(chunks(), {"content-type": "multipart/form-data; boundary=b"})
        async with received(request, tmp_path, 2 * size) as upload:
            return upload.files["artefact"].stat().st_size

    tracemalloc.start()
    try:
        stored = asyncio.run(take())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert stored == size
    assert peak < 16 * 2**20


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda body: body[: len(body) // 2], "cut short"),
        (lambda body: body[:-4], "cut short"),
        (lambda body: b"", "cut short"),
        (lambda body: b"no form at all", "cannot be read"),
        (lambda body: body.replace(b'name="rows"', b'name="version"'), "'version' twice"),
        (lambda body: body.replace(b'name="rows"; ', b""), "has no name"),
        (lambda body: body.replace(b"text", b"te\xff\xfet"), "not UTF-8"),
    ],
)
def test_a_form_that_is_spoiled_is_refused_with_the_reason(tmp_path, spoil, said):
    body, headers = form({"version": "text"}, {"rows": ("r.csv", b"a,b\n1,2\n")})
    with pytest.raises(InvalidInput, match=said):
        taken(tmp_path, [spoil(body)], headers)
    assert list(tmp_path.iterdir()) == []


def test_a_form_of_countless_parts_is_refused(tmp_path):
    body, headers = form({f"f{n}": "x" for n in range(21)}, {"rows": ("r.csv", b"")})
    with pytest.raises(InvalidInput, match="more than 20 parts"):
        taken(tmp_path, [body], headers)


def test_a_field_that_should_have_been_a_file_is_refused(tmp_path):
    body, headers = form({"artefact": "x" * (5 * 2**20)}, {"rows": ("r.csv", b"")})
    with pytest.raises(InvalidInput, match="'artefact' is larger than"):
        taken(tmp_path, [body], headers)


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data", ""])
def test_what_is_no_form_is_answered_with_415(tmp_path, kind):
    with pytest.raises(HTTPException, match="multipart form") as refused:
        taken(tmp_path, [b"{}"], {"content-type": kind})
    assert refused.value.status_code == 415
