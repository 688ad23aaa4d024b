"""Written sentences by what they do: threats, denied worth and slurs at people; and what only looks like them.

Counter-speech, denial, reports of abuse, complaints about things, names, animals and medicine are as many as the hate, in
families of frames (`functionalities.tsv`). The third frame of each three (`HELD_OUT`) is measured, and so are
whole families (`UNSEEN`): implied derogation, kind words on a group, and spelling that hides a word.

`python -m bench.functionalities CORPORA` trains without them and prints the AUC by family; the shipped weights are trained on
the held-out frames, too, and never on the unseen families.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

HELD_OUT = 3
"""Every third frame of a family, from the third on, is held out."""
FRAMES = Path(__file__).with_name("functionalities.tsv")
GROUPS = (
    "women:woman:female,gay people:gay man:gay,Muslims:Muslim:Muslim,black people:black person:black,"
    "Jews:Jew:Jewish,disabled people:disabled person:disabled,immigrants:immigrant:foreign,trans people:trans woman:trans,"
    "Mexicans:Mexican:Mexican,lesbians:lesbian:lesbian,refugees:refugee:refugee,Asians:Asian:Asian,gypsies:gypsy:Romani,"
    "Christians:Christian:Christian,old people:old man:elderly,Arabs:Arab:Arab,white people:white man:white,"
    "blind people:blind man:blind,Africans:African:African,homosexuals:homosexual:homosexual,Indians:Indian:Indian,"
    "Chinese people:Chinese man:Chinese,men:man:male,Poles:Pole:Polish,autistic people:autistic kid:autistic,"
    "Hindus:Hindu:Hindu,deaf people:deaf woman:deaf,Latinos:Latino:Latino,transgender people:transgender person:transgender,"
    "migrants:migrant:migrant,Catholics:Catholic:Catholic,girls:girl:female,Turks:Turk:Turkish,queers:queer person:queer,"
    "Pakistanis:Pakistani:Pakistani,homeless people:homeless man:homeless,Russians:Russian:Russian,atheists:atheist:atheist,"
    "bisexuals:bisexual:bisexual,Somalis:Somali:Somali,foreigners:foreigner:foreign,Sikhs:Sikh:Sikh,Irish people:Irishman:Irish,"
    "feminists:feminist:feminist,Syrians:Syrian:Syrian,fat people:fat woman:fat,Koreans:Korean:Korean,Germans:German:German"
).split(",")
"""Plural, singular and adjective of groups; every fourth is in held-out sentences alone."""
POOLS: dict[str, list[str]] = {
    name: words.split(",")
    for name, words in {
        "d": "disgusting,stupid,filthy,worthless,vile,ugly,lazy,pathetic,evil,dirty,dumb,inferior,repulsive,sick,useless,"
        "horrible,crazy,dishonest,violent,primitive,terrible,awful,a disgrace,a joke",
        "d2": "dirty,weak,cruel,stupid,greedy,mad,wicked,ignorant",
        "w": "vermin,animals,parasites,cockroaches,rats,scum,savages,filth,trash,leeches,pigs,monkeys,insects,criminals,"
        "subhuman,dirt,thieves,locusts,rapists,terrorists",
        "w1": "disease,plague,cancer,burden,curse,stain,virus",
        "h": "kill,shoot,hang,burn,stab,gas,beat up,hurt,attack,exterminate,lynch,drown,punch,murder,wipe out",
        "H": "killed,shot,hanged,burned,stabbed,gassed,beaten,hurt,attacked,exterminated,drowned,murdered,wiped out,deported,"
        "locked up,tortured",
        "t": "this advert,the landfill site,the curtain,this phone,the battery,that film,the soup,the customer service,"
        "this hotel,the sequel,my car,the traffic,the plot,the wallpaper,the weather,this tax form,"
        "the coffee,this printer,the bus,my alarm",
        "j": "bankers,politicians,lawyers,landlords,goalkeepers,critics,capitalists,managers,artists,drivers,accountants,"
        "tourists,estate agents,bosses,gamers,fans of that band",
        "n": "idiot,moron,fool,loser,clown,bastard,liar,pig,scumbag,coward,asshole,creep",
        "p": "wonderful,brave,kind,great,amazing,clever,beautiful,generous,funny,strong,friendly,talented",
        "x": "fucking,damn,bloody,goddamn,fuckin",
        "s": "Butt,Cockburn,Dick,Hooker,Wang,Hoare,Gay,Bastardi,Slutsky,Fuchs,Assad,Titmuss",
        "u": "niggers,faggots,kikes,spics,chinks,wetbacks,pakis,ragheads,trannies,dykes,retards,cripples,gooks,coons,beaners,"
        "whores,sluts,bitches",
        "U": "nigger,faggot,kike,spic,chink,wetback,paki,raghead,tranny,dyke,retard,cripple,gook,coon,beaner,whore,slut,bitch",
    }.items()
}  # fmt: skip
AROUND = (
    "{}", "{}", "{}.", "{}!", "honestly, {}", "{} lol", "tbh {}", "i mean, {}", "{}, period.", "well, {}", "{} and that is that",
    "listen: {}", "so {}", "today i thought: {}", "{} #truth",
)  # fmt: skip
"""What stands around a frame, so that a frame's ends are no mark of it."""


def frames(held_out: bool) -> Iterator[tuple[str, bool, str]]:
    """(frame, toxic, family) of the frames that train, or of those that are held out."""
    numbers: Counter[str] = Counter()
    for line in FRAMES.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            label, family, frame = line.split("\t")
            if (numbers[family] % HELD_OUT == HELD_OUT - 1) == held_out:
                yield frame, label == "1", family
            numbers[family] += 1


def sentences(held_out: bool, without: Collection[str] = (), many: int = 60) -> Iterator[tuple[str, bool, str]]:
    """(sentence, toxic, family) of the frames that train, or of those that are held out, in a fixed order: of every frame as
    many as its slots allow, up to `many`. Families in `without` are left out."""
    turn = 0
    groups = [one.split(":") for at, one in enumerate(GROUPS) if (at % 4 == 3) == held_out]
    for frame, toxic, family in frames(held_out):
        slots = frame.count("{")
        seen = set()
        for _ in range(min(many, {0: 5, 1: 30}.get(slots, many)) if family not in without else 0):
            turn += 1
            plural, singular, adjective = groups[turn % len(groups)]
            words = {name: pool[turn * (2 * at + 1) % len(pool)] for at, (name, pool) in enumerate(POOLS.items())}
            text = frame.format(G=plural, S=singular, A=adjective, **words)
            text = AROUND[turn * 7 % len(AROUND)].format(text)
            text = text.lower() if turn % 3 else text[:1].upper() + text[1:]
            if text not in seen:
                seen.add(text)
                yield text, toxic, family


UNSEEN: dict[str, tuple[bool, tuple[str, ...]]] = {
    "implied": (
        True,
        (
            "of course a {S} took it, what did you expect",
            "keep your children away from the {G} next door",
            "this street was nice before the {G} moved in",
            "funny how it is always a {S} when something is stolen",
            "give a {S} a job and count your spoons",
            "we all know what {G} do behind closed doors",
        ),
    ),
    "kind": (
        False,
        (
            "my {A} neighbours brought us soup when i was ill",
            "she is {A} and she won the prize for physics",
            "two {A} women opened a bakery on our street",
            "i am proud to be {A}",
            "as a {A} man i felt welcome at the meeting",
            "the {A} centre has a choir that meets on mondays",
        ),
    ),
}
"""Families of which no frame trains: whether they are hate, and the frames."""
LEET = str.maketrans("aeios", "43105")
SPELLED = {
    "spelled with digits": lambda word: word.translate(LEET),
    "with spaces between letters": " ".join,
    "with a letter left out": lambda word: word[:1] + word[2:] if len(word) > 3 else word,
}
HIDDEN = ("disgusting", "stupid", "kill", "filthy", "scum", "whores", "vermin", "bitch", "exterminate", "idiots")


def unseen() -> Iterator[tuple[str, bool, str]]:
    """(sentence, toxic, family): the families that never train, and held-out hate whose rude words are spelled otherwise."""
    groups = [one.split(":") for one in GROUPS]
    for family, (toxic, own) in UNSEEN.items():
        for number, frame in enumerate(own):
            for turn in range(12):
                plural, singular, adjective = groups[(number + 5 * turn) % len(groups)]
                yield frame.format(G=plural, S=singular, A=adjective), toxic, family
    for family, change in SPELLED.items():
        for text, toxic, _ in sentences(held_out=True, many=12):
            changed = " ".join(change(word) if word in HIDDEN else word for word in text.split())
            if toxic and changed != text:
                yield changed, True, family


def main(argv: list[str] | None = None) -> int:
    """Train without the held-out frames, and without some families, and print AUC of each family against the other label."""
    import pyarrow as pa

    from bench.train_toxicity import score_documents, train
    from pipeline.audit.bias import area_under_curve

    parser = argparse.ArgumentParser(prog="python -m bench.functionalities", description=__doc__)
    parser.add_argument("corpora", type=Path, help="folder in the layout of ${CORPORA}")
    parser.add_argument("--without", nargs="*", default=[], metavar="FAMILY", help="leave out all frames of these, too")
    options = parser.parse_args(argv)
    rows = [*sentences(held_out=True, many=24), *unseen()]
    for family in options.without:
        rows += [row for row in sentences(held_out=False, many=12) if row[2] == family]
    tensors = train(options.corpora, without=["", *options.without])
    scores = score_documents(pa.array([text for text, _, _ in rows], pa.large_string()), tensors)
    toxic, families = np.array([label for _, label, _ in rows]), np.array([family for _, _, family in rows])
    known = ~np.isin(families, list(SPELLED))
    print(f"all: {known.sum()} sentences, AUC {area_under_curve(scores[known], toxic[known]):.3f}")
    for family in dict.fromkeys(families.tolist()):
        own = families == family
        chosen = own | (known & (toxic != toxic[own][0]))
        auc = area_under_curve(scores[chosen], toxic[chosen])
        print(f"{family}: {own.sum()} sentences, mean score {scores[own].mean():.2f}, AUC {auc:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
