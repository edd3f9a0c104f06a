"""The tree of errors in the module's docstring is the tree of classes."""

import re
from collections.abc import Iterator

import pytest

from terna import errors
from terna.errors import RequestError, TernaError

LINE = re.compile(r"(?P<branch>[│├└─ ]*)(?P<name>\w+) {2,}(?P<says>.+)")
INDENT = 4


def drawn() -> Iterator[tuple[str, str | None, str]]:
    """Each line of the drawing: a class, the one that it hangs from, and what is said of it."""
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := LINE.fullmatch(line):
            del above[len(found["branch"]) // INDENT :]
            yield found["name"], above[-1] if above else None, found["says"]
            above.append(found["name"])


def descendants(kind: type[TernaError]) -> Iterator[type[TernaError]]:
    for child in kind.__subclasses__():
        yield child
        yield from descendants(child)


def test_drawn_tree_is_the_tree_of_classes() -> None:
    parents = {kind.__name__: kind.__bases__[0].__name__ for kind in descendants(TernaError)}
    assert {name: parent for name, parent, _ in drawn()} == {"TernaError": None, **parents}


def test_no_error_is_drawn_twice() -> None:
    names = [name for name, _, _ in drawn()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("kind", RequestError.__subclasses__())
def test_drawn_status_is_the_status_of_the_class(kind: type[RequestError]) -> None:
    says = {name: says for name, _, says in drawn()}
    assert says[kind.__name__] == str(kind.status)
    assert re.fullmatch("[A-Z_]+", kind.error_code)
