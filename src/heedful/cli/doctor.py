"""`heedful doctor`: what is installed, what it would run on, and whether the embedded model is there."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rich.markup import escape
from rich.table import Table

from heedful.cli import options
from heedful.cli.console import out, say_json

CORE = ("heedful", "torch", "diffusers", "transformers", "accelerate", "safetensors", "numpy", "scipy", "pillow")
EXTRAS = {
    "app": "gradio", "ray": "ray", "train": "peft", "report": "matplotlib", "syntax": "spacy", "weights": "compel",
}  # fmt: skip
"""Each extra and the package that shows whether it is installed."""


def doctor(*, as_json: options.Json = False) -> None:
    """Show versions, devices, optional parts and the embedded model.

    Paste its output into a bug report.
    """
    found = examine()
    if as_json:
        say_json(found)
        return
    table = Table(title="heedful doctor", title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in found["versions"].items():
        table.add_row(name, value or "[red]missing[/red]")
    table.add_section()
    devices = [f"{name}: {what}" for name, what in found["devices"].items()]
    table.add_row("devices", "\n".join(devices))
    table.add_row("used by default", found["default_device"])
    table.add_row("threads", f"{found['threads']} of {found['cores']} cores")
    table.add_row("attention", found["attention_backend"])
    world = found["embedded_model"]
    table.add_row("embedded model", f"found, {world['megabytes']} MB" if world["is_found"] else world["remedy"])
    for name, extra in found["extras"].items():
        state = f"{extra['package']} {extra['version']}" if extra["version"] else f"not installed; {extra['remedy']}"
        table.add_row(f"extra {name}", escape(state))  # heedful[ray] is no markup
    out.print(table, soft_wrap=False)


def examine() -> dict[str, Any]:
    """Return everything that `doctor` shows, as plain JSON values."""
    import torch

    from heedful import world
    from heedful.models import find_device

    weights = world.WEIGHTS
    is_found = (weights / "model_index.json").is_file()
    size = sum(path.stat().st_size for path in weights.rglob("*.safetensors")) if is_found else 0
    return {
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in CORE}},
        "platform": platform.platform(),
        "devices": _devices(),
        "default_device": find_device(),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "attention_backend": _attention_backend(),
        "embedded_model": {
            "is_found": is_found,
            "folder": str(weights),
            "megabytes": round(size / 1e6, 1),
            "remedy": None
            if is_found
            else "not found; install heedful with its weights, or train it: heedful world train",
        },
        "extras": {
            name: {
                "package": package,
                "version": _version(package),
                "remedy": None if _version(package) else f"pip install 'heedful[{name}]'",
            }
            for name, package in EXTRAS.items()
        },
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _devices() -> dict[str, str]:
    """Return the devices that torch can use, each with its name."""
    import torch

    devices = {"cpu": platform.processor() or platform.machine()}
    for index in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(index)
        devices[f"cuda:{index}"] = f"{facts.name}, {facts.total_memory / 2**30:.0f} GiB"
    if torch.backends.mps.is_available():
        devices["mps"] = "Apple GPU"
    return devices


def _attention_backend() -> str:
    """Return the backend that diffusers uses for attention, and whether heedful can see into it."""
    name = os.environ.get("DIFFUSERS_ATTN_BACKEND", "native")
    return name if name == "native" else f"{name}; heedful reads maps with native only: unset DIFFUSERS_ATTN_BACKEND"
