"""The pages of the login that the web client opens in a window of their own.

They hold what its own dialogs cannot show, such as a QR code. They need neither inline scripts nor
styles, so that no content security policy has to allow any.
"""

from pathlib import Path
from typing import Any

from genshi.template import MarkupTemplate
from trytond.i18n import gettext
from trytond.protocols.wrappers import HTTPStatus, Request, Response, abort
from trytond.transaction import Transaction
from trytond.wsgi import app

FOLDER = Path(__file__).parent / "pages"

FILES = {"login.css": "text/css", "session.js": "text/javascript"}

LANGUAGES = ("en", "es", "de")

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",  # without it, browsers hide the origin of a form, too
    "X-Content-Type-Options": "nosniff",
}


@app.route("/<string:database_name>/terna/pages/<string:name>", methods=["GET"])
def page_file(request: Request, database_name: str, name: str) -> Response:
    """Answer with the style sheet or the script of the pages."""
    del request, database_name
    if name not in FILES:
        abort(HTTPStatus.NOT_FOUND)
    return Response((FOLDER / name).read_bytes(), mimetype=FILES[name])


def page(
    request: Request, name: str, status: HTTPStatus = HTTPStatus.OK, **values: Any
) -> Response:
    """Answer with a page, in the language that the browser prefers."""
    language = request.accept_languages.best_match(LANGUAGES, "en")
    with Transaction().set_context(language=language):
        text = _template(name).generate(
            _=lambda message: gettext(f"terna.msg_{message}"),
            database=Transaction().database.name,
            language=language,
            **values,
        )
        html = text.render("html", doctype="html5", encoding=None)
    return Response(html, status, HEADERS, mimetype="text/html")


def _template(name: str) -> MarkupTemplate:
    return MarkupTemplate((FOLDER / name).read_text())
