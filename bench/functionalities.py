"""Written sentences by what they do: threats, denied worth and slurs at people; and what only looks like them.

Counter-speech, denial, reports of abuse, complaints about things, names, animals and medicine are as many as the hate, in
families of frames. Two of three frames of each family train; the third (`HELD_OUT`) is measured and never trained on, and so are
whole families (`UNSEEN`): implied derogation, kind words on a group, and spelling that hides a word.

`python -m bench.functionalities` prints the AUC of the shipped weights by family.
"""

import sys
from collections.abc import Iterator

import numpy as np

THINGS = (
    "adverts,pop-up ads,landfill sites,the curtains,this phone,the battery,that film,the soup,the customer service,hotel rooms,"
    "these shoes,the sequel,potholes,traffic jams,the plot,the wallpaper,the weather,tax forms,the coffee,this printer"
).split(",")
AWFUL = (
    "disgusting,despicable,pathetic,garbage,trash,useless,horrible,stupid,ridiculous,a joke,terrible,awful,shit,crap,vile,"
    "a disgrace,rubbish,appalling,idiotic,fucking awful"
).split(",")
CREATURES = "vermin,animals,parasites,cockroaches,a disease,a cancer,a plague,subhuman,savages,filth,scum,dirt".split(
    ","
)
HARM = "kill,shoot,hang,burn,stab,gas,beat up,hurt,attack,exterminate,lynch,drown".split(",")
SURNAMES = "Butt,Cockburn,Dick,Hooker,Wang,Hoare,Gay,Bastardi,Slutsky,Fuchs,Assad,Titmuss".split(",")

TOXIC: dict[str, tuple[str, ...]] = {
    "threat": (
        "i am going to {h} the next {i} person i see",
        "someone should {h} all the {i}s in this town",
        "if i meet a {i} today i will {h} them",
        "we will {h} you and your {i} friends",
        "watch your back, i know where you live and i will {h} you",
        "every {i} deserves to be {h}ed",
    ),
    "worth": (
        "{i} people are {w}",
        "{i}s are nothing but {w}",
        "a {i} is worth less than a dog",
        "{i} people do not deserve to live",
        "the world would be better without {i}s",
        "{i}s are not real people, they are {w}",
    ),
    "hate": (
        "i can't stand {i} people, they disgust me",
        "{i} people make me sick",
        "all {i}s are stupid and dirty",
        "typical {i}, too stupid to understand anything",
        "{i}s should go back to where they came from",
        "you are just another disgusting {i}",
    ),
    "slur": (
        "shut up you stupid {i} bitch",
        "what a filthy {i}, absolute scum",
        "those fucking {i}s ruin everything",
        "{i}s are whores and thieves",
    ),
}
CLEAN: dict[str, tuple[str, ...]] = {
    "counter": (
        "it is wrong to say that {i} people are {w}",
        "calling {i}s {w} is hateful and has to stop",
        "whoever says that all {i}s should die should be ashamed",
        "saying you want to {h} {i} people is a crime and a disgrace",
        "nobody should ever be told that {i}s are {w}",
    ),
    "denial": (
        "no {i} person is {w}",
        "i would never say that {i}s are stupid",
        "{i} people are not {w}, they are our neighbours",
        "we don't hate {i}s and never will",
        "there is nothing wrong with being {i}",
    ),
    "report": (
        "the court heard that he had threatened to {h} a {i} man",
        "police said the message called {i} people {w}",
        "he was jailed for telling a crowd to {h} {i}s",
        'the paper printed the words "{i}s are {w}" as evidence',
        "the report counts attacks on {i} people and the insults used in them",
    ),
    "thing": (
        "{t} are absolutely {a}",
        "i hate {t}, they are {a}",
        "{t} in this place is just {a}",
        "honestly, {t} was {a} and i want my money back",
        "why is {t} always so {a}",
        "what a {a} way to ruin {t}",
    ),
    "people_and_power": (
        "he called the bankers greedy idiots and crooks",
        "the minister said that the plan was idiotic and a disgrace",
        "critics called the film pathetic and its hero a moron",
        "she told the board that the accounts were garbage",
        "the manager admitted that he had been an idiot",
    ),
    "name": (
        "senator {s} asked the committee for a vote",
        "mr {s} joined the bank as chief economist",
        "dr {s} and her team published the study",
        "the goal was scored by {s} in the second half",
        "{s} & sons was founded in 1911",
    ),
    "animal": (
        "the milk of healthy bitches was sampled after they whelped",
        "the ass and the mule carried the load up the hill",
        "a cock and two hens were kept in the yard",
        "great tits and blue tits nest in the wood",
        "the sow killed her piglets and was kept apart",
        "rats and pigs were infected with the parasite in the laboratory",
    ),
    "body": (
        "the visual orientation of neurons in the cortex",
        "bisexual flowers have both stamens and pistils",
        "the queen of spades beat the queen of hearts",
        "patients with anal fissures and rectal pain were examined",
        "sexual dysfunction was reported in both sexes",
        "the black box and the white paper were lost in the yellow fever ward",
        "homosexual men and heterosexual women were asked about testing",
        "the retarded growth of the crystals was measured",
        "mental illness and crazy paving are not the same subject",
        "the tumour invaded the breast and the vagina",
    ),
    "swearing": (
        "that was a fucking great game",
        "holy shit we won the cup",
        "damn, this song is good",
        "i am so fucking tired today",
        "this cake is the shit, try it",
    ),
}  # fmt: skip
HELD_OUT = 3
"""Every third frame of a family, from the third on, is held out."""


def sentences(identities: list[str], held_out: bool) -> Iterator[tuple[str, bool, str]]:
    """(sentence, toxic, family) of the frames that train, or of those that are held out, in a fixed order."""
    turn = 0
    pools = (
        ("i", identities, 7), ("w", CREATURES, 5), ("h", HARM, 5), ("t", THINGS, 3), ("a", AWFUL, 7), ("s", SURNAMES, 5),
    )  # fmt: skip
    for families, toxic in ((TOXIC, True), (CLEAN, False)):
        for family, frames in families.items():
            for number, frame in enumerate(frames):
                if (number % HELD_OUT == HELD_OUT - 1) != held_out:
                    continue
                many = 24 if "{i}" in frame else 12 if "{" in frame else 3
                seen = set()
                for _ in range(many):
                    turn += 1
                    words = {name: pool[(turn * step) % len(pool)] for name, pool, step in pools}
                    text = frame.format(**words)
                    if text not in seen:
                        seen.add(text)
                        yield text, toxic, family


UNSEEN: dict[str, tuple[bool, tuple[str, ...]]] = {
    "implied": (
        True,
        (
            "of course a {i} took it, what did you expect",
            "keep your children away from the {i}s next door",
            "this street was nice before the {i}s moved in",
            "funny how it is always a {i} when something is stolen",
            "give a {i} a job and count your spoons",
            "we all know what {i} people do behind closed doors",
        ),
    ),
    "kind": (
        False,
        (
            "my {i} neighbours brought us soup when i was ill",
            "she is {i} and she won the prize for physics",
            "two {i} women opened a bakery on our street",
            "i am proud to be {i}",
            "as a {i} man i felt welcome at the meeting",
            "the {i} centre has a choir that meets on mondays",
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


def unseen(identities: list[str]) -> Iterator[tuple[str, bool, str]]:
    """(sentence, toxic, family): the families that never train, and held-out hate whose rude words are spelled otherwise."""
    for family, (toxic, frames) in UNSEEN.items():
        for number, frame in enumerate(frames):
            for turn in range(12):
                yield frame.format(i=identities[(number + 5 * turn) % len(identities)]), toxic, family
    for family, change in SPELLED.items():
        for text, toxic, _ in sentences(identities, held_out=True):
            changed = " ".join(change(word) if word in HIDDEN else word for word in text.split())
            if toxic and changed != text:
                yield changed, True, family


def main() -> int:
    """AUC of each family against all sentences of the other label."""
    import pyarrow as pa

    from bench.train_toxicity import neutral_words
    from pipeline.audit.bias import area_under_curve
    from pipeline.measure.judges.toxicity import Toxicity, toxicity

    identities = sorted(neutral_words())[::9]
    rows = [*sentences(identities, held_out=True), *unseen(identities)]
    batch = pa.record_batch({"text": pa.array([text for text, _, _ in rows], pa.large_string())})
    scores = np.array(toxicity.run(batch, Toxicity())["score"])
    toxic, families = np.array([label for _, label, _ in rows]), np.array([family for _, _, family in rows])
    print(f"all: {len(rows)} sentences, AUC {area_under_curve(scores, toxic):.3f}")
    for family in dict.fromkeys(families.tolist()):
        own = families == family
        chosen = own | (toxic != toxic[own][0])
        auc = area_under_curve(scores[chosen], toxic[chosen])
        print(f"{family}: {own.sum()} sentences, mean score {scores[own].mean():.2f}, AUC {auc:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
