"""What a person sets for themselves: language, appearance, whether single letters are commands."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.responses import Response

from app.people import service
from app.web.deps import MaybeAccess, Parts, csrf_guard, opened
from app.web.ui.entry import remember
from app.web.ui.fields import Form
from app.web.ui.render import LANGUAGES
from app.web.ui.visit import LANGUAGE_COOKIE, THEME_COOKIE, THEMES, local_path, see_other

router = APIRouter(include_in_schema=False)


@router.post("/preferences", dependencies=[Depends(csrf_guard)])
async def set_preferences(access: MaybeAccess, parts: Parts, form: Form) -> Response:
    """Keep what was chosen, with the person or, before they sign in, with the browser; then back to where they were."""
    language, theme, letters = form.text("language"), form.text("theme"), form.text("letters")
    if access is not None and (language in LANGUAGES or letters in {"on", "off"}):
        async with opened(parts.database.write(operator_id=access.operator_id)) as session:
            await service.save_preferences(
                session,
                operator_id=access.operator_id,
                locale=language if language in LANGUAGES else access.locale,
                letters=letters == "on" if letters in {"on", "off"} else access.letters,
            )
    response = see_other(local_path(form.text("after")))
    if language in LANGUAGES:
        remember(response, parts, LANGUAGE_COOKIE, language)
    if theme in THEMES:
        remember(response, parts, THEME_COOKIE, theme)
    return response
