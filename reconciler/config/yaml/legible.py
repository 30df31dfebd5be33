"""Prepares YAML 1.2 text for the C parser, which follows YAML 1.1.

Every character keeps its position: one that the parser would misread is replaced by a private-use character, and
restored in the parsed values. Replaced are the line ends of YAML 1.1, surrogates that JSON writes as two escapes, and
colons and question marks inside plain scalars of flow collections.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from ruamel.yaml.error import MarkedYAMLError, YAMLError

from reconciler.config.yaml.parser import tokens
from reconciler.config.yaml.source_map import Map, Seq, Value

_OLD_BREAKS = "\x85\u2028\u2029"
_PAIR = r"(?s)\\u[dD]([89abAB])([0-9a-fA-F]{2})\\u[dD]([c-fC-F])([0-9a-fA-F]{2})|\\."
_BLOCKS = (0xE000, 0xE800, 0xF000)
"""The start of 2,048 private-use characters, one per surrogate."""
_SINGLE = range(0xF8FF, 0xF7FF, -1)
"""Replacements for single characters."""
_QUOTED = r""""(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|(?:^|\s)#.*"""
_COLON_FIRST = r"[\[{,][ \t]*:[^\s,\]}]"
_FLOW = (
    r"""(?s)(?P<space>\s+)|(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')|(?P<open>[\[{])|(?P<close>[\]}])|(?P<comma>,)"""
    r"""|(?P<word>[^\s,\[\]{}]+)"""
)
_WORD = r"[^\s,\[\]{}]+"
_FLOW_STARTS = frozenset(["FlowMappingStart", "FlowSequenceStart"])


class Legible(NamedTuple):
    """A text for the parser; ``table`` maps replacements to the original characters, ``block`` is the range for
    surrogates.
    """

    text: str
    table: dict[int, str]
    block: int | None = None

    def restored(self, value: Value) -> Value:
        """A parsed value with the original characters restored."""
        if not self.table and self.block is None:
            return value
        if isinstance(value, str):
            return self._restored_text(value)
        if isinstance(value, Map):
            made = Map({self._restored_text(key): self.restored(item) for key, item in value.items()})
            made.offsets = value.offsets
            return made
        if isinstance(value, Seq):
            value[:] = [self.restored(item) for item in value]
        return value

    def _restored_text(self, text: str) -> str:
        text = text.translate(self.table)
        if self.block is None or (text.isascii() and "\\u" not in text):
            return text
        base, middle = self.block, self.block + 0x400
        halves = re.compile(f"([{chr(base)}-{chr(middle - 1)}])([{chr(middle)}-{chr(middle + 0x3FF)}])")
        text = halves.sub(lambda found: chr(0x10000 + ((ord(found[1]) - base) << 10) + ord(found[2]) - middle), text)

        def written(found: re.Match[str]) -> str:
            code = int(found[1], 16) - base
            return f"\\u{0xD800 + code:04x}" if 0 <= code < 0x800 else found[0]

        return re.sub(r"\\u([0-9a-f]{4})", written, text) if "\\u" in text else text

    def with_flow(self) -> "Legible | None":
        """The text with colons and question marks in flow collections replaced; None if that changes nothing."""
        table = dict(self.table)
        stand_ins = _free(self.text, table)
        colon, question = next(stand_ins, None), next(stand_ins, None)
        if colon is None or question is None:
            return None
        text = _without_flow_signs(self.text, str.maketrans({":": colon, "?": question}))
        if text == self.text:
            return None
        return self._replace(text=text, table={**table, ord(colon): ":", ord(question): "?"})


def legible(text: str) -> "Legible":
    """Replace the parts of a text that the parser would silently misread."""
    table: dict[int, str] = {}
    present = [real for real in _OLD_BREAKS if real in text]
    if present:
        table = {ord(stand_in): real for stand_in, real in zip(_free(text, table), present, strict=False)}
        text = text.translate({ord(real): chr(stand_in) for stand_in, real in table.items()})
    found = Legible(text, table)
    if "\\ud" in text or "\\uD" in text:
        found = _with_pairs(found)
    if _is_misread(text):
        return found.with_flow() or found
    return found


def scannable(text: str) -> str:
    """Prepare a text for the scanner, every character in its position."""
    found = legible(text)
    return (found.with_flow() or found).text


def _free(text: str, taken: dict[int, str]) -> Iterator[str]:
    lower = text.lower() if "\\u" in text else ""
    return (
        chr(code) for code in _SINGLE if chr(code) not in text and code not in taken and f"\\u{code:04x}" not in lower
    )


def _with_pairs(found: Legible) -> "Legible":
    for block in _BLOCKS:
        if re.search(f"[{chr(block)}-{chr(block + 0x7FF)}]", found.text):
            continue
        if re.search(rf"(?i)\\u{block >> 12:x}[{block >> 8 & 15:x}-{(block >> 8 & 15) + 7:x}]", found.text):
            continue

        def stand_in(pair: re.Match[str], block: int = block) -> str:
            if pair[1] is None:
                return pair[0]
            high = int(f"d{pair[1]}{pair[2]}", 16) - 0xD800 + block
            low = int(f"d{pair[3]}{pair[4]}", 16) - 0xD800 + block
            return f"\\u{high:04x}\\u{low:04x}"

        text = re.sub(_PAIR, stand_in, found.text)
        return found if text == found.text else found._replace(text=text, block=block)
    return found


def _is_misread(text: str) -> bool:
    """Whether a plain scalar of a flow collection may contain a character that the parser silently misreads."""
    if "{" not in text and "[" not in text:
        return False
    index = text.find("?")
    while index >= 0:
        if text[index + 1 : index + 2] in ("'", '"'):  # the end of a quoted text
            index = text.find("?", index + 1)
            continue
        start = text.rfind("\n", 0, index) + 1
        end = text.find("\n", index)
        end = len(text) if end < 0 else end
        if "?" in re.sub(_QUOTED, "", text[start:end]):
            return True
        index = text.find("?", end)
    return any(sign in text for sign in ("[:", "{:", ",:", " :", "\t:")) and re.search(_COLON_FIRST, text) is not None


class _Tail:
    """The rest of a text, as a stream for the scanner."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self._text = text
        self._position = start
        self._end = end

    def read(self, size: int) -> bytes:
        start, self._position = self._position, min(self._position + max(size // 4, 1), self._end)
        return self._text[start : self._position].encode("utf-8", "surrogatepass")


def _without_flow_signs(text: str, signs: dict[int, str]) -> str:
    pieces: list[str] = []
    position = 0
    while (start := _next_flow(text, position)) is not None:
        piece, end = _flow(text, start, signs)
        pieces += (text[position:start], piece)
        position = end
    return "".join((*pieces, text[position:]))


def _next_flow(text: str, position: int) -> int | None:
    """The start of the next flow collection."""
    end = len(text)
    for _ in range(2):
        try:
            for token in tokens(_Tail(text, position, end)):
                if token.kind in _FLOW_STARTS:
                    return position + token.start
            return None
        except MarkedYAMLError as error:  # found by looking ahead: what precedes it decides
            if error.problem_mark is None:
                return None
            end = position + error.problem_mark.index
        except YAMLError:
            return None
    return None


def _flow(text: str, start: int, signs: dict[int, str]) -> tuple[str, int]:
    """A flow collection with characters in its plain scalars replaced, and its end."""
    pieces: list[str] = []
    depth, position = 0, start
    in_plain = after_json = False
    part, word = re.compile(_FLOW), re.compile(_WORD)
    while position < len(text):
        found = part.match(text, position) if not in_plain or text[position] not in "\"'" else None
        found = found or word.match(text, position)
        if found is None:
            break
        piece, kind = found[0], found.lastgroup or "word"
        if kind == "word" and piece[0] == "#" and text[position - 1].isspace():
            end = text.find("\n", position)
            piece = text[position : len(text) if end < 0 else end]
        elif kind == "word":
            piece, in_plain = _translate_word(piece, in_plain, after_json, signs)
        elif kind != "space":
            in_plain = False
        pieces.append(piece)
        position += len(piece)
        depth += (kind == "open") - (kind == "close")
        after_json = kind in ("quoted", "close")
        if not depth:
            break
    return "".join(pieces), max(position, start + 1)


def _translate_word(word: str, in_plain: bool, after_json: bool, signs: dict[int, str]) -> tuple[str, bool]:
    """A word with its characters replaced, and whether its plain scalar may continue."""
    if word == ":" or (not in_plain and (word == "?" or word[0] in "&*!|>%@`")):
        return word, False
    first = ":" if after_json and word[0] == ":" else ""
    last = ":" if word[-1] == ":" else ""
    content = word[len(first) : len(word) - len(last)]
    if first and content[:1] in ("'", '"'):
        return word, False
    return first + content.translate(signs) + last, not last
