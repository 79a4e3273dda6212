"""VKScript, the language of `execute`: from text to a tree.

Nodes are tuples whose first item names them; `machine.py` walks the tree.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from connectors.sandbox.vk.errors import VkError

Node = tuple[Any, ...]
_DEPTH = 60
_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)
      |(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      |(?P<name>[A-Za-z_$][\w$]*)
      |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      |(?P<sign>===|!==|==|!=|<=|>=|&&|\|\||@\.|[-+*/%<>=!(){}\[\],;:.?])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_SHORT = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0"}
_BINARY: tuple[frozenset[str], ...] = (
    frozenset({"||"}),
    frozenset({"&&"}),
    frozenset({"==", "!=", "===", "!=="}),
    frozenset({"<", ">", "<=", ">="}),
    frozenset({"+", "-"}),
    frozenset({"*", "/", "%"}),
)
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")


class Lexeme(NamedTuple):
    """One word of the script."""

    kind: str
    text: str


def parse(code: str) -> list[Node]:
    """The statements of a script. Raises VkError(12) for what is no VKScript."""
    return _Parser(_split(code)).program()


def unquote(literal: str) -> str:
    """The text that a string literal stands for; escaped surrogate pairs become the character they mean."""
    text = _ESCAPE.sub(_unescape, literal[1:-1])
    return _SURROGATES.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)


def _unescape(match: re.Match[str]) -> str:
    if match[1] is not None:
        return chr(int(match[1], 16))
    return _SHORT.get(match[2], match[2])


def _split(code: str) -> list[Lexeme]:
    lexemes: list[Lexeme] = []
    place = 0
    while place < len(code):
        match = _TOKEN.match(code, place)
        if match is None or match.lastgroup is None:
            raise VkError(12, f"unexpected token '{code[place]}'")
        if match.lastgroup != "space":
            lexemes.append(Lexeme(match.lastgroup, match[0]))
        place = match.end()
    lexemes.append(Lexeme("end", "end of code"))
    return lexemes


class _Parser:
    def __init__(self, lexemes: list[Lexeme]) -> None:
        self._lexemes = lexemes
        self._place = 0
        self._depth = 0
        self._statements: dict[str, Callable[[], Node]] = {
            "var": self._var,
            "return": self._return,
            "if": self._if,
            "while": self._while,
            "delete": self._delete,
        }

    def program(self) -> list[Node]:
        statements = []
        while self._seen.kind != "end":
            statements.append(self._statement())
        return statements

    @property
    def _seen(self) -> Lexeme:
        return self._lexemes[self._place]

    def _next(self) -> Lexeme:
        lexeme = self._seen
        if lexeme.kind != "end":
            self._place += 1
        return lexeme

    def _at(self, *signs: str) -> bool:
        return self._seen.kind == "sign" and self._seen.text in signs

    def _take(self, sign: str) -> bool:
        if self._at(sign):
            self._place += 1
            return True
        return False

    def _need(self, sign: str) -> None:
        if not self._take(sign):
            self._fail()

    def _fail(self) -> None:
        raise VkError(12, f"unexpected token '{self._seen.text[:40]}'")

    def _name(self) -> str:
        if self._seen.kind != "name":
            self._fail()
        return self._next().text

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > _DEPTH:
            raise VkError(12, "too many nested expressions")

    def _statement(self) -> Node:
        self._enter()
        try:
            if self._take(";"):
                return ("block", [])
            if self._take("{"):
                body = []
                while not self._take("}"):
                    body.append(self._statement())
                return ("block", body)
            if self._seen.kind == "name" and self._seen.text in self._statements:
                return self._statements[self._next().text]()
            return self._expression_statement()
        finally:
            self._depth -= 1

    def _var(self) -> Node:
        made = []
        while True:
            name = self._name()
            made.append((name, self._expression() if self._take("=") else ("value", None)))
            if not self._take(","):
                break
        self._close()
        return ("var", made)

    def _return(self) -> Node:
        value: Node = ("value", None) if self._at(";") or self._seen.kind == "end" else self._expression()
        self._close()
        return ("return", value)

    def _if(self) -> Node:
        self._need("(")
        condition = self._expression()
        self._need(")")
        then = self._statement()
        otherwise: Node = ("block", [])
        if self._seen == Lexeme("name", "else"):
            self._next()
            otherwise = self._statement()
        return ("if", condition, then, otherwise)

    def _while(self) -> Node:
        self._need("(")
        condition = self._expression()
        self._need(")")
        return ("while", condition, self._statement())

    def _delete(self) -> Node:
        target = self._postfix()
        self._close()
        if target[0] not in {"member", "index"}:
            self._fail()
        return ("delete", target)

    def _expression_statement(self) -> Node:
        value = self._expression()
        if self._take("="):
            if value[0] not in {"name", "member", "index"}:
                self._fail()
            node: Node = ("assign", value, self._expression())
        else:
            node = ("do", value)
        self._close()
        return node

    def _close(self) -> None:
        if self._seen.kind != "end" and not self._at("}"):
            self._need(";")

    def _expression(self, level: int = 0) -> Node:
        self._enter()
        try:
            value = self._ternary() if level == 0 else self._binary(level - 1)
        finally:
            self._depth -= 1
        return value

    def _ternary(self) -> Node:
        condition = self._binary(0)
        if not self._take("?"):
            return condition
        then = self._expression()
        self._need(":")
        return ("choose", condition, then, self._expression())

    def _binary(self, level: int) -> Node:
        if level == len(_BINARY):
            return self._unary()
        left = self._binary(level + 1)
        while self._at(*_BINARY[level]):
            left = ("binary", self._next().text, left, self._binary(level + 1))
        return left

    def _unary(self) -> Node:
        self._enter()
        try:
            if self._at("!", "-", "+"):
                return ("unary", self._next().text, self._unary())
            return self._postfix()
        finally:
            self._depth -= 1

    def _postfix(self) -> Node:
        value = self._primary()
        while True:
            if self._take("."):
                value = ("member", value, self._name())
            elif self._take("@."):
                value = ("each", value, self._name())
            elif self._take("["):
                value = ("index", value, self._expression())
                self._need("]")
            elif self._take("("):
                value = ("call", value, self._list(")"))
            else:
                return value

    def _primary(self) -> Node:
        lexeme = self._next()
        if lexeme.kind == "number":
            return ("value", float(lexeme.text) if set(lexeme.text) & set(".eE") else int(lexeme.text[:30]))
        if lexeme.kind == "string":
            return ("value", unquote(lexeme.text))
        if lexeme.kind == "name":
            constants = {"true": True, "false": False, "null": None, "undefined": None}
            return ("value", constants[lexeme.text]) if lexeme.text in constants else ("name", lexeme.text)
        if lexeme.text == "(":
            value = self._expression()
            self._need(")")
            return value
        if lexeme.text == "[":
            return ("list", self._list("]"))
        if lexeme.text == "{":
            return self._object()
        self._place -= lexeme.kind != "end"
        self._fail()
        raise AssertionError  # _fail always raises

    def _list(self, end: str) -> list[Node]:
        items: list[Node] = []
        while not self._take(end):
            items.append(self._expression())
            if not self._take(","):
                self._need(end)
                break
        return items

    def _object(self) -> Node:
        items: list[tuple[str, Node]] = []
        while not self._take("}"):
            lexeme = self._next()
            if lexeme.kind not in {"name", "string", "number"}:
                raise VkError(12, f"unexpected token '{lexeme.text[:40]}'")
            key = unquote(lexeme.text) if lexeme.kind == "string" else lexeme.text
            self._need(":")
            items.append((key, self._expression()))
            if not self._take(","):
                self._need("}")
                break
        return ("object", items)
