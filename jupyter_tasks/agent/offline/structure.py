"""Writes STRUCTURE.md: the project's real tree, with a line about each file taken from the file itself.

Owns the describing; nothing in it is made up: where a file says nothing about itself, its kind and size are all.
"""

from __future__ import annotations

import ast
import json
import os
import re

from .project import MOST_FILES, read_text, walk, write_text

__all__ = ["NAME", "describe", "document"]

NAME = "STRUCTURE.md"
_KINDS = {
    ".py": "Python module",
    ".ipynb": "Jupyter notebook",
    ".css": "Stylesheet",
    ".html": "Web page",
    ".js": "JavaScript",
    ".ts": "TypeScript",
    ".json": "JSON data",
    ".csv": "Table",
    ".md": "Document",
    ".txt": "Text",
    ".sh": "Shell script",
    ".toml": "Configuration",
    ".yaml": "Configuration",
    ".yml": "Configuration",
    ".tf": "Terraform",
    ".sql": "SQL",
    ".png": "Image",
    ".jpg": "Image",
    ".svg": "Image",
}
_COMMENT = re.compile(r"^\s*(?:#(?!!)|//|--\s|/\*+|<!--|;)\s*(?P<text>.*?)\s*(?:\*/|-->)?\s*$")


def document(root: str) -> tuple[int, int]:
    """Write ``STRUCTURE.md`` into ``root``.

    Returns: how many directories and files it names. Raises: OSError.
    """
    title = os.path.basename(os.path.abspath(root)) or "Project"
    lines = [f"# Structure of {title}", ""]
    directories = files = 0
    for directory, _, names in walk(root):
        names = [name for name in names if name != NAME]
        here = "" if directory == "." else directory.replace(os.sep, "/") + "/"
        if not names:
            continue
        directories += 1
        lines += ["## `{}`".format(here or "./"), ""]
        for name in names:
            files += 1
            lines.append(f"- `{name}`: {describe(os.path.join(root, directory, name))}")
        lines.append("")
    if files >= MOST_FILES:
        lines.append(f"Only the first {MOST_FILES:,} files are listed.")
    write_text(os.path.join(root, NAME), "\n".join(lines).rstrip("\n") + "\n")
    return directories, files


def describe(path: str) -> str:
    """One line about a file, from what it says itself."""
    suffix = os.path.splitext(path)[1].lower()
    kind = _KINDS.get(suffix, "File")
    text = read_text(path)
    if text is None:
        return f"{kind}, {_size(path):,} bytes"
    said = _said(suffix, text)
    count = len(text.splitlines())
    return "{}{} ({:,} line{})".format(kind, ": " + said if said else "", count, "" if count == 1 else "s")


def _said(suffix: str, text: str) -> str:
    if suffix == ".py":
        said = _docstring(text)
    elif suffix == ".csv":
        said = "columns " + ", ".join(cell.strip() for cell in text.split("\n", 1)[0].split(",")[:8])
    elif suffix in (".html", ".htm", ".svg"):
        found = re.search(r"<title[^>]*>\s*(.*?)\s*</title>", text, re.IGNORECASE | re.DOTALL)
        said = found.group(1) if found else ""
    elif suffix == ".md":
        said = next((line.lstrip("# ") for line in text.split("\n") if line.startswith("#")), "")
    elif suffix == ".ipynb":
        said = _notebook(text)
    elif suffix == ".json":
        said = _keys(text)
    else:
        said = _first_comment(text)
    return " ".join(said.split())[:100]


def _docstring(text: str) -> str:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "does not parse"
    said = (ast.get_docstring(tree) or "").strip().split("\n")[0]
    if said:
        return said
    names = [node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef))]
    return "defines " + ", ".join(names[:5]) if names else ""


def _notebook(text: str) -> str:
    try:
        cells = json.loads(text)["cells"]
        heading = next((line for cell in cells for line in "".join(cell["source"]).split("\n") if line[:1] == "#"), "")
        return heading.lstrip("# ") or f"{len(cells)} cells"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""


def _keys(text: str) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    return "keys " + ", ".join(list(value)[:6]) if isinstance(value, dict) and value else ""


def _first_comment(text: str) -> str:
    for line in text.split("\n")[:5]:
        found = _COMMENT.match(line)
        if found and re.search(r"\w", found["text"]):
            return found["text"]
    return ""


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
