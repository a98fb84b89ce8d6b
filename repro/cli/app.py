"""Puts the verbs together."""

from __future__ import annotations

import typer

from repro.cli import (
    audit,
    check_rep,
    claims,
    compare,
    doctor,
    etl,
    evaluate,
    fetch,
    predict,
    profile,
    record,
    report,
    retrain,
)

app = typer.Typer(
    name="repro",
    help="Do a paper's numbers come out on my machine, and if not, where do the bits part?",
    epilog="Exit codes: 0 no contradiction, 1 contradiction, 2 wrong call, 3 could not run, 4 our fault, 130 stopped.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("profile")(profile.profile)
app.command("fetch")(fetch.fetch)
app.command("etl")(etl.etl)
app.command("audit")(audit.audit)
app.command("check-rep")(check_rep.check_rep)
app.command("eval")(evaluate.evaluate)
app.command("retrain")(retrain.retrain)
app.command("compare")(compare.compare)
app.command("record")(record.record)
app.command("claims")(claims.claims)
app.command("predict")(predict.predict)
app.command("report")(report.report)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run the command."""
    app()
