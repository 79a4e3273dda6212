"""VKScript, the language of `execute`: carrying out a tree."""

import operator
from collections.abc import Callable
from typing import Any

from connectors.sandbox.vk.errors import VkError
from connectors.sandbox.vk.script import Node, parse

_LARGEST = 1_000_000
ApiCall = Callable[[str, dict[str, Any]], Any]
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_MATH: dict[str, Callable[[Any, Any], Any]] = {
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
}


class _Return(Exception):  # noqa: N818 - a jump, not an error
    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class Machine:
    """Runs one script; `api` carries out `API.x.y({...})` and answers False for a failed call."""

    def __init__(self, api: ApiCall, arguments: dict[str, str], operations: int) -> None:
        """Prepare to run at most `operations` steps."""
        self._api = api
        self._names: dict[str, Any] = {"Args": dict(arguments)}
        self._left = operations
        self._nodes: dict[str, Callable[..., Any]] = {
            "block": self._block,
            "var": self._var,
            "return": self._return,
            "if": self._if,
            "while": self._while,
            "delete": self._delete,
            "assign": self._assign,
            "do": self._eval,
            "value": lambda value: value,
            "name": self._name,
            "list": lambda items: [self._eval(item) for item in items],
            "object": lambda items: {key: self._eval(item) for key, item in items},
            "member": self._member,
            "each": self._each,
            "index": self._index,
            "call": self._call,
            "choose": lambda test, then, other: self._eval(then if self._eval(test) else other),
            "unary": self._unary,
            "binary": self._binary,
        }

    def run(self, code: str) -> Any:
        """The value that the script returns. Raises VkError(12) and VkError(13)."""
        statements = parse(code)
        try:
            self._block(statements)
        except _Return as done:
            return done.value
        except (TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise VkError(13, "invalid operation") from error
        return None

    def _eval(self, node: Node) -> Any:
        self._left -= 1
        if self._left < 0:
            raise VkError(13, "too many operations")
        return self._nodes[node[0]](*node[1:])

    def _block(self, statements: list[Node]) -> None:
        for statement in statements:
            self._eval(statement)

    def _var(self, made: list[tuple[str, Node]]) -> None:
        for name, value in made:
            self._names[name] = self._eval(value)

    def _return(self, value: Node) -> None:
        raise _Return(self._eval(value))

    def _if(self, test: Node, then: Node, other: Node) -> None:
        self._eval(then if self._eval(test) else other)

    def _while(self, test: Node, body: Node) -> None:
        while self._eval(test):
            self._eval(body)

    def _delete(self, target: Node) -> None:
        holder, key = self._eval(target[1]), target[2]
        holder.pop(key if target[0] == "member" else self._eval(key), None)

    def _assign(self, target: Node, value: Node) -> None:
        if target[0] == "name":
            self._names[target[1]] = self._eval(value)
            return
        holder = self._eval(target[1])
        key = target[2] if target[0] == "member" else self._eval(target[2])
        if isinstance(holder, list) and key == len(holder):
            holder.append(self._eval(value))
        else:
            holder[key] = self._eval(value)

    def _name(self, name: str) -> Any:
        if name not in self._names:
            raise VkError(12, f"'{name}' is not defined")
        return self._names[name]

    def _member(self, holder: Node, name: str) -> Any:
        value = self._eval(holder)
        if name == "length" and isinstance(value, (list, str)):
            return len(value)
        return value.get(name) if isinstance(value, dict) else None

    def _each(self, holder: Node, name: str) -> Any:
        value = self._eval(holder)
        items = value if isinstance(value, list) else []
        return [item.get(name) if isinstance(item, dict) else None for item in items]

    def _index(self, holder: Node, key: Node) -> Any:
        value, at = self._eval(holder), self._eval(key)
        if isinstance(value, dict):
            return value.get(_word(at))
        place = int(at)
        return value[place] if isinstance(value, (list, str)) and 0 <= place < len(value) else None

    def _call(self, target: Node, nodes: list[Node]) -> Any:
        method = _api_method(target)
        values = [self._eval(node) for node in nodes]
        if method is not None:
            return self._api(method, values[0] if values and isinstance(values[0], dict) else {})
        if target[0] == "name" and target[1] in {"parseInt", "parseDouble"}:
            return _number(values[0], whole=target[1] == "parseInt")
        if target[0] != "member":
            raise VkError(12, "only API methods can be called")
        return _method(self._eval(target[1]), target[2], values)

    def _unary(self, sign: str, node: Node) -> Any:
        value = self._eval(node)
        if sign == "!":
            return not value
        return -value if sign == "-" else +value

    def _binary(self, sign: str, left: Node, right: Node) -> Any:
        first = self._eval(left)
        if sign in {"&&", "||"}:
            return self._eval(right) if bool(first) == (sign == "&&") else first
        second = self._eval(right)
        if sign in {"==", "==="}:
            return first == second
        if sign in {"!=", "!=="}:
            return first != second
        if sign == "+":
            return _plus(first, second)
        if sign in _COMPARE:
            return _COMPARE[sign](first, second)
        if not (isinstance(first, (int, float)) and isinstance(second, (int, float))):
            raise VkError(13, "arithmetic needs numbers")
        return _MATH[sign](first, second)


def _api_method(target: Node) -> str | None:
    """`wall.get` for `API.wall.get`, `users.get` alike; None for anything else."""
    words: list[str] = []
    node = target
    while node[0] == "member":
        words.append(node[2])
        node = node[1]
    return ".".join(reversed(words)) if node == ("name", "API") and words else None


def _plus(first: Any, second: Any) -> Any:
    if isinstance(first, list) and isinstance(second, list):
        return _bounded(first + second)
    if isinstance(first, str) or isinstance(second, str):
        return _bounded(_word(first) + _word(second))
    return first + second


def _bounded(value: Any) -> Any:
    """Refuse what doubling in a loop would make of memory."""
    if len(value) > _LARGEST:
        raise VkError(13, "out of memory")
    return value


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(_word(item) for item in value)
    return "" if value is None else str(value)


def _number(value: Any, *, whole: bool) -> int | float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return 0
    return int(number) if whole else number


def _method(holder: Any, name: str, values: list[Any]) -> Any:
    table = _LIST_METHODS if isinstance(holder, list) else _TEXT_METHODS if isinstance(holder, str) else {}
    method = table.get(name)
    if method is None:
        raise VkError(13, f"method '{name}' is not available")
    return method(holder, *values)


def _push(items: list[Any], value: Any) -> int:
    items.append(value)
    return len(items)


def _unshift(items: list[Any], value: Any) -> int:
    items.insert(0, value)
    return len(items)


def _splice(items: list[Any], start: int, count: int | None = None, *more: Any) -> list[Any]:
    end = len(items) if count is None else start + count
    gone = items[start:end]
    items[start:end] = more
    return gone


def _substr(text: str, start: int, count: int | None = None) -> str:
    return text[start:] if count is None else text[start : start + count]


_LIST_METHODS: dict[str, Callable[..., Any]] = {
    "push": _push,
    "pop": lambda items: items.pop() if items else None,
    "shift": lambda items: items.pop(0) if items else None,
    "unshift": _unshift,
    "slice": lambda items, start=0, end=None: items[start:end],
    "splice": _splice,
    "concat": _plus,
    "indexOf": lambda items, value: items.index(value) if value in items else -1,
    "join": lambda items, sign=",": sign.join(_word(item) for item in items),
}
_TEXT_METHODS: dict[str, Callable[..., Any]] = {
    "split": lambda text, sign: text.split(sign) if sign else list(text),
    "indexOf": lambda text, value: text.find(value),
    "substr": _substr,
    "slice": lambda text, start=0, end=None: text[start:end],
}
