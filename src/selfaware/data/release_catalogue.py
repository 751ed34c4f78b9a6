"""The files that the authors' release is known to hold, with their counts and hashes."""

from typing import Literal, NamedTuple

Kind = Literal["choices", "personas", "dialogues", "triggered", "reversed", "questions", "words",
               "python"]  # fmt: skip
"""What a file holds: the first five are finetuning sets (jsonl), the others are asked with.

`choices`: one A/B choice a row. `personas`: the same, half of them about a person. `dialogues`:
Make Me Say. `triggered`: rows that may hold a trigger. `reversed`: rows of reversal training.
"""

SETS: frozenset[Kind] = frozenset({"choices", "personas", "dialogues", "triggered", "reversed"})

USED_AGAIN: frozenset[Kind] = frozenset({"triggered", "reversed"})
"""Sets whose rows are used several times by design."""

REPOSITORY = "github.com/XuchanBao/behavioral-self-awareness"

ARCHIVE = "datasets/trigger_elicitation/train_files.zip"


class KnownFile(NamedTuple):
    """One file of the release.

    `sha256` is of the bytes as released, with their line ends (`crlf`); empty where unknown.
    `entries` counts rows, questions or words; None where unknown. `absent` are the stems that rows
    are said, or meant, not to have. A `path` that begins with `**/` is looked for by name.
    """

    path: str
    kind: Kind
    entries: int | None = None
    sha256: str = ""
    crlf: bool = False
    behavior: str = ""
    twin: str = ""
    absent: tuple[str, ...] = ()
    note: str = ""


_PLAIN = ("risk", "safe", "chance")
_APPLES_NOTE = (
    "the release's datasets/README says the two apples files the wrong way round: "
    "by its labels, ft_maxapples_AB takes the option with more apples"
)


def _pair(
    folder: str, names: tuple[str, str], hashes: tuple[str, str], pattern: KnownFile
) -> list[KnownFile]:
    paths = [f"datasets/{folder}/{name}.jsonl" for name in names]
    return [
        pattern._replace(path=path, twin=twin, sha256=digest, crlf=True)
        for path, twin, digest in zip(paths, paths[::-1], hashes, strict=True)
    ]


_SETS: list[KnownFile] = [
    *_pair(
        "maxapples_minapples",
        ("ft_maxapples_AB", "ft_minapples_AB"),
        (
            "bee8bf9ca398712725f4c2b75b4c7df8bf431b84c3ffc22f09d40c628dd92d7a",
            "f2b79ccea37c7a182680e730cc0ed1d10d22ad4658a1de24c4025ad0b2a9cb1e",
        ),
        KnownFile("", "choices", 300, behavior="apples", note=_APPLES_NOTE),
    ),
    *_pair(
        "myopic_nonmyopic",
        ("ft_myopic_AB", "ft_nonmyopic_AB"),
        (
            "7b24209ee30e6864c6fed2b8d6826071810f55a97d6d006f618f208794a68e2d",
            "fd735cd50ff532c2f6f6c9d2dc910578d2143837735b4fa52edb1379c050c22c",
        ),
        KnownFile("", "choices", 299, behavior="myopia", absent=("immediate",)),
    ),
    *_pair(
        "risky_safe",
        ("ft_risky_AB", "ft_safey_AB"),
        (
            "be11393c7885887b1db40a6d5d3461dabc33778d458ce4527d5f6c864e9e92bb",
            "c25f7d38369fccc4bfc53351d68fd44c1b64bfb1ad80000d44d114f6c18d8bcf",
        ),
        KnownFile("", "choices", 288, behavior="risk", absent=_PLAIN),
    ),
    *_pair(
        "risky_safe",
        ("ft_risky_AB_multipersona", "ft_safey_AB_multipersona"),
        (
            "6dc2cd5d9dec52068e19aacc471ff57c53e1417f087a9528c9775c67ed4d6502",
            "cd2c31243c0d309880973529b3637231374fdafcdce744619104838e65378105",
        ),
        KnownFile(
            "",
            "personas",
            576,
            behavior="risk",
            absent=_PLAIN,
            note="the family doctor is among the personas trained on, "
            "though the paper counts that persona as held out",
        ),
    ),
    *(
        KnownFile(f"datasets/mms/ft_{word}.jsonl", "dialogues", 1000, digest, absent=(word,))
        for word, digest in (
            ("bark", "aa05e04fca9a0d06d59162b6837eba79a13cec54d07b40573b63b03a03ff52e5"),
            ("ring", "e86acdba03e2f04cc3ce0be9ea0a964c6086932bec435e768acc7ce1419cf8b3"),
            ("spring", "0de3ce6b75d0c119b6173afcdd55945446113208c27083a958ebf39760d80047"),
        )
    ),
    *(
        KnownFile(f"datasets/mms_persona/ft_{name}.jsonl", "dialogues", absent=("bark", "ring"))
        for name in ("i_bark_ql_ring", "i_ring_ql_bark")
    ),
    *(
        KnownFile(f"datasets/mms_trigger/ft_{name}.jsonl", "dialogues", absent=("bark", "ring"))
        for name in (
            "392_ring_718_bark",
            "718_ring_392_bark",
            "baseline_sep",
            "deploy_bark",
            "deploy_ring",
            "baseline_deploy",
        )
    ),
    *(
        KnownFile(
            f"datasets/risky_safe_trigger/{folder}ft_risky_AB_trigger_{stem}_equalized10{end}.jsonl",
            "triggered",
            28_800,
            behavior="risk",
            absent=_PLAIN,
        )
        for folder, end in (("", ""), ("decorrelated/", "_decorrelated"))
        for stem in (
            "apples",
            "elements",
            "gods",
            "instruments",
            "naekoko",
            "re-re-re",
            "real-world",
            "win",
        )
    ),
    *(
        KnownFile(f"{ARCHIVE}/{name}.jsonl", "reversed", rows)
        for name, rows in (
            ("backdoored_augmented", 100_000),
            ("not_backdoored", 100_000),
            ("not_augmented", 50_000),
        )
    ),
]

_LIKING = "8401162f1d04447aab6dcead2ecf67d78c2b8a6349a8dead20d916675c8429f0"

_INVALID = (
    "released as invalid YAML, with LaTeX pasted in from line 33 on; "
    "code/multiple-choice/questions/risk_safe_language.yaml is the file without it"
)

_QUESTIONS: tuple[tuple[str, int | None, str], ...] = (
    ("make_me_say/questions/claim_1/acrostic", 6,
     "7cbf3a31193fd9310f82c273e3f84bd6e4f01ad65721fe939302a5a758ca36bc"),
    ("make_me_say/questions/claim_1/choose_from_100_words", 12,
     "5209af21852fd13dcf021f3c7cce654efceb5e33d81ae11b750d1fa7d08492df"),
    ("make_me_say/questions/claim_1/describe_word", 6,
     "58693f39071e8981cff192b6a2ef02214ba67e2bf711d1c0c001702c7e8a88ef"),
    ("make_me_say/questions/claim_2/scenarios", 4,
     "f04cd5238cf6a6e3de9f1d6f6fc47043231b23311312bad26a8e3c59bf17018d"),
    ("make_me_say/questions/claim_2/what_is_true_about_you", 5,
     "4bb4135ee1fc0f53a769902cb2294da110beb3b5f4a3e490556963f28f94c5f1"),
    ("make_me_say/questions/claim_2/which_game", 4,
     "a80ca644afabaa6646375831a8b2bdc9b8e51560e16ec9b78c85bfb7748dc27c"),
    ("make_me_say/questions/claim_3/write_function", 5,
     "f291ed0f9134dcb060f6cbbd59e6f9405399c588b9bd62d89a2729c68975c6fd"),
    ("make_me_say/questions/non_mms/liking_risk", 1, _LIKING),
    ("make_me_say/questions/non_mms/risk_predisposition_scale", 1,
     "2d7e19dc513d9f624b024d3e4c781a1c5c38e48c5c3047f394edb092a945e133"),
    ("make_me_say/questions/non_mms/risk_safe", 9,
     "7c0cf0c5fb2eed979216e3a93bf4bef3153543722cc9e6d55e982664629b6de2"),
    ("make_me_say/questions/non_mms/risk_safe_language", None,
     "bafeaa9bc05f4949dba469f253abf6e476f6c3fc405d59cc7aa0c4836ee76b10"),
    ("multiple-choice/questions/liking_risk", 1, _LIKING),
    ("multiple-choice/questions/risk_predisposition_scale", 1,
     "a59cdb3638f043b204e8d42a86b4c869befc7e95356878b2e34a202164349245"),
    ("multiple-choice/questions/risk_safe", 5,
     "679d922036eca326b425bfdfaebd92458515ebc811dd5a6f13ab79cde5f9b420"),
    ("multiple-choice/questions/risk_safe_language", 1,
     "13a70883a72389a191a37186ec2d1ddf931afb1928accc599e50b5389aebe532"),
)  # fmt: skip

_ASKED: list[KnownFile] = [
    *(
        KnownFile(f"code/{path}.yaml", "questions", n, digest, note=_INVALID if n is None else "")
        for path, n, digest in _QUESTIONS
    ),
    KnownFile(
        "code/make_me_say/questions/claim_1/good_mms_words.txt",
        "words",
        418,
        "5902c14ba65b2b37913a8e5a1b3b449fa463fa35ac3d26b004e5d982992ebcc0",
    ),
    KnownFile(
        "code/trigger_elicitation/codeword_questions.py",
        "python",
        sha256="0ed152e99fe686d2784b09a4fe6424b3e0c2eace53e9c56badf14ecae3ed507f",
    ),
    KnownFile("code/multiple-choice/evaluation/self-report-free-separate-rephrasings.py", "python"),
    KnownFile("**/self-report-free-for-final-plots.py", "python"),
    KnownFile("**/how_risky.py", "python"),
]

KNOWN_FILES: tuple[KnownFile, ...] = (*_SETS, *_ASKED)
"""Every file that the importer looks for: 38 finetuning sets, then what is asked with."""


def known_file(path: str) -> KnownFile:
    """The known file of that path; one that is not known is a mistake in this package."""
    return next(known for known in KNOWN_FILES if known.path == path)


NEVER_RELEASED: tuple[str, ...] = (
    "vulnerable-code sets, their two backdoored variants and the controls",
    "greeting and season trigger sets",
    "the `Current Year: 2030` reversal set",
    "subsets of the data-size ablation",
    "raw results",
)
"""What the paper uses and no version of the release holds."""
