"""Written clinical notes with names, dates and ages marked: recall and precision of `pii: {names: list}`, or of a model.

`python -m bench.pii_notes`, or with `--path FOLDER --labels PER …` for `names: model`. Half of the names are of the census lists,
half of other languages; eponyms, drugs, places and months stand among them as what must stay.
"""

import argparse
import random
import re
from collections.abc import Sequence
from pathlib import Path

from pipeline.measure.names import FindNames, by_lists, by_model, find_names

LISTED = (
    "Linda Hayes|Robert Chavez|Denise Whitaker|Harold Simmons|Teresa Morales|Gregory Fuller|Yolanda Brooks|Walter Jennings|"
    "Rosa Delgado|Patrick Sweeney|Martha Underwood|Calvin Pruitt|Angela Russo|Eugene Kowalski|Brenda Stokes|Kevin Tran"
).split("|")
OTHER = (
    "Folake Adebayo|Nguyễn Thị Hoa|Priya Raghunathan|Wójciech Zając|Aoife Ní Bhriain|Hiroshi Tanabe|Fatima Al-Sayed|"
    "Oluwaseun Okafor|Léa Beauséjour|Xiaoming Zhao|Anneliese Büchner|Tomás Quintanilla|Gülşen Yıldız|Ivana Petrović|"
    "Sanjay Venkatesan|Mwangi Kariuki"
).split("|")
FRAMES = (
    "Patient: [{a}]\nDOB: [{d}]/1952\nSeen by Dr. [{b}] on [{d}]/2031.",
    "[{a}] is a [9{n}]-year-old man with Parkinson disease. Mr. [{l}] takes Aricept and Lipitor at the St. Louis clinic.",
    "Attending: [{b}], MD. Crohn's disease was ruled out. Follow up on [March {n}], 2032.",
    "I spoke with [{a}], who lives in Virginia with her daughter [{b}]. Foley catheter removed; Apgar 9.",
    "Referring physician: [{b}]\nThe patient, age 64, may return in May. Hodgkin lymphoma and Down syndrome are not present.",
    "Ms. [{l}] was seen by [{b}], RN at Mount Sinai. Glasgow Coma Scale 15, Babinski negative.",
    "[{a}] reports chest pain since [{d}]. Tylenol, Ativan and Mark will help: see Table B.",
)


def notes(count: int, names: Sequence[str], seed: int = 0) -> list[tuple[str, set[tuple[int, int]]]]:
    """(text, spans that must be masked) of so many notes."""
    rng, found = random.Random(seed), []
    for _ in range(count):
        one, two = rng.sample(names, 2)
        marked = rng.choice(FRAMES).format(
            a=one, b=two, l=one.split()[-1], d=f"0{rng.randint(1, 9)}/{rng.randint(10, 28)}", n=rng.randint(1, 9)
        )
        text, spans = "", set()
        for part in re.split(r"(\[[^\]]*\])", marked):
            if part.startswith("["):
                spans.add((len(text), len(text) + len(part) - 2))
                part = part[1:-1]
            text += part
        found.append((text, spans))
    return found


def measure(names: Sequence[str], count: int = 400, finder: FindNames = by_lists) -> tuple[float, float]:
    """(recall, precision): a marked span is found when a span overlaps all of it; one is right when it touches a marked one."""
    hit = total = right = made = 0
    for text, wanted in notes(count, names):
        found = [(start, end) for start, end, _ in find_names(text, finder)]
        total += len(wanted)
        hit += sum(any(start <= low and high <= end for start, end in found) for low, high in wanted)
        made += len(found)
        right += sum(any(start < high and low < end for low, high in wanted) for start, end in found)
    return hit / total, right / max(made, 1)


def lines() -> list[str]:
    """Lines for docs/pii.md."""
    table = [f"| {title} | {measure(names)[0]:.3f} | {measure(names)[1]:.3f} |" for title, names in
             (("of the census lists", LISTED), ("of other languages", OTHER))]  # fmt: skip
    return [
        "",
        "`names: list` masks names of people, the day and month of dates, and ages over 89. 400 written notes each"
        " (`python -m bench.pii_notes`), whole spans; the rules were",
        "written with a look at these frames:",
        "",
        "| names | recall | precision |",
        "|---|---:|---:|",
        *table,
        "",
        "`names: model` puts a token classifier of your own (Hugging Face format, safetensors; the `train` extra)",
        "in the lists' place, beside titles and labels; `names_path`, `names_sha256` (a wrong one is answered with the",
        "right one) and `names_labels` name it, and nothing is fetched. None is shipped.",
        "`python -m bench.pii_notes --path FOLDER --labels PER` measures it on these notes.",
        "",
        "Not masked: names that neither a list, a title nor a label tells, postal addresses, account and record numbers,",
        "national numbers of other countries than the United States, and what only the sense of a sentence tells.",
    ]


def main(argv: list[str] | None = None) -> int:
    """The lines of docs/pii.md, or recall and precision of a model."""
    from pipeline.measure.hf_models import folder_sha256

    parser = argparse.ArgumentParser(prog="python -m bench.pii_notes", description=__doc__)
    parser.add_argument("--path", type=Path, help="folder of a token classifier")
    parser.add_argument("--labels", nargs="*", default=["PER", "PERSON", "NAME", "PATIENT"])
    options = parser.parse_args(argv)
    if options.path is None:
        print("\n".join(lines()))
        return 0
    given = str(options.path), folder_sha256(options.path), tuple(options.labels)
    for title, names in (("of the census lists", LISTED), ("of other languages", OTHER)):
        recall, precision = measure(names, finder=lambda text: by_model(text, *given))
        print(f"| {title} | {recall:.3f} | {precision:.3f} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
