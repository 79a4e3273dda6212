"""Invented people: as many different names as a replay needs."""

_WOMEN = ("Анна", "Ольга", "Мария", "Ирина", "Вера", "Дарья", "Нина", "Лидия", "Юлия", "Алла", "Зоя", "Раиса")
_MEN = ("Иван", "Пётр", "Олег", "Антон", "Егор", "Денис", "Роман", "Глеб", "Игорь", "Юрий", "Артём", "Лев")
_FATHERS = ("Андрее", "Борисо", "Викторо", "Глебо", "Денисо", "Егоро", "Ивано", "Олего", "Павло", "Романо")
_FAMILIES = (
    "Берёзов", "Верхов", "Горелов", "Дубров", "Ежов", "Жаров", "Зимов", "Ивушкин", "Калинов", "Луговов",
    "Маслов", "Нилов", "Орешкин", "Полянов", "Речнов", "Садов", "Тропинов", "Ушаков", "Филинов", "Ходов",
    "Цветов", "Черёмухин", "Шапкин", "Щукин", "Юркин", "Яблоков", "Бобров", "Вьюгин", "Гусев", "Дроздов",
)  # fmt: skip


def invented(number: int) -> str:
    """The name of the `number`-th person; all are different, whatever the number."""
    woman = number % 2 == 0
    first, number = _pick(_WOMEN if woman else _MEN, number // 2)
    family, number = _pick(_FAMILIES, number)
    father, number = _pick(_FATHERS, number)
    name = f"{first} {father}{'вна' if woman else 'вич'} {family}{'а' if woman else ''}"
    return name if number == 0 else f"{name} {number + 1}"


def _pick(words: tuple[str, ...], number: int) -> tuple[str, int]:
    return words[number % len(words)], number // len(words)
