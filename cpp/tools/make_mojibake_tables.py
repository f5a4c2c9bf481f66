"""Write cpp/src/text/{charmaps,mojibake_tables}.inc: the data by which ftfy recognises and undoes mojibake.

open_clip cleans text with ftfy (Robyn Speer, Apache-2.0), so ids are equal only if its data are the same.
Its patterns are alternatives of character classes in a row; they become tables for a small matcher.
Usage: python cpp/tools/make_mojibake_tables.py charmaps > cpp/src/text/charmaps.inc
       python cpp/tools/make_mojibake_tables.py patterns > cpp/src/text/mojibake_tables.inc
"""

from __future__ import annotations

import re
import sys
from itertools import product

from ftfy import __version__, chardata
from ftfy.badness import BADNESS_RE

try:
    from re import _constants as sre
    from re import _parser as sre_parse
except ImportError:  # Python 3.10
    import sre_constants as sre
    import sre_parse

CATEGORIES = {sre.CATEGORY_SPACE: "Space", sre.CATEGORY_WORD: "Word"}

classes: dict[str, int] = {}  # C++ initialiser of a class -> its index


def class_index(ranges: list[tuple[int, int]], category: str = "None") -> int:
    cells = ", ".join(f"{{0x{a:X}, 0x{b:X}}}" for a, b in sorted(ranges))
    return classes.setdefault(f"{{Category::k{category}, {{{cells}}}}}", len(classes))


def merged(points: set[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for c in sorted(points):
        if found and found[-1][1] == c - 1:
            found[-1] = (found[-1][0], c)
        else:
            found.append((c, c))
    return found


def element(op, argument) -> int:
    if op is sre.LITERAL:
        return class_index([(argument, argument)])
    if op is sre.NOT_LITERAL:
        return class_index([(0, argument - 1), (argument + 1, 0x10FFFF)])
    if op is sre.ANY:
        return class_index([(0, 9), (11, 0x10FFFF)])
    assert op is sre.IN, op
    if argument[0][0] is sre.CATEGORY:
        return class_index([], CATEGORIES[argument[0][1]])
    points: set[int] = set()
    for kind, value in argument[1:] if argument[0][0] is sre.NEGATE else argument:
        points |= set(range(value[0], value[1] + 1)) if kind is sre.RANGE else {value}
    if argument[0][0] is sre.NEGATE:
        points = set(range(0x110000)) - points
    return class_index(merged(points))


def sequences(items) -> list[tuple[bool, list[int]]]:
    """The rows of classes, each with whether it must be at the start, that the items stand for."""
    parts: list[list[list[int]]] = []
    anchored = False
    for op, argument in items:
        if op is sre.AT:
            anchored = True
        elif op is sre.MAX_REPEAT:
            low, high, body = argument
            once = [element(*item) for item in body]
            parts.append([once * count for count in range(low, high + 1)])
        elif op is sre.BRANCH:
            parts.append([row for branch in argument[1] for _, row in sequences(branch)])
        elif op is sre.SUBPATTERN:
            parts.append([row for _, row in sequences(argument[3])])
        else:
            parts.append([[element(op, argument)]])
    return [(anchored, sum(choice, [])) for choice in product(*parts)]


def alternatives(pattern: str | bytes, flags: int) -> list[tuple[bool, list[int]]]:
    parsed = sre_parse.parse(pattern, flags)
    if len(parsed) == 1 and parsed[0][0] is sre.BRANCH:
        return [row for branch in parsed[0][1][1] for row in sequences(branch)]
    return sequences(parsed)


def emit_pattern(name: str, rows: list[tuple[bool, list[int]]]) -> None:
    print(f"const Pattern k{name} = {{")
    for anchored, row in rows:
        print(f"    {{{'true' if anchored else 'false'}, {{{', '.join(map(str, row))}}}}},")
    print("};\n")


def emit_charmaps() -> None:
    print("// Bytes 0x80 to 0xFF of each encoding that is tried, in order.")
    print(f"constexpr char16_t kCharmaps[{len(chardata.CHARMAP_ENCODINGS)}][128] = {{")
    for encoding in chardata.CHARMAP_ENCODINGS:
        print(f"    {{  // {encoding}")
        text = bytes(range(0x80, 0x100)).decode(encoding)
        for row in range(0, 128, 12):
            print("        " + ", ".join(f"0x{ord(c):04X}" for c in text[row : row + 12]) + ",")
        print("    },")
    print("};\n")


def emit_patterns() -> None:
    bad = alternatives(BADNESS_RE.pattern, re.VERBOSE)
    altered = alternatives(chardata.ALTERED_UTF8_RE.pattern, 0)
    lossy = alternatives(chardata.LOSSY_UTF8_RE.pattern, 0)
    clues = "[{utf8_first_of_2}][{utf8_continuation}]|[{utf8_first_of_3}][{utf8_continuation}]{{2}}"
    clues += "|[{utf8_first_of_4}][{utf8_continuation}]{{3}}"
    units = alternatives(clues.format(**chardata.UTF8_CLUES), 0)
    strict = alternatives("[{utf8_continuation_strict}]".format(**chardata.UTF8_CLUES), 0)
    print("const CharacterClass kClasses[] = {")
    for text in classes:
        print(f"    {text},")
    print("};\n")
    print("// Rows of indices into kClasses.")
    emit_pattern("Bad", bad)
    emit_pattern("AlteredUtf8", altered)
    emit_pattern("LossyUtf8", lossy)
    emit_pattern("Utf8Unit", units)
    emit_pattern("ContinuationStrict", strict)


def main() -> None:
    print(f"// Generated by cpp/tools/make_mojibake_tables.py from ftfy {__version__}; do not edit.\n")
    {"charmaps": emit_charmaps, "patterns": emit_patterns}[sys.argv[1]]()


if __name__ == "__main__":
    main()
