"""The most frequent function words of some languages: Gopher's stop-word rule beyond English."""

_WORDS = {
    "en": "the be to of and a in that have it for on with as at this but by from or an is are was were not which",
    "de": "der die das und in zu den mit von ist für auf dem des im ein eine nicht sich als auch es an werden aus er",
    "fr": "le la les de des du et à en un une que qui dans pour est au par sur pas il ne plus ce avec se sont",
    "es": "el la los las de del y en que a un una por con para se es no su al lo como más pero sus le ha",
    "it": "il la le di del della e in che un una per con non si è al da i dei alla sono nel anche come più",
    "pt": "o a os as de do da dos e em que um uma para com não por no na se é ao mais como foi seu",
    "nl": "de het een van en in is dat op te voor met zijn niet aan er om door bij als ook maar uit wordt naar",
    "sv": "och i att det som en på är av för med den till inte har de om ett var han men sig från vi",
    "da": "og i at det er en til af på for med den der ikke de som et har han var fra men om vi",
    "no": "og i det er på en til som av for med at ikke den har de et om var han men fra seg vi",
    "pl": "w i na z do się nie jest to że o jak od po za przez dla był co ale są przy oraz tym",
    "ro": "și de în la a pe cu nu că din o un este se care pentru mai sau au fost prin ca sunt",
    "cs": "a v se na je že o s z do i to k ve pro za by ale jako po jsou od byl při nebo",
    "tr": "ve bir bu da de için ile olarak olan çok daha gibi en kadar ne sonra ise var o ki",
    "ru": "и в не на что с по как это к но из у за от о для так же был его до все или при",
    "uk": "і в не на що з до як та у за від про це для але є його по був які або при так",
}

STOP_WORDS = {language: words.split() for language, words in _WORDS.items()}
"""Language code (ISO 639-1) -> its stop words, lower case."""
