"""The few pages that people see while they sign in to a connector."""

from html import escape

from starlette.responses import HTMLResponse

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>
<style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem}}
button{{font:inherit;padding:.4rem 1.2rem}}</style></head>
<body><h1>{title}</h1><p>{text}</p>{form}</body>
</html>
"""
_FORM = """<form method="post" action="{action}">{fields}<button>{label}</button></form>"""
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self';"
        " frame-ancestors 'none'; base-uri 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def page(title: str, text: str, *, status: int = 200) -> HTMLResponse:
    """Returns a page that says something."""
    return HTMLResponse(_written(title, text, ""), status, _HEADERS)


def question(
    title: str, text: str, label: str, action: str, fields: dict[str, str]
) -> HTMLResponse:
    """Returns a page that asks for one click, which sends `fields` to `action`."""
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )
    form = _FORM.format(action=escape(action), fields=hidden, label=escape(label))
    return HTMLResponse(_written(title, text, form), 200, _HEADERS)


def _written(title: str, text: str, form: str) -> str:
    return _PAGE.format(title=escape(title), text=escape(text), form=form)
