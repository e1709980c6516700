"""Benchmarks: a suite x methods x seeds, made and judged, that no kill can lose. Knows no command line, and no plot."""

from heedful.bench.add_score import Added, add_scores
from heedful.bench.cases import Engine, Load
from heedful.bench.folder import BenchFolder
from heedful.bench.painter import Painter, PainterLoader
from heedful.bench.plan import BenchPlan, BenchWish, make_bench_plan
from heedful.bench.ray_engine import RayEngine
from heedful.bench.records import read_records
from heedful.bench.results import Result, Results, compare_scores, holm, read_results, summarize_score
from heedful.bench.run import Progress, run_bench
from heedful.bench.serial import run_serially
from heedful.bench.suites import SUITES, find_suite
from heedful.bench.tally import MethodTally, tally

__all__ = [
    "SUITES",
    "Added",
    "BenchFolder",
    "BenchPlan",
    "BenchWish",
    "Engine",
    "Load",
    "MethodTally",
    "Painter",
    "PainterLoader",
    "Progress",
    "RayEngine",
    "Result",
    "Results",
    "add_scores",
    "compare_scores",
    "find_suite",
    "holm",
    "make_bench_plan",
    "read_records",
    "read_results",
    "run_bench",
    "run_serially",
    "summarize_score",
    "tally",
]
