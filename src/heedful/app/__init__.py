"""The page: see, steer and teach in a browser. `serve` opens it, `export_space` writes it as a folder to be hosted.

Nothing here imports torch before the page is up.
"""

from heedful.app.export import export_space
from heedful.app.serve import Serving, serve
from heedful.app.state import State

__all__ = ["Serving", "State", "export_space", "serve"]
