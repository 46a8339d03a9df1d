"""The classroom from the command line: release assignments, write the solution set, grade."""

import argparse
import sys
from pathlib import Path

from moelib.classroom.collected import beside_the_roster, find_submissions, read_roster
from moelib.classroom.containment import leaks
from moelib.classroom.gradebook import grade_class
from moelib.classroom.hidden_tests import masters
from moelib.classroom.people import read_sheet, strangers
from moelib.classroom.personal import read_secret
from moelib.classroom.questions import load
from moelib.classroom.release import write_personal, write_release
from moelib.classroom.walls import NotContained


def main(argv=None) -> int:
    """Do what a command line says; returns the exit status."""
    args = _parser().parse_args(argv)
    try:
        return args.do(args)
    except (ValueError, OSError, NotContained) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def release(args) -> int:
    """Write releases, and each student's data when there is a roster."""
    chosen = _assignments(args)
    for assignment in chosen.values():
        print(write_release(assignment, args.out / "release"))
    if args.students:
        secret = read_secret(args.secret, create=True)
        students = read_roster(args.students)
        write_personal(chosen.values(), students, secret, args.out / "personal")
        print(f"data of {len(students)} students in {args.out / 'personal'}")
        print(
            f"the course secret is {args.secret}: keep a copy, and keep it out of version control"
        )
    return 0


def grade(args) -> int:
    """Grade a folder of submissions."""
    secret, chosen = read_secret(args.secret), _assignments(args)
    found, odd = find_submissions(args.submissions, chosen)
    if args.students:
        beside = beside_the_roster(found, read_roster(args.students))
        odd += beside
        strange = {name for name, reason in beside if reason == "not on the roster"}
        found = [task for task in found if task[0] not in strange]
    if args.walls:
        private = [args.secret, args.masters, args.submissions, args.out, args.students]
        contained(filter(None, private))
    else:
        print("Without walls: submissions can read and change what you can. You said so.")
    how = {"jobs": args.jobs, "walls": args.walls, "again": args.again, "odd": odd}
    done = grade_class(found, chosen, secret, args.out, **how)
    waiting = sum(e.points is None for graded in done for e in graded.earned)
    print(f"{len(done)} submissions: {args.out / 'gradebook.csv'}; pages: {args.out / 'feedback'}")
    for name, reason in odd:
        print(f"not graded: {name}: {reason}")
    for name in strangers(done, read_sheet(args.out / "manual.csv")):
        print(f"in manual.csv without a submission: {name}")
    if waiting:
        print(
            f"{waiting} answers wait for a person: points into {args.out / 'manual.csv'}, run again"
        )
    return 0


def check(args) -> int:
    """Say whether this machine can contain student code."""
    contained()
    print("The walls hold: network, files, memory, processes.")
    return 0


def contained(private=()) -> None:
    """Refuse to go on, and say why, where the walls leak or private paths can be seen."""
    why = leaks(private=private)
    if why:
        raise NotContained("student code cannot be contained on this machine: " + "; ".join(why))


def _assignments(args):
    folders = sorted(path.parent for path in Path(args.masters).glob("*/marking.py"))
    chosen = {
        folder.name: load(folder) for folder in folders if args.assignment in (None, folder.name)
    }
    if not chosen:
        raise ValueError(f"no assignment {args.assignment or ''} in {args.masters}")
    return chosen


def _parser():
    parser = argparse.ArgumentParser(prog="python -m moelib.classroom", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name, do, out):
        sub = commands.add_parser(name, help=do.__doc__.split("\n")[0], description=do.__doc__)
        sub.set_defaults(do=do)
        if out:
            sub.add_argument("--out", type=Path, default=Path("_build", out), help="where to write")
            sub.add_argument(
                "--masters", type=Path, default=masters(), help="folder of the masters"
            )
            sub.add_argument("--assignment", help="only this one")
            sub.add_argument("--secret", type=Path, default=Path("course-secret"), help="its file")
        return sub

    sub = command("release", release, "assignments")
    sub.add_argument("--students", type=Path, help="roster: a student's id on each line")
    sub = command("grade", grade, "grades")
    sub.add_argument("submissions", type=Path, help="STUDENT/ASSIGNMENT/ASSIGNMENT.ipynb in here")
    sub.add_argument("--students", type=Path, help="roster: who is not on it is not graded")
    sub.add_argument("--jobs", type=int, default=2, help="submissions at a time")
    sub.add_argument("--again", action="store_true", help="also those that did not change")
    sub.add_argument(
        "--trust-submissions",
        dest="walls",
        action="store_false",
        help="grade without walls: only for code that you would run yourself",
    )
    command("check", check, None)
    return parser


if __name__ == "__main__":
    sys.exit(main())
