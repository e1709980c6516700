"""`accelerate launch` of a script that teaches: processes that share the passes of a step."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch.testing import assert_close

from heedful.teaching.methods.disendiff import DISENDIFF
from tests.models.test_processes import ACCELERATE
from tests.pipelines import tiny_pipeline
from tests.teaching.lesson import taught

SCRIPT = """
import sys
from pathlib import Path
from heedful.teaching.methods.disendiff import DISENDIFF
from tests.teaching.lesson import taught
from tests.pipelines import tiny_pipeline
taught(tiny_pipeline(), DISENDIFF, Path(sys.argv[1]), train_batch_size=1)
"""


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_in_twice_as_many_passes(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    launch = [sys.executable, "-m", *ACCELERATE, str(script), str(tmp_path / "shared")]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        launch, capture_output=True, text=True, check=False, cwd=root, env=os.environ | {"PYTHONPATH": str(root)}
    )
    assert done.returncode == 0, done.stderr
    taught(tiny_pipeline(), DISENDIFF, tmp_path / "alone", train_batch_size=1, gradient_accumulation_steps=2)
    shared, alone = (json.loads((tmp_path / name / "losses.json").read_text()) for name in ("shared", "alone"))
    assert_close(shared, alone)
    files = sorted(path.name for path in (tmp_path / "alone").glob("*.safetensors"))
    assert len(files) == 3
    for file in files:
        assert_close(load_file(tmp_path / "shared" / file), load_file(tmp_path / "alone" / file))
