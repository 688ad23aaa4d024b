"""Composed names: people, towns, firms. Every one is invented; a real name would be chance."""

from pipeline.ingest.sample.draw import Draw
from pipeline.ingest.sample.grammar import Row

_HE = (
    "Adam Alan Anton Arthur Ben Callum Carlos Charles Colin Daniel David Dennis Edwin Elias Eric Felix Frank Gareth "
    "George Graham Hassan Henry Hugo Ian Ivan Jack James Jamal Joel Jonas Joseph Kenji Kevin Lars Leon Luis Marcus "
    "Martin Mateo Miguel Nathan Neil Noah Oliver Omar Oscar Owen Patrick Paul Peter Rafael Ravi Robert Samir Samuel "
    "Scott Simon Stefan Thomas Tobias Victor Walter William Yusuf"
).split()
_SHE = (
    "Ada Agnes Alice Amelia Anita Anna Beatrice Bridget Carla Caroline Catherine Chloe Clara Diana Dorothy Eleanor "
    "Elena Emily Esther Fatima Fiona Grace Hannah Helen Ingrid Irene Isabel Jane Joan Judith Julia Karen Laura Leila "
    "Lena Linda Lucy Margaret Maria Martha Maya Mei Miriam Naomi Nina Nora Olivia Paula Priya Rachel Rebecca Rosa Ruth "
    "Sandra Sarah Sofia Susan Teresa Ursula Vera Wendy Yasmin Zoe"
).split()
_LAST = (
    "Abbott Acheson Adeyemi Akhtar Almeida Anders Ashdown Barlow Bauer Beckett Bianchi Blackwood Brandt Brennan "
    "Calloway Carver Castillo Chandra Chen Cole Corrigan Crane Dalton Desai Devlin Diaz Donnelly Dubois Ekström Ellery "
    "Farrow Fenwick Ferreira Finch Fischer Forsythe Garrick Gilmour Goldberg Grant Greer Hadley Haines Halloran Hartley "
    "Hayashi Hensley Holloway Ibarra Iqbal Jansen Jarvis Kaplan Keane Kimura Kirkland Kowalski Lachance Lang Larkin "
    "Lindqvist Lockhart Lowell Maddox Malik Marlow Mbeki McAllister Mendez Mercer Moreau Murray Nakamura Novak Nwosu "
    "O’Hara Oakes Okafor Olsen Osborne Park Pemberton Pereira Prescott Quinn Radcliffe Ramos Rashid Reyes Rooney Rossi "
    "Sandoval Schultz Sefton Shah Sinclair Sørensen Stroud Sutherland Takeda Tanner Thackeray Thorne Tran Underhill "
    "Valdez Vance Varga Voss Wainwright Walsh Webb Whitlock Wexler Yates Yilmaz Zeller Zimmer"
).split()
_TOWN_HEAD = (
    "Alder Ash Bar Beck Bram Brook Cald Carl Clay Copper Cran Dal Dun Eagle East Elder Fair Fern Glen Gold Gran Hal "
    "Hart Hazel High Holm Iron Kel King Lake Lang Lin Long Mar Mel Mill Moor New North Oak Old Pen Pine Quarry Raven "
    "Red Rock Ros Salt Sea Silver South Stan Stone Sun Swan Thorn Trent Wal War Wat Wel West Whit Wick Wind Wood"
).split()
_TOWN_TAIL = (
    "borough bridge brook burn bury by cliff combe cross dale den field ford gate grove ham haven hill holt hurst land "
    "ley mere minster mont mouth port ridge shore side stead ton vale view ville water well wick wood worth"
).split()
_ROADS = (
    "Abbey Bakers Canal Castle Cedar Chapel Church Commerce Ferry Foundry Garden Harbour High Hillside Jubilee Lime "
    "Linden Maple Market Mill Orchard Park Priory Quay Railway River School Spring Station Tannery Union Victoria "
    "Water Wharf Willow"
).split()


def person(draw: Draw) -> Row:
    """name, first, last, he, him, his, self."""
    woman = draw.chance(0.5)
    first, last = draw.pick(_SHE if woman else _HE), draw.pick(_LAST)
    he, him, his = ("she", "her", "her") if woman else ("he", "him", "his")
    return {"name": f"{first} {last}", "first": first, "last": last, "he": he, "him": him, "his": his}


def town(draw: Draw) -> Row:
    """name, river, road, road2."""
    head = draw.pick(_TOWN_HEAD)
    tail = draw.pick([tail for tail in _TOWN_TAIL if tail[0] != head[-1].lower()])
    one, two = draw.shuffled(_ROADS)[:2]
    return {
        "name": head + tail,
        "river": draw.pick(_TOWN_HEAD) + draw.pick(("er", "e", "en", "a", "le", "more")),
        "road": f"{one} {draw.pick(('Street', 'Road', 'Lane'))}",
        "road2": f"{two} {draw.pick(('Street', 'Avenue', 'Square'))}",
    }


def vendor(draw: Draw) -> Row:
    """name: an advertising partner."""
    parts = ("ad", "bid", "click", "data", "flux", "geo", "hit", "lead", "mob", "pix", "reach", "tag", "trak", "view", "zap")
    return {"name": draw.pick(parts).title() + draw.pick(parts) + draw.pick(("ly", "io", "ify", "Lab", "Hub", "Net"))}


MAKERS = {"vendor": vendor, "person": person, "town": town}
