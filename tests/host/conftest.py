"""An exported project, built once with CMake for all tests here."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.host.projects import CASES, copy_artifact
from tt_jit.codegen.export import export_project


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of all cases after cmake and a build; warnings in main.cpp are errors there."""
    directory = tmp_path_factory.mktemp("exported")
    export_project(copy_artifact("copies", CASES), directory)
    for command in (["cmake", "-B", "build", "-DCMAKE_BUILD_TYPE=Debug"], ["cmake", "--build", "build"]):
        result = subprocess.run(command, cwd=directory, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
    return directory
