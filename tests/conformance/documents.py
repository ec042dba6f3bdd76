"""The code blocks of the source documents, verbatim but for the indentation of the text around them."""
import dataclasses
import os
import pathlib
import re
import textwrap

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DIRECTORY = pathlib.Path(os.environ.get("KIST_DOCUMENTS", ROOT.parent / "shared/mission"))


@dataclasses.dataclass(frozen=True)
class Block:
    document: str
    number: int  # from 1, in its document
    line: int
    language: str
    text: str

    @property
    def place(self):
        return f"{self.document}:{self.line}"


def blocks():
    for path in sorted(DIRECTORY.glob("*.md")):
        lines = path.read_text().splitlines()
        number = at = 0
        while at < len(lines):
            fence = re.match(r"^\s*```(\S*)", lines[at])
            if fence:
                end = next(i for i in range(at + 1, len(lines)) if re.match(r"^\s*```", lines[i]))
                number += 1
                body = textwrap.dedent("\n".join(lines[at + 1:end])) + "\n"
                yield Block(path.name, number, at + 1, fence[1], body)
                at = end
            at += 1
