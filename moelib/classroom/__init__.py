"""The classroom: assignments with data of one's own, graded where student code cannot reach."""

from moelib._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "inside": "Rng",
        "personal": "Personal generator read_secret",
        "questions": "Assignment Case Paper Question equivalent load mistake",
        "distances": "relative up_to_order",
        "marks": "Mark mark share",
        "walls": "Limits NotContained",
        "containment": "leaks",
        "grading": "Earned Graded grade",
        "collected": "find_submissions read_roster",
        "gradebook": "grade_class",
        "release": "released write_personal write_release",
        "hidden_tests": "points",
    },
)
