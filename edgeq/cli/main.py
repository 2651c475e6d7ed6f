"""The group of commands, and the one place where errors become exit codes.

Commands are named here and imported when they are called, so that ``edgeq --help`` starts at once.
"""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module
from typing import Any, Final, NoReturn

import click

from edgeq import signals
from edgeq.cli.options import loudness_options
from edgeq.cli.streams import flush_output, guard_streams, say_last
from edgeq.cli.talk import keep_json
from edgeq.errors import EXIT_INTERNAL, EXIT_USAGE, EdgeqError, Problem
from edgeq.notes import current, gathered
from edgeq.report.documents import print_document
from edgeq.version import __version__
from edgeq.writing import sweep_scratch

# name → one line of help; the module is edgeq.cli.<name>, its function the command.
COMMANDS: Final = {
    "boards": "List the boards, with their memory and their flashers.",
    "check": "Say everything that is wrong with a model, before any toolchain.",
    "compile": "Compile an ONNX model all the way to firmware images.",
    "completion": "Print the script that lets a shell complete what you type.",
    "doctor": "Say which tools are missing, and the command that installs each.",
    "emulate": "Run the compiled image: outputs, instructions, RAM and stack.",
    "eval": "Measure accuracy on labelled data, beside the float model's.",
    "explain": "Explain an error code.",
    "features": "Write signal features as an ONNX model, for --features.",
    "fit": "List the ways to fit a board: RAM, flash and instructions of each.",
    "flash": "Write the image into the board; print the command that does it.",
    "methods": "List the choices for quantization.",
    "ops": "List the operators, how ONNX spells them, and their kernels.",
    "profile": "Count instructions per layer; show where RAM and flash go.",
    "quantize": "Turn a float model into a quantized ONNX (QDQ) model.",
    "stream": "Turn a causal model of a window into its step form, with states.",
    "targets": "List the processors.",
    "tune": "Find the best kernel of each layer by running them all.",
    "verify": "Prove that every step's output has the same bits everywhere.",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command's name."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name; None where there is none."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"edgeq.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a guess for a mistyped name."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"No such command '{args[0]}'.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: edgeq compile MODEL --data CALIB.npz --board BOARD -o DIR",
)
@click.version_option(__version__, prog_name="edgeq")
@loudness_options
@click.option("--json", is_flag=True, expose_value=False, callback=keep_json, help="Print one JSON document on stdout.")
def group() -> None:
    """Compile ONNX models to integer-only firmware with the same bits on every core.

    Everything stays on this computer.
    """


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit code."""
    guard_streams()  # first: closed descriptors must not be given to a pipe
    given = sys.argv[1:] if arguments is None else arguments
    try:
        signals.install()
        sweep_scratch()
        code = run(given)
        # What is left to do, leaving, has nothing to unwind: another signal may end it at once.
        signals.uninstall()
    except KeyboardInterrupt:  # in the moments outside of the command
        code = _interrupted("--json" in given)
        signals.uninstall()
    if signals.ending():
        # Without Python's own end: libraries that were cut short may crash in it, and after a KeyboardInterrupt inside
        # of their code it would send itself SIGINT.
        os._exit(flush_output(code))
    sys.exit(flush_output(code))


def run(arguments: list[str]) -> int:
    """Run the command line; every failure becomes a message and an exit code, a traceback only with ``--debug``."""
    with gathered() as notes:
        try:
            code, told = _run(arguments)
        except (click.exceptions.Abort, KeyboardInterrupt):
            return _interrupted("--json" in arguments)
        if not told and notes:
            from edgeq.cli.problems import show_problems

            sys.stdout.flush()
            show_problems(notes, err=True)
    return code


def _run(arguments: list[str]) -> tuple[int, bool]:
    """The exit code, and whether the notes were shown already, in front of an error."""
    debug, as_json = "--debug" in arguments, "--json" in arguments
    try:
        result: Any = _call(arguments)
    except EdgeqError as error:
        return _refused(error, debug, as_json), True
    except click.exceptions.Exit as leave:
        return leave.exit_code, False
    except click.exceptions.Abort:
        raise
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        if as_json:
            _print_error((Problem("EQ0101", "no command is given", hint="see `edgeq --help`"),))
        return EXIT_USAGE, True
    except click.ClickException as error:
        where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else None
        hint = f"see `{where} --help`" if where else None
        _report((Problem("EQ0101", error.format_message().rstrip("."), where=where, hint=hint),), as_json)
        return EXIT_USAGE, True
    except OSError as error:
        from edgeq.writing import disk_problem

        problem = disk_problem(error)
        return _defect(error, debug, as_json) if problem is None else _refused(problem, debug, as_json), True
    except Exception as error:  # noqa: BLE001 - the one place where a defect becomes an exit code
        return _defect(error, debug, as_json), True
    return result if isinstance(result, int) else 0, False


def _call(arguments: list[str]) -> Any:  # noqa: ANN401 - what a command returns
    """Run a command.

    Raises:
        KeyboardInterrupt: a signal has arrived, whatever its exception became: some libraries turn it into others.
    """
    try:
        return group.main(args=arguments, prog_name="edgeq", standalone_mode=False)
    except Exception as error:
        if signals.ending():
            raise KeyboardInterrupt from error
        raise


def _interrupted(as_json: bool) -> int:
    from edgeq.writing import remove_scratch

    remove_scratch()
    say_last(signals.name())
    if as_json:
        _print_error((Problem("EQ0178", f"the command was ended by {signals.name()}"),))
    return signals.exit_code()


def _refused(error: EdgeqError, debug: bool, as_json: bool) -> int:
    if debug:
        traceback.print_exc()
    _report(error.problems, as_json)
    return error.exit_code


def _defect(error: Exception, debug: bool, as_json: bool) -> int:
    if debug:
        traceback.print_exc()
    problem = Problem(
        "EQ0900",
        "edgeq failed in a way that it should not",
        got=f"{type(error).__name__}: {' '.join(str(error).split())[:400]}",
        hint="report it with the model; --debug shows where it happened",
    )
    _report((problem,), as_json)
    return EXIT_INTERNAL


def _report(problems: tuple[Problem, ...], as_json: bool) -> None:
    # Imported here: only an error needs it.
    from edgeq.cli.problems import show_problems

    show_problems((*current(), *problems), err=True)
    if as_json:
        _print_error(problems)


def _print_error(problems: tuple[Problem, ...]) -> None:
    print_document("error", {"ok": False, "problems": [problem.to_json() for problem in problems]})


if __name__ == "__main__":
    main()
