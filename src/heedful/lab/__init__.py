"""Studies of the embedded models: trials, what their maps show, and the figures of their cards."""

from heedful.lab.audit import SUCCESS, Judged, agreement, faults_of
from heedful.lab.plain import watch_plain
from heedful.lab.pointing import play, pointing_figures, pointing_table
from heedful.lab.retrieval import retrieval_figures
from heedful.lab.trial import Trial, run_trial
from heedful.lab.watch import study_prompts, weights_of

__all__ = [
    "SUCCESS",
    "Judged",
    "Trial",
    "agreement",
    "faults_of",
    "play",
    "pointing_figures",
    "pointing_table",
    "retrieval_figures",
    "run_trial",
    "study_prompts",
    "watch_plain",
    "weights_of",
]
