"""The command line: simulate, check, policy, build, dash, lab."""

import argparse
import os
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

from tqdm import tqdm

from crmlab.errors import InputError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; bad input ends in one sentence and exit code 2."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if not chosen.run:
        parser.print_help()
        return 2
    try:
        return chosen.run(chosen) or 0
    except InputError as error:
        print(f"crmlab: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"crmlab: {error.filename or 'reading or writing'}: {error.strerror}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="crmlab", description="Customer relationship analytics for banks.")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(metavar="COMMAND")

    simulate = commands.add_parser("simulate", help="write the extracts of an invented bank whose truth is known")
    simulate.add_argument("folder", type=Path, metavar="DIR")
    simulate.add_argument("--customers", type=int, default=4000)
    simulate.add_argument("--months", type=int, default=36)
    simulate.add_argument("--seed", type=int, default=7)
    simulate.add_argument("--dirt", type=float, default=0.0, metavar="SHARE", help="share of rows to break")
    simulate.set_defaults(run=_simulate)

    check = commands.add_parser("check", help="read a folder of extracts, reconcile it and report; 0 only when clean")
    check.add_argument("folder", type=Path)
    check.add_argument("--as-of", type=_day, help="default: the day of the last transaction")
    check.add_argument("--landed", type=Path, help="keep the landed extracts here instead of throwing them away")
    check.add_argument("--rejects", type=Path, metavar="DIR", help="write every rejected row here")
    check.set_defaults(run=_check)

    policy = commands.add_parser("policy", help="print the rules in words: a bank's, or crmlab's own")
    policy.add_argument("folder", type=Path, nargs="?", help="of extracts; its transfer prices are told too")
    policy.add_argument("--as-of", type=_day, help="the day of the transfer prices; default: of the last transaction")
    policy.set_defaults(run=_policy)

    build = commands.add_parser("build", help="build the mart that pages and notebooks open")
    build.add_argument("folder", type=Path)
    build.add_argument("--as-of", type=_day, required=True, help="the day up to which anything may be known")
    build.add_argument("--mart", type=Path, default=Path("mart"))
    build.set_defaults(run=_build)

    dash = commands.add_parser("dash", help="serve the pages of a mart")
    dash.add_argument("--mart", type=Path, default=Path("mart"))
    dash.add_argument("--port", type=int, default=8866)
    dash.set_defaults(run=_dash)

    lab = commands.add_parser("lab", help="open JupyterLab on the notebooks")
    lab.add_argument("--mart", type=Path, default=Path("mart"))
    lab.add_argument("--notebooks", type=Path, default=Path("notebooks"))
    lab.set_defaults(run=_lab)
    return parser


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2025-12-31") from None


def _simulate(chosen: argparse.Namespace) -> None:
    from crmlab import simulate

    with _Bar() as progress:
        simulate.bank(
            chosen.folder,
            customers=chosen.customers,
            months=chosen.months,
            seed=chosen.seed,
            dirt=chosen.dirt,
            progress=progress,
        )
    print(f"Wrote {chosen.customers:,} customers and {chosen.months} months to {chosen.folder}.")


def _check(chosen: argparse.Namespace) -> int:
    from crmlab import panel
    from crmlab.bank.check import check
    from crmlab.bank.read import read

    with tempfile.TemporaryDirectory(prefix="crmlab-") as temporary, _Bar() as progress:
        bank = read(chosen.folder, as_of=chosen.as_of, landed=chosen.landed or Path(temporary), progress=progress)
        report = check(bank, panel.facts(bank))
        text = report.text
        if chosen.rejects:
            bank.rejects.write(chosen.rejects)
    print(text)
    return 0 if report.is_clean else 1


def _policy(chosen: argparse.Namespace) -> None:
    from crmlab.policy import load
    from crmlab.policy.words import prices, section, words

    if not chosen.folder:
        if chosen.as_of:
            raise InputError("--as-of is for a bank's transfer prices. Name the folder of its extracts before it.")
        print("\n".join(words(load())).rstrip())
        return
    from crmlab.bank.read import read

    with tempfile.TemporaryDirectory(prefix="crmlab-") as temporary, _Bar() as progress:
        bank = read(chosen.folder, as_of=chosen.as_of, landed=Path(temporary), progress=progress)
        told = prices(bank.policy, bank.table("ftp_curve").collect()) or ["The bank delivers none known by that day."]
    print("\n".join(words(bank.policy) + section(f"Transfer prices as of {bank.as_of}", told)).rstrip())


def _build(chosen: argparse.Namespace) -> None:
    from crmlab.mart.build import build

    with _Bar() as progress:
        mart = build(chosen.folder, chosen.as_of, chosen.mart, progress=progress)
    rejected = sum(table["rejected"] for table in mart.manifest["tables"].values())
    print(
        f"{chosen.mart} now shows {chosen.as_of}: {mart.page('roster').height:,} customers, {rejected:,} rows rejected."
    )


def _dash(chosen: argparse.Namespace) -> int:
    from crmlab.mart import snapshot

    snapshot.open(chosen.mart)
    from crmlab.views.server import serve  # a second of imports, once there is something to serve

    return serve(chosen.mart, port=chosen.port)


def _lab(chosen: argparse.Namespace) -> int:
    if not chosen.notebooks.is_dir():
        raise InputError(f"There is no folder {chosen.notebooks}. Name it with --notebooks.")
    environment = os.environ | {"CRMLAB_MART": str(chosen.mart.resolve())}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    as_root = ["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []  # a container's only user
    return subprocess.call([sys.executable, "-m", "jupyterlab", *as_root, str(chosen.notebooks)], env=environment)


class _Bar:
    """One line of progress in a terminal, as `progress(label, done, total)` is told; it leaves nothing behind."""

    def __enter__(self):
        self.bar = tqdm(bar_format="{desc:<16} {percentage:3.0f} % {bar:30} {elapsed}", leave=False, disable=None)
        return self

    def __call__(self, label: str, done: int, total: int) -> None:
        self.bar.set_description_str(label, refresh=False)
        self.bar.total, self.bar.n = total, done
        self.bar.refresh()

    def __exit__(self, *_) -> None:
        self.bar.close()


if __name__ == "__main__":
    sys.exit(main())
