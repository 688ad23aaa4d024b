"""Words beside a number that say what it is ("phone", "card"), looked up by hash in a bounded window."""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.compiled import kernel
from pipeline.kernels.pii.checks import alnum
from pipeline.kernels.text.term_trie import FNV_BASIS, FNV_PRIME, hash_word

_P = np.uint64(FNV_PRIME)
_B = np.uint64(FNV_BASIS)


def _hashes(words: str) -> np.ndarray:
    return np.array(sorted(hash_word(word) for word in words.split()), np.uint64)


PHONE_WORDS = _hashes(
    "phone phones telephone telephones tel tele ph mobile mobil cell cellphone cellular fax facsimile telefax call calls "
    "calling called dial dialing ring reach text sms whatsapp hotline helpline landline answering messages contact "
    "telefon telephon telefono handy desk switchboard pager voicemail"
)
REFERENCE_WORDS = _hashes(
    "file files docket dockets grant grants case cases registration award contract patent invoice order isbn issn doi pmid "
    "pmc serial policy claim licence license permit part model item cert accession bill act go"
)
PHONE_AFTER = _hashes("phone tel telephone mobile cell fax office home work desk direct")
CARD_WORDS = _hashes(
    "card cards credit debit visa mastercard amex maestro discover diners jcb unionpay cc pan kreditkarte carte tarjeta"
)
SSN_WORDS = _hashes("ssn ssns social security itin itins atin atins taxpayer")
IP_WORDS = _hashes("ip ipv4 ips address addresses host server ping")
PASSPORT_WORDS = _hashes("passport passports passeport reisepass pasaporte")
CUSIP_WORDS = _hashes("cusip cusips")


@kernel()
def _among(hashes: np.ndarray, value: np.uint64) -> bool:
    # At most some forty words: a loop is as fast as a search and compiles sooner.
    for known in hashes:
        if known == value:
            return True
    return False


@kernel()
def word_near(data: np.ndarray, begin: int, at: int, stop: int, end: int, hashes: np.ndarray, window: int) -> bool:
    """Whether one of the words ends within `window` bytes before `at`, or begins within 16 after `stop`."""
    low = max(begin, at - window)
    return _word_in(data, low, at, low > begin, hashes) or _word_in(data, stop, min(end, stop + 16), False, hashes)


@kernel()
def _word_in(data: np.ndarray, low: int, high: int, cut: bool, hashes: np.ndarray) -> bool:
    at = low
    if cut:  # do not read half a word as one
        while at < high and (alnum(data[at]) >= 0 or data[at] >= 128):
            at += 1
    while at < high:
        if alnum(data[at]) < 0:
            at += 1
            continue
        value = _B
        while at < high and (alnum(data[at]) >= 0):
            byte = np.uint64(data[at])
            value = (value ^ (byte | np.uint64(32) if data[at] >= codes.UPPER_A else byte)) * _P
            at += 1
        if _among(hashes, value):
            return True
    return False
