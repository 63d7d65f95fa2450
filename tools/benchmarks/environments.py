"""Where the libraries run that are compared with the course: environments under build/, made on the first run."""

import subprocess
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build"
OUT = BUILD / "benchmarks"
TORCH = "torch==2.13.0"  # first and alone, so that no library chooses another
NEEDS = {
    "benchmarks-env": ["cornac==3.0.1", "lenskit==2025.8.0", "scikit-surprise==1.1.5"],
    "benchmarks-env-myfm": ["myfm==0.4.0", "setuptools<81", "pandas"],  # it asks for pkg_resources
    "benchmarks-env-rectools": ["rectools[torch]==0.19.0"],
}


def environment(package: str) -> Path:
    """The Python of the environment of a library, made if missing or made from other requirements."""
    name, needs = next((n, r) for n, r in NEEDS.items() if any(line.startswith(package) for line in r))
    folder, wanted = BUILD / name, "\n".join([TORCH, *needs])
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        venv.create(folder, with_pip=True, clear=True)
        for packages in ([TORCH], [TORCH, *needs]):
            subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        stamp.write_text(wanted)
    return python
