"""Is this machine ready, and which device is there? Shown by notebook 00."""

import shutil

import pandas as pd
import psutil
import torch

from helpers import fetch
from helpers.errors import CourseError

GIB = 2**30


def show_machine() -> pd.DataFrame:
    """Memory, disk, data and device: what a notebook needs, what is there, and what to do if it is too little."""
    memory = psutil.virtual_memory().available
    cache = fetch.cache_folder()
    existing = next(folder for folder in (cache, *cache.parents) if folder.exists())
    disk = shutil.disk_usage(existing).free
    rows = [
        ("4 GiB of free memory", f"{memory / GIB:.0f} GiB", memory >= 4 * GIB, "Close other programs."),
        ("2 GiB of free disk", f"{disk / GIB:.0f} GiB", disk >= 2 * GIB, f"Free some, or set {fetch.CACHE}."),
        ("a device for PyTorch", find_device().type, True, ""),
    ]
    for name in fetch.LICENCES:
        there = fetch.is_cached(name)
        remedy = (
            "Comes by itself, with a network." if name == "movielens-100k" else "For pages 7 to 10: `make lab LLM=1`."
        )
        rows.append((name, "cached" if there else "not yet", there, remedy))
    table = pd.DataFrame(rows, columns=["need", "found", "ready", "what to do"])
    table.loc[table["ready"], "what to do"] = ""
    table["ready"] = table["ready"].map({True: "yes", False: "NO"})
    return table.sort_values("ready", kind="stable", ignore_index=True)  # what is missing comes first


def find_device(name: str = "auto") -> torch.device:
    """ "cpu", "cuda", "cuda:1", "mps", or "auto" for the fastest that is there.

    Raises:
        CourseError: a device that PyTorch does not see here.
    """
    number = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available()), "cpu": 1}
    there = [kind for kind, count in number.items() if count]
    if name == "auto":
        return torch.device(there[0])
    kind, _, index = name.partition(":")
    if kind not in there or (index and not (index.isdecimal() and int(index) < number[kind])):
        seen = ", ".join(there)
        raise CourseError(f"DEVICE = {name!r} is not there: PyTorch sees {seen} on this machine. Take one, or 'auto'.")
    return torch.device(name)
