"""The OpenAPI file as one page for people, where each request can be tried; nothing is loaded from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from typing import Any

from crossguard.registry import RESOURCES

STYLE, SCRIPT = ((RESOURCES / "docs_page" / name).read_text(encoding="utf-8") for name in ("docs.css", "docs.js"))


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


CONTENT_SECURITY = (
    f"default-src 'none'; style-src {_digest(STYLE)}; script-src {_digest(SCRIPT)}; connect-src 'self'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)


def docs_page(document: dict[str, Any]) -> str:
    """Returns the page as HTML."""
    groups: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            groups.setdefault(operation["tags"][0], []).append(_operation(path, method, operation))
    sections = "".join(f"<section><h2>{escape(name)}</h2>{''.join(parts)}</section>" for name, parts in groups.items())
    schemas = "".join(_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items()))
    info = document["info"]
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(info['title'])} API</title><style>{STYLE}</style></head><body><main>"
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['description'])} "
        "For programs: <a href='/openapi.json'>openapi.json</a>.</p>"
        "<p><label>API key, where keys are asked for: <input id='key' type='password' autocomplete='off'></label></p>"
        f"{sections}<section><h2>Bodies</h2>{schemas}</section></main><script>{SCRIPT}</script></body></html>"
    )


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(status)}</code></td><td>{escape(response['description'])}</td>"
        f"<td>{_bodies(response['content'])}</td></tr>"
        for status, response in operation["responses"].items()
    )
    request = operation.get("requestBody", {}).get("content", {})
    example = request.get("application/json", {}).get("example")
    body = f"<p>Body: {_bodies(request)}</p>" if request else ""
    return (
        f"<details><summary><span class='method'>{escape(method.upper())}</span> <code>{escape(path)}</code> "
        f"{escape(operation['summary'])}</summary>{body}{_curl(path, method, example)}"
        f"{_form(path, method, example)}"
        f"<table><thead><tr><th>Status</th><th>Meaning</th><th>Body</th></tr></thead><tbody>{rows}</tbody></table>"
        "</details>"
    )


def _curl(path: str, method: str, example: Any) -> str:
    line = f"curl -X {method.upper()} 'http://127.0.0.1:8080{path}'"
    if example is not None:
        line += f" \\\n  -H 'content-type: application/json' \\\n  -d '{json.dumps(example)}'"
    return f"<pre tabindex='0'>{escape(line)}</pre>"


def _form(path: str, method: str, example: Any) -> str:
    """Returns a form to try a request; none where it needs more than a JSON body, or changes the service."""
    if "{" in path or "/admin/" in path or (example is None and method != "get"):
        return ""
    body = f"<textarea aria-label='Body'>{escape(json.dumps(example, indent=2))}</textarea>" if example else ""
    return (
        f"<form data-method='{escape(method.upper())}' data-path='{escape(path)}'>{body}"
        "<p><button>Send</button></p><output></output></form>"
    )


def _bodies(content: dict[str, Any]) -> str:
    return ", ".join(f"{escape(kind)}{_link(body['schema'])}" for kind, body in content.items())


def _link(schema: dict[str, Any]) -> str:
    name = schema.get("$ref", "").rpartition("/")[2]
    return f" <a href='#{escape(name)}'>{escape(name)}</a>" if name else ""


def _schema(name: str, schema: dict[str, Any]) -> str:
    title, text = escape(name), escape(json.dumps(schema, indent=2))
    return f"<details id='{title}'><summary><code>{title}</code></summary><pre tabindex='0'>{text}</pre></details>"
