import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_core.scoring.wire import Garbled, Message, receive, send

FIELDS = st.dictionaries(
    st.text(max_size=5).filter(lambda name: name != "kind"),
    st.none() | st.text(max_size=9) | st.integers() | st.floats(allow_nan=False),
    max_size=4,
)


def written(*messages):
    stream = io.BytesIO()
    for message in messages:
        send(stream, message)
    return stream.getvalue()


@given(st.lists(st.tuples(st.text(max_size=5), FIELDS, st.binary(max_size=50)), max_size=4))
def test_messages_come_out_as_they_went_in(parts):
    stream = io.BytesIO(written(*(Message(*part) for part in parts)))
    for kind, fields, body in parts:
        message = receive(stream, most_bytes=50)
        assert (message.kind, message.fields, bytes(message.body)) == (kind, fields, body)
    assert receive(stream, most_bytes=50) is None


@given(st.data())
def test_a_message_that_breaks_off_is_the_end(data):
    whole = written(Message("predict", {"rows": 3}, b"12345"))
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert receive(io.BytesIO(whole[:cut]), most_bytes=50) is None


@given(st.binary(min_size=12, max_size=60))
def test_what_is_no_message_is_garbled_or_the_end(noise):
    try:
        found = receive(io.BytesIO(noise), most_bytes=1_000)
    except Garbled:
        return
    assert found is None


def test_a_message_that_claims_to_be_huge_is_not_read():
    whole = written(Message("predicted", {}, bytes(100)))
    with pytest.raises(Garbled, match="100 bytes"):
        receive(io.BytesIO(whole), most_bytes=99)


def test_fields_without_a_kind_are_garbled():
    body = b'{"seconds": 1}'
    with pytest.raises(Garbled):
        receive(io.BytesIO(len(body).to_bytes(4, "big") + bytes(8) + body), most_bytes=9)
