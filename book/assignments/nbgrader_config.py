"""A worked configuration for nbgrader. Copy it to the root of your course.

    course/
      nbgrader_config.py      this file
      source/1-gated-model/   copies of book/assignments/1-gated-model, ...
      release/                generated, for students
      submitted/              what `nbgrader collect` brings

"Teaching from this book" walks through it. Lines marked EDIT are yours.
nbgrader calls `alembic`: activate the book's environment first.
"""

c = get_config()  # noqa: F821 (nbgrader supplies it)

# EDIT: the name under which the exchange knows the course. On a hub, give
# the absolute path of the course folder as the root, too.
c.CourseDirectory.course_id = "gated-networks"
# c.CourseDirectory.root = "PATH/TO/course"

# EDIT: a folder that instructors and students of the hub share.
# c.Exchange.root = "PATH/TO/exchange"
c.Exchange.path_includes_course = True
c.Exchange.timezone = "UTC"

# Names of the steps. These are nbgrader's own defaults, written down
# because the commands on the page rely on them.
c.CourseDirectory.source_directory = "source"
c.CourseDirectory.release_directory = "release"
c.CourseDirectory.submitted_directory = "submitted"
c.CourseDirectory.autograded_directory = "autograded"
c.CourseDirectory.feedback_directory = "feedback"

# Never released: right answers, named mistakes, the question bank.
c.CourseDirectory.ignore = [
    ".ipynb_checkpoints",
    "*.pyc",
    "__pycache__",
    "feedback",
    "marking.py",
    "mistakes.py",
    "questions",
    "nbgrader_config.py",
]
c.CourseDirectory.max_file_size = 20_000  # kilobytes

# What stands in place of a solution, and where solutions and hidden
# tests begin and end in the masters.
c.ClearSolutions.code_stub = {
    "python": "# your code here\nraise NotImplementedError()"
}
c.ClearSolutions.text_stub = "YOUR ANSWER HERE"
c.ClearSolutions.begin_solution_delimeter = "BEGIN SOLUTION"
c.ClearSolutions.end_solution_delimeter = "END SOLUTION"
c.ClearHiddenTests.begin_test_delimeter = "BEGIN HIDDEN TESTS"
c.ClearHiddenTests.end_test_delimeter = "END HIDDEN TESTS"

# Captions and alternative texts of the model figures can tell a result, and
# nbgrader keeps them: take all metadata out but its own.
c.GenerateAssignment.preprocessors.append(
    "nbconvert.preprocessors.ClearMetadataPreprocessor"
)
c.ClearMetadataPreprocessor.enabled = True
c.ClearMetadataPreprocessor.preserve_cell_metadata_mask = {
    "nbgrader",
    "deletable",
    "editable",
}
c.ClearMetadataPreprocessor.preserve_nb_metadata_mask = {"kernelspec"}

# A submission without its notebook is refused when it is handed in.
c.ExchangeSubmit.strict = True

# Only for `nbgrader autograde`. It runs student code beside the hidden
# tests, with network and files of whoever runs it: use it to try things,
# and `make grade` to give points. Set MOELIB_COURSE_SECRET to the file of
# the course secret, or everybody is graded on the practice data. Each
# student has a data file, which that of the master must not replace.
SETS = [
    "1-gated-model",
    "2-squared-error",
    "3-em",
    "4-stein",
    "5-l4",
    "6-gates",
    "7-sample-size",
    "8-project",
]
c.Autograde.exclude_overwriting = {name: ["data.npz"] for name in SETS}
c.ExecutePreprocessor.timeout = 60  # seconds a cell
c.ExecutePreprocessor.interrupt_on_timeout = True
