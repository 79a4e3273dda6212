"""What invented citizens write: questions about roads, heat and light, thanks, chatter."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

_QUESTIONS = (
    "Когда засыпят яму на дороге у дома {house} по улице {street}?",
    "На {street}, {house} третий день нет горячей воды. Когда дадут?",
    "Почему у подъезда дома {house} на {street} не убирают снег? Ходить невозможно",
    "Возле дома {street}, {house} не горят фонари, дети идут из школы в темноте. Примите меры!",
    "Мусор на {street}, {house} не вывозили с понедельника, контейнеры переполнены",
    "Здравствуйте! В доме {house} по улице {street} холодные батареи, в квартире 15 градусов",
    "Автобус до {street} опять не пришёл, ждали сорок минут. Когда наведут порядок с расписанием?",
)
_STREETS = ("Садовая", "Лодочная", "Якорная", "Маячная", "Парусная", "Рябиновая", "Озёрная", "Мостовая")
_CHATTER = ("Спасибо большое!", "👍👍", "Красота какая", "Молодцы, так держать", "Ура!!!", "Посмотрим, что из этого выйдет")


def question(chance: Random) -> str:
    """A question that an agency has to answer."""
    return chance.choice(_QUESTIONS).format(street=chance.choice(_STREETS), house=chance.randrange(1, 200))


def comment(chance: Random) -> str:
    """A question, or something that asks for nothing."""
    return question(chance) if chance.random() < 0.6 else chance.choice(_CHATTER)
