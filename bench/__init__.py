"""The benchmark: this gateway beside LiteLLM Proxy, nginx and no proxy at all, in one run.

`script` and `conversation` say what is asked, `chat`, `messages`, `responses` and `counting` how it is
told and answered in each API, `answers` whether an answer is right (all pure). `upstream` answers,
`load` asks, `contestants` starts who stands between, `processes` weighs them, `runs`, `counts` and
`profiling` put it together, `report` and `report_dialects` make the tables (pure). Start it with
`bench/run.sh` or `python -m bench`.
"""
