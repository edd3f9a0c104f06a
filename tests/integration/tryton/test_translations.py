"""The module's strings in Spanish and German, by Tryton's own export of translations."""

import re
from pathlib import Path
from typing import Any

import polib
import pytest
from trytond.pool import Pool

import terna.erp.tryton

LOCALE = Path(terna.erp.tryton.__file__).with_name("locale")
PLACEHOLDER = re.compile(r"%\(\w+\)\w")


@pytest.fixture(params=["de", "es"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def translated(language: str) -> polib.POFile:
    """What the module brings of a language."""
    return polib.pofile(str(LOCALE / f"{language}.po"))


@pytest.fixture
def exported(tryton: Pool, language: str) -> polib.POFile:
    """All strings of the module as it is, for a language."""
    languages = tryton.get("ir.lang")
    (found,) = languages.search([("code", "=", language)])
    languages.write([found], {"translatable": True})
    _run("ir.translation.set", "set_")  # the strings of views
    _run("ir.translation.update", "update", start={"language": found.id})
    return polib.pofile(tryton.get("ir.translation").translation_export(language, "terna").decode())


def test_every_string_is_translated(exported: polib.POFile, translated: polib.POFile) -> None:
    known = {(entry.msgctxt, entry.msgid) for entry in translated.translated_entries()}
    missing = [each for each in exported if (each.msgctxt, each.msgid) not in known]

    assert len(exported) > 0
    assert "\n".join(map(str, missing)) == ""


def test_every_translation_is_of_a_string(exported: polib.POFile, translated: polib.POFile) -> None:
    known = {(entry.msgctxt, entry.msgid) for entry in exported}
    others = [each for each in translated if (each.msgctxt, each.msgid) not in known]

    assert "\n".join(map(str, others)) == ""


def test_translation_has_the_placeholders_of_its_string(translated: polib.POFile) -> None:
    for entry in translated:
        in_both = [sorted(PLACEHOLDER.findall(text)) for text in (entry.msgid, entry.msgstr)]
        assert in_both[0] == in_both[1], entry


def _run(name: str, state: str, **data: Any) -> None:
    """Go through one state of a wizard."""
    wizard = Pool().get(name, type="wizard")
    session, *_ = wizard.create()
    wizard.execute(session, data, state)
    wizard.delete(session)
