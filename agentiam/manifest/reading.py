"""Files become one document: a file alone, or every file of a directory with their lists put together."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, BinaryIO, Final, NoReturn

from agentiam.manifest.mistakes import Mistake, Path, Place, Unusable, excerpt, path_text
from agentiam.manifest.trees import BadTree, Node, read_trees

LARGEST: Final = 20_000_000
SUFFIXES: Final = (".yaml", ".yml", ".json")
ORGANIZATION: Final = "organization"

# What no database could store: control characters but tab and line ends, and halves of surrogate pairs.
_UNSTORABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


class _Twice(ValueError):
    """A JSON object has a key twice; the json module does not say where."""


@dataclass(slots=True)
class Part:
    """One document of one file. Positions of JSON are found only when somebody asks, since nobody does."""

    file: str
    text: str
    plain: Any
    node: Node | None = None
    _unlocatable: bool = False

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Find where a value, or with ``key`` its key, stands; for what is missing, what is around it."""
        node = self._tree()
        if node is None:
            return Place(self.file)
        line, column = node.line, node.column
        for number, step in enumerate(path):
            try:
                child = node.value[step]
            except (KeyError, IndexError, TypeError):
                break
            last = number == len(path) - 1
            line, column = node.keys[str(step)] if key and last and isinstance(step, str) else (child.line, child.column)
            node = child
        return Place(self.file, line, column)

    def find(self, path: Path) -> Node | None:
        """Find the node of a value, if it is there."""
        node = self._tree()
        for step in path:
            if node is None or not isinstance(node.value, dict | list):
                return None
            try:
                node = node.value[step]  # type: ignore[index]  # a key for a mapping, an index for a list
            except (KeyError, IndexError, TypeError):
                return None
        return node

    def _tree(self) -> Node | None:
        if self.node is None and not self._unlocatable:
            try:
                # A JSON text is a YAML text, but for tabs between its tokens; within its strings there are none.
                self.node = next(iter(read_trees(self.text.replace("\t", " "))), None)
            except BadTree:
                self._unlocatable = True
        return self.node


@dataclass(slots=True)
class Source:
    """What was read, put together; it knows where each value came from."""

    name: str
    parts: Sequence[Part]
    plain: dict[str, Any] = field(default_factory=dict)
    items: dict[str, list[tuple[Part, int]]] = field(default_factory=dict)
    whole: dict[str, Part] = field(default_factory=dict)

    def origin(self, path: Path) -> tuple[Part, Path]:
        """Find the part that a value came from, and its path there."""
        if not path or not isinstance(path[0], str):
            return self.parts[0], ()
        section = path[0]
        items = self.items.get(section, [])
        if len(path) > 1 and isinstance(path[1], int) and path[1] < len(items):
            part, index = items[path[1]]
            return part, (section, index, *path[2:])
        return self.whole.get(section, self.parts[0]), path

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Find where a value stands."""
        part, within = self.origin(path)
        return part.place(within, key=key)

    def absent(self, path: Path, message: str) -> Mistake:
        """Say what is wrong with something because it is not there: in a section, and at no line of it."""
        part, within = self.origin(path)
        return Mistake(place=Place(part.place(within).file, 0, 0), message=message, path=path_text(within))

    def mistake(self, path: Path, message: str, *, key: bool = False, place: Place | None = None) -> Mistake:
        """Say what is wrong with a value."""
        part, within = self.origin(path)
        place = place or part.place(within, key=key)
        return Mistake(place=place, message=message, path=path_text(within), excerpt=excerpt(part.text, place))


def read_manifest(location: str, *, stdin: BinaryIO | None = None, fill: Callable[[bytes], bytes] | None = None) -> Source:
    """Read a file, ``-`` for the standard input, or every .yaml, .yml and .json of a directory; raises Unusable.

    ``fill`` fills in what the files leave open, before anything is read.
    """
    files = [("-", stdin.read(LARGEST + 1))] if location == "-" and stdin is not None else _files(FilePath(location))
    if fill is not None:
        files = [(name, fill(content)) for name, content in files]
    size = sum(len(content) for _, content in files)
    if size > LARGEST:
        _refuse(location, f"This is more than {LARGEST // 1_000_000} MB.")
    parts: list[Part] = []
    mistakes: list[Mistake] = []
    for name, content in files:
        try:
            parts += _parts(name, content)
        except Unusable as unusable:
            mistakes += unusable.mistakes
    if mistakes:
        raise Unusable(mistakes)
    if not parts:
        _refuse(files[0][0], "This is empty.")
    return _together(location, parts)


def read_text(text: str, *, name: str) -> Source:
    """Read a manifest that is at hand as YAML; raises Unusable."""
    parts = _parts(name, text.encode("utf-8", "surrogatepass"))
    if not parts:
        _refuse(name, "This is empty.")
    return _together(name, parts)


def _refuse(file: str, message: str) -> NoReturn:
    raise Unusable([Mistake(place=Place(file), message=message)])


def _files(location: FilePath) -> list[tuple[str, bytes]]:
    try:
        if not location.is_dir():
            return [(str(location), _content(location))]
        found = sorted(path for path in location.iterdir() if path.suffix in SUFFIXES and path.is_file())
        files = [(str(path), _content(path)) for path in found]
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        _refuse(str(location), f"This cannot be read: {reason}.")
    if not files:
        _refuse(str(location), f"This directory has no {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file.")
    return files


def _content(path: FilePath) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST + 1)


def _parts(name: str, content: bytes) -> list[Part]:
    text = _decoded(name, content)
    found = _json_parts(name, text) if name.endswith(".json") else _yaml_parts(name, text)
    mistakes = []
    for part in found:
        if not isinstance(part.plain, dict):
            mistakes.append(_mistake(name, text, "A manifest is a mapping: organization, teams, people, ….", *_start(part)))
        else:
            mistakes += _unstorable(part)
    if mistakes:
        raise Unusable(mistakes)
    return found


def _start(part: Part) -> tuple[int, int]:
    place = part.place(())
    return place.line, place.column


def _decoded(name: str, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise Unusable([Mistake(place=Place(name, line, column), message="This is not UTF-8.")]) from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if found := _UNSTORABLE.search(text):
        line, column = text.count("\n", 0, found.start()) + 1, found.start() - text.rfind("\n", 0, found.start())
        raise Unusable([_mistake(name, text, f"The character U+{ord(found[0]):04X} cannot be used.", line, column)])
    return text


def _mistake(name: str, text: str, message: str, line: int, column: int) -> Mistake:
    place = Place(name, line, column)
    return Mistake(place=place, message=message, excerpt=excerpt(text, place))


def _yaml_parts(name: str, text: str) -> list[Part]:
    try:
        trees = read_trees(text)
    except BadTree as error:
        raise Unusable([_mistake(name, text, error.message, error.line, error.column)]) from error
    # A document of nothing but comments says nothing, as a file that was commented out should.
    return [Part(name, text, tree.plain(), tree) for tree in trees if not (tree.value is None and not tree.style)]


def _json_parts(name: str, text: str) -> list[Part]:
    if not text.strip():
        return []
    try:
        return [Part(name, text, json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant))]
    except json.JSONDecodeError as error:
        mistake = _mistake(name, text, f"This is not JSON: {error.msg[:1].lower()}{error.msg[1:]}.", error.lineno, error.colno)
    except (_Twice, RecursionError) as error:
        # Reading it as YAML says where.
        located = _yaml_mistake(name, text.replace("\t", " "))
        mistake = located or _mistake(name, text, str(error), 1, 1)
    except ValueError as error:
        mistake = _mistake(name, text, f"This is not JSON: {error}.", 1, 1)
    raise Unusable([mistake])


def _yaml_mistake(name: str, text: str) -> Mistake | None:
    try:
        read_trees(text)
    except BadTree as error:
        return _mistake(name, text, error.message, error.line, error.column)
    except RecursionError:
        return None
    return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Twice("A key is in an object twice.")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number that can be stored")


def _unstorable(part: Part) -> list[Mistake]:
    """Find characters that an escape brought in; what stands in the file as it is was looked at before."""
    if "\\" not in part.text:
        return []
    mistakes: list[Mistake] = []
    ahead: list[tuple[Path, Any]] = [((), part.plain)]
    while ahead:
        path, value = ahead.pop()
        if isinstance(value, dict):
            ahead += [((*path, key), each) for key, each in value.items()]
            texts = [(key, (*path, key)) for key in value]
        elif isinstance(value, list):
            ahead += [((*path, index), each) for index, each in enumerate(value)]
            texts = []
        else:
            texts = [(value, path)] if isinstance(value, str) else []
        for text, where in texts:
            if found := _UNSTORABLE.search(text):
                place = part.place(where)
                message = f"The character U+{ord(found[0]):04X} cannot be used."
                mistakes.append(_mistake(part.file, part.text, message, place.line, place.column))
    return mistakes


def _together(name: str, parts: list[Part]) -> Source:
    source = Source(name, parts)
    mistakes: list[Mistake] = []
    for part in parts:
        for section, value in part.plain.items():
            if section == ORGANIZATION and section in source.plain:
                first = source.place((section,), key=True)
                if source.plain[section] != value:
                    place = part.place((section,), key=True)
                    message = f"The organization is described differently at {first}."
                    mistakes.append(Mistake(place, message, section, excerpt(part.text, place)))
            elif isinstance(value, list) and isinstance(source.plain.get(section, []), list):
                source.plain.setdefault(section, []).extend(value)
                source.items.setdefault(section, []).extend((part, index) for index in range(len(value)))
                source.whole.setdefault(section, part)
            elif value is not None:
                source.plain[section] = value
                source.whole[section] = part
    if mistakes:
        raise Unusable(mistakes)
    return source
