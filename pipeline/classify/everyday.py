"""Everyday talk, written here: negatives for a domain classifier whose general text is all articles and books.

Speeches, calls and interviews are domain text, so "you know", "I think" and "we will" come to stand for the domain where no
other text speaks. These texts are made of frames and words of home, food, weather, friends, films and complaints.
"""

from collections.abc import Iterator

import numpy as np

_PEOPLE = (
    "my mom|my mother|my dad|my brother|my sister|grandma|my best friend|the kids|my neighbor|our teacher|this guy|"
    "that girl|my boss|the dog|the cat|my roommate|my cousin|everybody|somebody|the baby|my husband|my wife|"
    "my girlfriend|the lady next door|they|we|he|she|you|I|you guys|my auntie|the boys|her ex|his mama|our coach|"
    "the bus driver"
).split("|")
_DID = (
    "made soup|cooked dinner|watched a movie|went to the beach|slept till noon|missed the bus|lost the keys|"
    "broke the lamp|called me|forgot my birthday|cried all night|laughed so hard|bought new shoes|walked the dog|"
    "played guitar|danced in the kitchen|burned the toast|painted the room|cleaned the house|told me a secret|"
    "spilled coffee on the couch|sang that old song|ate the whole pizza|got a haircut|fell off the bike|took a nap|"
    "baked a cake|fixed the car|moved to another town|said sorry|kissed me goodnight|went fishing|stayed home|"
    "read a book on the porch|fed the birds|planted tomatoes|did the laundry|drove all night|won the game|got sick|"
    "had a party"
).split("|")
_WILL = (
    "going to go home|gonna be late|going to see the game|trying to sleep|getting married|going to the store|"
    "having a baby|coming over|not talking anymore|going camping|making breakfast|going to miss you|hanging out|"
    "staying for supper|taking the kids to school|going to love this|feeling better|looking for a new place|"
    "playing outside|going to the doctor|watching cartoons|thinking about you"
).split("|")
_WHEN = (
    "last night|this morning|yesterday|tonight|on Saturday|all day|again|for once|after school|before bed|"
    "in the rain|when I was little|back home|down the street|at the park|in the car|next week|over the summer|"
    "at her place|for hours|when the phone rang"
).split("|")
_SAY = (
    "you know|I mean|like|well|honestly|oh my god|lol|so yeah|I guess|anyway|right|okay|I swear|dude|man|girl|yeah|"
    "um|uh|no way|I dunno|listen|hey|ain't that something|bless her heart|for real|y'all|I think|you see|thank you|"
    "please|of course|look|I believe"
).split("|")
_THING = (
    "the movie|that song|this game|the weather|my hair|the food|this phone|the book|that show|the plot|the acting|"
    "her dress|the ending|the camera|my room|the traffic|the coffee|the party|the sound|this battery|that joke|"
    "the story|the music|the house|his voice|love|life"
).split("|")
_IS = (
    "so good|really bad|kind of weird|boring|beautiful|too loud|funny as hell|way too long|the best|not that great|"
    "a mess|pretty cool|amazing|so sad|cute|awful|freezing|delicious|broken|like a dream|all I need|worth it|"
    "terrible|perfect for a lazy Sunday|just fine"
).split("|")
_FRAMES = (
    "{s}, {p} {d} {w}.",
    "{s}, I think we are {g}.",
    "{p} {d} and then {q} {e} {w}.",
    "{t} is {i}, {s}.",
    "I was like, {s}, {t} is {i}!",
    "Do you know if {p} {d} {w}?",
    "{s}, {p} said that {q} {d}.",
    "I can't believe {p} {d} {w}",
    "we are {g}, are you?",
    "I don't know, {s}, {t} was {i} but {p} {d}.",
    "What did {p} do {w}? {p} {d}.",
    "If {p} {d} I will cry.",
    "It's {i}. I want to thank {p} for {t}.",
    "I love {t}, {t} is {i} and I will never forget it",
    "Oh {s}, I need you {w}, you're {i}",
    "He be {g} every time {p} {d}.",
    "She don't even care, {s}, {p} {d} {w}.",
    "Let me tell you, {t} is {i}.",
    "So we have {t}, and we have {t}, and I will say it's {i}.",
    "How are you? I am {g} with {p}.",
    "The actors are {i}, but {t} is {i}.",
    "I would not buy this again, {t} is {i}.",
)


def everyday_texts(count: int, seed: int = 0) -> Iterator[str]:
    """So many texts of 4 to 40 sentences; the same ones for a seed, whatever the count."""
    pools = {
        "p": _PEOPLE, "q": _PEOPLE, "d": _DID, "e": _DID, "g": _WILL, "w": _WHEN, "s": _SAY, "t": _THING, "i": _IS,
    }  # fmt: skip
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        lines = []
        for _ in range(int(rng.integers(4, 41))):
            frame = _FRAMES[rng.integers(len(_FRAMES))]
            words = {name: pool[rng.integers(len(pool))] for name, pool in pools.items()}
            line = frame.format(**words)
            lines.append(line.lower() if rng.random() < 0.3 else line)
        yield ("\n" if rng.random() < 0.4 else " ").join(lines)
