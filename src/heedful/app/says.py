"""What the page says of each method and embedded model, in a line of plain words."""

SAYS = {
    "none": "plain sampling, no guidance",
    "attend-and-excite": "raises the attention of the weakest concept",
    "a-star": "keeps concepts apart and where they are",
    "attend-and-excite+a-star": "both of the above",
    "initno": "looks for a better noise to begin with",
    "divide-and-bind": "spreads attention and binds attributes",
    "syngen": "attributes look where their nouns look",
    "ebama": "binds attributes by an energy",
    "conform": "contrasts concepts with each other",
    "focus": "one optimal-control step at each step",
    "isac": "first separate things, then their meaning",
    "isac-selection": "picks the best of several noises",
    "osi": "moves the keys of words; needs fitted probes",
    "phrases": "edits the text: each phrase as if it stood alone",
    "tebopt": "edits the text: each noun as if it stood alone",
    "dos": "edits the text: moves nouns away from each other",
    "heedful": "separate areas, and a new noise where one fails",
    "random": "a control: random steps",
    "wrong-tokens": "a control: follows the wrong words",
}
UNOFFERED = ("osi",)
"""Methods that need what no page has: heads that probes have found."""
TEACHER_SAYS = {
    "heedful": "words and all weights learn, words kept apart",
    "textual-inversion": "words learn, nothing else",
    "dreambooth": "all weights learn",
    "custom-diffusion": "words, keys and values learn",
    "disendiff": "binds each word to its thing, and keeps things apart",
    "heedful-lora": "the same, as a small add-on file",
    "dreambooth-lora": "the same, as a small add-on file",
    "custom-diffusion-lora": "the same, as a small add-on file",
    "disendiff-lora": "the same, as a small add-on file",
}
MODELS = {
    "world:sprites": "embedded: small things apart",
    "world:crowded": "embedded: large things that overlap; it forgets and mixes",
    "world:joint": "embedded: joint attention, as in Stable Diffusion 3",
}
"""The embedded models. Their own list stands behind torch, for which the page does not wait."""
