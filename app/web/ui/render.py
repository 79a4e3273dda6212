"""Templates to HTML, in the reader's language and time zone. One immutable environment per language."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.ext import i18n
from jinja2.runtime import Context

from app.web.ui.formats import Formats
from app.web.ui.hosts import host_of
from app.web.ui.labels import Words
from app.web.ui.text import editable, harmless, one_line, plain, reveal
from app.web.ui.views import Screen

LANGUAGES = ("ru", "en")
FONTS = ".woff2"
_HERE = Path(__file__).parent


class Assets:
    """Addresses of our static files with a digest of their bytes, so that a browser may keep them for ever."""

    def __init__(self, folder: Path = _HERE / "static", prefix: str = "/static") -> None:
        self.folder = folder
        self._versions = {path.relative_to(folder).as_posix(): _digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}
        self._prefix = prefix

    def url(self, name: str) -> str:
        """The address of a file below the static folder; KeyError when there is none."""
        version = self._versions[name]
        # Style sheets name fonts without a digest, and a browser would load one of another address twice.
        return f"{self._prefix}/{name}" if name.endswith(FONTS) else f"{self._prefix}/{name}?v={version}"

    def versions(self) -> dict[str, str]:
        """The digest of each file, by its path below the static folder."""
        return dict(self._versions)


class Renderer:
    """Renders templates. Build it once at start: it reads catalogues and static files."""

    def __init__(self, *, assets: Assets | None = None, folder: Path = _HERE) -> None:
        self.assets = assets or Assets()
        self._environments = {language: _environment(language, folder=folder, assets=self.assets) for language in LANGUAGES}

    def render(self, template: str, screen: Screen, view: Mapping[str, object] | None = None) -> str:
        """The HTML of a template for one reader; `view` holds what it names. An unknown language means Russian."""
        environment = self._environments.get(screen.language) or self._environments[LANGUAGES[0]]
        return environment.get_template(template).render({"screen": screen} | dict(view or {}))

    def words(self, language: str) -> Words:
        """Codes to words in a language, for titles and problems that no template makes."""
        environment = self._environments.get(language) or self._environments[LANGUAGES[0]]
        words: Words = environment.globals["words"]  # type: ignore[assignment] # put there by _environment
        return words


def catalogue(language: str, folder: Path = _HERE / "locale") -> NullTranslations:
    """The catalogue of a language, read from its .po file; English is what the msgids say."""
    path = folder / language / "LC_MESSAGES" / "otklik.po"
    if not path.is_file():
        return NullTranslations()
    compiled = BytesIO()
    with path.open("rb") as source:
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    return Translations(compiled, domain="otklik")


def _environment(language: str, *, folder: Path, assets: Assets) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folder / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=harmless,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[i18n],
        auto_reload=False,
    )
    environment.policies["ext.i18n.trimmed"] = True
    translations = catalogue(language, folder / "locale")
    environment.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined] # by ext.i18n
    for name in ("gettext", "ngettext"):  # what they give is Markup, so what goes into it is made harmless before
        environment.globals[name] = _harmless_into(environment.globals[name])
    formats = Formats(language, translations)
    environment.filters |= formats.filters() | {
        "reveal": reveal,
        "one_line": one_line,
        "plain": plain,
        "host": host_of,
        "editable": editable,
    }
    environment.globals |= {"words": Words(translations.gettext), "asset": assets.url, "language": language}
    return environment


def _harmless_into(translate: Any) -> Any:  # noqa: ANN401 - jinja2's own function
    @pass_context
    def translated(context: Context, /, *words: object, **values: object) -> object:
        return translate(context, *words, **{name: harmless(value) for name, value in values.items()})

    return translated


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
