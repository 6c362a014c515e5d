"""The benchmark: this gateway beside LiteLLM Proxy, nginx and no proxy at all, in one run.

`script` says what is asked and answered (pure), `upstream` answers it, `load` asks it,
`contestants` starts who stands between, `processes` weighs them, `runs` puts it together
and `report` makes the tables (pure). Start it with `bench/run.sh` or `python -m bench`.
"""
