"""Making the embedded model from nothing: the recipe as data, its phases, and a loop that survives being killed."""
