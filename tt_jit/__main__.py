"""Commands: `python -m tt_jit doctor`."""

from __future__ import annotations

import sys

USAGE = """\
usage: python -m tt_jit doctor [--open]

doctor   say what is installed, where kernels will run, what is missing and how to mend it
         --open also opens the chip and says what it is
"""


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["doctor"]:
        from .doctor import main as doctor

        return doctor(arguments[1:])
    wants_help = arguments in (["-h"], ["--help"])
    (sys.stdout if wants_help else sys.stderr).write(USAGE)
    return 0 if wants_help else 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
