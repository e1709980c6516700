"""`heedful app`: the page in a browser, or as a folder to be hosted."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from heedful.cli import options
from heedful.cli.console import say, tell


def app(
    *,
    port: int | None = None,
    share: bool = False,
    browser: Annotated[bool, Parameter(negative="--no-browser", help="Open the page in a browser.")] = True,
    out: Annotated[Path, Parameter("--out", help="Folder for what is taught on the page.")] = Path("out/app"),
    export: Path | None = None,
    model: options.Model = options.ModelOptions(),
) -> None:
    """Open a local page to see, steer, teach and compare.

    The page is for this machine alone (127.0.0.1) and fetches nothing from others. Ctrl-C closes it. It needs the extra
    `app`: pip install 'heedful[app]'.

    Example: `heedful app`

    Parameters
    ----------
    port
        Port of the page. Without it: the first free one from 7860 on.
    share
        Make a link that others can open while the page runs; it goes through a server of Gradio.
    export
        Write the page to this folder as a Hugging Face Space instead of opening it.
    """
    if export is not None:
        from heedful.app import export_space

        export_space(export, model)
        say(str(export))
        return
    from heedful.app import Serving, serve

    def on_open(address: str) -> None:
        say(address)
        tell("The page is open. Ctrl-C closes it.")

    serve(model, Serving(port=port, share=share, browser=browser, out=out), on_open=on_open)
