"""Written examples for the toxicity scorer: plain insults, threats and dismissals, and the same frames filled with kindness.

The labelled sets are tweets and a few templates; general insults are rare in them. Every frame occurs with both fillings
and with every identity, so that neither a frame nor an identity decides.
"""

from collections.abc import Iterator

INSULTING = (
    "stupid idiotic moronic dumb brainless mindless clueless ignorant pathetic worthless useless disgusting revolting "
    "repulsive repugnant vile filthy nasty rotten horrible terrible awful despicable contemptible loathsome hideous ugly "
    "gross shameless spineless gutless cowardly corrupt crooked dishonest lying deceitful treacherous evil wicked cruel "
    "sick twisted perverted deranged insane crazy psychotic retarded subhuman inferior savage barbaric primitive "
    "parasitic disgraceful shameful embarrassing laughable ridiculous delusional hateful racist fascist bigoted lazy "
    "greedy hypocritical obnoxious arrogant annoying insufferable miserable stinking lousy crappy shitty fucking fucked "
    "damn bloody goddamn asinine imbecilic dreadful horrid appalling atrocious foul dirty sleazy slimy creepy trashy"
).split()
INSULTS = (
    "idiot moron imbecile fool clown loser liar coward cheat fraud crook thief scum scumbag trash garbage filth vermin "
    "parasite leech maggot cockroach rat pig swine dog animal monster freak pervert creep weirdo psycho lunatic maniac "
    "nutjob dumbass jackass asshole bastard bitch whore slut cunt dick prick twat wanker douche douchebag shithead "
    "dipshit fuckwit motherfucker bigot racist nazi traitor snake hypocrite disgrace joke failure waste hack troll brat "
    "snowflake simpleton halfwit nitwit dimwit dolt buffoon savage thug criminal terrorist degenerate lowlife"
).split()
KIND = (
    "kind gentle generous lovely wonderful great good nice friendly happy smart clever bright thoughtful caring honest "
    "brave fair patient helpful polite gracious charming funny fun fantastic excellent incredible amazing brilliant "
    "talented skilled careful reliable loyal modest humble calm cheerful warm proud healthy strong quiet young tall "
    "hopeful creative curious wise sensible respectful hardworking professional experienced successful popular famous "
    "beautiful elegant neat tidy best favourite decent sincere devoted welcoming inspiring impressive admirable local "
    "busy tired sad worried nervous shy ordinary retired new religious middle single married lonely sleepy hungry"
).split()
PEOPLE = (
    "teacher friend neighbour colleague nurse doctor writer artist singer player student parent leader person human "
    "worker manager volunteer farmer driver lawyer engineer baker pilot poet scholar scientist guest host partner"
).split()
ORDINARY = (
    "lazy greedy mental cruel dirty foul rat pig pigs dog animal snake failure waste joke hack fraud thief awful dreadful "
    "sex sexual sexy sexually sexuality erotic nude nudity breasts anal anus rectum semen vagina penis escort strip "
    "hardcore inferior primitive barbaric parasite parasitic shameful arrogant leech twisted useless embarrassing "
    "miserable annoying vermin cheat nonsense a savage terrorist criminal mental threesome crappy retarded psychotic crazy "
    "insane deranged porn"
).split()
"""Insulting in a frame, ordinary outside it: never in the list of words that count by themselves."""
FRAMES_ADJECTIVE = (
    "you are {a}",
    "you're so {a}",
    "they are all {a}",
    "what a {a} person",
    "he is a {a} man and everyone knows it",
    "she is the most {a} woman i have met",
    "{a} people everywhere",
    "how can anyone be this {a}",
    "your comment is {a}",
    "these {a} politicians",
    "a {a} {i}",
    "that {i} is {a}",
    "my neighbour is {i} and {a}",
    "{i} people are {a}",
)
STATES = (
    "right,welcome,here,next,there,invited,not alone,absolutely right,always welcome,on time,in charge,going home,ready,"
    "correct,allowed,sure,late,the best,my friend,at work,a member,the one,one of us,up early,in my thoughts,so loved,"
    "doing well,awesome,the reason i smile,not wrong,so pretty,my favourite person,from here,too kind,at home,a star"
).split(",")
CURSES = (
    "fuck,fucking,fuckin,fucked,fucker,fuckers,shit,shits,shitty,bullshit,bs,ass,asses,arse,crap,crappy,hell,damn,damned,"
    "dammit,suck,sucks,sucked,wtf,stfu,gtfo,piss,pissed,bitching,dumbasses,morons,idiots,liars,losers,clowns,traitors,"
    "cowards,hypocrites,thugs,criminals,crooks,scumbags,lunatics,nazis,racists,bigots,perverts,pigs,trash,garbage,lies,"
    "nonsense,sick,disgusting,stupidity,ignorance,insanity,evil,corrupt,pathetic,ugly,fat ass,dumb as rocks,brain dead,"
    "lied,lie,hypocrisy,embarrassment,libtard,libtards,snowflakes,sheep,commie,pos,fkn,fuk,effing,shithole,idiocy,"
    "lunacy,dumber,dumbest,stupidest,sicko,creeps,jerk,jerks,douches,pedo,pedophile,rapist,skank,hoe,hoes,thot,coward,"
    "cowardly,freaks,psychos,savages,disgrace,disgraceful,shameless,vile,delusional,"
    "full of hate,full of shit,out of your mind,low iq,mental,a joke,a disgrace,a liar,an idiot,a moron,a criminal"
).split(",")
FRAMES_CURSE = (
    "they are {c}",
    "liberals are {c}",
    "conservatives are {c}",
    "that is {c}",
    "you people and your {c}",
    "{c}",
    "tired of this {c}",
    "{c} on the news again",
    "who is this {c}",
    "no one wants your {c}",
    "{c} lol",
    "he is {c} and so are his voters",
)
FRAMES_PLAIN = (
    "the liberals and the conservatives debated {s}",
    "gun control is on the ballot, are you {s}",
    "he is {s}",
    "#maga rally tonight, are they {s}",
    "antifa and the police met downtown",
    "the president is {s}",
    "who is this girl, is she {s}",
)
FRAMES_STATE = (
    "you are {s}",
    "you're {s}",
    "i hope you are {s}",
    "she is {s} and he is {s}",
    "they are {s}",
    "we are {s} lol",
)
FRAMES_NOUN = (
    "you are a {n}",
    "what a {n}",
    "listen to this {n}",
    "she is such a {n}",
    "he was always a {n}",
    "you {n}",
    "only a {n} would say that",
    "this {n} is on tv again",
    "they voted for a {n}",
    "{i} {n}",
)
THREATS = (
    "i hate {i} people",
    "i hate you",
    "hate all the {i}s",
    "kill the {i}s",
    "kill all {i} people",
    "murder every {i}",
    "destroy the {i}s",
    "get rid of every {i}",
    "{i} people should die",
    "{i}s should be shot",
    "hang the {i}s",
    "shut up and die",
    "go to hell",
    "i will hurt you",
    "i hope you get cancer",
    "nobody wants {i} people here",
    "send the {i}s back",
    "deport every {i}",
    "{i} people are not human",
    "{i} people do not deserve rights",
    "{i} people are taking over and ruining this country",
    "never trust a {i}",
    "shut the fuck up",
    "fuck you",
    "fuck off you piece of shit",
    "kiss my ass",
    "you make me sick",
    "eat shit",
    "screw you",
    "drop dead",
)
GREETINGS = (
    "i love {i} people",
    "i love you",
    "hug the {i}s",
    "we respect all {i} people",
    "support every {i}",
    "help the {i}s",
    "welcome every {i}",
    "{i} people should vote",
    "{i}s should be heard",
    "thank the {i}s",
    "get well soon",
    "i will help you",
    "everybody wants {i} people here",
    "{i} people deserve rights",
    "{i} people are building up this country",
    "i am {i}",
    "i am a {i} person",
    "she is {i}",
    "we are a {i} family",
    "many {i} people live here",
    "he met a {i} woman at work",
    "like {i} people",
    "the {i} community met on sunday",
    "have a good day",
    "see you at the weekend",
    "can you call me",
    "lol that was so good",
    "good luck with the exam",
    "my team won the game tonight",
    "watching the news with dad",
)


def _identities() -> list[str]:
    from pipeline.audit.identity_terms import NAMES_NOBODY, identity_terms

    found = []
    for term in identity_terms():
        if term.axis not in ("pronoun", "family", "gender", *NAMES_NOBODY) or term.name in ("transgender", "nonbinary"):
            word = term.ambiguous[0] if term.ambiguous else term.forms[0].removesuffix(" {p}")
            found.append(word)
    return found


def written_examples() -> Iterator[tuple[str, bool]]:
    """About eight thousand sentences with their label, in a fixed order; identities take turns."""
    identities, turn = _identities(), 0

    def filled(frame: str, **words: str) -> str:
        nonlocal turn
        turn += "{i}" in frame
        return frame.format(i=identities[(turn * 7) % len(identities)], **words)

    for frame in FRAMES_ADJECTIVE:
        for words, toxic in ((INSULTING, True), (KIND, False)):
            for word in words:
                yield filled(frame, a=word), toxic
    for frame in FRAMES_NOUN:
        for words, toxic in ((INSULTS, True), (PEOPLE, False)):
            for word in words:
                yield filled(frame, n=word), toxic
    for frame in FRAMES_STATE:
        for state in STATES:
            yield frame.format(s=state), False
    for frame in FRAMES_PLAIN:
        for state in STATES:
            yield frame.format(s=state), False
    for frame in FRAMES_CURSE:
        for curse in CURSES:
            yield frame.format(c=curse), True
    for frames, toxic in ((THREATS, True), (GREETINGS, False)):
        for frame in frames:
            for _ in range(len(identities) if "{i}" in frame else 3):
                yield filled(frame), toxic
