"""Benchmarks: a suite x methods x seeds, made and judged, that no kill can lose. Knows no command line, and no plot."""

from heedful.evaluation.bench.add_score import Added as Added
from heedful.evaluation.bench.add_score import add_scores as add_scores
from heedful.evaluation.bench.folder import BenchFolder as BenchFolder
from heedful.evaluation.bench.painter import Painter as Painter
from heedful.evaluation.bench.painter import PainterLoader as PainterLoader
from heedful.evaluation.bench.plan import BenchPlan as BenchPlan
from heedful.evaluation.bench.plan import BenchWish as BenchWish
from heedful.evaluation.bench.plan import make_bench_plan as make_bench_plan
from heedful.evaluation.bench.records import read_records as read_records
from heedful.evaluation.bench.run import run_bench as run_bench
from heedful.evaluation.bench.serial import run_serially as run_serially
from heedful.evaluation.bench.tally import MethodTally as MethodTally
from heedful.evaluation.bench.tally import tally as tally

__all__ = [
    "Added",
    "BenchFolder",
    "BenchPlan",
    "BenchWish",
    "MethodTally",
    "Painter",
    "PainterLoader",
    "add_scores",
    "make_bench_plan",
    "read_records",
    "run_bench",
    "run_serially",
    "tally",
]
