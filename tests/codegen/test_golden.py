"""Three kernels as they are printed, whole. After a change that is meant: pytest tests/codegen --update-golden."""

from pathlib import Path

import pytest

from tt_jit.compile import CompileOptions, compile_prim_func
from tt_jit.target import Target

from .kernels import GOLDEN

FOLDER = Path(__file__).parent / "golden"
FILES = ("reader.cpp", "compute.cpp", "writer.cpp")


@pytest.mark.parametrize("name", GOLDEN)
def test_text(name: str, request: pytest.FixtureRequest) -> None:
    artifact = compile_prim_func(GOLDEN[name], target=Target.named("wormhole_b0"), options=CompileOptions())
    if request.config.getoption("--update-golden"):
        for file in FILES:
            (FOLDER / name).mkdir(parents=True, exist_ok=True)
            (FOLDER / name / file).write_text(artifact.files[file])
    for file in FILES:
        assert artifact.files[file] == (FOLDER / name / file).read_text()


def test_goldens_are_few() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(GOLDEN)
    assert len(GOLDEN) == 3, "more properties, not more goldens: whole texts break with every improvement"
