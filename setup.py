"""Packaging of tt_jit. Nothing is compiled here: the emulator's C++ is package data, built on first use."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent

setup(
    name="tt_jit",
    version="0.1.0",
    description="Just-in-time compiler from TileLang kernels to TT-Metalium kernels, with an embedded emulator",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10,<3.13",
    packages=find_packages(include=["tt_jit", "tt_jit.*"]),
    package_data={
        # The emulator's whole C++ tree: headers with the device's include paths, and the sources built on first use.
        "tt_jit": [
            "plan.schema.json",
            "py.typed",
            "codegen/host_tensor.hpp",
            *(f"emulator/**/*.{kind}" for kind in ("h", "hpp", "inc", "cpp")),
        ],
    },
    install_requires=[
        "tilelang==0.1.15",
        "torch>=2.6",
    ],
    extras_require={
        # ttnn is published for Python 3.10 and 3.12 only, and needs NumPy 1.x.
        "ttnn": [
            'ttnn==0.81.1; python_version == "3.10" or python_version == "3.12"',
            "numpy<2",
        ],
        "dev": ["jsonschema", "mypy", "pytest", "ruff"],
        "bench": ["numpy"],
    },
)
