"""The wall's words in Russian and English.

A table of its own and not gettext: the sandbox is a development tool outside the product's catalogues, and two columns
side by side are easier to keep complete (a test compares them) than two compiled files.
"""

from typing import Literal

Lang = Literal["ru", "en"]

TEXTS: dict[str, tuple[str, str]] = {
    "title": ("Песочница Отклика", "Otklik sandbox"),
    "lead": (
        "Учебные страницы: пишите здесь как житель — Отклик увидит комментарий так же, как на настоящей площадке.",
        "Practice pages: write here as a citizen, and Otklik sees your comment as it would on the real platform.",
    ),
    "pages": ("Страницы", "Pages"),
    "no_pages": (
        "Страниц пока нет. Создайте их запросом POST /world/pages.",
        "No pages yet. Create one: POST /world/pages.",
    ),
    "members": ("Подписчики", "Followers"),
    "posts": ("посты", "posts"),
    "vk": ("ВКонтакте", "VK"),
    "ok": ("Одноклассники", "Odnoklassniki"),
    "telegram": ("Telegram", "Telegram"),
    "max": ("MAX", "MAX"),
    "viber": ("Viber", "Viber"),
    "you_are": ("Вы пишете как", "You write as"),
    "citizen": ("житель", "a citizen"),
    "the_page": ("сама страница", "the page itself"),
    "your_name": ("Имя и фамилия", "Your name"),
    "default_name": ("Анна Соколова", "Anna Sokolova"),
    "comment_hint": ("Написать комментарий…", "Write a comment…"),
    "reply_hint": ("Ваш ответ…", "Your reply…"),
    "send": ("Отправить", "Send"),
    "reply": ("Ответить", "Reply"),
    "edit": ("Изменить", "Edit"),
    "delete": ("Удалить", "Delete"),
    "restore": ("Восстановить", "Restore"),
    "save": ("Сохранить", "Save"),
    "cancel": ("Отмена", "Cancel"),
    "deleted_account": ("Удалённый аккаунт", "Deleted account"),
    "deleted_comment": ("Комментарий удалён", "Comment deleted"),
    "edited": ("изменено", "edited"),
    "answer": ("Ответ ведомства", "The agency's answer"),
    "by_hand": ("Страница", "The page"),
    "to": ("в ответ", "to"),
    "new_post": ("Новый пост от имени страницы", "A new post by the page"),
    "new_post_hint": ("Что нового?", "What is new?"),
    "publish": ("Опубликовать", "Publish"),
    "comments": ("Комментарии", "Comments"),
    "no_comments": ("Комментариев пока нет — начните первым.", "No comments yet: be the first."),
    "no_posts": ("На стене пока пусто.", "The wall is empty."),
    "closed": ("Комментарии закрыты.", "Comments are closed."),
    "no_discussion": ("У канала нет группы обсуждения.", "This channel has no discussion group."),
    "all_comments": ("Показать все комментарии", "Show all comments"),
    "older": ("Более ранние посты", "Older posts"),
    "back": ("Все страницы", "All pages"),
    "to_wall": ("Вся стена", "The whole wall"),
    "live_on": ("обновляется сразу", "live"),
    "live_off": ("связь потеряна, пробуем снова…", "connection lost, trying again…"),
    "failed": ("Не получилось", "That did not work"),
    "picture": ("фотография", "photo"),
    "not_found": ("Здесь ничего нет", "There is nothing here"),
    "captcha": ("Вы не робот?", "Are you a person?"),
    "captcha_lead": (
        "Так площадка просит владельца токена показать, что он человек.",
        "This is how a platform asks the token's owner to show that they are a person.",
    ),
    "captcha_pass": ("Я человек", "I am a person"),
    "captcha_passed": ("Проверка пройдена. Вернитесь в Отклик и попробуйте снова.", "Passed. Go back to Otklik and try again."),
    "language": ("English", "По-русски"),
    "verified": ("официальная страница", "official page"),
}


def words(lang: Lang) -> dict[str, str]:
    """Every word in one language."""
    column = 0 if lang == "ru" else 1
    return {key: pair[column] for key, pair in TEXTS.items()}


def choose(query: str | None, cookie: str | None, header: str | None) -> Lang:
    """The language: what was asked for, what was chosen before, what the browser prefers; Russian otherwise."""
    for asked in (query, cookie):
        if asked in {"ru", "en"}:
            return "ru" if asked == "ru" else "en"
    first = (header or "").split(",")[0].strip().lower()
    return "en" if first.startswith("en") else "ru"
