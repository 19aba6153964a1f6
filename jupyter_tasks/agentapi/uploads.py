"""Reading the one file out of a multipart/form-data body.

Owns the parsing (bounded by the body, which is whole in memory); where the file goes is the caller's business.
"""

from __future__ import annotations

from email.message import Message
from email.parser import BytesHeaderParser

__all__ = ["uploaded_file"]

_MAX_PARTS = 100


def uploaded_file(content_type: str, body: bytes, field: str = "file") -> tuple[str, bytes] | None:
    """(base name, content) of the form's file; None when the form has none, or is no form.

    Args:
        content_type: the request's header.
        body: the request's body.
        field: the form field.
    """
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str) or not boundary:
        return None
    mark = b"--" + boundary.encode("latin-1", "replace")
    for part in (b"\r\n" + body).split(b"\r\n" + mark, _MAX_PARTS)[1:]:
        if part.startswith(b"--"):
            return None
        head, found, content = part.lstrip(b" \t").removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = BytesHeaderParser().parsebytes(head + b"\r\n\r\n")
        if found and headers.get_param("name", header="content-disposition") == field:
            name = headers.get_filename("")
            return _base(name), content
    return None


def _base(name: str) -> str:
    base = name.replace("\x00", "").rstrip("/").rpartition("/")[2]
    return base if base not in ("", ".", "..") else "file"
