"""The page at /docs: the API in HTML, made from its OpenAPI description."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} API</title>
<link rel="icon" href="/page/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/page/style.css">
</head>
<body class="docs">
<header><h1>{title} {version}: the API</h1>
<p>{summary} <a href="/">The page</a> uses it;
<a href="/openapi.json">openapi.json</a> describes it for programs.</p></header>
<main>
"""


def describe(schema: Mapping[str, Any]) -> str:
    """The HTML of an API.

    Args:
        schema: an OpenAPI 3.1 description.
    """
    info = schema["info"]
    told = {key: escape(info.get(key, "")) for key in ("title", "version", "summary")}
    parts = [_HEAD.format(**told)]
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            parts.append(_operation(schema, path, method, operation))
    parts.append("</main>\n</body>\n</html>\n")
    return "".join(parts)


def _operation(
    schema: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]
) -> str:
    body = operation.get("requestBody", {}).get("content", {})
    fields = list(_parameters(operation))
    for form in body.values():
        fields += _fields(schema, form["schema"])
    kinds = " ".join(body)
    parts = [
        f"<section><h2><code>{escape(method.upper())} {escape(path)}</code></h2>",
        f"<p>{escape(operation.get('description', ''))}</p>",
        _table(f"Takes {kinds}".rstrip(), fields),
    ]
    rows = []
    for status, answer in operation["responses"].items():
        content = answer.get("content", {}).get("application/json", {})
        kind = _kind(content.get("schema", {}))
        rows.append((status, kind, answer.get("description", "")))
        if status.startswith("2"):
            found = list(_fields(schema, content.get("schema", {})))
            parts.append(_table("Answers", found))
    parts.append(_table("Statuses", rows))
    return "".join([*parts, "</section>\n"])


def _parameters(operation: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for one in operation.get("parameters", ()):
        yield (
            one["name"],
            _kind(one["schema"]),
            one.get("description", f"in {one['in']}"),
        )


def _fields(
    schema: Mapping[str, Any], of: Mapping[str, Any]
) -> Iterator[tuple[str, str, str]]:
    of = of.get("items", of)
    if "$ref" in of:
        of = schema["components"]["schemas"][of["$ref"].rsplit("/", 1)[-1]]
    required = of.get("required", ())
    for name, one in of.get("properties", {}).items():
        words = one.get("description", "")
        if "default" in one and one["default"] is not None:
            words += f" Default: {one['default']}."
        elif name not in required:
            words += " May be left out."
        yield name, _kind(one), words


def _kind(of: Mapping[str, Any]) -> str:
    if "enum" in of:
        return " | ".join(map(str, of["enum"]))
    if "anyOf" in of:
        return " | ".join(_kind(one) for one in of["anyOf"])
    if "$ref" in of:
        return str(of["$ref"].rsplit("/", 1)[-1])
    if of.get("type") == "array":
        return f"list of {_kind(of['items'])}"
    if of.get("contentMediaType") or of.get("format") == "binary":
        return "file"
    return str(of.get("type", ""))


def _table(caption: str, rows: list[tuple[str, str, str]]) -> str:
    if not rows:
        return ""
    lines = "".join(
        f"<tr><th scope='row'><code>{escape(name)}</code></th>"
        f"<td>{escape(kind)}</td><td>{escape(words)}</td></tr>"
        for name, kind, words in rows
    )
    return (
        f"<div class='wide' tabindex='0' role='region' aria-label='{escape(caption)}'>"
        f"<table><caption>{escape(caption)}</caption><tbody>{lines}</tbody></table></div>"
    )
