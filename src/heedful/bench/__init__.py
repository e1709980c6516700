"""Benchmarks: a suite x methods x seeds, made and judged, that no kill can lose."""

from heedful.bench.add_score import Added, add_scores
from heedful.bench.folder import BenchFolder, describe_run
from heedful.bench.ray_engine import RayEngine
from heedful.bench.records import read_records
from heedful.bench.results import Result, Results, compare_scores, holm, read_results, summarize_score
from heedful.bench.run import Progress, run_bench
from heedful.bench.suites import SUITES, Suite, find_suite

__all__ = [
    "SUITES",
    "Added",
    "BenchFolder",
    "Progress",
    "RayEngine",
    "Result",
    "Results",
    "Suite",
    "add_scores",
    "compare_scores",
    "describe_run",
    "find_suite",
    "holm",
    "read_records",
    "read_results",
    "run_bench",
    "summarize_score",
]
