"""Studies of the embedded models: trials, what their maps show, and the figures of their cards."""

from heedful.lab.audit import SUCCESS, Judged, agreement, faults_of
from heedful.lab.clip_retrieval import retrieval_figures
from heedful.lab.key_probes import fit_probes
from heedful.lab.pointing_game import KINDS as POINTING_KINDS
from heedful.lab.pointing_game import THIRDS as POINTING_THIRDS
from heedful.lab.pointing_game import play, pointing_figures
from heedful.lab.studies import STUDIES
from heedful.lab.study import study_prompts, weights_of
from heedful.lab.trial import Trial, run_trial

__all__ = [
    "POINTING_KINDS",
    "POINTING_THIRDS",
    "STUDIES",
    "SUCCESS",
    "Judged",
    "Trial",
    "agreement",
    "faults_of",
    "fit_probes",
    "play",
    "pointing_figures",
    "retrieval_figures",
    "run_trial",
    "study_prompts",
    "weights_of",
]
